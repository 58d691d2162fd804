"""What a student's code needs where it runs in this process: a time limit, its output kept, a way into the debugger."""
from __future__ import annotations

import bdb
import io
import os
import pdb
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from minidl.grading.isolation import host

GRACE = 1.0                            # seconds that threads have to end
_AGAIN = 0.1                           # seconds after which code that goes on is interrupted again


# A time limit ---------------------------------------------------------------------------------------------------------

class _Late(BaseException):
    """The time is over; no `except Exception` holds it up."""


@contextmanager
def stoppable(folder: Path, seconds: float | None) -> Iterator[None]:
    """Make code of `folder` that the block runs end by Ctrl-C and, after so many seconds, with TimeLimit.

    Code that catches everything is interrupted again, in its handler; should it catch that too, this process ends.
    Compiled code, such as a product of large arrays, is interrupted when it returns.
    """
    if threading.current_thread() is not threading.main_thread():       # the only one that signals reach
        yield
        return
    places: list[list[str]] = []

    def late(frame: FrameType) -> BaseException:
        places.append([_line(each) for each, _ in traceback.walk_stack(frame) if _is_theirs(folder, each)][::-1])
        return _Late()

    tracing, handlers = sys.gettrace(), {}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        handlers[signal.SIGINT] = signal.signal(signal.SIGINT, _interrupt(folder, lambda _: KeyboardInterrupt(), 3))
    if seconds is not None and hasattr(signal, "setitimer"):            # Windows has none: Ctrl-C has to do
        handlers[signal.SIGALRM] = signal.signal(signal.SIGALRM, _interrupt(folder, late, 20))
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    except _Late:
        raise host.TimeLimit(f"no answer within {seconds:g} s\n" + "\n".join(places[0][-8:])) from None
    finally:
        no_limit()
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        sys.settrace(tracing)


def no_limit() -> None:
    """Stop the clock: a debugger waits for a person."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(folder: Path, error: Callable[[FrameType], BaseException],
               most: int) -> Callable[[int, FrameType | None], None]:
    """A signal's handler which raises the error in the folder's code, and again at the line to which that goes on.

    Where none of that code is running, only Ctrl-C has something to end. After so many signals it gives up.
    """
    count = 0

    def again(frame: FrameType, event: str, argument: object) -> Any:
        if event == "line":
            raise error(frame)
        return again if _is_theirs(folder, frame) else None

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal count
        running = [each for each, _ in traceback.walk_stack(frame) if _is_theirs(folder, each)] if frame else []
        if not running:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        count += 1
        if count > most:
            print(f"\nthis loop catches every exception, so that nothing stops it; the check ends here:\n"
                  f"{_line(running[0])}", file=sys.__stdout__, flush=True)
            os._exit(130 if number == signal.SIGINT else 1)
        raised = error(running[0])               # before all calls are traced
        sys.settrace(again)
        for each in running:
            each.f_trace = again
        raise raised

    return handler


def _is_theirs(folder: Path, frame: FrameType) -> bool:
    place = os.path.dirname(frame.f_code.co_filename)
    return place == str(folder) or frame.f_code.co_filename == os.path.join(folder, "tests", "drivers.py")


def _line(frame: FrameType) -> str:
    where = traceback.FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
    return f"{Path(where.filename).name}:{where.lineno} in {where.name}: {where.line}"


# Output and input -----------------------------------------------------------------------------------------------------

class Kept(io.BufferedIOBase):
    """What is written to it: the first bytes, and how many more there were."""

    def __init__(self, most: int = 64 << 10) -> None:
        self.most, self.bytes, self.lost = most, bytearray(), 0
        self.text = io.TextIOWrapper(self, "utf-8", "replace", write_through=True)      # type: ignore[type-var]

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        kept = bytes(data[:self.most - len(self.bytes)])
        self.bytes += kept
        self.lost += len(data) - len(kept)
        return len(data)

    def __str__(self) -> str:
        text = self.bytes.decode("utf-8", "replace")
        return text + (f"\n... and {self.lost:,} more bytes" if self.lost else "")


@contextmanager
def kept_apart(kept: Kept) -> Iterator[None]:
    """Keep what the block prints, and give it nothing to read, as where it is graded."""
    stdin = sys.stdin
    sys.stdin = io.StringIO()
    try:
        with redirect_stdout(kept.text), redirect_stderr(kept.text):
            yield
    finally:
        sys.stdin = stdin


# The debugger ---------------------------------------------------------------------------------------------------------

class Debugger(pdb.Pdb):
    """Shows the frames of one folder, where there are any, and not those of pytest, the grader and libraries."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def get_stack(self, f: FrameType | None, t: TracebackType | None) -> tuple[list[tuple[FrameType, int]], int]:
        stack, place = super().get_stack(f, t)
        theirs = [entry for entry in stack if entry[0] is f or is_within(self.folder, entry[0])]
        return (theirs, len(theirs) - 1) if theirs else (stack, place)


def is_within(folder: Path, frame: FrameType) -> bool:
    """Whether a frame's code is in a file somewhere in the folder."""
    return os.path.realpath(frame.f_code.co_filename).startswith(os.path.realpath(folder) + os.sep)


@contextmanager
def breakpoints(folder: Path) -> Iterator[None]:
    """Let `breakpoint()` and `pdb.set_trace()` open the debugger: on the terminal, and without a time limit."""
    def set_trace(**_: Any) -> None:
        no_limit()
        sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
        Debugger(folder).set_trace(sys._getframe().f_back)

    before, pdb.set_trace = pdb.set_trace, set_trace
    try:
        yield
    except bdb.BdbQuit:
        raise KeyboardInterrupt from None
    finally:
        pdb.set_trace = before


# Threads --------------------------------------------------------------------------------------------------------------

def alone(command: Callable[[], object]) -> int:
    """Run a command that runs a student's code, and return its exit code; threads which that left do not hold us up."""
    before = set(threading.enumerate())
    value = command()
    code = value if isinstance(value, int) else 0
    left = [thread for thread in set(threading.enumerate()) - before if not thread.daemon]
    for thread in left:
        thread.join(GRACE / len(left))
    if any(thread.is_alive() for thread in left):
        print("note: your code started threads that do not end; they are ended now", flush=True)
        os._exit(code)                           # Python itself would wait for them
    return code
