"""Noise on gradients: its variance, its stream, what it leaves alone."""
import math

import numpy as np
import pytest

from minidl import nn, optim
from minidl.errors import InputError
from minidl.randomness import RandomStream
from minidl.tensor import Tensor
from tests.standin.device import counting, install


def with_gradients(shape, n=1, device="cpu", dtype=np.float32):
    params = [nn.Parameter(np.zeros(shape, dtype), device=device) for _ in range(n)]
    for p in params:
        p.grad = Tensor(np.full(shape, 3.0, dtype), device=device)
    return params


@pytest.mark.parametrize("eta, gamma", [(0.01, 0.55), (1.0, 2.0)])
def test_its_variance_at_step_t_is_eta_over_1_plus_t_to_the_gamma(eta, gamma):
    noise, twin = optim.GradientNoise(eta, gamma=gamma, rng=5), RandomStream(5)
    for t in range(4):
        p, = with_gradients((200, 50))
        noise([p])
        drawn = twin.normal(p.shape, like=p.data)
        added = p.grad.numpy() - 3.0
        np.testing.assert_allclose(added, drawn * math.sqrt(eta / (1 + t) ** gamma), rtol=1e-3, atol=1e-6)
        n = added.size                         # the sample variance of n normals spreads by sqrt(2 / n) of itself
        assert abs(added.var() / (eta / (1 + t) ** gamma) - 1) < 5 * math.sqrt(2 / n)


def test_each_gradient_gets_its_own_and_a_parameter_without_one_is_left():
    params = [*with_gradients((5,), 2), nn.Parameter([1.0])]
    optim.GradientNoise(rng=0)(params)
    assert not np.array_equal(params[0].grad.numpy(), params[1].grad.numpy()) and params[2].grad is None
    assert params[0].numpy().tolist() == [0.0] * 5                            # the parameter itself stays


def test_without_variance_the_gradient_stays_as_it_is():
    p, = with_gradients((5,))
    optim.GradientNoise(0.0, rng=0)(iter([p]))
    assert p.grad.numpy().tolist() == [3.0] * 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_keeps_the_dtype_and_the_array(dtype):
    p, = with_gradients((5,), dtype=dtype)
    array = p.grad.data
    optim.GradientNoise(rng=0)([p])
    assert p.grad.data is array and array.dtype == dtype and (array != 3.0).all()


def test_a_restored_state_goes_on_bit_for_bit():
    a, b = optim.GradientNoise(rng=1), optim.GradientNoise(rng=2)
    a(with_gradients((4,)))
    b.load_state_dict(a.state_dict())
    b.random_streams()[0].load_state_dict(a.random_streams()[0].state_dict())
    (p,), (q,) = with_gradients((4,)), with_gradients((4,))
    a([p])
    b([q])
    assert p.grad.numpy().tolist() == q.grad.numpy().tolist() and b.t == 2


def test_another_state_is_refused_and_changes_nothing():
    noise = optim.GradientNoise(rng=1)
    noise(with_gradients((4,)))
    for odd in ({}, {"t": "soon"}, {"t": 1, "best": 0.5}):
        with pytest.raises(InputError, match="this is not the state of a GradientNoise: "):
            noise.load_state_dict(odd)
    assert noise.state_dict() == {"t": 1} and repr(noise) == "GradientNoise(eta=0.01, gamma=0.55)"


def test_on_a_device_it_draws_there_and_waits_for_nothing():
    params, noise = with_gradients((30, 3), 2, device=install()), optim.GradientNoise(rng=0)
    noise(params)                              # the device's generator is made at the first use
    with counting() as c:
        noise(params)
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    assert np.std(params[1].grad.numpy()) > 0


def test_a_variance_below_0_is_refused():
    with pytest.raises(InputError, match="GradientNoise: eta, the first variance, is 0 or more, not -1"):
        optim.GradientNoise(-1, rng=0)
