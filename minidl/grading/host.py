"""The grader's side of a student's process: it starts it, calls into it, holds it to its limits and ends it."""
from __future__ import annotations

import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl.grading import codec

_HERE = Path(__file__).parent
_KEPT_OUTPUT = 64 << 10                # bytes of what a student's code prints that are kept
_START_SECONDS = 30.0                  # a worker that is not ready by then is a fault of this machine
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
    """What a worker may use: `wall` seconds a call, and what `confine.limit` takes."""

    wall: float = 10.0
    seconds: int = 20
    memory: int = 2 << 30
    file: int = 1 << 20
    processes: int = 64


class Stage:
    """A folder of copies from which workers run: their own three files, NumPy, the submission, perhaps a minidl.

    `minidl` is a folder with the copy that students may import. It is removed at the end of the `with` block.
    """

    def __init__(self, submission: Path, minidl: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="minidl-grade-")).resolve()
        self.folder.chmod(0o755)
        self.submission, self.library = self.folder / "submission", self.folder / "library"
        shutil.copytree(submission, self.submission, symlinks=True)
        self.library.mkdir()
        for name in ("worker.py", "codec.py", "confine.py"):
            shutil.copyfile(_HERE / name, self.folder / name)
        self.numpy = [folder for folder in (Path(np.__file__).parent, Path(np.__file__).parents[1] / "numpy.libs")
                      if folder.exists()]
        for folder in self.numpy:
            (self.library / folder.name).symlink_to(folder, target_is_directory=True)
        if minidl:
            shutil.copytree(minidl, self.library / "minidl")

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Isolation:
    """How a worker is kept from everything else: bwrap, landlock, uid or none, with a user of its own or not."""

    name: str
    uid: int | None = None


class Worker:
    """A student's process. `load` a file, `call` functions, `close` it: then nothing of it is left."""

    def __init__(self, stage: Stage, isolation: Isolation, limits: Limits) -> None:
        self.stage, self.isolation, self.limits = stage, isolation, limits
        self.printed, self.lost = bytearray(), 0          # what it printed: the first bytes, and how many more
        self.scratch = Path(tempfile.mkdtemp(prefix="minidl-scratch-"))
        _adopt_orphans()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        uid = self.isolation.uid
        if uid is not None:
            os.chown(self.scratch, uid, uid)
        user: dict[str, Any] = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "TMPDIR": str(self.scratch),
                       "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        try:
            self.process = subprocess.Popen(
                command(self.stage, self.isolation), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=environment, cwd=self.scratch, start_new_session=True, close_fds=True,
                bufsize=0, **user)
        except OSError as error:
            raise Infrastructure(f"no worker could be started ({self.isolation.name}): {error}") from error
        assert self.process.stdout and self.process.stdin
        os.set_blocking(self.process.stdout.fileno(), False)
        os.set_blocking(self.process.stdin.fileno(), False)
        self._drain = threading.Thread(target=self._read_output, daemon=True)
        self._drain.start()
        deadline = time.monotonic() + _START_SECONDS
        try:
            self._send({"isolation": self.isolation.name, "root": os.geteuid() == 0 and uid is None,
                        "limits": asdict(self.limits), "readable": readable(self.stage)}, deadline)
            ready = self._receive(deadline)
        except (WorkerDied, TimeLimit, ProtocolError) as error:
            self._drain.join(1)
            last = self.output().strip().splitlines()[-12:]
            raise Infrastructure(f"a worker ({self.isolation.name}) did not start: {error} {''.join(last)}") from error
        self.confined = ready["ready"]

    # Requests ---------------------------------------------------------------------------------------------------------

    def load(self, module: str) -> list[str]:
        """Import a file of the submission; returns the names that it defines."""
        names = self._ask({"do": "load", "module": module})["value"]
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

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
        deadline = time.monotonic() + self.limits.wall
        self._send({**request, "id": identity}, deadline)
        answer = self._receive(deadline)
        if answer.get("id") != identity:
            raise ProtocolError("an answer came to another request")
        if "value" not in answer:
            raise _student_error(answer)
        return answer

    def _send(self, value: dict[str, Any], deadline: float) -> None:
        assert self.process.stdin
        data, pipe = memoryview(codec.frame(value)), self.process.stdin.fileno()
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
        assert self.process.stdout
        data, pipe = bytearray(), self.process.stdout.fileno()
        while len(data) < count:
            if not select.select([pipe], [], [], self._left(deadline))[0]:
                continue
            part = os.read(pipe, min(1 << 20, count - len(data)))
            if not part:
                raise self._died()
            data += part
        return bytes(data)

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeLimit(f"no answer within {self.limits.wall:g} s")
        return min(left, 1.0)

    def _died(self) -> Exception:
        try:
            code = self.process.wait(2)
        except subprocess.TimeoutExpired:
            return WorkerDied("the process closed its pipe")
        if code == -getattr(signal, "SIGXCPU", 0) or code == -signal.SIGKILL and self._out_of_time():
            return TimeLimit(f"{self.limits.seconds} s of processor time were used up")
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return WorkerDied(f"the process ended by itself ({name})")

    def _out_of_time(self) -> bool:
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime >= self.limits.seconds

    def output(self) -> str:
        """What the student's code printed, shortened."""
        text = self.printed.decode("utf-8", "replace")
        return text + (f"\n... and {self.lost:,} more bytes" if self.lost else "")

    def _read_output(self) -> None:
        assert self.process.stderr
        with suppress(OSError, ValueError):
            while part := os.read(self.process.stderr.fileno(), 1 << 16):
                kept = part[:max(0, _KEPT_OUTPUT - len(self.printed))]
                self.printed += kept
                self.lost += len(part) - len(kept)

    # Its end ----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the process, all that it has started and its files."""
        process = getattr(self, "process", None)
        if process:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            end_orphans()
            self._drain.join(1)
            for pipe in (process.stdin, process.stdout, process.stderr):
                with suppress(OSError):
                    pipe.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def command(stage: Stage, isolation: Isolation) -> list[str]:
    """What starts a worker."""
    python = [sys.executable, "-I", "-S", "-B", str(stage.folder / "worker.py")]
    if isolation.name != "bwrap":
        return python
    sandbox = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
               "--uid", "65534", "--gid", "65534", "--proc", "/proc", "--dev", "/dev"]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        sandbox += ["--setenv", name, "1"]
    for path in readable(stage):
        if not path.startswith("/dev"):
            sandbox += ["--ro-bind-try", path, path]
    for link in ("/lib", "/lib64", "/bin"):
        if os.path.islink(link):
            sandbox += ["--symlink", os.readlink(link), link]
    sandbox += ["--ro-bind-try", sys.executable, sys.executable]
    return [*sandbox, "--size", str(16 << 20), "--tmpfs", "/tmp/scratch", "--chdir", "/tmp/scratch", *python]


