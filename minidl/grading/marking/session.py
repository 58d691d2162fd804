"""One pytest run over one submission: the parent process of the workers, in which all verdicts are made.

`python -m minidl.grading.marking.session` reads its job as JSON from its standard input, so that neither the command
line nor the environment tells anybody the secret, and writes the result after each test.
"""
from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from minidl.errors import InputError
from minidl.grading import manifest
from minidl.grading.isolation import host
from minidl.grading.isolation.confine import die_with_parent, limit_memory
from minidl.grading.marking import notes, results
from minidl.grading.marking.plugin import Grading, Plan
from minidl.grading.marking.proxy import Remote, Student

# Plugins that nobody here needs and that take time: two collect garbage many times over, for reports that nobody reads.
_WITHOUT = ("cacheprovider", "unraisableexception", "threadexception", "doctest", "legacypath", "junitxml", "pastebin",
            "stepwise", "setuponly", "setupplan", "logging", "unittest", "faulthandler")
_MEMORY = 4 << 30                      # what a test computes from an answer can be made to need any amount


def run(plan: Plan, tests: Sequence[Path], options: Sequence[str] = ()) -> Grading:
    """Run the tests in these folders by the plan; pytest sees no configuration, plugin or option but ours.

    Raises Infrastructure if pytest itself fails, KeyboardInterrupt after Ctrl-C.
    """
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    grading = Grading(plan)
    # Pytest's comparison of both sides of an `assert` can be made to take hours.
    without = ["--assert=plain", *(f"-pno:{name}" for name in _WITHOUT)]
    with tempfile.TemporaryDirectory() as empty:
        code = pytest.main(["--noconftest", "-c", os.devnull, "--rootdir", empty,
                            "--confcutdir", str(tests[0]), *without,       # else it lists all folders above
                            "--import-mode=importlib", *options, *map(str, tests)], plugins=[grading])
    if grading.stopped:
        raise KeyboardInterrupt(f"stopped in {grading.running}" if grading.running else "stopped")
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise host.Infrastructure(f"pytest ended with {pytest.ExitCode(code).name} in {', '.join(map(str, tests))} "
                                  f"{grading.broken}")
    return grading


def grade(job: dict[str, Any]) -> results.Result:
    """Grade one submission as the job says, each test in a worker of its own, into the result that the job names.

    The job: folders `assignment`, `instructor` and `submission`, the file `result`, `isolation` with its `uid` or None,
    `secret` in hex, the names of `tests` to run, whether to `reverse` the order and to `tell` what hidden tests say,
    whether it is graded `alone`, the `cores` for its workers, and the process that is its `parent`. The result is there
    already, with the records that are to stay; why tests failed goes into the file `notes`.
    """
    assignment = manifest.read(Path(job["assignment"]))
    limits = host.Limits(wall=assignment.limits.seconds, seconds=int(assignment.limits.seconds) + 10,
                         memory=assignment.limits.memory << 20)
    isolation = host.Isolation(job["isolation"], job["uid"])
    with host.Stage(Path(job["submission"]), engine=assignment.engine) as stage, host.Workers(
            stage, isolation, limits, len(job["tests"]), job["cores"]) as workers:
        return grade_with(job, lambda drivers: Remote(workers, assignment.module, drivers), seconds=3 * limits.wall)


def grade_with(job: dict[str, Any], student: Callable[[Path], Student], *, seconds: float | None) -> results.Result:
    """Grade the submission that `student` makes, with a file of drivers, as the job says."""
    assignment, instructor = manifest.read(Path(job["assignment"])), Path(job["instructor"])
    path = Path(job["result"])
    result = results.read(path)
    run(Plan(assignment, result, seed=bytes.fromhex(job["secret"]) + result.digest.encode(), hidden=True,
             only=job["tests"], alone=job["alone"], reverse=job["reverse"], tell=job["tell"], seconds=seconds,
             solution=instructor / assignment.files[0], report=lambda result: result.write(path),
             told=partial(notes.add, Path(job["notes"])), student=lambda test: student(manifest.drivers(
                 assignment.folder / "tests", instructor if test.hidden else None))),
        [assignment.folder / "tests", instructor / "tests"], ["-p", "no:terminal"])
    return result


if __name__ == "__main__":
    job = json.load(sys.stdin)
    die_with_parent(job["parent"])
    limit_memory(_MEMORY)
    try:
        grade(job)
    except (host.Infrastructure, InputError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(3)
