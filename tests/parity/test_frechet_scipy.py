"""The Fréchet distance against SciPy's matrix square root."""
import numpy as np
import pytest

from minidl.metrics import frechet_distance

linalg = pytest.importorskip("scipy.linalg")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("n, d", [(500, 64), (40, 64), (64, 64)])
def test_it_is_that_of_scipys_square_root(n, d):
    rng = np.random.default_rng(n)
    mix = rng.standard_normal((d, d)) / np.sqrt(d)
    a, b = (np.maximum(rng.standard_normal((n, d)) @ mix + shift, 0) for shift in (0, 0.1))
    A, B, mean = np.cov(a.T), np.cov(b.T), a.mean(0) - b.mean(0)
    expected = mean @ mean + np.trace(A) + np.trace(B) - 2 * np.trace(np.real(linalg.sqrtm(A @ B)))
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-6 * (np.trace(A) + np.trace(B)) + 1e-9)
