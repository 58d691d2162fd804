"""Pooling and resampling: PyTorch's values, first and second derivatives, in its layout after a transposition."""
import numpy as np
import pytest

import minidl as md

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
F = torch.nn.functional

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((2, 7, 6, 3))
TIES = RNG.integers(0, 3, (2, 7, 6, 3)).astype(np.float64)

GEOMETRIES = [(2, None, 0), (3, 2, 1), ((2, 3), (1, 2), (1, 0)), (2, 3, 1), ((7, 6), None, 0), ((3, 1), 1, 0),
              (4, 1, 2)]
POOLS = {"max": (md.max_pool2d, F.max_pool2d), "average": (md.avg_pool2d, F.avg_pool2d)}


def derivatives(library, f, x):
    """The value of f, the gradient of a random projection of f(x)^2, and the gradient of a projection of that."""
    y = f(x)
    grad = torch.autograd.grad if library is torch else md.grad
    g = grad((y * y * weights(library, y)).sum(), x, create_graph=True)
    g = g[0] if library is torch else g
    second = grad((g * g * weights(library, g)).sum(), x)
    second = second[0] if library is torch else second
    return [a.detach().numpy() for a in (y, g, second)]


def weights(library, like):
    drawn = np.random.default_rng(1).standard_normal(like.shape)
    return torch.from_numpy(drawn) if library is torch else drawn


def compare(ours, theirs, x):
    in_their_layout = lambda t: theirs(t.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    mine = derivatives(md, ours, md.Tensor(x, requires_grad=True))
    peers = derivatives(torch, in_their_layout, torch.from_numpy(x.copy()).requires_grad_())
    for name, a, b in zip(["value", "first derivative", "second derivative"], mine, peers, strict=True):
        assert np.abs(b).max() > 0
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("x", [IMAGES, TIES], ids=["normal", "ties"])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("pool", POOLS)
def test_pooling_is_pytorchs_to_second_order(pool, geometry, x):
    ours, theirs = POOLS[pool]
    compare(lambda t: ours(t, *geometry), lambda t: theirs(t, *geometry), x)


@pytest.mark.parametrize("x", [IMAGES, TIES], ids=["normal", "ties"])
@pytest.mark.parametrize("geometry", [*GEOMETRIES, (2, 2, 1), (2, 4, 1), (9, 8, 4), (9, 8, 0), (5, 3, 2)], ids=str)
@pytest.mark.parametrize("pool", POOLS)
def test_sizes_rounded_up_are_pytorchs_to_second_order(pool, geometry, x):
    ours, theirs = POOLS[pool]
    compare(lambda t: ours(t, *geometry, ceil_mode=True), lambda t: theirs(t, *geometry, ceil_mode=True), x)


@pytest.mark.parametrize("size", [(1, 1), (7, 6), (3, 10), (5, 2), (20, 1), (13, 7)], ids=str)
def test_interpolation_to_any_size_is_pytorchs_to_second_order(size):
    compare(lambda t: md.interpolate(t, size), lambda t: F.interpolate(t, size, mode="bilinear"), IMAGES)


@pytest.mark.parametrize("scale", [1, 2, 3, (1, 2), (4, 3)], ids=str)
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_upsampling_is_pytorchs_to_second_order(mode, scale):
    compare(lambda t: md.upsample(t, scale, mode), lambda t: F.interpolate(t, scale_factor=scale, mode=mode), IMAGES)


@pytest.mark.parametrize("pool", POOLS)
def test_pytorch_refuses_the_same_geometries(pool):
    ours, theirs = POOLS[pool]
    for geometry in [(3, 1, 2), ((2, 4), 1, (2, 0)), (8, 1, 0), (0, 1, 0), (2, 0, 0)]:
        with pytest.raises(md.InputError):
            ours(md.Tensor(IMAGES), *geometry)
        with pytest.raises(RuntimeError):
            theirs(torch.from_numpy(IMAGES).permute(0, 3, 1, 2), *geometry)


@pytest.mark.parametrize("x", [IMAGES, TIES], ids=["normal", "ties"])
@pytest.mark.parametrize("geometry", [(2, None, 0), (3, None, 1), ((2, 3), (2, 4), (1, 0)), (2, 3, 1),
                                      ((7, 6), None, 0)], ids=str)
def test_unpooling_is_pytorchs_to_second_order(geometry, x):
    """Where windows overlap PyTorch keeps one of the values, and ours are added: these windows do not."""
    def ours(t):
        y, indices = md.max_pool2d(t, *geometry, return_indices=True)
        return md.max_unpool2d(y * y, indices, *geometry, x.shape[1:3])

    def theirs(t):
        y, indices = F.max_pool2d(t, *geometry, return_indices=True)
        return F.max_unpool2d(y * y, indices, *geometry, output_size=x.shape[1:3])

    compare(ours, theirs, x)
