"""What comes of results: a gradebook (CSV), and for each submission feedback (Markdown), JUnit and Gradescope files.

Whatever a submission wrote, its name, its messages, what it printed, is escaped for the format that it goes to.
"""
from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from minidl.files import atomic_write
from minidl.grading.manifest import Manifest, Task, in_points
from minidl.grading.marking.overrides import Overrides
from minidl.grading.marking.results import Record, Result


class Marks:
    """A submission's points by task and question, what lateness costs, and the total."""

    def __init__(self, manifest: Manifest, result: Result, overrides: Overrides) -> None:
        decided = overrides.of(result.submission)
        self.tasks = {task.id: decided.points.get(task.id, result.points(task.id)) for task in manifest.tasks}
        self.questions = {question.id: decided.points.get(question.id) for question in manifest.questions}
        earned = sum(self.tasks.values()) + sum(points or 0.0 for points in self.questions.values())
        self.by_hand = set(self.tasks) & set(decided.points)
        self.late_days, self.excused, self.note = decided.late_days, decided.excused, decided.note
        self.deduction = overrides.deduction(result.submission, earned)
        self.total = earned - self.deduction
        self.maximum = manifest.points + sum(question.points for question in manifest.questions)


def write(folder: Path, manifest: Manifest, results: Sequence[Result], overrides: Overrides) -> None:
    """Write gradebook.csv into the folder, and the other files into the folder of each submission."""
    rows = [_row(manifest, result, Marks(manifest, result, overrides)) for result in results]
    with atomic_write(folder / "gradebook.csv") as file:
        file.write(_csv(rows).encode("utf-8-sig"))       # by whose first bytes spreadsheets know what letters these are
    for result in results:
        marks = Marks(manifest, result, overrides)
        for name, text in (("feedback.md", feedback(manifest, result, marks)), ("junit.xml", junit(manifest, result)),
                           ("gradescope.json", json.dumps(gradescope(manifest, result, marks), indent=1) + "\n")):
            with atomic_write(folder / result.submission / name, "w") as file:
                file.write(text)


