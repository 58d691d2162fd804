"""The lecture on slides 5-7 from end to end: its files, what holds after a short run already, and what it promises."""
import pytest


def test_both_constraints_side_by_side(run):
    record = run("pca-kmeans", "--fast")
    assert record["figures"] == [
        "geometry.png", "lloyd.gif", "explained-variance.png", "subspace.png", "starts.png", "components.png",
        "centres.png", "bits.png", "reconstructions.png", "samples.png", "whitening.png", "zca-filters.png",
        "linear-autoencoder.png"]
    metrics = record["metrics"]
    assert metrics["explained_10"] == pytest.approx(0.739, abs=0.002)
    assert record["bounds"]["explained_10"] == {"at_most": 0.75, "at_least": 0.73}
    assert metrics["error_10"] == pytest.approx(1.236, abs=0.002) and 2.4 < metrics["kmeans_error_10"] < 2.65
    assert all(metrics[f"error_{k}"] < metrics[f"kmeans_error_{k}"] for k in (2, 5, 10, 20, 40))
    assert metrics["kmeans_of_pca_at_equal_bits"] < 0.8 and metrics["largest_rise_in_a_round"] <= 1e-6
    assert 3650 < metrics["inertia_best"] <= metrics["inertia_median"] <= metrics["inertia_worst"] < 3950
    assert metrics["neighbours_correlation_after"] < 0.1 < 0.5 < metrics["neighbours_correlation_before"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_a_linear_autoencoder_ends_in_pcas_subspace(run, seed):
    metrics = run("pca-kmeans", "--seed", str(seed))["metrics"]
    assert metrics["angle"] < 0.1 < 0.3 < metrics["angle_of_mini_batches"] and metrics["corner_start_of_best"] > 2
