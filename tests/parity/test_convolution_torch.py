"""Convolutions against PyTorch: values, first and second derivatives, in float64; values in float32."""
import numpy as np
import pytest

import minidl as md
from minidl import nn
from tests.parity.test_ops_torch import compare

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
F = torch.nn.functional

RNG = np.random.default_rng(0)
OPTIONS = [{}, {"stride": 2, "padding": 1}, {"stride": (2, 1), "padding": (0, 2)}, {"padding": 2, "dilation": 2},
           {"groups": 2}, {"groups": 4, "padding": 1}, {"groups": 2, "stride": 3, "padding": 1, "dilation": (1, 2)}]


def nchw(x):
    return x.permute(0, 3, 1, 2)


def arrays(options, kernel=(3, 2)):
    groups = options.get("groups", 1)
    return [RNG.standard_normal((2, 7, 6, 4)), RNG.standard_normal((*kernel, 4 // groups, 8)), RNG.standard_normal(8)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_conv2d_is_pytorchs_to_second_order(options):
    theirs = lambda x, W, b: F.conv2d(nchw(x), W.permute(3, 2, 0, 1), b, **options).permute(0, 2, 3, 1)
    compare(lambda x, W, b: md.conv2d(x, W, b, **options), theirs, arrays(options), order=2)
    compare(lambda x, W, b: md.conv2d(x, W, b, **options), theirs, arrays(options), order=1, dtype="float32", rtol=1e-4,
            atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": 2}, {"groups": 2}],
                         ids=str)
def test_conv1d_is_pytorchs_to_second_order(options):
    inputs = [RNG.standard_normal((2, 9, 4)), RNG.standard_normal((3, 4 // options.get("groups", 1), 6)),
              RNG.standard_normal(6)]
    theirs = lambda x, W, b: F.conv1d(x.mT, W.permute(2, 1, 0), b, **options).mT
    compare(lambda x, W, b: md.conv1d(x, W, b, **options), theirs, inputs, order=2)


@pytest.mark.parametrize("options", [*OPTIONS, {"stride": 3, "output_padding": (2, 1)}], ids=str)
def test_conv_transpose2d_is_pytorchs_to_second_order(options):
    groups = options.get("groups", 1)
    inputs = [RNG.standard_normal((2, 4, 5, 4)), RNG.standard_normal((3, 2, 6 // groups if groups < 4 else 1, 4)),
              RNG.standard_normal(6 if groups < 4 else 4)]

    def theirs(x, W, b):
        return F.conv_transpose2d(nchw(x), W.permute(3, 2, 0, 1), b, **options).permute(0, 2, 3, 1)
    compare(lambda x, W, b: md.conv_transpose2d(x, W, b, **options), theirs, inputs, order=2)


def test_a_gradient_penalty_through_convolutions_is_pytorchs():
    """The penalty of WGAN-GP, a gradient of a gradient, through two strided convolutions."""
    x = RNG.standard_normal((3, 8, 8, 1))
    W1, W2 = RNG.standard_normal((4, 4, 1, 5)), RNG.standard_normal((4, 4, 5, 2))

    def ours(x, W1, W2):
        h = md.conv2d(md.leaky_relu(md.conv2d(x, W1, stride=2, padding=1), 0.2), W2, stride=2, padding=1)
        g = md.grad(md.sum(md.tanh(h)), x, create_graph=True)
        return (md.norm(g.flatten(1), axis=1) - 1) ** 2

    def theirs(x, W1, W2):
        h = F.leaky_relu(F.conv2d(nchw(x), W1.permute(3, 2, 0, 1), stride=2, padding=1), 0.2)
        h = F.conv2d(h, W2.permute(3, 2, 0, 1), stride=2, padding=1)
        g, = torch.autograd.grad(torch.tanh(h).sum(), x, create_graph=True)
        return (g.flatten(1).norm(dim=1) - 1) ** 2
    compare(ours, theirs, [x, W1, W2], order=1)


def test_layers_of_one_seed_give_what_pytorchs_give_with_their_weights():
    x = RNG.standard_normal((2, 9, 8, 4))
    for options in OPTIONS:
        down = nn.Conv2d(4, 8, (3, 2), rng=0, **options).astype(np.float64)
        theirs = torch.nn.Conv2d(4, 8, (3, 2), **options).double()
        up, theirs_up = nn.ConvTranspose2d(8, 4, (3, 2), rng=0, **options).astype(np.float64), None
        theirs_up = torch.nn.ConvTranspose2d(8, 4, (3, 2), **options).double()
        with torch.no_grad():
            for mine, peer in ((down, theirs), (up, theirs_up)):
                mine.bias.data[...] = RNG.standard_normal(mine.bias.shape)
                peer.weight.copy_(torch.tensor(mine.weight.numpy().transpose(3, 2, 0, 1).copy()))
                peer.bias.copy_(torch.tensor(mine.bias.numpy()))
        y, z = down(x), theirs(nchw(torch.tensor(x)))
        np.testing.assert_allclose(y.numpy(), z.detach().permute(0, 2, 3, 1).numpy(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(up(y).numpy(), theirs_up(z).detach().permute(0, 2, 3, 1).numpy(), rtol=1e-10,
                                   atol=1e-12)
