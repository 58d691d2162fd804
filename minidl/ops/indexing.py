"""Reading and writing by index: NumPy's basic and advanced indexing and what is built on it.

Indices are validated by NumPy on the CPU. On a GPU an index out of range wraps silently, so labels and tokens are
checked on the host before they travel (`data.Loader`, `one_hot`).
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.ops.operands import index_array, operand
from minidl.rows import array_of, check_count
from minidl.tensor import Tensor, primitive


def getitem(x: Any, key: Any) -> Tensor:
    """x[key], for slices, integers, None, Ellipsis, index arrays and boolean masks; shapes are NumPy's.

    Raises InputError for an index out of range, if it is on the host.
    """
    x = operand(x)
    return _getitem(x, _plain_key(key, x))


def _plain_key(key: Any, x: Any) -> Any:
    """The key with arrays of x's device in it, for Tensors and lists."""
    if isinstance(key, tuple):
        return tuple(_plain_key(part, x) for part in key)
    if isinstance(key, Tensor):
        key = key.data
    elif isinstance(key, list):
        key = index_array("getitem", key)
    if isinstance(key, np.ndarray) and key.ndim:
        key = backend_of(array_of(x)).from_host(key)
    return key


def _is_basic(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return all(part is None or part is Ellipsis or isinstance(part, int | slice | np.integer) for part in parts)


def _add_into(buffer: Array, g: Array, x: Array, key: Any) -> None:
    if _is_basic(key):
        buffer[key] += g
    else:
        backend_of(buffer).scatter_add(buffer, key, g)


@primitive(lambda g, y, x, key: _scattered(g, x.shape, key), into=_add_into)
def _getitem(xp: Any, x: Any, key: Any) -> Array:
    return x[key]


@primitive(lambda g, y, values, shape, key: _getitem(g, key))
def _scattered(xp: Any, values: Any, shape: tuple[int, ...], key: Any) -> Array:
    """Zeros of the given shape, with the values added at the key: the transpose of indexing."""
    buffer = xp.zeros(shape, dtype=values.dtype)
    _add_into(buffer, values, buffer, key)
    return buffer


@primitive(lambda g, y, x, key, values: g, None, lambda g, y, x, key, values: _getitem(g, key))
def _scatter_add(xp: Any, x: Any, key: Any, values: Any) -> Array:
    y = x.copy()
    _add_into(y, xp.broadcast_to(values, y[key].shape), y, key)
    return y


def scatter_add(x: Any, key: Any, values: Any) -> Tensor:
    """A copy of x with `values`, which broadcast to its shape, added at `x[key]`; an index there twice is added twice.

    On a GPU the order of additions with duplicate indices is not reproducible, so the last bit may differ.
    """
    x = operand(x)
    return _scatter_add(x, _plain_key(key, x), operand(values))


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The elements at the indices along an axis, or of the flattened array.

    x (..., n, ...) and indices (k) -> (..., k, ...). Raises InputError for an axis that x lacks.
    """
    x = operand(x)
    if isinstance(indices, tuple | list):          # as a key, a tuple would be an index for each axis
        indices = index_array("take", indices)
    if not (isinstance(indices, int) or getattr(getattr(indices, "dtype", None), "kind", None) in ("i", "u")):
        raise InputError(f"take: indices are whole numbers, not {getattr(indices, 'dtype', type(indices).__name__)}; "
                         "x[mask] takes what a mask selects")
    if axis is None:
        return getitem(x.reshape(-1), indices)
    check_axis("take", x, axis)
    return getitem(x, (slice(None),) * (axis % x.ndim) + (indices,))


def check_axis(name: str, x: Any, axis: Any) -> None:
    """Raise InputError unless x, of any shape, has that axis."""
    if not isinstance(axis, int | np.integer) or not -x.ndim <= axis < x.ndim:
        raise InputError(f"{name}: there is no axis {axis!r:.60} in an array of {x.ndim} axes")


def gather(x: Any, indices: Any, axis: int) -> Tensor:
    """Along an axis, pick for each place of `indices` the element that it names (NumPy's `take_along_axis`).

    `indices` has x's number of axes; the others than `axis` have x's sizes, or 1. The result has x's shape, with the
    size of `indices` along `axis`. Raises InputError for another number of axes, and an axis that x lacks.
    """
    x, raw = operand(x), index_array("gather", array_of(indices))
    if getattr(getattr(raw, "dtype", None), "kind", None) not in ("i", "u"):
        raise InputError("gather: indices are arrays of whole numbers, not "
                         f"{getattr(raw, 'dtype', type(raw).__name__)}")
    if raw.ndim != x.ndim:
        raise InputError(f"gather: the indices have {raw.ndim} axes, the array {x.ndim}; they must be equal")
    xp = backend_of(array_of(x)).xp
    check_axis("gather", x, axis)
    axis %= x.ndim
    key: list[Any] = []
    for i, n in enumerate(x.shape):
        along = (1,) * i + (-1,) + (1,) * (x.ndim - i - 1)
        key.append(raw if i == axis else xp.arange(n).reshape(along))
    return getitem(x, tuple(key))


def one_hot(labels: Any, num_classes: int, dtype: Any = np.float32) -> Tensor:
    """Labels (...) as rows (..., num_classes) with a single 1.

    Raises InputError for labels that are no integers or out of range, if they are on the host.
    """
    raw = array_of(index_array("one_hot", labels))
    num_classes = check_count("one_hot", "the number of classes", num_classes)
    backend = backend_of(raw)
    if backend.name == "cpu":
        check_labels(raw, num_classes)
        raw = np.asarray(raw)
    hot = raw[..., None] == backend.xp.arange(num_classes)
    return Tensor(hot.astype(dtype))


def check_labels(labels: Any, num_classes: int) -> None:
    """Raise InputError unless all labels, on the host, are integers in [0, num_classes)."""
    labels = np.asarray(index_array("labels", labels))
    num_classes = check_count("labels", "the number of classes", num_classes)
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels are integers from 0 to {num_classes - 1}, not {labels.dtype}; use .astype('int64')")
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wrong):
        raise InputError(f"labels are integers from 0 to {num_classes - 1}; the one at index {wrong[0]} is "
                         f"{labels.reshape(-1)[wrong[0]]}")
