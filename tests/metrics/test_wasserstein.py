"""Wasserstein distances against all ways to carry the sand, closed forms of Gaussians, and sets of images."""
import itertools
import math

import numpy as np
import pytest

from minidl import InputError, Tensor, data
from minidl.metrics import sliced_wasserstein, swd, wasserstein, wasserstein_1d, wasserstein_along
from tests.standin.device import install

RNG = np.random.default_rng(0)


def cheapest(a, b):
    """The mean way of the best of all permutations."""
    return min(np.abs(a - b[list(order)]).mean() for order in itertools.permutations(range(len(b))))


@pytest.mark.parametrize("n, m", [(6, 6), (1, 1), (2, 3), (3, 2), (1, 6), (3, 6)])
def test_in_one_dimension_it_is_the_cheapest_of_all_ways_to_carry(n, m):
    a, b = RNG.normal(size=n), RNG.normal(1, 2, size=m)
    of_one_size = math.lcm(n, m)                              # grains cut so that both heaps have as many
    expected = cheapest(a.repeat(of_one_size // n), b.repeat(of_one_size // m))
    assert wasserstein_1d(a, b) == pytest.approx(expected, rel=1e-12)
    assert wasserstein_1d(b, a) == pytest.approx(expected, rel=1e-12)
    assert wasserstein_1d(3 * a - 1, 3 * b - 1) == pytest.approx(3 * expected, rel=1e-12)


def test_it_is_the_area_between_the_distribution_functions():
    a, b = RNG.normal(size=700), RNG.normal(0.3, 1.5, size=430)
    x = np.sort(np.concatenate([a, b]))
    steps = [(np.searchsorted(np.sort(sample), x, "right") / len(sample))[:-1] for sample in (a, b)]
    assert wasserstein_1d(a, b) == pytest.approx((np.abs(steps[0] - steps[1]) * np.diff(x)).sum(), rel=1e-12)


def test_what_is_given_is_not_sorted_by_it():
    a, b = RNG.normal(size=5), RNG.normal(size=(5, 1))
    kept = a.copy(), b.copy()
    wasserstein_1d(a, a[::-1])
    wasserstein_along(b, b + 1, np.ones((1, 1)))
    assert (a == kept[0]).all() and (b == kept[1]).all()
    assert wasserstein_1d([1, 2, 3], Tensor(np.array([2.0, 3.0, 4.0], np.float32))) == 1.0


def mean_coordinate(d):
    """E|u_1| of a direction u in d dimensions."""
    return math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))


def test_many_projections_of_a_shifted_gaussian_give_its_closed_form():
    a, shift = RNG.normal(size=(40, 5)), np.array([1.0, -2.0, 0.0, 2.0, 0.5])
    found = sliced_wasserstein(a, a + shift, directions=40000, rng=0)
    assert found == pytest.approx(np.linalg.norm(shift) * mean_coordinate(5), rel=0.01)


def test_independent_samples_of_two_gaussians_are_as_far_apart_as_these():
    a, b = RNG.normal(size=(60000, 3)), 3 * RNG.normal(size=(50000, 3))
    found = sliced_wasserstein(a.astype(np.float32), b.astype(np.float32), directions=8, rng=0)
    assert found == pytest.approx((3 - 1) * math.sqrt(2 / math.pi), rel=0.01)      # (sd - sd') E|N(0, 1)|


def test_directions_count_as_unit_vectors_and_blocks_do_not_matter(monkeypatch):
    a, b, along = RNG.normal(size=(30, 4)), RNG.normal(size=(20, 4)), RNG.normal(size=(4, 7))
    expected = np.mean([wasserstein_1d(a @ u, b @ u) for u in (along / np.linalg.norm(along, axis=0)).T])
    assert wasserstein_along(a, b, 2 * along) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(wasserstein, "_NUMBERS", 60)
    assert wasserstein_along(a, b, along) == pytest.approx(expected, rel=1e-12)


# Images ---------------------------------------------------------------------------------------------------------------


def textures(n, side, rng, blur=0):
    x = rng.random((n, side, side, 3))
    for _ in range(blur):
        x = (x + np.roll(x, 1, 1) + np.roll(x, 1, 2)) / 3
    return x.astype(np.float32)


SETS = {"patches": 16, "directions": 40, "rng": 0}


def test_swd_falls_to_its_floor_as_the_generator_comes_nearer():
    digits = np.kron(data.load("digits").x_train[:240, ..., 0], np.ones((4, 4), np.float32))
    real, other, noise = digits[:120], digits[120:], RNG.standard_normal((120, 32, 32))
    found = [swd(real, other + sd * noise, **SETS) for sd in (0.5, 0.2, 0.1, 0.05, 0)]
    assert (np.diff([distance.scales[32] for distance in found]) < -10).all()
    assert list(found[0].scales) == [32, 16] and found[0].mean == np.mean(list(found[0].scales.values()))
    itself = swd(real, real, **SETS)                                     # not 0: other patches of the same images
    assert 0 < itself.mean < 60 and found[-1].mean < 60
    copies = swd(real, other[:1].repeat(120, 0), **SETS)                 # fine pieces are right, all large ones alike
    assert copies.scales[16] > 3 * found[-1].scales[16]


