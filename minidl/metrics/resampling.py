"""Error bars for any measure of sets of images, by measuring halves of them again and again."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.randomness import Seed, generator
from minidl.rows import array_of, check_count


class Estimate(NamedTuple):
    """What a measure says of whole sets, and its standard error: two numbers, or two arrays of the measure's shape."""

    value: Any
    error: Any

    def __str__(self) -> str:
        return " ".join(f"{value:.4g} +- {error:.2g}" for value, error in zip(
            np.ravel(self.value), np.ravel(self.error), strict=True))


def resampled(measure: Callable[..., Any], *sets: Any, repeats: int = 20, rng: Seed) -> Estimate:
    """A measure of sets, each (N, ...), with the standard error that it has because the sets are samples.

    `measure(*sets)` gives a number, or several as an array or a tuple. Its error is the standard deviation over
    `repeats` random halves of each set, drawn without replacement: the variance of a mean over half of N rows, given
    the N, is that of the mean over all N of new rows. Unlike the bootstrap's samples a half holds no row twice, and
    rows that are their own neighbours would flatter precision, recall and the search for copies. A measure that
    depends on the number of rows, as the Fréchet distance does, has its value from the whole sets all the same. Twenty
    repeats know the error within a sixth of it.

    Raises InputError for no sets, sets of fewer than two rows or without numbers, fewer than two
    repeats, and what is no number.

    Source: J. Shao and C. F. J. Wu, "A general theory for jackknife variance estimation", 1989: the delete-d jackknife
    with d = N/2.
    """
    repeats, rng = check_count("resampled", "repeats", repeats, 2), generator(rng, "resampled")
    sets = tuple(plain_array("resampled", array_of(x)) for x in sets)
    if not callable(measure) or not sets or any(x.ndim < 1 or len(x) < 2 or not x.size for x in sets):
        raise InputError("resampled: takes a function of sets, and sets of two rows or more, as arrays (N, ...), not "
                         f"{measure!r:.40} and {[x.shape for x in sets]}")
    value = _numbers(measure(*sets))
    halves = np.stack([_numbers(measure(*(_half(x, rng) for x in sets))) for _ in range(repeats)])
    # Of an odd number of rows a half has one less, and so varies a little more than the whole would.
    excess = np.sqrt(np.mean([len(x) // 2 / (len(x) - len(x) // 2) for x in sets]))
    error = halves.std(0, ddof=1) * excess
    return Estimate(value, error) if value.ndim else Estimate(float(value), float(error))


def _half(x: Array, rng: np.random.Generator) -> Array:
    """Half of its rows, drawn without replacement, in their order."""
    return x[Device(backend_of(x)).put(np.sort(rng.permutation(len(x))[:len(x) // 2]))]


def _numbers(found: Any) -> np.ndarray:
    return np.asarray(plain_array("resampled", found), np.float64)
