"""The lectures' own pictures: each can be drawn, shows what it says, and refuses wrong shapes in a sentence."""
import io

import numpy as np
import pytest

import minidl as md
from minidl import plotting
from minidl.lectures.pictures import (
    boltzmann_machines,
    contrastive_divergence,
    deep_belief_nets,
    gan,
    restricted_boltzmann_machines,
)
from minidl.lectures.pictures.basic_networks import boundaries
from minidl.lectures.pictures.binary_codes import Found, activities, retrieved, rings
from minidl.lectures.pictures.convolutional_autoencoder import layers, overlaps
from minidl.lectures.pictures.convolutional_networks import feature_maps, filtered, sliding_window
from minidl.lectures.pictures.description_length import bit_bars, embeddings, walk
from minidl.lectures.pictures.improved_gan import before_after, paths
from minidl.lectures.pictures.pca_kmeans import cells, codes, explained_variance, geometry
from minidl.lectures.pictures.recurrent_networks import activity, next_characters, passages
from minidl.lectures.pictures.sparse_autoencoder import bars, filter_panels, histograms, races, stacking
from minidl.lectures.pictures.training_tricks import descent
from minidl.lectures.pictures.variational_autoencoder import ascent, bounds, estimates, plane
from minidl.linear import PCA, KMeans

rng = np.random.default_rng(0)
GREY, COLOUR = rng.random((10, 8, 8)), rng.random((10, 6, 9, 3), dtype=np.float32)
MOONS = rng.normal(size=(10, 2))


def right_half(points):
    return 1 / (1 + np.exp(-50 * (points[:, 0] - 0.25)))


def bowl(x, y):
    return x * x + 4 * y * y


