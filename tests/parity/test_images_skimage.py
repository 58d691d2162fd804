"""SSIM against scikit-image, MS-SSIM against pytorch-msssim, and one-dimensional distances against SciPy."""
import numpy as np
import pytest

from minidl import data
from minidl.metrics import ms_ssim, ssim, wasserstein_1d

pytestmark = pytest.mark.parity
RNG = np.random.default_rng(0)


def pairs(side):
    """Random images, crops of photographs and each with noise, and digits in large grey squares."""
    crops = data.crops(4, 88, rng=0).reshape(4, 88, 88, -1).mean(3).astype(float)
    crops = np.kron((crops - crops.min()) / (crops.max() - crops.min()), np.ones((2, 2)))
    digits = np.kron(data.load("digits").x_test[:4, ..., 0].astype(float), np.ones((22, 22)))
    x = np.concatenate([RNG.random((4, 176, 176)), crops, crops, digits])
    y = np.concatenate([RNG.random((4, 176, 176)), crops[::-1], crops + 0.1 * RNG.standard_normal(crops.shape),
                        digits[::-1]])
    return x[:, :side, :side], np.clip(y, 0, 1)[:, :side, :side]


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_ssim_is_scikit_images(dtype, tolerance):
    metrics = pytest.importorskip("skimage.metrics")
    x, y = (images.astype(dtype) for images in pairs(101))
    expected = [metrics.structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                              data_range=1.0) for a, b in zip(*(z.astype(float) for z in (x, y)),
                                                                              strict=True)]
    np.testing.assert_allclose(ssim(x, y)[:12], expected[:12], atol=tolerance)
    np.testing.assert_allclose(ssim(x, y), expected, atol=10 * tolerance)             # grey squares, 22 pixels wide


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_ms_ssim_is_pytorch_msssims(dtype, tolerance):
    torch, theirs = pytest.importorskip("torch"), pytest.importorskip("pytorch_msssim")
    window = torch.exp(-(torch.arange(11, dtype=torch.float64) - 5)**2 / 4.5)        # its own one is rounded to float32
    window = (window / window.sum()).reshape(1, 1, 1, 11)
    x, y = (images.astype(dtype) for images in pairs(176))
    given = (torch.from_numpy(images.astype(float))[:, None] for images in (x, y))
    expected = theirs.ms_ssim(*given, data_range=1.0, size_average=False, win=window).numpy()
    np.testing.assert_allclose(ms_ssim(x, y), expected, atol=tolerance)


@pytest.mark.parametrize("n, m", [(1, 1), (100, 100), (100, 37), (3, 1000)])
def test_distances_of_numbers_are_scipys(n, m):
    stats = pytest.importorskip("scipy.stats")
    a, b = RNG.normal(size=n), RNG.normal(0.5, 2, size=m).round(1)
    assert wasserstein_1d(a, b) == pytest.approx(stats.wasserstein_distance(a, b), rel=1e-12)
