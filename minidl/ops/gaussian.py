"""The error function, to a few units in the last place, and the distribution function of the standard normal."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.kernels import fused
from minidl.ops.arithmetic import clip, exp
from minidl.tensor import primitive

# Rational approximations, highest power first (Cephes, Moshier 1989, ndtr.c): erf(x) / x up to 1, in x ** 2; beyond it
# erfc(x) * exp(x ** 2), in x.
_NEAR = ((9.60497373987051638749, 90.0260197203842689217, 2232.00534594684319226, 7003.32514112805075473,
          55592.3013010394962768),
         (1.0, 33.5617141647503099647, 521.357949780152679795, 4594.32382970980127987, 22629.0000613890934246,
          49267.3942608635921086))
_FAR = ((2.46196981473530512524e-10, 0.564189564831068821977, 7.46321056442269912687, 48.6371970985681366614,
         196.520832956077098242, 526.445194995477358631, 934.528527171957607540, 1027.55188689515710272,
         557.535335369399327526),
        (1.0, 13.2281951154744992508, 86.7072140885989742329, 354.937778887819891062, 975.708501743205489753,
         1823.90916687909736289, 2246.33760818710981792, 1656.66309194161350182, 557.535340817727675546))
_ERFC_END = 27.5         # erfc is 0 beyond, also in float64
_SLOPE_END = 40.0        # and so are the slopes of erf and ndtr; further out x ** 2 may overflow


def _fraction(x: Any, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Any:
    """The quotient of two polynomials in x."""
    parts = []
    for first, *rest in coefficients:
        value = x * first
        for c in rest[:-1]:
            value += c
            value *= x
        value += rest[-1]
        parts.append(value)
    return parts[0] / parts[1]


def _near_and_far(xp: Any, x: Array) -> tuple[Array, Array]:
    """erf(x) where |x| <= 1, and erfc(|x|) where |x| >= 1."""
    near, far = xp.clip(x, -1.0, 1.0), xp.clip(xp.abs(x), 1.0, _ERFC_END)
    return near * _fraction(near * near, _NEAR), xp.exp(-far * far) * _fraction(far, _FAR)


def _wide(x: Array) -> Array:
    """float16 as float32: the coefficients are too large for it."""
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


def _near_0(x: Any) -> Any:
    return clip(x, -_SLOPE_END, _SLOPE_END)


@primitive(lambda g, y, x: g * (2.0 / math.sqrt(math.pi)) * exp(-_near_0(x) ** 2), floats=True)
def erf(xp: Any, x: Any) -> Array:
    """The error function, elementwise: 2 / sqrt(pi) times the integral of exp(-t ** 2) from 0 to x."""
    return _erf_values(xp, x)


@fused("T x", "T y", "y = erf(x)")
def _erf_values(xp: Any, x: Any) -> Array:               # a kernel of the name erf would hide the one that it calls
    near, far = _near_and_far(xp, _wide(x))
    return xp.where(xp.abs(x) <= 1.0, near, xp.copysign(1.0 - far, x)).astype(x.dtype, copy=False)


@primitive(lambda g, y, x: g * (1.0 / math.sqrt(2.0 * math.pi)) * exp(-0.5 * _near_0(x) ** 2), floats=True)
@fused("T x", "T y", f"y = T(0.5) * erfc(x * T({-math.sqrt(0.5)}))")
def ndtr(xp: Any, x: Any) -> Array:
    """The distribution function of the standard normal, elementwise; small values on the left keep their precision."""
    z = _wide(x) * math.sqrt(0.5)
    near, far = _near_and_far(xp, z)
    y = 0.5 * xp.where(xp.abs(z) <= 1.0, 1.0 + near, xp.where(z < 0, far, 2.0 - far))
    return y.astype(x.dtype, copy=False)
