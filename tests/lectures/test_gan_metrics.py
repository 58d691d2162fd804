"""The lecture on slides 75-80, from end to end."""
import pytest


def test_a_short_run_has_every_figure_and_finds_the_copies(run):
    record = run("gan-metrics", "--fast")
    assert record["slides"] == [75, 76, 77, 78, 79, 80] and record["data"] == "digits"
    assert record["figures"] == ["score.png", "precision-recall.png", "pairs.png", "pyramid.png", "scales.png",
                                 "two-measures.png", "report.png"]
    assert record["metrics"]["nearest_by_heart"] == 0 and record["metrics"]["pyramid_error"] < 1e-6


@pytest.mark.slow
def test_each_measure_misses_what_another_one_sees(run):
    metrics = run("gan-metrics", "--seed", "1")["metrics"]
    assert metrics["score_of_ten_images"] > metrics["score_of_real_images"]
    assert metrics["recall_of_ten_images"] < 0.05 < metrics["recall_of_half"]
