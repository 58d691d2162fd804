"""Resuming: bit for bit after every way to be stopped."""
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from minidl import nn, training
from minidl.training import loop, read_checkpoint
from tests.processes import running
from tests.standin.device import install
from tests.training.job import STEPS, Job, interrupt_at, result, variants, whole

# Resuming ------------------------------------------------------------------------------------------------------------


@variants
def test_a_run_resumed_from_any_saved_step_equals_the_unbroken_one_bit_for_bit(variant, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    saved = []
    save = training.save

    def save_and_keep(path, parts):
        written = save(path, parts)
        saved.append(path.read_bytes())
        return written

    monkeypatch.setattr(loop, "save", save_and_keep)
    unbroken = Job(**variant)
    history = unbroken(checkpoint=path, checkpoint_every=1)
    monkeypatch.undo()
    end = whole(path)
    assert len(saved) == 5 * STEPS and len(history.loss) == 5           # stopped early, so that state counts too
    for content in saved:
        path.write_bytes(content)
        job = Job(**variant)
        again = job(checkpoint=path)
        assert again.loss == history.loss and again.lr == history.lr and again.validation == history.validation
        assert result(job) == result(unbroken)
        assert whole(path) == end


@pytest.mark.processes
@variants
def test_ctrl_c_at_any_step_saves_and_the_rest_resumes_exactly(variant, tmp_path):
    unbroken = Job(**variant)
    history = unbroken(checkpoint=tmp_path / "unbroken.npz")
    for step in range(1, 5 * STEPS + 1, 1 if variant == {} else 3):     # 4 and 16 are the last of their epochs
        path = tmp_path / f"{step}.npz"
        job = Job(**variant, loss=interrupt_at(step))
        epoch, at = divmod(step - 1, STEPS)
        with pytest.raises(KeyboardInterrupt, match=rf"stopped after epoch {epoch + 1}, step {at + 1} of {STEPS}; "
                                                    r"saved in .*\.npz: run the same command to go on"):
            job(checkpoint=path)
        assert read_checkpoint(path)["run"]["step"] == at + 1               # the step was finished
        resumed = Job(**variant)
        assert resumed(checkpoint=path).loss == history.loss, step
        assert result(resumed) == result(unbroken) and whole(path) == whole(tmp_path / "unbroken.npz")


PROGRAM = """
import sys
import numpy as np
from minidl import nn, optim
from minidl.data import Loader
from minidl.training import fit

def loss(model, x):
    print("step", flush=True)
    sys.stdin.readline()
    return nn.mse_loss(model(x), x)

x = np.random.default_rng(0).uniform(0, 1, (40, 6)).astype(np.float32)
rng = np.random.default_rng(1)
model = nn.Sequential(nn.Linear(6, 50, rng=2), nn.ReLU(), nn.Dropout(0.3, rng=rng), nn.Linear(50, 6, rng=3))
optimizer = optim.Adam(model.named_parameters(), lr=0.01)
fit(model, Loader(x, batch_size=4, rng=rng), optimizer, loss=loss, epochs=6, checkpoint=sys.argv[1],
    checkpoint_every=1, schedule=optim.CosineAnnealingLR(optimizer, 60, warmup=5), patience=3,
    validate=lambda model: nn.mse_loss(model(x), x).item())
np.savez(sys.argv[2], **model.state_dict())
"""


@pytest.fixture
def start():
    """Starts the program: it takes as many steps as it gets lines, and all when its input is closed."""
    with contextlib.ExitStack() as started:
        yield lambda folder: started.enter_context(running(
            [sys.executable, "-c", PROGRAM, str(folder / "run.npz"), str(folder / "end.npz")], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE))


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_run_killed_at_random_moments_ends_like_the_unbroken_one_bit_for_bit(start, tmp_path):
    rng = random.Random(0)
    (tmp_path / "unbroken").mkdir()
    counts = [rng.randrange(3, 12) for _ in range(6)]                       # together fewer than the 60 steps of a run
    for count in counts:
        process = start(tmp_path)
        process.stdin.write("\n" * count)
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(count)] == ["step\n"] * count
        time.sleep(rng.uniform(0, 0.004))             # within this step or while it waits for the next, whichever it is
        process.kill()
        assert process.wait() == -signal.SIGKILL
    saved = read_checkpoint(tmp_path / "run.npz")["run"]
    assert sum(counts) - 6 <= saved["epoch"] * 10 + saved["step"] <= sum(counts) < 60            # it went on each time
    process, unbroken = start(tmp_path), start(tmp_path / "unbroken")
    assert 0 < len(process.communicate()[0].splitlines()) < 60 and process.returncode == 0
    assert len(unbroken.communicate()[0].splitlines()) <= 60 and unbroken.returncode == 0
    assert whole(tmp_path / "run.npz") == whole(tmp_path / "unbroken" / "run.npz")
    with np.load(tmp_path / "end.npz") as a, np.load(tmp_path / "unbroken" / "end.npz") as b:
        assert {k: v.tobytes() for k, v in a.items()} == {k: v.tobytes() for k, v in b.items()}


def test_a_finished_run_can_be_prolonged_and_then_equals_a_longer_one(tmp_path):
    long, short, prolonged = (Job(patience=None) for _ in range(3))
    short(epochs=2, checkpoint=tmp_path / "run.npz")
    history = prolonged(epochs=4, checkpoint=tmp_path / "run.npz")
    assert history.loss == long(epochs=4).loss and result(prolonged) == result(long)
    before = result(prolonged)
    assert prolonged(epochs=4, checkpoint=tmp_path / "run.npz").loss == history.loss      # nothing is left to do
    assert result(prolonged) == before


