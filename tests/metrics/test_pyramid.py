"""Laplacian pyramids against the definition by hand, exact reconstruction, and patches in their places."""
import numpy as np
import pytest

from minidl import InputError
from minidl.metrics import collapse_pyramid, laplacian_pyramid, random_patches
from minidl.metrics.pyramid import normalized_patches, patches_at
from tests.standin.device import install

RNG = np.random.default_rng(0)


def blurred(x, gain=1.0):
    """(N, H, W, C), mirrored at the border, with the five numbers 1 4 6 4 1 along both sides."""
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    weights = np.array([1, 4, 6, 4, 1]) / 16
    return gain * sum(weights[i] * weights[j] * padded[:, i:i + x.shape[1], j:j + x.shape[2]]
                      for i in range(5) for j in range(5))


def test_a_level_is_what_the_halved_image_lacks():
    x = RNG.random((2, 12, 9, 3))
    half = blurred(x)[:, ::2, ::2]
    stuffed = np.zeros_like(x)
    stuffed[:, ::2, ::2] = half
    quarter = blurred(half)[:, ::2, ::2]
    stuffed_half = np.zeros_like(half)
    stuffed_half[:, ::2, ::2] = quarter
    expected = [x - blurred(stuffed, 4), half - blurred(stuffed_half, 4), quarter]
    for found, wanted in zip(laplacian_pyramid(x, 3), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-14)


@pytest.mark.parametrize("shape, levels", [((3, 32, 32, 3), 6), ((2, 28, 17, 1), 5), ((1, 8, 8), 1), ((2, 5, 3, 2), 3)])
def test_a_pyramid_gives_the_images_back(shape, levels):
    x = RNG.random(shape)
    pyramid = laplacian_pyramid(x, levels)
    assert len(pyramid) == levels
    np.testing.assert_allclose(collapse_pyramid(pyramid), x.reshape(*shape[:3], -1), atol=1e-15 * 8)
    single = laplacian_pyramid(x.astype(np.float32), levels)
    assert all(level.dtype == np.float32 for level in single)
    np.testing.assert_allclose(collapse_pyramid(single), x.reshape(*shape[:3], -1), atol=1e-6)


def test_images_of_one_grey_have_empty_levels_but_for_the_last():
    *finer, last = laplacian_pyramid(np.full((2, 24, 20), 0.7), 3)
    assert max(np.abs(level).max() for level in finer) < 1e-15
    np.testing.assert_allclose(last, 0.7, rtol=1e-15)


def test_patches_stand_where_they_were_asked_for_image_after_image():
    x = RNG.random((3, 9, 11, 2))
    rows, columns = RNG.integers(3, size=12), RNG.integers(5, size=12)
    found = patches_at(x, rows, columns, 7)
    expected = [x[i // 4, rows[i]:rows[i] + 7, columns[i]:columns[i] + 7] for i in range(12)]
    np.testing.assert_array_equal(found, expected)


def test_random_patches_reach_every_place_and_no_other():
    places = np.arange(5 * 6.0).reshape(1, 5, 6, 1) + 100 * np.arange(2)[:, None, None, None]
    corners = random_patches(places, 400, size=3, rng=0)[:, 0, 0, 0]
    allowed = {r * 6 + c for r in range(3) for c in range(4)}
    assert set(corners[:400]) == allowed and set(corners[400:] - 100) == allowed
    np.testing.assert_array_equal(random_patches(places, 2, size=5, rng=0).shape, (4, 5, 5, 1))


def test_normalized_patches_have_mean_zero_and_deviation_one_in_each_channel():
    patches = (RNG.random((3000, 3, 5, 3)) * [1, 10, 0.1] + [5, 0, -3]).astype(np.float32)
    rows = normalized_patches(patches)
    expected = (patches - patches.mean((0, 1, 2), np.float64)) / patches.std((0, 1, 2), np.float64)
    np.testing.assert_allclose(rows, expected.reshape(3000, -1), atol=1e-4)
    channels = rows.reshape(3000, -1, 3).astype(float)
    np.testing.assert_allclose(channels.mean((0, 1)), 0, atol=5e-5)
    np.testing.assert_allclose(channels.std((0, 1)), 1, rtol=1e-5)
    patches[..., 1] = 0.3
    flat = normalized_patches(patches, least=1e-6).reshape(3000, -1, 3)
    assert (flat[..., 1] == 0).all() and flat[..., 0].std() == pytest.approx(1, rel=1e-4)


def test_on_a_device_it_is_the_same():
    device, x = install(), RNG.random((3, 12, 10, 2)).astype(np.float32)
    for found, wanted in zip(laplacian_pyramid(device.put(x), 2), laplacian_pyramid(x, 2), strict=True):
        np.testing.assert_array_equal(found.get(), wanted)
    np.testing.assert_array_equal(collapse_pyramid(laplacian_pyramid(device.put(x), 2)).get(),
                                  collapse_pyramid(laplacian_pyramid(x, 2)))
    found = normalized_patches(random_patches(device.put(x), 5, size=4, rng=0))
    np.testing.assert_array_equal(found.get(), normalized_patches(random_patches(x, 5, size=4, rng=0)))


X = np.random.default_rng(1).random((4, 16, 12, 3)).astype(np.float32)


@pytest.mark.parametrize("call, sentence", [
    (lambda: laplacian_pyramid(X, 6), "16 x 12 have at most 5 levels"),
    (lambda: laplacian_pyramid(X, 0), "levels is a whole number of at least 1"),
    (lambda: laplacian_pyramid(X[0, 0], 1), r"\(N, H, W, C\)"),
    (lambda: laplacian_pyramid(np.where(X > 0.9, np.inf, X), 1), "not finite"),
    (lambda: collapse_pyramid(X), "the list of levels"),
    (lambda: collapse_pyramid([X, X]), "above one of half its size"),
    (lambda: random_patches(X, 1, size=13, rng=0), "squares of 13 pixels do not fit into images of 16 x 12"),
    (lambda: random_patches(X, 0, rng=0), "n is a whole number"),
])
def test_what_has_no_pyramid_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
