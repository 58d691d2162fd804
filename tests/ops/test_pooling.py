"""Pooling and resampling against loops over the windows, for drawn geometries; ties, memory blocks, bad input."""
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl as md
from minidl.errors import InputError
from minidl.ops import pooling
from tests.standin.device import counting, install

RNG = np.random.default_rng(0)


@st.composite
def geometries(draw):
    """An image batch's shape, kernel, stride and padding that fit."""
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = [draw(st.integers(max(1, k - 2 * p), 7)) for k, p in zip(kernel, padding, strict=True)]
    stride = draw(st.one_of(st.none(), st.tuples(st.integers(1, 4), st.integers(1, 4))))
    return (draw(st.integers(0, 3)), *size, draw(st.integers(1, 3))), kernel, stride, padding


def windows(x, kernel, stride, padding, border):
    """Each window (KH, KW) of the padded images, with its place in the pooled result."""
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride or kernel, padding
    x = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)), constant_values=border)
    for n, i, j, c in np.ndindex(len(x), (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1, x.shape[3]):
        yield (n, i, j, c), x[n, i * sh:i * sh + kh, j * sw:j * sw + kw, c]


def gradient_by_loops(x, g, kernel, stride, padding, share):
    """`share(window)` says which part of its gradient a window gives to each of its places."""
    pixels = np.arange(x.size).reshape(x.shape)
    gx = np.zeros(x.size + 1)                                                   # the last one is the padding
    places = dict(windows(pixels, kernel, stride, padding, x.size))
    for place, window in windows(x, kernel, stride, padding, -np.inf):
        np.add.at(gx, places[place], g[place] * share(window))
    return gx[:-1].reshape(x.shape)


def first_maximum(window):
    chosen = np.zeros(window.size)
    chosen[window.argmax()] = 1.0                                               # NumPy's argmax is the first
    return chosen.reshape(window.shape)


def check_by_loops(f, x, geometry, border, reduce, share):
    t = md.Tensor(x, requires_grad=True)
    y = f(t, *geometry)
    for place, window in windows(x, *geometry, border):
        np.testing.assert_allclose(y.data[place], reduce(window), rtol=1e-12)
    g = RNG.integers(1, 9, y.shape).astype(x.dtype)
    y.backward(g)
    np.testing.assert_allclose(t.grad.numpy(), gradient_by_loops(x, g, *geometry, share), rtol=1e-12)


@settings(max_examples=60)
@given(geometries(), st.booleans())
def test_max_pooling_is_the_windows_maximum_and_the_first_of_several_takes_the_gradient(drawn, many_ties):
    shape, *geometry = drawn
    x = RNG.integers(-3, 0 if many_ties else 1000, shape).astype(np.float64)
    check_by_loops(md.max_pool2d, x, geometry, -np.inf, np.max, first_maximum)


@settings(max_examples=60)
@given(geometries())
def test_average_pooling_is_the_windows_mean_and_padding_counts_as_zeros(drawn):
    shape, *geometry = drawn
    check_by_loops(md.avg_pool2d, RNG.standard_normal(shape), geometry, 0.0, np.mean, lambda window: 1 / window.size)


def test_the_blocks_of_images_do_not_show(monkeypatch):
    x = RNG.integers(0, 4, (7, 6, 6, 2)).astype(np.float32)

    def results():
        found = []
        for f in [lambda t: md.max_pool2d(t, 2), lambda t: md.max_pool2d(t, 3, 2, 1), lambda t: md.avg_pool2d(t, 3, 1),
                  lambda t: md.upsample(t, 2)]:
            t = md.Tensor(x, requires_grad=True)
            y = f(t)
            md.sum(y * y).backward()
            found += [y.numpy(), t.grad.numpy()]
        return found

    whole = results()
    for numbers in (1, 2 * x[0].size, 100 * x.size):
        monkeypatch.setattr(pooling, "_BLOCK", numbers)
        for a, b in zip(results(), whole, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_tie_with_the_border_or_between_zeros_goes_to_the_first_pixel():
    x = md.Tensor(np.full((1, 2, 2, 1), -np.inf, np.float32), requires_grad=True)
    y = md.max_pool2d(x, 2, 2, 1)                    # four windows, each of one pixel and three places of padding
    assert (y.numpy() == -np.inf).all()
    y.backward(np.arange(4.0).reshape(1, 2, 2, 1))
    np.testing.assert_array_equal(x.grad.numpy().reshape(-1), np.arange(4))
    zeros = md.Tensor(np.array([-0.0, 0.0, 0.0, -0.0], np.float32).reshape(1, 2, 2, 1), requires_grad=True)
    md.max_pool2d(zeros, 2).backward(np.ones((1, 1, 1, 1)))
    np.testing.assert_array_equal(zeros.grad.numpy().reshape(-1), [1, 0, 0, 0])


def test_a_window_of_more_places_than_a_byte_counts():
    x = np.zeros((1, 17, 17, 2))
    x[0, 16, 15, 0] = x[0, 15, 16, 1] = 1.0          # places 287 and 271 of 289
    t = md.Tensor(x, requires_grad=True)
    md.max_pool2d(t, 17).backward(np.ones((1, 1, 1, 2)))
    np.testing.assert_array_equal(t.grad.numpy(), x)


def test_the_gradient_of_max_pooling_differentiates_to_the_chosen_pixels():
    """y = max(x)^2 has the gradient 2 max(x) at the maximum, and that the gradient 2 there."""
    x = md.Tensor(np.array([3.0, 7.0, 7.0, 5.0]).reshape(1, 2, 2, 1), requires_grad=True)
    g = md.grad(md.sum(md.max_pool2d(x, 2) ** 2), x, create_graph=True)
    np.testing.assert_array_equal(g.numpy().reshape(-1), [0, 14, 0, 0])
    np.testing.assert_array_equal(md.grad(md.sum(g * [[[[1.0], [10.0]], [[100.0], [1000.0]]]]), x).numpy().reshape(-1),
                                  [0, 20, 0, 0])


@settings(max_examples=30)
@given(st.tuples(*[st.integers(1, 5)] * 4), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_nearest_upsampling_repeats_each_pixel(shape, scale):
    x = RNG.standard_normal(shape)
    np.testing.assert_array_equal(md.upsample(x, scale), x.repeat(scale[0], 1).repeat(scale[1], 2))


@settings(max_examples=30)
@given(st.tuples(*[st.integers(1, 5)] * 4), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_bilinear_upsampling_interpolates_between_the_pixels_centres_and_is_flat_beyond_them(shape, scale):
    x = RNG.standard_normal(shape)
    y = x
    for axis, s in zip((1, 2), scale, strict=True):
        n = shape[axis]
        at = (np.arange(n * s) + 0.5) / s - 0.5
        y = np.apply_along_axis(partial(np.interp, at, np.arange(n)), axis, y)
    np.testing.assert_allclose(md.upsample(x, scale, "bilinear"), y, rtol=1e-12, atol=1e-12)


def test_average_pooling_undoes_nearest_upsampling():
    x = RNG.standard_normal((2, 3, 4, 2))
    np.testing.assert_allclose(md.avg_pool2d(md.upsample(x, 2), 2), x, rtol=1e-14)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_an_empty_batch_stays_empty(mode):
    x = md.Tensor(np.zeros((0, 4, 4, 3), np.float32), requires_grad=True)
    y = md.upsample(md.avg_pool2d(md.max_pool2d(x, 2), 2), 3, mode)
    assert y.shape == (0, 3, 3, 3)
    md.sum(y).backward()
    assert x.grad.shape == x.shape


def test_nothing_waits_for_the_device_or_brings_arrays_to_it():
    x = md.Tensor(np.ones((2, 6, 6, 3), np.float32), device=install(), requires_grad=True)
    with counting() as c:
        y = md.upsample(md.upsample(md.avg_pool2d(md.max_pool2d(x, 3, 2, 1), 3), 2), 2, "bilinear")
        g = md.grad(md.sum(y * y), x, create_graph=True)
        md.sum(g * g).backward()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for


@pytest.mark.parametrize("f, arguments, sentence", [
    (md.max_pool2d, (0,), r"max_pool2d: kernel_size is a whole number of 1 or more, or a pair of them, not 0"),
    (md.avg_pool2d, (2.0,), "avg_pool2d: kernel_size is a whole number of 1 or more, or a pair of them, not 2.0"),
    (md.max_pool2d, ((2, 2, 2),), r"a pair of them, not \(2, 2, 2\)"),
    (md.max_pool2d, (2, 0), "stride is a whole number of 1 or more"),
    (md.avg_pool2d, (2, None, -1), "padding is a whole number of 0 or more, or a pair of them, not -1"),
    (md.max_pool2d, (3, 1, (1, 2)), r"padding \(1, 2\) is above half of kernel_size \(3, 3\)"),
    (md.max_pool2d, (9, 1, 1), r"max_pool2d: a window of 9x9 does not fit into images of 8x10 with their padding; x "
                               r"has shape \(1, 6, 8, 2\), padding is \(1, 1\)"),
    (md.avg_pool2d, ((1, 9),), "a window of 1x9 does not fit into images of 6x8"),
    (md.upsample, (0,), "upsample: scale_factor is a whole number of 1 or more, or a pair of them, not 0"),
    (md.upsample, (1.5, "bilinear"), "upsample: scale_factor is a whole number of 1 or more, .*, not 1.5"),
    (md.upsample, (2, "cubic"), "upsample: mode is 'nearest' or 'bilinear', not 'cubic'"),
])
def test_sizes_that_do_not_fit_are_named(f, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        f(md.Tensor(np.zeros((1, 6, 8, 2), np.float32)), *arguments)


@pytest.mark.parametrize("f", [md.max_pool2d, md.avg_pool2d, md.upsample])
def test_what_is_no_batch_of_images_is_refused(f):
    with pytest.raises(InputError, match=rf"{f.__name__}: x is float32 of shape \(6, 8, 2\); images are floats \(N, H"):
        f(md.Tensor(np.zeros((6, 8, 2), np.float32)), 2)
    with pytest.raises(InputError, match="x is uint8 of shape"):
        f(np.zeros((1, 6, 8, 2), np.uint8), 2)


# Sizes rounded up, and any size --------------------------------------------------------------------------------------


def test_rounded_up_a_last_window_reaches_beyond_the_image():
    x = md.Tensor(np.arange(1.0, 6.0).reshape(1, 5, 1, 1))
    assert md.max_pool2d(x, (2, 1), ceil_mode=True).numpy().ravel().tolist() == [2, 4, 5]
    assert md.avg_pool2d(x, (2, 1), ceil_mode=True).numpy().ravel().tolist() == [1.5, 3.5, 5]
    assert md.avg_pool2d(x, (4, 1), (2, 1), (1, 0), ceil_mode=True).numpy().ravel().tolist() == [1.5, 3.5, 3]
    assert md.max_pool2d(x, (2, 1), (3, 1), ceil_mode=True).shape == (1, 2, 1, 1)       # a third would begin outside
    assert md.max_pool2d(x, (9, 1), ceil_mode=True).numpy().ravel().tolist() == [5]


def test_unpooling_knows_sizes_that_were_rounded_up():
    x = md.Tensor(RNG.standard_normal((2, 5, 7, 3)))
    y, indices = md.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
    back = md.max_unpool2d(y, indices, 2, output_size=(5, 7)).numpy()
    assert y.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(back[back != 0], x.numpy()[back != 0])
    np.testing.assert_array_equal(md.max_pool2d(np.where(back == 0, -np.inf, back), 2, ceil_mode=True), y.numpy())


def test_interpolation_keeps_straight_lines_between_the_outermost_middles():
    x = np.arange(6.0).reshape(1, 6, 1, 1)
    middles = (np.arange(15) + 0.5) * 6 / 15 - 0.5
    np.testing.assert_allclose(md.interpolate(x, (15, 1)).ravel(), middles.clip(0, 5), atol=1e-12)
    np.testing.assert_allclose(md.interpolate(x, (3, 1)).ravel(), [0.5, 2.5, 4.5])
    with pytest.raises(md.InputError, match="interpolate: size is a whole number of 1 or more, .* not 0"):
        md.interpolate(x, 0)


def test_the_mean_of_a_window_of_float16_is_finite_where_its_sum_is_not():
    x = np.full((1, 3, 3, 2), 40_000, np.float16)
    for ceil_mode in (False, True):
        y = md.avg_pool2d(md.Tensor(x), 2, ceil_mode=ceil_mode)
        assert y.dtype == np.float16 and (y.numpy() == x[0, 0, 0, 0]).all()
