"""Whether an assignment keeps its promises: right solutions get all points, wrong ones lose what they must.

Everything is graded as submissions are, each test in a worker of its own: a wrong solution may also hang, crash or
fill the memory, and a test that passes only outside of a worker is no test.
"""
from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from minidl.errors import InputError
from minidl.grading import build, grade, release, results
from minidl.grading.manifest import Manifest, read_toml
from minidl.grading.results import Result

MUTANTS = 3                            # of each task, at least
_TEXTS = ("name", "task", "replace", "by")
SHARE = 0.25                           # of its time limit, that a test may need with the reference

Files = dict[str, str]                 # a submission: names and texts


class Mutant(NamedTuple):
    """A wrong solution, and the tests that must not pass with it."""

    name: str
    task: str
    files: Files
    loses: frozenset[str]


def verify(manifest: Manifest, instructor: Path | None, say: Callable[[str], None]) -> list[str]:
    """Check an assignment, saying what is done; returns a sentence for each fault.

    `instructor` is the folder that holds its instructor material, where that is not its own. Raises InputError where
    the material cannot be read, so that nothing can be checked.
    """
    material = manifest.instructor(instructor)
    right = solution(manifest, material)
    if faults := list(_faults_in_tests(manifest, material)):
        return faults                  # what the tests say would be of no use
    try:
        release.contents(manifest, material)
    except InputError as error:
        faults.append(str(error))
    wrong = mutants(manifest, material)
    faults += _faults_in_mutants(manifest, wrong)
    with tempfile.TemporaryDirectory(prefix="minidl-verify-") as place:
        verifier = _Verifier(manifest, instructor, Path(place), say)
        faults += verifier.check_reference(right)
        faults += verifier.check_others(build.stubs(manifest, material), wrong)
    return faults


class _Verifier:
    """Grades variants of the solution below the folder `place`."""

    def __init__(self, manifest: Manifest, instructor: Path | None, place: Path, say: Callable[[str], None]) -> None:
        self.manifest, self.instructor, self.place, self.say = manifest, instructor, place, say
        self.tests = [test.name for _, test in manifest.tests()]

    def check_reference(self, files: Files) -> Iterator[str]:
        """Right and fast; and the same in reversed order with other random numbers: no test needs another before it."""
        result = self._grade("reference", {"reference": files}, jobs=1)["reference"]
        for record in result.records.values():
            if record.status != "passed":
                yield _told(f"the reference does not pass {record.test}: {record.status}", record)
            if record.seconds > SHARE * self.manifest.limits.seconds:
                yield (f"{record.test} takes {record.seconds:.1f} s with the reference, more than a quarter of its "
                       f"limit of {self.manifest.limits.seconds:g} s")
        slowest = max(result.records.values(), key=lambda record: record.seconds)
        self.say(f"reference: {result.points():g} of {self.manifest.points:g} points; slowest: {slowest.test}, "
                 f"{slowest.seconds:.1f} s of {self.manifest.limits.seconds:g} s; isolation: {result.isolation}")
        again = self._grade("reversed", {"reference": files}, jobs=1, reverse=True)["reference"]
        for name in self.tests:
            first, second = result.records[name].status, again.records[name].status
            if first != second:
                yield _told(f"{name} depends on the order of the tests or on its random numbers: {first}, then "
                            f"{second} in reversed order and with another seed", again.records[name])
        self.say(f"in reversed order, with another seed: {again.points():g} of {self.manifest.points:g} points")

    def check_others(self, stub: Files, wrong: list[Mutant]) -> Iterator[str]:
        """The stub attempts nothing; each mutant loses what it must, and nothing else."""
        variants = {"stub": stub} | {f"mutant-{number}": mutant.files for number, mutant in enumerate(wrong, 1)}
        found = self._grade("others", variants, jobs=os.cpu_count() or 1)
        for record in found["stub"].records.values():
            if record.status != "not_attempted":
                yield _told(f"with the stub, {record.test} is {record.status}, not not_attempted", record)
        self.say(f"stub: {found['stub'].points():g} points")
        exact = 0
        for number, mutant in enumerate(wrong, 1):
            records = found[f"mutant-{number}"].records
            lost = {name for name in self.tests if records[name].status != "passed"}
            exact += lost == mutant.loses
            for name in sorted(lost - mutant.loses):
                yield _told(f"mutant {mutant.name!r} loses {name}, which it does not name", records[name])
            for name in sorted(mutant.loses - lost):
                yield f"mutant {mutant.name!r} passes {name}, which it should lose"
        self.say(f"mutants: {exact} of {len(wrong)} lose exactly what they name")

    def _grade(self, what: str, variants: dict[str, Files], *, jobs: int, reverse: bool = False) -> dict[str, Result]:
        folder = self.place / what
        for name, files in variants.items():
            (folder / "in" / name).mkdir(parents=True)
            for file, text in files.items():
                (folder / "in" / name / file).write_text(text, encoding="utf-8")
        options = grade.Options(jobs=min(jobs, len(variants)), instructor=self.instructor, reverse=reverse,
                                tell=True)
        grade.grade(self.manifest, folder / "in", folder / "out", options, lambda line: None)
        found = {name: results.read(folder / "out" / name / "result.json") for name in variants}
        for name, result in found.items():
            for record in result.records.values():
                if record.status == "infrastructure":
                    raise InputError(f"{record.test} could not be run for {what} {name}: {record.message}")
        return found


