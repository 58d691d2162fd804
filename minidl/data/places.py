"""Where data files are looked for, and where downloads go."""
from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from minidl.errors import InputError


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with `~` replaced by the home folder. Raises InputError for what is no path."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise InputError(f"a path is a string or a pathlib.Path, not {path!r:.60}")
    return Path(os.path.expanduser(path))


def unreadable(path: str | os.PathLike[str], error: OSError) -> InputError:
    """The sentence for a file or folder that the system does not hand out."""
    return InputError(f"cannot read {path}: {error.strerror or error}")


def data_folders() -> list[Path]:
    """The folders that are searched for data, in this order: those in `MINIDL_DATA`, then the user's cache.

    `MINIDL_DATA` may name several folders, separated as in PATH.
    """
    named = os.environ.get("MINIDL_DATA", "").split(os.pathsep)
    folders = [expanded(folder) for folder in named if folder]
    return [*folders, cache_folder()]


def cache_folder(platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Path:
    r"""The user's cache: `MINIDL_CACHE`, or what the system has for caches.

    That is $XDG_CACHE_HOME/minidl or ~/.cache/minidl on Linux, ~/Library/Caches/minidl on macOS and
    %LOCALAPPDATA%\minidl on Windows. Raises InputError if there is no home folder either.
    """
    if environ.get("MINIDL_CACHE"):
        return expanded(environ["MINIDL_CACHE"])
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(platform, "XDG_CACHE_HOME")
    if variable and os.path.isabs(environ.get(variable, "")):     # the XDG standard ignores relative paths
        return Path(environ[variable]) / "minidl"
    below_home = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(platform, ".cache")
    try:
        return Path.home() / below_home / "minidl"
    except RuntimeError:
        raise InputError("there is no home folder to keep data in; name one in the variable MINIDL_CACHE") from None


def find(files: tuple[str, ...], folders: list[Path]) -> list[Path] | None:
    """The paths of all `files` within the first of the folders that has all of them, or None.

    A file `x.gz` may also lie there uncompressed, as `x` (a `.tar.gz` may not), and an IDX file under its name with a
    dot, as `train-images.idx3-ubyte`.
    """
    for folder in folders:
        paths = [_present(folder / name) for name in files]
        found = [path for path in paths if path]
        if len(found) == len(files):
            return found
    return None


def _present(path: Path) -> Path | None:
    plain = path.with_suffix("") if path.suffix == ".gz" and not path.name.endswith(".tar.gz") else path
    dotted = (name.with_name(name.name.replace("-idx", ".idx")) for name in (path, plain))
    # os.path.isfile, not Path.is_file: a folder that may not be entered has no files for us
    return next((candidate for candidate in (path, plain, *dotted) if os.path.isfile(candidate)), None)
