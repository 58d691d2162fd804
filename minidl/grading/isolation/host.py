"""The grader's side of a student's process: it starts it, calls into it, holds it to its limits and ends it."""
from __future__ import annotations

import itertools
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minidl.grading.isolation import codec
from minidl.grading.isolation.stage import Isolation, Stage, command, readable

_KEPT_OUTPUT = 64 << 10                # bytes of what a student's code prints that are kept
_START_SECONDS = 30.0                  # a worker that is not ready by then is a fault of this machine
_ALL_CALLS = 2.0                       # all calls into one worker may take this many times as long as one
_PROCESSES_OF_A_USER = 4096            # at least, where others of the same user count
_PR_SET_CHILD_SUBREAPER = 36


class StudentError(Exception):
    """The student's code raised an exception; it is data here, of which nothing is trusted."""

    def __init__(self, kind: str, message: str, where: Sequence[str] = (), kinds: Sequence[str] = (),
                 missing_import: str | None = None) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind, self.message, self.where, self.kinds = kind, message, list(where), list(kinds)
        self.missing_import = missing_import


class WorkerDied(Exception):
    """The student's process ended before it answered."""


class TimeLimit(Exception):
    """The student's process did not answer in time, and was ended."""


class ProtocolError(Exception):
    """What came through the pipe is no answer to the request."""


class Infrastructure(Exception):
    """A fault of the grader's own machine: no student is to blame."""


@dataclass(frozen=True)
class Limits:
    """What a worker may use: `wall` seconds a call, and what `confine.limit` takes.

    `processes`, which are threads, are counted over all that its user runs: that is the worker alone if it has a user
    of its own.
    """

    wall: float = 10.0
    seconds: int = 20
    memory: int = 2 << 30
    file: int = 1 << 20
    processes: int = 32


