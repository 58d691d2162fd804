"""Initial values: their variance against the closed form, within five standard errors of a sample variance."""
import math

import numpy as np
import pytest

from minidl.errors import InputError
from minidl.nn import init

SHAPE = (300, 200)
FANS = {SHAPE: (300, 200), (3, 5, 40, 60): (15 * 40, 15 * 60)}          # a kernel's positions multiply both


def variance_is(values, expected, kurtosis):
    """The sample variance of n values has the standard error variance * sqrt((kurtosis - 1) / n)."""
    n = values.size
    error = expected * math.sqrt((kurtosis - 1) / n)
    assert abs(values.astype(np.float64).var() - expected) < 5 * error
    assert abs(values.astype(np.float64).mean()) < 5 * math.sqrt(expected / n)


UNIFORM, NORMAL = 9 / 5, 3.0                                             # their kurtosis


@pytest.mark.parametrize("shape", FANS, ids=str)
@pytest.mark.parametrize("function, kurtosis, arguments, expected", [
    (init.glorot_uniform, UNIFORM, {}, lambda i, o: 2 / (i + o)),
    (init.glorot_uniform, UNIFORM, {"gain": 1.7}, lambda i, o: 1.7**2 * 2 / (i + o)),
    (init.glorot_normal, NORMAL, {"gain": 0.5}, lambda i, o: 0.25 * 2 / (i + o)),
    (init.he_uniform, UNIFORM, {}, lambda i, o: 2 / i),
    (init.he_uniform, UNIFORM, {"negative_slope": 0.5}, lambda i, o: 2 / (1.25 * i)),
    (init.he_normal, NORMAL, {}, lambda i, o: 2 / i),
    (init.he_normal, NORMAL, {"negative_slope": 1.0}, lambda i, o: 1 / i),
    (init.uniform, UNIFORM, {}, lambda i, o: 1 / 3),
    (init.normal, NORMAL, {}, lambda i, o: 1e-4),
    (init.normal, NORMAL, {"std": 3.0}, lambda i, o: 9.0),
])
def test_the_variance_is_that_of_the_paper(function, kurtosis, arguments, expected, shape):
    values = function(shape, rng=0, **arguments)
    assert values.shape == shape and values.dtype == np.float32
    variance_is(values, expected(*FANS[shape]), kurtosis)


def test_uniform_stays_within_its_bounds_and_normal_has_its_mean():
    values = init.uniform(SHAPE, rng=0, low=2.0, high=5.0)
    assert 2.0 <= values.min() < 2.01 and 4.99 < values.max() <= 5.0
    assert abs(init.normal(SHAPE, rng=0, mean=4.0, std=1.0).mean() - 4.0) < 5 / math.sqrt(60_000)


@pytest.mark.parametrize("shape", [(7, 7), (12, 5), (5, 12), (3, 3, 4, 8), (1, 6)])
def test_orthogonal_has_orthonormal_columns_or_rows(shape):
    W = init.orthogonal(shape, rng=0, gain=2.0).reshape(-1, shape[-1]).astype(np.float64)
    small = W.T @ W if W.shape[0] >= W.shape[1] else W @ W.T
    np.testing.assert_allclose(small, 4.0 * np.eye(len(small)), atol=2e-6)


def test_orthogonal_is_uniform_over_the_orthogonal_matrices_not_biased_by_the_signs_of_qr():
    """LAPACK's Q alone has a diagonal of one sign; over the uniform (Haar) measure each entry has mean 0."""
    n = 400
    diagonal = np.array([np.diag(init.orthogonal((3, 3), rng=seed)) for seed in range(n)])
    assert np.all(np.abs(diagonal.mean(0)) < 5 * math.sqrt(1 / 3 / n))   # an entry of a random rotation: variance 1/3


@pytest.mark.parametrize("function", [init.uniform, init.normal, init.glorot_uniform, init.glorot_normal,
                                      init.he_uniform, init.he_normal, init.orthogonal])
def test_the_same_seed_gives_the_same_values_and_a_generator_moves_on(function):
    rng = np.random.default_rng(5)
    first, second = function((6, 4), rng=rng), function((6, 4), rng=rng)
    np.testing.assert_array_equal(function((6, 4), rng=5), first)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("shape", [(), (5,)])
def test_a_shape_without_inputs_and_outputs_is_refused(shape):
    with pytest.raises(InputError, match="two axes or more"):
        init.glorot_uniform(shape, rng=0)
