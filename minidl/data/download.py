"""Downloads that end either with the right file or with none.

Bytes go to `target.part`, which a later attempt resumes; only a file whose checksum is right gets the final name. Of
several processes that want the same file one fetches it, and the others wait.
"""
from __future__ import annotations

import errno
import hashlib
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from minidl.errors import InputError

ATTEMPTS = 3            # for each mirror; each resumes where the one before broke off
TIMEOUT = 30.0          # seconds without a byte
BLOCK = 1 << 16
USER_AGENT = "minidl (a deep-learning engine for teaching)"

Content = Callable[[Path], Iterable[bytes]]


class _MirrorFailed(Exception):
    """Why this mirror cannot give the file."""


class _BrokeOff(Exception):
    """The connection ended within the file."""


def download(urls: Sequence[str], target: str | os.PathLike[str], *, md5: str | None = None, sha256: str | None = None,
             progress: bool = True, content: Content | None = None) -> None:
    """Fetch a file from the first of its mirrors that has it, and give it its name only if its checksum is right.

    A file that is there and right is not fetched again, nor one that another process is fetching, if that succeeds.

    The checksum, `md5` or `sha256` in hexadecimal, is that of the bytes which `content(path)` yields: by default
    those of the file, uncompressed if `target` ends in `.gz` (mirrors compress differently; what counts is inside).
    A `.tar.gz` counts as it is, because that is how checksums of archives are published. `progress` shows a bar.

    A broken connection leaves `target.part`, and the next call asks for the rest only. Wrong bytes and a full disk
    leave nothing. Raises InputError, with the reason for each mirror, if none gives the file, and if the disk cannot
    be written.
    """
    if (md5 is None) == (sha256 is None):
        raise InputError("download: give the file's checksum, either md5 or sha256")
    target = Path(target)
    part = target.with_name(target.name + ".part")
    inside = content or (gunzipped if _is_gzip(target) else plain)

    def matches(path: Path = part) -> bool:
        return _digest(path, inside, "md5" if md5 else "sha256") == (md5 or sha256 or "").lower()

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(target.parent, error) from None
    reasons = []
    with _alone(target):
        if matches(target):
            return
        for url in urls:
            try:
                _fetch(url, part, matches, progress)
                return _finish(part, target)
            except _MirrorFailed as error:
                reasons.append(f"{url}: {error}")
    kept = ""
    if os.path.exists(part):
        kept = f" What arrived is kept in {part}; the same command will ask for the rest."
    raise InputError(f"cannot download {target.name}: {'; '.join(reasons) or 'no mirror is known'}.{kept}")


def holds(path: Path, *, md5: str, content: Content | None = None) -> bool:
    """Whether there is a file at `path` whose content has this checksum (as in `download`)."""
    return os.path.isfile(path) and _digest(path, content or (gunzipped if _is_gzip(path) else plain), "md5") == md5


def plain(path: Path) -> Iterator[bytes]:
    """The bytes of a file, block by block."""
    with open(path, "rb") as file:
        yield from iter(lambda: file.read(BLOCK), b"")


def gunzipped(path: Path) -> Iterator[bytes]:
    """The uncompressed bytes of a gzipped file, block by block."""
    import gzip
    with gzip.open(path, "rb") as file:
        yield from iter(lambda: file.read(BLOCK), b"")


def _is_gzip(path: Path) -> bool:
    return path.suffix == ".gz" and not path.name.endswith(".tar.gz")