def all_pictures():
    yield codes(rng.random((50, 2)), np.arange(50) % 5, title="codes")
    yield codes(rng.random((50, 2)))
    yield before_after({"variety": ("a hack", [1.0, 2.0], [0.5, 3.0]), "distance": ("another", [0.0], [0.0])})
    yield paths({"without": MOONS, "with": MOONS / 2})
    yield geometry({"a line": PCA(1).fit(MOONS), "centres": KMeans(3).fit(MOONS)}, MOONS, title="a title")
    yield cells(MOONS, rng.normal(size=(3, 2, 2)), title="a title")
    yield boundaries({"a line": right_half, "a line\nagain": right_half}, MOONS, [0, 1] * 5, title="a title")
    yield boundaries({"never": lambda points: np.zeros(len(points))}, md.Tensor(MOONS), np.arange(10) % 2)
    yield explained_variance(np.array([0.5, 0.3, 0.1]), marks=[1, 3])
    yield descent(bowl, {"a": md.Tensor([[-1.0, 1.0], [0.5, -0.5]])}, x=(-2, 2), y=(-1, 1), minimum=(0, 0))
    yield filtered(GREY[0], {"a": np.eye(3)}, rng.random((6, 6, 1)), title="a title")
    yield sliding_window(GREY[0], np.eye(3), rng.random((6, 6)), (1, 2), title="a title")
    yield feature_maps(GREY[0], [plotting.Maps("layer", rng.random((6, 6, 8)), "sees 3x3")], np.full(10, 0.1))
    yield layers([plotting.Maps("image", GREY[0], "below"), plotting.Maps("maps", rng.random((4, 4, 8))),
                  plotting.Maps("code", md.Tensor([1.0, -2.0, 0.0]))], limit=3.0, title="a title")
    yield gan.line(np.arange(4.0), np.full(4, 0.25), gan.Moment(10, np.array([0.0, 0.5, 0.5, 0.0]), np.full(4, 0.5),
                                                                np.array([1.0, 0.3, 0.3, 1.0])))
    yield gan.plane(MOONS, md.Tensor(MOONS), rng.random((5, 5)), limit=2.0, title="a title")
    yield overlaps({"a": np.array([[1, 2], [2, 4]]), "b": np.ones((3, 3))}, title="a title")
    yield next_characters("ab a\n", rng.dirichlet(np.ones(4), size=5), "\n ab", top=3, title="a title")
    yield passages([("before", "ab a\n\nb"), ("after\ntraining", "word " * 30)], title="a title")
    yield activity("ab a\n\nb", np.linspace(-1, 1, 7), title="a title")
    yield bit_bars({"a": {1: (1, 2, 9), 8: (2, 3, 4)}, "b": {2: (1, 1, 9)}}, parts=["model", "code", "rest"],
                   x="k", level=10, level_name="without", title="a title")
    yield embeddings({"space": rng.random((9, 3)), "plane": md.Tensor(rng.random((9, 2)))}, np.arange(9),
                     ways={"a way": rng.random((4, 3))}, images={2: GREY[0]}, place="place", title="a title")
    yield walk({"a": GREY[0], "b": COLOUR[0]}, rng.random((9, 2)), np.arange(0, 360, 40), (0.5, 0.5))
    yield retrieved(GREY[:2], [Found("by code", GREY[:6].reshape(2, 3, 8, 8), np.eye(2, 3) > 0)] * 2,
                    title="a title")
    yield rings(COLOUR[0], {"0 bits": (COLOUR[:4], np.arange(4) < 2), "1 bit": (COLOUR[:0], [])}, columns=5)
    yield activities({"a": rng.random(50), "b": md.Tensor(rng.random((5, 5)))}, title="a title")
    yield histograms({"a": rng.random((50, 4)), "b": md.Tensor(rng.beta(0.1, 5, 99))}, x="activation")
    yield filter_panels({"a": GREY - 0.5, "b": np.zeros((3, 4, 4))}, columns=4, title="a title")
    yield races({"passes": {"a": ([1, 10], [9.0, 0.5])}, "seconds": {"a": ([0.1, 2], [9.0, 0.5])}}, y="cost",
                top=1.0, title="a title")
    yield bars({"a": 7.5, "b\nc": 1.25}, x="errors", unit=" %", title="a title", emphasis=["a"])
    yield boltzmann_machines.chain_step(np.eye(2)[::-1], [0, 1], 1, 0.5, np.full(4, 0.25), np.eye(4)[1], title="a")
    yield boltzmann_machines.statistics({"data": np.eye(4)}, md.Tensor(np.ones((4, 4))), hidden=1, title="a title")
    yield boltzmann_machines.cooling(np.sign(GREY[0] - 0.5), [(3.0, 0.1), (2.0, 0.9)], 2.269, span=(1, 4))
    yield boltzmann_machines.temperatures(np.array([1.5, 2.0, 3.0]), *rng.random((3, 3, 2)), 2.269)
    yield boltzmann_machines.capacity({"a": ([1, 20], [0.0, 30.0])}, 13.8)
    yield restricted_boltzmann_machines.strip([("v", GREY[0]), ("h", md.Tensor(np.eye(4)))], title="a title")
    yield restricted_boltzmann_machines.free_energies({"a": rng.normal(size=50), "b\nc": md.Tensor(rng.normal(size=9))})
    yield restricted_boltzmann_machines.bars({"a": 7.5, "b\nc": 1.25}, x="errors", title="a title")
    yield contrastive_divergence.phases(GREY[0], np.eye(12)[0], GREY[1], rng.random(12), GREY[:3], md.Tensor(GREY[3:6]))
    yield contrastive_divergence.scores({"a": [-18.7, -18.6], "b": [-18.5]}, x="nats", title="a title")
    yield contrastive_divergence.curves({"a": ([1, 2], [-3.0, -2.0])}, x="epochs", y="nats", title="a title")
    yield contrastive_divergence.misleading(GREY[:3], np.arange(3), -np.arange(3.0), [1.0, 0.1, 0.0])
    yield contrastive_divergence.error_bars([1.0, 3.0], [0.5, 0.5], 1.2)
    yield contrastive_divergence.sandwich([10, 100], {"forward": [1.0, 1.9], "reverse": [3.0, 2.1]}, 2.0)
    yield contrastive_divergence.filters({"a": GREY - 0.5, "b": md.Tensor(GREY[:4])})
    yield deep_belief_nets.graph([None, np.ones(2)], [md.Tensor(np.eye(4, 2))], names=["v", "h"], title="a title")
    yield deep_belief_nets.graph([np.eye(4)[0], np.ones(2)], [np.eye(4, 2)], names=["v", "h"])
    yield deep_belief_nets.two_causes({"a": np.full(4, 0.25), "b": md.Tensor(np.eye(4)[1])}, names=list("abcd"))
    yield deep_belief_nets.moving_mass(np.eye(4), np.full(4, 0.25), title="a title")
    yield deep_belief_nets.gains({"a": ([1.0, 2.0], [0.1, 0.2])}, names=["2", "3"], x="x", y="y", title="a title")
    yield deep_belief_nets.rising({"a": ([0, 1], [0.0, 0.2])}, levels={"b": 0.3}, x="x", y="y", title="a title")
    yield ascent({"p": (0.0, 1.0), "q": (1.0, 0.5)}, [-9.0, -3.0], -2.0, steps=5, title="a title")
    yield plane(rng.normal(size=(9, 2)), np.arange(9) % 3, rng.random((4, 5, 6)), title="a title")
    yield estimates({"a": rng.normal(size=(3, 20)), "b": md.Tensor(rng.normal(size=(3, 20)))}, 0.1, title="a title")
    yield bounds([1, 5], {"a": [rng.normal(size=9), rng.normal(size=9)]}, title="a title")
    yield stacking([("x", 6), ("a", 4), ("x'", 6)], trained=[1], title="a title", note="a note")


