"""Ways through the space of codes: a grid over its plane, and lines between two of its points."""
from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.rows import array_of, check_choice, check_count


def quantile_grid(side: int) -> np.ndarray:
    """Codes in the plane (side * side, 2), float32, that divide N(0, 1) x N(0, 1) into parts of equal probability.

    They come in the order of an image's pixels, from the upper left: the first number grows to the right, the second
    upwards. Decoded, they show the manifold that a model of two code numbers has learned (Kingma & Welling 2014,
    figure 4). Raises InputError unless side is a whole number of at least 1.
    """
    side = check_count("quantile_grid", "side", side)
    quantiles = [NormalDist().inv_cdf((i + 0.5) / side) for i in range(side)]
    right, up = np.meshgrid(quantiles, quantiles[::-1])
    return np.stack([right, up], -1).reshape(-1, 2).astype(np.float32)


def interpolate(first: Any, last: Any, n: int, *, spherical: bool = False) -> Array:
    """n codes from `first` to `last`, each (code,), in equal steps along a line: (n, code).

    Codes of many dimensions lie near a sphere around 0, which a straight line leaves; a `spherical` one goes along the
    great circle, and its length changes in equal steps (T. White, "Sampling generative networks", 2016). Raises
    InputError for codes of different shapes or of none, and unless n is a whole number of at least 2.
    """
    n = check_count("interpolate", "n", n, least=2)
    check_choice("interpolate", "spherical", spherical, (False, True))
    first, last = array_of(first), array_of(last)
    if getattr(first, "ndim", 0) != 1 or first.shape != getattr(last, "shape", ()) or first.dtype.kind != "f":
        raise InputError("interpolate: it goes from one code to another, both arrays of floats (code,), not "
                         f"{getattr(first, 'shape', first)!r:.60} and {getattr(last, 'shape', last)!r:.60}")
    xp = backend_of(first).xp
    t = xp.linspace(0.0, 1.0, n).astype(first.dtype)[:, None]
    if not spherical:
        return (1 - t) * first + t * last
    lengths = [xp.maximum(xp.sqrt((code * code).sum()), float(xp.finfo(code.dtype).tiny)) for code in (first, last)]
    a, b = first / lengths[0], last / lengths[1]
    angle = xp.arccos(xp.clip((a * b).sum(), -1.0, 1.0))
    sine = xp.sin(angle)
    safe = xp.where(sine > 1e-6, sine, 1.0)                 # of codes in one line with 0 there is no great circle
    along = xp.where(sine > 1e-6, (xp.sin((1 - t) * angle) * a + xp.sin(t * angle) * b) / safe, (1 - t) * a + t * b)
    return ((1 - t) * lengths[0] + t * lengths[1]) * along
