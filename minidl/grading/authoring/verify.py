"""Whether an assignment keeps its promises: right solutions get all points, wrong ones lose what they must.

Everything is graded as submissions are, each test in a worker of its own: a wrong solution may also hang, crash or
fill the memory, and a test that passes only outside of a worker is no test.
"""
from __future__ import annotations

import difflib
import doctest
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from minidl.errors import InputError
from minidl.grading.authoring import build, release
from minidl.grading.manifest import Manifest, in_points, nearest, read_toml
from minidl.grading.marking import grade, results
from minidl.grading.marking.proxy import load_file
from minidl.grading.marking.results import Result

MUTANTS = 3                            # of each task, at least
_TEXTS = ("name", "task", "replace", "by")
DRAWS = 3                              # of random numbers: what a test finds, it finds in each
SHARE = 0.25                           # of its time limit, that a test may need with the reference

Files = dict[str, str]                 # a submission: names and texts


class Mutant(NamedTuple):
    """A wrong solution, and the tests that must not pass with it."""

    name: str
    task: str
    files: Files
    loses: frozenset[str]


def verify(manifest: Manifest, instructor: Path | None, say: Callable[[str], None], *,
           mutant: str | None = None) -> list[str]:
    """Check an assignment, saying what is done; returns a sentence for each fault.

    First what can be seen without running anything, then the solution, then stub and mutants: it stops after the first
    of these that has faults, since what comes next would only repeat them. With the name of a `mutant`, this one alone
    is graded.
    `instructor` is the folder that holds its instructor material, where that is not its own. Raises InputError where
    the material cannot be read, so that nothing can be checked.
    """
    material = manifest.instructor(instructor)
    right, wrong = build.sources(manifest, material), []
    faults = list(release.faults_in_tests(manifest, material))
    try:
        release.contents(manifest, material)
    except InputError as error:
        faults.append(str(error))
    try:
        wrong = mutants(manifest, material)
        faults += _faults_in_mutants(manifest, wrong)
    except InputError as error:
        faults.append(str(error))
    if mutant is not None and (wrong or not faults):
        named = [each for each in wrong if each.name == mutant]
        if not named:
            raise InputError(f"{manifest.name} has no mutant {mutant!r}"
                             + nearest(mutant, [each.name for each in wrong]))
        wrong = named
    if faults:
        say("nothing was graded yet: mend these first")
        return faults
    with tempfile.TemporaryDirectory(prefix="minidl-verify-") as place:
        verifier = _Verifier(manifest, instructor, Path(place), say)
        if mutant is not None:
            return list(verifier.check_mutants(wrong))
        faults += list(faults_in_examples(manifest, material)) or verifier.check_reference(right)
        if faults:
            say("stub and mutants were not graded yet: mend these first")
            return faults
        say(f"stub and {len(wrong)} mutants are being graded ...")
        return [*verifier.check_stub(build.stubs(manifest, material)), *verifier.check_mutants(wrong)]


