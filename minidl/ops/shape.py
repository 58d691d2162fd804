"""Operations that move elements without changing them."""
from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.arguments import is_number
from minidl.backend import Array
from minidl.errors import InputError
from minidl.ops.indexing import check_axis, getitem, take
from minidl.ops.operands import operand, several, whole_numbers
from minidl.tensor import Tensor, broadcast_to, primitive


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that are meant, as numbers from 0, all of them for None. Raises InputError for one that is not there."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return axis % ndim,
    given = axis if isinstance(axis, tuple | list) else (axis,)
    for a in given:
        if not isinstance(a, int | np.integer):
            raise InputError(f"an axis is a whole number, not {a!r:.60}")
        if not -ndim <= a < ndim:
            raise InputError(f"there is no axis {a} in an array of {ndim} axes")
    axes = tuple(operator.index(a) % ndim for a in given)
    if len(set(axes)) < len(axes):
        raise InputError(f"the axes {given} name one axis of {ndim} twice")
    return axes


@primitive(lambda g, y, x, shape: reshape(g, x.shape))
def reshape(xp: Any, x: Any, shape: int | Sequence[int]) -> Array:
    """x with another shape and the same elements in row-major order; one size may be -1.

    Raises InputError for a shape of another number of elements.
    """
    return x.reshape(shape)


def _transpose_rule(g: Any, y: Any, x: Any, axes: Sequence[int] | None = None) -> Any:
    if axes is None:
        return transpose(g)
    axes = [a % len(axes) for a in axes]
    return transpose(g, tuple(axes.index(i) for i in range(len(axes))))


@primitive(_transpose_rule)
def transpose(xp: Any, x: Any, axes: Sequence[int] | None = None) -> Array:
    """x with its axes in another order, by default reversed: (a, b, c) -> (c, b, a)."""
    return x.transpose() if axes is None else x.transpose(*axes)


@primitive(lambda g, y, x, axis1, axis2: swapaxes(g, axis1, axis2))
def swapaxes(xp: Any, x: Any, axis1: int, axis2: int) -> Array:
    """x with two axes exchanged: (..., a, ..., b, ...) -> (..., b, ..., a, ...)."""
    return x.swapaxes(axis1, axis2)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """x with the axes `source` at the places `destination` of the new shape, and the others in their order.

    Raises InputError for axes that x lacks, or that are given twice, and for unequal numbers of the two.
    """
    x = operand(x)
    old, new = axes_of(source, x.ndim), axes_of(destination, x.ndim)
    if len(old) != len(new):
        raise InputError(f"moveaxis: from {source} to {destination}: name a place for each axis")
    others = iter(i for i in range(x.ndim) if i not in old)
    return transpose(x, tuple(old[new.index(i)] if i in new else next(others) for i in range(x.ndim)))


def ravel(x: Any) -> Tensor:
    """x as one axis, in row-major order: (...) -> (size,)."""
    x = operand(x)
    return reshape(x, (math.prod(x.shape),))


def expand_dims(x: Any, axis: int | tuple[int, ...]) -> Tensor:
    """x with a new axis of size one at each given place of the new shape."""
    x = operand(x)
    ndim = x.ndim + (len(axis) if isinstance(axis, tuple | list) else 1)
    new = axes_of(axis, ndim)
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if i in new else next(sizes) for i in range(ndim)))


def squeeze(x: Any, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """x without its axes of size one, or without the given ones: (a, 1, b) -> (a, b).

    Raises InputError for a given axis of another size.
    """
    x = operand(x)
    if axis is None:
        return reshape(x, tuple(n for n in x.shape if n != 1))
    gone = axes_of(axis, x.ndim)
    for a in gone:
        if x.shape[a] != 1:
            raise InputError(f"squeeze: axis {a} of shape {x.shape} has size {x.shape[a]}, not 1")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in gone))


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """The arrays one after the other along an axis that they have.

    (..., n, ...) and (..., m, ...) -> (..., n + m, ...). Raises InputError for shapes that differ elsewhere, and
    without an axis.
    """
    if axis is None:
        raise InputError("concatenate: an axis is needed; flatten the arrays first to join them all")
    return _concatenate(*several("concatenate", arrays), axis=axis)


