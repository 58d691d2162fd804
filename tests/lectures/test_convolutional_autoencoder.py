"""The lecture on slide 22 from end to end: its files, and what holds after a short run already."""
import pytest


def test_the_lecture_starts_and_counts_right(run):
    record = run("convolutional-autoencoder", "--fast")
    assert record["figures"] == [
        "reconstructions.png", "moved-images.png", "feature-maps.png", "walk.gif", "walks.png", "switches.png",
        "overlaps.png", "untrained.png", "gradient.png", "learning.gif", "spectrum.png"]
    metrics = record["metrics"]
    assert metrics["switches_bits"] == 2 * (6 * 6 * 16 + 3 * 3 * 32)              # two for each pooled window
    assert metrics["dense_parameters"] == 2 * (144 * 128 + 128 * 64 + 64 * 10) + 2 * (128 + 64) + 10 + 144
    for untrained in ("uneven", "uneven_gradient"):
        assert metrics[f"{untrained}_kernel_3"] > 2 * metrics[f"{untrained}_kernel_4"]
    assert metrics["checkerboard_kernel_3"] > metrics["checkerboard_upsampling"]


@pytest.mark.slow
def test_moved_digits_are_borne_better_and_only_upsampling_leaves_no_checkerboard(run):
    metrics = run("convolutional-autoencoder", "--seed", "1")["metrics"]
    assert metrics["ratio"] < 1 and metrics["ratio_moved_2"] < 0.7
    assert min(metrics["checkerboard_kernel_3"], metrics["checkerboard_kernel_4"]) > 1
    assert metrics["checkerboard_upsampling"] < 1 and metrics["gradient_kernel_3_of_kernel_4"] > 1.5


@pytest.mark.slow
def test_the_lecture_starts_on_mnist(run):
    metrics = run("convolutional-autoencoder", "--data", "mnist", "--fast")["metrics"]
    assert metrics["switches_bits"] == 2 * (14 * 14 * 16 + 7 * 7 * 32)
