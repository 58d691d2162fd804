"""Where workers run: a folder of copies, the parts of this machine that they may read, the command that starts one."""
from __future__ import annotations

import compileall
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

_HERE = Path(__file__).parent
# What of minidl a submission may import, where its assignment says so: nothing that solves a task on models.
ENGINE = ("__init__.py", "_version.py", "arguments.py", "backend.py", "debugging.py", "errors.py", "files.py",
          "gradcheck.py", "graph.py", "kernels.py", "operators.py", "tensor.py", "tuning.py", "data",
          "nn", "ops", "optim", "training")
_PACKAGES = ("site-packages", "dist-packages")
_PYTHON = os.path.realpath(sys.executable)       # not a virtual environment's link, which needs what lies beside it


@dataclass(frozen=True)
class Isolation:
    """How a worker is kept from everything else: bwrap, landlock, uid or none, with a user of its own or not."""

    name: str
    uid: int | None = None


class Stage:
    """A folder of copies from which workers run: their own three files, NumPy, the submission, perhaps minidl's engine.

    Of a submission its plain files are taken, no folders, links or devices. With `engine` there is a minidl without
    its models, `ENGINE`. Removed at the end of the `with` block.
    """

    def __init__(self, submission: Path, *, engine: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="minidl-grade-")).resolve()
        self.files: set[str] = set()             # of the submission
        self.submission, self.library = self.folder / "submission", self.folder / "library"
        self.numpy = [folder for folder in (Path(np.__file__).parent, Path(np.__file__).parents[1] / "numpy.libs")
                      if folder.exists()]
        umask = os.umask(0o022)        # whatever the grader's is, a worker's user must read these
        try:
            self._fill(submission, engine)
        except BaseException:
            self.__exit__()
            raise
        finally:
            os.umask(umask)

    def _fill(self, submission: Path, engine: bool) -> None:
        self.submission.mkdir()
        for entry in os.scandir(submission):
            if entry.is_file(follow_symlinks=False):
                shutil.copyfile(entry.path, self.submission / entry.name)
                self.files.add(entry.name)
        self.library.mkdir()
        for name in ("worker.py", "codec.py", "confine.py"):
            shutil.copyfile(_HERE / name, self.folder / name)
        for folder in self.numpy:
            (self.library / folder.name).symlink_to(folder, target_is_directory=True)
        if engine:
            package, copy = _HERE.parents[1], self.library / "minidl"
            copy.mkdir()
            for name in ENGINE:
                copy_one = shutil.copytree if (package / name).is_dir() else shutil.copy2
                copy_one(package / name, copy / name)
            compileall.compile_dir(copy, quiet=2)        # once, not in each worker

    def open_to(self, isolation: Isolation) -> None:
        """Let the worker's user in, and nobody else: a submission has no business in another's folder."""
        if isolation.uid is not None:
            os.chown(self.folder, -1, isolation.uid)
            self.folder.chmod(0o750)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def command(stage: Stage, isolation: Isolation) -> list[str]:
    """What starts a worker; in bubblewrap there is no network, no /proc and nothing that can be written."""
    python = [_PYTHON, "-I", "-S", "-B", str(stage.folder / "worker.py")]
    if isolation.name != "bwrap":
        return python
    sandbox = [shutil.which("bwrap") or "bwrap", "--unshare-user", "--unshare-all", "--uid", "65534",
               "--gid", "65534", "--cap-drop", "ALL", "--die-with-parent"]
    covered = [str(library / name) for library in _standard_library() for name in _PACKAGES
               if (library / name).exists()]
    for library in _standard_library():
        sandbox += ["--ro-bind", str(library), str(library)]
    for path in covered:
        sandbox += ["--tmpfs", path]             # NumPy may lie in it: so this comes before that
    for path in [*map(str, [stage.folder, *stage.numpy]), *_system()]:
        sandbox += ["--dev-bind-try" if path.startswith("/dev/") else "--ro-bind-try", path, path]
    for link in ("/lib", "/lib64"):              # where programs look for their loader
        if os.path.islink(link):
            sandbox += ["--symlink", os.readlink(link), link]
    for loader in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"):
        sandbox += ["--ro-bind-try", loader, str(Path(loader).parent.resolve() / Path(loader).name)]
    for path in [*covered, "/"]:
        sandbox += ["--remount-ro", path]
    return [*sandbox, "--chdir", "/", *python]


def readable(stage: Stage) -> list[str]:
    """What a worker must be able to read: the stage, NumPy, the standard library and the system's libraries.

    Not the interpreter's whole prefix: installed packages, and the checkout of an editable install, stay out of reach.
    """
    library = [str(entry) for folder in _standard_library() for entry in sorted(folder.iterdir())
               if entry.name not in _PACKAGES]
    return [*map(str, [stage.folder, *stage.numpy]), *library, *_system()]


def _standard_library() -> list[Path]:
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    return list(dict.fromkeys(Path(sysconfig.get_path(key, vars=base)).resolve() for key in ("stdlib", "platstdlib")))


@cache
def _system() -> list[str]:
    maps = ""
    with suppress(OSError):                      # Linux only
        maps = Path("/proc/self/maps").read_text()
    return list(dict.fromkeys([_PYTHON, *libraries(maps, _standard_library()), "/etc/ld.so.cache", "/etc/localtime",
                               "/usr/share/zoneinfo", "/dev/null", "/dev/urandom"]))


def libraries(maps: str, standard_library: list[Path]) -> Iterator[str]:
    """The shared libraries of a process, from its `/proc/self/maps`: the system's folders, and other files one by one.

    NumPy's and the standard library's own are not named. A folder that holds the standard library is none of the
    system's: the packages are in it.
    """
    for line in maps.splitlines():
        path = Path("/" + line.partition("/")[2])
        if ".so" not in path.name or any(name in path.parts for name in _PACKAGES):
            continue
        if any(library.is_relative_to(path.parent) for library in standard_library):
            yield str(path)
        elif path.parts[1] in ("lib", "lib64") or path.parts[1:3] in (("usr", "lib"), ("usr", "lib64")):
            yield str(path.parent)
        elif not any(path.is_relative_to(library) for library in standard_library):
            yield str(path)