def _digest(path: Path, content: Content, algorithm: str) -> str | None:
    """The checksum in hexadecimal; None for a file that is missing or cannot be uncompressed."""
    import zlib
    checksum = hashlib.new(algorithm, usedforsecurity=False)
    try:
        for block in content(path):
            checksum.update(block)
    except (OSError, EOFError, zlib.error, InputError):         # gzip's BadGzipFile is an OSError
        return None
    return checksum.hexdigest()


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Only one process or thread is within this for a target, and others wait, unless the disk knows no locks."""
    path = target.with_name(target.name + ".lock")
    while True:
        try:
            file = open(path, "ab")
        except OSError as error:
            raise _cannot_write(path, error) from None
        with suppress(OSError):
            _lock(file.fileno())
        if _is_same(file.fileno(), path):         # else the one before us has removed it: it no longer keeps others out
            break
        file.close()
    with file:
        try:
            yield
        finally:
            if sys.platform == "win32":           # which removes no open file
                file.close()
            _remove(path)


def _lock(file: int) -> None:
    """Wait until nobody else has locked the file, and lock it until it is closed."""
    if sys.platform == "win32":
        import msvcrt
        while True:
            try:
                return msvcrt.locking(file, msvcrt.LK_LOCK, 1)
            except OSError as error:              # it waits for ten seconds only
                if error.errno != errno.EDEADLK:
                    raise
    else:
        import fcntl
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except OSError:
        return False


def _fetch(url: str, part: Path, matches: Callable[[], bool], progress: bool) -> None:
    """Bring `part` to the file's right bytes. Raises _MirrorFailed if this mirror does not send them."""
    for _ in range(ATTEMPTS):
        resumed = _size(part) > 0
        complete = _append(url, part, progress)
        # Looked at even if the connection broke off: a server may announce more bytes than the file has.
        if matches():
            return
        if complete:
            _remove(part)
            if not resumed:
                raise _MirrorFailed("the checksum of its bytes is wrong, they were deleted")
            # The part was perhaps of another version or another mirror: once more, from the start.
    raise _MirrorFailed(f"the connection broke off {ATTEMPTS} times")


def _append(url: str, part: Path, progress: bool) -> bool:
    """Append to `part` what it lacks. False if the connection broke off before the end."""
    have = _size(part)
    headers = {"User-Agent": USER_AGENT}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:      # nothing follows after the part: the checksum will tell
            return True
        raise _MirrorFailed(f"the server answers {error.code} {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:       # URLError is an OSError
        raise _MirrorFailed(f"no connection ({getattr(error, 'reason', None) or error})") from None
    with response:
        # 206: the answer continues the part. A server that ignores Range sends the whole file with 200. Should one
        # send another range than it was asked for, the checksum will tell.
        return _write(response, part, have if response.status == 206 else 0, progress)


def _write(response: HTTPResponse, part: Path, starts: int, progress: bool) -> bool:
    length = response.headers.get("Content-Length") or ""
    expected = starts + int(length) if length.isdecimal() else None
    try:
        with _bar(expected, starts, part.stem, progress) as bar, open(part, "ab" if starts else "wb") as file:
            try:
                for block in _blocks(response):
                    file.write(block)
                    bar.update(len(block))
            except _BrokeOff:
                expected = -1
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _remove(part)
        raise _cannot_write(part, error) from None
    if _size(part) == 0:
        _remove(part)
    return expected is None or _size(part) >= expected >= 0


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    """The blocks of the answer. An error of the network becomes _BrokeOff, so that an OSError is the disk's."""
    while True:
        try:
            block = response.read(BLOCK)
        except (OSError, HTTPException) as error:
            raise _BrokeOff from error
        if not block:
            return
        yield block


def _bar(total: int | None, initial: int, name: str, progress: bool) -> Any:
    from tqdm import tqdm
    return tqdm(total=total, initial=initial, desc=name, unit="B", unit_scale=True, disable=not progress)


def _finish(part: Path, target: Path) -> None:
    try:
        os.replace(part, target)
    except OSError as error:
        _remove(part)
        raise _cannot_write(target, error) from None
    if hasattr(os, "O_DIRECTORY"):       # the new name itself is safe only when its folder is on the disk
        with suppress(OSError):
            folder = os.open(target.parent, os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _cannot_write(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}; free some space or name another folder in the "
                      "variable MINIDL_CACHE")
