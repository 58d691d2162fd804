"""What a person decides about marks: points given by hand, late days, exceptions; a TOML file beside the results.

    [late]
    free_days = 3                      # nothing is taken off for so many days a submission
    per_day = 0.1                      # then this share of the points that were earned, for each day

    [submission.alice]
    points = { "2.1" = 4, "q1" = 2.5 } # a task's points instead of the tests', a question's points
    late_days = 5
    excused = true                     # nothing is taken off
    note = "was ill"
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidl.errors import InputError
from minidl.grading.manifest import Manifest, known, nearest, read_toml


@dataclass(frozen=True)
class Decision:
    """What was decided about one submission."""

    points: Mapping[str, float] = field(default_factory=dict)          # of tasks and questions, by id
    late_days: float = 0.0
    excused: bool = False
    note: str = ""


@dataclass(frozen=True)
class Overrides:
    """All decisions, by the submission's name, and what lateness costs."""

    decisions: Mapping[str, Decision] = field(default_factory=dict)
    free_days: float = 0.0
    per_day: float = 0.0

    def of(self, submission: str) -> Decision:
        return self.decisions.get(submission, Decision())

    def deduction(self, submission: str, earned: float) -> float:
        """The points that lateness costs: at most those that were earned."""
        decision = self.of(submission)
        days = 0.0 if decision.excused else max(decision.late_days - self.free_days, 0.0)
        return min(days * self.per_day, 1.0) * earned


def read(path: Path, manifest: Manifest, submissions: Iterable[str]) -> Overrides:
    """The decisions in a file. Raises InputError for unknown keys, ids and submissions, and points out of range."""
    table = read_toml(path)
    try:
        known(table, "the file", {"late", "submission"})
        late = table.get("late", {})
        known(late, "[late]", {"free_days", "per_day"})
        most = {task.id: task.points for task in manifest.tasks} | {q.id: q.points for q in manifest.questions}
        names = set(submissions)
        decisions = {}
        for name, entry in table.get("submission", {}).items():
            if name not in names:
                raise InputError(f"there is no submission {name!r}" + (
                    nearest(name, names) or f"; there are {', '.join(sorted(names)[:20])}"))
            decisions[name] = _decision(f"submission.{name}", entry, most)
        if "late" not in table and (late_ones := [name for name, one in decisions.items() if one.late_days]):
            raise InputError(f"{late_ones[0]} has late_days, but nothing says what they cost: add [late] with per_day, "
                             "the share of the points that each day takes, or 0")
        return Overrides(decisions, _number(late, "free_days", "[late]"), _number(late, "per_day", "[late]"))
    except AttributeError as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _decision(where: str, entry: Any, most: Mapping[str, float]) -> Decision:
    known(entry, where, {"points", "late_days", "excused", "note"})
    points = entry.get("points", {})
    if isinstance(points, dict) and any(isinstance(value, dict) for value in points.values()):
        raise InputError(f"{where}.points: a task's id has a dot, so write it in quotes: {{ \"2.1\" = 4 }}")
    known(points, f"{where}.points", set(most))
    for id_, value in points.items():
        if not 0 <= _number(points, id_, f"{where}.points") <= most[id_]:
            raise InputError(f"{where}: {id_} gives 0 to {most[id_]:g} points, not {value!r}")
    if not isinstance(entry.get("excused", False), bool) or not isinstance(entry.get("note", ""), str):
        raise InputError(f"{where}: excused is true or false, note is a text")
    return Decision({id_: float(value) for id_, value in points.items()}, _number(entry, "late_days", where),
                    entry.get("excused", False), entry.get("note", ""))


def _number(table: Mapping[str, Any], key: str, where: str) -> float:
    value = table.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise InputError(f"{where}: {key} is a number of 0 or more, not {value!r}")
    return float(value)
