"""Pictures: valid PNG files, written whole or not at all, with nothing left behind in matplotlib's settings."""
import subprocess
import sys

import numpy as np
import pytest

import minidl as md
from minidl import plotting

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
    yield plotting.codes(rng.random((50, 2)), np.arange(50) % 5, title="codes")
    yield plotting.codes(rng.random((50, 2)))
    yield plotting.explained_variance(np.array([0.5, 0.3, 0.1]), marks=[1, 3])


def test_every_picture_becomes_a_png(tmp_path):
    from matplotlib import image
    for i, figure in enumerate(all_figures()):
        path = plotting.save(figure, tmp_path / "new" / f"{i}.png")
        pixels = image.imread(path)
        assert pixels.shape[1] > 1000 and pixels.std() > 0.01
    assert {p.suffix for p in (tmp_path / "new").iterdir()} == {".png"}             # no part is left


def test_a_film_holds_every_picture_in_order_and_repeats(tmp_path):
    from PIL import Image
    (tmp_path / "film.gif").write_bytes(plotting.film([plotting.image_grid(np.full((1, 4, 4), shade))
                                                       for shade in (0.0, 0.5, 1.0)], seconds=3))
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 3 and film.info["loop"] == 0 and film.info["duration"] == 1000
    from minidl.plotting.output import _frames
    middles = [int(frame[frame.shape[0] // 2, frame.shape[1] // 2, 0]) for frame in _frames(tmp_path / "film.gif")]
    np.testing.assert_allclose(middles, [0, 127, 255], atol=4)
    with pytest.raises(md.InputError, match="no figures"):
        plotting.film([])


def test_the_callers_settings_stay_as_they_were():
    import matplotlib
    before = dict(matplotlib.rcParams)
    list(all_figures())
    assert dict(matplotlib.rcParams) == before


def test_rows_show_the_images_that_they_were_given():
    images = np.zeros((2, 4, 4))
    images[1] = 1
    strip = plotting.image_rows([plotting.Row("", images)]).axes[0].images[0].get_array()
    assert np.all(strip[:, :112] == 0) and np.all(strip[:, 112:] == 1)


@pytest.mark.parametrize("draw, sentence", [
    (lambda: plotting.image_rows([plotting.Row("a", GREY), plotting.Row("b", GREY[:3])]), r"\[10, 3\]"),
    (lambda: plotting.image_rows([]), "at least one"),
    (lambda: plotting.image_grid(GREY[0]), r"not \(8, 8\)"),
    (lambda: plotting.codes(GREY[0]), "two columns")])
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


@pytest.mark.parametrize("module", ["minidl", "minidl.plotting", "minidl.linear", "minidl.autoencoders", "minidl.cli"])
def test_importing_does_not_import_matplotlib(module):
    code = f"import sys, {module}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