def test_every_picture_can_be_made_and_the_callers_settings_stay_as_they_were():
    import matplotlib
    before = dict(matplotlib.rcParams)
    assert all(figure.axes or figure.texts for figure in all_pictures())
    assert dict(matplotlib.rcParams) == before


@pytest.mark.slow                            # the lectures' short runs draw nearly all of them
def test_every_picture_becomes_a_png():
    from matplotlib import image
    for figure in all_pictures():
        pixels = image.imread(io.BytesIO(plotting.png(figure)))
        assert pixels.shape[1] > 1000 / 3 and pixels.std() > 0.01


def test_a_path_ends_at_the_height_that_is_written_above_it():
    paths = {"a": [[9.0, 9.0], [0.5, 0.25]], "b": [[1.0, 1.0]]}
    figure = descent(bowl, paths, x=(-2, 2), y=(-1, 1), minimum=(0, 0))
    assert [axis.get_title() for axis in figure.axes] == ["a: 0.500", "b: 5.000"]


def test_a_boundary_is_where_a_classifier_is_in_two_minds():
    axis, = boundaries({"a line": right_half}, MOONS, [0, 1] * 5).axes
    line, = axis.collections[1].get_paths()
    np.testing.assert_allclose(line.vertices[:, 0], 0.25, atol=1e-3)
    np.testing.assert_allclose(np.ptp(line.vertices[:, 1]), np.ptp(MOONS[:, 1]) + 0.6, rtol=1e-5)
    np.testing.assert_array_equal(axis.collections[2].get_offsets(), MOONS)


def test_a_sliding_window_shows_the_result_up_to_its_place():
    result = np.arange(1.0, 10.0).reshape(3, 3)
    figure = sliding_window(np.zeros((5, 5)), np.eye(3), result, (1, 1))
    shown = figure.axes[2].images[0].get_array()
    np.testing.assert_array_equal(shown.filled(0), [[1, 2, 3], [4, 5, 0], [0, 0, 0]])
    written = {text.get_text() for text in figure.axes[2].texts}
    assert written == {"1", "2", "3", "4", "5"}


def test_feature_maps_stand_side_by_side_each_whole():
    maps = np.zeros((2, 2, 5))
    maps[..., 1] = [[1, 2], [3, 4]]
    sheet = feature_maps(GREY[0], [plotting.Maps("", maps)], np.ones(3)).axes[1].images[0].get_array()
    assert sheet.shape == (4 * 112 + 3 * 11, 2 * 112 + 11)         # four under each other, so five in two columns
    np.testing.assert_array_equal(sheet[:112:56, 123::56], [[1, 2], [3, 4]])


