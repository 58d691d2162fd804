"""Lectures from end to end: files, metrics, bounds, replay, and how they end."""
import json
import os
import runpy
import signal
import subprocess
import sys

import pytest

from minidl import cli, data, training
from minidl.errors import InputError
from minidl.lectures import slides
from tests.processes import running
from tests.sets import skip_without

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read(folder):
    return json.loads((folder / "metrics.json").read_text())


def check_files(folder, record):
    assert record["figures"] and not record["missed"]
    for name in record["figures"]:
        content = (folder / name).read_bytes()
        if name.endswith(".png"):
            assert content.startswith(SIGNATURE) and content.endswith(b"IEND\xaeB`\x82")
        else:
            assert content.startswith(b"GIF8")
    assert {path.name for path in folder.iterdir()} == {*record["figures"], "metrics.json"}


def test_lecture_17_fast(a_place_of_its_own, capsys):
    assert cli.main(["lecture", "17", "--fast", "--seed", "3"]) == 0
    folder = a_place_of_its_own / "out" / "lecture-017-fast"
    record = read(folder)
    check_files(folder, record)
    assert [record[key] for key in ("lecture", "data", "seed", "fast")] == ["deep-autoencoder", "digits", 3, True]
    assert record["slides"] == [8, 9, 17] and "Alpaydin" in record["credit"]
    metrics = record["metrics"]
    assert metrics["pca_error"] == pytest.approx(1.236, abs=0.002)
    assert metrics["mean_image_error"] == pytest.approx(4.654, abs=0.002)
    assert metrics["ratio"] == pytest.approx(metrics["deep_error"] / metrics["pca_error"])
    out = capsys.readouterr().out
    assert f"{metrics['deep_error']:.3f}" in out and "PCA-10" in out and "slide 17: 01-slide-17-comparison.png" in out


@pytest.mark.slow
def test_a_seed_repeats_a_lecture(a_place_of_its_own):
    def errors(seed, out):
        assert cli.main(["lecture", "17", "--fast", "--seed", str(seed), "--out", out]) == 0
        return read(a_place_of_its_own / out)["metrics"]["deep_error"]

    assert errors(1, "a") == errors(1, "b")


def script(folder, *arguments):
    """Lecture 17 as a script of its own."""
    path = slides.find(17)[0].path
    return subprocess.run([sys.executable, str(path), *arguments], capture_output=True, text=True, cwd=folder,
                          env={**os.environ, "PYTHONPATH": str(path.parent.parent)})


@pytest.mark.slow
def test_a_lecture_runs_as_a_plain_script(a_place_of_its_own):
    done = script(a_place_of_its_own, "--fast", "--out", "s")
    assert done.returncode == 0, done.stderr
    check_files(a_place_of_its_own / "s", read(a_place_of_its_own / "s"))


def test_a_script_takes_options_and_refuses_wrong_ones_in_a_line(a_place_of_its_own):
    wrong = script(a_place_of_its_own, "--data", "mnits")
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1 and "mnist" in wrong.stderr


def test_the_cells_run_in_a_notebook(tiny, a_place_of_its_own):
    """There __main__ is the notebook's, no option is set, and the cells are executed one by one."""
    tiny(1)
    runpy.run_path(str(slides.find(49)[0].path), run_name="a_notebook")
    check_files(a_place_of_its_own / "out" / "lecture-049", read(a_place_of_its_own / "out" / "lecture-049"))


