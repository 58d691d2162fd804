"""Rows of dense layers, and stages that halve or double an image."""
import numpy as np
import pytest

import minidl as md
from minidl import nn

X = np.random.default_rng(0).random((3, 8, 12, 2), dtype=np.float32)


def kinds(network):
    return [type(layer).__name__ for layer in network]


def test_an_mlp_has_an_activation_between_each_two_layers_and_at_the_end_only_if_told():
    assert kinds(nn.mlp([5, 4, 3, 2], rng=0, activation=nn.Tanh)) == ["Linear", "Tanh", "Linear", "Tanh", "Linear"]
    assert kinds(nn.mlp([5, 4, 3], rng=0, output_activation=nn.Sigmoid)) == ["Linear", "ELU", "Linear", "Sigmoid"]
    assert kinds(nn.mlp([5, 4], rng=0)) == ["Linear"]


def test_an_mlp_draws_its_layers_weights_one_after_the_other():
    rng = np.random.default_rng(3)
    layers = [nn.Linear(5, 4, rng=rng), nn.Linear(4, 3, rng=rng)]
    network = nn.mlp([5, 4, 3], rng=3)
    for layer, same in zip(layers, (network[0], network[2]), strict=True):
        assert np.array_equal(layer.weight.data, same.weight.data)
    x = X.reshape(3, -1)[:, :5]
    assert np.array_equal(network(md.Tensor(x)).data, layers[1](md.elu(layers[0](md.Tensor(x)))).data)
    ones = nn.mlp([5, 4, 3], rng=0, weight_init=lambda shape, rng: np.ones(shape, np.float32))
    assert (ones[0].weight.data == 1).all() and (ones[2].weight.data == 1).all()


@pytest.mark.parametrize("by, kernel_size", [("stride", None), ("stride", 1), ("stride", 2), ("stride", 5),
                                             ("pool", None), ("pool", 1), ("pool", 5)])
def test_halving_halves_an_image(by, kernel_size):
    stage = nn.halving(2, 3, rng=0, by=by, kernel_size=kernel_size)
    assert stage(md.Tensor(X)).shape == (3, 4, 6, 3)
    assert kinds(stage)[-1] == "ELU"
    assert kinds(nn.halving(2, 3, rng=0, by=by, activation=None)) == kinds(stage)[:-1]


@pytest.mark.parametrize("by, kernel_size", [("transposed", None), ("transposed", 1), ("transposed", 2),
                                             ("transposed", 5), ("upsample", None), ("upsample", 1), ("unpool", 5)])
def test_doubling_doubles_an_image(by, kernel_size):
    stage = nn.doubling(2, 3, rng=0, by=by, kernel_size=kernel_size, activation=nn.ReLU)
    assert stage(md.Tensor(X)).shape == (3, 16, 24, 3)
    assert kinds(stage)[-1] == "ReLU"


def test_stages_in_a_row_have_the_names_of_their_layers():
    row = nn.Sequential(*nn.halving(1, 16, rng=0), *nn.halving(16, 32, rng=0))
    assert [name for name, _ in row.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]


@pytest.mark.parametrize("make, sentence", [
    pytest.param(lambda: nn.mlp([5], rng=0), r"mlp: sizes are .*not \[5\]", id="one size"),
    pytest.param(lambda: nn.mlp([5, 0], rng=0), "each 1 or more", id="no units"),
    pytest.param(lambda: nn.halving(1, 2, rng=0, by="max"), "by is one of 'stride', 'pool', not 'max'", id="by"),
    pytest.param(lambda: nn.doubling(1, 2, rng=0, by="pool"), "'transposed', 'upsample', 'unpool'", id="wrong way"),
    pytest.param(lambda: nn.halving(1, 2, rng=0, by="pool", kernel_size=4), "odd unless by is 'stride', not 4",
                 id="even kernel"),
    pytest.param(lambda: nn.doubling(1, 2, rng=0, kernel_size=0), "kernel_size is 1 or more", id="no kernel"),
    pytest.param(lambda: nn.doubling(0, 2, rng=0), "ConvTranspose2d", id="no channels")])
def test_bad_settings_get_a_sentence(make, sentence):
    with pytest.raises(md.InputError, match=sentence):
        make()