class Worker:
    """A student's process. `load` a file, `call` functions, `close` it: then nothing of it is left.

    It is ready when it is made or, where one does not `wait` for that, after `wait`. With a `core` it runs on that one
    alone, so that its threads take nothing from its neighbours. Raises Infrastructure if it does not start.
    """

    def __init__(self, stage: Stage, isolation: Isolation, limits: Limits, *, core: int | None = None,
                 wait: bool = True) -> None:
        self.stage, self.isolation, self.limits, self.core = stage, isolation, limits, core
        self.printed, self.lost = bytearray(), 0          # what it printed: the first bytes, and how many more
        self.process: subprocess.Popen[bytes] | None = None
        self._waited = 0.0
        self.scratch: Path | None = None
        self._spared: set[int] = set()
        self._drain = threading.Thread(target=self._read_output, daemon=True)
        try:
            self.scratch = Path(tempfile.mkdtemp(prefix="minidl-scratch-"))
            if _may_leave_orphans(isolation):
                self._spared = _adopt_orphans()
            self._start(self.scratch)
            if wait:
                self.wait()
        except BaseException as error:
            self.close()
            if isinstance(error, Infrastructure) or not isinstance(error, Exception):
                raise
            # A full disk, no more processes or threads, no memory: nothing of a submission has run yet.
            raise Infrastructure(f"no worker could be started ({isolation.name}): {error}") from error

    def _start(self, scratch: Path) -> None:
        isolation, limits = self.isolation, asdict(self.limits)
        self.stage.open_to(isolation)
        user: dict[str, Any] = {}
        if isolation.uid is None:
            limits["processes"] = max(limits["processes"], _PROCESSES_OF_A_USER)
        else:
            os.chown(scratch, isolation.uid, isolation.uid)
            if isolation.name != "landlock":     # there it changes its user itself
                user = {"user": isolation.uid, "group": isolation.uid, "extra_groups": []}
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(scratch), "TMPDIR": str(scratch),
                       "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        job = {"isolation": isolation.name, "uid": isolation.uid, "limits": limits, "readable": readable(self.stage),
               "core": self.core, "parent": None if isolation.name == "bwrap" else os.getpid()}
        self.process = subprocess.Popen(
            command(self.stage, isolation), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment, cwd=scratch, start_new_session=True, close_fds=True, bufsize=0, **user)
        _running.add(self.process.pid)
        assert self.process.stdout and self.process.stdin
        os.set_blocking(self.process.stdout.fileno(), False)
        os.set_blocking(self.process.stdin.fileno(), False)
        self._drain.start()
        with self._starting():
            self._write(json.dumps(job).encode() + b"\n", time.monotonic() + _START_SECONDS)

    def wait(self) -> None:
        """Until it is confined, has NumPy and takes requests."""
        with self._starting():
            self._receive(time.monotonic() + _START_SECONDS)

    @contextmanager
    def _starting(self) -> Iterator[None]:
        try:
            yield
        except (WorkerDied, TimeLimit, ProtocolError) as error:
            self._drain.join(1)
            last = " ".join(self.output().strip().splitlines()[-1:])
            raise Infrastructure(f"a worker ({self.isolation.name}) did not start: {error}; {last}") from error

    # Requests ---------------------------------------------------------------------------------------------------------

    def load(self, module: str) -> None:
        """Import a file of the submission."""
        self._ask({"do": "load", "module": module})

    def find(self, module: str, name: str) -> str | None:
        """The name, if the loaded file has it; else the one of its names that is most like it, if any is."""
        found = self._ask({"do": "find", "module": module, "name": name})["value"]
        return found[:100] if isinstance(found, str) else None

    def call(self, module: str, name: str, *arguments: Any) -> Any:
        """What a function of the submission returns: `name` may be dotted. Raises StudentError for its exceptions."""
        return self._ask({"do": "call", "module": module, "name": name, "arguments": list(arguments)})["value"]

    def call_and_look(self, module: str, name: str, *arguments: Any) -> tuple[Any, list[Any]]:
        """As `call`, with the arguments as they are after it: a function may have changed its arrays."""
        answer = self._ask({"do": "call", "module": module, "name": name, "arguments": list(arguments),
                            "arguments_too": True})
        after = answer.get("arguments")
        return answer["value"], after if isinstance(after, list) else []

    def drive(self, module: str, source: str, name: str, *arguments: Any) -> Any:
        """What the function `name` of a driver's source, called with the module and arguments, returns."""
        return self._ask({"do": "drive", "module": module, "source": source, "name": name,
                          "arguments": list(arguments)})["value"]

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        identity = secrets.token_hex(8)
        started = time.monotonic()
        deadline = started + min(self.limits.wall, _ALL_CALLS * self.limits.wall - self._waited)
        self._write(codec.frame({**request, "id": identity}), deadline)
        answer = self._receive(deadline)
        self._waited += time.monotonic() - started
        if answer.get("id") != identity:
            raise ProtocolError("an answer came to another request")
        if "value" not in answer:
            raise student_error(answer)
        return answer

    def _write(self, message: bytes, deadline: float) -> None:
        assert self.process and self.process.stdin
        data, pipe = memoryview(message), self.process.stdin.fileno()
        while data:
            if not select.select([], [pipe], [], self._left(deadline))[1]:
                continue
            try:
                data = data[os.write(pipe, data):]
            except BlockingIOError:
                continue
            except OSError:
                raise self._died() from None

    def _receive(self, deadline: float) -> dict[str, Any]:
        try:
            length = codec.frame_length(self._read(codec.HEADER.size, deadline))
            answer = codec.decode(self._read(length, deadline))
        except codec.CodecError as error:
            raise ProtocolError(str(error)) from None
        if not isinstance(answer, dict):
            raise ProtocolError("an answer is no dict")
        return answer

    def _read(self, count: int, deadline: float) -> bytes:
        assert self.process and self.process.stdout
        data, pipe = bytearray(), self.process.stdout.fileno()
        while len(data) < count:
            if not select.select([pipe], [], [], self._left(deadline))[0]:
                continue
            try:
                part = os.read(pipe, min(1 << 20, count - len(data)))
            except BlockingIOError:              # something else has read it
                continue
            if not part:
                raise self._died()
            data += part
        return bytes(data)

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeLimit(f"no answer within {self.limits.wall:g} s, or {_ALL_CALLS * self.limits.wall:g} s for all "
                            "calls of the test")
        return min(left, 1.0)

    def _died(self) -> Exception:
        assert self.process
        try:
            code = self.process.wait(2)
        except subprocess.TimeoutExpired:
            return WorkerDied("the process closed its pipe")
        if self.isolation.name == "bwrap" and code > 128:        # bwrap says so of the process in it
            code = 128 - code
        if code == -signal.SIGXCPU:
            return TimeLimit(f"{self.limits.seconds} s of processor time were used up")
        return WorkerDied(f"the process ended by itself ({_signal_name(-code) if code < 0 else f'exit code {code}'})")

    def output(self) -> str:
        """What the student's code printed, shortened."""
        end = time.monotonic() + 0.2
        while self.process and self.process.stderr and time.monotonic() < end:     # what is on its way
            with suppress(OSError, ValueError):
                if self._drain.is_alive() and select.select([self.process.stderr], [], [], 0)[0]:
                    time.sleep(0.001)
                    continue
            break
        text = self.printed.decode("utf-8", "replace")
        return text + (f"\n... and {self.lost:,} more bytes" if self.lost else "")

    def _read_output(self) -> None:
        assert self.process and self.process.stderr
        with suppress(OSError, ValueError):
            while part := os.read(self.process.stderr.fileno(), 1 << 16):
                kept = part[:max(0, _KEPT_OUTPUT - len(self.printed))]
                self.printed += kept
                self.lost += len(part) - len(kept)

    # Its end ----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the process, all that it has started and its files."""
        if self.process:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            _running.discard(self.process.pid)
            if _may_leave_orphans(self.isolation):
                end_orphans(self._spared)
            if self._drain.is_alive():
                self._drain.join(1)
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                with suppress(OSError):
                    pipe.close()                 # type: ignore[union-attr]
        if self.scratch:
            with suppress(RecursionError):       # nested too deep; where files can be written at all
                shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Workers:
    """A fresh worker for each of `tests` tests, of which some are started before it is their turn.

    Most of a test's time is NumPy's import, which can go on while the test before it runs, on another of the `cores`.
    Those that wait hold nothing of a submission; one that has ended by its turn, since without isolation a worker can
    end others, is started again.
    Under uid, where nothing but the filter stands between workers of one user, each starts in its turn.
    """

    def __init__(self, stage: Stage, isolation: Isolation, limits: Limits, tests: int,
                 cores: Sequence[int] = ()) -> None:
        self.stage, self.isolation, self.limits, self.tests = stage, isolation, limits, tests
        self.ahead = min((len(cores) or os.cpu_count() or 1) - 1, 3) if isolation.name != "uid" else 0
        self._cores = itertools.cycle(cores or [None])
        self._waiting: deque[Worker] = deque()

    def take(self) -> Worker:
        """The next one, ready, for the caller to close."""
        self.tests -= 1
        worker = self._waiting.popleft() if self._waiting else self._one()
        try:
            while len(self._waiting) < min(self.ahead, self.tests):
                self._waiting.append(self._one())
            try:
                worker.wait()
                if worker.process and worker.process.poll() is not None:
                    raise Infrastructure("a worker ended before its turn")
            except Infrastructure:
                worker.close()
                worker = self._one()
                worker.wait()
        except BaseException:
            worker.close()
            raise
        return worker

    def _one(self) -> Worker:
        return Worker(self.stage, self.isolation, self.limits, core=next(self._cores), wait=False)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        while self._waiting:
            self._waiting.pop().close()


