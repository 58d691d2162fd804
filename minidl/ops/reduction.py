"""Reductions, with NumPy's `axis` and `keepdims`."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.errors import InputError
from minidl.kernels import fused
from minidl.ops.arithmetic import astype, exp, where
from minidl.ops.indexing import check_axis
from minidl.ops.operands import computed_wide, operand
from minidl.ops.shape import axes_of, concatenate, flip, reshape
from minidl.tensor import Tensor, broadcast_to, primitive

Axis = int | tuple[int, ...] | None


def _kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The shape that `keepdims=True` would have given."""
    reduced = axes_of(axis, len(shape))
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def _spread(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """A reduction's gradient or result `g`, with x's number of axes again, so that it broadcasts against x."""
    return g if keepdims or not x.ndim else reshape(g, _kept(x.shape, axis))


def _sum_rule(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return broadcast_to(_spread(g, x, axis, keepdims), x.shape)


@primitive(_sum_rule)
def sum(xp: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The sum over the axes, all of them for None: (...) -> x's shape without them, or with ones for `keepdims`."""
    return x.sum(axis=axis, keepdims=keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over the axes; shapes as for `sum`. Raises InputError where there is nothing to reduce."""
    x = operand(x)
    if x.dtype.char == "e":
        return _wide_mean(x, axis, keepdims)
    return sum(x, axis, keepdims) * (1.0 / count(x, axis))


@computed_wide
def _wide_mean(x: Any, axis: Axis, keepdims: bool) -> Tensor:
    return mean(x, axis, keepdims)


def count(x: Any, axis: Axis) -> int:
    """How many elements are reduced to one. Raises InputError if there is none."""
    reduced = math.prod(x.shape[i] for i in axes_of(axis, x.ndim))
    if not reduced:
        raise InputError(f"there is nothing to reduce in an array of shape {x.shape} along axis {axis}")
    return reduced


def _centred(x: Any, axis: Axis) -> Any:
    return x - mean(x, axis, True)


@computed_wide
def var(x: Any, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance over the axes, with divisor n - ddof (PyTorch's default is ddof=1, NumPy's and ours 0).

    Shapes as for `sum`. Raises InputError unless there are more than ddof elements.
    """
    centred = _centred(x, axis)
    return sum(centred * centred, axis, keepdims) * (1.0 / _freedom(x, axis, ddof))


@computed_wide
def std(x: Any, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation over the axes, with divisor n - ddof; where it is 0, so is its gradient.

    Shapes as for `sum`. Raises InputError unless there are more than ddof elements.
    """
    return norm(_centred(x, axis), axis=axis, keepdims=keepdims) * _freedom(x, axis, ddof) ** -0.5


def _freedom(x: Any, axis: Axis, ddof: int) -> int:
    values = count(x, axis)
    if values <= ddof:
        raise InputError(f"the variance of {values} values with ddof={ddof} is not defined")
    return values - ddof


def _extremum_rule(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return _spread(g, x, axis, keepdims) * _ties(x, _spread(y, x, axis, keepdims), axis)


@primitive(_extremum_rule)
def max(xp: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element over the axes; where several are, they share the gradient. Shapes as for `sum`."""
    return x.max(axis=axis, keepdims=keepdims)


@primitive(_extremum_rule)
def min(xp: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element over the axes; where several are, they share the gradient. Shapes as for `sum`."""
    return x.min(axis=axis, keepdims=keepdims)


@primitive()
def _ties(xp: Any, x: Any, y: Any, axis: Axis) -> Array:
    """Each element's share in the extremum y: 1 / (number of ties) or 0."""
    share = (x == y).astype(x.dtype)
    share /= share.sum(axis=axis, keepdims=True)
    return share


@primitive()
def argmax(xp: Any, x: Any, axis: int | None = None) -> Array:
    """The index of the (first) largest element along an axis; of the flattened array for None."""
    return x.argmax(axis=axis)


@primitive()
def argmin(xp: Any, x: Any, axis: int | None = None) -> Array:
    """The index of the (first) smallest element along an axis; of the flattened array for None."""
    return x.argmin(axis=axis)


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product over the axes; right to every order also where factors are 0.

    It multiplies the two halves of the axis with each other until one is left: dividing the product by a factor, the
    usual rule, fails at zeros. Whole numbers are multiplied in 64 bits, as NumPy does it. Shapes as for `sum`. Raises
    InputError where there is nothing to reduce.
    """
    x = operand(x)
    if x.dtype.kind in "iub" and x.dtype.itemsize < 8:
        x = astype(x, "uint64" if x.dtype.kind == "u" else "int64")
    count(x, axis)                         # refuses an empty product
    axes, y = axes_of(axis, x.ndim), x
    for i in axes:
        y = _halved(y, i)
    return reshape(y, tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes))


def _halved(y: Any, axis: int) -> Any:
    def part(start: int, stop: int) -> Any:
        return y[(slice(None),) * axis + (slice(start, stop),)]

    while (n := y.shape[axis]) > 1:
        half = n // 2
        pairs = part(0, half) * part(half, 2 * half)
        y = pairs if n % 2 == 0 else concatenate([pairs, part(n - 1, n)], axis)     # the odd one out waits a round
    return y


def cumsum(x: Any, axis: int | None = None) -> Tensor:
    """The running sum along an axis, in the same shape; of the flattened array for None."""
    x = operand(x)
    return _cumsum(reshape(x, (-1,)), 0) if axis is None else _cumsum(x, axis)


@primitive(lambda g, y, x, axis: flip(_cumsum(flip(g, axis), axis), axis))
def _cumsum(xp: Any, x: Any, axis: int) -> Array:
    return x.cumsum(axis=axis)


def cumprod(x: Any, axis: int | None = None) -> Tensor:
    """The running product along an axis, in x's shape; of the flattened array for None, (...) -> (size,).

    Its derivatives are right to every order also where x is 0: each round multiplies by the products of as many
    elements before, twice as many in the next, and nothing is divided. Raises InputError for an axis that x lacks.
    """
    x = operand(x)
    if axis is None:
        return cumprod(reshape(x, (math.prod(x.shape),)), 0)
    check_axis("cumprod", x, axis)
    axis %= x.ndim
    if x.dtype.kind != "f":
        x = astype(x, np.zeros(0, x.dtype).cumprod().dtype)           # as NumPy: small integers would wrap
    before, reach = (slice(None),) * axis, 1
    while reach < x.shape[axis]:
        products = x[(*before, slice(reach, None))] * x[(*before, slice(None, -reach))]
        x = concatenate([x[(*before, slice(reach))], products], axis)
        reach *= 2
    return x


def _logsumexp_rule(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    y = _spread(y, x, axis, keepdims)
    return _spread(g, x, axis, keepdims) * exp(x - where(y == -math.inf, 0.0, y))      # all -inf: shares of 0, not NaN


@primitive(_logsumexp_rule, floats=True)
def logsumexp(xp: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """log(sum(exp(x))) over the axes, without overflow; shapes as for `sum`."""
    largest = x.max(axis=axis, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))     # all -inf gives -inf, not NaN
    total = xp.exp(x - largest).sum(axis=axis, keepdims=True)
    y = xp.where(total == 0, -xp.inf, xp.log(xp.maximum(total, 1.0)) + largest)     # unless all are -inf, total >= 1
    return y if keepdims else y.squeeze(axis)


def _norm_rule(g: Any, y: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    y, g = _spread(y, x, axis, keepdims), _spread(g, x, axis, keepdims)
    return g / where(y == 0, 1.0, y) * x


@primitive(_norm_rule, floats=True)
def norm(xp: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The Euclidean norm over the axes; at 0 its gradient is 0, not NaN. Shapes as for `sum`.

    Where the squares overflow, or vanish, they are those of x times a power of two, which changes no digit.
    """
    if x.dtype.itemsize == 2:                      # float16: also a sum of small squares is soon too large
        return norm.forward(xp, x.astype(np.float32), axis, keepdims).astype(x.dtype)
    with np.errstate(over="ignore"):
        if xp is np:                               # a device is not asked, that would wait for it
            y = np.sqrt((x * x).sum(axis=axis, keepdims=keepdims))
            low, high = (y.item(y.argmin()), y.item(y.argmax())) if y.size > 1 else (y, y)
            if not x.size or low > _LEAST[x.dtype.char] and high < math.inf:
                return y
        largest = xp.abs(x).max(axis=axis, keepdims=True)
        y = _scaled_back(xp, xp.sqrt(_scaled_squares(xp, x, largest).sum(axis=axis, keepdims=True)), largest)
    return y if keepdims else y.squeeze(axis)


# Below, a sum of squares has lost digits to the smallest number that there is.
_LEAST = {c: math.sqrt(np.finfo(c).tiny / np.finfo(c).eps) for c in "fdg"}


@fused("T x, T largest", "T squares", "int e; frexp(largest, &e); squares = ldexp(x, -e); squares *= squares")
def _scaled_squares(xp: Any, x: Array, largest: Array) -> Array:
    """The squares of x / 2^e, of which `largest` lies in [0.5, 1)."""
    return xp.square(xp.ldexp(x, -xp.frexp(largest)[1]))


@fused("T y, T largest", "T x", "int e; frexp(largest, &e); x = ldexp(y, e)")
def _scaled_back(xp: Any, y: Array, largest: Array) -> Array:
    return xp.ldexp(y, xp.frexp(largest)[1])
