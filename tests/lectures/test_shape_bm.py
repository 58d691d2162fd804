"""The lecture on the shape Boltzmann machine, from end to end."""
import numpy as np
import pytest

from minidl.lectures.pictures.shape_bm import largest_pieces

FIGURES = ["shapes.png", "patches.png", "chains.gif", "patch-filters.png", "filters.png", "samples.png",
           "samples-of-rbm.png", "completions.png", "log-scores.png"]


def test_a_short_run_has_every_figure_and_counts_the_shared_weights(run):
    record = run("shape-bm", "--fast")
    assert record["slides"] == [98] and record["data"] == "digits" and record["figures"] == FIGURES
    assert record["metrics"]["weights_shared"] == pytest.approx(256 * 400 / (100 * 100))
    assert "10,000" in record["tables"][0] and "independent pixels" in record["tables"][3]


@pytest.mark.slow
def test_the_shape_machine_completes_what_is_hidden_best(run):
    metrics = run("shape-bm", "--seed", "1")["metrics"]
    assert metrics["shape_bm"] > metrics["rbm"] > metrics["independent"]
    assert metrics["copies"] < 15


@pytest.mark.slow
def test_a_short_run_on_horses_has_patches_of_18_pixels(run):
    record = run("shape-bm", "--data", "horses", "--fast")
    assert record["figures"] == FIGURES and record["metrics"]["weights_shared"] == pytest.approx(1024 * 4 / 324)


@pytest.mark.slow
def test_of_horses_too(run):
    metrics = run("shape-bm", "--data", "horses")["metrics"]
    assert metrics["shape_bm"] > metrics["rbm"] > metrics["independent"]


def test_pieces_are_connected_by_sides_and_corners():
    shapes = np.zeros((3, 4, 4))
    shapes[0, [0, 1, 2], [0, 1, 2]] = 1                   # a diagonal, and a pixel apart from it
    shapes[0, 0, 3] = 1
    shapes[1, :, 1] = 1
    assert np.array_equal(largest_pieces(shapes), [0.75, 1.0, 0.0])
