"""Grading a folder of submissions: each in a pytest session of its own, several at a time, resumable."""
from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading.isolation import sandbox
from minidl.grading.isolation.stage import Isolation
from minidl.grading.manifest import ANSWERS, Manifest
from minidl.grading.marking import collect, notes, overrides, reports, results
from minidl.grading.marking.workplace import cores, locked, temporary

_SESSION_SECONDS = 60.0                # beyond what its tests may take


@dataclass(frozen=True)
class Options:
    """How to grade. `secret` is a file whose content the random inputs depend on; `instructor` a folder outside."""

    jobs: int = 1
    isolation: str = "auto"
    require_isolation: bool = False
    resume: bool = False
    task: str | None = None
    overrides: Path | None = None
    instructor: Path | None = None
    secret: Path | None = None
    reverse: bool = False              # the tests in reversed order, for `assign verify`
    control: bool = True               # the reference is graded first, and nothing else if it has not all points
    tell: bool = False                 # what hidden tests say is kept, for `assign verify`


def grade(manifest: Manifest, folder: Path, out: Path, options: Options, say: Callable[[str], None]) -> int:
    """Grade every submission in a folder into `out`; returns how many could not be graded for a fault of this machine.

    Raises InputError for what is wrong before the first submission: the folder, the overrides, the assignment's
    instructor material, a sandbox that is required and not there; KeyboardInterrupt, with what to do, after Ctrl-C.
    """
    if options.jobs < 1:
        raise InputError(f"--jobs is 1 or more, not {options.jobs}")
    if options.task:
        _check_task(manifest, options.task)
    found, left_out = collect.submissions(folder)
    if out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{out} lies in {folder}, and would be taken for a submission; choose a folder outside of it")
    solution = manifest.instructor(options.instructor) / manifest.files[0]
    if not solution.is_file():
        raise InputError(f"there is no {solution}: grading needs the instructor's solution and hidden tests; "
                         "name the folder that holds them with --instructor")
    out.mkdir(mode=0o700, parents=True, exist_ok=True)   # marks are nobody else's business, nor a submission's
    try:
        with locked(out):
            return _grade(manifest, folder, out, options, say, found, left_out)
    except OSError as error:           # what has been graded is kept
        say(f"this machine has no room, or no right, for what grading needs: {error}")
        return len(found)


def _grade(manifest: Manifest, folder: Path, out: Path, options: Options, say: Callable[[str], None],
           found: list[collect.Submission], left_out: list[str]) -> int:
    """Grade what was found in the folder into `out`, which nobody else writes in."""
    decided = _decisions(options.overrides, out, manifest, [submission.name for submission in found], say)
    others = [folder] if len(found) > 1 else []          # whose work one could copy
    material = manifest.instructor(options.instructor)
    isolations = sandbox.choose(options.isolation, slots=options.jobs, required=options.require_isolation,
                                hidden=[material, manifest.folder / "instructor", *others], say=say)
    say(f"{manifest.name}: {len(found)} submission{'s' * (len(found) != 1)}, {manifest.points:g} points in tests, "
        f"isolation: {isolations[0].name}")
    if left_out:
        say(f"not graded, no folder, .zip or .py file: {reports.line(', '.join(left_out))}")
    graded: dict[str, results.Result] = {}
    with temporary(out) as place, ThreadPoolExecutor(options.jobs) as pool:
        run = _Run(manifest, out, options, _secret(options.secret or out / "secret"), place,
                   list(map(Slot, isolations, cores(options.jobs))))
        try:
            if options.control and (faults := run.faults_of_reference()):
                say(f"nothing was graded: {faults}")
                return len(found)
            waiting = {pool.submit(run.one, submission): submission for submission in found}
            for done in as_completed(waiting):
                result = graded[waiting[done].name] = done.result()
                say(_line(len(graded), len(found), manifest, result))
            for name in sorted(run.doubted):
                before = graded[name].points()
                run.settle(graded[name])
                if graded[name].points() != before or graded[name].broken():
                    say(f"once more, alone: {_line(len(graded), len(found), manifest, graded[name])}")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            run.stop()
            raise KeyboardInterrupt(f"stopped: {len(graded)} of {len(found)} are graded; go on with --resume") from None
    ordered = [graded[submission.name] for submission in found]
    try:
        reports.write(out, manifest, ordered, decided)
        notes.report(out, manifest, ordered)
    except InputError as error:
        say(f"the reports are not whole: {error}")
        return len(found)
    if options.task and not all(result.complete(manifest) for result in ordered):
        say(f"only task {options.task} was graded; without --task, and with --resume, all are")
    say(f"gradebook.csv, and a folder for each submission, are in {out}; {notes.REPORT} there, which is not for "
        "students, says why tests failed")
    return sum(result.broken() for result in ordered)


def _check_task(manifest: Manifest, task: str) -> None:
    if any(question.id == task for question in manifest.questions):
        raise InputError(f"{task} is a question, which a person marks: --overrides FILE has its points")
    manifest.task(task)


