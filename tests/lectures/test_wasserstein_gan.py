"""The lectures on slides 53-63, from end to end."""
import pytest


def test_a_short_run_of_slides_53_to_59_has_every_figure_and_its_box_is_a_bound(run):
    record = run("wasserstein-gan", "--fast")
    assert record["figures"] == ["apart.png", "duality.png", "gradients.png", "losses.png", "stages.png", "games.png"]
    shown = {slide for said in record["figure_slides"].values() for slide in said}
    assert shown == set(range(53, 60))
    assert {"error_moved", "error_eight_points_eight_others", "correlation_wgan"} <= {*record["metrics"]}
    assert record["metrics"]["clipped_slope"] <= 64**2 * 0.01**3


def test_a_short_run_of_slides_60_to_63_differentiates_its_penalty_rightly(run):
    record = run("improved-wasserstein-gan", "--fast")
    assert record["figures"] == ["price.png", "surfaces.png", "weights.png", "layers.png", "convergence.png",
                                 "samples.png"]
    shown = {slide for said in record["figure_slides"].values() for slide in said}
    assert shown == set(range(60, 64))
    metrics = record["metrics"]
    assert metrics["penalty_wrong_by_dense"] < 1e-6 and metrics["penalty_wrong_by_convolutional"] < 1e-6


@pytest.mark.slow
def test_the_critics_estimate_is_the_distance_and_follows_the_samples(run):
    metrics = run("wasserstein-gan", "--seed", "1")["metrics"]
    assert max(value for name, value in metrics.items() if name.startswith("error_")) <= 0.05
    assert metrics["correlation_wgan"] >= 0.8 and metrics["clipped_estimate_of_exact"] < 0.02


@pytest.mark.slow
def test_the_penalty_sees_more_than_a_box_and_keeps_gradients_alive(run):
    metrics = run("improved-wasserstein-gan", "--seed", "1")["metrics"]
    assert metrics["bound_of_penalty_over_box"] > 1 and 0.05 <= metrics["arrives_with_penalty"] <= 20
