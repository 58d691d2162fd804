"""The training loop: exact resume after every way to be stopped, checkpoints whole or refused, what it measures."""
import contextlib
import errno
import gc
import io
import itertools
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import nn, optim, training
from minidl.data import Loader, augmentation
from minidl.errors import InputError
from minidl.tensor import Tensor
from minidl.training import History, fit, load_model, loop, read_checkpoint
from minidl.training import History, fit, load_model, read_checkpoint
from tests.processes import running
from tests.standin.device import counting, install

X = np.random.default_rng(0).uniform(0, 1, (22, 5)).astype(np.float32)
BATCH, STEPS = 6, 4                       # 22 items: the last of four batches is smaller


class Job:
    """A model with dropout, a shuffling loader, Adam and a schedule: `Job(...)(checkpoint=path)` trains them.

    With `tricks` the loader adds noise to its batches, the gradients get noise as well, and the weights are averaged.
    `validate` falls to 0 at step 12 and rises again: patience 2 stops after 5 epochs and goes back to the third.
    """

    def __init__(self, *, shared=False, bits=np.random.PCG64, schedule="cosine", loss=None, patience=2, dropout=0.3,
                 device="cpu", x=X, tricks=False):
        rng = np.random.Generator(bits(7))
        drops = rng if shared else np.random.Generator(bits(8))
        layers = [nn.Linear(5, 4, rng=1), nn.Tanh(), nn.Dropout(dropout, rng=drops), nn.Linear(4, 5, rng=2)]
        self.model = nn.Sequential(*layers if dropout else [*layers[:2], layers[3]]).to(device)
        augment = (lambda x, rng: augmentation.noise(x, rng, sd=0.1)) if tricks else None
        self.loader = Loader(x, batch_size=BATCH, rng=rng, device=device, augment=augment)
        self.optimizer = optim.Adam(self.model.named_parameters(), lr=0.05)
        self.schedule = {"cosine": lambda: optim.CosineAnnealingLR(self.optimizer, 20, warmup=3), "none": lambda: None,
                         "plateau": lambda: optim.ReduceLROnPlateau(self.optimizer, factor=0.5, patience=0)}[schedule]()
        self.loss = loss or (lambda model, x: nn.mse_loss(model(x), x))
        self.patience = patience
        self.noise = optim.GradientNoise(rng=rng if shared else 9) if tricks else None
        self.average = optim.EMA(self.model, decay=0.9) if tricks else None

    def use(self, optimizer):
        """Train with another optimiser, by a schedule of it."""
        self.optimizer, self.schedule = optimizer, optim.CosineAnnealingLR(optimizer, 20, warmup=3)

    def validate(self, model):
        return abs(float(self.optimizer.state_dict()["steps/0.weight"]) - 3 * STEPS)

    def __call__(self, epochs=6, **more):
        more = {"validate": self.validate, "patience": self.patience, "gradients": [self.noise] if self.noise else [],
                "average": self.average, "progress": False, **more}
        return fit(self.model, self.loader, self.optimizer, loss=self.loss, epochs=epochs, schedule=self.schedule,
                   **more)


def whole(path):
    """A checkpoint's content, but for the seconds."""
    parts = read_checkpoint(path)
    parts["run"]["history"].pop("seconds", None)
    return bytewise(parts)


def bytewise(state):
    if isinstance(state, dict):
        return {name: bytewise(value) for name, value in state.items()}
    if isinstance(state, list):
        return [bytewise(value) for value in state]
    return (state.dtype, state.shape, state.tobytes()) if isinstance(state, np.ndarray) else state


def result(job):
    """What training leaves behind."""
    return [a.tobytes() for a in [*job.model.state_dict().values(), *job.optimizer.state_dict().values()]]


def interrupt_at(step):
    """A loss that presses Ctrl-C at its n-th call."""
    calls = [0]

    def loss(model, x):
        calls[0] += 1
        if calls[0] == step:
            signal.raise_signal(signal.SIGINT)
        return nn.mse_loss(model(x), x)

    return loss


VARIANTS = {"two generators": {}, "one generator for dropout and order": {"shared": True},
            "plateau": {"schedule": "plateau"}, "no schedule": {"schedule": "none"},
            "Mersenne Twister": {"bits": np.random.MT19937, "shared": True},
            "tricks": {"tricks": True}}
