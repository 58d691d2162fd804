"""The lecture on slides 28-43 from end to end: its files, and what holds after a short run already."""
import math

import pytest


def test_the_lecture_starts_and_its_game_on_the_line_is_exact(run):
    record = run("gan", "--fast")
    assert record["figures"] == [
        "shifted.png", "similarity.png", "line.gif", "distances.png", "plane.gif", "generated.png", "walks.png",
        "labels.png", "codes.png", "bigan.png"] or record["figures"][7] == "arithmetic.png"
    shown = {slide for said in record["figure_slides"].values() for slide in said}
    assert shown == set(range(28, 44))
    metrics = record["metrics"]
    assert 0 <= metrics["js_at_the_end"] <= math.log(2) and 0 <= metrics["d_from_best"] <= 1
    assert metrics["rules_broken_by_dcgan"] == 0
    assert all(1 <= value <= 10 for name, value in metrics.items() if name.startswith("score_"))


@pytest.mark.slow
def test_a_moved_digit_is_farther_than_another_and_labels_come_out_as_asked(run):
    metrics = run("gan", "--seed", "1")["metrics"]
    assert metrics["moved_is_farther_than_another"] > 0.7 and metrics["crisper"] > 1.3
    assert metrics["d_from_best"] < 0.1 and metrics["js_at_the_end"] < 0.05
    assert metrics["conditional_right"] > 0.85 and metrics["auxiliary_right"] > 0.85 and metrics["rarest_digit"] >= 10
