"""The lectures on slide 95 and on slides 96-97, from end to end: their files, and what holds after a short run."""
import pytest

RESTRICTED = "restricted-boltzmann-machines"


def test_boltzmann_machines(run):
    record = run("boltzmann-machines", "--fast")
    assert record["figures"] == ["gibbs.gif", "statistics.png", "learning.png", "cooling.gif", "magnets.png",
                                 "ising.png", "hopfield.png", "capacity.png"]
    metrics = record["metrics"]
    assert 0 <= metrics["gradient_difference"] <= record["bounds"]["gradient_difference"]["at_most"] == 1e-8
    assert metrics["ising_standard_errors"] < 5 and metrics["hopfield_few"] < 0.05 < metrics["hopfield_many"]


def test_restricted_boltzmann_machines(run):
    record = run(RESTRICTED, "--fast")
    assert record["figures"] == ["block-gibbs.png", "chains.gif", "free-energy.png", "filters.png", "errors.png",
                                 "by-label.png", "completion.png", "samples.png"]
    for name in "conditional_difference", "free_energy_difference":
        assert 0 <= record["metrics"][name] <= record["bounds"][name]["at_most"] == 1e-8


@pytest.mark.slow
def test_on_other_seeds_hidden_units_see_the_exclusive_or(run):
    metrics = run("boltzmann-machines", "--seed", "1")["metrics"]
    assert metrics["xor_exact"] < 1.7 < 2 < metrics["xor_without_hidden"]


@pytest.mark.slow
def test_on_other_seeds_machines_complete_digits_better_than_neighbours(run):
    metrics = run(RESTRICTED, "--seed", "1")["metrics"]
    assert metrics["completion_below_nearest"] > 1 and metrics["completion_below_independent"] > 2


@pytest.mark.slow
def test_boltzmann_machines_start_on_mnist(run):
    assert run("boltzmann-machines", "--data", "mnist", "--fast")["metrics"]["gradient_difference"] < 1e-8
    assert run(RESTRICTED, "--data", "mnist", "--fast")["metrics"]["free_energy_difference"] < 1e-8