def _concatenate_rule(g: Any, y: Any, wanted: list[int], *arrays: Any, axis: int) -> list[Any]:
    axis %= y.ndim
    gradients, start = [], 0
    for x in arrays:
        stop = start + x.shape[axis]
        gradients.append(g[(slice(None),) * axis + (slice(start, stop),)])
        start = stop
    return gradients


@primitive(joint=_concatenate_rule)
def _concatenate(xp: Any, *arrays: Any, axis: int) -> Array:
    return xp.concatenate(arrays, axis=axis)


def vstack(tup: Sequence[Any]) -> Tensor:
    """The arrays below each other, (n, ...) and (m, ...) -> (n + m, ...); vectors as rows.

    Raises InputError for no arrays, and for shapes that differ elsewhere.
    """
    return concatenate([x if x.ndim > 1 else reshape(x, (1, math.prod(x.shape))) for x in several("vstack", tup)])


def hstack(tup: Sequence[Any]) -> Tensor:
    """The arrays beside each other, along the second axis, vectors along their only one: (n,) and (m,) -> (n + m,).

    Raises InputError for no arrays, and for shapes that differ elsewhere.
    """
    arrays = [x if x.ndim else reshape(x, (1,)) for x in several("hstack", tup)]
    return concatenate(arrays, 1 if arrays[0].ndim > 1 else 0)