@pytest.mark.parametrize("variant", [{}, {"tricks": True}, {"tricks": True, "shared": True}])
def test_on_a_device_a_run_resumes_exactly_from_an_epochs_start(variant, tmp_path):
    device = install()
    long, prolonged, first = (Job(patience=None, device=device, **variant) for _ in range(3))
    first(epochs=2, checkpoint=tmp_path / "run.npz")
    assert prolonged(epochs=4, checkpoint=tmp_path / "run.npz").loss == long(epochs=4).loss
    assert result(prolonged) == result(long)


def test_on_a_device_a_run_without_random_layers_resumes_exactly_from_within_an_epoch(tmp_path):
    device = install()
    job = Job(dropout=0, patience=None, device=device, loss=interrupt_at(6))
    with pytest.raises(KeyboardInterrupt):
        job(epochs=3, checkpoint=tmp_path / "run.npz")
    resumed, unbroken = Job(dropout=0, patience=None, device=device), Job(dropout=0, patience=None)
    assert resumed(epochs=3, checkpoint=tmp_path / "run.npz").loss == unbroken(epochs=3).loss
    assert result(resumed) == result(unbroken)                          # which ran on the CPU


# Ctrl-C --------------------------------------------------------------------------------------------------------------


def test_ctrl_c_without_a_checkpoint_says_that_nothing_is_saved():
    with pytest.raises(KeyboardInterrupt, match="stopped after epoch 1, step 3 of 4; nothing saved"):
        Job(loss=interrupt_at(3))()


@pytest.mark.processes
def test_a_second_ctrl_c_interrupts_at_once_and_the_handler_is_put_back(tmp_path):
    def loss(model, x):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("never reached")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        Job(loss=loss)(checkpoint=tmp_path / "run.npz")
    assert signal.getsignal(signal.SIGINT) is before and not list(tmp_path.iterdir())
    Job()(epochs=1)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.processes
def test_training_works_in_a_thread_where_no_signal_can_be_caught():
    found = []
    thread = threading.Thread(target=lambda: found.append(Job()(epochs=2).loss))
    thread.start()
    thread.join()
    assert found == [Job()(epochs=2).loss]


@pytest.mark.processes
def test_ctrl_c_during_the_last_epochs_validation_is_not_lost(tmp_path):
    def validate(model):
        os.kill(os.getpid(), signal.SIGINT)
        return 0.0

    job = Job(patience=None, dropout=0)
    with pytest.raises(KeyboardInterrupt, match="stopped after epoch 1 of 1; saved in"):
        job(epochs=1, validate=validate, checkpoint=tmp_path / "run.npz")
    assert read_checkpoint(tmp_path / "run.npz")["run"]["epoch"] == 1


def test_resuming_is_said_also_where_there_is_no_terminal_with_the_rate_if_it_is_another(tmp_path, capsys):
    path = tmp_path / "run.npz"
    job = Job(schedule="none")
    job(epochs=1, checkpoint=path)
    assert capsys.readouterr().err == ""
    again = Job(schedule="none")
    again.optimizer.lr = 3 * job.optimizer.lr
    again(epochs=1, checkpoint=path, progress=True)
    assert "1 of 1 epochs: nothing is left to train; delete it to start afresh, with its own learning " \
           "rate 0.05, not 0.15" in capsys.readouterr().err


def test_a_run_whose_validation_draws_from_the_training_loader_resumes_exactly(tmp_path):
    """And makes every step: the pass that validation began and left is not the training's."""
    def training_of():
        job = Job(patience=None)
        return job, lambda model: nn.mse_loss(model(x := next(iter(job.loader))), x).item()

    unbroken, validate = training_of()
    history = unbroken(epochs=4, validate=validate)
    first, validate = training_of()
    first(epochs=2, validate=validate, checkpoint=tmp_path / "run.npz")
    resumed, validate = training_of()
    again = resumed(epochs=4, validate=validate, checkpoint=tmp_path / "run.npz")
    assert again.loss == history.loss and again.validation == history.validation and result(resumed) == result(unbroken)
    assert resumed.optimizer.state_dict()["steps/0.weight"] == 4 * STEPS


def test_a_run_that_stopped_early_says_so_and_is_not_trained_again(tmp_path, capsys):
    job, again = Job(), Job()
    history = job(epochs=50, checkpoint=tmp_path / "run.npz")
    assert again(epochs=50, checkpoint=tmp_path / "run.npz", progress=True).loss == history.loss
    assert result(again) == result(job)
    assert ("run.npz holds 5 of 50 epochs: it stopped early, the best of 0 was 2 epochs ago and patience is 2; more "
            "patience or epochs go on") in capsys.readouterr().err


def test_a_run_that_stopped_early_goes_on_with_more_patience_as_if_it_had_had_it_from_the_start(tmp_path):
    unbroken, resumed = Job(patience=4), Job(patience=4)
    history = unbroken(epochs=50)
    Job(patience=2)(epochs=50, checkpoint=tmp_path / "run.npz")
    assert resumed(epochs=50, checkpoint=tmp_path / "run.npz").loss == history.loss and len(history.loss) == 7
    assert result(resumed) == result(unbroken)


def test_a_run_that_stopped_early_goes_on_with_more_epochs_for_as_long_as_its_patience(tmp_path):
    Job()(epochs=50, checkpoint=tmp_path / "run.npz")
    resumed = Job()
    assert len(resumed(epochs=60, checkpoint=tmp_path / "run.npz").loss) == 5 + 2
    best = Job()
    best(epochs=3, patience=None)
    assert result(resumed)[:4] == result(best)[:4]                   # the third epoch's parameters are the best still
