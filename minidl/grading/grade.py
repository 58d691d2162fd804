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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading import collect, overrides, reports, results, sandbox
from minidl.grading.manifest import ANSWERS, Manifest
from minidl.grading.stage import Isolation

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
    """Grade every submission in a folder into `out`; returns how many could not be graded whole.

    Raises InputError for what is wrong before the first submission: the folder, the overrides, the assignment's
    instructor material, a sandbox that is required and not there.
    """
    if options.jobs < 1:
        raise InputError(f"--jobs is 1 or more, not {options.jobs}")
    if options.task:
        manifest.task(options.task)
    found = collect.submissions(folder)
    decided = overrides.read(options.overrides, manifest, [s.name for s in found]) if options.overrides \
        else overrides.Overrides()
    solution = manifest.instructor(options.instructor) / manifest.files[0]
    if not solution.is_file():
        raise InputError(f"there is no {solution}: grading needs the instructor's solution and hidden tests; "
                         "name the folder that holds them with --instructor")
    others = [folder] if len(found) > 1 else []          # whose work one could copy
    isolations = sandbox.choose(options.isolation, slots=options.jobs, required=options.require_isolation,
                                hidden=[solution.parent, manifest.folder / "instructor", *others], say=say)
    say(f"{manifest.name}: {len(found)} submission{'s' * (len(found) != 1)}, {manifest.points:g} points in tests, "
        f"isolation: {isolations[0].name}")
    out.mkdir(mode=0o700, parents=True, exist_ok=True)   # marks are nobody else's business, nor a submission's
    secret = _secret(options.secret or out / "secret")
    graded = {}
    with _workplace(out) as place, ThreadPoolExecutor(options.jobs) as pool:
        free = list(isolations)        # a slot, and with it a user, for each job

        def one(submission: collect.Submission) -> results.Result:
            isolation = free.pop()
            try:
                return _one(submission, manifest, out, options, isolation, secret, place)
            finally:
                free.append(isolation)

        waiting = {pool.submit(one, submission): submission for submission in found}
        for done in as_completed(waiting):
            result = graded[waiting[done].name] = done.result()
            say(_line(len(graded), len(found), manifest, result))
    ordered = [graded[submission.name] for submission in found]
    reports.write(out, manifest, ordered, decided)
    return sum(not result.complete(manifest) for result in ordered)


def _one(submission: collect.Submission, manifest: Manifest, out: Path, options: Options, isolation: Isolation,
         secret: str, place: Path) -> results.Result:
    """Grade one submission, or take over what was graded before."""
    path = out / submission.name / "result.json"
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
    staged = Path(tempfile.mkdtemp(dir=place))
    for name, content in collected.files.items():
        (staged / name).write_bytes(content)
    job = {"assignment": str(manifest.folder.absolute()), "submission": str(staged), "result": str(path.absolute()),
           "instructor": str(manifest.instructor(options.instructor).absolute()), "isolation": isolation.name,
           "uid": isolation.uid, "secret": secret, "task": options.task,
           "reverse": options.reverse, "tell": options.tell, "parent": os.getpid()}
    trouble = _session(job, manifest, place)
    result = results.read(path)
    for task, test in manifest.tests():
        if test.name not in result.records and options.task in (None, task.id):
            result.add(results.Record(test.name, task.id, "infrastructure", 0.0, test.points, test.hidden, trouble))
    result.write(path)
    return result


def _keep_answers(content: bytes | None, path: Path) -> None:
    """What a submission explains in words, beside its result, for whoever marks it by hand."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as file:
        file.write(content)


def _session(job: dict[str, Any], manifest: Manifest, place: Path) -> str:
    """Run a session; returns a sentence if it came to no good end. What it has graded by then is in its result."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(place)}    # as in its workers
    most = _SESSION_SECONDS + 4 * manifest.limits.seconds * sum(1 for _ in manifest.tests())
    process = subprocess.Popen(
        [sys.executable, "-m", "minidl.grading.session"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    try:
        _, errors = process.communicate(json.dumps(job), timeout=most)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "the session took too long and was ended"
    if process.returncode:
        return f"the session ended with code {process.returncode}: {''.join(errors.strip().splitlines()[-1:])}"
    return "pytest did not run this test"


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


class _workplace:
    """A temporary folder for one run; what a run that was killed has left is removed by the next."""

    def __init__(self, out: Path) -> None:
        self.note = out / ".workplace"

    def __enter__(self) -> Path:
        if self.note.exists():
            left = Path(self.note.read_text(encoding="utf-8").strip())
            if left.name.startswith("minidl-grade-") and left.parent == Path(tempfile.gettempdir()):
                shutil.rmtree(left, ignore_errors=True)
            for half in self.note.parent.glob("**/.*.part"):
                half.unlink(missing_ok=True)
        self.place = Path(tempfile.mkdtemp(prefix="minidl-grade-"))
        self.place.chmod(0o711)        # a worker of another user passes through, and sees nothing
        self.note.write_text(f"{self.place}\n", encoding="utf-8")
        return self.place

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.note.unlink(missing_ok=True)


def _line(done: int, total: int, manifest: Manifest, result: results.Result) -> str:
    counts: dict[str, int] = {}
    for record in result.records.values():
        counts[record.status] = counts.get(record.status, 0) + 1
    statuses = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts.items())
    problem = f"; {result.problem}" if result.problem else ""
    line = (f"[{done}/{total}] {result.submission}: {result.points():g} of {manifest.points:g} points "
            f"({statuses}){problem}")
    return " ".join(reports.plain(line).split())         # a name with line breaks could forge other lines