def test_geometry_leads_each_point_to_its_reconstruction_and_paints_the_cells():
    line, centres = PCA(1).fit(MOONS), KMeans(3).fit(MOONS)
    first, second = geometry({"a": line, "b": centres}, MOONS).axes
    for axis, model in ((first, line), (second, centres)):
        ends = np.stack(axis.collections[0].get_segments())
        np.testing.assert_allclose(ends, np.stack([MOONS, model.reconstruct(MOONS)], axis=1))
    left, right, bottom, top = second.images[0].get_extent()
    cells = second.images[0].get_array()
    for (x, y), label in zip(MOONS, centres.labels_, strict=True):
        row, column = (y - bottom) / (top - bottom), (x - left) / (right - left)
        assert cells[int(row * len(cells)), int(column * len(cells))] == label


def test_the_likeliest_characters_stand_at_the_top_and_the_one_that_comes_is_framed():
    axis, = next_characters("ab", [[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]], "abc", top=2).axes
    np.testing.assert_allclose(axis.images[0].get_array(), [[0.7, 0.5], [0.2, 0.3]], rtol=1e-6)
    written = {text.get_position(): text.get_text() for text in axis.texts if text.get_position()[1] < 2}
    assert written == {(0, 0): "b", (1, 0): "a", (0, 1): "c", (1, 1): "c"} and not axis.patches
    axis, = next_characters("ca", [[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]], "abc", top=2).axes
    assert [frame.get_center().tolist() for frame in axis.patches] == [[0, 1], [1, 0]]


def test_bars_of_bits_stand_on_each_other_and_the_least_total_is_bold():
    axis, = bit_bars({"a": {1: (1, 2, 9), 8: (2, 3, 4)}}, parts="abc", x="k", level=10, level_name="").axes
    assert [(bar.get_y(), bar.get_height()) for bar in axis.patches] == [(0, 1), (0, 2), (1, 2), (2, 3), (3, 9), (5, 4)]
    assert {text.get_text(): text.get_fontweight() for text in axis.texts} == {"12": "normal", "9": "bold"}


def test_an_activity_lies_under_its_character():
    axis, = activity("ab\nc", [0.1, 0.2, 0.3, 0.4]).axes
    np.testing.assert_allclose(axis.images[0].get_array().filled(9), [[0.1, 0.2, 0.3], [0.4, 9, 9]], rtol=1e-6)
    assert [text.get_text() for text in axis.texts] == ["ab", "c"]


