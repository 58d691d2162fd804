"""Dropout's and DropConnect's statistics and masks, the L1 penalty."""
import copy
import math

import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.errors import InputError
from minidl.randomness import RandomStream
from minidl.tensor import Tensor
from tests.standin.device import counting, install

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_a_share_p_and_preserves_the_mean(p):
    n = 100_000
    y = nn.Dropout(p, rng=0)(Tensor(np.ones(n, np.float32))).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / (1 - p))}
    deviation = math.sqrt(p * (1 - p) / n)
    assert abs((y == 0).mean() - p) < 5 * deviation                       # five standard errors
    assert abs(y.mean() - 1.0) < 5 * deviation / (1 - p)


def test_dropout_passes_everything_in_evaluation_and_with_p_0():
    x = Tensor(X)
    assert nn.Dropout(0.5, rng=0).eval()(x) is x
    assert nn.Dropout(0.0, rng=0)(x) is x


def test_dropouts_backward_uses_the_mask_of_its_forward():
    x = Tensor(np.ones((50, 4), np.float32), requires_grad=True)
    y = nn.Dropout(0.3, rng=0)(x)
    md.sum(y * 2.0).backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2.0 * y.numpy())
    assert (x.grad.numpy() == 0).any()


def test_dropout_draws_a_new_mask_each_time_and_the_same_from_the_same_seed():
    layer, twin = nn.Dropout(0.5, rng=4), nn.Dropout(0.5, rng=4)
    first, second = layer(Tensor(X)).numpy(), layer(Tensor(X)).numpy()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(twin(Tensor(X)).numpy(), first)
    np.testing.assert_array_equal(twin(Tensor(X)).numpy(), second)


@pytest.mark.parametrize("share", [np.random.default_rng, RandomStream], ids=["generator", "stream"])
def test_two_layers_that_share_a_generator_draw_one_after_the_other(share):
    def masks(shared):
        a, b = nn.Dropout(0.5, rng=shared), nn.Dropout(0.5, rng=shared)
        return [layer(Tensor(np.ones(40, np.float32))).numpy().tolist() for layer in (a, b, a)]

    alone = nn.Dropout(0.5, rng=8)
    assert masks(share(8)) == masks(share(8)) == [alone(Tensor(np.ones(40, np.float32))).numpy().tolist()
                                                  for _ in range(3)]


def test_dropout_keeps_the_dtype(only_float32):
    assert nn.Dropout(0.3, rng=0)(Tensor(X)).dtype == np.float32


def test_dropout_keeps_float64_and_takes_plain_arrays():
    assert nn.Dropout(0.3, rng=0)(Tensor(X.astype(np.float64))).dtype == np.float64
    np.testing.assert_array_equal(nn.Dropout(0.3, rng=0)(X), nn.Dropout(0.3, rng=0)(Tensor(X)).numpy())


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, math.nan])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(InputError, match="p is a probability from 0 to below 1, not"):
        nn.Dropout(p, rng=0)


def test_dropout_on_a_device_draws_there_and_waits_for_nothing():
    device = install()
    x = Tensor(np.ones((20, 20), np.float32), device=device)
    layer = nn.Dropout(0.5, rng=0)
    layer(x)                                                # the device's generator is made at the first use
    with counting() as c:
        y = layer(x)
    assert (c.synchronisations, c.transfers) == (0, 0) and set(np.unique(y.numpy())) == {0.0, 2.0}


# DropConnect ---------------------------------------------------------------------------------------------------------


def dropped_weights(layer, columns=4):
    """The weights that a call used: the rows of the unit matrix go through a Linear without bias."""
    return layer(Tensor(np.eye(columns, dtype=np.float32))).numpy()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropconnect_zeroes_a_share_p_of_the_weights_and_preserves_their_mean(p):
    inner = nn.Linear(300, 300, bias=False, rng=0)
    inner.weight.data[...] = 1.0
    weights = dropped_weights(nn.DropConnect(inner, p, rng=0), 300)
    assert set(np.unique(weights)) == {np.float32(0), np.float32(1 / (1 - p))}
    deviation = math.sqrt(p * (1 - p) / weights.size)
    assert abs((weights == 0).mean() - p) < 5 * deviation


def test_dropconnect_drops_by_the_mask_that_dropout_would_draw_and_leaves_the_bias():
    inner = nn.Linear(4, 3, rng=0)
    inner.bias.data[...] = [1.0, -2.0, 0.5]
    weight = nn.Dropout(0.4, rng=7)(inner.weight)
    y = nn.DropConnect(inner, 0.4, rng=7)(Tensor(X))
    np.testing.assert_allclose(y.numpy(), X @ weight.numpy() + inner.bias.numpy(), rtol=1e-6)


def test_dropconnect_passes_the_gradient_to_the_weights_that_were_kept():
    layer = nn.DropConnect(nn.Linear(4, 3, bias=False, rng=0), 0.5, rng=1)
    twin = copy.deepcopy(layer)
    md.sum(layer(Tensor(np.eye(4, dtype=np.float32)))).backward()
    kept = dropped_weights(twin) != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_array_equal(layer.layer.weight.grad.numpy(), np.where(kept, 2.0, 0.0))


