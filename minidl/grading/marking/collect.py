"""The files of a submission, taken from a folder or an archive that nobody has looked at.

Nothing is extracted: of whatever was handed in, only the files that the assignment names are read, by their bare names
and up to a size; paths, links, other files and what else an archive may hold have no effect.
"""
from __future__ import annotations

import difflib
import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from minidl.errors import InputError

MAX_BYTES = 1 << 20                    # of one file
MAX_ENTRIES = 10_000                   # of an archive or a folder
MAX_ARCHIVE = 16 << 20                 # its list of entries is read whole
RESERVED = ("secret", "gradebook.csv", "overrides.toml")  # what grading writes beside the submissions' folders


class Submission(NamedTuple):
    """Who handed it in (the name of the folder or archive), and where it lies."""

    name: str
    path: Path


class Collected(NamedTuple):
    """The named files that were found, a digest of them, and a sentence about what was wrong, if anything was.

    The digest of a single file is its SHA-256, which `minidl check` and `minidl submit` show as well.
    """

    files: dict[str, bytes]
    digest: str
    problem: str


def submissions(folder: Path) -> tuple[list[Submission], list[str]]:
    """What lies in a folder of submissions, one folder, .zip or .py file each, by name; and the names of other files.

    Raises InputError if there is none, or if two have the same name.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the one that holds a folder, .zip or .py file a submission")
    found: dict[str, Submission] = {}
    others = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if not (path.is_dir() or path.suffix.lower() in (".zip", ".py")):
            others.append(path.name)
            continue
        name = path.name if path.is_dir() else path.stem
        if name in found:
            raise InputError(f"{found[name].path.name!r} and {path.name!r} are both the submission {name!r}; "
                             "rename one")
        if name in RESERVED:
            raise InputError(f"no submission can be called {name!r}, a file of the results has this name; rename it")
        found[name] = Submission(name, path)
    if not found:
        raise InputError(f"{folder} holds no submissions: a folder, .zip or .py file for each is expected")
    return list(found.values()), others


def collect(path: Path, names: Sequence[str], also: Sequence[str] = ()) -> Collected:
    """The files of these names within a folder or .zip; a single .py file is taken as the first of them.

    Of several files of one name the one nearest to the top is taken; two at the same depth are a problem, and so are
    links, files that are too large, and archives that are damaged, encrypted or hold too many entries. Files that are
    `also` taken may be missing; the digest is not of them.
    """
    files: dict[str, bytes] = {}
    problems: list[str] = []
    try:
        if path.is_dir() and not path.is_symlink():
            entries = _in_folder(path)
        elif path.suffix.lower() == ".zip" and _is_plain(path):
            entries = _in_archive(path)
        else:
            entries = iter([_Entry(names[0], 0, _is_plain(path), lambda: _read(path))])
        _choose(entries, [*names, *also], files, problems, optional=also)
    except Exception as error:         # whatever a damaged archive provokes, it keeps nobody else from being graded
        problems.append(f"{path.name} cannot be read: {error}"[:300])
    sums = [hashlib.sha256(files[name]).hexdigest() if name in files else "missing" for name in names]
    digest = sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()
    return Collected(files, digest, "; ".join(problems))


class _Entry(NamedTuple):
    name: str
    depth: int
    plain: bool                        # a regular file
    read: Callable[[], bytes]


def _choose(entries: Iterator[_Entry], names: Sequence[str], files: dict[str, bytes], problems: list[str],
            optional: Sequence[str]) -> None:
    best: dict[str, list[_Entry]] = {}
    others: list[str] = []
    for count, entry in enumerate(entries):
        if count >= MAX_ENTRIES:
            problems.append(f"it holds more than {MAX_ENTRIES:,} entries; the rest was not looked at")
            break
        if entry.name in names:
            found = best.setdefault(entry.name, [])
            if not found or entry.depth < found[0].depth:
                found[:] = [entry]
            elif entry.depth == found[0].depth:
                found.append(entry)
        elif entry.name.endswith(".py") and len(others) < 100:
            others.append(entry.name[:100])
    for name in names:
        found = best.get(name, [])
        if len(found) > 1:
            problems.append(f"it holds {len(found)} files {name} at the same depth; hand in one")
        elif not found:
            if name not in optional:
                near = difflib.get_close_matches(name, others, n=1) or others[:1]
                problems.append(f"there is no {name}" + (f", but {near[0]}" if near else ""))
        elif not found[0].plain:
            problems.append(f"{name} is a link or no regular file, and was not read")
        else:
            content = found[0].read()
            if len(content) > MAX_BYTES:
                problems.append(f"{name} is larger than {MAX_BYTES >> 10:,} KiB, and was not read")
            else:
                files[name] = content


def _in_folder(folder: Path) -> Iterator[_Entry]:
    for place, _, names in os.walk(folder, followlinks=False):
        for name in sorted(names):
            path = Path(place, name)
            yield _Entry(name, len(path.relative_to(folder).parts), _is_plain(path), partial(_read, path))


def _in_archive(path: Path) -> Iterator[_Entry]:
    if path.stat().st_size > MAX_ARCHIVE:
        raise ValueError(f"it is larger than {MAX_ARCHIVE >> 20} MiB")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    for info in members:
        place = PurePosixPath(info.filename.replace("\\", "/"))
        kind = stat.S_IFMT(info.external_attr >> 16)
        if not info.is_dir() and "__MACOSX" not in place.parts:
            yield _Entry(place.name, len(place.parts), kind in (0, stat.S_IFREG),
                         partial(_read_member, path, info))


def _read_member(path: Path, info: zipfile.ZipInfo) -> bytes:
    with zipfile.ZipFile(path) as archive, archive.open(info) as file:
        return file.read(MAX_BYTES + 1)          # unpacks no more than this, whatever the archive announces


def _is_plain(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _read(path: Path) -> bytes:
    # O_NOFOLLOW: it may have become a link since it was looked at.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        return file.read(MAX_BYTES + 1)
