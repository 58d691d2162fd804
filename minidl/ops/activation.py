"""The nonlinearities of neural networks. ReLUs take their negative side's slope at 0."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.errors import InputError
from minidl.kernels import fused
from minidl.ops.arithmetic import clip, exp, where
from minidl.ops.gaussian import ndtr
from minidl.ops.reduction import sum
from minidl.tensor import Tensor, primitive

# A rule written `t = 1.0 - y; t *= g` updates its own temporary in place on arrays, and rebinds on Tensors.


@fused("T g, T y", "T t", "t = (1 - y * y) * g")
def _tanh_rule(g: Any, y: Any, x: Any) -> Any:
    t = y * y
    t = 1.0 - t
    t *= g
    return t


@primitive(_tanh_rule, floats=True)
def tanh(xp: Any, x: Any) -> Array:
    """The hyperbolic tangent, elementwise."""
    return xp.tanh(x)


@fused("T g, T y", "T t", "t = (1 - y) * y * g")
def _sigmoid_rule(g: Any, y: Any, x: Any) -> Any:
    t = 1.0 - y
    t *= y
    t *= g
    return t


_TAIL = -8.0             # there 1 + tanh, a small difference, is off by 2e-4 in float32


@primitive(_sigmoid_rule, floats=True)
@fused("T x", "T y", "y = 1 / (1 + exp(-x))")
def sigmoid(xp: Any, x: Any) -> Array:
    """1 / (1 + exp(-x)), elementwise, by way of tanh: it cannot overflow and is twice as fast.

    Below -8 it is exp(x) / (1 + exp(x)): by tanh alone float32 would be 44 % off at -17, and 0 from -20 on,
    where the logarithm is infinite.
    """
    y = x * 0.5
    y = xp.tanh(y, out=y) if y.ndim else xp.tanh(y)
    y *= 0.5
    y += 0.5
    if xp is np and (not y.size or x.item(x.argmin()) >= _TAIL):     # a device is not asked, that would wait for it
        return y
    e = xp.exp(xp.clip(x, -np.inf, _TAIL))
    y *= x >= _TAIL
    return xp.maximum(y, e / (1.0 + e))                   # above the tail the second is sigmoid(-8)


def log1p_of_fraction(xp: Any, e: Array) -> Array:
    """log(1 + e) of raw values e (...) in [0, 1], to full precision and 4 times faster than NumPy's log1p.

    log(u) of the rounded u = 1 + e is vectorised; what the rounding lost, to first order, is (e - (u - 1)) / u.
    """
    u = e + 1.0
    lost = u - 1.0
    lost -= e
    lost /= u
    y = xp.log(u)
    y -= lost
    return y


@primitive(lambda g, y, x: g * sigmoid(x), floats=True)
@fused("T x", "T y", "y = log1p(exp(-fabs(x))) + (x < 0 ? 0 : x)")
def softplus(xp: Any, x: Any) -> Array:
    """log(1 + exp(x)), elementwise, without overflow."""
    y = log1p_of_fraction(xp, xp.exp(-xp.abs(x)))
    y += xp.maximum(x, 0)
    return y


@fused("T g, T y", "T t", "t = g * T(y > 0)")
def _relu_rule(g: Any, y: Any, x: Any) -> Any:
    return g * (y > 0)


@primitive(_relu_rule)
def relu(xp: Any, x: Any) -> Array:
    """max(x, 0), elementwise; the gradient at 0 is 0."""
    return xp.clip(x, 0.0, np.inf) if x.dtype.kind == "f" else xp.maximum(x, 0)     # 3 times faster than maximum


def check_slope(negative_slope: float) -> float:
    """The slope as a float. Raises InputError unless it lies between 0 and 1."""
    if not 0.0 <= negative_slope <= 1.0:
        raise InputError(f"leaky_relu: negative_slope lies between 0 and 1, not {negative_slope}")
    return float(negative_slope)


@fused("T g, T x, T negative_slope", "T t", "t = x > 0 ? g : g * negative_slope")
def _leaky_relu_rule(g: Any, y: Any, x: Any, negative_slope: float = 0.01) -> Any:
    t = _leaky_slope(x, negative_slope)
    t *= g
    return t


@primitive(_leaky_relu_rule, floats=True)
def leaky_relu(xp: Any, x: Any, negative_slope: float = 0.01) -> Array:
    """x where positive, else negative_slope * x, elementwise; the gradient at 0 is that slope.

    Raises InputError for a slope outside [0, 1].
    """
    return _leaky(xp, x, check_slope(negative_slope))


@fused("T x, T negative_slope", "T y", "y = x > 0 ? x : x * negative_slope")
def _leaky(xp: Any, x: Any, negative_slope: float) -> Array:
    y = x * negative_slope
    return xp.maximum(x, y)


@primitive()
def _leaky_slope(xp: Any, x: Any, negative_slope: float) -> Array:
    slope = (x > 0).astype(x.dtype)
    slope *= 1.0 - negative_slope
    slope += negative_slope
    return slope


@fused("T g, T y, T x, T alpha", "T t", "t = x > 0 ? g : g * (y + alpha)")
def _elu_rule(g: Any, y: Any, x: Any, alpha: float = 1.0) -> Any:
    return g * where(x > 0, 1.0, y + alpha)


@primitive(_elu_rule, floats=True)
@fused("T x, T alpha", "T y", "y = x > 0 ? x : alpha * expm1(x)")
def elu(xp: Any, x: Any, alpha: float = 1.0) -> Array:
    """x where positive, else alpha * (exp(x) - 1), elementwise; the gradient at 0 is alpha."""
    t = xp.tanh(xp.minimum(x, 0) * 0.5)
    y = t / (1.0 - t)                           # exp(x) - 1 = 2 t / (1 - t): 5 times faster than NumPy's expm1
    y *= 2.0 * alpha
    y += xp.maximum(x, 0)
    return y


_GELU = math.sqrt(2.0 / math.pi)
_GELU_ENDS = 30          # beyond, the slope is 0 or 1 to the last bit, and x ** 3 may overflow


@fused("T g, T x", "T y", f"""
    T c = x < {-_GELU_ENDS} ? {-_GELU_ENDS} : x > {_GELU_ENDS} ? {_GELU_ENDS} : x;
    T cubic = T(0.044715) * c * c;
    T t = tanh(T({_GELU}) * c * (1 + cubic));
    y = g * T(0.5) * (1 + t + c * (1 - t * t) * T({_GELU}) * (1 + 3 * cubic))""")
def _gelu_rule(g: Any, y: Any, x: Any) -> Any:
    x = clip(x, -_GELU_ENDS, _GELU_ENDS)
    inner = (x * x * 0.044715 + 1.0) * x * _GELU
    t = tanh(inner)
    slope = (x * x * (3 * 0.044715) + 1.0) * _GELU
    return g * ((1.0 + t) * 0.5 + x * 0.5 * (1.0 - t * t) * slope)


def gelu(x: Any, approximate: str = "tanh") -> Tensor:
    """x times the normal distribution function of x, elementwise, in its tanh form (Hendrycks & Gimpel 2016).

    With `approximate="none"`, PyTorch's default, it is exact; the two forms differ by less than 0.0005. Raises
    InputError for another form.
    """
    return _gelu(x) if check_approximate(approximate) == "tanh" else x * ndtr(x)


def check_approximate(approximate: str) -> str:
    """The form of GELU. Raises InputError unless it is known."""
    if not isinstance(approximate, str) or approximate not in ("tanh", "none"):
        raise InputError(f"gelu: approximate is 'tanh' or 'none', not {approximate!r:.60}")
    return approximate


@primitive(_gelu_rule, floats=True)
@fused("T x", "T y", f"""
    T c = x < {-_GELU_ENDS} ? {-_GELU_ENDS} : x > {_GELU_ENDS} ? {_GELU_ENDS} : x;
    y = T(0.5) * x * (1 + tanh(T({_GELU}) * (c + T(0.044715) * c * c * c)))""")
def _gelu(xp: Any, x: Any) -> Array:
    t = xp.clip(x, -_GELU_ENDS, _GELU_ENDS)
    return 0.5 * x * (1.0 + xp.tanh(_GELU * (t + 0.044715 * t * t * t)))


@primitive(lambda g, y, x, axis=-1: y * (g - sum(g * y, axis, True)), floats=True)
def softmax(xp: Any, x: Any, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)) along an axis, without overflow: (...) -> (...)."""
    y = xp.exp(x - x.max(axis=axis, keepdims=True))
    y /= y.sum(axis=axis, keepdims=True)
    return y


@primitive(lambda g, y, x, axis=-1: g - exp(y) * sum(g, axis, True), floats=True)
def log_softmax(xp: Any, x: Any, axis: int = -1) -> Array:
    """log(softmax(x)) along an axis, exact where the softmax itself would vanish: (...) -> (...)."""
    y = x - x.max(axis=axis, keepdims=True)
    return y - xp.log(xp.exp(y).sum(axis=axis, keepdims=True))
