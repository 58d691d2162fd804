"""What grading a submission came to: one record a test, and the totals over the manifest's points."""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading.manifest import Manifest

# `infrastructure` is a fault of the grader's machine: never a zero, and graded again by --resume.
STATUSES = ("passed", "failed", "not_attempted", "error", "timeout", "memory", "crashed", "protocol", "missing",
            "blocked", "infrastructure")


@dataclass
class Record:
    """One test's outcome. `message` and `output` are empty for a hidden test: of it only the status is shown.

    With a `doubt` it does not count yet: "alone", it may have come of what ran beside it; "test", of the test itself.
    """

    test: str
    task: str
    status: str
    points: float
    maximum: float
    hidden: bool
    message: str = ""
    output: str = ""
    seconds: float = 0.0
    doubt: str = ""


@dataclass
class Result:
    """All of a submission's records so far; `digest` is of its files, `isolation` how they were kept apart."""

    assignment: str
    submission: str
    digest: str
    isolation: str
    records: dict[str, Record] = field(default_factory=dict)
    problem: str = ""                  # a sentence where the submission as a whole could not be graded

    def add(self, record: Record) -> None:
        if record.status not in STATUSES:
            raise ValueError(f"no status {record.status!r}")
        self.records[record.test] = record

    def points(self, task: str | None = None) -> float:
        """The points that tests gave, in one task or in all."""
        return sum(record.points for record in self.records.values() if task in (None, record.task))

    def task_status(self, manifest: Manifest, task: str) -> str:
        """A task's status: that of its tests if they agree, partial if some passed, else the first that says more."""
        found = [self.records[test.name].status if test.name in self.records else "infrastructure"
                 for test in manifest.task(task).tests]
        if len(set(found)) == 1:
            return found[0]
        return "partial" if "passed" in found else next(status for status in found if status != "not_attempted")

    def complete(self, manifest: Manifest) -> bool:
        """Whether every test of the manifest has an outcome that is the submission's own."""
        found = [self.records.get(test.name) for _, test in manifest.tests()]
        return all(record and record.status != "infrastructure" and not record.doubt for record in found)

    def doubted(self, doubt: str) -> list[str]:
        """The tests whose outcome has this doubt."""
        return [record.test for record in self.records.values() if record.doubt == doubt]

    def broken(self) -> bool:
        """Whether a fault that is not the submission's has kept a test from an outcome."""
        return any(record.status == "infrastructure" or record.doubt for record in self.records.values())

    def write(self, path: Path) -> None:
        """Write as JSON, atomically."""
        with atomic_write(path, "w") as file:
            json.dump(asdict(self), file, indent=1)
            file.write("\n")


def read(path: Path) -> Result:
    """A result that was written. Raises InputError if the file is none."""
    try:
        table: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        records = {name: Record(**record) for name, record in table["records"].items()}
        return Result(**{**table, "records": records})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is no result of minidl grade ({type(error).__name__}: {error})") from None
