"""The lecture on slides 113-114, from end to end: its files, and what holds after a short run already."""
import pytest


def test_wake_sleep(run):
    record = run("wake-sleep", "--fast")
    assert record["figures"] == ["errors.png", "dreams-greedy.png", "dreams-refitted.png", "thinking.gif",
                                 "small-net.png", "exciting.png", "averages.png"]
    metrics = record["metrics"]
    assert metrics["climbing_finds_the_weights"] > 0.999 and 0 < metrics["recognised"] <= 1
    assert metrics["bound_gain"] == pytest.approx(metrics["bound"] - metrics["bound_greedy"], abs=1e-4)
    assert "layer 3 (the top machine, one for both)" in record["tables"][0]


@pytest.mark.slow
def test_wake_sleep_lowers_the_errors_and_raises_the_bound(run):
    metrics = run("wake-sleep", "--seed", "1")["metrics"]
    assert metrics["error"] < metrics["error_greedy"] and metrics["bound"] > metrics["bound_greedy"]


@pytest.mark.slow
def test_wake_sleep_starts_on_mnist(run):
    assert run("wake-sleep", "--data", "mnist", "--fast")["data"] == "mnist"