variants = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)


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


def test_training_works_in_a_thread_where_no_signal_can_be_caught():
    found = []
    thread = threading.Thread(target=lambda: found.append(Job()(epochs=2).loss))
    thread.start()
    thread.join()
    assert found == [Job()(epochs=2).loss]


# Checkpoint files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failed_save_leaves_the_last_checkpoint_and_no_half_file(call, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    Job()(epochs=1, checkpoint=path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(InputError, match=r"cannot write .*run\.npz: No space left on device"):
        Job()(epochs=2, checkpoint=path)
    monkeypatch.undo()
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.npz"]
    assert Job()(epochs=2, checkpoint=path).loss == Job()(epochs=2).loss


@pytest.mark.parametrize("other, words", [
    (lambda: nn.Sequential(nn.Linear(5, 4, rng=0)), "model than Sequential: missing nothing, unexpected 3.bias"),
    (lambda: nn.Sequential(nn.Linear(5, 3, rng=0), nn.Tanh(), nn.Dropout(rng=0), nn.Linear(3, 5, rng=0)),
     r"0.weight has shape \(5, 4\) there and \(5, 3\) here"),
    (lambda: nn.Sequential(nn.Linear(5, 4, rng=0), nn.Tanh(), nn.ReLU(), nn.Linear(4, 5, rng=0)),
     "1 random streams, this run has 0"),
])
def test_a_checkpoint_of_another_model_is_refused_with_the_files_name(other, words, tmp_path):
    path = tmp_path / "run.npz"
    Job()(epochs=1, checkpoint=path)
    before, job = path.read_bytes(), Job()
    job.model = other()
    job.optimizer = optim.Adam(job.model.named_parameters())
    job.schedule = optim.CosineAnnealingLR(job.optimizer, 20)
    with pytest.raises(InputError, match=rf"checkpoint .*run\.npz: its .* does not fit: .*{words}.*; choose another file"):
        job(checkpoint=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("change, words", [
    (lambda job: job.use(optim.SGD(job.model.named_parameters())), "its optimizer does not fit: .* not the state of SGD"),
    (lambda job: setattr(job, "schedule", optim.ReduceLROnPlateau(job.optimizer)), "its schedule does not fit"),
    (lambda job: setattr(job, "schedule", None), "holds schedule, which this run does not have"),
    (lambda job: setattr(job, "loader", Loader(X, batch_size=5, rng=np.random.default_rng(0))),
     "22 items in batches of 5, the saved one had 22 in batches of 6"),
    (lambda job: setattr(job, "loader", Loader(X, batch_size=BATCH, rng=np.random.Generator(np.random.MT19937(0)))),
     "state must be for a MT19937"),
])
def test_a_checkpoint_of_another_run_is_refused_with_the_files_name(change, words, tmp_path):
    path = tmp_path / "run.npz"
    Job()(epochs=1, checkpoint=path)
    job = Job()
    change(job)
    with pytest.raises(InputError, match=rf"checkpoint .*run\.npz.*{words}"):
        job(checkpoint=path)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "run.npz"
    Job()(epochs=1, checkpoint=path)
    return path.read_bytes()


def refused(content, folder):
    path = folder / "damaged.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.npz is no minidl checkpoint, or it is damaged"):
        read_checkpoint(path)


@settings(max_examples=150)
@given(data=st.data())
def test_a_checkpoint_with_a_damaged_byte_is_refused_or_loads_as_it_was(data, checkpoint, tmp_path_factory):
    """A few bytes of the zip format mean nothing, such as an entry's date."""
    i = data.draw(st.integers(0, len(checkpoint) - 1), label="position")
    value = data.draw(st.integers(0, 255).filter(lambda v: v != checkpoint[i]), label="value")
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(checkpoint)
    sound = whole(path)
    path.write_bytes(checkpoint[:i] + bytes([value]) + checkpoint[i + 1:])
    try:
        assert whole(path) == sound
    except InputError as error:
        assert "damaged.npz is no minidl checkpoint, or it is damaged" in str(error)


