"""Active units, and the ways through the space of codes."""
from statistics import NormalDist

import numpy as np
import pytest

import minidl as md
from minidl import nn
from minidl.variational import VAE, interpolate, quantile_grid, unit_activity
from tests.standin.device import install

X = np.random.default_rng(0).random((5000, 4)).astype(np.float32)


def half_collapsed(**settings):
    """A model whose first unit's mean is twice the first pixel, and whose second says the prior whatever it sees."""
    model = VAE([4, 2], rng=0, **settings)
    model.encoder[0].weight.data[...] = 0.0
    model.encoder[0].weight.data[0, 0] = 2.0
    model.encoder[0].bias.data[...] = 0.0
    return model


def test_a_collapsed_unit_has_no_variance_and_no_divergence_and_the_other_those_of_its_means():
    units = unit_activity(half_collapsed(), X)
    np.testing.assert_allclose(units.variance, [4 * X[:, 0].astype(float).var(), 0], rtol=1e-4)
    np.testing.assert_allclose(units.kl, [0.5 * (4 * X[:, 0].astype(float)**2).mean(), 0], rtol=1e-4)
    assert units.active.tolist() == [True, False] and not unit_activity(half_collapsed(), X, threshold=9).active.any()


def test_the_divergence_of_the_units_adds_up_to_that_of_the_bound():
    model = VAE([4, 8, 3], rng=0)
    total = nn.kl_unit_gaussian(*model.posterior(X)).item()
    assert unit_activity(model, X).kl.sum() == pytest.approx(total, rel=1e-4)


def test_a_conditional_model_and_a_device_are_measured_as_well():
    model, labels, device = half_collapsed(classes=3), np.arange(5000) % 3, install()
    units = unit_activity(model, X, labels)
    on_device = unit_activity(model.to(device), device.put(X), device.put(labels))
    np.testing.assert_allclose(md.Tensor(on_device.variance).numpy(), units.variance, rtol=1e-4)
    assert md.Tensor(unit_activity(model, device.put(X), 1).active).numpy().tolist() == [True, False]


def test_the_grid_divides_the_normal_distribution_into_equal_parts():
    grid = quantile_grid(5)
    assert grid.shape == (25, 2) and grid.dtype == np.float32 and np.allclose(grid[12], 0)
    shares = [NormalDist().cdf(float(z)) for z in grid[:5, 0]]
    np.testing.assert_allclose(shares, [0.1, 0.3, 0.5, 0.7, 0.9], atol=1e-6)
    assert (grid[:5, 1] == grid[0, 1]).all() and grid[0, 1] > grid[-1, 1]         # a row is one height, the upper first


def test_a_line_is_straight_and_a_great_circle_keeps_its_distance_from_the_middle():
    a, b = np.array([3.0, 0, 0], np.float32), np.array([0, 4.0, 0], np.float32)
    straight, round_ = interpolate(a, b, 5), interpolate(a, b, 5, spherical=True)
    for way in straight, round_:
        assert way.dtype == np.float32 and np.allclose(way[0], a) and np.allclose(way[-1], b, atol=1e-6)
    np.testing.assert_allclose(straight[2], [1.5, 2, 0])
    np.testing.assert_allclose(np.linalg.norm(round_, axis=1), [3, 3.25, 3.5, 3.75, 4], rtol=1e-6)
    angles = np.arctan2(round_[:, 1], round_[:, 0])
    np.testing.assert_allclose(np.diff(angles), np.pi / 8, rtol=1e-5)


def test_where_there_is_no_great_circle_the_way_is_straight():
    a = np.array([1.0, 2.0])
    for b in (a, 3 * a, -a):
        assert np.allclose(interpolate(a, b, 3, spherical=True)[[0, 2]], [a, b])
    assert np.isfinite(interpolate(0 * a, a, 3, spherical=True)).all()


@pytest.mark.parametrize("call, sentence", [
    (lambda: quantile_grid(0), "side is a whole number of at least 1, not 0"),
    (lambda: interpolate(np.ones(2), np.ones(3), 5), r"not \(2,\) and \(3,\)"),
    (lambda: interpolate(np.ones(2), np.ones(2), 1), "n is a whole number of at least 2, not 1"),
    (lambda: unit_activity(half_collapsed(), X[:0]), "the number of items is a whole number of at least 1"),
    (lambda: unit_activity(half_collapsed(), X, threshold=-1), "threshold is a finite number of at least 0")])
def test_bad_arguments_get_a_sentence(call, sentence):
    with pytest.raises(md.InputError, match=sentence):
        call()