def student_error(answer: dict[str, Any]) -> StudentError:
    """An answer's exception; whatever is not of the right type is replaced."""
    def text(value: Any, otherwise: str, length: int = 2000) -> str:
        return value[:length] if isinstance(value, str) else otherwise

    def texts(value: Any) -> list[str]:
        return [item[:300] for item in value[:10] if isinstance(item, str)] if isinstance(value, list) else []

    missing = answer.get("missing_import")
    return StudentError(text(answer.get("error"), "Exception", 100), text(answer.get("message"), ""),
                        texts(answer.get("where")), texts(answer.get("kinds")),
                        text(missing, "", 200) if isinstance(missing, str) else None)


# Survivors ------------------------------------------------------------------------------------------------------------

_running: set[int] = set()                       # the workers' own processes


def _may_leave_orphans(isolation: Isolation) -> bool:
    """The filter of Landlock's and another user's workers lets none of them start a process."""
    return sys.platform == "linux" and isolation.name in ("bwrap", "none")


def _adopt_orphans() -> set[int]:
    """Processes whose parent ends become children of this one, so that they can be found; returns those it has."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return set(_children())


def end_orphans(spared: Collection[int]) -> None:
    """End all children of this process but the workers and those spared, and the children that they leave behind."""
    for _ in range(100):                         # a process may start others while it is being ended
        orphans = [pid for pid in _children() if pid not in spared and pid not in _running]
        if not orphans:
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in orphans:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        for pid in orphans:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                status = Path(f"/proc/{entry}/stat").read_text()
                if int(status.rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(entry))
    return found


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
