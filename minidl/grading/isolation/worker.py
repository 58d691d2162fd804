"""Runs inside the student's process: reads requests from a pipe, calls the student's functions, sends back values.

Started as `python -I -S -B worker.py` by `host.py`, from a folder of copies (this file, `codec.py`, `confine.py`, the
submission, a minidl without what is to be solved). Nothing here is trusted: it decides nothing, and whatever it sends
is taken as the student's answer.
"""
from __future__ import annotations

import gc
import importlib.util
import json
import os
import sys

TYPE_CHECKING = False          # mypy takes it for typing's, which this process need not load
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any, NoReturn


def main() -> None:
    """Answer requests until the grader closes the pipe."""
    here = os.path.dirname(os.path.abspath(__file__))
    job = json.loads(sys.stdin.buffer.readline())          # one line; requests come after our first answer
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)           # what the student's code reads and prints must not meet
    os.dup2(2, 1)                                          # the protocol
    sys.stdout = os.fdopen(1, "w", buffering=1, errors="replace", closefd=False)
    submission = os.path.join(here, "submission")
    sys.path[:] = [here, *sys.path[1:], os.path.join(here, "library"), submission]   # nothing in it can hide the rest
    done = importlib.import_module("confine").confine(job)
    gc.disable()                                           # a tenth of the time that NumPy takes
    codec = importlib.import_module("codec")               # with NumPy, which may start threads, after that
    gc.enable()
    del sys.path[0]
    pipe = _Pipe(requests, answers, codec)
    pipe.send({"ready": done})
    _serve(pipe, submission)


class _Pipe:
    def __init__(self, requests: int, answers: int, codec: ModuleType) -> None:
        self.requests, self.answers, self.codec = requests, answers, codec

    def receive(self) -> Any:
        length = self.codec.frame_length(self._read(self.codec.HEADER.size))
        return self.codec.decode(self._read(length))

    def _read(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = os.read(self.requests, min(count - len(data), 1 << 20))
            if not part:
                os._exit(0)                      # the grader has closed the pipe
            data += part
        return bytes(data)

    def send(self, value: Any) -> None:
        data = memoryview(self.codec.frame(value))
        while data:
            data = data[os.write(self.answers, data):]


def _serve(pipe: _Pipe, submission: str) -> NoReturn:
    modules: dict[str, ModuleType] = {}
    while True:
        request = pipe.receive()
        try:
            answer = {"value": _answer(request, modules, submission)}
            if request.get("arguments_too"):
                answer["arguments"] = request["arguments"]
        except BaseException as error:           # SystemExit and KeyboardInterrupt too: an exit is an answer
            answer = describe(error, submission)
        answer["id"] = request["id"]
        try:
            pipe.send(answer)
        except pipe.codec.CodecError as error:
            pipe.send({"id": request["id"], "error": "CodecError", "message": str(error), "where": []})


def _answer(request: dict[str, Any], modules: dict[str, ModuleType], submission: str) -> Any:
    """What a request asks for: to load a file, or to call one of its functions, or a driver's with the module."""
    if request["do"] == "load":
        name = request["module"]
        modules[name] = _load(name, os.path.join(submission, *name.split(".")) + ".py")
        return None
    module = modules[request["module"]]
    if request["do"] == "find":
        return like(request["name"], vars(module))
    if request["do"] == "drive":
        place: dict[str, Any] = {"__name__": "driver"}
        exec(compile(request["source"], "driver.py", "exec", dont_inherit=True), place)
        return place[request["name"]](module, *request["arguments"])
    function: Any = module
    for part in request["name"].split("."):
        function = getattr(function, part)
    return function(*request["arguments"])


def like(wanted: str, names: Iterable[str]) -> str | None:
    """The wanted one of these names or, where it is not there, the one most like it, if any is."""
    own = {name for name in names if type(name) is str and not name.startswith("__")}
    if wanted in own:
        return wanted
    import difflib

    near = difflib.get_close_matches(wanted, sorted(own), n=1)
    return near[0] if near else None


def _load(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def describe(error: BaseException, submission: str) -> dict[str, Any]:
    """An exception as data: its type, its text and the lines of the student's files that it came from."""
    try:
        message = str(error)[:2000]
    except BaseException:
        message = "(its text cannot be read)"
    try:
        missing = error.name if isinstance(error, ImportError) else None
        kinds = (MemoryError, NotImplementedError, SystemExit, ImportError, SyntaxError)
        return {"error": str(type(error).__name__)[:100], "message": message, "where": _where(error, submission),
                "missing_import": missing if type(missing) is str else None,
                "kinds": [kind.__name__ for kind in kinds if isinstance(error, kind)]}
    except BaseException:                        # its class can be made so that none of this works
        return {"error": "Exception", "message": message, "where": [], "kinds": []}


def _where(error: BaseException, submission: str) -> list[str]:
    import traceback

    lines = []
    for frame in traceback.extract_tb(error.__traceback__)[-40:]:
        if frame.filename.startswith(submission) or frame.filename == "driver.py":
            lines.append(f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}"[:200])
    if isinstance(error, SyntaxError) and error.lineno:
        lines.append(f"{os.path.basename(str(error.filename))}:{error.lineno}: {error.text}"[:200])
    return lines[-8:]


if __name__ == "__main__":
    main()
