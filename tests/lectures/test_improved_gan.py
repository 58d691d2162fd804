"""The lecture on the hacks of slide 44, from end to end."""
import pytest


def test_a_short_run_has_every_figure_and_measures_every_hack(run):
    record = run("improved-gan", "--fast")
    assert record["slides"] == [44, 45, 46, 47, 48] and record["data"] == "digits"
    assert record["figures"] == ["samples.png", "circles.png", "hacks.png", "score.png", "remedies.png"]
    metrics = record["metrics"]
    assert metrics["improved_virtual_batch_norm"] == 1.0             # by what it is, however short the training
    assert {"modes_minimax", "modes_minimax_pack_of_4", "modes_non-saturating", "modes_wgan-gp"} <= {*metrics}


@pytest.mark.slow
def test_hacks_keep_what_they_promise_and_the_score_misses_what_it_cannot_see(run):
    metrics = run("improved-gan", "--seed", "1")["metrics"]
    assert metrics["score_of_ten_images"] > metrics["score_of_test_images"]
    assert metrics["modes_minimax"] < metrics["modes_wgan-gp"] == 8
