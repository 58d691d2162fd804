"""Layers: their shapes, Sequential as a list."""
import math

import numpy as np
import pytest

from minidl import nn
from minidl.errors import InputError
from minidl.tensor import Tensor

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def test_linear_is_x_times_weight_plus_bias_over_the_last_axis():
    layer = nn.Linear(4, 3, rng=0)
    layer.bias.data[...] = [1.0, -2.0, 0.5]
    np.testing.assert_allclose(layer(X).numpy(), X @ layer.weight.numpy() + layer.bias.numpy(), rtol=1e-6)
    np.testing.assert_allclose(layer(X.reshape(2, 3, 4)).numpy().reshape(6, 3), layer(X).numpy(), rtol=1e-6)
    assert nn.Linear(4, 3, bias=False, rng=0).bias is None
    assert not nn.Linear(4, 3, rng=0).bias.numpy().any()


def test_linear_takes_its_initialiser_and_the_same_seed_gives_the_same_layer():
    layer = nn.Linear(8, 5, rng=3, weight_init=nn.init.orthogonal)
    np.testing.assert_array_equal(layer.weight.numpy(), nn.init.orthogonal((8, 5), rng=3))
    rng = np.random.default_rng(3)
    first, second = nn.Linear(8, 5, rng=rng), nn.Linear(8, 5, rng=rng)
    np.testing.assert_array_equal(first.weight.numpy(), nn.Linear(8, 5, rng=3).weight.numpy())
    assert not np.array_equal(first.weight.numpy(), second.weight.numpy())


def test_linear_names_the_shapes_that_do_not_fit():
    with pytest.raises(InputError, match=r"expected x of shape \(\.\.\., N, 5\), got \(6, 4\)"):
        nn.Linear(5, 3, rng=0)(Tensor(X))
    with pytest.raises(InputError, match="sizes are 1 or more, not 0 and 3"):
        nn.Linear(0, 3, rng=0)


LAYERS = [nn.Linear(4, 3, rng=0), nn.ReLU(), nn.Linear(3, 2, rng=1), nn.Tanh()]


def test_sequential_applies_its_layers_in_order():
    h = np.maximum(X @ LAYERS[0].weight.numpy(), 0)
    np.testing.assert_allclose(nn.Sequential(*LAYERS)(X).numpy(), np.tanh(h @ LAYERS[2].weight.numpy()), rtol=2e-6)
    assert nn.Sequential()(X) is X


def test_sequential_is_a_list_of_its_layers():
    model = nn.Sequential(*LAYERS)
    assert len(model) == 4 and list(model) == LAYERS
    assert model[0] is LAYERS[0] and model[-1] is LAYERS[-1]
    with pytest.raises(IndexError):
        model[4]


def test_a_slice_of_a_sequential_shares_its_layers_under_new_names():
    model = nn.Sequential(*LAYERS)
    part = model[1:3]
    assert isinstance(part, nn.Sequential) and list(part) == LAYERS[1:3]
    assert [name for name, _ in part.named_parameters()] == ["1.weight", "1.bias"]
    assert part[1].weight is model[2].weight
    np.testing.assert_array_equal(model[2:](model[:2](X)).numpy(), model(X).numpy())


def test_ten_and_more_layers_stay_in_order():
    model = nn.Sequential(*(nn.Linear(i + 1, i + 2, rng=0) for i in range(12)))
    assert [p.shape[0] for name, p in model.named_parameters() if name.endswith("weight")] == list(range(1, 13))
    assert model(np.ones((1, 1), np.float32)).shape == (1, 13)


@pytest.mark.parametrize("wrong", [nn.ReLU, np.tanh, [nn.ReLU()]])
def test_sequential_refuses_what_is_no_module(wrong):
    with pytest.raises(InputError, match=r"Sequential: argument 1 is .+, not a Module; a class needs"):
        nn.Sequential(nn.Tanh(), wrong)


@pytest.mark.parametrize("layer, function", [
    (nn.ReLU(), lambda x: np.maximum(x, 0)),
    (nn.LeakyReLU(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    (nn.ELU(1.5), lambda x: np.where(x > 0, x, 1.5 * np.expm1(x))),
    (nn.GELU(), lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    (nn.Tanh(), np.tanh),
    (nn.Softplus(), lambda x: np.log1p(np.exp(x))),
    (nn.Softmax(axis=0), lambda x: np.exp(x) / np.exp(x).sum(0)),
], ids=lambda value: type(value).__name__)
def test_an_activation_layer_computes_its_function(layer, function):
    x = X.astype(np.float64) * 3
    np.testing.assert_allclose(layer(x) if isinstance(layer(x), np.ndarray) else layer(x).numpy(), function(x),
                               rtol=1e-12, atol=1e-12)
    assert layer(Tensor(X)).dtype == np.float32


def test_leaky_relu_refuses_a_slope_that_makes_it_no_maximum():
    with pytest.raises(InputError, match="negative_slope lies between 0 and 1, not 2"):
        nn.LeakyReLU(2)
