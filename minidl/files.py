"""Writing files so that nothing is lost: a file is there whole or not at all."""
from __future__ import annotations

import os
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from minidl.errors import InputError


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "wb") -> Iterator[IO[Any]]:
    """A file to write in; it appears under `path`, with its folder, when the block ends without an error.

    It is written beside its place, forced to the disk and renamed, so that neither a crash nor a full disk leaves a
    half file; what a killed process left of an earlier attempt is removed. Raises InputError if the folder cannot be
    written.
    """
    path = Path(path)
    # Short, since a name has 255 bytes at most; a folder may be shared by processes of several machines.
    stem = f".{path.name[:30]}-{zlib.crc32(path.name.encode()):08x}.{socket.gethostname()[:30]}."
    part = path.with_name(f"{stem}{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent, stem)
        with open(part, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"cannot write {path}: {error.strerror or error}; choose another folder or make room") \
                from error
        raise


def _remove_leftovers(folder: Path, stem: str) -> None:
    """Remove the half files of processes of this machine that are no more."""
    if os.name != "posix":               # elsewhere there is no harmless way to ask whether a process lives
        return
    for name in os.listdir(folder):
        number = name.removeprefix(stem).removesuffix(".part")
        if name.startswith(stem) and name.endswith(".part") and number.isdecimal() and not _lives(int(number)):
            with suppress(OSError):
                (folder / name).unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):     # another user's, or no number that a process could have
        pass
    return True
