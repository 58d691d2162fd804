"""The pytest plugin that runs an assignment's tests: the fixtures `student`, `rng` and `reference`, and the records.

A verdict is made here alone, from what pytest itself reports in this process; of the student's process only data come.
"""
from __future__ import annotations

import hashlib
import signal
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from minidl.grading.isolation import host
from minidl.grading.manifest import Manifest, Task, Test
from minidl.grading.marking.proxy import Missing, Student, load_file
from minidl.grading.marking.results import Record, Result

MAX_MESSAGE = 2000


@dataclass
class Plan:
    """What a session tests and how: `student` makes the fixture of this name for each test.

    `seed` is what random inputs are drawn from, with the test's name: the same for the same files. `only` names the
    tests to run, where not all are; `alone` says that nothing else is being graded. `report` is called after each test,
    `told` with why one failed that students are not told.
    """

    manifest: Manifest
    result: Result
    student: Callable[[Test], Student]
    seed: bytes
    solution: Path | None = None       # the instructor's
    only: Collection[str] | None = None
    alone: bool = False
    hidden: bool = False               # whether hidden tests are run
    reverse: bool = False              # the tests in reversed order
    tell: bool = False                 # what hidden tests say is kept: for their author alone
    seconds: float | None = None       # for one test as a whole, with what it computes from answers itself
    report: Callable[[Result], None] = lambda result: None
    told: Callable[[str, str], None] = lambda test, text: None     # why a test failed that students are not told


class Grading:
    """The plugin of one session."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.known = {test.name: (task, test) for task, test in plan.manifest.tests()}
        self.strangers: list[str] = []           # collected tests that the manifest does not have
        self.lost: set[str] = set()              # tests of which a case did not pass
        self.broken = ""                         # why a file of tests cannot be imported
        self.running = ""                        # the test that is being run
        self.stopped = False                     # by Ctrl-C, or by leaving the debugger

    # Fixtures ---------------------------------------------------------------------------------------------------------

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> Iterator[Student]:
        """The submission."""
        _, test = self.known[request.node.originalname]
        student = self.plan.student(test)
        request.node.stash[_STUDENT] = student
        yield student
        student.close()

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> np.random.Generator:
        """Random numbers that are the same for the same submission and test, and that nobody can know before."""
        digest = hashlib.sha256(self.plan.seed + request.node.originalname.encode()).digest()
        return np.random.default_rng(np.frombuffer(digest, np.uint32))

    @pytest.fixture
    def reference(self) -> ModuleType:
        """The instructor's solution, in this process; for hidden tests only."""
        if self.plan.solution is None:
            raise RuntimeError("there is no solution here: a public test computes what it expects itself")
        return load_file(self.plan.solution, "reference")

    # What is run, and what comes of it --------------------------------------------------------------------------------

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken = f"({str(report.longrepr).strip().splitlines()[-1]})"

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        wanted = [item for item in items if self._is_wanted(item)]
        self.strangers = [item.originalname for item in items if item.originalname not in self.known]
        order = {name: i for i, name in enumerate(self.known)}
        wanted.sort(key=lambda item: order[item.originalname], reverse=self.plan.reverse)
        items[:] = wanted

    def _is_wanted(self, item: Any) -> bool:
        if item.originalname not in self.known:
            return False
        _, test = self.known[item.originalname]
        return (self.plan.only is None or test.name in self.plan.only) and (self.plan.hidden or not test.hidden)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> Iterator[None]:
        item.stash[_STARTED], self.running = time.perf_counter(), item.originalname
        item.repr_failure = lambda excinfo: ""           # nobody reads pytest's account, and it takes 20 ms
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        if self.plan.seconds is None:
            return (yield)

        def late(number: int, frame: object) -> None:
            raise host.TimeLimit(f"the test was not done within {self.plan.seconds:g} s")

        before = signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, self.plan.seconds)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # Also called, with another type, where a test file cannot be imported.
        self.stopped = excinfo.type in (KeyboardInterrupt, pytest.exit.Exception)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        report = yield
        if call.when == "call" or call.excinfo:
            task, test = self.known[item.originalname]
            error = call.excinfo.value if call.excinfo else None
            if call.when != "call" and error is not None and not isinstance(error, host.Infrastructure):
                absent = isinstance(error, pytest.FixtureLookupError)
                error = host.Infrastructure(f"{call.when} of the test: "
                                            + (f"there is no fixture {error.argname!r}" if absent else str(error)))
            self._record(task, test, error, item, report)
        return report

    def _record(self, task: Task, test: Test, error: BaseException | None, item: Any, report: Any) -> None:
        student = item.stash.get(_STUDENT, None)
        error = student.as_data(error) if student and error else error
        status, message = verdict(error)
        if status == "not_attempted":
            report.wasxfail = message                # which the debugger passes over
        if test.name in self.lost:                   # a test with parameters passes if all of its cases do
            return
        if status != "passed":
            self.lost.add(test.name)
        doubt = self._doubt(status, error)
        if error and status != "not_attempted" and (test.hidden or doubt == "test" or status == "infrastructure"):
            self.plan.told(test.name, message[:MAX_MESSAGE] + _trace(error))
        shown = not test.hidden or self.plan.tell or status == "infrastructure"
        self.plan.result.add(Record(
            test.name, task.id, status, test.points if status == "passed" else 0.0, test.points, test.hidden,
            message=message[:MAX_MESSAGE] if shown else "",
            output=(student.output() or report.capstdout)[:MAX_MESSAGE] if student and not test.hidden else "",
            seconds=round(time.perf_counter() - item.stash[_STARTED], 3), doubt=doubt))
        self.plan.report(self.plan.result)

    def _doubt(self, status: str, error: BaseException | None) -> str:
        """What else than the submission may have ended a test so."""
        if status == "timeout" or isinstance(error, host.WorkerDied) and "SIGKILL" in str(error):
            return "" if self.plan.alone else "alone"
        return "test" if status == "error" and not isinstance(error, host.StudentError) else ""


