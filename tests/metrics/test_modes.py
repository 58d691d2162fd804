"""Modes found, and a classifier's score, against what is known of them in closed form."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, data, metrics
from minidl.data.toy import grid_centres, ring_centres
from tests.standin.device import install

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("draw, centres, sd", [(data.ring, ring_centres(), 0.02), (data.grid, grid_centres(), 0.05)])
def test_samples_of_the_mixture_itself_find_all_modes_evenly_and_miss_what_lies_beyond_three_deviations(
        draw, centres, sd):
    found = metrics.mixture_modes(draw(20_000, sd=sd, rng=1)[0], centres, sd=sd)
    beyond = np.exp(-4.5)                                                     # of a Gaussian in the plane
    within = np.sqrt((1 - 5.5 * beyond) / (1 - beyond))                       # the spread of the rest
    assert found.found == len(centres)
    assert found.good == pytest.approx(1 - beyond, abs=4 * np.sqrt(beyond / 20_000))
    assert found.spread == pytest.approx(within, abs=0.02)
    assert 0 <= found.kl < 3 * len(centres) / 40_000                          # of a chi-square, (K - 1) / 2N on average


def test_of_points_whose_places_are_known_each_number_is_exact():
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    near = np.array([[0, 1], [0, -1], [0, 1], [0, -1], [10, 2.9], [5, 5.0], [13.1, 0], [10, 0]])
    found = metrics.mixture_modes(near, centres, sd=1.0)
    assert found.found == 2 and found.good == 6 / 8
    squares = 4 * 1.0 + 2 * 1.45**2                                           # around (0, 0), and around (10, 1.45)
    assert found.spread == pytest.approx(np.sqrt(squares / (2 * (6 - 2))))
    assert found.kl == pytest.approx(2 / 3 * np.log(2 / 3 * 4) + 1 / 3 * np.log(1 / 3 * 4))


def test_one_mode_is_log_k_away_from_uniform_and_nothing_good_is_no_number():
    ring = ring_centres()
    one = metrics.mixture_modes(ring[:1] + 0.01 * RNG.standard_normal((50, 2)), ring, sd=0.02)
    assert one.found == 1 and one.kl == pytest.approx(np.log(8))
    none = metrics.mixture_modes(ring * 2, ring, sd=0.02)
    assert none[:2] == (0, 0.0) and np.isnan(none[2:]).all()
    assert np.isnan(metrics.mixture_modes(ring, ring, sd=0.02).spread)        # one sample each


def test_modes_by_labels():
    assert metrics.labelled_modes(np.arange(1000), 1000)[::3] == (1000, pytest.approx(0.0, abs=1e-12))
    few = metrics.labelled_modes(np.array([3, 3, 7, 7]), 1000)
    assert few.found == 2 and few.kl == pytest.approx(np.log(500)) and np.isnan(few.spread)


@pytest.mark.parametrize("classes", [2, 10])
def test_the_score_is_one_of_a_classifier_that_cannot_tell_and_the_number_of_classes_of_sure_and_even_answers(classes):
    uniform = np.full((30, classes), 1 / classes)
    assert metrics.classifier_score(uniform) == (pytest.approx(1.0), 0.0)
    sure = np.eye(classes)[np.arange(30 * classes) % classes]
    assert metrics.classifier_score(sure, splits=3) == (pytest.approx(classes), pytest.approx(0.0, abs=1e-12))
    assert metrics.classifier_score(sure[:1].repeat(30, 0)).mean == pytest.approx(1.0)           # always one class


def test_the_score_is_exp_of_what_a_sample_tells_of_its_class():
    p = RNG.dirichlet(np.ones(5), 40)
    overall = p.mean(0)
    entropy = lambda q: -(q * np.log(q)).sum(-1)
    assert metrics.classifier_score(p).mean == pytest.approx(np.exp(entropy(overall) - entropy(p).mean()))
    halves = [metrics.classifier_score(half).mean for half in (p[:20], p[20:])]
    assert metrics.classifier_score(p, splits=2) == (pytest.approx(np.mean(halves)), pytest.approx(np.std(halves)))


def test_on_a_device_the_numbers_are_the_same():
    device, p = install(), RNG.dirichlet(np.ones(5), 40).astype(np.float32)
    x, ring = data.ring(200, sd=0.02, rng=0)[0], ring_centres()
    assert metrics.classifier_score(device.put(p)) == metrics.classifier_score(p)
    assert metrics.mixture_modes(device.put(x), ring, sd=0.02) == metrics.mixture_modes(md.Tensor(x), ring, sd=0.02)
    labels = np.arange(5)
    assert metrics.labelled_modes(device.put(labels), 9)[::3] == metrics.labelled_modes(labels, 9)[::3]


@pytest.mark.parametrize("call, sentence", [
    (lambda: metrics.mixture_modes(np.zeros((3, 2)), np.zeros((3, 3)), sd=1.0), "rows of one length, not"),
    (lambda: metrics.mixture_modes(np.zeros((0, 2)), np.zeros((3, 2)), sd=1.0), "rows of one length, not"),
    (lambda: metrics.mixture_modes(np.zeros((3, 2)), np.zeros((3, 2)), sd=0.0), "mixture_modes: sd"),
    (lambda: metrics.labelled_modes([0, 5], 5), "whole numbers .* from 0 to 4, not of .* from 0 to 5"),
    (lambda: metrics.labelled_modes([0.5], 5), "whole numbers"),
    (lambda: metrics.classifier_score([[0.5, 0.6]]), "each row adds up to 1; md.softmax makes"),
    (lambda: metrics.classifier_score([[1.5, -0.5]]), "at least 0"),
    (lambda: metrics.classifier_score([[0.5, 0.5]], splits=2), "2 splits take as many rows")])
def test_what_does_not_fit_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
