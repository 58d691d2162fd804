"""Parts of matrices: triangles and diagonals."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.errors import InputError
from minidl.ops.indexing import getitem
from minidl.ops.operands import operand
from minidl.ops.reduction import sum
from minidl.ops.shape import axes_of, moveaxis
from minidl.tensor import Tensor, primitive


@primitive(lambda g, y, x, k=0: tril(g, k))
def tril(xp: Any, x: Any, k: int = 0) -> Array:
    """The lower triangles of matrices (..., n, m), up to the k-th diagonal, and zeros above.

    Raises InputError for a k that is no whole number.
    """
    return xp.tril(x, _checked("tril: k", k))


@primitive(lambda g, y, x, k=0: triu(g, k))
def triu(xp: Any, x: Any, k: int = 0) -> Array:
    """The upper triangles of matrices (..., n, m), from the k-th diagonal on, and zeros below.

    Raises InputError for a k that is no whole number.
    """
    return xp.triu(x, _checked("triu: k", k))


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal of the matrices that lie in two axes, as the last axis: (n, m, ...) -> (..., min(n, m)).

    `offset` counts the diagonals to the right of the main one, negative ones to the left. Raises InputError
    for axes that x lacks, and for twice the same.
    """
    x = operand(x)
    first, second = axes_of((axis1, axis2), x.ndim)
    offset = _checked("diagonal: offset", offset)
    rows = np.arange(max(0, -offset), min(x.shape[first], x.shape[second] - offset))
    return getitem(moveaxis(x, (first, second), (-2, -1)), (..., rows, rows + offset))


def diag(x: Any, k: int = 0) -> Tensor:
    """Of a vector (n,) the matrix (n + |k|, n + |k|) with it on the k-th diagonal, of a matrix its k-th diagonal.

    Raises InputError for another number of axes, and a k that is no whole number.
    """
    x = operand(x)
    if x.ndim not in (1, 2):
        raise InputError(f"diag: x has shape {x.shape}; a vector or a matrix will do, and md.diagonal takes the last "
                         "diagonals of more axes by axis1=-2, axis2=-1")
    k = _checked("diag: k", k)
    return diagonal(x, k) if x.ndim == 2 else _diag(x, k)


@primitive(lambda g, y, x, k: diagonal(g, k))
def _diag(xp: Any, x: Any, k: int) -> Array:
    return xp.diag(x, k)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of the diagonal of the matrices that lie in two axes: (n, m, ...) -> (...).

    Errors are those of `diagonal`.
    """
    return sum(diagonal(x, offset, axis1, axis2), -1)


def _checked(what: str, k: Any) -> int:
    """Which diagonal, counted to the right of the main one."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise InputError(f"{what} is a whole number, not {k!r:.60}")
    return int(k)
