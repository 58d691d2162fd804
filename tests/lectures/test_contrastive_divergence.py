"""The lecture on slide 99, from end to end: its files, and what holds after a short run already."""
import pytest


def test_contrastive_divergence(run):
    record = run("contrastive-divergence", "--fast")
    assert record["figures"] == ["by-hand.png", "angles.png", "chains.gif", "trainers.png", "misleading.png",
                                 "error-bars.png", "sandwich.png", "filters.png"]
    assert 0 <= record["metrics"]["update_difference"] <= record["bounds"]["update_difference"]["at_most"] == 1e-6
    assert record["metrics"]["angle_at_start"] < 20
    for way in "CD-1", "CD-10", "PCD-1", "centred PCD-1", "parallel tempering":
        assert f"\n{way} " in record["tables"][0]


@pytest.mark.slow
def test_on_another_seed_the_angle_falls_with_k_and_the_error_with_the_likelihood(run):
    metrics = run("contrastive-divergence", "--seed", "1")["metrics"]
    assert metrics["angle_cd_1_after_cd_1"] > 20 + metrics["angle_cd_100_after_cd_1"]
    assert metrics["likelihood_lost"] > 0.5 and metrics["error_meanwhile"] <= 0 and metrics["ais_covered"] >= 0.9


@pytest.mark.slow
def test_contrastive_divergence_starts_on_mnist(run):
    metrics = run("contrastive-divergence", "--data", "mnist", "--fast")["metrics"]
    assert metrics["update_difference"] <= 1e-6 and "likelihood_drawn" in metrics