@settings(max_examples=40)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_checkpoint_is_refused(share, checkpoint, tmp_path_factory):
    refused(checkpoint[:int(share * len(checkpoint))], tmp_path_factory.getbasetemp())


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("content", [
    b"", b"not a checkpoint", b"PK\x03\x04", _npz(x=np.zeros(3)), _npz(meta=np.array("no json")),
    _npz(meta=np.array({"a": 1}, dtype=object)), _npy(np.zeros(3)),
], ids=["empty", "text", "zip's first bytes", "other arrays", "no json", "pickle", "a single array"])
def test_a_foreign_file_is_refused(content, tmp_path):
    refused(content, tmp_path)


@pytest.mark.parametrize("meta", [{}, [], 3, {"loader": None, "streams": []}], ids=str)
def test_a_checkpoint_with_foreign_notes_is_refused(meta, checkpoint, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(checkpoint)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "meta"}
    np.savez(path, meta=np.array(json.dumps(meta)), **arrays)
    with pytest.raises(InputError, match=r"run\.npz (is|holds|does)"):
        Job()(checkpoint=path)


def test_a_folder_or_a_missing_file_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="is no minidl checkpoint"):
        Job()(checkpoint=tmp_path)
    with pytest.raises(InputError, match="there is no checkpoint .*none.npz"):
        read_checkpoint(tmp_path / "none.npz")


def test_a_model_is_loaded_from_a_checkpoint_alone(tmp_path):
    job, fresh = Job(patience=None), Job().model
    job(epochs=2, checkpoint=tmp_path / "run.npz")
    assert load_model(tmp_path / "run.npz", fresh) is fresh
    assert all(np.array_equal(a, b) for a, b in zip(job.model.state_dict().values(), fresh.state_dict().values(),
                                                    strict=True))
    with pytest.raises(InputError, match=r"checkpoint .*run\.npz: this state is of another model than Linear"):
        load_model(tmp_path / "run.npz", nn.Linear(5, 4, rng=0))


def test_the_checkpoints_folder_is_made_and_text_or_path_will_do(tmp_path):
    Job()(epochs=1, checkpoint=str(tmp_path / "new" / "folder" / "run"))
    assert os.listdir(tmp_path / "new" / "folder") == ["run"]
    assert Path(tmp_path / "new" / "folder" / "run").stat().st_size > 1000


# A loss that is no number -------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("at", [1, 4, 7, 10, 11])
def test_a_loss_that_is_no_longer_finite_stops_training_within_ten_steps(bad, at, tmp_path):
    calls = [0]

    def loss(model, x):
        calls[0] += 1
        y = nn.mse_loss(model(x), x)
        return y * bad if calls[0] == at else y

    x = np.tile(X, (10, 1))
    with pytest.raises(FloatingPointError, match=r"the loss became (nan|inf) in epoch 1 before step \d+, at learning "
                                                 "rate [0-9.e-]+; try a smaller rate"):
        Job(loss=loss, x=x)()
    assert at <= calls[0] < at + 10


def test_a_run_that_has_diverged_does_not_overwrite_its_last_good_checkpoint(tmp_path):
    path, calls = tmp_path / "run.npz", [0]

    def loss(model, x):
        calls[0] += 1
        return nn.mse_loss(model(x), x) * (math.nan if calls[0] == 3 else 1.0)

    with pytest.raises(FloatingPointError):
        Job(loss=loss)(checkpoint=path, checkpoint_every=1)
    parts = read_checkpoint(path)
    assert parts["run"]["step"] == 2 and all(np.isfinite(a).all() for a in parts["model"].values())


# What it does in an epoch ---------------------------------------------------------------------------------------------


def test_it_is_the_plain_loop():
    job, plain = Job(patience=None), Job(patience=None)
    history = job(epochs=2)
    losses = []
    for _ in range(2):
        epoch = []
        for x in plain.loader:
            plain.optimizer.zero_grad()
            value = nn.mse_loss(plain.model(x), x)
            value.backward()
            plain.optimizer.step()
            plain.schedule.step()
            epoch.append(value.item())
        losses.append(np.mean(epoch))
    np.testing.assert_allclose(history.loss, losses, rtol=1e-6)
    assert result(job) == result(plain) and not job.model.training


