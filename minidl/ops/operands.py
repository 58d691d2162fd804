"""What an operation that is made of others is given: an array or a Tensor, wide enough for what is computed from it."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from minidl.arguments import to_array
from minidl.backend import BACKENDS
from minidl.errors import InputError
from minidl.ops.arithmetic import astype
from minidl.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def operand(x: Any) -> Any:
    """x if it is a Tensor or an array, of any shape, else the array that a list or a number makes.

    Raises InputError for anything else.
    """
    return x if isinstance(x, Tensor) or type(x) in BACKENDS and x.dtype.kind in "fiub" else to_array(x)


def index_array(name: str, values: Any) -> Any:
    """A Tensor or an array of any shape as it is, a list as the array of its whole numbers or truth values.

    Raises InputError for a list that is none of such.
    """
    if not isinstance(values, list | tuple):
        return values
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: this is no list of indices: {values!r:.60}") from error
    return array if len(values) else np.zeros(0, np.int64)


def several(name: str, arrays: Any) -> list[Any]:
    """The arrays of a list, or the rows of a Tensor or an array (n, ...).

    Raises InputError if there is none.
    """
    if not isinstance(arrays, list | tuple | Tensor | np.ndarray) or not isinstance(arrays, list | tuple) and (
            not arrays.ndim):
        raise InputError(f"{name}: it takes a list of arrays, not {arrays!r:.60}")
    if not len(arrays):
        raise InputError(f"{name}: it takes a list of arrays, and this one is empty")
    return [operand(x) for x in arrays]


def whole_numbers(what: str, values: Any) -> list[int]:
    """A whole number, or several in a list, a tuple or an array (n,), as a list.

    Raises InputError for anything else.
    """
    listed = values.tolist() if isinstance(values, np.ndarray | np.generic) else values
    listed = listed if isinstance(listed, list | tuple) else [listed]
    if not all(isinstance(n, int | np.integer) for n in listed):
        raise InputError(f"{what} are whole numbers, not {values!r:.60}")
    return [int(n) for n in listed]


def floating(x: Any) -> Any:
    """`operand`, with whole numbers and truth values as float32, in the same shape: for what makes no whole numbers."""
    x = operand(x)
    return x if x.dtype.kind == "f" else astype(x, np.float32)


def computed_wide(f: F) -> F:
    """Let `f(x, ...)` compute in wider numbers where x's own would overflow or lose digits.

    float16 in float32, and given back as float16: the sum of 70,000 ones is infinite there, their mean is 1. Whole
    numbers in float64 if they have 4 bytes or more, in float32 else, and given back as float32.
    """
    @functools.wraps(f)
    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        x = operand(x)
        dtype = x.dtype
        if dtype.kind == "f" and dtype.itemsize > 2:
            return f(x, *args, **kwargs)
        wide = np.float64 if dtype.kind != "f" and dtype.itemsize >= 4 else np.float32
        return astype(f(astype(x, wide), *args, **kwargs), dtype if dtype.kind == "f" else np.float32)
    return cast(F, call)
