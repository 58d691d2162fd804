"""Grading a folder of submissions: each in a pytest session of its own, several at a time, resumable."""
from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading.isolation import sandbox
from minidl.grading.isolation.stage import Isolation
from minidl.grading.manifest import ANSWERS, Manifest
from minidl.grading.marking import collect, overrides, reports, results
from minidl.grading.marking.workplace import locked, temporary

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
    with locked(out):
        return _grade(manifest, folder, out, options, say, found, left_out)


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
        run = _Run(manifest, out, options, _secret(options.secret or out / "secret"), place, isolations)
        waiting = {pool.submit(run.one, submission): submission for submission in found}
        try:
            for done in as_completed(waiting):
                result = graded[waiting[done].name] = done.result()
                say(_line(len(graded), len(found), manifest, result))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            run.stop()
            raise KeyboardInterrupt(f"stopped: {len(graded)} of {len(found)} are graded; go on with --resume") from None
    ordered = [graded[submission.name] for submission in found]
    reports.write(out, manifest, ordered, decided)
    if options.task and not all(result.complete(manifest) for result in ordered):
        say(f"only task {options.task} was graded; without --task, and with --resume, all are")
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


class _Run:
    """One run over submissions, each in a session of its own; `isolations` are as many as may run at a time."""

    def __init__(self, manifest: Manifest, out: Path, options: Options, secret: str, place: Path,
                 isolations: list[Isolation]) -> None:
        self.manifest, self.out, self.options, self.secret, self.place = manifest, out, options, secret, place
        self.free = list(isolations)   # a slot, and with it a user, for each job
        self.sessions: set[subprocess.Popen[str]] = set()
        self.stopped = False

    def one(self, submission: collect.Submission) -> results.Result:
        """Grade one submission, or take over what was graded before."""
        isolation = self.free.pop()
        try:
            return self._one(submission, isolation)
        except Exception as error:     # whatever it is, it keeps nobody else from being graded
            return self._broken(submission, isolation, error)
        finally:
            self.free.append(isolation)

    def _broken(self, submission: collect.Submission, isolation: Isolation, error: Exception) -> results.Result:
        """The result of a submission that could not be graded at all: --resume finds no other."""
        result = results.Result(self.manifest.name, submission.name, "", isolation.name)
        self._fill(result, f"{type(error).__name__}: {error}")
        path = self.out / submission.name / "result.json"
        try:
            result.write(path)
        except (InputError, OSError):  # no room for it
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return result

    def _fill(self, result: results.Result, trouble: str) -> None:
        """Records of tests that were not run, with the reason."""
        for task, test in self.manifest.tests():
            if test.name not in result.records and self.options.task in (None, task.id):
                result.add(results.Record(test.name, task.id, "infrastructure", 0.0, test.points, test.hidden, trouble))

    def stop(self) -> None:
        """End the sessions that are running; with them end their workers."""
        self.stopped = True
        for process in list(self.sessions):
            process.kill()

    def _one(self, submission: collect.Submission, isolation: Isolation) -> results.Result:
        manifest, options = self.manifest, self.options
        path = self.out / submission.name / "result.json"
        collected = collect.collect(submission.path, manifest.files, [ANSWERS] * bool(manifest.questions))
        answers = collected.files.pop(ANSWERS, None)
        _keep_answers(answers, path.with_name(ANSWERS))
        silent = f"no {ANSWERS} was handed in" if manifest.questions and collected.files and answers is None else ""
        before = _before(path, manifest, collected.digest) if options.resume or options.task else None
        if before and options.resume and not options.task and before.complete(manifest):
            return before
        result = before or results.Result(manifest.name, submission.name, collected.digest, isolation.name)
        result.problem, result.isolation = "; ".join(filter(None, (collected.problem, silent))), isolation.name
        result.records = {} if options.task is None else {
            name: record for name, record in result.records.items() if record.task != options.task}
        result.write(path)
        staged = Path(tempfile.mkdtemp(dir=self.place))
        for name, content in collected.files.items():
            (staged / name).write_bytes(content)
        trouble = self._session({
            "assignment": str(manifest.folder.absolute()), "submission": str(staged), "result": str(path.absolute()),
            "instructor": str(manifest.instructor(options.instructor).absolute()), "isolation": isolation.name,
            "uid": isolation.uid, "secret": self.secret, "task": options.task, "reverse": options.reverse,
            "tell": options.tell, "parent": os.getpid()})
        shutil.rmtree(staged, ignore_errors=True)
        result = results.read(path)
        self._fill(result, trouble)
        result.write(path)
        return result

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


