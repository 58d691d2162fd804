"""Decisions about marks are read from a file, and a wrong one is refused with a sentence."""
import pytest

import minidl as md
from minidl.grading import manifest
from minidl.grading.marking import overrides
from tests.grading import toy


@pytest.fixture
def read(tmp_path):
    assignment = manifest.read(toy.write(tmp_path))

    def read(text):
        (tmp_path / "o.toml").write_text(text)
        return overrides.read(tmp_path / "o.toml", assignment, ["alice", "bob"])
    return read


def test_late_days_beyond_the_free_ones_cost_a_share_of_what_was_earned(read):
    decided = read('[late]\nfree_days = 2\nper_day = 0.25\n[submission.alice]\nlate_days = 3\n'
                   '[submission.bob]\nlate_days = 99\n')
    assert decided.deduction("alice", 8.0) == 2.0 and decided.deduction("bob", 8.0) == 8.0
    assert decided.deduction("carol", 8.0) == 0.0
    assert read("[late]\nper_day = 1\n[submission.bob]\nlate_days = 9\nexcused = true").deduction("bob", 8.0) == 0.0


def test_points_by_hand_are_kept_with_their_note(read):
    decision = read('[submission.bob]\npoints = { "1.1" = 2.5, q1 = 0 }\nnote = "seen in person"').of("bob")
    assert decision.points == {"1.1": 2.5, "q1": 0.0} and decision.note == "seen in person"


@pytest.mark.parametrize("text, sentence", [
    ("[submission.alise]\n", "no submission 'alise'; did you mean alice"),
    ("[submission.bob]\npoints = { '1.1' = 4 }", "1.1 gives 0 to 3 points, not 4"),
    ("[submission.bob]\npoints = { '1.1' = true }", "a number of 0 or more, not True"),
    ("[submission.bob]\npoints = { q1 = nan }", "a number of 0 or more"),
    ("[submission.bob]\npoints = { 1.1 = 2 }", 'write it in quotes: { "2.1" = 4 }'),
    ("[submission.bob]\nlate_days = 2", "bob has late_days, but nothing says what they cost"),
    ("[submission.bob]\npoint = 3", "unknown key 'point'; did you mean 'points'"),
    ("[submission.bob]\npoints = { q2 = 1 }", "unknown key 'q2'; it may have 1.1, 1.2, q1"),
    ("[submission]\nbob = 3", "submission.bob is a table, not 3"),
    ("submission = 3", "cannot be read"), ("[late]\nper_day = -1", "per_day is a number of 0 or more"),
    ("[[", "cannot be read"), ("[submission.bob]\nnote = 3", "note is a text")])
def test_a_wrong_decision_gets_a_sentence(read, text, sentence):
    with pytest.raises(md.InputError, match=sentence):
        read(text)
