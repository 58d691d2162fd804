"""Pickled arrays, strings and numbers, read without running anything that the file names.

Unpickling calls whatever a file asks for, so a file can do all that its reader may do. Here the few names that NumPy's
arrays need stand for code of our own, and every other name is refused. Source: the documentation of Python's pickle,
"Restricting Globals".
"""
from __future__ import annotations

import pickle
import re
from io import BytesIO
from typing import Any

import numpy as np

from minidl.errors import InputError


def read_pickle(data: bytes, name: str) -> Any:
    """What these pickled bytes hold: an array, or a dict of arrays, strings, numbers and lists of them.

    Strings of Python 2 become str, a letter for each byte. Raises InputError, which begins with `name`, for bytes that
    are no pickle, and for those that name anything but what an array needs.
    """
    try:
        found = _Arrays(BytesIO(data), encoding="latin-1").load()
    except _Refused as error:
        raise InputError(f"{name} asks Python for {error}, which arrays and numbers do not need; nothing that it names "
                         "was run") from None
    except Exception as error:          # in bytes that are no pickle every instruction may fail in its own way
        raise InputError(f"{name} is no pickled file of arrays, or it is damaged "
                         f"({type(error).__name__}: {error})") from None
    if isinstance(found, dict):
        return {key: _finished(value) for key, value in found.items()}
    return _finished(found)


def _finished(value: Any) -> Any:
    return value.array if isinstance(value, _Array) else value


class _Refused(Exception):
    """A name that a file may not use."""


class _Arrays(pickle._Unpickler):
    """The unpickler that is written in Python: the one in C makes room for as much as a damaged file promises."""

    def find_class(self, module: str, name: str) -> Any:
        """Made anew at each call: a file may change the attributes of what it is given."""
        def new_array(*_: Any) -> _Array:
            return _Array()

        ours = {
            ("numpy.core.multiarray", "_reconstruct"): new_array, ("numpy._core.multiarray", "_reconstruct"): new_array,
            ("numpy", "ndarray"): "ndarray", ("numpy", "dtype"): lambda text, *_: _Dtype(text),
            ("_codecs", "encode"): lambda text, *_: text.encode("latin-1")}       # bytes, in the oldest protocols
        if (module, name) not in ours:
            raise _Refused(f"{module}.{name}")
        return ours[module, name]


class _Dtype:
    """Stands for numpy.dtype: made from a text such as "u1", then told its byte order."""

    def __init__(self, text: str) -> None:
        self.text, self.order = text, "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        if not re.fullmatch("[|<>=](b1|[iu][1248]|f[248])", self.order + self.text):
            raise ValueError(f"an array of {self.order}{self.text}, not of numbers")
        return np.dtype(self.order + self.text)


class _Array:
    """Stands for numpy.ndarray: made empty, then told its version, shape, dtype, order and bytes."""

    array: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, columns_first, data = state
        raw = data.encode("latin-1") if isinstance(data, str) else data
        self.array = np.frombuffer(raw, dtype.dtype()).reshape(shape, order="F" if columns_first else "C")
