"""Pictures: valid PNG files, written whole or not at all, with nothing left behind in matplotlib's settings."""
import itertools
import subprocess
import sys

import numpy as np
import pytest

import minidl as md
from minidl import plotting
from minidl.plotting.images import pictures

rng = np.random.default_rng(0)
GREY, COLOUR = rng.random((10, 8, 8)), rng.random((10, 6, 9, 3), dtype=np.float32)


def all_figures():
    yield plotting.image_rows([plotting.Row("real data", GREY, "error"), plotting.Row("PCA", GREY[..., None], "1.24")],
                              title="a title")
    yield plotting.image_rows([plotting.Row("colour", md.Tensor(COLOUR))])
    yield plotting.image_grid(GREY - 0.5, columns=4, captions=list("abcdefghij"), symmetric=True)
    yield plotting.image_grid(COLOUR, title="a title")
    yield plotting.curves({"a": ([1, 2, 3], [3.0, 2.0, 1.5])}, levels={"b": 2.5}, x="epoch", y="error", log=True)
    yield plotting.curves({"a": (range(20), range(20)), "b": (range(20), range(20))}, x="epoch", y="error")
    yield plotting.curve_panels({"a": {"b": ([0.1, 1, 10], [9.0, 0.1, 1e9])}, "c": {"b": ([1, 10], [1.0, np.inf])}},
                                x="rate", y="loss", log=True, log_x=True, top=10, marks={"a": {"b": 1.0}})
    yield plotting.trials({"a task": [plotting.Trial("none", [3.0, 4.0]), plotting.Trial("a trick", [2.0, 3.5], True)],
                           "another": [plotting.Trial("none", [1.0]), plotting.Trial("a trick", [2.0])]}, x="error")
    points = rng.standard_normal((50, 2))
    yield plotting.planes({"one": plotting.Plane(points, points + 0.1, lambda x: x[:, 0], "a note"),
                           "another": plotting.Plane(points, md.Tensor(points[:0]), lambda x: np.full(len(x), np.nan))})


def test_samples_that_are_no_points_of_the_plane_get_a_sentence():
    with pytest.raises(md.InputError, match=r"planes: panels have data and samples of points \(N, 2\), not"):
        plotting.planes({"a": plotting.Plane(rng.random((3, 3)), rng.random((3, 2)))})


def test_every_picture_becomes_a_png_and_the_callers_settings_stay_as_they_were(tmp_path, monkeypatch):
    import matplotlib
    from matplotlib import image
    before = dict(matplotlib.rcParams)
    monkeypatch.setattr("minidl.plotting.output.DPI", 40)                           # quick, and much smaller than usual
    for i, figure in enumerate(all_figures()):
        path = plotting.save(figure, tmp_path / "new" / f"{i}.png")
        pixels = image.imread(path)
        assert pixels.shape[1] > 1000 / 3 and pixels.std() > 0.01
    assert {p.suffix for p in (tmp_path / "new").iterdir()} == {".png"}             # no part is left
    assert dict(matplotlib.rcParams) == before


def test_more_lines_than_colours_are_all_drawn():
    series = {str(i): ([0, 1], [i, i]) for i in range(9)}
    axis = plotting.curves(series, x="x", y="y", levels={"level": 4.5}).axes[0]
    assert len(axis.lines) == 10
    assert axis.lines[0].get_color() == axis.lines[7].get_color() != axis.lines[8].get_color()


