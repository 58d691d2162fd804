"""Masks: truth values, what combines them and what sums them up. All results are constants, without a gradient."""
from __future__ import annotations

from typing import Any

from minidl.backend import Array
from minidl.errors import InputError
from minidl.tensor import primitive

Axis = int | tuple[int, ...] | None


@primitive()
def isfinite(xp: Any, x: Any) -> Array:
    """Where x is neither NaN nor infinite, elementwise."""
    return xp.isfinite(x)


@primitive()
def isnan(xp: Any, x: Any) -> Array:
    """Where x is NaN, elementwise."""
    return xp.isnan(x)


@primitive()
def any(xp: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether an element over the axes is true, that is not 0; shapes as for `sum`."""
    return xp.any(x, axis=axis, keepdims=keepdims)


@primitive()
def all(xp: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether every element over the axes is true, that is not 0; shapes as for `sum`."""
    return xp.all(x, axis=axis, keepdims=keepdims)


@primitive()
def logical_and(xp: Any, a: Any, b: Any) -> Array:
    """Where a and b are both not 0, elementwise."""
    return xp.logical_and(a, b)


@primitive()
def logical_or(xp: Any, a: Any, b: Any) -> Array:
    """Where a or b or both are not 0, elementwise."""
    return xp.logical_or(a, b)


@primitive()
def logical_xor(xp: Any, a: Any, b: Any) -> Array:
    """Where either a or b, but not both, is not 0, elementwise."""
    return xp.logical_xor(a, b)


@primitive()
def logical_not(xp: Any, x: Any) -> Array:
    """Where x is 0, elementwise."""
    return xp.logical_not(x)


@primitive()
def bitwise_and(xp: Any, a: Any, b: Any) -> Array:
    """a & b, elementwise, for masks and integers. Raises InputError for numbers with a point."""
    return xp.bitwise_and(*_bits("&", a, b))


@primitive()
def bitwise_or(xp: Any, a: Any, b: Any) -> Array:
    """a | b, elementwise, for masks and integers. Raises InputError for numbers with a point."""
    return xp.bitwise_or(*_bits("|", a, b))


@primitive()
def bitwise_xor(xp: Any, a: Any, b: Any) -> Array:
    """a ^ b, elementwise, for masks and integers. Raises InputError for numbers with a point."""
    return xp.bitwise_xor(*_bits("^", a, b))


@primitive()
def invert(xp: Any, x: Any) -> Array:
    """~x, elementwise, for masks and integers. Raises InputError for numbers with a point."""
    return xp.invert(*_bits("~", x))


def _bits(operator: str, *operands: Any) -> tuple[Any, ...]:
    for a in operands:
        kind = a.dtype if hasattr(a, "dtype") else type(a).__name__
        if kind == "float" or getattr(kind, "kind", "") == "f":
            raise InputError(f"{operator} combines masks and integers, not {kind}; compare first, with parentheses: "
                             "(x > 0) & (x < 1)")
    return operands
