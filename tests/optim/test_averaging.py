"""Averages of weights: their formula, evaluation with them and the way back, their state; see also tests/parity."""
import copy

import numpy as np
import pytest

from minidl import nn, optim
from minidl.errors import InputError
from minidl.tensor import Tensor
from tests.standin.device import counting, install


class Net(nn.Module):
    """Parameters with and without axes, one of them shared, and a buffer."""

    def __init__(self, seed=0):
        self.first = nn.Linear(4, 3, rng=seed)
        self.again = self.first
        self.scale = nn.Parameter(2.0)
        self.count = nn.Buffer(np.zeros(2, np.float32))

    def forward(self, x):
        return self.first(x) * self.scale


def move(model, seed):
    """What an optimiser's step does: other numbers in the same arrays."""
    rng = np.random.default_rng(seed)
    for p in model.parameters():
        p.data[...] = p.device.put(rng.standard_normal(p.shape).astype(p.dtype))


def values(model):
    return {name: a.tolist() for name, a in model.state_dict().items()}


def averages(ema):
    return {name.removeprefix("average/"): a for name, a in ema.state_dict().items() if name != "updates"}


def by_hand(model, decay, seeds):
    """The moving average in float64, each time with the decay of its update."""
    average = {name: p.numpy().astype(np.float64) for name, p in model.named_parameters()}
    for t, seed in enumerate(seeds):
        move(model, seed)
        d = min(decay, (1 + t) / (10 + t))
        for name, p in model.named_parameters():
            average[name] = d * average[name] + (1 - d) * p.numpy()
    return average


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.95])
def test_it_is_the_moving_average_whose_start_is_soon_forgotten(decay):
    """(1 + t) / (10 + t) rises from 0.1 and passes 0.95 after 170 updates."""
    model = Net()
    ema, expected = optim.EMA(model, decay=decay), by_hand(copy.deepcopy(model), decay, range(180))
    for seed in range(180):
        move(model, seed)
        ema.update()
    assert averages(ema).keys() == expected.keys() == dict(model.named_parameters()).keys()
    for name, a in averages(ema).items():
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, expected[name], rtol=1e-5, atol=1e-6)


def test_weights_that_stay_are_their_own_average_exactly():
    model = Net()
    ema, before = optim.EMA(model), dict(values(model))
    for _ in range(50):
        ema.update()
    with ema.applied():
        assert values(model) == before


def test_within_the_context_the_model_has_the_averages_and_after_it_its_own_state_again_bit_for_bit():
    model = Net()
    ema = optim.EMA(model, decay=0.9)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)         # from now on its parameters are views of one array
    arrays = [p.data for p in model.parameters()]
    for seed in range(5):
        move(model, seed)
        ema.update()
    own, average = values(model), {name: a.tolist() for name, a in averages(ema).items()}
    with ema.applied():
        assert values(model) == own | average and average["scale"] != own["scale"]
        model.count.data += 1.0                                     # as batch norm does in training
    assert values(model) == own
    with pytest.raises(ZeroDivisionError), ema.applied():
        raise ZeroDivisionError
    assert values(model) == own
    assert all(p.data is array for p, array in zip(model.parameters(), arrays, strict=True))
    assert all(p.data.base is optimizer.params["scale"].data.base for p in model.parameters())


def test_apply_writes_the_averages_for_good_and_leaves_them_as_they_are():
    model = Net()
    ema = optim.EMA(model, decay=0.9)
    move(model, 1)
    ema.update()
    average = {name: a.tolist() for name, a in averages(ema).items()}
    ema.apply()
    assert values(model) == values(model) | average
    move(model, 2)
    assert {name: a.tolist() for name, a in averages(ema).items()} == average       # a copy, not a view


def test_the_average_of_sgd_on_a_noisy_slope_is_nearer_to_the_minimum_than_its_last_point():
    """Least squares with noisy targets: the iterates spread about the optimum, their mean does not (Polyak 1992)."""
    rng = np.random.default_rng(0)
    model = nn.Linear(3, 1, rng=0)
    ema, optimizer = optim.EMA(model, decay=0.99), optim.SGD(model.named_parameters(), lr=0.2)
    truth, errors = np.array([[1.0], [-2.0], [0.5]], np.float32), []
    for _ in range(600):
        x = rng.standard_normal((8, 3), dtype=np.float32)
        y = x @ truth + rng.standard_normal((8, 1), dtype=np.float32)
        optimizer.zero_grad()
        nn.mse_loss(model(x), Tensor(y)).backward()
        optimizer.step()
        ema.update()
        errors.append(np.linalg.norm(model.weight.numpy() - truth))
    with ema.applied():
        assert np.linalg.norm(model.weight.numpy() - truth) < 0.5 * np.mean(errors[-100:])