WAITING = """\
import sys
from minidl import cli, data
begin = data.Loader.forever
def wait(loader):
    print("it trains", flush=True)
    sys.stdin.read()
    return begin(loader)
data.Loader.forever = wait
sys.exit(cli.main(["lecture", "17"]))
"""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_leaves_cleanly(a_place_of_its_own):
    with running([sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 text=True, cwd=a_place_of_its_own) as process:
        assert "it trains\n" in iter(process.stdout.readline, "")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130 and "Traceback" not in err and "stopped" in err
    assert not (a_place_of_its_own / "out").exists()


# A lecture of our own, which takes no time ----------------------------------------------------------------------------

def test_a_missed_bound_is_a_sentence_and_exit_code_1_and_the_files_are_there(tiny, a_place_of_its_own, capsys):
    tiny(2.5)
    assert cli.main(["lecture", "49"]) == 1
    assert capsys.readouterr().err == \
        "minidl: intermission on digits, seed 0: value is 2.5, it should be at most 1.5\n"
    record = read(a_place_of_its_own / "out" / "lecture-049")
    assert record["missed"] and (a_place_of_its_own / "out" / "lecture-049" / "01-slide-49-curve.png").exists()


@pytest.mark.parametrize("value", ["float('nan')", "1e9"])
def test_nan_misses_every_bound(tiny, value, capsys):
    tiny(value)
    assert cli.main(["lecture", "49"]) == 1


def test_tables_are_aligned(tiny, capsys):
    tiny(1)
    assert cli.main(["lecture", "49"]) == 0
    assert "\nname   value\n------------\none    1.000\nthree      3\n" in capsys.readouterr().out


def test_words_are_wrapped_on_the_terminal_and_stand_in_the_record_with_their_slides_and_picture(
        tiny, a_place_of_its_own, capsys):
    tiny(1)
    assert cli.main(["lecture", "49"]) == 0
    out = capsys.readouterr().out
    assert "\nOne, two, three, four, five, six, seven, eight, nine, ten and eleven are 1 and\nmore.\n" in out
    assert read(a_place_of_its_own / "out" / "lecture-049")["said"] == [{
        "slides": [49], "figure": "01-slide-49-curve.png",
        "words": "One, two, three, four, five, six, seven, eight, nine, ten and eleven are 1 and more."}]
    assert str(a_place_of_its_own / "tiny.py") in out                            # where the rest of the words stands


def test_data_that_are_not_here_are_missed_before_anything_is_written(tiny, a_place_of_its_own, monkeypatch, capsys):
    tiny(1)
    monkeypatch.setattr(data, "where", lambda name: None)
    monkeypatch.setattr(data, "load", lambda name: (_ for _ in ()).throw(InputError(f"{name} is not here")))
    assert cli.main(["lecture", "49", "--data", "mnist"]) == 2
    printed = capsys.readouterr()
    assert "mnist is not here" in printed.err and not printed.out and not (a_place_of_its_own / "out").exists()


def test_another_data_set_has_a_folder_of_its_own(tiny, a_place_of_its_own, monkeypatch):
    tiny(1)
    monkeypatch.setattr(data, "where", lambda name: a_place_of_its_own)
    assert cli.main(["lecture", "49", "--data", "mnist"]) == 0
    assert (a_place_of_its_own / "out" / "lecture-049-mnist" / "metrics.json").exists()


# A training that is stopped and goes on -------------------------------------------------------------------------------

STOPPED = """\
# %%
import os
from minidl import nn
from minidl.lectures import lecture
talk = lecture(49)
digits = talk.load()
model = nn.Linear(64, 10, rng=talk.rng)
steps = 0
def loss(model, x, y):
    global steps
    steps += 1
    if steps == int(os.environ.get("STOP_AT", 0)):
        os.kill(os.getpid(), 2)
    return nn.cross_entropy(model(x), y)
talk.train(model, digits.x_train, digits.y_train, epochs=3, loss=loss, name="a net")
talk.metric("steps", steps)
talk.metric("weight", model.weight.data[20, 3])
talk.metric("drawn_later", talk.rng.random())
talk.finish()
"""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_a_stopped_lecture_goes_on_to_the_same_end_and_leaves_nothing_behind(tiny, a_place_of_its_own, monkeypatch):
    tiny(1)
    (a_place_of_its_own / "tiny.py").write_text(STOPPED)
    assert cli.main(["lecture", "49", "--out", "unbroken"]) == 0
    monkeypatch.setenv("STOP_AT", "30")
    assert cli.main(["lecture", "49", "--out", "resumed"]) == 130 and not (a_place_of_its_own / "resumed").exists()
    assert cli.main(["lecture", "49", "--seed", "1", "--out", "other"]) == 130       # a run of its own, not this one's
    monkeypatch.setenv("STOP_AT", "0")
    assert cli.main(["lecture", "49", "--out", "resumed"]) == 0
    unbroken, resumed = (read(a_place_of_its_own / name)["metrics"] for name in ("unbroken", "resumed"))
    assert unbroken.pop("steps") == 69 and resumed.pop("steps") == 69 - 30 and unbroken == resumed
    left = [path.name for path in (a_place_of_its_own / "cache" / "unfinished").iterdir()]
    assert len(left) == 1 and left[0].startswith("intermission-digits-1-")


# What a lecture calls -------------------------------------------------------------------------------------------------

CALLS = """\
# %%
import numpy as np
from minidl import nn
from minidl.lectures import lecture
talk = lecture(49)
x = np.ones((6, 2), np.float32)
model = nn.Linear(2, 1, rng=0)
history = talk.train(model, x, 2 * x[:, :1], epochs=talk.epochs(5, fast=2), batch_size=4, lr=0.1,
                     loss=lambda model, x, y: nn.mse_loss(model(x), y))
talk.metric("epochs", len(history.loss), at_least=5)
for asked in ({"about": "a line, 2 of 2", "name": "line"}, {"name": "another"}):
    talk.train(model, x, 2 * x[:, :1], epochs=1, loss=lambda model, x, y: nn.mse_loss(model(x), y), **asked)
talk.metric("last_rate", history.lr[-1], at_most=1e-9)
talk.metric("size", talk.short(7, 3), at_most=3, always=True)
seen = talk.look(nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU()), x)
talk.metrics(layers=len(seen), units=seen[1].shape[1], least=seen[1].min())
logits = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]
talk.metrics(right=talk.right(nn.Sequential(), logits, np.array([0, 1, 2, 2])))
talk.metrics(timed=len(talk.seconds(lambda: None, lambda: None, repeat=3)), margin=talk.load(margin=2).x_test.shape[1])
with talk.doing("a search"):
    talk.metrics(walked=sum(talk.each([1, 2], "a walk")))
print(talk.of("plain,\\nwide", ["tied", "plain,\\nwide"]))
talk.rows("rows", "a title", {"a": np.ones((2, 4, 4)), "b": (np.zeros((2, 4, 4)), "a note")})
talk.finish()
"""


def test_what_takes_a_while_is_named(tiny, a_place_of_its_own, monkeypatch, capsys):
    tiny(1)
    (a_place_of_its_own / "tiny.py").write_text(CALLS)
    bars = []
    monkeypatch.setattr(training, "fit", lambda *rest, fit=training.fit, description, **options: (
        bars.append(description), fit(*rest, description=description, **options))[1])
    assert cli.main(["lecture", "49", "--fast"]) == 0
    assert bars == ["Linear", "a line, 2 of 2", "another"]
    out = capsys.readouterr().out
    assert "a search ... 0 s\n" in out and "plain, wide, 2 of 2\n" in out


def test_a_shortened_run_is_short_and_held_only_to_bounds_that_always_hold(tiny, a_place_of_its_own, capsys):
    tiny(1)
    (a_place_of_its_own / "tiny.py").write_text(CALLS)
    assert cli.main(["lecture", "49", "--fast", "--out", "fast"]) == 0
    fast = read(a_place_of_its_own / "fast")
    assert fast["metrics"] == {"epochs": 2, "last_rate": pytest.approx(0.0, abs=1e-9), "size": 3, "layers": 2,
                               "units": 3, "least": 0, "right": 3, "timed": 2, "margin": 144, "walked": 3}
    assert fast["bounds"]["epochs"] == {"at_most": None, "at_least": None} and fast["bounds"]["size"]["at_most"] == 3
    assert fast["figures"] == ["01-slide-49-rows.png"]
    assert cli.main(["lecture", "49", "--out", "full"]) == 1                # 7 is more than 3
    assert read(a_place_of_its_own / "full")["metrics"]["epochs"] == 5
    assert capsys.readouterr().err == "minidl: intermission on digits, seed 0: size is 7, it should be at most 3\n"


# What the lectures promise --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_slides_5_to_7_start_on_real_images_with_pcas_known_errors(name, a_place_of_its_own):
    skip_without(name)
    assert cli.main(["lecture", "7", "--data", name, "--fast"]) == 0


@pytest.mark.slow
def test_lecture_17_starts_on_mnist(a_place_of_its_own):
    skip_without("mnist")
    assert cli.main(["lecture", "17", "--data", "mnist", "--fast"]) == 0
    metrics = read(a_place_of_its_own / "out" / "lecture-017-mnist-fast")["metrics"]
    assert metrics["pca_error"] == pytest.approx(13.866, abs=2e-3)
