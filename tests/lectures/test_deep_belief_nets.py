"""The lecture on deep belief nets, from end to end."""
import numpy as np
import pytest

from minidl.lectures.pictures import deep_belief_nets as pictures


def test_a_short_run_has_every_figure_and_what_is_exact(run):
    record = run("deep-belief-nets", "--fast")
    assert record["slides"] == list(range(101, 110)) and record["data"] == "digits"
    assert record["figures"] == ["ancestral-sampling.gif", "belief-net.png", "bars-learned.png", "explaining-away.png",
                                 "tied-nets.png", "up-and-down.png", "chains.gif", "samples.png", "bound-exact.png",
                                 "bound-estimated.png", "top-width.png", "narrow-net.png", "narrow-nets.png"]
    metrics = record["metrics"]
    assert metrics["explaining_away_difference"] < 1e-8 and metrics["tied_net_difference"] < 1e-8
    assert metrics["explained_away"] == pytest.approx(2 * np.exp(-10), rel=1e-3)
    assert metrics["factorial_error"] == pytest.approx(np.log(2), abs=1e-3)
    assert metrics["bound_at_start"] < 1e-4 and metrics["narrow_distance"] < 1e-5


@pytest.mark.slow
def test_the_bound_rises_beyond_its_error_and_exactly_on_a_small_net(run):
    metrics = run("deep-belief-nets", "--seed", "1")["metrics"]
    assert 0.03 < metrics["bound_gain"] < min(metrics["ceiling"], metrics["likelihood_gain"])
    assert metrics["gain_two"] > 0.05 and metrics["narrowest_top"] < metrics["best_top"] - 1
    assert metrics["bars_learned"] <= metrics["bars_truth"] + 0.05 and metrics["rate_difference"] < 0.02


@pytest.mark.slow
def test_a_short_run_on_mnist(run):
    assert run("deep-belief-nets", "--data", "mnist", "--fast")["data"] == "mnist"


def test_a_units_state_is_its_colour_and_an_arrow_stands_for_each_weight():
    W = np.array([[1.0, 0.0], [-2.0, 3.0]])
    axis = pictures.graph([None, np.array([1.0, 0.0])], [W], names=["v", "h"]).axes[0]
    below, above = (collection.get_facecolors()[:, 0] for collection in axis.collections)
    assert len(axis.texts) == 3 and np.allclose(below, below[0]) and above[0] < 0.2 < above[1]


def test_error_bars_are_two_standard_errors():
    figure = pictures.gains({"a": ([1.0, 2.0], [0.1, 0.2])}, names=["x", "y"], x="", y="")
    ends = figure.axes[0].containers[0].lines[2][0].get_segments()
    assert np.allclose([[end[1] for end in bar] for bar in ends], [[0.8, 1.2], [1.6, 2.4]])
