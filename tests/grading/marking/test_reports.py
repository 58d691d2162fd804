"""Reports say what happened, escape what a submission wrote, and show nothing of a hidden test but its status."""
import codecs
import csv
import io
import json
import tomllib
from xml.etree import ElementTree

import pytest

from minidl.errors import InputError
from minidl.grading import manifest
from minidl.grading.marking import overrides, reports
from minidl.grading.marking.results import Record, Result
from tests.grading import toy

NASTY = "=HYPERLINK(\"x\")\n<script>`</code> ]]> \x1b[31m \x00 \ud800 | **b** \u202e"


@pytest.fixture
def written(tmp_path):
    """A nasty submission's files, by name, and the gradebook's rows."""
    assignment = manifest.read(toy.write(tmp_path))
    result = Result("a0", "=cmd", "0123456789abcdef", "none", problem=NASTY)
    result.add(Record("test_double", "1.1", "error", 0.0, 1.0, False, NASTY, NASTY, 0.1))
    result.add(Record("test_double_of_a_matrix", "1.1", "passed", 2.0, 2.0, True, "", "", 0.1))
    result.add(Record("test_stack", "1.2", "passed", 1.0, 1.0, False, "", "", 0.1))
    decided = overrides.Overrides({"=cmd": overrides.Decision({"q1": 1.0}, late_days=1.0, note=NASTY)}, 0.0, 0.5)
    reports.write(tmp_path / "out", assignment, [result], decided)
    files = {path.name: path.read_text() for path in (tmp_path / "out" / "=cmd").iterdir()}
    book = (tmp_path / "out" / "gradebook.csv").read_bytes()
    assert book.startswith(codecs.BOM_UTF8 + b'"submission","total"')              # what a double click needs
    return files, list(csv.DictReader(io.StringIO(book.decode("utf-8-sig"))))


def test_the_gradebook_adds_up_and_holds_no_formula(written):
    row, = written[1]
    assert (row["total"], row["of"], row["1.1"], row["1.2"], row["q1"], row["deduction"]) == \
        ("2", "6", "2", "1", "1", "2")
    assert row["submission"] == "'=cmd" and row["note"].startswith("'=HYPERLINK") and row["complete"] == "yes"


def test_no_report_holds_what_a_terminal_or_a_parser_would_obey(written):
    for name, text in written[0].items():
        assert not any(ord(c) < 32 and c not in "\n\t" or 0xd800 <= ord(c) < 0xe000 or c == "\u202e"
                   for c in text), name
    failure = ElementTree.fromstring(written[0]["junit.xml"])[0][0]
    assert failure.text and "<script>" in failure.text
    hidden = ElementTree.fromstring(written[0]["junit.xml"])[1]
    assert hidden.get("time") == "0.000"
    table = json.loads(written[0]["gradescope.json"])
    assert [test["visibility"] for test in table["tests"]] == ["visible", "after_published", "visible"]
    assert table["score"] == 2.0 and [test["score"] for test in table["tests"]] == [0.0, 2.0, 1.0]


def test_when_hidden_tests_are_shown_is_the_manifests_choice_but_never_at_each_upload(tmp_path):
    path = toy.write(tmp_path) / "manifest.toml"
    text = path.read_text()
    for choice in manifest.HIDDEN_TESTS:
        path.write_text(f'hidden_tests = "{choice}"\n{text}')
        found = manifest.read(path.parent)
        assert manifest.parse(path.parent, tomllib.loads(manifest.as_toml(found))) == found
        result = Result("a0", "x", "00", "none")
        table = reports.gradescope(found, result, reports.Marks(found, result, overrides.Overrides()))
        assert [test["visibility"] for test in table["tests"]] == ["visible", choice, "visible"]
    path.write_text(f'hidden_tests = "visible"\n{text}')
    with pytest.raises(InputError, match="hidden_tests is one of after_published, after_due_date, hidden, not"):
        manifest.read(path.parent)


def test_in_feedback_foreign_text_is_code_or_escaped(written):
    lines = written[0]["feedback.md"].splitlines()
    with_markup = [line for line in lines if "<script>" in line]
    assert with_markup and all(line.startswith("      ") or "`" in line.split("<script>")[0] or "\\<" in line
                               for line in with_markup)
    assert "## Task 1\\.1" not in written[0]["feedback.md"] and "partial" in written[0]["feedback.md"]


def test_a_hidden_tests_message_is_nowhere(tmp_path):
    assignment = manifest.read(toy.write(tmp_path))
    result = Result("a0", "x", "00", "none")
    result.add(Record("test_double_of_a_matrix", "1.1", "failed", 0.0, 2.0, True, "secret 42", "secret 43", 0.1))
    text = reports.feedback(assignment, result, reports.Marks(assignment, result, overrides.Overrides()))
    assert "secret" not in text and "failed: `test_double_of_a_matrix` (hidden), 0 of 2" in text


def test_what_a_person_decided_is_told_as_such(tmp_path):
    assignment = manifest.read(toy.write(tmp_path))
    result = Result("a0", "x", "00", "none")
    result.add(Record("test_stack", "1.2", "passed", 1.0, 1.0, False))
    decided = overrides.Overrides({"x": overrides.Decision({"1.1": 3.0, "q1": 1.5}, late_days=1.0)}, 0.0, 0.5)
    marks = reports.Marks(assignment, result, decided)
    text = reports.feedback(assignment, result, marks)
    assert "(3 of 3, given by hand; tests: infrastructure)" in text and "1 day late: 2.75 points taken off." in text
    assert "**2.75 of 6 points**" in text and "not marked yet" not in text
    assert reports.gradescope(assignment, result, marks)["output"].splitlines() == [
        "1.1: 3, given by hand", "q1: 1.5 of 2", "1 day late: 2.75 points taken off"]
    excused = overrides.Overrides({"x": overrides.Decision(late_days=2.0, excused=True)}, 0.0, 0.5)
    text = reports.feedback(assignment, result, reports.Marks(assignment, result, excused))
    assert "2 days late: excused." in text and "**1 of 6 points**, and 2 points not marked yet" in text
