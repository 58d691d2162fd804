"""Statistics of channels, the last axis, and what normalisation does with them.

`moments`, `scale_shift` and `_channel_dot` are a closed set of primitives: the gradient rule of each is made of the
others, so every order of derivative is right. `batch_norm` is the composition of the first two, with the gradients of
both in one pass.

On the CPU all work on blocks of rows that stay in a cache, with the channels' numbers copied into every row of a block:
an operation on two arrays of one shape is twice as fast as one that broadcasts a row. Sums are products with ones.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.errors import InputError
from minidl.kernels import fused
from minidl.ops.arithmetic import astype, sqrt
from minidl.ops.operands import floating, operand
from minidl.rows import array_of, slices
from minidl.tensor import Tensor, primitive, sum_to

_BLOCK = 65536         # elements: small enough to stay in a cache, large enough that the calls cost little


def _rows(x: Array) -> Array:
    """x (..., C) as rows (n, C)."""
    return x.reshape(-1, x.shape[-1])


def _blocks(xp: Any, rows: Array) -> tuple[int, Iterator[slice]]:
    """How many rows make a block, and the blocks' slices; on a GPU one block is all."""
    n, channels = rows.shape
    size = max(1, min(n, _BLOCK // channels if xp is np else n))
    return size, slices(n, size)


def _in_each_row(xp: Any, v: Array | None, rows: int) -> Any:
    """v (C) as an array of so many equal rows; on a GPU, which broadcasts at no cost, as one row."""
    if v is None or xp is not np:
        return None if v is None else v[None]
    copies = np.empty((rows, len(v)), dtype=v.dtype)
    copies[...] = v
    return copies


# The closed set -----------------------------------------------------------------------------------------------------


def _moments_rule(g: Any, y: Any, x: Any) -> Any:
    n = x.size // x.shape[-1]
    slope = g[1] * (2.0 / n)
    return scale_shift(x, slope, g[0] * (1.0 / n) - slope * y[0])     # g_mean / n + g_variance * 2 / n * (x - mean)


@primitive(_moments_rule, floats=True)
def moments(xp: Any, x: Any) -> Array:
    """Mean and variance (with divisor n) over all axes but the last: x (..., C) -> (2, C).

    It squares deviations, not values, and so keeps its digits where the mean is far larger than the deviation. Raises
    InputError for an x without elements.
    """
    if x.dtype.itemsize == 2:                             # float16 has no sum of many values, nor a square of 256
        return moments.forward(xp, x.astype(np.float32)).astype(x.dtype)
    if not x.size or not x.ndim:
        raise InputError(f"moments: there is nothing to average in an array of shape {x.shape}")
    rows = _rows(x)
    n = len(rows)
    mean = xp.ones(n, dtype=x.dtype) @ rows / n
    size, blocks = _blocks(xp, rows)
    means, ones = _in_each_row(xp, mean, size), xp.ones(size, dtype=x.dtype)
    variance = xp.zeros_like(mean)
    for block in blocks:
        squares = _squared_deviations(rows[block], means[:block.stop - block.start])
        variance += ones[:len(squares)] @ squares
    variance /= n
    return xp.stack([mean, variance])


@fused("T x, T mean", "T squares", "squares = (x - mean) * (x - mean)")
def _squared_deviations(x: Array, mean: Array) -> Array:
    squares = x - mean
    squares *= squares
    return squares


@primitive(lambda g, y, x, scale, shift=None, z=None, z_scale=None: scale_shift(g, scale),
           lambda g, y, x, scale, shift=None, z=None, z_scale=None: _channel_dot(g, x),
           lambda g, y, x, scale, shift=None, z=None, z_scale=None: g,
           lambda g, y, x, scale, shift=None, z=None, z_scale=None: scale_shift(g, z_scale),
           lambda g, y, x, scale, shift=None, z=None, z_scale=None: _channel_dot(g, z), floats=True)
def scale_shift(xp: Any, x: Any, scale: Any, shift: Any = None, z: Any = None, z_scale: Any = None) -> Array:
    """x * scale + shift, and + z * z_scale if there is a z: x and z (..., C), scales and shift (C) -> (..., C).

    Raises InputError for scales and a shift of another shape.
    """
    for v in (scale, shift, z_scale):
        if v is not None and getattr(v, "shape", ()) != x.shape[-1:]:
            raise InputError(f"scale_shift: x of shape {x.shape} takes scale and shift of shape {x.shape[-1:]}, not "
                             f"{getattr(v, 'shape', v)}")
    if xp is not np:
        return _sum_of_products(x, scale, *(0.0 if v is None else v for v in (shift, z, z_scale)))
    y = xp.empty(x.shape, dtype=x.dtype)
    rows, out = _rows(x), _rows(y)
    size, blocks = _blocks(xp, rows)
    scales, shifts, z_scales = (_in_each_row(xp, v, size) for v in (scale, shift, z_scale))
    for block in blocks:
        part, n = out[block], block.stop - block.start
        np.multiply(rows[block], scales[:n], out=part)
        if shifts is not None:
            part += shifts[:n]
        if z is not None:
            part += _rows(z)[block] * z_scales[:n]
    return y


@fused("T x, T scale, T shift, T z, T z_scale", "T y", "y = x * scale + shift + z * z_scale")
def _sum_of_products(x: Array, scale: Array, shift: Any, z: Any, z_scale: Any) -> Array:
    return x * scale + shift + z * z_scale


@primitive(lambda g, y, a, b: scale_shift(b, g), lambda g, y, a, b: scale_shift(a, g))
def _channel_dot(xp: Any, a: Any, b: Any) -> Array:
    """The sum of a * b over all axes but the last: both (..., C) -> (C)."""
    a, b = _rows(a), _rows(b)
    size, blocks = _blocks(xp, a)
    ones = xp.ones(size, dtype=a.dtype)
    total = xp.zeros(a.shape[1:], dtype=a.dtype)
    for block in blocks:
        products = a[block] * b[block]
        total += ones[:len(products)] @ products
    return total


# Batch normalisation ------------------------------------------------------------------------------------------------


def standardize(x: Any, mean: Any, variance: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias: x (..., C), the others (C); weight and bias may be None.

    Raises InputError for shapes that do not fit.
    """
    x, mean, variance = operand(x), operand(mean), operand(variance)
    for v in (mean, variance, weight, bias):
        if v is not None and operand(v).shape != x.shape[-1:]:
            raise InputError(f"standardize: x of shape {x.shape} takes means, variances, weights and biases of shape "
                             f"{x.shape[-1:]}, not {operand(v).shape}")
    if far_from_0(mean, variance) is not None:
        x, mean = x - mean, mean * 0.0
    return _standardize(x, mean, variance, weight, bias, eps)


def _standardize(x: Any, mean: Any, variance: Any, weight: Any, bias: Any, eps: float) -> Any:
    scale = 1.0 / sqrt(variance + eps)
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias
    return scale_shift(x, scale, shift)


def batch_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> tuple[Tensor, Array]:
    """x standardized by its own `moments`, and these (2, C), as a constant array (Ioffe & Szegedy 2015, algorithm 1).

    The gradient, to every order, is that of `standardize(x, *moments(x), weight, bias)`, in a third less time: one rule
    has both ways to x. It uses the moments at hand only where it is not itself differentiated.
    """
    x = floating(x)
    if x.dtype.itemsize == 2:                             # float16: see `moments`
        y, statistics = batch_norm(*(v if v is None else astype(v, np.float32) for v in (x, weight, bias)), eps=eps)
        return astype(y, x.dtype), statistics
    raw = array_of(x)
    statistics = moments(raw)
    far = far_from_0(statistics[0], statistics[1])
    if far is None:
        return _batch_norm(x, weight, bias, statistics, float(eps)), statistics
    offset = np.where(far, _rows(raw)[0], 0.0)            # the result is the same whatever constant is taken from x
    x = x - offset
    statistics = moments(array_of(x))
    y = _batch_norm(x, weight, bias, statistics, float(eps))
    return y, statistics + np.stack([offset, 0.0 * offset])


def far_from_0(mean: Any, variance: Any) -> Any:
    """Which means (...) are so large that float32 holds few digits of the deviation, or of 0; None if none is.

    A device is not asked, that would wait for it.
    """
    mean, variance = array_of(mean), array_of(variance)
    if type(mean) is not np.ndarray or not mean.size:
        return None
    far = variance < (mean * 2e-3)**2
    return far if far.item(far.argmax()) else None


def _batch_norm_rule(g: Any, y: Any, wanted: list[int], x: Any, weight: Any, bias: Any, statistics: Any,
                     eps: float) -> list[Any]:
    """With z = (x - mean) / deviation: the gradient by x is weight / deviation * (g - mean(g) - z * mean(g * z))."""
    if isinstance(x, Tensor):
        statistics = moments(x)            # this gradient will be differentiated, and x made the statistics
    n = x.size // x.shape[-1]
    mean, inverse = statistics[0], 1.0 / sqrt(statistics[1] + eps)
    g_bias = sum_to(g, mean.shape)
    g_weight = (_channel_dot(g, x) - mean * g_bias) * inverse
    if 0 not in wanted:
        return [None, g_weight, g_bias, None]
    scale = inverse if weight is None else weight * inverse
    x_scale = scale * inverse * g_weight * (-1.0 / n)
    shift = scale * g_bias * (-1.0 / n) - x_scale * mean
    return [scale_shift(g, scale, shift, x, x_scale), g_weight, g_bias, None]


@primitive(joint=_batch_norm_rule)
def _batch_norm(xp: Any, x: Any, weight: Any, bias: Any, statistics: Any, eps: float) -> Array:
    return _standardize(x, statistics[0], statistics[1], weight, bias, eps)