def _told(fault: str, record: results.Record) -> str:
    first = record.message.strip().splitlines()[:1]
    return f"{fault} ({first[0]})" if first else fault


# The material ---------------------------------------------------------------------------------------------------------

def _faults_in_tests(manifest: Manifest, material: Path) -> Iterator[str]:
    """Tests that the manifest does not have, or the files."""
    written = {False: test_functions(manifest.folder / "tests"), True: test_functions(material / "tests")}
    for hidden, functions in written.items():
        wanted = {test.name for _, test in manifest.tests() if test.hidden == hidden}
        where = material / "tests" if hidden else manifest.folder / "tests"
        for name in sorted(wanted - set(functions)):
            yield f"{name} is in the manifest, but not in {where}"
        for name in sorted(set(functions) - wanted):
            yield f"{name} is in {where}, but not in the manifest as a {'hidden' if hidden else 'public'} test"
    for name, fixtures in written[False].items():
        if "reference" in fixtures:
            yield f"{name} is public, and students have no reference: compute what it expects in the test"


def test_functions(folder: Path) -> dict[str, list[str]]:
    """The tests in a folder's files, with the names of their arguments. Raises InputError for one written twice."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("test_*.py")):
        try:
            tree = ast.parse(build.read_text(path))
        except (SyntaxError, ValueError) as error:
            raise InputError(f"{path} is no valid Python: {error}") from None
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                if node.name in found:
                    raise InputError(f"{path}:{node.lineno}: there is another {node.name}; rename one")
                found[node.name] = [argument.arg for argument in node.args.args]
    return found


def solution(manifest: Manifest, material: Path) -> Files:
    """The instructor's solution."""
    return {name: build.read_text(material / name) for name in manifest.files}


def mutants(manifest: Manifest, material: Path) -> list[Mutant]:
    """The wrong solutions of `mutants.toml`. Raises InputError for one that does not come out of the solution."""
    path, files = material / "mutants.toml", solution(manifest, material)
    found = []
    for entry in read_toml(path).get("mutant", []):
        where, loses = f"{path}: mutant {entry.get('name', '(without name)')!r}", entry.get("loses")
        if set(entry) != {*_TEXTS, "loses"} or not isinstance(loses, list) \
                or not all(isinstance(value, str) for value in [*loses, *(entry[key] for key in _TEXTS)]):
            raise InputError(f"{where} needs the strings {', '.join(_TEXTS)}, and loses, a list of tests; not more")
        manifest.task(entry["task"])
        places = sum(text.count(entry["replace"]) for text in files.values())
        if places != 1:
            raise InputError(f"{where}: {entry['replace']!r} stands {places} times in the solution; exactly one place "
                             "can be replaced")
        wrong = {name: text.replace(entry["replace"], entry["by"]) for name, text in files.items()}
        for name, text in wrong.items():
            try:
                compile(text, name, "exec")
            except (SyntaxError, ValueError) as error:
                raise InputError(f"{where} is no valid Python: {error}") from None
        found.append(Mutant(entry["name"], entry["task"], wrong, frozenset(loses)))
    return found


def _faults_in_mutants(manifest: Manifest, wrong: list[Mutant]) -> Iterator[str]:
    for task in manifest.tasks:
        own, tests = [mutant for mutant in wrong if mutant.task == task.id], {test.name for test in task.tests}
        if len(own) < MUTANTS:
            yield f"task {task.id} has {len(own)} mutants; at least {MUTANTS} show what its tests find"
        for mutant in own:
            if not mutant.loses:
                yield f"mutant {mutant.name!r} names no test that it loses"
            if others := mutant.loses - tests:
                yield (f"mutant {mutant.name!r} of task {task.id} is to lose {', '.join(sorted(others))}, which is no "
                       "test of that task: no task may depend on another being right")
        for name in sorted(tests - frozenset().union(*(mutant.loses for mutant in own))):
            yield f"no mutant loses {name}: nothing shows that it can fail"
