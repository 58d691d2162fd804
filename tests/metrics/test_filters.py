"""Whether filters are edges: gratings, Gabor functions, blobs and noise."""
import numpy as np
import pytest

from minidl.errors import InputError
from minidl.metrics.filters import gabor_fit, orientation_selectivity

rng = np.random.default_rng(0)
y, x = np.mgrid[:8, :8] - 3.5


def gabor(theta, *, frequency=0.18, phase=0.0, width=2.0):
    return np.exp(-(x**2 + y**2) / (2 * width**2)) * np.cos(
        2 * np.pi * frequency * (x * np.cos(theta) + y * np.sin(theta)) + phase)


def test_a_grating_is_more_selective_than_noise_and_a_blob_is_not_at_all():
    gratings = [np.cos(2 * np.pi * 0.25 * (x * np.cos(t) + y * np.sin(t))) for t in np.linspace(0, 3, 7)]
    assert orientation_selectivity(gratings).min() > 0.6
    blob = np.exp(-(x**2 + y**2) / 4)
    assert orientation_selectivity([blob])[0] < 0.02
    assert np.median(orientation_selectivity(rng.standard_normal((200, 8, 8)))) < 0.25


def test_selectivity_depends_neither_on_orientation_nor_on_size_or_sign():
    values = orientation_selectivity([gabor(t) for t in np.linspace(0, np.pi, 9)])
    assert values.min() > 0.4 and np.ptp(values) < 0.06
    filters = rng.standard_normal((5, 8, 8))
    np.testing.assert_allclose(orientation_selectivity(-3 * filters), orientation_selectivity(filters))
    np.testing.assert_allclose(orientation_selectivity(filters.transpose(0, 2, 1)), orientation_selectivity(filters))


def test_two_crossed_gratings_cancel():
    crossed = np.cos(2 * np.pi * 0.25 * x) + np.cos(2 * np.pi * 0.25 * y)
    assert orientation_selectivity([crossed])[0] < 1e-6


def test_a_gabor_function_is_its_own_fit_and_noise_has_none():
    x0, y0 = np.meshgrid(np.arange(8), np.arange(8))
    across = (x0 - 5) * np.cos(np.pi / 4) + (y0 - 2) * np.sin(np.pi / 4)
    exact = np.exp(-((x0 - 5)**2 + (y0 - 2)**2) / 8) * np.cos(2 * np.pi * 0.25 * across + 0.7)
    between = [gabor(t, phase=t) for t in np.linspace(0, 3, 5)]                            # the grid's places
    shares = gabor_fit([exact, *between, *rng.standard_normal((50, 8, 8))])
    assert shares[0] == pytest.approx(1, abs=1e-9) and shares[1:6].min() > 0.9 and shares.max() < 1 + 1e-9
    assert np.median(shares[6:]) < 0.25


def test_filters_without_a_response_count_as_0_and_other_shapes_get_a_sentence():
    for measure in (orientation_selectivity, gabor_fit):
        assert measure(np.zeros((2, 8, 8))).tolist() == [0, 0]
        with pytest.raises(InputError, match=r"\(N, H, W\), not \(8, 8\)"):
            measure(np.zeros((8, 8)))
