"""The learning-rate range test: what it tries, what it finds, and that it leaves everything as it was."""
import math

import numpy as np
import pytest

from minidl import nn, optim
from minidl.data import Loader, augmentation, two_moons
from minidl.errors import InputError
from minidl.tensor import Tensor
from minidl.training import fit, lr_range_test
from tests.standin.device import install

X = np.random.default_rng(0).uniform(0, 1, (22, 5)).astype(np.float32)


class Counting(nn.Module):
    """A network with a buffer that counts its calls in training, as batch norm's statistics change."""

    def __init__(self, rng):
        self.layers = nn.Sequential(nn.Linear(5, 4, rng=1), nn.Tanh(), nn.Dropout(0.3, rng=rng), nn.Linear(4, 5, rng=2))
        self.calls = nn.Buffer(np.zeros(1, np.float32))

    def forward(self, x):
        if self.training:
            self.calls.data += 1.0
        return self.layers(x)


class Job:
    def __init__(self, device="cpu", shared=True):
        rng = np.random.default_rng(7)
        self.model = Counting(rng if shared else 8).to(device)
        self.loader = Loader(X, batch_size=6, rng=rng, device=device,
                             augment=lambda x, rng: augmentation.noise(x, rng, sd=0.1))
        self.optimizer = optim.Adam(self.model.named_parameters(), lr=0.05)

    def fit(self, epochs=2):
        return fit(self.model, self.loader, self.optimizer, loss=loss, epochs=epochs, progress=False).loss

    def test(self, **kwargs):
        return lr_range_test(self.model, self.loader, self.optimizer, loss=loss, **kwargs)

    def state(self):
        arrays = {**self.model.state_dict(), **self.optimizer.state_dict()}
        return ({name: a.tobytes() for name, a in arrays.items()}, self.loader.state_dict(),
                self.loader.rng.bit_generator.state, [m.training for _, m in self.model.named_modules()],
                [p.grad for p in self.model.parameters()])


def loss(model, x):
    return nn.mse_loss(model(x), x)


def test_it_is_the_plain_loop_with_a_rate_that_rises_by_the_same_factor():
    """Over more steps than an epoch has batches."""
    job, plain = Job(shared=False), Job(shared=False)
    found = job.test(low=1e-3, high=0.1, steps=11)
    batches = (x for _ in range(3) for x in plain.loader)
    mean, losses = 0.0, []
    for i in range(11):
        plain.optimizer.lr = 1e-3 * 100 ** (i / 10)
        plain.optimizer.zero_grad()
        value = loss(plain.model, next(batches))
        value.backward()
        plain.optimizer.step()
        mean = 0.9 * mean + 0.1 * value.item()
        losses.append(mean / (1 - 0.9 ** (i + 1)))
    np.testing.assert_allclose(found.rates, np.geomspace(1e-3, 0.1, 11), rtol=1e-12)
    np.testing.assert_allclose(found.losses, losses, rtol=1e-6)
    assert found.suggestion == max(1e-3, found.rates[np.argmin(losses)] / 10)


@pytest.mark.parametrize("before", [0, 2], ids=["untrained", "trained"])
@pytest.mark.parametrize("steps", [3, 30])
def test_model_optimiser_loader_and_streams_are_left_as_they_were(before, steps):
    job, twin = Job(), Job()
    if before:
        assert job.fit(before) == twin.fit(before)
    state = job.state()
    job.test(steps=steps, high=1e3)
    assert job.state() == state
    assert job.fit() == twin.fit() and job.state()[:3] == twin.state()[:3]


def test_a_loader_that_was_looked_into_still_begins_a_whole_epoch():
    job = Job()
    next(iter(job.loader))
    job.test(steps=6)
    assert len(list(job.loader)) == len(job.loader)


def test_everything_is_left_as_it_was_also_when_the_loss_fails():
    job, calls = Job(), []

    def failing(model, x):
        calls.append(x)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return loss(model, x)

    state = job.state()
    with pytest.raises(KeyboardInterrupt):
        lr_range_test(job.model, job.loader, job.optimizer, loss=failing)
    assert job.state() == state


