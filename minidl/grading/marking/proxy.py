"""The `student` of a test: its calls go into a worker when grading, into this process for `minidl check`."""
from __future__ import annotations

import copy
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from minidl.grading import checks
from minidl.grading.isolation import codec, host, inprocess, worker
from minidl.grading.isolation.host import StudentError, Worker, Workers


class Missing(Exception):
    """The submission lacks a file or a function."""


class Student:
    """A submission as a test sees it: `student.pca(x, k)` calls its function `pca`, and gives back plain data.

    Arguments are copied, so that no function can change a test's arrays; results are numbers, strings, arrays and
    lists, tuples and dicts of them. A driver is a function of the assignment's `drivers.py` which is called with the
    submission's module first: it makes objects and uses them where they live, and returns data.
    """

    def __init__(self, drivers: Path | None, file: str = "the file") -> None:
        self._drivers, self._file = drivers, file
        self._ready, self._known = False, set[str]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.call(name, *arguments)

    def call(self, name: str, *arguments: Any) -> Any:
        """What the submission's function returns. Raises Missing if it has none of this name."""
        return self.call_and_look(name, *arguments)[0]

    def call_and_look(self, name: str, *arguments: Any) -> tuple[Any, list[Any]]:
        """What the function returns, and the arguments after the call: has it changed its input?"""
        self._find(name)
        with _returned_by(name):
            return self._call(name, arguments)

    def call_twice(self, name: str, *arguments: Any) -> Any:
        """What the function returns. Fails if it changes its arguments, or returns something else the second time."""
        answer, after = self.call_and_look(name, *arguments)
        checks.check(_same(list(arguments), after), f"{name} changes its arguments; work on a copy")
        checks.check(_same(answer, self.call(name, *arguments)), f"{name} gives another answer when it is called again "
                     "with the same arguments")
        return answer

    def drive(self, driver: str, *arguments: Any) -> Any:
        """What a driver returns."""
        self._find("")
        if self._drivers is None or not self._drivers.exists():
            raise FileNotFoundError(f"there is no {self._drivers} for the driver {driver!r}")
        with _returned_by(f"the test's {driver}, of what your code gave it,"):
            return self._drive(self._drivers, driver, arguments)

    def _find(self, name: str) -> None:
        if not self._ready:
            self._load()
            self._ready = True
        first = name.partition(".")[0]
        if not first or first in self._known:
            return
        if (found := self._like(first)) != first:
            raise Missing(f"no `{first}`; did you mean `{found}`? In {self._file} it must be called `{first}`" if found
                          else f"no `{first}` in {self._file}")
        self._known.add(first)

    def _load(self) -> None:
        raise NotImplementedError

    def _like(self, name: str) -> str | None:
        """The name if the loaded submission has it, else one that is like it, if there is one."""
        raise NotImplementedError

    def _call(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        raise NotImplementedError

    def _drive(self, drivers: Path, driver: str, arguments: tuple[Any, ...]) -> Any:
        raise NotImplementedError

    def as_data(self, error: BaseException) -> BaseException:
        """The exception that ended a test, as a StudentError if it came from the submission's own code."""
        return error

    def output(self) -> str:
        """What the submission printed, where that was caught."""
        return ""

    def close(self) -> None:
        """End what was started for this test."""


class Remote(Student):
    """In a worker that starts with the test's first call."""

    def __init__(self, workers: Workers, module: str, drivers: Path | None) -> None:
        super().__init__(drivers, f"{module}.py")
        self._workers, self._module = workers, module
        self._worker: Worker | None = None

    def _load(self) -> None:
        stage, name = self._workers.stage, f"{self._module}.py"
        if name not in stage.files:
            raise Missing(f"there is no {name}")
        if not (stage.submission / name).is_file():
            raise host.Infrastructure(f"{name} was handed in, and is gone from {stage.submission}")
        self._worker = self._workers.take()
        self._worker.load(self._module)

    def _like(self, name: str) -> str | None:
        assert self._worker
        return self._worker.find(self._module, name)

    def _call(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        assert self._worker
        return self._worker.call_and_look(self._module, name, *arguments)

    def _drive(self, drivers: Path, driver: str, arguments: tuple[Any, ...]) -> Any:
        assert self._worker
        return self._worker.drive(self._module, drivers.read_text(encoding="utf-8"), driver, *arguments)

    def output(self) -> str:
        return self._worker.output() if self._worker else ""

    def close(self) -> None:
        if self._worker:
            self._worker.close()
            self._worker = None


@dataclass
class Noted:
    """What is known of a student's file from one test to the next."""

    hung: host.TimeLimit | None = None           # it had to be ended while it was loaded: no other test need wait
    changed: set[str] = field(default_factory=set)       # functions that changed their arguments


class Local(Student):
    """In this process, so that a debugger can go into it. Isolates nothing: for a student's own file only.

    A call may take so many `seconds`; with `debug` it may take any time, print to the screen and read from it.
    """

    def __init__(self, folder: Path, module: str, drivers: Path | None, *, seconds: float | None = None,
                 debug: bool = False, noted: Noted | None = None) -> None:
        super().__init__(drivers, f"{module}.py")
        self._path, self._module = folder / f"{module}.py", module
        self._seconds, self._debug, self._noted = seconds, debug, noted or Noted()
        self._loaded: ModuleType | None = None
        self._printed = inprocess.Kept()
        self._raised: tuple[BaseException, StudentError] | None = None

    def _load(self) -> None:
        if not self._path.is_file():
            raise Missing(f"there is no {self._path.name}")
        if self._noted.hung:
            raise self._noted.hung
        try:
            with self._theirs():
                self._loaded = load_file(self._path, self._module)
        except host.TimeLimit as error:
            self._noted.hung = error
            raise

    def _like(self, name: str) -> str | None:
        return worker.like(name, vars(self._loaded))

    def _call(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        function: Any = self._loaded
        given = copy.deepcopy(list(arguments))
        with self._theirs():
            for part in name.split("."):
                function = getattr(function, part)
            value = function(*given)
        with suppress(codec.CodecError):
            if not _same(list(arguments), given):
                self._noted.changed.add(name)
        return _plain(value), given

    def _drive(self, drivers: Path, driver: str, arguments: tuple[Any, ...]) -> Any:
        function = getattr(load_file(drivers, "drivers"), driver)
        given = copy.deepcopy(arguments)
        with self._theirs():
            value = function(self._loaded, *given)
        return _plain(value)

    @contextmanager
    def _theirs(self) -> Iterator[None]:
        """Run the submission's code within its limits, and remember what it raises.

        That goes on as it is, so that a debugger finds its frames.
        """
        with ExitStack() as limits:
            if not self._debug:
                limits.enter_context(inprocess.kept_apart(self._printed))
            limits.enter_context(inprocess.stoppable(self._path.parent, None if self._debug else self._seconds))
            limits.enter_context(inprocess.breakpoints(self._path.parent))
            try:
                yield
            except BaseException as error:
                self._raised = error, host.student_error(worker.describe(error, str(self._path.parent)))
                raise

    def as_data(self, error: BaseException) -> BaseException:
        return self._raised[1] if self._raised and self._raised[0] is error else error

    def output(self) -> str:
        return str(self._printed)


@contextmanager
def _returned_by(function: str) -> Iterator[None]:
    """Say which function's value it was that no test can look at."""
    try:
        yield
    except StudentError as error:
        if error.kind != codec.CodecError.__name__ or error.where:
            raise
        raise StudentError("TypeError", f"{function} returned {error.message}") from None


def _same(one: Any, other: Any) -> bool:
    """Whether two values, after their way through the pipe, are the same to the last bit."""
    return codec.encode(one) == codec.encode(other)


def _plain(value: Any) -> Any:
    """A value as it comes out of a worker's pipe."""
    try:
        return codec.decode(codec.encode(value))
    except codec.CodecError as error:
        raise StudentError("CodecError", str(error)) from None


def load_file(path: Path, name: str) -> ModuleType:
    """A Python file as a module, freshly executed; siblings in its folder can be imported by it."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    before, sys.modules[name] = sys.modules.get(name), module
    sys.path.append(str(path.parent))
    try:
        # And not by the loader, which takes a file of the same second and size for the one that it compiled before.
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    finally:
        sys.path.remove(str(path.parent))
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
    return module