def test_pairs_reach_the_loss_as_two_arguments_and_are_learned():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 3)).astype(np.float32), np.arange(60) % 2
    x[:, 0] += 6.0 * y
    model = nn.Linear(3, 2, rng=0)
    history = fit(model, Loader(x, y, batch_size=10, rng=rng), optim.Adam(model.named_parameters(), lr=0.1),
                  loss=lambda model, x, y: nn.cross_entropy(model(x), y), epochs=10, progress=False)
    assert history.loss[-1] < 0.2 * history.loss[0]
    assert (model(x).numpy().argmax(1) == y).mean() > 0.95


def test_the_history_has_one_entry_an_epoch_of_each_that_was_measured():
    history = Job()(epochs=4)
    assert isinstance(history, History)
    assert [len(history.loss), len(history.validation), len(history.lr), len(history.seconds)] == [4] * 4
    assert all(s > 0 for s in history.seconds) and history.validation == [8.0, 4.0, 0.0, 4.0]
    expected = optim.CosineAnnealingLR(optim.SGD([nn.Parameter([0.0])], lr=0.05), 20, warmup=3)
    assert history.lr == [0.05 * expected.factor(STEPS * epoch) for epoch in (1, 2, 3, 4)]
    assert Job(patience=None)(epochs=2, validate=None).validation == []


def test_early_stopping_goes_back_to_the_best_parameters():
    job, states = Job(), []
    validate = job.validate

    def watched(model):
        states.append(model.state_dict())
        return validate(model)

    history = job(epochs=50, validate=watched)
    assert history.validation == [8.0, 4.0, 0.0, 4.0, 8.0]
    assert all(np.array_equal(a, states[2][name]) for name, a in job.model.state_dict().items())
    assert not np.array_equal(states[2]["0.weight"], states[4]["0.weight"])


def test_the_best_parameters_are_kept_also_when_the_epochs_run_out_first():
    job, states = Job(), []
    validate = job.validate
    job(epochs=4, validate=lambda model: (states.append(model.state_dict()), validate(model))[1])
    assert all(np.array_equal(a, states[2][name]) for name, a in job.model.state_dict().items())


def test_without_patience_the_last_parameters_stay():
    job, states = Job(patience=None), []
    job(epochs=4, validate=lambda model: (states.append(model.state_dict()), 0.0)[1])
    assert all(np.array_equal(a, states[3][name]) for name, a in job.model.state_dict().items())


def test_validation_sees_the_model_in_evaluation_and_records_nothing_while_the_loss_sees_it_in_training():
    seen = []

    def loss(model, x):
        y = model(x)
        seen.append(("loss", all(m.training for _, m in model.named_modules()), y.requires_grad))
        return nn.mse_loss(y, x)

    def validate(model):
        y = model(Tensor(X))
        seen.append(("validate", any(m.training for _, m in model.named_modules()), y.requires_grad))
        return 0.0

    Job(loss=loss, patience=None)(epochs=2, validate=validate)
    assert seen == ([("loss", True, True)] * STEPS + [("validate", False, False)]) * 2


@pytest.mark.parametrize("validate", [True, False])
def test_plateau_follows_the_validation_or_without_one_the_training_loss(validate):
    job = Job(schedule="plateau", patience=None)
    values = iter([5.0, 6.0, 4.0, 4.5, 4.4])
    history = job(epochs=5, validate=(lambda model: next(values)) if validate else None)
    told = [5.0, 6.0, 4.0, 4.5, 4.4] if validate else history.loss
    twin = optim.SGD([nn.Parameter([0.0])], lr=0.05)
    schedule, rates = optim.ReduceLROnPlateau(twin, factor=0.5, patience=0), []
    for value in told:
        rates.append(twin.lr)
        schedule.step(value)
    assert history.lr == rates and job.optimizer.lr == twin.lr
    assert not validate or job.optimizer.lr == 0.05 / 8


def test_max_grad_norm_limits_the_step():
    model = nn.Linear(5, 5, rng=0)
    before = model.state_dict()
    fit(model, Loader(X, batch_size=22, shuffle=False), optim.SGD(model.named_parameters(), lr=1.0),
        loss=lambda model, x: nn.mse_loss(model(x), x) * 1e4, epochs=1, gradients=[optim.ClipGradNorm(0.5)],
        progress=False)
    moved = math.sqrt(sum(((a - before[name]) ** 2).sum() for name, a in model.state_dict().items()))
    assert moved == pytest.approx(0.5, rel=1e-4)


