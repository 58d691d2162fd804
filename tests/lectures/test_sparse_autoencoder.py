"""The lecture on sparse and stacked autoencoders, from end to end."""
import pytest


def test_a_short_run_has_every_figure_and_the_right_gradient(run):
    record = run("sparse-autoencoder", "--fast")
    assert record["slides"] == list(range(10, 17)) and record["data"] == "digits"
    assert record["figures"] == ["penalty.png", "optimisers.png", "filters-growing.gif", "activations.png",
                                 "filters.png", "edges.png", "stages.gif", "stage-1.png", "stage-2.png", "stage-3.png",
                                 "stage-4.png", "reconstructions.png", "accuracy.png", "few-labels.png"]
    metrics = record["metrics"]
    assert metrics["gradient_difference"] < 1e-9 and metrics["cost"] < 5
    assert metrics["selectivity_before"] < metrics["selectivity_pca"]
    assert "not pretrained, as many rounds as all stages" in record["tables"][2]


@pytest.mark.slow
def test_filters_become_edges_and_pretraining_pays_with_few_labels(run):
    metrics = run("sparse-autoencoder", "--seed", "1")["metrics"]
    assert metrics["cost"] < 0.5 and metrics["lbfgs_seconds"] < 60
    assert 0.008 < metrics["least_mean_activation"] < metrics["greatest_mean_activation"] < 0.012
    assert metrics["gabor_fit_kl"] > metrics["gabor_fit_pca"] > metrics["gabor_fit_before"]
    assert metrics["few_labels_gain"] > 2


@pytest.mark.slow
def test_a_short_run_on_mnist_displays_filters_of_28_pixels(run):
    assert run("sparse-autoencoder", "--data", "mnist", "--fast")["data"] == "mnist"