def _decisions(path: Path | None, out: Path, manifest: Manifest, names: list[str],
               say: Callable[[str], None]) -> overrides.Overrides:
    """What was decided by hand: the file's, which is kept beside the results, or else those that were kept there."""
    kept = out / "overrides.toml"
    if path is None:
        if not kept.exists():
            return overrides.Overrides()
        say(f"points by hand, late days and exceptions: as in {kept}; --overrides FILE gives others")
        return overrides.read(kept, manifest, names)
    decided = overrides.read(path, manifest, names)
    if not kept.exists() or not path.samefile(kept):
        content = path.read_bytes()
        with atomic_write(kept) as file:
            file.write(content)
    return decided


class Slot(NamedTuple):
    """What one session at a time has: a way to run workers, with a user or without, and cores for them."""

    isolation: Isolation
    cores: list[int]


class _Run:
    """One run over submissions, each in a session of its own; `slots` are as many as may run at a time."""

    def __init__(self, manifest: Manifest, out: Path, options: Options, secret: str, place: Path,
                 slots: list[Slot]) -> None:
        self.manifest, self.out, self.options, self.secret, self.place = manifest, out, options, secret, place
        self.free = list(slots)
        self.tests = [test.name for task, test in manifest.tests() if options.task in (None, task.id)]
        self.doubted: dict[str, Path] = {}       # submissions with doubts, and where their files are
        self.sessions: set[subprocess.Popen[str]] = set()
        self.stopped = False

    def one(self, submission: collect.Submission) -> results.Result:
        """Grade one submission, or take over what was graded before."""
        slot = self.free.pop()
        try:
            return self._one(submission, slot)
        except Exception as error:     # whatever it is, it keeps nobody else from being graded
            return self._broken(submission, slot, error)
        finally:
            self.free.append(slot)

    def _broken(self, submission: collect.Submission, slot: Slot, error: Exception) -> results.Result:
        """The result of a submission that could not be graded at all: --resume finds no other."""
        result = results.Result(self.manifest.name, submission.name, "", slot.isolation.name)
        self._fill(result, self.tests, f"{type(error).__name__}: {error}")
        path = self._path(result)
        try:
            result.write(path)
        except (InputError, OSError):  # no room for it
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return result

    def _path(self, result: results.Result) -> Path:
        return self.out / result.submission / "result.json"

    def _fill(self, result: results.Result, tests: list[str], trouble: str) -> None:
        """Records of tests that were not run, with the reason."""
        for task, test in self.manifest.tests():
            if test.name not in result.records and test.name in tests:
                result.add(results.Record(test.name, task.id, "infrastructure", 0.0, test.points, test.hidden, trouble))

    def stop(self) -> None:
        """End the sessions that are running; with them end their workers."""
        self.stopped = True
        for process in list(self.sessions):
            process.kill()

    def _one(self, submission: collect.Submission, slot: Slot) -> results.Result:
        manifest, options = self.manifest, self.options
        path = self.out / submission.name / "result.json"
        collected = collect.collect(submission.path, manifest.files, [ANSWERS] * bool(manifest.questions))
        answers = collected.files.pop(ANSWERS, None)
        _keep_answers(answers, path.with_name(ANSWERS))
        silent = f"no {ANSWERS} was handed in" if manifest.questions and collected.files and answers is None else ""
        before = _before(path, manifest, collected.digest) if options.resume or options.task else None
        if before and options.resume and not options.task and before.complete(manifest):
            return before
        result = before or results.Result(manifest.name, submission.name, collected.digest, slot.isolation.name)
        result.problem = "; ".join(filter(None, (collected.problem, silent)))
        result.isolation = slot.isolation.name
        if options.task is None:
            result.records = {}
        staged = self._stage(collected.files)
        self._test(result, path, staged, self.tests, slot)
        if result.doubted("alone") or result.doubted("test"):
            self.doubted[submission.name] = staged
        else:
            shutil.rmtree(staged, ignore_errors=True)
        return result

    def settle(self, result: results.Result) -> None:
        """Remove the doubts about a result, now that nothing else runs.

        What others may have slowed is repeated, once. Where a test broke off, with whatever it got, the reference is
        asked: if it fares no better on the same random numbers, that is no submission's fault.
        """
        path, doubted = self._path(result), [*result.doubted("alone"), *result.doubted("test")]
        try:
            if late := result.doubted("alone"):
                self._test(result, path, self.doubted[result.submission], late, self.free[0], alone=True)
            if broken := result.doubted("test"):
                control = self._reference(broken, result.digest)
                for record in (result.records[name] for name in broken):
                    record.doubt = ""
                    if control.records[record.test].status != "passed":
                        record.status, record.message = "infrastructure", "a fault of the test itself"
                result.write(path)
        except Exception as error:     # as for `one`
            result.records = {name: record for name, record in result.records.items() if name not in doubted}
            self._fill(result, doubted, f"{type(error).__name__}: {error}")
            with suppress(InputError, OSError):
                result.write(path)

    def faults_of_reference(self) -> str:
        """What the reference does not pass, in one sentence, as it is graded first; nothing if it passes all.

        Raises InputError if that is a fault of the assignment, not of this machine.
        """
        failed = [record for record in self._reference(self.tests).records.values() if record.status != "passed"]
        if not failed:
            return ""
        told = "; ".join(f"{record.test}: {record.status} ({reports.line(record.message)[:300]})"
                         for record in failed[:3]) + f"; and {len(failed) - 3} more" * (len(failed) > 3)
        if all(record.status == "infrastructure" for record in failed):
            return f"the tests cannot be run, not even for the reference: {told}"
        raise InputError(f"nothing was graded, since the reference itself does not pass {told}; mend the test, its "
                         f"driver or the reference: minidl assign verify {self.manifest.name}")

    def _reference(self, tests: list[str], digest: str = "reference") -> results.Result:
        """The reference, graded as a submission; with a submission's digest, on the random numbers of that one."""
        material, slot = self.manifest.instructor(self.options.instructor), self.free[0]
        result = results.Result(self.manifest.name, "reference", digest, slot.isolation.name)
        with tempfile.TemporaryDirectory(dir=self.place) as folder:
            staged, path = Path(folder, "submission"), Path(folder, "result.json")
            staged.mkdir()
            for name in self.manifest.files:
                shutil.copyfile(material / name, staged / name)
            self._test(result, path, staged, tests, slot, tell=True)
            if late := result.doubted("alone"):
                self._test(result, path, staged, late, slot, alone=True, tell=True)
        return result

    def _stage(self, files: Mapping[str, bytes]) -> Path:
        staged = Path(tempfile.mkdtemp(dir=self.place))
        for name, content in files.items():
            (staged / name).write_bytes(content)
        return staged

    def _test(self, result: results.Result, path: Path, staged: Path, tests: list[str], slot: Slot, *,
             alone: bool = False, tell: bool = False) -> None:
        """Run these tests of a submission in a session; their records are new, also in the file."""
        options = self.options
        kept = notes.path(self.out, result.submission)
        if path.is_relative_to(self.place):      # the reference's
            kept = path.with_name("notes.json")
        notes.forget(kept, tests)
        result.records = {name: record for name, record in result.records.items() if name not in tests}
        result.write(path)
        trouble = self._session({
            "assignment": str(self.manifest.folder.absolute()), "submission": str(staged),
            "result": str(path.absolute()), "instructor": str(self.manifest.instructor(options.instructor).absolute()),
            "isolation": slot.isolation.name, "uid": slot.isolation.uid, "cores": slot.cores, "secret": self.secret,
            "tests": tests, "alone": alone, "reverse": options.reverse, "tell": tell or options.tell,
            "notes": str(kept.absolute()), "parent": os.getpid()})
        result.records = results.read(path).records
        self._fill(result, tests, trouble)
        result.write(path)

    def _session(self, job: dict[str, Any]) -> str:
        """Run a session; returns a sentence if it came to no good end. What it graded by then is in its result."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        # As in its workers.
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(self.place)}
        most = _SESSION_SECONDS + 4 * self.manifest.limits.seconds * sum(1 for _ in self.manifest.tests())
        process = subprocess.Popen(
            [sys.executable, "-m", "minidl.grading.marking.session"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
        self.sessions.add(process)
        if self.stopped:
            process.kill()
        try:
            _, errors = process.communicate(json.dumps(job), timeout=most)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return "the session took too long and was ended"
        finally:
            self.sessions.discard(process)
        if process.returncode:
            return f"the session ended with code {process.returncode}: {''.join(errors.strip().splitlines()[-1:])}"
        return "pytest did not run this test"


def _keep_answers(content: bytes | None, path: Path) -> None:
    """What a submission explains in words, beside its result, for whoever marks it by hand."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as file:
        file.write(content)


def _before(path: Path, manifest: Manifest, digest: str) -> results.Result | None:
    """An earlier result of these very files, if there is one."""
    try:
        result = results.read(path)
    except InputError:
        return None
    return result if (result.assignment, result.digest) == (manifest.name, digest) else None


def _secret(path: Path) -> str:
    """The secret in a file, in hex; a new one is made where there is none."""
    if not path.exists():
        with atomic_write(path, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        path.chmod(0o600)
    text = path.read_text(encoding="utf-8").strip()
    if len(text) < 32 or not all(c in "0123456789abcdef" for c in text):
        raise InputError(f"{path} holds no secret: 32 or more hexadecimal digits; delete it for a new one")
    return text


def _line(done: int, total: int, manifest: Manifest, result: results.Result) -> str:
    counts: dict[str, int] = {}
    for record in result.records.values():
        counts[record.status] = counts.get(record.status, 0) + 1
    statuses = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts.items())
    problem = f"; {result.problem}" if result.problem else ""
    return reports.line(f"[{done}/{total}] {result.submission}: {result.points():g} of {manifest.points:g} points "
                        f"({statuses}){problem}")


