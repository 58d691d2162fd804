"""Where pictures appear: a window, a notebook, or lines; and that no training depends on it."""
import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest

from minidl import Device, InputError, cli, nn, plotting
from minidl.lectures import slides, surface, watching
from minidl.training import History, Progress

PICTURE = plotting.png(plotting.curves({"a": ([1, 2], [1.0, 2.0])}, x="x", y="y"))


@pytest.fixture
def somebody_looks(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for name in ("CI", "MPLBACKEND", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":0")


def test_windows_open_only_where_somebody_looks(somebody_looks, monkeypatch):
    assert surface.has_display()
    monkeypatch.setenv("CI", "1")
    assert not surface.has_display()
    monkeypatch.delenv("CI")
    monkeypatch.delenv("DISPLAY")
    assert not surface.has_display()


class NoWindow:
    is_open = False

    def why_not(self):
        return "no window can be opened: a test"


def test_show_and_no_show_decide(somebody_looks, monkeypatch):
    monkeypatch.setattr(plotting, "Window", NoWindow)
    kinds = [type(surface.opened(show)) for show in (None, True, False)]
    assert kinds == [surface.InWindow, surface.InWindow, surface.Surface]
    asked = []

    def opened(show):
        asked.append(show)
        raise InputError("a test")

    monkeypatch.setattr(surface, "opened", opened)
    assert [cli.main(["lecture", "17", *options]) for options in ([], ["--show"], ["--no-show"])] == [2, 2, 2]
    assert asked == [None, True, False]


def test_without_a_window_its_reason_is_said_once_and_pictures_are_lines(monkeypatch, capsys):
    monkeypatch.setattr(plotting, "Window", NoWindow)
    place = surface.opened(True)
    place.ready()
    assert capsys.readouterr().out == "no window can be opened: a test\n" and not place.draws
    for _ in range(2):
        place.picture(PICTURE, "curve.png", "slide 49")
    assert capsys.readouterr().out == "slide 49: curve.png\n" * 2


def test_after_a_window_has_been_closed_pictures_are_lines_and_nothing_else_happens(monkeypatch, capsys):
    class Closing(NoWindow):
        is_open = True

        def why_not(self):
            return ""

        def picture(self, content, title):
            self.is_open = False                               # by the user, say

        def live(self, view):
            pass

        def wait(self):
            pytest.fail("nobody can close it")

    monkeypatch.setattr(plotting, "Window", Closing)
    place = surface.opened(True)
    for name in ("first.png", "second.png"):
        place.picture(PICTURE, name, "slide 49")
    place.live(a_view())
    place.stay()
    assert capsys.readouterr().out == "slide 49: second.png\n" and not place.draws


def test_a_name_that_matplotlib_does_not_know_is_refused_before_the_training():
    code = "import sys; from minidl import cli; sys.exit(cli.main(['lecture', '17', '--no-show']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "MPLBACKEND": "nonsense"})
    assert done.returncode == 2 and not done.stdout
    assert done.stderr == "minidl: MPLBACKEND is 'nonsense', which this matplotlib does not know; unset it\n"


def test_without_a_display_a_picture_is_a_line(capsys):
    surface.opened(False).picture(PICTURE, "curve.png", "slide 49")
    assert capsys.readouterr().out == "slide 49: curve.png\n"


# A notebook -----------------------------------------------------------------------------------------------------------


class Handle:
    def __init__(self, image):
        self.images = [image]

    def update(self, image):
        self.images.append(image)


@pytest.fixture
def notebook(monkeypatch):
    """What IPython is to a notebook's cells, as far as pictures go; returns what has been displayed."""
    shown = []
    display = types.ModuleType("IPython.display")
    display.Image = lambda data, format: (format, data)
    display.display = lambda image, display_id=None: shown.append(Handle(image)) or shown[-1]
    ipython = types.ModuleType("IPython")
    ipython.get_ipython, ipython.display = lambda: types.SimpleNamespace(kernel=object()), display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def a_view(title="a net"):
    return plotting.View(title, {"loss": ([0.5, 1.0], [2.0, 1.0])}, 3, {})


def test_a_notebook_shows_pictures_inline_and_a_training_as_one_that_changes(notebook):
    place = surface.opened(None)
    place.picture(PICTURE, "curve.png", "slide 49")
    for title in ("a net", "a net", "another"):
        place.live(a_view(title))
    assert notebook[0].images == [("png", PICTURE)]
    assert [len(handle.images) for handle in notebook] == [1, 2, 1]
    assert type(surface.opened(False)) is surface.Surface


# A training that is watched -------------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("cost", [0.0, 0.02, 0.3])
def test_drawings_come_at_most_twice_a_second_and_take_a_twentieth_of_the_time(cost):
    clock, drawn = Clock(), []
    pace = watching.Pace(first=cost, clock=clock)

    def draw():
        drawn.append(clock.now)
        clock.now += cost

    for _ in range(6000):
        clock.now += 0.01
        pace(draw)
    assert len(drawn) >= 2 and np.diff(drawn).min() >= 0.5
    pace(draw, last=True)
    assert len(drawn) * cost <= 0.05 * (clock.now - len(drawn) * cost) + 1e-9
    if cost == 0:
        assert len(drawn) == pytest.approx(120, abs=3)


def test_a_training_shorter_than_twenty_drawings_is_not_drawn():
    clock = Clock()
    pace = watching.Pace(first=0.2, clock=clock)
    clock.now = 3.9
    for last in (False, True):
        pace(lambda: pytest.fail("drawn"), last)


def test_one_disturbed_drawing_does_not_keep_all_later_trainings_from_being_drawn():
    clock, drawn = Clock(), []
    pace = watching.Pace(first=10.0, clock=clock)
    for training in range(8):
        pace.begin()
        for _ in range(300):
            clock.now += 0.01
            pace(lambda training=training: drawn.append(training))
    assert drawn and drawn[0] > 0


def test_an_autoencoder_of_images_is_looked_at_by_what_it_makes_of_ten():
    class Copies(nn.Module):
        encode = decode = sample = reconstruct = lambda self, x: x

    x = np.random.default_rng(0).random((12, 64), dtype=np.float32)
    look = watching.reconstructions(Copies(), x, (8, 8, 1), Device("cpu"))
    for images in look(Copies()).values():
        np.testing.assert_array_equal(images, x[:10].reshape(10, 8, 8, 1))
    assert watching.reconstructions(Copies(), x[:, :3], (8, 8, 1), Device("cpu")) is None        # no images
    assert watching.reconstructions(nn.Linear(64, 2, rng=0), x, (8, 8, 1), Device("cpu")) is None


class Looked(surface.Surface):
    draws = True

    def __init__(self):
        self.views = []

    def live(self, view):
        self.views.append(view)


def a_watch(look, place=None, rng=None):
    clock = Clock()
    watch = watching.Watch(place or Looked(), "a net", nn.Linear(2, 1, rng=0), look, np.asarray,
                           rng or np.random.default_rng(0), watching.Pace(clock=clock))
    clock.now = 1.0
    return watch


def test_a_look_changes_neither_what_is_drawn_later_nor_the_mode():
    rng, seen = np.random.default_rng(3), []
    watch = a_watch(lambda model: seen.append(model.training) or rng.random((2, 4, 4)), rng=rng)
    watch.model.train()
    watch(Progress(0.5, 3, {"loss": 1.0}, History(validation=[2.0])))
    assert rng.random() == np.random.default_rng(3).random() and seen == [False] and watch.model.training
    view, = watch.surface.views
    assert view.curves["loss"] == ([0.5], [1.0]) and list(view.outputs) == [""]
    assert [list(values) for values in view.curves["validation"]] == [[1], [2.0]]
    assert len(plotting.view(view).axes) == 2


def test_a_look_that_fails_is_one_sentence_and_the_training_goes_on(capsys):
    watch = a_watch(lambda model: 1 / 0)
    for epoch in range(3):
        watch.pace.clock.now += 10
        watch(Progress(epoch, 3, {"loss": 1.0}, History()))
    assert capsys.readouterr().out == "this training cannot be drawn: ZeroDivisionError: division by zero\n"


def test_a_lecture_draws_its_trainings_and_trains_the_same(monkeypatch, tmp_path):
    """Every look is drawn here, as a clock would have it that makes a great step each time."""
    path = tmp_path / "tiny.py"
    path.write_text(WATCHED)
    monkeypatch.setattr(slides, "LECTURES", tuple(
        lecture._replace(file=str(path)) if 49 in lecture.numbers else lecture for lecture in slides.LECTURES))
    monkeypatch.setattr(watching.Pace, "__call__", lambda self, draw, last: draw())
    drawn = Looked()
    for place, out in ((surface.Surface(), "plain"), (drawn, "drawn")):
        monkeypatch.setattr(surface, "opened", lambda show, place=place: place)
        assert cli.main(["lecture", "49", "--out", out]) == 0
    plain, watched = (json.loads((tmp_path / out / "metrics.json").read_text()) for out in ("plain", "drawn"))
    assert plain["metrics"] == watched["metrics"] and len(drawn.views) == 2 * 3
    assert list(drawn.views[0].outputs) == ["codes", "a figure"]


class Enough(BaseException):
    """All trainings that are waited for have been drawn."""


@pytest.mark.parametrize(("lecture", "trainings", "labels"), [
    ("basic-networks", 4, [""]), ("convolutional-networks", 1, [""]), ("sparse-autoencoder", 4, [""]),
    ("deep-autoencoder", 1, ["real data", "given back", "random codes"])])
def test_a_lecture_shows_what_it_looks_at_while_it_trains(lecture, trainings, labels, monkeypatch):
    class Waiting(Looked):
        def live(self, seen):
            super().live(seen)
            if len(self.views) == trainings:
                raise Enough

    place = Waiting()
    monkeypatch.setattr(surface, "opened", lambda show: place)
    monkeypatch.setattr(watching.Pace, "__call__", lambda self, draw, last: last and draw())
    monkeypatch.setattr(plotting, "png", lambda figure: b"")
    monkeypatch.setattr(plotting, "film", lambda figures: b"")
    with pytest.raises(Enough):
        cli.main(["lecture", lecture, "--fast"])
    assert [list(seen.outputs) for seen in place.views] == [labels] * trainings


WATCHED = """\
# %%
import numpy as np
from minidl import nn, plotting
from minidl.lectures import lecture
talk = lecture(49)
talk.load()
model = nn.Linear(64, 64, rng=talk.rng)
history = talk.train(model, talk.rng.random((8, 64)).astype("float32"), epochs=3, batch_size=4,
                     loss=lambda model, x: nn.mse_loss(model(x), x), look=lambda model: {
                         "codes": model(talk.rng.random((3, 64)).astype("float32")).data,
                         "a figure": plotting.curves({"a": ([1, 2], [1.0, 2.0])}, x="x", y="y")})
talk.metrics(first=history.loss[0], last=history.loss[-1], drawn_later=talk.rng.random())
talk.finish()
"""
