"""Toy sets: small enough to plot, hard enough to show what a model misses.

All points are float32; `rng` is an int, a Generator or a RandomStream.
"""
from __future__ import annotations

import numpy as np

from minidl.errors import InputError
from minidl.randomness import Seed, generator
from minidl.rows import check_amount, check_count


def swiss_roll(n: int, *, rng: Seed, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A rolled-up sheet in space: points (n, 3) and the place t (n,) along the roll, from 1.5 pi to 4.5 pi.

    `noise` is the standard deviation of a normal error on each coordinate. Raises InputError for an n below 1 and a
    noise below 0.

    Source: J. Tenenbaum, V. de Silva and J. Langford, "A global geometric framework for nonlinear dimensionality
    reduction", 2000.
    """
    _check("swiss_roll", n, noise)
    rng = generator(rng, "swiss_roll")
    t = 1.5 * np.pi * (1 + 2 * rng.random(n))
    x = np.stack([t * np.cos(t), 21 * rng.random(n), t * np.sin(t)], axis=1)
    return _blurred(x, noise, rng), t.astype(np.float32)


def two_moons(n: int, *, rng: Seed, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles of radius 1 that reach into each other: points (n, 2) and the moon (n,), 0 or 1.

    Both moons have n/2 points (the first one more if n is odd), in a random order. `noise` is the standard deviation of
    a normal error on each coordinate. Raises InputError for an n below 1 and a noise below 0.
    """
    _check("two_moons", n, noise)
    rng = generator(rng, "two_moons")
    y = rng.permutation(np.arange(n) % 2)
    angle = np.pi * rng.random(n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    return _blurred(np.where(y[:, None] == 0, upper, lower), noise, rng), y


def ring(n: int, *, rng: Seed, modes: int = 8, radius: float = 2.0,
         sd: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """A mixture of `modes` equal round Gaussians on a circle: points (n, 2), and each point's mode (n,).

    The set on which GANs are seen to lose modes; `sd` is the Gaussians' standard deviation. Raises InputError for an n
    or modes below 1, and a radius or an sd below 0.

    Source: L. Metz et al., "Unrolled generative adversarial networks", 2017.
    """
    return _mixture("ring", n, ring_centres(modes, radius), sd, generator(rng, "ring"))


def grid(n: int, *, rng: Seed, side: int = 5, spacing: float = 2.0,
         sd: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """A mixture of side x side equal round Gaussians on a grid around 0: points (n, 2), and each point's mode (n,).

    `spacing` is that of their centres, `sd` their standard deviation. Raises InputError for an n or a side below 1, and
    a spacing or an sd below 0.

    Source: A. Srivastava et al., "VEEGAN", 2017.
    """
    return _mixture("grid", n, grid_centres(side, spacing), sd, generator(rng, "grid"))


def ring_centres(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    """The centres of `ring`: (modes, 2), anticlockwise from (radius, 0). Errors are those of `ring`."""
    modes, radius = check_count("ring", "modes", modes), check_amount("ring", "radius", radius)
    angle = 2 * np.pi * np.arange(modes) / modes
    return (radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def grid_centres(side: int = 5, spacing: float = 2.0) -> np.ndarray:
    """The centres of `grid`: (side*side, 2), row by row. Errors are those of `grid`."""
    side, spacing = check_count("grid", "side", side), check_amount("grid", "spacing", spacing)
    line = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack([np.tile(line, side), np.repeat(line, side)], axis=1).astype(np.float32)


def bars_and_stripes(side: int) -> np.ndarray:
    """All patterns of `side` x `side` pixels whose rows or whose columns are each all 0 or all 1, as rows of pixels.

    Shape (2**(side+1) - 2, side*side): the empty and the full pattern are bars as well as stripes, and occur once.
    Small enough for exact enumeration. Source: D. MacKay, "Information Theory, Inference, and Learning Algorithms",
    section 43. Raises InputError unless 1 <= side <= 12.
    """
    if check_count("bars_and_stripes", "side", side) > 12:
        raise InputError(f"bars_and_stripes: the side must be from 1 to 12, not {side}")
    codes = np.arange(2**side)[:, None] >> np.arange(side) & 1                  # (2**side, side)
    bars = np.repeat(codes[:, :, None], side, axis=2)                           # (2**side, side, side): constant rows
    stripes = bars.transpose(0, 2, 1)[1:-1]
    return np.concatenate([bars, stripes]).reshape(-1, side * side).astype(np.float32)


def _mixture(name: str, n: int, centres: np.ndarray, sd: float,
             rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    _check(name, n, sd)
    which = rng.integers(len(centres), size=n)
    return _blurred(centres[which], sd, rng), which


def _blurred(x: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    return (x + sd * rng.standard_normal(x.shape)).astype(np.float32)


def _check(name: str, n: int, noise: float) -> None:
    check_count(name, "n", n)
    check_amount(name, "the noise's standard deviation", noise)
