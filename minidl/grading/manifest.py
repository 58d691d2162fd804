"""An assignment's manifest: its tasks, tests, points, files and limits, read from `manifest.toml` and checked."""
from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidl.errors import InputError

ANSWERS = "answers.md"                 # where students answer questions, in an assignment that has any

# When Gradescope shows hidden tests. At each upload is no choice: students could ask them until they know the answer.
HIDDEN_TESTS = ("after_published", "after_due_date", "hidden")


@dataclass(frozen=True)
class Test:
    """A test function: its points, and whether students have it (public) or see its status alone (hidden)."""

    name: str
    points: float
    hidden: bool


@dataclass(frozen=True)
class Task:
    """Something to write: `functions` are what the stub leaves open, the tests are what proves them."""

    id: str
    title: str
    functions: tuple[str, ...]
    tests: tuple[Test, ...]

    @property
    def points(self) -> float:
        return sum(test.points for test in self.tests)


@dataclass(frozen=True)
class Question:
    """Something to explain in words, for points that a person gives."""

    id: str
    title: str
    points: float


@dataclass(frozen=True)
class Limits:
    """`seconds` for one call, `memory` in MiB."""

    seconds: float = 10.0
    memory: int = 2048


@dataclass(frozen=True)
class Manifest:
    """What `manifest.toml` says, in the assignment's folder.

    `files` are what a student hands in; the first is the one that is tested. With `engine` a submission may import
    minidl's tensors, layers, optimisers and data, none of its models; without it there is no minidl to import.
    `hidden_tests` is when Gradescope shows students which of these passed.
    """

    folder: Path
    name: str
    title: str
    slides: str
    files: tuple[str, ...]
    tasks: tuple[Task, ...]
    questions: tuple[Question, ...] = ()
    engine: bool = False
    limits: Limits = field(default_factory=Limits)
    hidden_tests: str = HIDDEN_TESTS[0]

    @property
    def module(self) -> str:
        """The name under which the tested file is imported."""
        return self.files[0].removesuffix(".py")

    @property
    def points(self) -> float:
        """All points that tests give: the denominator, whatever was collected. Those of questions come on top."""
        return sum(task.points for task in self.tasks)

    def tests(self) -> Iterator[tuple[Task, Test]]:
        return ((task, test) for task in self.tasks for test in task.tests)

    def task(self, wanted: str) -> Task:
        """The task of this id. Raises InputError for another, with the ids there are."""
        for task in self.tasks:
            if task.id == wanted:
                return task
        ids = [task.id for task in self.tasks]
        raise InputError(f"{self.name} has no task {wanted!r}; its tasks are {', '.join(ids)}" + nearest(wanted, ids))

    def handed_in(self) -> tuple[str, ...]:
        """What a student hands in: the files, and the answers where there are questions."""
        return (*self.files, ANSWERS) if self.questions else self.files

    def instructor(self, folder: Path | None = None) -> Path:
        """Where solution, hidden tests and drivers lie: `folder`/<assignment>, or the assignment's own instructor/.

        A `folder` that has the assignment's name, and none of that name in it, is meant itself.
        """
        if folder is None:
            return self.folder / "instructor"
        inner = folder / self.folder.name
        return folder if folder.resolve().name == self.folder.name and not inner.is_dir() else inner


def drivers(public: Path, hidden: Path | None = None) -> Path:
    """The drivers of tests in the folder `public`; of hidden tests, those in `hidden` if it has any."""
    own = hidden / "drivers.py" if hidden else None
    return own if own and own.is_file() else public / "drivers.py"


def folders() -> list[Path]:
    """Where assignments lie: in the folders that `MINIDL_ASSIGNMENTS` names, separated as in PATH, or in a checkout."""
    named = [Path(name).expanduser() for name in os.environ.get("MINIDL_ASSIGNMENTS", "").split(os.pathsep) if name]
    return [*named, Path(__file__).resolve().parents[2] / "assignments"]


def find(wanted: str) -> Manifest:
    """The assignment of this name (`a3`, or its folder's whole name) or, where it has a slash, in this folder.

    Raises InputError, with the names there are, for another.
    """
    if "/" in wanted or os.sep in wanted:
        return read(Path(wanted).expanduser())
    there: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*/manifest.toml")):
            there.setdefault(path.parent.name, path.parent)
    for name, folder in there.items():
        if wanted in (name, name.partition("_")[0]):
            return read(folder)
    if not there:
        raise InputError(f"no assignment {wanted!r}: none was found in {' or '.join(map(str, folders()))}; give the "
                         "folder of one, with a slash in it, or name the folder that holds them in MINIDL_ASSIGNMENTS")
    raise InputError(f"no assignment {wanted!r}; there are {', '.join(there)}" + nearest(
        wanted, [*there, *(name.partition("_")[0] for name in there)]))


def nearest(wanted: str, names: Iterable[str]) -> str:
    """`; did you mean a3?` where one of the names is like the wanted one, else nothing."""
    letters = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(wanted.casefold(), letters, n=1)
    return f"; did you mean {letters[near[0]]}?" if near else ""