def readable(stage: Stage) -> list[str]:
    """What a worker must be able to read: the stage, NumPy, the standard library and the system's libraries."""
    return [*map(str, [stage.folder, *stage.numpy]), *_system_paths()]


def _system_paths() -> list[str]:
    global _found
    if not _found:
        _found = list(dict.fromkeys(_find_system_paths()))
    return _found


_found: list[str] = []


def _find_system_paths() -> Iterator[str]:
    """Not the whole prefix: installed packages, and the checkout of an editable install, stay out of reach."""
    for key in ("stdlib", "platstdlib"):
        folder = Path(sysconfig.get_path(key, vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix}))
        yield from (str(entry) for entry in sorted(folder.iterdir())
                    if entry.name not in ("site-packages", "dist-packages", "__pycache__"))
        yield str(folder.parent / f"python{sys.version_info.major}{sys.version_info.minor}.zip")
    real = Path(sys.executable).resolve()
    yield from (str(real), str(Path(sys.executable)))
    with suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            path = line.partition("/")[2]
            if ".so" in path and "python" not in path and "-packages" not in path:
                yield "/" + path.rpartition("/")[0]
            elif "libpython" in path:
                yield "/" + path
    yield from ("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/dev/null", "/dev/urandom")


def _student_error(answer: dict[str, Any]) -> StudentError:
    """An answer's exception; whatever is not of the right type is replaced."""
    def text(value: Any, otherwise: str, length: int = 2000) -> str:
        return value[:length] if isinstance(value, str) else otherwise

    def texts(value: Any) -> list[str]:
        return [item[:300] for item in value[:10] if isinstance(item, str)] if isinstance(value, list) else []

    missing = answer.get("missing_import")
    return StudentError(text(answer.get("error"), "Exception", 100), text(answer.get("message"), ""),
                        texts(answer.get("where")), texts(answer.get("kinds")),
                        text(missing, "", 200) if isinstance(missing, str) else None)


def _adopt_orphans() -> None:
    """Processes whose parent ends become children of this one, so that they can be found and ended."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans() -> None:
    """End all children of this process, and the children that they leave behind. Linux only."""
    if sys.platform != "linux":
        return
    for _ in range(100):                         # a process may start others while it is being ended
        orphans = _children()
        if not orphans:
            return
        for pid in orphans:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP)
        for pid in orphans:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
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