def test_dropconnect_draws_anew_each_time_and_uses_all_weights_in_evaluation_and_with_p_0():
    inner = nn.Linear(4, 3, bias=False, rng=0)
    layer = nn.DropConnect(inner, 0.5, rng=3)
    assert not np.array_equal(dropped_weights(layer), dropped_weights(layer))
    np.testing.assert_array_equal(dropped_weights(layer.eval()), inner.weight.numpy())
    np.testing.assert_array_equal(dropped_weights(nn.DropConnect(inner, 0.0, rng=0).train()), inner.weight.numpy())


def test_the_weight_is_the_parameter_again_also_after_a_failed_call():
    layer = nn.DropConnect(nn.Linear(4, 3, rng=0), 0.5, rng=3)
    weight = layer.layer.weight
    layer(Tensor(X))
    assert layer.layer.weight is weight
    with pytest.raises(InputError):
        layer(Tensor(X.T))
    assert layer.layer.weight is weight
    assert [name for name, _ in layer.named_parameters()] == ["layer.weight", "layer.bias"]


def test_a_network_with_dropconnect_learns_and_waits_for_no_device():
    device = install()
    model = nn.Sequential(nn.DropConnect(nn.Linear(4, 30, rng=0), 0.3, rng=5), nn.Tanh(), nn.Linear(30, 4, rng=1))
    model.to(device)
    assert [s.host for s in model.random_streams()] == [model[0].stream.host]
    optimizer, x = optim.Adam(model.named_parameters(), lr=0.01), Tensor(X, device=device)

    def step():
        optimizer.zero_grad()
        loss = nn.mse_loss(model(x), x)
        loss.backward()
        optimizer.step()

    before = nn.mse_loss(model.eval()(x), x).item()
    model.train()
    step()
    with counting() as c:
        for _ in range(60):
            step()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    assert nn.mse_loss(model.eval()(x), x).item() < 0.5 * before


def test_dropconnect_drops_the_weights_of_a_convolution():
    layer = nn.DropConnect(nn.Conv2d(2, 3, 2, rng=0), 0.4, rng=7)
    images = X.reshape(1, 3, 4, 2)
    weight = nn.Dropout(0.4, rng=7)(layer.layer.weight)
    np.testing.assert_array_equal(layer(images).numpy(), md.conv2d(images, weight.numpy(), np.zeros(3, np.float32)))


def test_dropconnect_keeps_float32(only_float32):
    layer = nn.DropConnect(nn.Linear(4, 3, rng=0), 0.3, rng=0)
    md.sum(layer(Tensor(X))).backward()
    assert layer.layer.weight.grad.dtype == np.float32


def test_second_derivatives_go_through_the_dropped_weights():
    """The gradient of the gradient of sum((x W)^2) by x is 2 W W'."""
    layer = nn.DropConnect(nn.Linear(4, 3, bias=False, rng=0), 0.5, rng=1).astype(np.float64)
    W = copy.deepcopy(layer)(np.eye(4)).numpy()
    x = Tensor(X[:1].astype(np.float64), requires_grad=True)
    g = md.grad(md.sum(layer(x) ** 2), x, create_graph=True)
    np.testing.assert_allclose(md.grad(g[0, 0], x).numpy()[0], (2 * W @ W.T)[0], rtol=1e-12)


@pytest.mark.parametrize("inner", [nn.ReLU(), nn.Sequential(nn.Linear(2, 2, rng=0)), None])
def test_dropconnect_refuses_what_has_no_weight(inner):
    with pytest.raises(InputError, match=f"DropConnect: {type(inner).__name__} has no parameter `weight`"):
        nn.DropConnect(inner, rng=0)


def test_dropconnect_refuses_what_is_no_probability():
    with pytest.raises(InputError, match="DropConnect: p is a probability from 0 to below 1, not 1.0"):
        nn.DropConnect(nn.Linear(2, 2, rng=0), 1.0, rng=0)


# L1 ------------------------------------------------------------------------------------------------------------------


def test_the_l1_penalty_is_the_sum_of_absolute_values_and_its_gradient_their_sign():
    params = [nn.Parameter([[1.0, -2.0], [0.0, 0.5]]), nn.Parameter(-3.0), nn.Parameter([0.0])]
    penalty = nn.l1_penalty(params)
    assert penalty.shape == () and penalty.item() == 6.5
    (penalty * 0.5).backward()
    assert [p.grad.numpy().tolist() for p in params] == [[[0.5, -0.5], [0.0, 0.5]], -0.5, [0.0]]


def test_the_l1_penalty_finds_the_lasso_solution_of_an_orthogonal_design():
    """Least squares |w - t|^2 / 2 + c |w| has its minimum at t drawn towards 0 by c (Tibshirani 1996, section 2.2)."""
    t, c = np.array([2.0, -0.7, 0.3, -0.1], np.float32), 0.5
    w = nn.Parameter(np.zeros(4, np.float32))
    optimizer = optim.SGD([w], lr=0.01)
    for _ in range(1500):
        optimizer.zero_grad()
        (nn.mse_loss(w, Tensor(t), "sum") * 0.5 + nn.l1_penalty([w]) * c).backward()
        optimizer.step()
    np.testing.assert_allclose(w.numpy(), np.sign(t) * np.maximum(np.abs(t) - c, 0), atol=0.011)


def test_the_l1_penalty_is_the_same_on_a_device_and_waits_for_nothing():
    here, there = nn.Linear(5, 3, rng=0), nn.Linear(5, 3, rng=0).to(install())
    with counting() as c:
        penalty = nn.l1_penalty(there.parameters())
        penalty.backward()
    assert c.synchronisations == 0, c.waited_for
    assert penalty.item() == nn.l1_penalty(here.parameters()).item()