def test_on_a_device_it_finds_the_same_and_leaves_all_as_it_was():
    here, there = Job(), Job(device=install())
    for job in (here, there):
        job.model.layers[2].p = 0.0                 # a device draws its own numbers for dropout
    state = there.state()
    a, b = here.test(steps=20), there.test(steps=20)
    np.testing.assert_array_equal(a.losses, b.losses)
    assert there.state() == state


class Point(nn.Module):
    """Its mean squared distance from the data, along a steep axis and a flat one."""

    def __init__(self):
        self.w = nn.Parameter([3.0, 3.0])

    def forward(self, x):
        return ((self.w - x) ** 2 * Tensor([10.0, 1.0])).sum(1).mean() * 0.5


def test_on_a_quadratic_it_stops_where_gradient_descent_diverges_and_suggests_a_rate_below():
    """A step multiplies the distance along the steep axis by 1 - 10 lr: it grows from lr = 0.2 on."""
    model, rng = Point(), np.random.default_rng(0)
    loader = Loader(rng.standard_normal((800, 2), dtype=np.float32), batch_size=8, shuffle=False)
    found = lr_range_test(model, loader, optim.SGD(model.parameters()), loss=lambda model, x: model(x), low=1e-4)
    best = int(np.argmin(found.losses))
    assert len(found.rates) < 100 and 0.2 < found.rates[-1] < 0.6
    assert 0.1 < found.rates[best] < 0.3 and found.suggestion == found.rates[best] / 10
    assert found.losses[-1] <= 4 * found.losses[best] < found.losses[0]
    assert model.w.numpy().tolist() == [3.0, 3.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_it_stops_at_a_loss_that_is_no_longer_finite_and_reports_what_came_before(bad):
    job, calls = Job(), []

    def turning(model, x):
        calls.append(x)
        return loss(model, x) * (bad if len(calls) == 8 else 1.0)

    found = lr_range_test(job.model, job.loader, job.optimizer, loss=turning, low=1e-6, high=1e-3, steps=50)
    assert len(found.rates) == len(found.losses) == 7 and np.isfinite(found.losses).all()
    with pytest.raises(FloatingPointError, match=f"lr_range_test: the loss is {bad} before any step was made"):
        lr_range_test(job.model, job.loader, job.optimizer, loss=lambda model, x: loss(model, x) * bad)


def test_a_loss_below_0_is_no_divergence():
    """As a critic's: it falls from 0 without end."""
    model = nn.Linear(1, 1, rng=0)
    loader = Loader(np.ones((4, 1), np.float32), batch_size=2, shuffle=False)
    found = lr_range_test(model, loader, optim.SGD(model.parameters()), loss=lambda model, x: model(x).sum(), low=1e-2,
                          high=1.0, steps=30)
    assert len(found.rates) == 30 and found.losses[-1] < -5


@pytest.mark.parametrize("arguments", [{"low": 0.0}, {"low": 0.1, "high": 0.1}, {"steps": 1}, {"low": math.nan}])
def test_arguments_that_make_no_sense_are_refused_in_a_sentence(arguments):
    with pytest.raises(InputError, match="the rate rises from low to high"):
        Job().test(**arguments)


def test_the_suggested_rate_trains_where_the_default_one_is_too_small():
    x, y = two_moons(200, rng=np.random.default_rng(0))
    losses = []
    for suggested in (True, False):
        model = nn.Sequential(nn.Linear(2, 30, rng=0), nn.Tanh(), nn.Linear(30, 2, rng=1))
        optimizer = optim.SGD(model.named_parameters(), momentum=0.9)
        run = model, Loader(x, y, batch_size=20, rng=np.random.default_rng(1)), optimizer
        loss = lambda model, x, y: nn.cross_entropy(model(x), y)
        if suggested:
            optimizer.lr = lr_range_test(*run, loss=loss).suggestion
        losses.append(fit(*run, loss=loss, epochs=15, progress=False).loss[-1])
    assert losses[0] < 0.27 < 0.3 < losses[1], losses