_STUDENT, _STARTED = pytest.StashKey[Student](), pytest.StashKey[float]()


def verdict(error: BaseException | None) -> tuple[str, str]:
    """A test's status, and a message, from the exception that ended it, if any."""
    if error is None:
        return "passed", ""
    if isinstance(error, host.StudentError):
        return _of_student(error)
    for kind, status in ((AssertionError, "failed"), (host.TimeLimit, "timeout"), (host.WorkerDied, "crashed"),
                         (host.ProtocolError, "protocol"), (Missing, "missing"), (MemoryError, "memory"),
                         (host.Infrastructure, "infrastructure"), (OSError, "infrastructure")):
        if isinstance(error, kind):
            return status, str(error) or _last_line(error)
    # An answer can be anything, and what a test does with it may then fail in any way: that is the answer's fault.
    return "error", f"{type(error).__name__}: {error}{_line_of_test(error)}"


def _line_of_test(error: BaseException) -> str:
    """Where a test's own line could not go on with what it got."""
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).name.startswith("test_"):
            return f"\nin the test, with what came: {frame.line}"
    return ""


def _trace(error: BaseException) -> str:
    """The last lines of what ran in this process, for whoever wrote it."""
    frames = traceback.extract_tb(error.__traceback__)
    return "".join(f"\n{Path(frame.filename).name}:{frame.lineno} in {frame.name}: {frame.line}"
                   for frame in frames[-4:] if "site-packages" not in frame.filename)


def _last_line(error: BaseException) -> str:
    """What a bare `assert` says: its own line. Pytest's comparison of both sides would take hours for some answers."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"this does not hold: {frames[-1].line}" if frames else ""


def _of_student(error: host.StudentError) -> tuple[str, str]:
    message = "\n".join([str(error), *error.where])
    if "NotImplementedError" in error.kinds:
        return "not_attempted", str(error.message)
    if "MemoryError" in error.kinds:
        return "memory", message
    if "ImportError" in error.kinds and error.missing_import:
        return "blocked", f"{error.message}: a submission may import the standard library and NumPy\n" + message
    if error.where and error.where[-1].startswith(("driver.py:", "drivers.py:")):      # and in nothing that it called
        missing = " (is a `return` missing?)" * ("NoneType" in error.message)
        return "error", f"what your code returned cannot be used{missing}: {error.message}\nin the test's " + (
            error.where[-1])
    return "error", message
