"""The lectures on layerwise pretraining and its effect, from end to end."""
import numpy as np
import pytest

from minidl.errors import InputError
from minidl.lectures.pictures.effect_of_pretraining import boxes
from minidl.lectures.pictures.layerwise_pretraining import filters, planes


def test_a_short_run_unrolls_a_stack_and_shows_the_plane(run):
    record = run("layerwise-pretraining", "--fast")
    assert record["slides"] == [100] and record["data"] == "digits"
    assert record["figures"] == ["two-starts.png", "reconstructions.png", "filters.png", "plane.png"]
    metrics = record["metrics"]
    assert metrics["logistic_pca_error"] < metrics["pca_error"] < metrics["mean_image_error"]
    assert metrics["not_pretrained_at_first"] > 0.95


def test_a_short_run_has_each_way_at_each_depth(run):
    record = run("effect-of-pretraining", "--fast")
    assert record["slides"] == [110, 111, 112]
    assert record["figures"] == ["depth.png", "filters.png", "parity.png"]
    assert {"gain_1", "gain_2", "gain_over_larger_1", "parity_gain", "digit_gain_over_larger"} <= set(
        record["metrics"])
    assert "random, larger" in record["tables"][0] and "parity" in record["tables"][1]


def test_their_pictures_refuse_wrong_shapes_in_a_sentence():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(20, 2))
    assert len(planes({"a": codes, "b": codes}, np.arange(20) % 3, title="a title").axes) == 2
    ways = {"with": [[1.0, 2.0], [2.0, 3.0]], "without": [[2.0], [4.0]]}
    assert len(boxes(ways, ["1", "2"], x="depth", y="errors").axes[0].patches) == 4
    with pytest.raises(InputError, match="each of the 3 places"):
        boxes(ways, ["1", "2", "3"], x="depth", y="errors")
    assert filters(rng.normal(size=(64, 20)), rng.normal(size=(64, 20))).axes
    with pytest.raises(InputError, match="square"):
        filters(rng.normal(size=(63, 20)), rng.normal(size=(63, 20)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_a_pretrained_network_starts_ahead_and_stays_there(run, seed):
    metrics = run("layerwise-pretraining", "--seed", str(seed))["metrics"]
    assert metrics["pretrained_of_not_pretrained"] <= 0.95 and metrics["plane_error_of_pca"] <= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_pretraining_beats_the_usual_start_at_every_depth(run, seed):
    metrics = run("effect-of-pretraining", "--seed", str(seed))["metrics"]
    assert all(metrics[f"gain_{depth}"] >= 0 for depth in range(1, 5)) and metrics["digit_gain"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["layerwise-pretraining", "effect-of-pretraining"])
def test_a_short_run_on_mnist(run, name):
    assert run(name, "--data", "mnist", "--fast")["data"] == "mnist"