def _row(manifest: Manifest, result: Result, marks: Marks) -> dict[str, Any]:
    return {"submission": result.submission, "total": f"{marks.total:g}", "of": f"{marks.maximum:g}",
            **{task: f"{points:g}" for task, points in marks.tasks.items()},
            **{question: "" if points is None else f"{points:g}" for question, points in marks.questions.items()},
            "late days": f"{marks.late_days:g}", "deduction": f"{marks.deduction:g}",
            "complete": "yes" if result.complete(manifest) else "no", "isolation": result.isolation,
            "digest": result.digest[:12], "note": "; ".join(filter(None, (marks.note, result.problem)))}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["submission"], lineterminator="\r\n",
                            quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for row in rows:
        # A cell that begins so would be a formula in a spreadsheet.
        writer.writerow({key: "'" * bool(re.match(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]", cell)) + plain(cell)
                         for key, cell in row.items()})
    return text.getvalue()


def feedback(manifest: Manifest, result: Result, marks: Marks) -> str:
    """What a student is told, in Markdown: of a hidden test its status alone."""
    unmarked = sum(question.points for question in manifest.questions if marks.questions[question.id] is None)
    lines = [f"# {manifest.name}: {_markdown(manifest.title)}", "", f"Submission {_code(result.submission)}, files "
             f"{result.digest[:12]}: **{marks.total:g} of {marks.maximum:g} points**" + (
                 f", and {in_points(unmarked)} not marked yet" if unmarked else ""), ""]
    said = ""
    if result.problem:
        lines += [f"Note: {_code(result.problem)}", ""]
    if marks.late_days:
        lines += [f"{_late(marks)}.", ""]
    for task in manifest.tasks:
        lines += [f"## Task {task.id}: {_markdown(task.title)} ({marks.tasks[task.id]:g} of {task.points:g}, "
                  f"{'given by hand; tests: ' * (task.id in marks.by_hand)}"
                  f"{result.task_status(manifest, task.id).replace('_', ' ')})", ""]
        for record in _records(result, task):
            lines += _about(record, record.message == said)
            said = record.message or said
        lines.append("")
    for question in manifest.questions:
        points = marks.questions[question.id]
        lines += [f"## Question {question.id}: {_markdown(question.title)} "
                  f"({'not marked yet' if points is None else f'{points:g}'} of {question.points:g})", ""]
    if marks.note:
        lines += [f"Remark: {_markdown(marks.note)}", ""]
    return "\n".join(lines)


def _late(marks: Marks) -> str:
    """`2 days late: 1.5 points are taken off`."""
    return f"{marks.late_days:g} day{'s' * (marks.late_days != 1)} late: " + (
        "excused" if marks.excused else f"{in_points(marks.deduction)} taken off")


def _about(record: Record, said: bool) -> list[str]:
    """A record's line, and below it what is not yet `said`."""
    hidden = " (hidden)" if record.hidden else ""
    above = ", as above" if said and record.message else ""
    lines = [f"- {record.status.replace('_', ' ')}{above}: `{record.test}`{hidden}, {record.points:g} of "
             f"{record.maximum:g}"]
    for text in ("" if said else record.message, record.output):
        if text and not record.hidden:
            lines += ["", *(f"      {plain(line)}" for line in text.splitlines()), ""]     # an indented code block
    return lines


def junit(manifest: Manifest, result: Result) -> str:
    """The records as JUnit's XML."""
    ends = [record.status for record in result.records.values()]
    errors = ends.count("infrastructure")
    suite = ElementTree.Element("testsuite", name=manifest.name, tests=str(len(ends)), errors=str(errors),
                                failures=str(len(ends) - errors - ends.count("passed")))
    for record in result.records.values():
        case = ElementTree.SubElement(suite, "testcase", classname=f"{manifest.name}.{record.task}", name=record.test,
                                      time=f"{0 if record.hidden else record.seconds:.3f}")    # it could tell of inputs
        if record.status != "passed":
            kind = "error" if record.status == "infrastructure" else "failure"
            ElementTree.SubElement(case, kind, message=plain(record.status)).text = plain(record.message)
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def gradescope(manifest: Manifest, result: Result, marks: Marks) -> dict[str, Any]:
    """The results.json of Gradescope's autograder."""
    tests = [{"name": f"{record.task} {record.test}", "score": record.points, "max_score": record.maximum,
              "status": "passed" if record.status == "passed" else "failed",
              "output": "\n".join(filter(None, (record.status, plain(record.message)))), "output_format": "text",
              "visibility": manifest.hidden_tests if record.hidden else "visible"}
             for task in manifest.tasks for record in _records(result, task)]
    said = [result.problem, *(f"{task}: {marks.tasks[task]:g}, given by hand" for task in sorted(marks.by_hand)),
            *(f"{question.id}: " + ("not marked yet" if (points := marks.questions[question.id]) is None else
                                    f"{points:g} of {question.points:g}") for question in manifest.questions),
            _late(marks) if marks.late_days else "", marks.note]
    return {"score": max(marks.total, 0.0), "output": plain("\n".join(filter(None, said))), "output_format": "text",
            "tests": tests}


def _records(result: Result, task: Task) -> list[Record]:
    """A task's records; a test without one has not been graded."""
    return [result.records.get(test.name) or Record(test.name, task.id, "infrastructure", 0.0, test.points, test.hidden)
            for test in task.tests]


def plain(text: str) -> str:
    """Text without control characters, which a terminal would obey, XML does not allow, or which turn lines around."""
    unwanted = r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]"
    return re.sub(unwanted, "\N{REPLACEMENT CHARACTER}", text)


def line(text: str) -> str:
    """Plain text on one line: a name with line breaks could forge other lines."""
    return " ".join(plain(text).split())


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", plain(text).replace("\n", " "))


def _code(text: str) -> str:
    return "`" + plain(text).replace("`", "'").replace("\n", " ") + "`"
