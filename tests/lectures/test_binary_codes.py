"""The lecture on slides 18-21, from end to end: its files, and what holds after a short run already."""
import pytest


def test_binary_codes(run):
    record = run("binary-codes", "--fast")
    assert record["figures"] == ["code-units.png", "reconstructions.png", "walk.gif", "nearest.png", "nearest.png",
                                 "ball.png", "look-up.png"]
    metrics = record["metrics"]
    assert metrics["encoder_parameters"] == 69_877_504
    assert metrics["bytes_gain"] == 8.0 and metrics["precision_straight_through"] > 0.6
    assert metrics["precision_pixels"] == pytest.approx(0.961, abs=0.001)
    for way in ("pixels, standardised", "random projections", "signs of PCA", "straight through", "deep, noise"):
        assert f"\n{way} " in record["tables"][0]


@pytest.mark.slow
def test_eight_bytes_find_nearly_as_well_as_pixels_and_noise_makes_up_the_units_minds(run):
    metrics = run("binary-codes", "--seed", "1")["metrics"]
    assert metrics["undecided_with_noise"] < 0.6 * metrics["undecided_without_noise"]
    assert metrics["precision_gain"] > -0.05 and metrics["error_of_pca"] < 0.3


@pytest.mark.slow
def test_binary_codes_start_on_fashion_mnist(run):
    assert run("binary-codes", "--data", "fashion-mnist", "--fast")["metrics"]["bytes_gain"] == 24.5
