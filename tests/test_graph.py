"""Pictures of a computation: the text, the drawing, what they show."""
import re
import struct
import zlib

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import minidl as md
from minidl.errors import InputError
from minidl.tensor import Tensor


def computation():
    x = Tensor(3.0, requires_grad=True, name="x")
    w = Tensor(2.0, requires_grad=True, name="w")
    return x, w, md.tanh(x * w) + x ** 2


def nodes_and_arrows(graph):
    labels = re.findall(r'^  n(\d+) \[label="(.*)"(, style=filled)?\];$', graph.dot, re.M)
    arrows = [(int(a), int(b)) for a, b in re.findall(r"^  n(\d+) -> n(\d+);$", graph.dot, re.M)]
    assert [int(number) for number, _, _ in labels] == list(range(len(graph.nodes)))
    assert len(labels) + len(arrows) + 4 == len(graph.dot.splitlines())          # every line was understood
    return [(label, bool(leaf)) for _, label, leaf in labels], arrows


def test_the_text_of_a_known_computation():
    labels, arrows = nodes_and_arrows(md.graph(computation()[2]))
    assert labels == [(r"x\n3", True), (r"w\n2", True), (r"multiply\n6", False), (r"tanh\n1", False),
                      (r"power(., 2)\n9", False), (r"add\n10", False)]
    assert sorted(arrows) == [(0, 2), (0, 4), (1, 2), (2, 3), (3, 5), (4, 5)]
    assert md.graph(computation()[2]).dot.startswith("digraph computation {\n") and md.graph(Tensor(1.0)).dot[-1] == "}"


def test_an_input_used_twice_is_one_node_with_two_arrows():
    x = Tensor([1.0, 2.0], requires_grad=True)
    labels, arrows = nodes_and_arrows(md.graph(md.sum(x * x)))
    assert [label for label, _ in labels] == ["(2,)", r"multiply\n(2,)", r"sum\n5"]
    assert arrows == [(0, 1), (0, 1), (1, 2)]


def test_a_node_shows_its_shape_and_its_gradient_once_there_is_one():
    x, _, y = computation()
    X = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    total = md.sum(X) * y
    total.backward(retain_graph=True)
    labels = [label for label, _ in nodes_and_arrows(md.graph(total))[0]]
    assert rf"x\n3\ngrad {x.grad.item():.4g}" in labels and r"(2, 3)\ngrad (2, 3)" in labels


def test_names_are_quoted_for_graphviz():
    x = Tensor(1.0, requires_grad=True, name='the "first"\\')
    assert r'label="the \"first\"\\\n1"' in md.graph(x).dot


def test_joined_and_indexed_tensors_show_where_they_come_from():
    a, b = Tensor([1.0], requires_grad=True, name="a"), Tensor([2.0], requires_grad=True, name="b")
    _, arrows = nodes_and_arrows(md.graph(md.concatenate([a, b])[0]))
    assert arrows == [(0, 2), (1, 2), (2, 3)]


def test_a_leaf_alone_is_a_graph_of_one_node():
    labels, arrows = nodes_and_arrows(md.graph(Tensor([1.0, 2.0], name="x")))
    assert labels == [(r"x\n(2,)", True)] and arrows == []


def test_a_computation_too_large_to_see_is_refused_in_a_sentence():
    def chain(n):
        y = Tensor(1.0, requires_grad=True)
        for _ in range(n - 1):
            y = y * y                # 2 to the power of n ways lead to the first: each tensor is visited once
        return y

    assert len(md.graph(chain(200)).nodes) == 200
    with pytest.raises(InputError, match="more than 200 tensors; draw a smaller part of it"):
        md.graph(chain(201))


def test_a_computation_of_ten_thousand_tensors_is_refused_as_quickly():
    y = Tensor(1.0, requires_grad=True)
    for _ in range(10_000):
        y = y * y
    with pytest.raises(InputError, match="more than 200 tensors"):
        md.graph(y)


def test_a_graph_that_backward_has_freed_is_told_in_a_sentence():
    _, _, y = computation()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        md.graph(y)


def decoded_png(content):
    """Width, height and the image's bytes; the checksum of every chunk is looked at."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at:at + 8])
        body = content[at + 8:at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", content[at + 8 + length:at + 12 + length])[0]
        chunks.append((kind, body))
        at += 12 + length
    assert chunks[0][0] == b"IHDR" and chunks[-1] == (b"IEND", b"")
    return *struct.unpack(">II", chunks[0][1][:8]), zlib.decompress(b"".join(b for k, b in chunks if k == b"IDAT"))


def test_the_drawing_is_a_png_with_every_node_in_it(tmp_path):
    graph = md.graph(computation()[2])
    figure = graph.draw(tmp_path / "new" / "graph.png")
    width, height, pixels = decoded_png((tmp_path / "new" / "graph.png").read_bytes())
    assert width > 600 and height > 200 and len(set(pixels)) > 10
    axes, = figure.axes
    shown = [text for text in axes.texts if text.get_text()]
    assert [text.get_text() for text in shown] == ["\n".join(node.lines) for node in graph.nodes]
    places = [text.get_position() for text in shown]
    assert len(set(places)) == len(places)
    for node, (x, _) in zip(graph.nodes, places, strict=True):
        assert all(places[source][0] < x for source in node.sources)               # from left to right
        assert axes.get_xlim()[0] < x < axes.get_xlim()[1]
    assert len(axes.texts) - len(shown) == sum(len(node.sources) for node in graph.nodes)      # the arrows


def test_boxes_of_a_wide_graph_do_not_overlap():
    x, y = Tensor(1.0, requires_grad=True, name="x"), Tensor(2.0, requires_grad=True, name="a long name, a long name")
    total = md.exp(x * y) + md.sin(x) * md.tanh(y) + md.log(y) / md.sqrt(x) - x
    total.backward(retain_graph=True)
    figure = md.graph(total).draw()
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_bbox_patch().get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and figure.bbox.y0 <= box.y0
               and box.y1 <= figure.bbox.y1 for box in boxes)