def test_before_step_gets_all_parameters_with_their_clipped_gradients():
    norms = []

    def look(params):
        norms.append([p.shape for p in params] + [math.sqrt(sum((p.grad.numpy()**2).sum() for p in params))])

    job = Job(loss=lambda model, x: nn.mse_loss(model(x), x) * 1e4)
    job(epochs=1, gradients=[optim.ClipGradNorm(0.5), look])
    assert len(norms) == STEPS
    for *shapes, norm in norms:
        assert shapes == [(5, 4), (4,), (4, 5), (5,)] and norm == pytest.approx(0.5, rel=1e-4)


def test_with_noise_and_an_average_it_is_the_plain_loop_with_both():
    job, plain = Job(patience=None, tricks=True), Job(patience=None, tricks=True)
    job(epochs=2, validate=None)
    for _ in range(2):
        for x in plain.loader:
            plain.optimizer.zero_grad()
            nn.mse_loss(plain.model(x), x).backward()
            plain.noise(plain.model.parameters())
            plain.optimizer.step()
            plain.average.update()
            plain.schedule.step()
    plain.average.apply()
    assert result(job) == result(plain)


@pytest.mark.parametrize("patience", [None, 2])
def test_what_is_validated_kept_as_the_best_and_left_at_the_end_are_the_averages(patience, tmp_path):
    job, own, averages = Job(patience=patience, tricks=True), [], []
    validate, update = job.validate, job.average.update

    def update_and_look():
        update()
        own.append(job.model.state_dict())

    def watched(model):
        averages.append(model.state_dict())
        return validate(model)

    job.average.update = update_and_look
    job(epochs=4, validate=watched, checkpoint=tmp_path / "run.npz")
    with job.average.applied():
        last = job.model.state_dict()
    expected = averages[2] if patience else averages[3]              # the third epoch's is the best
    loaded = load_model(tmp_path / "run.npz", Job().model).state_dict()
    for name, a in job.model.state_dict().items():
        np.testing.assert_array_equal(a, expected[name])
        np.testing.assert_array_equal(a, loaded[name])
        np.testing.assert_array_equal(averages[3][name], last[name])
        assert not np.array_equal(averages[0][name], own[STEPS - 1][name])


def test_training_goes_on_from_the_models_own_parameters_not_from_the_average():
    """Without the rest of the tricks, averaging leaves the losses as they are."""
    job, plain = Job(patience=None), Job(patience=None)
    assert job(epochs=3, average=optim.EMA(job.model, decay=0.9)).loss == plain(epochs=3).loss


@pytest.mark.parametrize("change, words", [
    (lambda job: setattr(job, "noise", None), "holds gradients.0, which this run does not have"),
])
def test_a_checkpoint_of_other_tricks_is_refused(change, words, tmp_path):
    path = tmp_path / "run.npz"
    Job(tricks=True)(epochs=1, checkpoint=path)
    job = Job(tricks=True)
    change(job)
    with pytest.raises(InputError, match=rf"checkpoint .*run\.npz.* {words}"):
        job(checkpoint=path)


def test_the_average_of_another_model_is_refused():
    for average in (optim.EMA(nn.Linear(5, 4, rng=0)), True):
        with pytest.raises(InputError, match="average is an EMA of the model that is trained"):
            Job()(epochs=1, average=average)


def test_resuming_is_said_also_where_there_is_no_terminal_with_the_rate_if_it_is_another(tmp_path, capsys):
    path = tmp_path / "run.npz"
    job = Job(schedule="none")
    job(epochs=1, checkpoint=path)
    assert capsys.readouterr().err == ""
    again = Job(schedule="none")
    again.optimizer.lr = 3 * job.optimizer.lr
    again(epochs=1, checkpoint=path, progress=True)
    assert f"1 of 1 epochs: nothing is left to train; delete it to start afresh, with its own learning " \
           "rate 0.05, not 0.15" in capsys.readouterr().err


def test_a_checkpoint_without_an_average_is_refused_if_one_is_asked_for(tmp_path):
    Job()(epochs=1, checkpoint=tmp_path / "run.npz")
    job = Job()
    with pytest.raises(InputError, match=r"checkpoint .*run\.npz holds no ema, which this run has"):
        job(checkpoint=tmp_path / "run.npz", average=optim.EMA(job.model))


