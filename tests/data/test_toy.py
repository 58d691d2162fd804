"""Toy sets: their shapes in closed form."""
import itertools

import numpy as np
import pytest

import minidl.data as data
from minidl.errors import InputError


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_swiss_roll_is_a_rolled_up_sheet(rng):
    x, t = data.swiss_roll(500, rng=rng)
    assert x.shape == (500, 3) and x.dtype == t.dtype == np.float32
    np.testing.assert_allclose(np.hypot(x[:, 0], x[:, 2]), t, rtol=1e-5)
    np.testing.assert_allclose(x[:, 0], t * np.cos(t), atol=1e-4)
    assert 1.5 * np.pi <= t.min() < 1.6 * np.pi and 4.4 * np.pi < t.max() <= 4.5 * np.pi
    assert 0 <= x[:, 1].min() < 1 and 20 < x[:, 1].max() <= 21


def test_two_moons_are_half_circles_that_reach_into_each_other(rng):
    x, y = data.two_moons(301, rng=rng, noise=0)
    assert x.shape == (301, 2) and x.dtype == np.float32 and np.bincount(y).tolist() == [151, 150]
    upper, lower = x[y == 0], x[y == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1, rtol=1e-5)
    np.testing.assert_allclose(np.hypot(*(lower - [1, 0.5]).T), 1, rtol=1e-5)
    assert upper[:, 1].min() >= 0 and lower[:, 1].max() <= 0.5


def test_noise_has_the_deviation_that_was_asked_for():
    clean, _ = data.two_moons(20_000, rng=np.random.default_rng(1), noise=0)
    noisy, _ = data.two_moons(20_000, rng=np.random.default_rng(1), noise=0.3)
    np.testing.assert_allclose((noisy - clean).std(), 0.3, rtol=0.02)


@pytest.mark.parametrize(("make", "centres", "sd"), [
    (data.ring, data.ring_centres(), 0.01),
    (data.grid, data.grid_centres(), 0.05),
])
def test_mixtures_have_equal_round_modes_at_their_centres(rng, make, centres, sd):
    x, which = make(50_000, rng=rng)
    assert x.shape == (50_000, 2) and x.dtype == np.float32
    counts = np.bincount(which, minlength=len(centres))
    assert len(counts) == len(centres) and abs(counts / counts.mean() - 1).max() < 0.1
    np.testing.assert_allclose((x - centres[which]).std(axis=0), sd, rtol=0.03)


def test_ring_of_8_and_grid_of_25_are_where_the_papers_have_them():
    np.testing.assert_allclose(np.hypot(*data.ring_centres().T), 2, rtol=1e-6)
    assert data.ring_centres().shape == (8, 2)
    centres = {tuple(centre) for centre in data.grid_centres().tolist()}
    assert centres == set(itertools.product((-4, -2, 0, 2, 4), repeat=2))


@pytest.mark.parametrize("side", [1, 2, 3])
def test_bars_and_stripes_is_the_exact_set(side):
    patterns = data.bars_and_stripes(side)
    assert patterns.dtype == np.float32 and patterns.shape == (2 ** (side + 1) - 2, side * side)
    every = (np.reshape(pixels, (side, side)) for pixels in itertools.product((0.0, 1.0), repeat=side * side))
    expected = {tuple(pattern.ravel().tolist()) for pattern in every
                if _constant_rows(pattern) or _constant_rows(pattern.T)}
    assert {tuple(row) for row in patterns.tolist()} == expected
    assert len(expected) == len(patterns)


def _constant_rows(pattern):
    return (pattern == pattern[:, :1]).all()


def test_one_seed_gives_the_same_points():
    first, second = (data.ring(10, rng=np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("call", [
    lambda rng: data.swiss_roll(0, rng=rng),
    lambda rng: data.two_moons(5, rng=rng, noise=-1),
    lambda rng: data.ring(5, rng=rng, modes=0),
    lambda rng: data.grid(5, rng=rng, side=0),
    lambda rng: data.grid(5, rng=rng, sd=float("nan")),
    lambda rng: data.bars_and_stripes(0),
    lambda rng: data.bars_and_stripes(99),
    lambda rng: data.bars_and_stripes(2.5),
    lambda rng: data.ring(5, rng=rng, modes=2.5),
    lambda rng: data.grid(5, rng=rng, side="5"),
    lambda rng: data.grid(5.0, rng=rng),
    lambda rng: data.two_moons(5, rng=rng, noise=np.inf),
    lambda rng: data.swiss_roll(5, rng=rng, noise="0.1"),
])
def test_impossible_requests_get_a_sentence(rng, call):
    with pytest.raises(InputError):
        call(rng)
