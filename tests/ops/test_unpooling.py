"""Max unpooling with the places of the maxima: against loops over the windows, its circle of derivatives, bad input."""
import numpy as np
import pytest
from hypothesis import given, settings

import minidl as md
from minidl.errors import InputError
from tests.ops.test_pooling import geometries, windows
from tests.standin.device import counting, install

RNG = np.random.default_rng(0)


@settings(max_examples=60)
@given(geometries())
def test_every_maximum_goes_back_to_where_it_was(drawn):
    """Where windows overlap, those that share a maximum add up."""
    shape, *geometry = drawn
    x = RNG.integers(-3, 1000, shape).astype(np.float64)
    y, indices = md.max_pool2d(x, *geometry, return_indices=True)
    np.testing.assert_array_equal(y, md.max_pool2d(x, *geometry))
    expected = np.zeros(x.size + 1)                                             # the last one is the padding
    places = dict(windows(np.arange(x.size).reshape(shape), *geometry, x.size))
    for place, window in windows(x, *geometry, -np.inf):
        assert indices[place] == window.argmax()
        expected[places[place].reshape(-1)[window.argmax()]] += y[place]
    np.testing.assert_array_equal(md.max_unpool2d(y, indices, *geometry, shape[1:3]), expected[:-1].reshape(shape))


def test_one_place_for_all_windows_is_the_upsampled_image_with_the_other_places_empty():
    x = RNG.standard_normal((2, 3, 4, 5))
    expected = np.zeros((2, 6, 12, 5))
    expected[:, 1::2, 2::3] = x
    np.testing.assert_array_equal(md.max_unpool2d(x, 5, (2, 3)), expected)


def test_unpooling_into_one_place_then_convolving_is_a_strided_transposed_convolution():
    """The convolution meets one number and zeros around it, as if it spread the turned kernel from there."""
    x, W = RNG.standard_normal((2, 4, 5, 3)), RNG.standard_normal((3, 3, 3, 2))
    turned = np.ascontiguousarray(W[::-1, ::-1].swapaxes(2, 3))
    np.testing.assert_allclose(
        md.conv2d(md.max_unpool2d(x, 0, 2), W, padding=1),
        md.conv_transpose2d(x, turned, stride=2, padding=1, output_padding=1), rtol=1e-12, atol=1e-12)


def test_its_gradient_gathers_and_the_gradient_of_that_unpools():
    x = md.Tensor(RNG.standard_normal((2, 6, 4, 3)))
    y, indices = md.max_pool2d(x, 2, return_indices=True)
    y = md.Tensor(y.numpy(), requires_grad=True)
    v, w = RNG.standard_normal(x.shape), RNG.standard_normal(y.shape)
    chosen = md.max_unpool2d(np.ones(y.shape), indices.numpy(), 2) != 0
    gather = lambda image: np.where(chosen, image, 0).reshape(2, 3, 2, 2, 2, 3).sum((2, 4))
    first = md.grad(md.sum(md.max_unpool2d(y, indices, 2) ** 2 * v), y, create_graph=True)
    np.testing.assert_allclose(first.numpy(), 2 * y.numpy() * gather(v), rtol=1e-12)
    np.testing.assert_allclose(md.grad(md.sum(first * w), y).numpy(), 2 * w * gather(v), rtol=1e-12)


def test_pooling_undoes_unpooling_of_positive_numbers():
    x = RNG.random((3, 4, 4, 2), dtype=np.float32) + 1
    places = RNG.integers(0, 9, x.shape)
    y, indices = md.max_pool2d(md.max_unpool2d(x, places, 3), 3, return_indices=True)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(indices, places)


def test_places_are_constants_as_small_as_the_window_allows():
    x = md.Tensor(np.zeros((1, 34, 34, 1), np.float32), requires_grad=True)
    for kernel, dtype in ((2, np.uint8), (17, np.uint16)):
        _, indices = md.max_pool2d(x, kernel, return_indices=True)
        assert indices.dtype == dtype and not indices.requires_grad


def test_nothing_waits_for_the_device_or_brings_arrays_to_it():
    x = md.Tensor(RNG.standard_normal((2, 6, 6, 3)).astype(np.float32), device=install(), requires_grad=True)
    with counting() as c:
        y, indices = md.max_pool2d(x, 3, 2, 1, return_indices=True)
        y = md.max_unpool2d(y, indices, 3, 2, 1, (6, 6)) + md.upsample(md.max_unpool2d(y, 0, 1), 2)
        g = md.grad(md.sum(y * y), x, create_graph=True)
        md.sum(g * g).backward()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for


X = np.ones((1, 3, 4, 2), np.float32)
PLACES = np.zeros(X.shape, np.uint8)


@pytest.mark.parametrize("arguments, sentence", [
    ((X, PLACES[:, :2], 2), r"indices are integers of x's shape \(1, 3, 4, 2\), not uint8 of shape \(1, 2, 4, 2\); "),
    ((X, X, 2), r"not float32 of shape \(1, 3, 4, 2\)"),
    ((X, [[0]], 2), "not list"),
    ((X, PLACES + 4, 2), "indices are places in a window of 2x2, 0 to 3, not 4 to 4; those of PyTorch count in the wh"),
    ((X, PLACES.astype(int) - 1, 2), "0 to 3, not -1 to -1"),
    ((X, md.Tensor(PLACES + 9), 3), "0 to 8, not 9 to 9"),
    ((X, 4, 2), "0 to 3, not 4 to 4"),
    ((X, PLACES, 2, None, 0, (6, 10)), r"an image of 6x10 has \(3, 5\) windows of \(2, 2\) with stride \(2, 2\), padd"
                                       r"ing \(0, 0\); x has shape \(1, 3, 4, 2\)"),
    ((X, PLACES, 2, None, 0, 0), "output_size is a whole number of 1 or more"),
    ((X, PLACES, 2, None, 2), "above half of kernel_size"),
    ((X[0], PLACES[0], 2), r"max_unpool2d: x is float32 of shape \(3, 4, 2\); images are floats"),
])
def test_what_does_not_fit_is_named(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        md.max_unpool2d(*arguments)