def test_a_film_holds_every_picture_in_order_and_repeats(tmp_path):
    from PIL import Image
    (tmp_path / "film.gif").write_bytes(plotting.film([plotting.image_grid(np.full((1, 4, 4), shade))
                                                       for shade in (0.0, 0.5, 1.0)], seconds=3))
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 3 and film.info["loop"] == 0 and film.info["duration"] == 1000
    from minidl.plotting.output import read_frames
    middles = [int(frame[frame.shape[0] // 2, frame.shape[1] // 2, 0]) for frame in read_frames(tmp_path / "film.gif")]
    np.testing.assert_allclose(middles, [0, 127, 255], atol=4)
    with pytest.raises(md.InputError, match="no figures"):
        plotting.film([])


def test_the_names_of_lines_that_end_together_stand_apart_in_their_order():
    heights = {"low": 1.0, "middle": 1.02, "two\nlines": 1.03, "high": 1.04, "far": 5.0}
    figure = plotting.curves({name: ([1, 2], [0.0, height]) for name, height in heights.items()}, x="x", y="y")
    figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts if text.get_text()}
    assert list(boxes) == list(heights)
    assert all(a.y1 <= b.y0 for a, b in itertools.pairwise(boxes.values()))
    end = figure.axes[0].transData.transform((2, 5.0))[1]
    assert abs((boxes["far"].y0 + boxes["far"].y1) / 2 - end) < 5                   # it is in nobody's way


def test_a_line_that_becomes_infinite_is_said_to_diverge_at_the_top():
    lines = {"a": ([1, 2], [1.0, np.inf]), "b": ([1, 2], [1.0, 0.5])}
    axis, = plotting.curve_panels({"": lines}, x="x", y="y", top=2).axes
    places = {text.get_text(): text.xy[1] for text in axis.texts}
    assert places == {"a: diverges": pytest.approx(1.0), "b": pytest.approx(0.25)} and axis.get_ylim() == (0, 2)


def test_trials_show_every_run_and_their_mean():
    rows = [plotting.Trial("none", [1.0, 3.0]), plotting.Trial("a trick", [2.0, 6.0], False)]
    axis, = plotting.trials({"": rows}, x="error").axes
    shown = [list(line.get_xdata()) for line in axis.lines]
    assert shown == [[2.0, 2.0], [1.0, 3.0], [2.0], [2.0, 6.0], [4.0]]         # the dashed line, then runs and means
    assert axis.lines[3].get_color() == plotting.COLOURS[1]


def test_trials_show_medians_where_these_are_wanted():
    axis, = plotting.trials({"": [plotting.Trial("none", [1.0, 2.0, 6.0])]}, x="error", middle="median").axes
    assert [list(line.get_xdata()) for line in axis.lines] == [[2.0, 2.0], [1.0, 2.0, 6.0], [2.0]]


def test_rows_show_the_images_that_they_were_given():
    images = np.zeros((2, 4, 4))
    images[1] = 1
    strip = plotting.image_rows([plotting.Row("", images)]).axes[0].images[0].get_array()
    assert np.all(strip[:, :112] == 0) and np.all(strip[:, 112:] == 1)


def test_a_grid_shows_the_images_that_it_was_given_one_beside_the_other():
    images = np.arange(6).reshape(6, 1, 1, 1) / 5 * np.ones((1, 2, 3, 1))
    sheet = plotting.image_grid(images, columns=3).axes[0].images[0].get_array()
    cells = [cell for row in np.split(sheet, 2) for cell in np.split(row, 3, axis=1)]
    for image, cell in zip(images, cells, strict=True):
        shown = cell[(cell != 255).any((1, 2))] if image[0, 0, 0] < 1 else cell
        assert set(np.unique(shown)) == {round(255 * image[0, 0, 0]), 255}
    assert len(plotting.image_grid(GREY, captions=list("abcdefghij")).axes[0].texts) == 10


def test_thousands_of_images_are_one_picture_and_too_high_a_grid_is_refused():
    many = np.zeros((3000, 28, 28), np.float32)
    figure = plotting.image_grid(many)
    assert len(figure.axes) == len(figure.axes[0].images) == 1 and 10 < figure.get_figheight() < 20
    with pytest.raises(md.InputError, match="in 54 columns they are as high as wide"):
        plotting.image_grid(many, columns=5)


@pytest.mark.parametrize("scale, dtype", [(255, np.uint8), (255, np.float32), (16, np.float64), (1, np.uint8),
                                          (1, np.float32)])
def test_images_from_0_to_255_to_16_and_to_1_are_all_drawn_from_black_to_white(scale, dtype):
    image = np.linspace(0, 1, 16).round(0 if dtype == np.uint8 and scale == 1 else 9).reshape(1, 4, 4)
    shown = pictures((scale * image).round(0 if scale > 1 else 9).astype(dtype))
    np.testing.assert_allclose(shown[..., 0], image, atol=0.5 / scale if scale > 1 else 1e-6)
    astray = np.linspace(-0.5, 2.5, 16).reshape(1, 4, 4)
    np.testing.assert_array_equal(pictures(astray)[..., 0], astray)               # as a network gives them


@pytest.mark.parametrize("name, begins", [("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8\xff"), ("a.pdf", b"%PDF"),
                                          ("a.SVG", b"<?xml")])
def test_a_picture_is_what_its_name_says(name, begins, tmp_path):
    assert plotting.save(plotting.image_grid(GREY), tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize("draw, sentence", [
    (lambda: plotting.save(plotting.image_grid(GREY), "a.xyz"), r"ends in \.png, \.jpg, .* which 'a\.xyz' does not"),
    (lambda: plotting.image_grid(GREY[:0]), "at least one image"),
    (lambda: plotting.image_grid(GREY, captions=["a"]), "10 images and 1 captions"),
    (lambda: plotting.image_rows([plotting.Row("a", GREY), plotting.Row("b", GREY[:3])]), r"\[10, 3\]"),
    (lambda: plotting.image_rows([]), "at least one"),
    (lambda: plotting.image_grid(GREY[0]), r"not \(8, 8\)"),
    (lambda: plotting.trials({"a": [plotting.Trial("b", [1.0])], "c": []}, x="x"), "the same labels")])
def test_wrong_shapes_get_a_sentence(draw, sentence):
    with pytest.raises(md.InputError, match=sentence):
        draw()


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(md.InputError, match="cannot write"):
        plotting.save(plotting.image_grid(GREY), tmp_path / "file" / "a.png")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_failed_save_leaves_the_old_picture(tmp_path):
    path = plotting.save(plotting.image_grid(GREY), tmp_path / "a.png")
    before = path.read_bytes()

    class Broken:
        def savefig(self, file, **kwargs):
            file.write(b"half")
            raise MemoryError

    with pytest.raises(MemoryError):
        plotting.save(Broken(), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_without_a_window_system_show_says_so(tmp_path):
    path = plotting.save(plotting.image_grid(GREY), tmp_path / "a.png")
    assert "no window" in plotting.show([path])


@pytest.mark.parametrize("module", ["minidl", "minidl.plotting", "minidl.linear", "minidl.autoencoders", "minidl.cli",
                                    "minidl.lectures"])
def test_importing_does_not_import_matplotlib(module):
    code = f"import sys, {module}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