def test_a_wrong_texture_shows_at_its_scale():
    real, coarse = textures(60, 32, RNG, blur=3), textures(60, 32, RNG, blur=3)
    found = swd(real, coarse + 0.3 * (-1.0)**np.arange(32)[:, None].astype(np.float32), **SETS)
    floor = swd(real, coarse, **SETS)
    assert found.scales[32] > 5 * floor.scales[32] and found.scales[16] < 1.5 * floor.scales[16]


def test_neither_range_nor_one_contrast_for_all_matters_and_bytes_are_read():
    a, b = textures(20, 16, RNG), textures(25, 16, RNG, blur=1)
    found = swd(a, b, **SETS)
    assert list(found.scales) == [16]
    assert swd(a * 2 - 1, 5 * b, **SETS).mean == pytest.approx(found.mean, rel=1e-4)
    assert swd((a * 255).astype(np.uint8), b, **SETS).mean == pytest.approx(found.mean, rel=0.02)


@pytest.mark.parametrize("side, levels, expected", [(8, None, [8]), (28, None, [28]), (33, None, [33, 17]),
                                                    (28, 3, [28, 14, 7]), (13, 2, [13, 7])])
def test_levels_end_at_sixteen_or_where_a_patch_still_fits(side, levels, expected):
    x = textures(10, side, RNG)
    assert list(swd(x, x, levels=levels, patches=2, directions=2, rng=0).scales) == expected


def test_a_set_of_one_grey_lies_as_far_away_as_a_point_from_a_gaussian():
    real = RNG.normal(size=(60, 16, 16, 1))
    grey = RNG.random((30, 1, 1, 1)) * np.ones((16, 16, 1))
    fine = swd(real, grey, levels=2, size=4, patches=60, directions=40, rng=0).scales[16]
    assert fine == pytest.approx(1000 * math.sqrt(2 / math.pi), rel=0.05)          # 798, that is E|N(0, 1)| x 1,000
    assert swd(grey, 0.5 * grey, levels=2, size=4, rng=0, patches=3).scales[16] == 0
    assert swd(grey.astype(np.float32), grey, levels=2, size=4, rng=0, patches=3).scales[16] == 0


def test_on_a_device_it_is_the_same():
    device = install()
    a, b = textures(12, 32, RNG), textures(11, 32, RNG, blur=1)
    assert swd(device.put(a), device.put(b), **SETS) == swd(a, b, **SETS)
    rows = a.reshape(12, -1)[:, :40]
    assert sliced_wasserstein(device.put(rows), device.put(rows[:7]), directions=5, rng=0) == sliced_wasserstein(
        rows, rows[:7], directions=5, rng=0)
    assert wasserstein_1d(device.put(rows[0]), device.put(rows[1][:30])) == wasserstein_1d(rows[0], rows[1][:30])
    with pytest.raises(InputError, match="'standin' and 'cpu'"):
        wasserstein_1d(device.put(rows[0]), rows[0])


X = np.random.default_rng(1).random((12, 16, 16)).astype(np.float32)


@pytest.mark.parametrize("call, sentence", [
    (lambda: wasserstein_1d(X[0], X[0]), r"two samples of numbers, \(n,\) and \(m,\), not \(16, 16\)"),
    (lambda: wasserstein_1d([], [1.0]), "one point each at the least"),
    (lambda: wasserstein_1d([1.0, np.nan], [1.0]), "not finite"),
    (lambda: sliced_wasserstein(X[0], X[0, :, :9], rng=0), r"one dimension, .*\(16, 16\) and \(16, 9\)"),
    (lambda: sliced_wasserstein(X[0, :0], X[0], rng=0), "a is empty"),
    (lambda: sliced_wasserstein(X[0], X[0], directions=0, rng=0), "directions is a whole number"),
    (lambda: wasserstein_along(X[0], X[0], np.zeros((16, 2))), r"columns of 16 finite numbers, not all 0"),
    (lambda: wasserstein_along(X[0], X[0], np.ones((15, 2))), r"these have shape \(15, 2\)"),
    (lambda: swd(X, X[:, :15], rng=0), "one height, width and number of channels"),
    (lambda: swd(X, X[:9], rng=0), "swd: 9 images stand for no distribution; give 10 .* 1,000 or more"),
    (lambda: swd(X, np.where(X > 0.9, np.nan, X), rng=0), "not finite"),
    (lambda: swd(X[:, :6], X[:, :6], rng=0), "squares of 7 pixels do not fit into images of 6 x 16"),
    (lambda: swd(X, X, levels=3, rng=0), "squares of 7 pixels fit into 2 levels of images of 16 x 16, not into 3"),
    (lambda: swd(X, X, size=0, rng=0), "size is a whole number"),
])
def test_what_has_no_distance_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
