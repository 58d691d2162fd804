"""SSIM and MS-SSIM window by window from their definitions, closed forms for images of one grey, and error bars."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError
from minidl.metrics import ms_ssim, ms_ssim_within, similarity, ssim
from tests.standin.device import install

RNG = np.random.default_rng(0)
PAPER = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def smooth(*shape):
    """Random images in [0, 1] with structure at several scales."""
    x = RNG.random(shape)
    for axis in (1, 2):
        for step in (1, 2, 4):
            x = (x + np.roll(x, step, axis)) / 2
    return (x - x.min()) / (x.max() - x.min())


def under_windows(x, y, data_range=1.0):
    """Luminance and contrast at every place of the window, from the definition: (H, W) -> (H - 10, W - 10) each."""
    across = np.exp(-(np.arange(11) - 5.0)**2 / (2 * 1.5**2))
    weight = np.outer(across, across) / across.sum()**2
    u, v = (np.lib.stride_tricks.sliding_window_view(image, (11, 11)) for image in (x, y))

    def mean(values):
        return np.einsum("ijkl,kl->ij", values, weight)

    mu, mv = mean(u), mean(v)
    du, dv = u - mu[..., None, None], v - mv[..., None, None]
    c1, c2 = (0.01 * data_range)**2, (0.03 * data_range)**2
    return (2 * mu * mv + c1) / (mu**2 + mv**2 + c1), (2 * mean(du * dv) + c2) / (mean(du**2) + mean(dv**2) + c2)


def by_definition(x, y, weights):
    product = 1.0
    for i, weight in enumerate(weights):
        if i:
            x, y = (image[:len(image) // 2 * 2, :image.shape[1] // 2 * 2].reshape(
                len(image) // 2, 2, image.shape[1] // 2, 2).mean((1, 3)) for image in (x, y))
        luminance, contrast = under_windows(x, y)
        product *= max((contrast * luminance if i == len(weights) - 1 else contrast).mean(), 0.0)**weight
    return product


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_ssim_is_its_definition_window_by_window_and_the_mean_of_channels(dtype, tolerance):
    x, y = smooth(2, 13, 45, 3).astype(dtype), smooth(2, 13, 45, 3).astype(dtype)
    y[0] = 0.9 * x[0] + 0.05
    expected = [np.mean([np.prod(under_windows(a[..., c], b[..., c]), 0).mean() for c in range(3)])
                for a, b in zip(x.astype(float), y.astype(float), strict=True)]
    found = ssim(x, y)
    assert found.shape == (2,) and found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=tolerance)
    np.testing.assert_allclose(ssim(x * 255, y * 255, data_range=255), expected, atol=tolerance)


def test_ms_ssim_is_its_definition_at_five_scales():
    x = smooth(1, 177, 176).astype(np.float32)
    y = np.clip(x + 0.1 * RNG.standard_normal(x.shape), 0, 1).astype(np.float32)
    expected = by_definition(x[0].astype(float), y[0].astype(float), PAPER)
    assert 0.3 < expected < 0.99
    np.testing.assert_allclose(ms_ssim(x.astype(float), y.astype(float)), [expected], atol=1e-13)
    np.testing.assert_allclose(ms_ssim(x, y), [expected], atol=1e-6)


def test_fewer_scales_have_their_weights_made_to_add_up_to_one():
    x, y = smooth(3, 45, 47), smooth(3, 45, 47)
    y[:2] = 0.5 * y[:2] + 0.5 * x[:2]
    weights = np.array(PAPER[:3]) / sum(PAPER[:3])
    expected = [by_definition(a, b, weights) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ms_ssim(x, y, scales=3), expected, atol=1e-13)
    np.testing.assert_allclose(ms_ssim(x, y, weights=list(weights)), expected, atol=1e-13)
    np.testing.assert_allclose(ms_ssim(x, y, weights=[1.0]), np.maximum(ssim(x, y), 0), atol=1e-13)


def test_images_of_one_grey_differ_in_luminance_alone():
    a, b = np.full((2, 32, 32), 0.9, np.float32), np.full((2, 32, 32), 0.6, np.float32)
    luminance = (2 * 0.9 * 0.6 + 1e-4) / (0.81 + 0.36 + 1e-4)
    np.testing.assert_allclose(ssim(a, b), luminance, rtol=1e-6)
    np.testing.assert_allclose(ms_ssim(a, b, weights=[0.5, 0.25]), luminance**0.25, rtol=1e-6)
    assert (ssim(a, a) == 1).all() and (ms_ssim(0 * a, 0 * a, scales=2) == 1).all()


def test_large_grey_areas_keep_their_digits_in_float32():
    x, y = (np.kron(RNG.random((4, 3, 3)), np.ones((16, 16))).astype(np.float32) for _ in range(2))
    np.testing.assert_allclose(ssim(x, y), ssim(x.astype(float), y.astype(float)), atol=2e-5)


def test_a_negative_is_unlike_and_counts_as_nothing_at_several_scales():
    x = smooth(2, 32, 32)
    assert (ssim(x, 1 - x) < -0.3).all() and (ms_ssim(x, 1 - x, scales=2) == 0).all()
    assert (ssim(x, x) == 1).all() and (ms_ssim(x, x, scales=2) == 1).all()


def test_the_more_noise_the_less_similar_and_the_order_of_a_pair_does_not_matter():
    x, noise = smooth(4, 48, 48), RNG.standard_normal((4, 48, 48))
    found = np.array([ms_ssim(x, np.clip(x + sd * noise, 0, 1), scales=3) for sd in (0, 0.02, 0.05, 0.1, 0.3)])
    assert (np.diff(found, axis=0) < -0.002).all()
    y = np.clip(x + noise, 0, 1)
    np.testing.assert_allclose(ms_ssim(x, y, scales=3), ms_ssim(y, x, scales=3), rtol=1e-12)


def test_bytes_and_tensors_and_grey_images_without_a_channel_are_read():
    x, y = ((smooth(2, 16, 16, 1) * 255).astype(np.uint8) for _ in range(2))
    expected = ssim(x / 255.0, y / 255.0)
    for given in ((x, y), (x[..., 0], y), (x.tolist(), y), (md.Tensor(x.astype(np.float32)), y)):
        np.testing.assert_allclose(ssim(*given, data_range=255), expected, atol=1e-6)


# Within a set ---------------------------------------------------------------------------------------------------------


def test_all_pairs_of_a_set_give_its_exact_mean_and_a_set_of_copies_is_one():
    x = smooth(7, 24, 24)
    found = ms_ssim_within(x, pairs=21, rng=0, scales=2)
    exact = np.mean([ms_ssim(x[i:i + 1], x[j:j + 1], scales=2)[0] for i in range(7) for j in range(i)])
    assert found.value == pytest.approx(exact, rel=1e-12) and 0 < found.error < 0.2
    assert ms_ssim_within(np.repeat(x[:1], 5, 0), pairs=10, rng=0, scales=2) == (1.0, 0.0)


def test_pairs_are_drawn_before_and_not_by_blocks(monkeypatch):
    x = smooth(9, 16, 16)
    whole = ms_ssim_within(x, pairs=20, rng=3, scales=1)
    monkeypatch.setattr(similarity, "_PIXELS", 3 * 16 * 16)
    assert ms_ssim_within(x, pairs=20, rng=3, scales=1) == pytest.approx(whole, rel=1e-12)
    assert ms_ssim_within(x, pairs=20, rng=4, scales=1).value != whole.value


def test_the_standard_error_is_the_spread_over_sets_also_where_pairs_share_images():
    rng = np.random.default_rng(0)
    greys = rng.uniform(0.1, 1, (250, 10))
    found = np.array([ms_ssim_within(np.broadcast_to(row[:, None, None], (10, 11, 11)), pairs=40, rng=rng, scales=1)
                      for row in greys])
    one_pair = ms_ssim_within(np.broadcast_to(greys.reshape(-1, 1, 1), (2500, 11, 11)), pairs=2500, rng=0, scales=1)
    spread, naive = found[:, 0].std(), one_pair.error * (2500 / 40)**0.5
    assert np.sqrt((found[:, 1]**2).mean()) == pytest.approx(spread, rel=0.12)
    assert spread > 1.3 * naive                                # pairs taken for independent would promise too much


# On a device, and refused ---------------------------------------------------------------------------------------------


def test_on_a_device_it_is_the_same():
    device = install()
    x, y = smooth(5, 24, 24, 2).astype(np.float32), smooth(5, 24, 24, 2).astype(np.float32)
    for measure in (ssim, lambda a, b: ms_ssim(a, b, scales=2)):
        np.testing.assert_array_equal(measure(device.put(x), device.put(y)).get(), measure(x, y))
    assert ms_ssim_within(device.put(x), pairs=5, rng=0, scales=2) == ms_ssim_within(x, pairs=5, rng=0, scales=2)
    with pytest.raises(InputError, match="'standin' and 'cpu'"):
        ssim(device.put(x), y)


X = np.random.default_rng(1).random((4, 64, 64)).astype(np.float32)


@pytest.mark.parametrize("call, sentence", [
    (lambda: ssim(X, X[:, :32]), r"one height, width and number of channels, not \(64, 64, 1\) and \(32, 64, 1\)"),
    (lambda: ssim(X, X[:3]), "there are 4 and 3"),
    (lambda: ssim(X[0], X[0]), r"\(N, H, W\) if they are grey, not \(64, 64\)"),
    (lambda: ssim(X[:, :10], X[:, :10]), "window has 11 pixels, and images of 10 x 64 are smaller; enlarge"),
    (lambda: ssim(2 * X - 1, X), r"between 0 and data_range, 1, not between -.*tanh by \(x \+ 1\) / 2"),
    (lambda: ssim(X, 255 * X), "data_range=255"),
    (lambda: ssim(X, np.where(X > 0.9, np.nan, X)), "not finite"),
    (lambda: ssim(X, X, data_range=0), "data_range is a finite number above 0"),
    (lambda: ms_ssim(X, X), "5 scales need sides of 176 pixels.* 64 x 64 fit 3: say scales=3"),
    (lambda: ms_ssim(X, X, scales=4), "4 scales need sides of 88"),
    (lambda: ms_ssim(X, X, scales=6), "6 scales have as many weights=, not 5"),
    (lambda: ms_ssim(X, X, weights=[]), "weights are numbers, one for each scale"),
    (lambda: ms_ssim(X, X, weights=[1, -1]), "a weight is a finite number of at least 0"),
    (lambda: ms_ssim_within(X, rng=0, scales=2), "4 images have 6 pairs, and 1000 are asked for; give 46 images"),
    (lambda: ms_ssim_within(X, pairs=1, rng=0, scales=2), "pairs is a whole number of at least 2"),
])
def test_what_cannot_be_compared_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
