"""The lecture on slides 8, 9 and 17, from end to end: its files, and what it promises of each kind of autoencoder."""
import pytest


def test_deep_autoencoder(run):
    record = run("deep-autoencoder", "--fast")
    assert record["figures"] == ["comparison.png", "training.png", "samples.png", "units.png", "denoising.png",
                                 "contraction.png"]
    metrics = record["metrics"]
    assert metrics["logistic_pca_error"] < 0.8 * metrics["pca_error"]
    for model, numbers in {"PCA": 704, "undercomplete": 34_506, "tied": 17_482, "denoising, wide": 6_564}.items():
        line, = (line for line in record["tables"][1].splitlines() if line.startswith(f"{model}  "))
        assert f" {numbers} " in line


@pytest.mark.slow
def test_each_hindrance_does_what_the_lecture_says(run):
    record = run("deep-autoencoder", "--seed", "1")
    assert "emerging.gif" in record["figures"]
    metrics = record["metrics"]
    assert metrics["logistic_units_at_first"] > 0.95 and metrics["centred_of_logistic_units"] < 0.7
    assert metrics["denoising_of_pca"] < 0.85 < 1.1 < metrics["undercomplete_on_noise_of_pca"]
    assert metrics["five_directions_contracted"] > 2 * metrics["five_directions_free"]
