"""Error bars by halves, against what is known of a mean and counted over all halves."""
from itertools import combinations

import numpy as np
import pytest

from minidl import InputError
from minidl.metrics import frechet_distance, precision_recall, resampled
from tests.standin.device import install

RNG = np.random.default_rng(0)


def test_of_a_mean_the_variance_over_all_halves_is_its_squared_standard_error():
    """What `resampled` estimates by some halves, over all of them, equals the textbook's s^2 / N."""
    x = RNG.standard_normal(12)
    over_all = np.var([x[list(half)].mean() for half in combinations(range(12), 6)])
    assert over_all == pytest.approx(x.var(ddof=1) / 12, rel=1e-12)


@pytest.mark.parametrize("n", [400, 5])
def test_the_error_of_means_and_of_their_difference_is_the_textbooks(n):
    x, y = RNG.exponential(size=(n, 3)), RNG.exponential(size=(n + 101, 3))
    found = resampled(lambda x: x.mean(0), x, repeats=1000, rng=1)
    assert np.array_equal(found.value, x.mean(0))
    assert found.error == pytest.approx(x.std(0, ddof=1) / np.sqrt(n), rel=0.12)
    both = resampled(lambda x, y: float(x.mean() - y.mean()), x[:, 0], y[:, 0], repeats=1000, rng=1)
    assert isinstance(both.value, float) and isinstance(both.error, float)
    if n == 400:
        assert both.error == pytest.approx(np.hypot(x[:, 0].std() / n**0.5, y[:, 0].std() / len(y)**0.5), rel=0.12)


def test_error_bars_cover_what_new_sets_give():
    """The spread of the Fréchet distance over new sets, beside the error that one pair of sets tells."""
    draw = lambda: (RNG.standard_normal((300, 3)), RNG.standard_normal((300, 3)) + 0.5)
    spread = np.std([frechet_distance(*draw()) for _ in range(200)])
    told = np.mean([resampled(frechet_distance, *draw(), rng=i).error for i in range(10)])
    assert 0.6 < told / spread < 1.5


def test_any_measure_of_any_sets_does_and_images_stay_on_their_device():
    device, x = install(), RNG.random((40, 4)).astype(np.float32)
    y = 0.2 + RNG.random((30, 4)).astype(np.float32)
    on_host = resampled(precision_recall, x, y, repeats=3, rng=0)
    assert on_host.value.shape == on_host.error.shape == (2,) and (on_host.error > 0).any()
    there = resampled(precision_recall, device.put(x), device.put(y), repeats=3, rng=0)
    assert np.array_equal(on_host.value, there.value) and np.array_equal(on_host.error, there.error)
    assert str(resampled(np.mean, np.arange(9.0), repeats=2, rng=0)).startswith("4 +- ")


@pytest.mark.parametrize("call, sentence", [
    (lambda: resampled(np.mean, rng=0), "takes a function of sets"),
    (lambda: resampled(np.mean, np.ones(1), rng=0), "sets of two rows or more"),
    (lambda: resampled(3, np.ones(5), rng=0), "takes a function"),
    (lambda: resampled(lambda x: "much", np.ones(5), rng=0), "resampled: takes real numbers, not"),
    (lambda: resampled(np.mean, np.ones(5), repeats=1, rng=0), "repeats is a whole number of at least 2")])
def test_what_does_not_fit_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
