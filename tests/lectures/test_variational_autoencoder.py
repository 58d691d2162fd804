"""The lecture on variational autoencoders from end to end: its figures, and what holds after a short run already."""
import pytest


def test_a_short_run_has_every_figure_and_the_identities_hold(run):
    record = run("variational-autoencoder", "--fast")
    assert record["slides"] == [23, 24, 25, 26, 27]
    assert record["figures"] == ["bound.gif", "latent-space.gif", "manifold.png", "gradients.png", "fixed-noise.png",
                                 "samples.png", "columns.png", "units.png", "likelihood.png"]
    metrics = record["metrics"]
    assert metrics["identity_error"] < 1e-8 and metrics["kl_standard_errors"] < 5
    assert metrics["estimates_standard_errors_apart"] < 5 and metrics["variance_ratio"] > 1
    assert {slide for shown in record["figure_slides"].values() for slide in shown} == {23, 24, 25, 26, 27}


@pytest.mark.slow
def test_fixed_noise_is_found_out_and_more_codes_bring_the_bound_closer(run):
    metrics = run("variational-autoencoder", "--seed", "1")["metrics"]
    assert metrics["bound_lost_by_one_noise"] > 20 and metrics["variance_ratio"] > 20
    assert metrics["bound_rises_standard_errors"] > 3 and metrics["conditional_right"] > 0.95
    assert metrics["active_beta_4"] < metrics["active_beta_1"] <= metrics["active_beta_01"]


@pytest.mark.slow
def test_a_short_run_on_mnist_has_a_bound(run):
    metrics = run("variational-autoencoder", "--data", "mnist", "--fast")["metrics"]
    assert metrics["identity_error"] < 1e-8 and -800 < metrics["bound"] < -100
