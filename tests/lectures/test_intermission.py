"""The lecture on slides 49-52 from end to end: its files, and digits that stay what they are."""
import pytest


def test_the_lecture_starts(run):
    record = run("intermission", "--fast")
    assert record["figures"] == ["kinds.png", "learning.gif", "translated.png"]
    assert {"kept_plain", "kept_tabby", "cycle_plain", "cycle_tabby"} <= set(record["metrics"])


@pytest.mark.slow
def test_a_tabby_three_is_a_three(run):
    metrics = run("intermission", "--seed", "1")["metrics"]
    assert min(metrics["kept_plain"], metrics["kept_tabby"]) > 0.85
    assert max(metrics["cycle_plain"], metrics["cycle_tabby"]) < 0.15
