"""`fit`: what it does in an epoch, what it measures, what it refuses."""
import gc
import io
import itertools
import math
import sys

import numpy as np
import pytest

from minidl import nn, optim
from minidl.autoencoders import DeepAutoencoder, DenoisingAutoencoder
from minidl.data import Loader
from minidl.errors import InputError
from minidl.tensor import Tensor
from minidl.training import History, fit, load_model, read_checkpoint
from tests.standin.device import counting, install
from tests.training.job import STEPS, Job, X, result

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


def test_clipping_limits_the_step():
    model = nn.Linear(5, 5, rng=0)
    before = model.state_dict()
    fit(model, Loader(X, batch_size=22, shuffle=False), optim.SGD(model.named_parameters(), lr=1.0),
        loss=lambda model, x: nn.mse_loss(model(x), x) * 1e4, epochs=1, gradients=[optim.ClipGradNorm(0.5)],
        progress=False)
    moved = math.sqrt(sum(((a - before[name]) ** 2).sum() for name, a in model.state_dict().items()))
    assert moved == pytest.approx(0.5, rel=1e-4)


def test_gradient_transforms_are_called_in_their_order_with_all_parameters():
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


def test_the_average_of_another_model_is_refused():
    for average in (optim.EMA(nn.Linear(5, 4, rng=0)), True):
        with pytest.raises(InputError, match="average is an EMA of the model that is trained"):
            Job()(epochs=1, average=average)


def test_arguments_that_make_no_sense_are_refused_in_a_sentence():
    with pytest.raises(InputError, match="epochs is a whole number of at least 1, not 0"):
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
    return sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())


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


def test_without_a_loss_the_models_own_is_minimised_that_of_its_very_class():
    """A denoising autoencoder sees noise."""
    losses = []
    for given in ({}, {"loss": lambda model, x: model.loss(x)}):
        model = DenoisingAutoencoder([5, 3], rng=0)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        losses.append(fit(model, Loader(X, batch_size=6, rng=np.random.default_rng(1)), optimizer, epochs=3,
                          progress=False, **given).loss)
    assert losses[0] == losses[1]
    plain = DeepAutoencoder([5, 3], rng=0)
    assert fit(plain, Loader(X, batch_size=6, rng=np.random.default_rng(1)), optim.Adam(plain.parameters(), lr=0.01),
               epochs=3, progress=False).loss != losses[0]


def test_of_named_losses_the_first_is_minimised_and_all_are_in_the_history():
    error = lambda model, x: nn.mse_loss(model(x), x)
    both = Job(patience=None, loss=lambda model, x: {"error": error(model, x), "norm": (model[0].weight**2).sum()})
    alone = Job(patience=None, loss=error)
    history = both(epochs=3)
    assert history["error"] == alone(epochs=3).loss and result(both) == result(alone)
    assert len(history["norm"]) == 3 and all(norm > 0 for norm in history["norm"]) and "loss" not in history


class Bare(nn.Module):
    def forward(self, x):
        return x


OTHER = nn.Linear(5, 5, rng=0)


@pytest.mark.parametrize("change, sentence", [
    ({"loss": lambda model, x: model(x)}, r"a loss is a Tensor of one number, 'loss' is of shape \(6, 5\); add "),
    ({"loss": lambda model, x: nn.mse_loss(model(x), x).reshape(1)}, r"'loss' is of shape \(1,\); add .mean\(\)"),
    ({"loss": lambda model, x: None}, "'loss' is NoneType; return what nn.mse_loss or operations on Tensors give"),
    ({"loss": lambda model, x: 1.5}, "'loss' is float; return what nn.mse_loss"),
    ({"loss": lambda model, x: {}}, "the loss returned no losses"),
    ({"loss": 3}, r"the loss is a function, loss\(model, \*batch\), not 3"),
    ({"loss": None}, r"Sequential has no method loss\(\*batch\); say what to minimise, loss=lambda"),
    ({"optimizer": optim.SGD(OTHER.parameters())}, "the optimiser has none of the model's 4 parameters; perhaps "),
    ({"optimizer": optim.SGD}, r"the optimizer is optim.Adam\(model.parameters\(\)\), not the class SGD"),
    ({"loader": [X]}, r"the loader is data.Loader\(x, batch_size=64, rng=0\), not list"),
    ({"loader": None}, "the loader is data.Loader.*, not NoneType"),
    ({"model": lambda x: x}, "the model is a Module, .*, not function"),
    ({"model": None}, "the model is a Module, .*, not NoneType"),
    ({"schedule": lambda t: 0.0}, "schedule is one of optim's, such as .*, not <function"),
    ({"schedule": optim.StepLR}, "schedule is one of optim's, such as .*, not <class"),
    ({"schedule": optim.StepLR(optim.SGD([nn.Parameter([0.0])]), 2)}, "the schedule is of another optimiser"),
    ({"epochs": 0}, "epochs is a whole number of at least 1, not 0"),
    ({"epochs": 2.0}, "epochs is a whole number of at least 1, not 2.0"),
    ({"patience": 0, "validate": len}, "patience is a whole number of at least 1, not 0"),
    ({"patience": 1.5, "validate": len}, "patience is a whole number of at least 1, not 1.5"),
    ({"validate": 3}, "validate is a function of the model, not 3"),
    ({"validate": lambda model: None, "patience": 1}, r"validate\(model\) returns one number, .*, not None"),
    ({"gradients": optim.GradientNoise(rng=0)}, r"gradients is a list of functions of the parameters, such as \["),
    ({"gradients": [1.0]}, r"gradients is a list of functions of the parameters, .*, not \[1.0\]"),
], ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_what_cannot_be_trained_is_refused_in_a_sentence_and_nothing_is_changed(change, sentence):
    job = Job(patience=None)
    given = {"model": job.model, "loader": job.loader, "optimizer": job.optimizer, "loss": job.loss, "epochs": 1,
             "progress": False} | change
    job.model.eval()
    before, generator = result(job), job.loader.state_dict()
    with pytest.raises(InputError, match=sentence):
        fit(given.pop("model"), given.pop("loader"), given.pop("optimizer"), **given)
    if not callable(change.get("loss")) and change.get("patience") != 1:       # else it shows in the first step alone
        assert result(job) == before and job.loader.state_dict() == generator and not job.model.training


def test_the_old_order_of_arguments_gets_the_new_line_to_write():
    job = Job()
    for arguments in ((job.model, job.loss, job.loader, job.optimizer), (job.model, job.loss, job.loader)):
        with pytest.raises(InputError, match=r"the loss is a keyword: fit\(model, loader, optimizer, loss=loss, ...\)"):
            fit(*arguments, epochs=1)


def test_swapped_arguments_are_named():
    job = Job()
    with pytest.raises(InputError, match="the loader is data.Loader.*, not Adam|the loss is a keyword"):
        fit(job.model, job.optimizer, job.loader, epochs=1, loss=job.loss)
    with pytest.raises(InputError, match="the model is a Module, .*, not Loader"):
        fit(job.loader, job.model, job.optimizer, epochs=1, loss=job.loss)


def test_an_optimiser_of_a_model_that_was_made_anew_is_refused():
    """A notebook's cell with the model run again, that with the optimiser not."""
    job = Job()
    job.model = Job().model
    with pytest.raises(InputError, match="perhaps the model was made anew: make the optimiser again"):
        job()