class _Verifier:
    """Grades variants of the solution below the folder `place`."""

    def __init__(self, manifest: Manifest, instructor: Path | None, place: Path, say: Callable[[str], None]) -> None:
        self.manifest, self.instructor, self.place, self.say = manifest, instructor, place, say
        self.tests = [test.name for _, test in manifest.tests()]

    def check_reference(self, files: Files) -> Iterator[str]:
        """Right and fast; and the same in reversed order and with other random numbers."""
        result = self._grade("reference", {"reference": files}, jobs=1)["reference"]
        failed: dict[str, list[str]] = {}        # by what came of them
        for record in result.records.values():
            if record.status != "passed":
                failed.setdefault(_told(record.status, record), []).append(record.test)
        for message, names in failed.items():
            more = f" and {len(names) - 1} more" * (len(names) > 1)
            yield f"the reference does not pass {names[0]}{more}: {message}"
        if failed:
            return
        for record in result.records.values():
            if record.seconds > SHARE * self.manifest.limits.seconds:
                yield (f"{record.test} takes {record.seconds:.1f} s with the reference, more than a quarter of its "
                       f"limit of {self.manifest.limits.seconds:g} s")
        slowest = max(result.records.values(), key=lambda record: record.seconds)
        whole = f"of {in_points(self.manifest.points)} in tests"
        self.say(f"reference: {result.points():g} {whole}; slowest: {slowest.test}, "
                 f"{slowest.seconds:.1f} s of {self.manifest.limits.seconds:g} s; isolation: {result.isolation}")
        unsteady: set[str] = set()
        for draw in range(2, DRAWS + 1):
            again = self._grade(f"reference-{draw}", {"reference": files}, jobs=1, reverse=draw == 2)["reference"]
            order = " in reversed order and" * (draw == 2)
            for name in self.tests:
                first, second = result.records[name].status, again.records[name].status
                if first != second and name not in unsteady:
                    unsteady.add(name)
                    yield _told(f"{name} depends on {'the order of the tests or on ' * (draw == 2)}its random numbers: "
                                f"{first}, then {second}{order} with another seed", again.records[name])
            self.say(f"{'in reversed order, ' * (draw == 2)}with another seed: {again.points():g} {whole}")

    def check_stub(self, stub: Files) -> Iterator[str]:
        """It attempts nothing."""
        result = self._grade("stub", {"stub": stub}, jobs=1)["stub"]
        for record in result.records.values():
            if record.status != "not_attempted":
                yield _told(f"with the stub, {record.test} ends with {record.status}, not with not_attempted", record)
        self.say(f"stub: {in_points(result.points())}")

    def check_mutants(self, wrong: list[Mutant]) -> Iterator[str]:
        """Each mutant loses what it must, and nothing else, whatever is drawn."""
        variants = {f"mutant-{number}": mutant.files for number, mutant in enumerate(wrong, 1)}
        draws = [self._grade(f"mutants-{draw}", variants, jobs=os.cpu_count() or 1) for draw in range(1, DRAWS + 1)]
        exact = 0
        for number, mutant in enumerate(wrong, 1):
            records = {name: [found[f"mutant-{number}"].records[name] for found in draws] for name in self.tests}
            lost = {name: [each for each in records[name] if each.status != "passed"] for name in self.tests}
            faults = [name for name in self.tests if len(lost[name]) != (DRAWS if name in mutant.loses else 0)]
            exact += not faults
            for name in faults:
                times = len(lost[name])
                if name not in mutant.loses:
                    yield _told(f"mutant {mutant.name!r} loses {name}{_of_draws(times)}, which it does not name",
                                lost[name][0])
                else:
                    yield f"mutant {mutant.name!r} passes {name}{_of_draws(DRAWS - times)}, which it should lose"
        self.say(f"mutants: {exact} of {len(wrong)} lose exactly what they name, in {DRAWS} draws each")

    def _grade(self, what: str, variants: dict[str, Files], *, jobs: int, reverse: bool = False) -> dict[str, Result]:
        folder = self.place / what
        for name, files in variants.items():
            (folder / "in" / name).mkdir(parents=True)
            for file, text in files.items():
                (folder / "in" / name / file).write_text(text, encoding="utf-8")
        options = grade.Options(jobs=min(jobs, len(variants)), instructor=self.instructor, reverse=reverse,
                                tell=True, control=False)
        grade.grade(self.manifest, folder / "in", folder / "out", options, lambda line: None)
        found = {name: results.read(folder / "out" / name / "result.json") for name in variants}
        for name, result in found.items():
            for record in result.records.values():
                if record.status == "infrastructure":
                    raise InputError(f"{record.test} could not be run for {what} {name}: {record.message}")
        return found


def _of_draws(times: int) -> str:
    return f" in {times} of {DRAWS} draws" * (times < DRAWS)


def _told(fault: str, record: results.Record) -> str:
    first = record.message.strip().splitlines()[:1]
    return f"{fault} ({first[0]})" if first else fault


# The material ---------------------------------------------------------------------------------------------------------

def faults_in_examples(manifest: Manifest, material: Path) -> Iterator[str]:
    """Examples in the solution's docstrings that give something else than they say."""
    for name in manifest.files:
        where = build.shown(manifest, material / name)
        try:
            module = load_file(material / name, Path(name).stem)
        except Exception as error:
            yield f"{where} cannot be loaded: {type(error).__name__}: {error}"
            continue
        runner = _Examples(verbose=False)
        for examples in doctest.DocTestFinder().find(module, Path(name).stem):
            runner.run(examples, out=io.StringIO().write)
        yield from (f"{where}:{number}: the example {code} gives {got}, not {wanted}"
                    for number, code, wanted, got in runner.wrong)


