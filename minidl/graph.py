"""Pictures of a small computation: what a tensor was made from, as Graphviz text or drawn with matplotlib."""
from __future__ import annotations

import os
from typing import Any, NamedTuple

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.tensor import Tensor, parents

_LIMIT = 200           # nodes: a larger picture shows nothing
_FONT = 20             # points, to be read from the back of a room


class Node(NamedTuple):
    """One tensor of the graph: its text, what made it (None for a leaf), its layer and the nodes it was made from."""

    lines: tuple[str, ...]
    made_by: str | None
    layer: int
    sources: tuple[int, ...]


class Graph:
    """The computation that led to a tensor, oldest node first; `dot` is its Graphviz text, `draw` a matplotlib Figure.

    A node shows a tensor's name or the primitive that made it, its value if that is a single number (else its shape),
    and its gradient once there is one. Raises InputError for a computation of more than 200 tensors, and RuntimeError
    for one that a backward pass has freed.
    """

    def __init__(self, y: Tensor) -> None:
        self.nodes: list[Node] = []
        found, stack = {y.birth: y}, [y]
        while stack:
            for a in parents(stack.pop()):
                if a.birth not in found:
                    found[a.birth] = a
                    stack.append(a)
            if len(found) > _LIMIT:
                raise InputError(f"graph: this computation has more than {_LIMIT} tensors; draw a smaller part of it")
        number = {birth: i for i, birth in enumerate(sorted(found))}
        for birth in sorted(found):
            t = found[birth]
            sources = tuple(number[a.birth] for a in parents(t))
            layer = 1 + max((self.nodes[i].layer for i in sources), default=-1)
            made_by = _operation(t) if t.made_by else None
            self.nodes.append(Node(_lines(t, made_by), made_by, layer, sources))

    @property
    def dot(self) -> str:
        """The graph in Graphviz's language: `dot -Tsvg`."""
        lines = ["digraph computation {", "  rankdir=LR;", '  node [shape=box, style=rounded, fontname="Helvetica"];']
        for i, node in enumerate(self.nodes):
            label = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in node.lines)
            lines.append(f'  n{i} [label="{label}"{", style=filled" if node.made_by is None else ""}];')
        lines += [f"  n{j} -> n{i};" for i, node in enumerate(self.nodes) for j in node.sources]
        return "\n".join([*lines, "}"])

    def draw(self, path: str | os.PathLike[str] | None = None) -> Any:
        """A matplotlib Figure of the graph, from left to right; written to `path` as PNG if one is given.

        Raises InputError if the file cannot be written.
        """
        from matplotlib.figure import Figure

        places = self._places()
        em = _FONT / 72                                                     # in inches, as all sizes and spots here
        widths = [0.0] * (1 + max(column for column, _ in places))
        for (column, _), node in zip(places, self.nodes, strict=True):
            widths[column] = max(widths[column], em * (3.2 + 0.6 * max(map(len, node.lines))))
        row_height = em * (1.9 + 1.25 * max(len(node.lines) for node in self.nodes))
        size = sum(widths), row_height * (1 + 2 * max(abs(y) for _, y in places)) + 0.2
        spots = [(sum(widths[:column]) + widths[column] / 2, size[1] / 2 + y * row_height) for column, y in places]
        figure = Figure(figsize=size)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0, size[0]), ylim=(0, size[1]))
        axes.set_axis_off()
        boxes: list[Any] = []
        for i, node in enumerate(self.nodes):
            colour = "#f6d9a8" if node.made_by is None else "#cfe3f7"
            text = axes.text(*spots[i], "\n".join(node.lines), ha="center", va="center", fontsize=_FONT,
                             bbox={"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "0.35"})
            boxes.append(text.get_bbox_patch())
            for source in node.sources:             # from centre to centre, cut off at the boxes
                around = places[i][0] - places[source][0] > 1               # a box may stand in the way
                axes.annotate("", spots[i], spots[source], arrowprops={
                    "arrowstyle": "-|>", "color": "0.35", "lw": 2, "mutation_scale": 22, "shrinkA": 1, "shrinkB": 1,
                    "patchA": boxes[source], "patchB": boxes[-1],
                    "connectionstyle": "arc3,rad=-0.35" if around else "arc3"})
        if path is not None:
            with atomic_write(path) as file:
                figure.savefig(file, format="png", dpi=100)
        return figure

    def _places(self) -> list[tuple[int, float]]:
        """Column and height of each node: its layer, and an order in it that keeps it near what it was made from."""
        layers: dict[int, list[int]] = {}
        for i in range(len(self.nodes)):
            layers.setdefault(self._column(i), []).append(i)
        places: dict[int, tuple[int, float]] = {}
        for x in sorted(layers):
            def height(i: int) -> float:
                seen = [places[j][1] for j in self.nodes[i].sources if j in places]
                return -sum(seen) / len(seen) if seen else float(i)

            for row, i in enumerate(sorted(layers[x], key=height)):
                places[i] = (x, (len(layers[x]) - 1) / 2 - row)
        return [places[i] for i in range(len(self.nodes))]

    def _column(self, i: int) -> int:
        """A node's layer; a leaf stands just before the first node that uses it, so that no arrow is long."""
        if self.nodes[i].made_by is not None:
            return self.nodes[i].layer
        return max(0, min((n.layer for n in self.nodes if i in n.sources), default=1) - 1)


def _operation(t: Tensor) -> str:
    """The primitive's name, with the plain numbers among its arguments: `power(., 2)`."""
    primitive, args = t.recipe[:2]
    shown = [f"{a:.4g}" if type(a) in (float, int) else "." for a in args if type(a) in (float, int) or
             isinstance(a, Tensor)]
    return f"{primitive.name}({', '.join(shown)})" if shown != ["."] * len(shown) else primitive.name


def _lines(t: Tensor, made_by: str | None) -> tuple[str, ...]:
    title = t.name if made_by is None else f"{t.name} = {made_by}" if t.name else made_by
    size = f"{t.item():.4g}" if t.size == 1 else str(t.shape)
    lines = [title, size] if title else [size]
    if t.grad is not None:
        lines.append("grad " + (f"{t.grad.item():.4g}" if t.size == 1 else str(t.grad.shape)))
    return tuple(lines)


def graph(y: Tensor) -> Graph:
    """The Graph of the computation that made `y`; its errors are those of that class.

    Look before `backward` frees it, or pass that `retain_graph=True`.
    """
    return Graph(y)
