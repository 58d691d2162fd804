"""Rows of numbers: the array that a Tensor holds, what fits a model that learned from rows, and a block at a time."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minidl.arguments import is_whole, plain_array
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.tensor import Tensor

BLOCK = 1024               # rows that are looked at together: they stay in the cache


def array_of(x: Any) -> Any:
    """The array that a Tensor holds, in the same shape; anything else as it is."""
    return x.data if isinstance(x, Tensor) else x


def rows_of_floats(name: str, x: Any, keep_tensor: bool = False) -> Any:
    """x (N, d), of any kind that `plain_array` reads, as an array of rows of float32 or float64.

    Both stay what they are, in whatever order of bytes; longer floats become float64 and shorter ones float32. Whole
    numbers, truth values and lists become float32, or float64 if a number beyond 2^24 is among them, where float32 has
    no place for all whole numbers. Raises InputError, in `name`'s name, for other shapes and what `plain_array` does
    not read.
    """
    array = plain_array(name, array_of(x))
    if array.ndim != 2:
        raise InputError(f"{name}: x must have rows, shape (N, features), not {array.shape!r:.60}; "
                         "images become rows by x.reshape(len(x), -1)")
    if array.dtype in (np.float32, np.float64) and not isinstance(x, list | tuple):
        dtype = array.dtype
    elif array.dtype.kind == "f" and not isinstance(x, list | tuple):
        dtype = np.float32 if array.itemsize < 8 else np.float64
    else:
        exact = array.itemsize <= 2 or not array.size or -2**24 <= float(array.min()) <= float(array.max()) <= 2**24
        dtype = np.float32 if exact else np.float64
    rows = x if keep_tensor and isinstance(x, Tensor) else array
    return rows if array.dtype == dtype else rows.astype(dtype)


def rows_that_meet(name: str, verb: str, x: Any, width: int, learned: Array, keep_tensor: bool = True) -> Any:
    """x (N, width) if it can meet what the model has learned: rows of that width, on its device, in its dtype.

    Raises InputError for another shape or device.
    """
    x = rows_of_floats(name, x, keep_tensor)
    if x.shape[1] != width:
        raise InputError(f"{name}.{verb}: this {name} takes rows of {width} numbers, x has shape {x.shape}")
    check_device(name, verb, array_of(x), learned)
    return x.astype(learned.dtype) if x.dtype != learned.dtype else x


def check_device(name: str, verb: str, x: Array, learned: Array) -> None:
    """Raise InputError unless x, of any shape, is on the device of what was learned."""
    if backend_of(x) is not backend_of(learned):
        raise InputError(f"{name}.{verb}: x is on {backend_of(x).name!r}, what was learned on "
                         f"{backend_of(learned).name!r}; bring x there with Device(...).put(x)")


def check_finite(name: str, verb: str, found: Any) -> None:
    """Raise InputError for a code that is not finite: neither was x, or its squares were not."""
    found = array_of(found)
    if not backend_of(found).xp.isfinite(found).all():
        raise InputError(f"{name}.{verb}: x holds values that are not finite, or so large that their squares are not; "
                         "replace or drop them")


def projected(name: str, x: Any, mean: Array, axes: Array) -> Any:
    """(x - mean) @ axes: rows x (N, d), mean (d,), axes (d, k) -> (N, k). Raises InputError unless it is finite."""
    x = rows_that_meet(name, "encode", x, len(mean), mean)
    with np.errstate(invalid="ignore", over="ignore"):        # some processors' products warn; the sentence says it
        z = (x - mean) @ axes
    check_finite(name, "encode", z)
    return z


def check_fitted(model: Any, learned: str) -> None:
    """Raise InputError unless the model has the attribute that `fit` gives it."""
    if not hasattr(model, learned):
        raise InputError(f"this {type(model).__name__} has learned nothing yet; call fit(x) first")


def check_count(name: str, what: str, value: Any, least: int = 1) -> int:
    """The value as an int. Raises InputError unless it is a whole number of at least `least`."""
    if not is_whole(value, least):
        raise InputError(f"{name}: {what} is a whole number of at least {least}, not {value!r:.60}")
    return int(value)


def check_amount(name: str, what: str, value: Any, positive: bool = False) -> float:
    """The value as a float. Raises InputError unless it is a finite number of at least 0, or above 0."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not 0.0 <= value < np.inf or positive and value == 0:
        raise InputError(f"{name}: {what} is a finite number {'above 0' if positive else 'of at least 0'}, "
                         f"not {value!r}")
    return float(value)


def check_choice(name: str, what: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise InputError unless the value is one of these strings or truth values."""
    if not isinstance(value, type(choices[0])) or value not in choices:
        raise InputError(f"{name}: {what} is {' or '.join(map(repr, choices))}, not {value!r:.60}")


def check_text(name: str, what: str, value: Any) -> None:
    """Raise InputError unless the value is a string."""
    if not isinstance(value, str):
        raise InputError(f"{name}: {what} is a text, not {value!r:.60}")


def slices(n: int, size: int) -> Iterator[slice]:
    """0 .. n in parts of `size`, the last of which may be smaller."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def blocks(x: Array, rows: int = BLOCK) -> Iterator[Array]:
    """x, so many rows at a time; one block at least, so that results of none have their shape."""
    return (x[part] for part in slices(max(len(x), 1), rows))


def mean_row(xp: Any, x: Array) -> Array:
    """The mean row: (N, d) -> (d,).

    A product with ones is the fastest sum of rows; sums of blocks are added in float64, for float32 has lost the digits
    of a small deviation after some thousand large values.
    """
    ones, total = xp.ones(BLOCK, x.dtype), xp.zeros(x.shape[1], np.float64)
    for block in blocks(x):
        total += ones[:len(block)] @ block
    return (total / len(x)).astype(x.dtype)


def square(mean: Array) -> float:
    """|mean|^2 of a row (d,), where float32 might overflow."""
    return float((mean.astype(np.float64)**2).sum())


def dwarfs(mean: Array, variance: float) -> bool:
    """Whether |x|^2 is mostly the mean's, (d,): then differences of such squares are rounding; rows must be centred."""
    return square(mean) > 9 * variance