def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """The k arrays (...) side by side along a new axis, by default the first: (k, ...).

    Raises InputError for shapes that differ.
    """
    return concatenate([expand_dims(x, axis) for x in several("stack", arrays)], axis)


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x cut into equal sections, or at the given indices along an axis; the parts' gradients share one buffer.

    k sections of (..., n, ...) are (..., n / k, ...). Raises InputError if the sections are not equal.
    """
    x = operand(x)
    check_axis("split", x, axis)
    axis %= x.ndim
    n = x.shape[axis]
    if isinstance(indices_or_sections, int | np.integer):
        if indices_or_sections < 1 or n % indices_or_sections:
            raise InputError(f"split: {n} elements along axis {axis} do not divide into {indices_or_sections} "
                             "equal sections; pass the indices to cut at")
        step = n // indices_or_sections
        cuts = [i * step for i in range(1, indices_or_sections)]
    else:
        cuts = whole_numbers("split: indices to cut at", indices_or_sections)
    before = (slice(None),) * axis
    return [getitem(x, (*before, slice(a, b))) for a, b in zip([0, *cuts], [*cuts, n], strict=True)]


def _pad_rule(g: Any, y: Any, x: Any, widths: Any, value: float) -> Any:
    return g[tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))]


@primitive(_pad_rule)
def _pad(xp: Any, x: Any, widths: tuple[tuple[int, int], ...], value: float) -> Array:
    return xp.pad(x, widths, mode="constant", constant_values=value)


_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0.0) -> Tensor:
    """x with a border: `pad_width` is a number, a (before, after) pair or a pair for each axis.

    (..., n, ...) -> (..., before + n + after, ...).
    The border is a constant, or comes from x: "edge" repeats the outermost elements, "reflect" mirrors x at them,
    "symmetric" mirrors it beyond them, "wrap" goes on at the other end, as `numpy.pad`. Raises InputError for widths
    that do not fit, for another mode, and for a border from an axis without elements.
    """
    x = operand(x)
    if not isinstance(mode, str) or mode not in _MODES:
        raise InputError(f"pad: mode is one of {', '.join(map(repr, _MODES))}, not {mode!r:.60}; a constant is given "
                         "by name, constant_values=1.0")
    if isinstance(pad_width, int | np.integer):
        pad_width = (pad_width, pad_width)
    if isinstance(pad_width, tuple | list) and pad_width and isinstance(pad_width[0], int | np.integer):
        pad_width = (tuple(pad_width),) * x.ndim
    if not isinstance(pad_width, tuple | list | np.ndarray):
        raise InputError(f"pad: pad_width is a number, a (before, after) pair or a pair for each axis, not "
                         f"{pad_width!r:.60}")
    pairs = [whole_numbers("pad: widths", pair) for pair in pad_width]
    if len(pairs) != x.ndim or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise InputError(f"pad: an array of shape {x.shape} needs {x.ndim} pairs of widths of 0 or more, not "
                         f"{pad_width}")
    widths = tuple((before, after) for before, after in pairs)
    if not is_number(constant_values):
        raise InputError(f"pad: constant_values is a number, not {constant_values!r:.60}")
    if mode == "constant":
        return _pad(x, widths, constant_values)
    if constant_values:
        raise InputError(f"pad: constant_values belong to mode='constant', not to {mode!r}")
    for axis, (before, after) in enumerate(widths):
        if before or after:
            x = _bordered(x, axis, before, after, mode)
    return x


def _bordered(x: Any, axis: int, before: int, after: int, mode: Any) -> Any:
    """x with a border from its own elements, in slices: their gradients, unlike those of indices, have an order."""
    if not x.shape[axis]:
        raise InputError(f"pad: mode {mode!r} takes the border from x, which has no elements along axis {axis}: "
                         f"its shape is {x.shape}")
    sources, parts, start = np.pad(np.arange(x.shape[axis]), (before, after), mode).tolist(), [], 0
    while start < len(sources):
        stop, step = start + 1, sources[start + 1] - sources[start] if start + 1 < len(sources) else 1
        while step in (1, -1) and stop < len(sources) and sources[stop] - sources[stop - 1] == step:
            stop += 1
        low, high = sorted((sources[start], sources[stop - 1]))
        part = getitem(x, (slice(None),) * axis + (slice(low, high + 1),))
        parts.append(part if step == 1 or stop == start + 1 else flip(part, axis))
        start = stop
    return concatenate(parts, axis)


@primitive(lambda g, y, x, axis=None: flip(g, axis))
def flip(xp: Any, x: Any, axis: int | tuple[int, ...] | None = None) -> Array:
    """x in reverse order along the axes, by default along all, in the same shape."""
    return xp.flip(x, axis)


def _roll_rule(g: Any, y: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    return roll(g, -shift if isinstance(shift, int) else tuple(-s for s in shift), axis)


@primitive(_roll_rule)
def roll(xp: Any, x: Any, shift: int | tuple[int, ...], axis: int | tuple[int, ...] | None = None) -> Array:
    """x shifted along the axes, in the same shape; what leaves at one end comes in at the other."""
    return xp.roll(x, tuple(whole_numbers("roll: shifts", shift)) if not isinstance(shift, int) else shift, axis)


def tile(x: Any, reps: int | Sequence[int]) -> Tensor:
    """x repeated as a whole, `reps[i]` times along axis i: (n, m) -> (reps[0] n, reps[1] m)."""
    x = operand(x)
    given = tuple(whole_numbers("tile: repetitions", reps))
    ndim = max(x.ndim, len(given))
    sizes = (1,) * (ndim - x.ndim) + tuple(x.shape)
    times = (1,) * (ndim - len(given)) + given
    paired = reshape(x, tuple(n for size in sizes for n in (1, size)))
    copies = broadcast_to(paired, tuple(n for pair in zip(times, sizes, strict=True) for n in pair))
    return reshape(copies, tuple(r * n for r, n in zip(times, sizes, strict=True)))


def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Each element repeated in its place along an axis (of the flattened array for None).

    (..., n, ...) -> (..., repeats n, ...). Raises InputError for another number of counts than elements.
    """
    x = operand(x)
    if axis is None:
        return repeat(reshape(x, (math.prod(x.shape),)), repeats, 0)
    axis, = axes_of(axis, x.ndim)
    counts = whole_numbers("repeat: counts", repeats)
    if any(count < 0 for count in counts):
        raise InputError(f"repeat: counts are 0 or more, not {repeats!r:.60}")
    if not isinstance(repeats, int | np.integer):
        repeats = counts
        if len(repeats) != x.shape[axis]:
            raise InputError(f"repeat: {len(repeats)} counts for {x.shape[axis]} elements along axis {axis}")
        return take(x, [i for i, count in enumerate(repeats) for _ in range(count)], axis)
    wide = broadcast_to(expand_dims(x, axis + 1), (*x.shape[:axis + 1], repeats, *x.shape[axis + 1:]))
    return reshape(wide, (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1:]))
