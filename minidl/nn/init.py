"""Initial values for weights: each draws a float32 array of a shape (..., fan_in, fan_out).

`rng` is an int, a Generator or a RandomStream. They are drawn on the host, so that a seed gives the same model on every
device.
"""
from __future__ import annotations

import math

import numpy as np

from minidl.errors import InputError
from minidl.randomness import Seed, generator


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs and outputs a unit has; leading axes are a kernel's positions: (KH, KW, in, out)."""
    if len(shape) < 2:
        raise InputError(f"a weight has two axes or more, (..., inputs, outputs), not the shape {shape}")
    positions = math.prod(shape[:-2])
    return shape[-2] * positions, shape[-1] * positions


def uniform(shape: tuple[int, ...], *, rng: Seed, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Uniform on [low, high): an array of any shape."""
    return generator(rng, "uniform").uniform(low, high, shape).astype(np.float32)


def normal(shape: tuple[int, ...], *, rng: Seed, std: float = 0.01, mean: float = 0.0) -> np.ndarray:
    """Normal with the given standard deviation and mean: an array of any shape."""
    return generator(rng, "normal").normal(mean, std, shape).astype(np.float32)


def glorot_uniform(shape: tuple[int, ...], *, rng: Seed, gain: float = 1.0) -> np.ndarray:
    """Uniform with variance gain^2 * 2 / (fan_in + fan_out), for tanh and sigmoid (Glorot & Bengio 2010, eq. 16).

    Raises InputError for a shape of less than two axes, (..., fan_in, fan_out).
    """
    rng = generator(rng, "glorot_uniform")
    bound = gain * math.sqrt(6.0 / sum(_fans(shape)))
    return uniform(shape, rng=rng, low=-bound, high=bound)


def glorot_normal(shape: tuple[int, ...], *, rng: Seed, gain: float = 1.0) -> np.ndarray:
    """Normal with variance gain^2 * 2 / (fan_in + fan_out) (Glorot & Bengio 2010).

    Raises InputError for a shape of less than two axes, (..., fan_in, fan_out).
    """
    rng = generator(rng, "glorot_normal")
    return normal(shape, rng=rng, std=gain * math.sqrt(2.0 / sum(_fans(shape))))


def he_uniform(shape: tuple[int, ...], *, rng: Seed, negative_slope: float = 0.0) -> np.ndarray:
    """Uniform with variance 2 / ((1 + slope^2) fan_in), for ReLUs (He et al. 2015, eq. 15).

    Raises InputError for a shape of less than two axes, (..., fan_in, fan_out).
    """
    rng = generator(rng, "he_uniform")
    bound = math.sqrt(6.0 / ((1.0 + negative_slope**2) * _fans(shape)[0]))
    return uniform(shape, rng=rng, low=-bound, high=bound)


def he_normal(shape: tuple[int, ...], *, rng: Seed, negative_slope: float = 0.0) -> np.ndarray:
    """Normal with variance 2 / ((1 + slope^2) fan_in), for ReLUs (He et al. 2015, eq. 15).

    Raises InputError for a shape of less than two axes, (..., fan_in, fan_out).
    """
    rng = generator(rng, "he_normal")
    return normal(shape, rng=rng, std=math.sqrt(2.0 / ((1.0 + negative_slope**2) * _fans(shape)[0])))


def orthogonal(shape: tuple[int, ...], *, rng: Seed, gain: float = 1.0) -> np.ndarray:
    """A random matrix with orthonormal columns (or rows, if there are fewer), times gain (Saxe et al. 2014).

    Of a shape (..., outputs) the leading axes together are the rows.
    """
    rows, columns = math.prod(shape[:-1]), shape[-1]
    tall = generator(rng, "orthogonal").standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))                      # makes the distribution uniform over orthogonal matrices
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(np.float32)