def test_what_was_found_is_framed_by_whether_it_is_right():
    from matplotlib.colors import to_rgb
    found = Found("", np.zeros((1, 2, 4, 4)), np.array([[True, False]]))
    query, sheet = (axis.images[0].get_array() for axis in retrieved(np.ones((1, 4, 4)), [found]).axes)
    width = sheet.shape[1] // 2
    for half, colour in ((sheet[:, :width], plotting.COLOURS[0]), (sheet[:, width:], plotting.COLOURS[1])):
        middle = half[half.shape[0] // 2]
        np.testing.assert_allclose(middle[8], to_rgb(colour), rtol=1e-6)
        assert (middle[width // 2] == 0).all() and (middle[0] == 1).all()
    assert (query == 1).all()                                                       # it has no frame


def test_a_histogram_says_how_much_lies_between():
    axis, = activities({"a": [0.0, 0.05, 0.5, 1.0]}).axes
    assert axis.texts[0].get_text() == "25% between\n0.1 and 0.9"
    np.testing.assert_allclose([bar.get_height() for bar in axis.patches][::10], [0.25, 0.25])


def test_passages_keep_their_lines_and_break_long_ones_between_words():
    figure = passages([("label", "  ab\n\ncd ef gh")], columns=6)
    assert [text.get_text() for text in figure.texts] == ["", "label", "  ab", "", "cd ef", "gh"]


def test_a_sheet_shows_each_filter_in_its_place_and_over_its_own_range():
    filters = np.zeros((3, 2, 2))
    filters[1, 0, 1], filters[2] = -0.25, [[4.0, 2.0], [0.0, -4.0]]
    axis, = filter_panels({"a": filters}, columns=2).axes
    assert axis.images[0].get_array().tolist() == [
        [0, 0, 1, 0, -1], [0, 0, 1, 0, 0], [1] * 5, [1, 0.5, 1, 1, 1], [0, -1, 1, 1, 1]]
    with pytest.raises(md.InputError, match=r"\(N, H, W\), not \(4, 4\)"):
        filter_panels({"a": np.zeros((4, 4))})


def test_the_layers_in_training_are_red_and_histograms_add_up():
    axis, = stacking([("x", 3), ("a", 2), ("b", 1)], trained=[1]).axes
    from matplotlib.colors import to_hex
    assert [to_hex(lines.get_color()[0]).upper() for lines in axis.collections] == ["#BBBBBB", plotting.COLOURS[1]]
    assert [len(lines.get_segments()) for lines in axis.collections] == [6, 2]
    axis, = histograms({"a": np.linspace(0, 1, 37)}, x="x").axes
    assert sum(bar.get_height() for bar in axis.patches) == pytest.approx(1)


def test_a_bound_says_its_gap_and_a_plane_lies_as_its_grid_does():
    _, right = ascent({"p": (0.0, 1.0), "q": (1.0, 0.5)}, [-9.0, -3.0], -2.0).axes
    assert right.get_title() == "log p(x) = -2.00 = bound -3.00 + gap 1.00"
    grid = np.arange(4.0).reshape(4, 1, 1) * np.ones((4, 2, 3))
    sheet = plane(rng.normal(size=(9, 2)), np.arange(9), grid).axes[1].images[0].get_array()
    assert sheet.shape == (8, 10) and sheet[1::4, 1::5].tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("draw, sentence", [
    (lambda: plane(GREY[0], np.arange(8), GREY[:4]), r"codes \(8, 2\), and a grid has side\^2 grey"),
    (lambda: next_characters("abc", GREY[0], "ab"), r"shape \(3, 2\), not \(8, 8\)"),
    (lambda: activity("abc", [0.1, 0.2]), r"3 characters take as many values, not \(2,\)"),
    (lambda: filtered(GREY[0], {"a": np.eye(3)}, GREY[..., None]), r"\(OH, OW, 1\), not \(8, 8\) and"),
    (lambda: bit_bars({"a": {1: (1, 2)}}, parts=["model"], x="k", level=1, level_name=""), r"not \[2\]"),
    (lambda: embeddings({"a": GREY[0]}, np.arange(8)), r"for each of 8 places.*not \[\(8, 8\)\]"),
    (lambda: walk({}, GREY[0], np.arange(8), (0, 0)), r"\(N, 2\) with a place each, not \(8, 8\)"),
    (lambda: boundaries({"a": right_half}, MOONS, [0, 1]), r"points are \(10, 2\), the labels \(2,\)"),
    (lambda: boundaries({"a": right_half}, MOONS, np.arange(10)), "0 or 1.* from 0 to 9"),
    (lambda: boundaries({"a": lambda points: points}, MOONS, [0, 1] * 5), "'a' gave .*one probability each"),
    (lambda: descent(bowl, {"a": GREY}, x=(0, 1), y=(0, 1), minimum=(0, 0)), r"not \[\(10, 8, 8\)\]"),
    (lambda: retrieved(GREY[:2], [Found("a", GREY[None], [[True] * 10])]), r"2 queries .*\(1, 10\)"),
    (lambda: layers([plotting.Maps("a", COLOUR)]), r"\[\(10, 6, 9, 3\)\]"),
    (lambda: geometry({"a": PCA(2).fit(MOONS)}, MOONS), r"'a' gives float64 \(10, 2\)"),
    (lambda: cells(MOONS, MOONS), r"\(T, k, 2\), not \(10, 2\)"),
    (lambda: cells(GREY, GREY), r"are \(N, 2\), not \(10, 8, 8\)"),
    (lambda: boltzmann_machines.chain_step(np.eye(2), [0, 1], 1, 0.5, np.ones(3), np.ones(3)), r"4 states, not \(2,"),
    (lambda: contrastive_divergence.phases(*GREY[:4], GREY[:3], GREY[:2]), r"not \(3, 8, 8\) and \(2, 8, 8\)"),
    (lambda: codes(GREY[0]), "two columns")])
def test_wrong_shapes_get_a_sentence(draw, sentence):
    with pytest.raises(md.InputError, match=sentence):
        draw()