def test_arguments_that_make_no_sense_are_refused_in_a_sentence():
    with pytest.raises(InputError, match="epochs is a whole number, 1 or more, not 0"):
        Job()(epochs=0)
    with pytest.raises(InputError, match="patience needs `validate`"):
        Job()(validate=None)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_progress_bar_shows_epoch_loss_and_speed_on_a_terminal_alone(monkeypatch, capfd):
    Job()(epochs=2, progress=True)
    assert capfd.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    Job()(epochs=2, progress=False)
    assert terminal.getvalue() == ""
    monkeypatch.setattr("tqdm.std.time", itertools.count().__next__)         # a second passes whenever it is asked for
    Job()(epochs=2, progress=True)
    assert all(words in terminal.getvalue() for words in ("epoch 1/2", "epoch 2/2", "loss=", "examples/s"))


# The device and the memory -------------------------------------------------------------------------------------------


def test_on_a_device_it_gives_the_cpus_numbers():
    here, there = Job(dropout=0), Job(dropout=0, device=install())
    a, b = here(), there()
    assert (a.loss, a.lr, a.validation) == (b.loss, b.lr, b.validation) and result(here) == result(there)


@pytest.mark.parametrize("steps", [3, 10, 23])
def test_an_epoch_waits_for_the_device_at_every_tenth_step_and_at_its_end_alone(steps):
    device, epochs = install(), 3
    x = np.random.default_rng(0).uniform(0, 1, (steps * 4, 5)).astype(np.float32)
    model = nn.Sequential(nn.Linear(5, 4, rng=1), nn.Dropout(0.3, rng=0), nn.Linear(4, 5, rng=2)).to(device)
    optimizer = optim.Adam(model.named_parameters())
    loader = Loader(x, batch_size=4, rng=np.random.default_rng(0), device=device)
    with counting() as c:
        fit(model, loader, optimizer, loss=lambda model, x: nn.mse_loss(model(x), x), epochs=epochs,
            gradients=[optim.ClipGradNorm(1.0), optim.GradientNoise(rng=0)], average=optim.EMA(model),
            schedule=optim.ExponentialLR(optimizer, 0.99), progress=False)
    assert c.synchronisations <= epochs * (math.ceil(steps / 10) + 1), c.waited_for


def live_tensors():
    return sum(isinstance(thing, Tensor) for thing in gc.get_objects())


def test_a_training_loop_leaves_no_tensors_behind_though_nothing_collects_cycles():
    job, counts = Job(), []
    gc.collect()
    gc.disable()
    try:
        x = Tensor(X)
        for _ in range(6):
            job.optimizer.zero_grad()
            loss = nn.mse_loss(job.model(x), x)
            loss.backward()
            job.optimizer.step()
            counts.append(live_tensors())
    finally:
        gc.enable()
    assert len(set(counts)) == 1, counts
    assert counts[0] < 20 + live_tensors()


def test_fit_itself_leaves_no_tensors_behind_though_nothing_collects_cycles():
    counts = []

    def loss(model, x):
        counts.append(live_tensors())
        return nn.mse_loss(model(x), x)

    job = Job(loss=loss)
    gc.collect()
    gc.disable()
    try:
        job(epochs=3)
    finally:
        gc.enable()
    assert len(counts) == 3 * STEPS and counts == counts[:STEPS] * 3, counts      # an epoch's first has no predecessor
    assert len(set(counts[1:STEPS])) == 1, counts


def test_ctrl_c_during_the_last_epochs_validation_is_not_lost(tmp_path):
    def validate(model):
        os.kill(os.getpid(), signal.SIGINT)
        return 0.0

    job = Job(patience=None, dropout=0)
    with pytest.raises(KeyboardInterrupt, match="stopped after epoch 1 of 1; saved in"):
        job(epochs=1, validate=validate, checkpoint=tmp_path / "run.npz")
    assert read_checkpoint(tmp_path / "run.npz")["run"]["epoch"] == 1


def test_a_model_loaded_after_early_stopping_has_the_best_parameters(tmp_path):
    job = Job()
    job(epochs=10, checkpoint=tmp_path / "run.npz")
    fresh = load_model(tmp_path / "run.npz", Job().model)
    for name, value in job.model.state_dict().items():
        np.testing.assert_array_equal(fresh.state_dict()[name], value)
