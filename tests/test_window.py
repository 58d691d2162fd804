"""The window, on a screen of its own: that of Xvfb, whose dots can be read from a file."""
import importlib.util
import os
import queue
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

from minidl import plotting
from minidl.plotting import viewer
from minidl.plotting.output import read_film
from tests.processes import running, wait_until

FIGURES = [plotting.curves({"a": ([1, 2], [1.0, y])}, x="x", y="y") for y in (2.0, 3.0)]
PICTURES = [plotting.png(figure) for figure in FIGURES]
SHOWN = [read_film(picture)[0][0] for picture in PICTURES]


@pytest.fixture
def screen(tmp_path, monkeypatch):
    """A function that gives the dots of a screen (H, W, 3), and its process; nobody manages its windows."""
    if shutil.which("Xvfb") is None or importlib.util.find_spec("tkinter") is None:
        pytest.skip("a window is shown in Xvfb, through tkinter (on Debian: apt install xvfb python3-tk)")
    monkeypatch.delenv("MPLBACKEND")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1920x1200x24", "-nolisten", "tcp", "-fbdir", str(tmp_path)]
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        monkeypatch.setenv("DISPLAY", f":{process.stdout.readline().strip()}")

        def dots():
            content = (tmp_path / "Xvfb_screen0").read_bytes()             # in xwd's format: a header, colours, dots
            header = np.frombuffer(content, ">u4", 25)
            start, width, height = int(header[0] + 12 * header[19]), int(header[4]), int(header[5])
            raw = np.frombuffer(content, np.uint8, width * height * 4, start).reshape(height, width, 4)
            return raw[..., 2::-1] if header[7] == 0 else raw[..., 1:]     # the least byte first, or the greatest

        yield types.SimpleNamespace(dots=dots, process=process)


def is_on(screen, picture):
    """Whether the screen shows the picture, dot for dot, in its upper left corner, and nothing beside it."""
    height, width = picture.shape[:2]
    dots = screen.dots()
    return np.array_equal(dots[:height, :width], picture) and not dots[height:].any() and not dots[:, width:].any()


@pytest.mark.processes
def test_a_window_is_as_large_as_the_picture_and_shows_the_newest(screen):
    window = plotting.Window()
    try:
        assert window.why_not() == ""
        for content, shown in zip(PICTURES, SHOWN, strict=True):
            window.picture(content, "a picture")
            assert wait_until(lambda shown=shown: is_on(screen, shown))
    finally:
        window.close()
    assert not window.is_open and wait_until(lambda: not screen.dots().any())


@pytest.mark.processes
def test_a_window_draws_a_training(screen):
    seen = plotting.View("a net", {"loss": ([0.5, 1.0], [2.0, 1.0])}, 3, {"now": np.full((40, 400, 3), 0.3)})
    window = plotting.Window()
    try:
        for _ in range(2):
            window.live(seen)
            assert wait_until(lambda: (screen.dots() == round(0.3 * 255)).all(-1).sum() > 10_000)
        window.picture(PICTURES[0], "a picture")                           # of another size
        assert wait_until(lambda: is_on(screen, SHOWN[0]))
    finally:
        window.close()


@pytest.mark.processes
def test_a_display_that_vanishes_ends_the_window_alone(screen):
    window = plotting.Window()
    window.picture(PICTURES[0], "a picture")
    assert wait_until(lambda: is_on(screen, SHOWN[0]))
    screen.process.kill()
    assert wait_until(lambda: not window.is_open)
    window.picture(PICTURES[1], "another")                    # goes nowhere
    window.wait()


@pytest.mark.processes
def test_without_a_display_or_with_a_backend_that_opens_none_there_is_a_sentence(monkeypatch):
    def why_not():
        window = plotting.Window()
        try:
            return window.why_not()
        finally:
            window.close()

    assert why_not() == "no window can be opened: MPLBACKEND is 'Agg', which opens none; unset it"
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for backend in ("", "module://matplotlib_inline.backend_inline", "tkagg"):
        monkeypatch.setenv("MPLBACKEND", backend)
        assert (sys.platform != "linux" and not backend) or why_not().startswith("no window can be opened: ")


# The pages, without a window ------------------------------------------------------------------------------------------


@pytest.fixture
def pages():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    canvas = FigureCanvasAgg(figure)
    canvas.manager = types.SimpleNamespace(window=None, titles=[], sizes=[])
    canvas.manager.set_window_title = canvas.manager.titles.append
    canvas.manager.resize = lambda *size: canvas.manager.sizes.append(size)
    return viewer.Viewer(figure, queue.SimpleQueue())


def press(pages, *keys):
    for key in keys:
        pages.press(types.SimpleNamespace(key=key))


def test_keys_page_and_who_has_paged_back_is_left_there(pages):
    for i in range(4):
        pages.inbox.put(("picture", PICTURES[i % 2], f"picture {i}"))
    pages.tick()
    assert pages.at == 3 and pages.manager.titles[-1] == "picture 3  (4 of 4: arrow keys)"
    press(pages, "left", "left")
    pages.inbox.put(("picture", PICTURES[0], "picture 4"))
    pages.tick()
    assert pages.at == 1 and pages.manager.titles[-1] == "picture 1  (2 of 5: arrow keys)"
    press(pages, "end", "right")
    assert pages.at == 4
    press(pages, "home", "left")
    assert pages.at == 0 and pages.manager.sizes == [tuple(SHOWN[0].shape[1::-1])]


def test_a_training_has_one_page_which_a_picture_replaces_and_which_waits_for_a_new_picture(pages, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(viewer.time, "monotonic", lambda: now[0])
    seen = plotting.View("a net", {"loss": ([0.5, 1.0], [2.0, 1.0])}, 3, {})
    for _ in range(3):
        pages.inbox.put(("live", seen, "a net"))
        pages.tick()
    assert [page.live for page in pages.pages] == [True]
    pages.inbox.put(("picture", PICTURES[0], "picture"))
    pages.inbox.put(("live", seen, "another net"))
    pages.tick()
    assert [page.live for page in pages.pages] == [False, True] and pages.at == 0
    now[0] += 10
    pages.inbox.put(("live", seen, "another net"))
    pages.tick()
    assert pages.at == 1


def test_words_stand_under_the_last_picture(pages):
    pages.inbox.put(("say", "to nobody", ""))
    pages.inbox.put(("picture", PICTURES[0], "picture"))
    pages.inbox.put(("say", "PCA needs 64 numbers.", ""))
    pages.tick()
    assert [text.get_text() for text in pages.figure.texts] == ["PCA needs 64 numbers."]
    assert pages.manager.sizes[-1][1] > SHOWN[0].shape[0]


def test_a_film_plays_and_is_held(pages, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(viewer.time, "monotonic", lambda: now[0])
    pages.inbox.put(("picture", plotting.film(FIGURES, seconds=2), "film"))
    pages.tick()
    assert pages.frame == 0
    now[0] += 1.1
    pages.tick()
    assert pages.frame == 1
    press(pages, " ")
    now[0] += 10
    pages.tick()
    assert pages.frame == 1


def test_what_cannot_be_drawn_is_left_out(pages):
    pages.inbox.put(("picture", b"no picture", "broken"))
    pages.inbox.put(("picture", PICTURES[0], "whole"))
    pages.tick()
    pages.tick()
    assert [page.title for page in pages.pages] == ["whole"]


@pytest.mark.processes
def test_a_viewer_ends_with_its_input():
    done = subprocess.run([sys.executable, "-m", "minidl.plotting.viewer"], stdin=subprocess.DEVNULL, env=os.environ,
                          capture_output=True)
    assert done.returncode == 0
