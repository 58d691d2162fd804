"""The files of a submission, taken from a folder or an archive that nobody has looked at.

Nothing is extracted: of whatever was handed in, only the files that the assignment names are read, by their bare names
and up to a size; paths, links, other files and what else an archive may hold have no effect.
"""
from __future__ import annotations

import difflib
import errno
import hashlib
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from minidl.errors import InputError
from minidl.grading.marking import archive

MAX_BYTES = 1 << 20                    # of one file
MAX_ENTRIES = 1_000_000                # of an archive or a folder
MAX_ARCHIVES = 20                      # in a folder
# What keeps the grader from reading is no submission's fault.
_OF_THIS_MACHINE = {errno.EACCES, errno.EAGAIN, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOENT,
                    errno.ENOMEM, errno.ENOSPC, errno.EPERM, errno.ESTALE, errno.ETIMEDOUT}
# What grading writes beside the submissions' folders.
RESERVED = ("secret", "gradebook.csv", "overrides.toml", "operator", "operator.md")


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
    links, files that are too large, and archives that are damaged or encrypted. Where a file is not there it is looked
    for in archives within the folder, then under what browsers make of its name, then as the only Python file: the
    problem says so. Files that are `also` taken may be missing; the digest is not of them. Raises OSError where this
    machine cannot read.
    """
    files: dict[str, bytes] = {}
    problems: list[str] = []
    try:
        if path.is_dir() and not path.is_symlink():
            entries = _in_folder(path, problems)
        elif path.suffix.lower() == ".zip" and _is_plain(path):
            entries = _in_archive(path)
        else:
            entries = iter([_Entry(names[0], 0, _is_plain(path), lambda: _read(path))])
        _choose(entries, [*names, *also], files, problems, optional=also)
    except MemoryError:
        raise
    except Exception as error:         # whatever a damaged archive provokes, it keeps nobody else from being graded
        if isinstance(error, OSError) and error.errno in _OF_THIS_MACHINE:
            raise
        problems.append(f"{path.name} cannot be read: {error}"[:300])
    sums = [hashlib.sha256(files[name]).hexdigest() if name in files else "missing" for name in names]
    digest = sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()
    return Collected(files, digest, "; ".join(problems))


class _Entry(NamedTuple):
    name: str
    depth: int
    plain: bool                        # a regular file
    read: Callable[[], bytes]
    path: Path | None = None           # where it lies in a folder


def _choose(entries: Iterator[_Entry], names: Sequence[str], files: dict[str, bytes], problems: list[str],
            optional: Sequence[str]) -> None:
    best: dict[str, list[_Entry]] = {}
    others: list[_Entry] = []          # other Python files, and archives
    needed = [name for name in names if name not in optional]
    _look(entries, names, best, others, problems)
    archives = [entry for entry in others if entry.path and entry.plain and entry.name.lower().endswith(".zip")]
    if not all(name in best for name in needed):         # a learning platform makes a folder of each student
        for entry in archives[:MAX_ARCHIVES]:
            assert entry.path
            try:
                _look(_in_archive(entry.path, entry.depth), names, best, others, problems)
            except (ValueError, zipfile.BadZipFile) as error:
                problems.append(f"{entry.name} cannot be read: {error}"[:300])
        if len(archives) > MAX_ARCHIVES:
            problems.append(f"it holds {len(archives)} archives, of which {MAX_ARCHIVES} were looked into")
    for name in needed:
        _take_renamed(name, best, others, problems, alone=len(needed) == 1)
    for name in names:
        found = best.get(name, [])
        if len(found) > 1:
            problems.append(f"it holds {len(found)} files {name} at the same depth; hand in one")
        elif not found:
            if name not in optional:
                there = [entry.name for entry in others]
                near = difflib.get_close_matches(name, there, n=1) or there[:1]
                problems.append(f"there is no {name}" + (f", but {near[0]}" if near else ""))
        elif not found[0].plain:
            problems.append(f"{name} is a link or no regular file, and was not read")
        else:
            content = found[0].read()
            if len(content) > MAX_BYTES:
                problems.append(f"{name} is larger than {MAX_BYTES >> 10:,} KiB, and was not read")
            else:
                files[name] = content


def _look(entries: Iterator[_Entry], names: Sequence[str], best: dict[str, list[_Entry]], others: list[_Entry],
          problems: list[str]) -> None:
    """Find the entries of these names that are nearest to the top; they come level by level."""
    for count, entry in enumerate(entries):
        if all(name in best and best[name][0].depth < entry.depth for name in names):
            break
        if count >= MAX_ENTRIES:
            problems.append(f"it holds more than {MAX_ENTRIES:,} entries; the rest was not looked at")
            break
        if entry.name in names:
            found = best.setdefault(entry.name, [])
            if not found or entry.depth < found[0].depth:
                found[:] = [entry]
            elif entry.depth == found[0].depth and len(found) < _MOST_OTHERS:
                found.append(entry)
        elif _OTHER.search(entry.name) and len(others) < _MOST_OTHERS:
            others.append(entry._replace(name=entry.name[:100]))


_OTHER = re.compile(r"\.(py|py\.txt|zip)$", re.IGNORECASE)
_MOST_OTHERS = 1000
_RENAMED = re.compile(r"(?:copy of |kopie von )?(.+?)"
                      r"(?: ?\(\d+\)|[- ]*\b(?:copy|copie|kopie)(?: ?\(?\d+\)?)?|[-_ ]\d+)?\.py(?:\.txt)?",
                      re.IGNORECASE)


def _take_renamed(name: str, best: dict[str, list[_Entry]], others: list[_Entry], problems: list[str], *,
                  alone: bool) -> None:
    """Take what browsers and file managers make of a name, or the only Python file, for a file that is not there."""
    python = [entry for entry in others if not entry.name.lower().endswith(".zip")]
    like = [entry for entry in python if (match := _RENAMED.fullmatch(entry.name))
            and f"{match[1]}.py".casefold() == name.casefold()]
    top = min((entry.depth for entry in like), default=0)
    like = [entry for entry in like if entry.depth == top]
    if name in best:
        if like and top <= best[name][0].depth:
            problems.append(f"{like[0].name} beside {name} was not looked at")
    elif len(like) > 1:
        problems.append(f"it holds {' and '.join(sorted(entry.name for entry in like)[:3])}; hand in one, as {name}")
    elif like or alone and len(python) == 1:
        best[name] = like or python
        problems.append(f"{best[name][0].name} was taken for {name}")


def _in_folder(folder: Path, problems: list[str]) -> Iterator[_Entry]:
    """The files in a folder, level by level: nothing lies behind a large folder beside it."""
    level, depth = [str(folder)], 1
    while level:
        yield _Entry("", depth, False, bytes)    # so that nobody waits for a level that has only folders
        below: list[str] = []
        for place in level:
            try:
                with os.scandir(place) as entries:
                    found = sorted(islice(entries, MAX_ENTRIES + 1), key=lambda entry: entry.name)
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                problems.append("its folders are nested too deep, and the last were not looked at")
                return
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                else:
                    path = Path(entry.path)
                    yield _Entry(entry.name, depth, entry.is_file(follow_symlinks=False), partial(_read, path), path)
        level, depth = sorted(below), depth + 1


def _in_archive(path: Path, above: int = 0) -> Iterator[_Entry]:
    found = []
    for info in archive.members(path):
        place = PurePosixPath(info.filename.replace("\\", "/"))
        kind = stat.S_IFMT(info.external_attr >> 16)
        if "__MACOSX" not in place.parts:
            found.append(_Entry(place.name, above + len(place.parts), kind in (0, stat.S_IFREG),
                                partial(archive.content, path, info, MAX_BYTES + 1)))
    yield from sorted(found, key=lambda entry: entry.depth)


def _is_plain(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _read(path: Path) -> bytes:
    # O_NOFOLLOW: it may have become a link since it was looked at.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        return file.read(MAX_BYTES + 1)
