"""Elementwise arithmetic, with NumPy's names and broadcasting (which the engine undoes)."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.arguments import real_dtype
from minidl.backend import Array, Device, backend_of
from minidl.tensor import Tensor, primitive


@primitive(lambda g, y, a, b: g, lambda g, y, a, b: g)
def add(xp: Any, a: Any, b: Any) -> Array:
    """a + b, elementwise."""
    return xp.add(a, b)


@primitive(lambda g, y, a, b: g, lambda g, y, a, b: -g)
def subtract(xp: Any, a: Any, b: Any) -> Array:
    """a - b, elementwise."""
    return xp.subtract(a, b)


@primitive(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
def multiply(xp: Any, a: Any, b: Any) -> Array:
    """a * b, elementwise."""
    return xp.multiply(a, b)


@primitive(lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b)
def divide(xp: Any, a: Any, b: Any) -> Array:
    """a / b, elementwise."""
    return xp.true_divide(a, b)


def _power_by_base(g: Any, y: Any, a: Any, b: Any) -> Any:
    if isinstance(b, float | int):
        return g * b * a ** (b - 1) if b else g * 0.0
    return g * b * a ** where(maximum(abs(a), abs(b)) == 0, 1.0, b - 1.0)     # 0 ** -1 must not appear where b = 0


def _power_by_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    if isinstance(a, float | int):
        return g * y * float(np.log(a or 1.0))               # a number: an array of its logarithm would be float64
    return g * y * log(where(a == 0, 1.0, a))


@primitive(_power_by_base, _power_by_exponent)
def power(xp: Any, a: Any, b: Any) -> Array:
    """a ** b, elementwise; the gradient by b is a ** b * log(a), and 0 where the base is 0."""
    return a ** b


@primitive(lambda g, y, x: -g)
def negative(xp: Any, x: Any) -> Array:
    """-x, elementwise."""
    return xp.negative(x)


@primitive(lambda g, y, x: g * _sign(x))
def abs(xp: Any, x: Any) -> Array:
    """|x|, elementwise; its gradient at 0 is 0."""
    return xp.abs(x)


@primitive(lambda g, y, x: g * 0.0)
def sign(xp: Any, x: Any) -> Array:
    """-1, 0 or 1, elementwise; its gradient is 0 everywhere."""
    return xp.sign(x)


@primitive()
def _sign(xp: Any, x: Any) -> Array:
    """The sign as a constant: no zeros to carry through second order."""
    return xp.sign(x)


@primitive(lambda g, y, x: g * y, floats=True)
def exp(xp: Any, x: Any) -> Array:
    """e ** x, elementwise."""
    return xp.exp(x)


@primitive(lambda g, y, x: g * (y + 1.0), floats=True)
def expm1(xp: Any, x: Any) -> Array:
    """e ** x - 1, elementwise, exact near 0."""
    return xp.expm1(x)


@primitive(lambda g, y, x: g / x, floats=True)
def log(xp: Any, x: Any) -> Array:
    """The natural logarithm, elementwise."""
    return xp.log(x)


@primitive(lambda g, y, x: g / (x + 1.0), floats=True)
def log1p(xp: Any, x: Any) -> Array:
    """log(1 + x), elementwise, exact near 0."""
    return xp.log1p(x)


@primitive(lambda g, y, x: g * 0.5 / y, floats=True)
def sqrt(xp: Any, x: Any) -> Array:
    """The square root, elementwise; its gradient at 0 is infinite (`norm` is the one that is safe there)."""
    return xp.sqrt(x)


@primitive(lambda g, y, x: g * 2.0 * x)
def square(xp: Any, x: Any) -> Array:
    """x * x, elementwise."""
    return xp.square(x)


@primitive(lambda g, y, x: -g * y * y, floats=True)
def reciprocal(xp: Any, x: Any) -> Array:
    """1 / x, elementwise."""
    return 1.0 / x


@primitive(lambda g, y, x: g * cos(x), floats=True)
def sin(xp: Any, x: Any) -> Array:
    """The sine of x in radians, elementwise."""
    return xp.sin(x)


@primitive(lambda g, y, x: -g * sin(x), floats=True)
def cos(xp: Any, x: Any) -> Array:
    """The cosine of x in radians, elementwise."""
    return xp.cos(x)


# Choosing: the masks are constants, and at a tie the two arguments share the gradient -------------------------------


@primitive(lambda g, y, a, b: g * _share(a, b), lambda g, y, a, b: g * _share(b, a))
def maximum(xp: Any, a: Any, b: Any) -> Array:
    """The larger of a and b, elementwise; where they are equal, each has half the gradient."""
    return xp.maximum(a, b)


@primitive(lambda g, y, a, b: g * _share(b, a), lambda g, y, a, b: g * _share(a, b))
def minimum(xp: Any, a: Any, b: Any) -> Array:
    """The smaller of a and b, elementwise; where they are equal, each has half the gradient."""
    return xp.minimum(a, b)


@primitive()
def _share(xp: Any, a: Any, b: Any) -> Array:
    """1 where a > b, one half where they are equal, else 0, in the dtype of the arrays."""
    dtype = a.dtype if hasattr(a, "dtype") else b.dtype
    share = xp.asarray(a == b).astype(dtype)
    share *= 0.5
    share += a > b
    return share


@primitive(lambda g, y, x, a_min=None, a_max=None: g * _between(x, a_min, a_max))
def clip(xp: Any, x: Any, a_min: Any = None, a_max: Any = None) -> Array:
    """x limited to [a_min, a_max], elementwise; None is no limit. The gradient passes within, limits included."""
    return xp.clip(x, a_min, a_max)


@primitive()
def _between(xp: Any, x: Any, a_min: Any, a_max: Any) -> Array:
    inside = xp.ones(x.shape, dtype=bool)
    if a_min is not None:
        inside &= x >= a_min
    if a_max is not None:
        inside &= x <= a_max
    return inside


@primitive(None, lambda g, y, condition, a, b: where(condition, g, 0.0),
           lambda g, y, condition, a, b: where(condition, 0.0, g))
def where(xp: Any, condition: Any, a: Any, b: Any) -> Array:
    """a where the condition holds, else b, elementwise; of two plain numbers it makes float32."""
    if type(a) in (float, int) and type(b) in (float, int):
        a = xp.asarray(a, dtype=np.float32)
    return xp.where(condition, a, b)


# Comparisons: constants ---------------------------------------------------------------------------------------------


@primitive()
def equal(xp: Any, a: Any, b: Any) -> Array:
    """a == b, elementwise."""
    return xp.equal(a, b)


@primitive()
def not_equal(xp: Any, a: Any, b: Any) -> Array:
    """a != b, elementwise."""
    return xp.not_equal(a, b)


@primitive()
def less(xp: Any, a: Any, b: Any) -> Array:
    """a < b, elementwise."""
    return xp.less(a, b)


@primitive()
def less_equal(xp: Any, a: Any, b: Any) -> Array:
    """a <= b, elementwise."""
    return xp.less_equal(a, b)


@primitive()
def greater(xp: Any, a: Any, b: Any) -> Array:
    """a > b, elementwise."""
    return xp.greater(a, b)


@primitive()
def greater_equal(xp: Any, a: Any, b: Any) -> Array:
    """a >= b, elementwise."""
    return xp.greater_equal(a, b)


# Moving and converting ----------------------------------------------------------------------------------------------


def astype(x: Any, dtype: Any) -> Tensor:
    """x in another dtype and the same shape."""
    return _astype(x, real_dtype(dtype))


@primitive(lambda g, y, x, dtype: _astype(g, np.dtype(x.dtype)))
def _astype(xp: Any, x: Any, dtype: Any) -> Array:
    return x.astype(dtype)


@primitive(lambda g, y, x, device: to_device(g, _home(x)))
def to_device(xp: Any, x: Any, device: Device) -> Array:
    """x on another device, in the same shape; the same array if it is there already."""
    return device.put(x)


def _home(x: Any) -> Device:
    return Device(backend_of(getattr(x, "data", x) if hasattr(x, "recipe") else x))
