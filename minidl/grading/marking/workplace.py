"""What one run of the grader has for itself: the folder of results, which it locks, and a temporary one."""
from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minidl.errors import InputError


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other gradings out of a folder of results while the block runs; a process that has ended holds nothing.

    Raises InputError, with who it is, if another has it.
    """
    import fcntl

    with (out / ".lock").open("a+", encoding="utf-8") as file:
        file.seek(0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another grading ({file.read().strip() or 'it has just begun'}) writes into {out}; wait "
                             "until it is done, or choose another --out") from None
        except OSError as error:
            raise InputError(f"{out} cannot be locked against other gradings ({error.strerror}); choose an --out on a "
                             "disk of this machine") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%d %B, %H:%M:%S')}\n")
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                file.truncate(0)


@contextmanager
def temporary(out: Path) -> Iterator[Path]:
    """A temporary folder for one run; what a run that was killed has left is removed by the next."""
    note = out / ".workplace"
    if note.exists():
        left = Path(note.read_text(encoding="utf-8").strip())
        if left.name.startswith("minidl-grade-") and left.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(left, ignore_errors=True)
        for half in out.glob("**/.*.part"):
            half.unlink(missing_ok=True)
    place = Path(tempfile.mkdtemp(prefix="minidl-grade-"))
    try:
        place.chmod(0o711)             # a worker of another user passes through, and sees nothing
        note.write_text(f"{place}\n", encoding="utf-8")
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        note.unlink(missing_ok=True)


def cores(slots: int) -> list[list[int]]:
    """The cores for the workers of each of so many slots: each its own, where there are enough; none where unknown."""
    there = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return [there[slot % len(there)::slots] if there else [] for slot in range(slots)]