def as_toml(manifest: Manifest) -> str:
    """The text of a manifest.toml that says the same."""
    def quoted(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    lines = [f"{key} = {quoted(getattr(manifest, key))}" for key in ("name", "title", "slides", "files")]
    lines += ["engine = true"] * manifest.engine
    lines += [f"hidden_tests = {quoted(manifest.hidden_tests)}"] * (manifest.hidden_tests != HIDDEN_TESTS[0])
    lines += ["", "[limits]", f"seconds = {manifest.limits.seconds!r}", f"memory = {manifest.limits.memory}"]
    for task in manifest.tasks:
        lines += ["", "[[task]]", *(f"{key} = {quoted(getattr(task, key))}" for key in ("id", "title", "functions"))]
        lines += ["test = [", *(f"  {{ name = {quoted(test.name)}, points = {test.points!r}"
                                f"{', hidden = true' if test.hidden else ''} }}," for test in task.tests), "]"]
    for question in manifest.questions:
        lines += ["", "[[question]]", f"id = {quoted(question.id)}", f"title = {quoted(question.title)}",
                  f"points = {question.points!r}"]
    return "\n".join(lines) + "\n"


def in_points(value: float) -> str:
    """`1 point`, `2.5 points`."""
    return f"{value:g} point{'s' * (value != 1)}"


def read(folder: Path) -> Manifest:
    """The manifest in an assignment's folder. Raises InputError with a sentence for whatever is wrong in it."""
    path = folder / "manifest.toml"
    if not path.is_file():
        raise InputError(f"{folder} is no assignment: it has no manifest.toml")
    table = read_toml(path)
    try:
        return parse(folder, table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's table. Raises InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def parse(folder: Path, table: Mapping[str, Any]) -> Manifest:
    """The manifest that a table says. Raises InputError with a sentence for whatever is wrong in it."""
    known(table, "the manifest", {"name", "title", "slides", "files", "engine", "hidden_tests", "limits", "task",
                                   "question"})
    limits = _get(table, "limits", dict, "the manifest", {})
    known(limits, "limits", {"seconds", "memory"})
    files = tuple(_texts(table, "files", "the manifest"))
    if not files or not all(name.endswith(".py") and Path(name).name == name for name in files):
        raise InputError(f"files is a list of Python files without folders, the tested one first; not {list(files)}")
    manifest = Manifest(
        folder, _get(table, "name", str, "the manifest"), _get(table, "title", str, "the manifest"),
        _get(table, "slides", str, "the manifest"), files,
        tuple(_task(task) for task in _get(table, "task", list, "the manifest")),
        tuple(_question(question) for question in _get(table, "question", list, "the manifest", [])),
        _get(table, "engine", bool, "the manifest", False),
        Limits(_positive(limits, "seconds", "limits", 10.0), int(_positive(limits, "memory", "limits", 2048))),
        _get(table, "hidden_tests", str, "the manifest", HIDDEN_TESTS[0]))
    if manifest.hidden_tests not in HIDDEN_TESTS:
        raise InputError(f"hidden_tests is one of {', '.join(HIDDEN_TESTS)}, not {manifest.hidden_tests!r}")
    if not manifest.tasks:
        raise InputError("it has no [[task]]")
    _distinct("task or question", [task.id for task in manifest.tasks] + [q.id for q in manifest.questions])
    _distinct("test", [test.name for _, test in manifest.tests()])
    return manifest


def _task(table: Mapping[str, Any]) -> Task:
    where = f"task {table.get('id', '(without id)')}"
    known(table, where, {"id", "title", "functions", "test"})
    tests = []
    for test in _get(table, "test", list, where):
        known(test, f"a test of {where}", {"name", "points", "hidden"})
        name = _get(test, "name", str, f"a test of {where}")
        if not name.startswith("test_"):
            raise InputError(f"{where}: a test's name begins with test_, not {name!r}")
        tests.append(Test(name, _positive(test, "points", f"{where}, {name}"),
                          _get(test, "hidden", bool, f"{where}, {name}", False)))
    if not tests:
        raise InputError(f"{where} has no tests")
    return Task(_get(table, "id", str, where), _get(table, "title", str, where),
                tuple(_texts(table, "functions", where)), tuple(tests))


def _question(table: Mapping[str, Any]) -> Question:
    where = f"question {table.get('id', '(without id)')}"
    known(table, where, {"id", "title", "points"})
    return Question(_get(table, "id", str, where), _get(table, "title", str, where),
                    _positive(table, "points", where))


_NEEDED = object()


def _get(table: Mapping[str, Any], key: str, kind: type, where: str, otherwise: Any = _NEEDED) -> Any:
    value = table.get(key, otherwise)
    if value is _NEEDED:
        raise InputError(f"{where} needs a {key} ({kind.__name__})")
    if not isinstance(value, kind):
        raise InputError(f"{where}: {key} is a {kind.__name__}, not {value!r}")
    return value


def _texts(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    values = _get(table, key, list, where)
    if not all(isinstance(value, str) for value in values):
        raise InputError(f"{where}: {key} is a list of strings, not {values}")
    return values


def _positive(table: Mapping[str, Any], key: str, where: str, otherwise: Any = _NEEDED) -> float:
    value = table.get(key, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"{where}: {key} is a number above 0, not {'missing' if value is _NEEDED else repr(value)}")
    return float(value)


def known(table: Any, where: str, keys: set[str]) -> None:
    """Raise InputError if a value of a TOML file is no table, or has a key that is none of these."""
    if not isinstance(table, dict):
        raise InputError(f"{where} is a table, not {table!r}")
    for key in table:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            raise InputError(f"{where} has an unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else
                             f"; it may have {', '.join(sorted(keys))}"))


def _distinct(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two {what}s are called {name!r}")
