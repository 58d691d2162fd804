"""The lecture on short descriptions and the manifold hypothesis, from end to end."""
import pytest


def test_a_short_run_has_every_figure_and_counts_its_bits(run):
    record = run("description-length", "--fast")
    assert record["slides"] == [1, 2, 3, 4] and record["data"] == "digits"
    assert record["figures"] == ["bits.png", "predictions.png", "more-data.png", "swiss-roll.png", "turning.png",
                                 "geodesic.png", "walk.gif"]
    metrics = record["metrics"]
    assert metrics["raw"] == pytest.approx(261.598, abs=0.001)                   # 64 log2 17
    assert metrics["kmeans"] < metrics["pixelwise"] - 5 and metrics["pca"] < metrics["pixelwise"] - 3
    assert metrics["agreement_straight"] < 0.4 and metrics["angle_straight"] < 0.5 < 0.99 < metrics["angle_geodesic"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_the_least_total_lies_between_and_the_way_along_the_manifold_meets_no_ghosts(run, seed):
    metrics = run("description-length", "--seed", str(seed))["metrics"]
    assert 8 <= metrics["pca_k"] <= 16 and metrics["kmeans"] < metrics["pca"] < metrics["pixelwise"]
    assert metrics["walk"] < 0.5 * metrics["ghosts"]


@pytest.mark.slow
def test_a_short_run_works_on_mnist(run):
    assert run("description-length", "--data", "mnist", "--fast")["metrics"]["raw"] == 8 * 784
