"""Debug mode: every operation's result is looked at, and the first that goes wrong is named with the user's line.

    with md.debug():
        loss = model(x).sum()
        loss.backward()

It finds the first NaN or infinity, forward or backward, and arrays that were changed in place between the two. It reads
every array back to the host, so it is slow and synchronises a GPU at each step.
"""
from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from minidl.backend import BACKENDS, Array, backend_of
from minidl.modes import thread

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Trace(NamedTuple):
    """What debug mode remembers of an operation: the user's line, and what its arguments' memory looked like."""

    line: str
    checksums: list[int | None]


@contextmanager
def debug(on: bool = True) -> Iterator[None]:
    """Within this context every operation's result is checked: see `help(minidl.debugging)`."""
    mode = thread.mode
    before, mode.debugging = mode.debugging, on
    try:
        with np.errstate(all="ignore" if on else None):      # debug mode says it better than NumPy's warnings
            yield
    finally:
        mode.debugging = before


def check_forward(name: str, raw: Sequence[Any], y: Array) -> Trace:
    """Raise FloatingPointError if the result `y`, of any shape, is not finite; return what backward will check."""
    line = _users_line()
    if not _finite(y):
        if any(isinstance(a, float) and not np.isfinite(a) for a in raw):
            return Trace(line, [_checksum(a) for a in (*raw, y)])       # the user's own infinity, a mask's for instance
        given = [i for i, a in enumerate(raw) if type(a) in BACKENDS and not _finite(a)]
        if given:
            raise FloatingPointError(f"{name} was given a {_kind(raw[given[0]])} in argument {given[0]}, of shape "
                                     f"{raw[given[0]].shape}: {line}")
        raise FloatingPointError(f"{name} made the first {_kind(y)} here, from {_shapes(raw)}: {line}")
    return Trace(line, [_checksum(a) for a in (*raw, y)])


def check_unchanged(name: str, t: Any, raw: Sequence[Any]) -> None:
    """Raise RuntimeError if `t`, or an argument of the operation that made it, was changed in place since."""
    trace = getattr(t, "trace", None)
    if trace is None:                     # made before debug mode was switched on
        return
    for i, (array, before) in enumerate(zip((*raw, t.data), trace.checksums, strict=True)):
        if before is not None and _checksum(array) != before:
            which = f"argument {i}" if i < len(raw) else "the result"
            raise RuntimeError(f"{name}: {which}, shape {array.shape}, was changed in place between the forward "
                               f"and the backward pass, so its gradient would be wrong; used here: {trace.line}")


def check_gradient(name: str, t: Any, a: Any, ga: Any) -> None:
    """Raise FloatingPointError if a rule's result is not finite, TypeError if it is not of its argument's dtype."""
    array = _raw(ga)
    trace = getattr(t, "trace", None)
    line = trace.line if trace else "(made outside debug mode)"
    if array.dtype != a.data.dtype:
        raise TypeError(f"the gradient rule of {name} turned {a.data.dtype} into {array.dtype}: {line}")
    if not _finite(array):
        raise FloatingPointError(f"the gradient rule of {name} made the first {_kind(array)}, for an argument of "
                                 f"shape {a.data.shape}, of the operation here: {line}")


def _raw(a: Any) -> Any:
    return a.data if hasattr(a, "recipe") else a          # an array has a `data` too, and it is another thing


def _finite(a: Array) -> bool:
    return a.dtype.kind != "f" or bool(backend_of(a).xp.isfinite(a).all())


def _kind(a: Array) -> str:
    return "NaN" if bool(backend_of(a).xp.isnan(a).any()) else "infinity"


def _shapes(raw: Sequence[Any]) -> str:
    return ", ".join(str(a.shape) if type(a) in BACKENDS else repr(a) for a in raw)


def _checksum(a: Any) -> int | None:
    if type(a) not in BACKENDS:
        return None
    return zlib.crc32(np.ascontiguousarray(backend_of(a).to_host(a)).view(np.uint8).reshape(-1).data)


def _users_line() -> str:
    """The innermost line of the stack that is not minidl's own."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
