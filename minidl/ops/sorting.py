"""Sorting, always stable: equal elements keep their order, and so each has its own gradient; NaN comes last."""
from __future__ import annotations

from typing import Any

from minidl.backend import Array
from minidl.errors import InputError
from minidl.ops.operands import operand
from minidl.ops.shape import ravel
from minidl.tensor import Tensor, primitive


def sort(x: Any, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Tensor:
    """x sorted along an axis, in its shape, or flattened for None, (size,).

    The gradient goes to where each element came from. `kind` and `stable` are NumPy's and change nothing: the order is
    always the stable one. Raises InputError for an axis that x lacks.
    """
    x = operand(x)
    if axis is None:
        return sort(ravel(x), 0)
    return _arranged(x, _argsort(x, axis), axis)


def argsort(x: Any, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Tensor:
    """The indices that sort x along an axis, in x's shape, or the flattened x for None, as `sort` does.

    Errors are those of `sort`.
    """
    return _argsort(ravel(x), 0) if axis is None else _argsort(x, axis)


@primitive()
def _argsort(xp: Any, x: Any, axis: int) -> Array:
    if not -x.ndim <= axis < x.ndim:
        raise InputError(f"sort: there is no axis {axis} in an array of {x.ndim} axes")
    return xp.argsort(x, axis=axis, kind="stable")


@primitive(lambda g, y, x, order, axis: _arranged(g, _argsort(order, axis), axis))
def _arranged(xp: Any, x: Any, order: Any, axis: int) -> Array:
    """x in another order along an axis; the order's own argsort is the way back, so nothing is added up."""
    return xp.take_along_axis(x, order, axis)