class _Examples(doctest.DocTestRunner):
    def __init__(self, *, verbose: bool) -> None:
        super().__init__(verbose=verbose)
        self.wrong: list[tuple[int, str, str, str]] = []       # line, code, what it should give, what it gave

    def _add(self, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        texts = (" ".join(text.split()) or "nothing" for text in (example.source, example.want, got))
        code, wanted, got = texts
        self.wrong.append(((test.lineno or 0) + example.lineno + 1, code, wanted, got))

    def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        self._add(test, example, got)

    def report_unexpected_exception(self, out: Any, test: doctest.DocTest, example: doctest.Example,
                                    exc_info: Any) -> None:
        self._add(test, example, f"{exc_info[0].__name__}: {exc_info[1]}")


def mutants(manifest: Manifest, material: Path) -> list[Mutant]:
    """The wrong solutions of `mutants.toml`. Raises InputError for one that does not come out of the solution."""
    path, files = material / "mutants.toml", build.sources(manifest, material)
    shown, wanted, found = build.shown(manifest, path), {*_TEXTS, "loses"}, []
    for entry in read_toml(path).get("mutant", []):
        where, loses = f"{shown}: mutant {entry.get('name', '(without name)')!r}", entry.get("loses")
        if missing := wanted - set(entry):
            raise InputError(f"{where} has no {' and no '.join(sorted(missing))}")
        if unknown := set(entry) - wanted:
            raise InputError(f"{where} has an unknown key {min(unknown)!r}" + nearest(min(unknown), wanted))
        if not isinstance(loses, list) \
                or not all(isinstance(value, str) for value in [*loses, *(entry[key] for key in _TEXTS)]):
            raise InputError(f"{where} needs the strings {', '.join(_TEXTS)}, and loses, a list of tests")
        try:
            manifest.task(entry["task"])
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        if sum(text.count(entry["replace"]) for text in files.values()) != 1:
            raise InputError(f"{where}: {_places(entry['replace'], files)}; exactly one place can be replaced")
        wrong = {name: text.replace(entry["replace"], entry["by"]) for name, text in files.items()}
        for name, text in wrong.items():
            try:
                compile(text, name, "exec")
            except (SyntaxError, ValueError) as error:
                raise InputError(f"{where} is no valid Python: {error}") from None
        found.append(Mutant(entry["name"], entry["task"], wrong, frozenset(loses)))
    return found


def _places(wanted: str, files: Files) -> str:
    """Where a text stands in the solution, or what is most like it."""
    found = [f"{name}:{text.count(chr(10), 0, match.start()) + 1}" for name, text in files.items()
             for match in re.finditer(re.escape(wanted), text)]
    if found:
        return (f"{wanted!r} stands {len(found)} times in the solution: {', '.join(found[:4])}"
                + ", ..." * (len(found) > 4))
    lines = {line.strip(): f"; the line most like it is {name}:{number}: {line.strip()!r}"
             for name, text in files.items() for number, line in enumerate(text.splitlines(), 1)}
    near = difflib.get_close_matches(wanted.strip().partition("\n")[0], lines, n=1, cutoff=0.5)
    return f"{wanted!r} does not stand in the solution" + "".join(lines[line] for line in near)


def _faults_in_mutants(manifest: Manifest, wrong: list[Mutant]) -> Iterator[str]:
    everything = {test.name for _, test in manifest.tests()}
    for task in manifest.tasks:
        own, tests = [mutant for mutant in wrong if mutant.task == task.id], {test.name for test in task.tests}
        if len(own) < MUTANTS:
            yield f"task {task.id} has {len(own)} mutants; at least {MUTANTS} show what its tests find"
        for mutant in own:
            if not mutant.loses:
                yield f"mutant {mutant.name!r} names no test that it loses"
            for name in sorted(mutant.loses - everything):
                yield (f"mutant {mutant.name!r} is to lose {name}, which is no test of {manifest.name}"
                       + nearest(name, tests))
            if others := mutant.loses & everything - tests:
                yield (f"mutant {mutant.name!r} of task {task.id} is to lose {', '.join(sorted(others))}, which is no "
                       "test of that task: no task may depend on another being right")
        for name in sorted(tests - frozenset().union(*(mutant.loses for mutant in own))):
            yield f"no mutant loses {name}: nothing shows that it can fail"
