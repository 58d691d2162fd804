"""The Fréchet distance against closed forms, and where covariances are singular."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError
from minidl.metrics import frechet, frechet_distance
from tests.standin.device import install

RNG = np.random.default_rng(0)


def by_nuclear_norm(a, b):
    """Exact whatever the ranks: tr (A B)^1/2 is the nuclear norm of the product of the centred rows."""
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    n, m = len(a) - 1, len(b) - 1
    mean = a.mean(0) - b.mean(0)
    a, b = a - a.mean(0), b - b.mean(0)
    shared = np.linalg.norm(a @ b.T, "nuc") / np.sqrt(n * m)
    return mean @ mean + (a**2).sum() / n + (b**2).sum() / m - 2 * shared


def with_covariance(rows, roots):
    """Rows whose covariance, divided by N - 1, is the square of a diagonal, and whose mean is 0: both exactly."""
    q = np.linalg.qr(RNG.standard_normal((rows, len(roots) + 1)) + np.eye(rows, len(roots) + 1)[:, :1])[0]
    q = np.linalg.qr(np.column_stack([np.ones(rows), q[:, 1:]]))[0][:, 1:]
    return q * (np.sqrt(rows - 1) * np.asarray(roots))


def test_between_gaussians_whose_axes_agree_it_is_the_distance_of_means_and_of_deviations():
    a, b = with_covariance(50, [1.0, 2.0, 3.0]), with_covariance(80, [2.0, 2.0, 0.5]) + [1.0, 0.0, -2.0]
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + (1 - 2)**2 + (3 - 0.5)**2, rel=1e-12)
    assert frechet_distance(a, 3 * a) == pytest.approx(4 * (1 + 4 + 9), rel=1e-12)


@pytest.mark.parametrize("n, m, d", [(300, 200, 20), (30, 300, 20), (12, 15, 20), (12, 300, 20), (2, 2, 1),
                                     (21, 21, 20), (5, 900, 40)])
@pytest.mark.parametrize("offset", [0, 1e4])
def test_it_is_exact_also_for_fewer_rows_than_features(n, m, d, offset):
    mix = RNG.standard_normal((d, d))
    a, b = RNG.standard_normal((n, d)) @ mix + offset, RNG.standard_normal((m, d)) @ mix.T + offset + 0.1
    assert frechet_distance(a, b) == pytest.approx(by_nuclear_norm(a, b), rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


@pytest.mark.parametrize("dead", [1, 15])
def test_features_that_never_fire_or_repeat_others_leave_it_exact(dead):
    a, b = (np.maximum(RNG.standard_normal((400, 20)) + shift, 0) for shift in (0, 0.3))
    for x in (a, b):
        x[:, :dead], x[:, 18] = 0.0, x[:, 19]
    a[:, 17], b[:, 17] = 1e-9 * a[:, 17], 1e-9 * b[:, 16]
    assert frechet_distance(a, b) == pytest.approx(by_nuclear_norm(a, b), rel=1e-9)


@pytest.mark.parametrize("n", [10, 21, 2500])
def test_a_set_with_itself_and_shuffled_has_no_distance_and_never_a_negative_one(n):
    a = RNG.standard_normal((n, 20)) @ RNG.standard_normal((20, 20))
    scale = a.var(0).sum()
    assert 0 <= frechet_distance(a, a) <= 1e-10 * scale
    assert 0 <= frechet_distance(a, a[::-1]) <= 1e-10 * scale


def test_both_ways_to_the_root_agree_and_each_is_taken():
    a, b = RNG.standard_normal((300, 20)), RNG.standard_normal((300, 20)) + 0.2
    quick = frechet._by_eigenvalues(np.cov(a.T), np.cov(b.T), 40.0)
    assert quick == pytest.approx(np.linalg.norm((a - a.mean(0)) @ (b - b.mean(0)).T, "nuc") / 299, rel=1e-12)
    a[:, 0] = 0.0
    assert frechet._by_eigenvalues(np.cov(a.T), np.cov(b.T), 40.0) is None


def test_float32_is_measured_in_float64_and_a_device_gives_the_same():
    a, b = (RNG.standard_normal((1100, 6)).astype(np.float32) + np.float32(1000) for _ in range(2))
    assert frechet_distance(a, b) == frechet_distance(a.astype(np.float64), md.Tensor(b))
    device = install()
    for rows in (1100, 5):
        assert frechet_distance(device.put(a[:rows]), device.put(b)) == pytest.approx(frechet_distance(a[:rows], b),
                                                                                      rel=1e-12)


@pytest.mark.parametrize("a, b", [(np.ones((3, 2)), np.ones((3, 3))), (np.ones((1, 2)), np.ones((3, 2))),
                                  (np.ones((3, 0)), np.ones((3, 0)))])
def test_sets_that_do_not_fit_get_a_sentence(a, b):
    with pytest.raises(InputError, match="two sets of rows of one length, two rows each or more, not"):
        frechet_distance(a, b)


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e200])
def test_what_is_not_finite_gets_a_sentence(odd):
    a = RNG.standard_normal((5, 2))
    a[3, 1] = odd
    with pytest.raises(InputError, match="not finite, or so large"):
        frechet_distance(a, np.ones((4, 2)))
