"""Why tests failed, for whoever grades: what students are not told of hidden tests, and faults that are not theirs."""
from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from minidl.files import atomic_write
from minidl.grading.manifest import Manifest
from minidl.grading.marking.reports import line, plain
from minidl.grading.marking.results import Result

FOLDER, REPORT = "operator", "operator.md"       # beside the submissions' folders, none of which is a student's to see


def path(out: Path, submission: str) -> Path:
    """Where the notes on a submission are kept."""
    return out / FOLDER / submission / "notes.json"


def read(path: Path) -> dict[str, str]:
    """The notes in a file, by test; none if there is no such file, or it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(test): str(text) for test, text in found.items()} if isinstance(found, dict) else {}


def add(path: Path, test: str, text: str) -> None:
    """Write one more."""
    _write(path, {**read(path), test: text})


def forget(path: Path, tests: Collection[str]) -> None:
    """Take those of these tests away: they are run again."""
    before = read(path)
    if not before.keys().isdisjoint(tests):
        _write(path, {test: text for test, text in before.items() if test not in tests})


def _write(path: Path, notes: dict[str, str]) -> None:
    with atomic_write(path, "w") as file:
        json.dump(notes, file, indent=1)


def report(out: Path, manifest: Manifest, results: Sequence[Result]) -> None:
    """Write operator.md: first what is nobody's fault who is graded, then why tests failed."""
    lines = [f"# {manifest.name}: for whoever grades", "",
             "Students must not see this file: it says what hidden tests are about.", ""]
    for title, wanted in (("Faults of this machine, or of the tests", True), ("Why tests failed", False)):
        lines += [f"## {title}", ""]
        before = len(lines)
        for result in results:
            told = read(path(out, result.submission))
            for record in result.records.values():
                text = told.get(record.test, record.message)
                failed = record.status not in ("passed", "not_attempted") and text
                if failed and (record.status == "infrastructure") is wanted:
                    lines += [f"- {line(result.submission)}, {record.test}{' (hidden)' * record.hidden}: "
                              f"{record.status.replace('_', ' ')}", "",
                              *(f"      {plain(each)}" for each in text.splitlines()), ""]
        if len(lines) == before:
            lines += ["None.", ""]
    with atomic_write(out / REPORT, "w") as file:
        file.write("\n".join(lines))