def test_on_a_device_it_gives_numpys_values_and_waits_for_nothing():
    here, there = Net(), Net().to(install())
    a, b = optim.EMA(here, decay=0.9), optim.EMA(there, decay=0.9)
    for seed in range(4):
        move(here, seed)
        move(there, seed)
        a.update()
        with counting() as c:
            b.update()
            with b.applied():
                pass
        assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    assert values(here) == values(there)
    assert {k: v.tolist() for k, v in averages(a).items()} == {k: v.tolist() for k, v in averages(b).items()}


def test_the_averages_follow_their_model_to_a_device_and_to_float64():
    model, twin = Net(), Net()
    a, b = optim.EMA(model, decay=0.9), optim.EMA(twin, decay=0.9)
    for seed, change in enumerate([lambda m: m, lambda m: m.to(install()), lambda m: m.to("cpu")]):
        change(model)
        for m, ema in ((model, a), (twin, b)):
            move(m, seed)
            ema.update()
    assert {k: v.tolist() for k, v in averages(a).items()} == {k: v.tolist() for k, v in averages(b).items()}
    model.astype(np.float64)
    a.update()
    assert all(v.dtype == np.float64 for v in averages(a).values())


def test_a_parameter_that_is_new_or_has_grown_starts_from_its_present_value():
    model = Net()
    ema = optim.EMA(model, decay=0.9)
    move(model, 1)
    ema.update()
    model.scale.data = np.full((2, 3), 5.0, np.float32)
    model.more = nn.Linear(2, 2, rng=3)
    old = averages(ema)["first.weight"]
    with ema.applied():
        assert model.scale.numpy().tolist() == [[5.0] * 3] * 2
        assert model.more.weight.numpy().tolist() == nn.Linear(2, 2, rng=3).weight.numpy().tolist()
        np.testing.assert_array_equal(model.first.weight.numpy(), old)
    del model.more
    assert "more.weight" not in averages(ema)


def test_a_restored_state_goes_on_bit_for_bit():
    model, twin = Net(), Net(seed=5)
    a, b = optim.EMA(model, decay=0.99), optim.EMA(twin.to(install()), decay=0.99)
    for seed in range(5):
        move(model, seed)
        a.update()
    saved = a.state_dict()
    for ema, m in ((a, model), (b, twin)):
        if ema is b:
            ema.load_state_dict(saved)
        for seed in range(5, 9):
            move(m, seed)
            ema.update()
    assert a.updates == b.updates == 9 and saved["updates"] == 5
    assert {k: v.tolist() for k, v in averages(a).items()} == {k: v.tolist() for k, v in averages(b).items()}


def test_the_state_of_another_model_is_refused_and_changes_nothing():
    ema = optim.EMA(Net())
    before = {k: v.tolist() for k, v in ema.state_dict().items()}
    for other in (nn.Linear(4, 3, rng=0), nn.Sequential(nn.Linear(4, 3, rng=0))):
        with pytest.raises(InputError, match="this is not the average of this model's parameters: .* differs"):
            ema.load_state_dict(optim.EMA(other).state_dict())
    grown = Net()
    grown.scale.data = np.ones(3, np.float32)
    with pytest.raises(InputError, match="average/scale differs"):
        ema.load_state_dict(optim.EMA(grown).state_dict())
    damaged = optim.EMA(Net(seed=7)).state_dict() | {"average/scale": np.asarray("a")}
    with pytest.raises(InputError, match="average/scale holds <U1, no numbers"):
        ema.load_state_dict(damaged)
    assert {k: v.tolist() for k, v in ema.state_dict().items()} == before


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_its_range_is_refused(decay):
    with pytest.raises(InputError, match=r"EMA: decay lies in \[0, 1\), not"):
        optim.EMA(Net(), decay=decay)
