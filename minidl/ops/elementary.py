"""Further elementwise functions with NumPy's names: logarithms, angles, rounding."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.ops.activation import sigmoid
from minidl.ops.arithmetic import where
from minidl.tensor import primitive


@primitive(lambda g, y, x: g * (1.0 / math.log(2.0)) / x, floats=True)
def log2(xp: Any, x: Any) -> Array:
    """The logarithm to base 2, elementwise."""
    return xp.log2(x)


@primitive(lambda g, y, x: g * (1.0 / math.log(10.0)) / x, floats=True)
def log10(xp: Any, x: Any) -> Array:
    """The logarithm to base 10, elementwise."""
    return xp.log10(x)


@primitive(lambda g, y, a, b: g * y * _share_of(b, a), lambda g, y, a, b: -g * y * _share_of(b, a))
def _share_of(xp: Any, a: Any, b: Any) -> Array:
    """exp(a) / (exp(a) + exp(b)); 0 where both are -inf, 1 where both are inf."""
    with np.errstate(invalid="ignore"):
        gap = a - b
    return sigmoid(xp.where(xp.isnan(gap), a, gap))


@primitive(lambda g, y, a, b: g * _share_of(a, b), lambda g, y, a, b: g * _share_of(b, a), floats=True)
def logaddexp(xp: Any, a: Any, b: Any) -> Array:
    """log(exp(a) + exp(b)), elementwise, without overflow; where both are -inf, their gradients are 0."""
    return xp.logaddexp(a, b)


# Angles ---------------------------------------------------------------------------------------------------------------


@primitive(lambda g, y, x: g * (y * y + 1.0), floats=True)
def tan(xp: Any, x: Any) -> Array:
    """The tangent of x in radians, elementwise."""
    return xp.tan(x)


@primitive(lambda g, y, x: g * cosh(x), floats=True)
def sinh(xp: Any, x: Any) -> Array:
    """The hyperbolic sine, elementwise."""
    return xp.sinh(x)


@primitive(lambda g, y, x: g * sinh(x), floats=True)
def cosh(xp: Any, x: Any) -> Array:
    """The hyperbolic cosine, elementwise."""
    return xp.cosh(x)


def _not_0(r: Any) -> Any:
    return where(r == 0, 1.0, r)


@primitive(lambda g, y, a, b: g * (a / _not_0(y)), lambda g, y, a, b: g * (b / _not_0(y)), floats=True)
def hypot(xp: Any, a: Any, b: Any) -> Array:
    """sqrt(a * a + b * b), elementwise, also where the squares overflow or vanish; its gradient at (0, 0) is 0."""
    return xp.hypot(a, b)


def _arctan2_rule(g: Any, other: Any, a: Any, b: Any) -> Any:
    r = _not_0(hypot(a, b))
    return g * (other / r) / r


@primitive(lambda g, y, a, b: _arctan2_rule(g, b, a, b), lambda g, y, a, b: -_arctan2_rule(g, a, a, b), floats=True)
def arctan2(xp: Any, a: Any, b: Any) -> Array:
    """The angle of the point (b, a), in [-pi, pi], elementwise; its gradient at (0, 0) is 0."""
    return xp.arctan2(a, b)


# Rounding -------------------------------------------------------------------------------------------------------------


@primitive(lambda g, y, x: g * 0.0)
def floor(xp: Any, x: Any) -> Array:
    """The largest whole number that is not above x, elementwise; its gradient is 0 everywhere."""
    return xp.floor(x)


@primitive(lambda g, y, x: g * 0.0)
def ceil(xp: Any, x: Any) -> Array:
    """The smallest whole number that is not below x, elementwise; its gradient is 0 everywhere."""
    return xp.ceil(x)


@primitive(lambda g, y, x, decimals=0: g * 0.0)
def round(xp: Any, x: Any, decimals: int = 0) -> Array:
    """x rounded to so many decimals, elementwise, halves to the even neighbour; its gradient is 0 everywhere."""
    return x.round(decimals)


@primitive(lambda g, y, a, b: g * 0.0, lambda g, y, a, b: g * 0.0)
def floor_divide(xp: Any, a: Any, b: Any) -> Array:
    """The largest whole number that is not above a / b (a // b), elementwise; its gradient is 0 everywhere."""
    return xp.floor_divide(a, b)


@primitive(lambda g, y, a, b: g, lambda g, y, a, b: -g * _quotient(a, b))
def remainder(xp: Any, a: Any, b: Any) -> Array:
    """a - b * (a // b), elementwise, with the sign of b (a % b); the gradient by b is -(a // b)."""
    return xp.remainder(a, b)


@primitive()
def _quotient(xp: Any, a: Any, b: Any) -> Array:
    """a // b as a constant: no zeros to carry through second order."""
    return xp.floor_divide(a, b)
