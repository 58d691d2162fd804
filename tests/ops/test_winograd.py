"""Short filters: fewer products than the definition has, and the same results."""
import numpy as np
import pytest

import minidl as md
from minidl.ops import winograd
from tests.ops.test_convolution import convolve_reference

GEOMETRIES = [(3, 1, padding) for padding in (0, 1, 2)] + [(4, 2, padding) for padding in (0, 1, 2, 3)]


@pytest.fixture
def used(monkeypatch):
    """Short filters for few channels too; the calls that found one."""
    found, chosen = [], winograd.filter_for

    def filter_for(*args):
        found.append(chosen(*args))
        return found[-1]

    monkeypatch.setattr(winograd, "_CHANNELS", 1)
    monkeypatch.setattr(winograd, "_TILES", 1)
    monkeypatch.setattr(winograd, "filter_for", filter_for)
    return found


def arrays(size, kernel, dtype=np.float64, n=5, channels=(2, 3)):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, *size, channels[0])).astype(dtype), rng.standard_normal(
        (kernel, kernel, *channels)).astype(dtype), rng.standard_normal(channels[1]).astype(dtype)


@pytest.mark.parametrize("block", [1, 4000, 1_000_000])
@pytest.mark.parametrize("size", [(7, 8), (6, 9), (4, 4)])
@pytest.mark.parametrize("kernel, stride, padding", GEOMETRIES)
def test_a_short_filter_gives_the_definitions_result_and_gradients(monkeypatch, used, kernel, stride, padding, size,
                                                                   block):
    monkeypatch.setattr(winograd, "_BLOCK", block)
    x, W, b = (md.Tensor(a, requires_grad=True) for a in arrays(size, kernel))
    y = md.conv2d(x, W, b, stride=stride, padding=padding)
    pairs = ((stride, stride), (padding, padding), (1, 1), 1)
    np.testing.assert_allclose(y.data, convolve_reference(x.data, W.data, *pairs) + b.data, atol=1e-12)
    gy = np.random.default_rng(1).standard_normal(y.shape)
    gx, gW = md.grad(y, [x, W], gy)
    assert len(used) == 3 and all(used)
    # Both gradients of a function that is linear in x and in W: the directions' products with them are its values.
    dx, dW, _ = (a[::-1] for a in arrays(size, kernel))
    assert (gx.data * dx).sum() == pytest.approx((gy * convolve_reference(dx, W.data, *pairs)).sum(), abs=1e-10)
    assert (gW.data * dW).sum() == pytest.approx((gy * convolve_reference(x.data, dW, *pairs)).sum(), abs=1e-10)


@pytest.mark.parametrize("kernel, stride", [(3, 1), (4, 2)])
def test_a_short_filters_derivatives_are_right_to_second_order(used, kernel, stride):
    md.gradcheck(lambda x, W, b: md.tanh(md.conv2d(x, W, b, stride=stride, padding=1)), *arrays((5, 6), kernel, n=2))
    assert used and all(used)


@pytest.mark.parametrize("kernel, stride", [(3, 1), (4, 2)])
def test_the_rounding_error_is_at_most_four_times_that_of_the_direct_sum(monkeypatch, used, kernel, stride):
    x, W, _ = arrays((14, 14), kernel, np.float32, channels=(64, 64))

    def all_three(x, W):
        x, W = md.Tensor(x, requires_grad=True), md.Tensor(W, requires_grad=True)
        y = md.conv2d(x, W, stride=stride, padding=1)
        return [y.data, *(g.data for g in md.grad(y, [x, W], y.data))]

    exact = all_three(x.astype(np.float64), W.astype(np.float64))
    short = all_three(x, W)
    assert len(used) == 6 and all(used)
    monkeypatch.setattr(winograd, "filter_for", lambda *_: None)
    for s, direct, right in zip(short, all_three(x, W), exact, strict=True):
        assert np.abs(s - right).mean() < 4 * np.abs(direct - right).mean()


def test_what_is_not_finite_stays_within_its_image(used):
    x, W, _ = arrays((6, 6), 3)
    x[2, 3, 3] = np.nan
    with np.errstate(invalid="ignore"):
        y = md.conv2d(x, W, padding=1)
    assert used[0] and np.isfinite(np.delete(y, 2, 0)).all() and np.isnan(y[2]).any()
