"""Are filters edges? Measured, where slide 10 only looks: by gratings of all orientations, and by Gabor functions."""
from __future__ import annotations

import math

import numpy as np

from minidl.errors import InputError

_ORIENTATIONS = math.pi * np.arange(36) / 36
_FREQUENCIES = np.linspace(0.0625, 0.4375, 13)       # cycles a pixel: half a wave in 8 pixels, to nearly the highest


def orientation_selectivity(filters: np.ndarray) -> np.ndarray:
    """For each filter, from 0, which answers gratings of every orientation alike, to 1, which answers a single one.

    filters (N, H, W) -> (N,). The response R to a grating is the greatest over its phases. At the frequency of the
    greatest response it is measured for all orientations theta; the result is 1 minus their circular variance,
    |sum R exp(2 i theta)| / sum R. A filter of zeros counts as 0. Raises InputError for another shape.

    Source: D. Ringach, R. Shapley and M. Hawken, "Orientation selectivity in macaque V1", 2002.
    """
    filters = _checked("orientation_selectivity", filters)
    y, x = np.mgrid[:filters.shape[1], :filters.shape[2]]
    across = np.cos(_ORIENTATIONS)[:, None, None] * x + np.sin(_ORIENTATIONS)[:, None, None] * y
    waves = np.exp(2j * np.pi * _FREQUENCIES[:, None, None, None] * across)           # (F, O, H, W)
    response = np.abs(np.tensordot(filters, waves, ((1, 2), (2, 3))))                 # (N, F, O)
    tuning = response[np.arange(len(filters)), response.max(2).argmax(1)]             # (N, O)
    total = tuning.sum(1)
    return np.abs(tuning @ np.exp(2j * _ORIENTATIONS)) / np.where(total > 0, total, 1)


def gabor_fit(filters: np.ndarray) -> np.ndarray:
    """How much of each filter a single edge explains: the share of its squares in the nearest Gabor function.

    filters (N, H, W) -> (N,), from 0 to 1. A Gabor function is a grating of any phase under a Gaussian. Their places
    are all pixels, their orientations 12, their frequencies 5, their widths 3, and they are as long as wide or twice as
    long: a grid, so that the nearest of all may fit a little better. A filter of zeros counts as 0. Raises InputError
    for another shape.

    Source: J. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and orientation", 1985.
    """
    filters = _checked("gabor_fit", filters)
    shape = filters.shape[1:]
    rows = filters.reshape(len(filters), -1)
    squares = (rows**2).sum(1)
    best = np.zeros(len(rows))
    y, x = np.mgrid[:shape[0], :shape[1]].reshape(2, -1)
    cx, cy, theta, frequency, length = (a.reshape(-1, 1) for a in np.meshgrid(
        np.arange(shape[1]), np.arange(shape[0]), _ORIENTATIONS[::3], [0.08, 0.125, 0.18, 0.25, 0.35], [1.0, 2.0]))
    across = (x - cx) * np.cos(theta) + (y - cy) * np.sin(theta)                      # (Gabor functions, H*W)
    along = (y - cy) * np.cos(theta) - (x - cx) * np.sin(theta)
    for width in (1.5, 2.0, 3.0):
        under = np.exp(-(across**2 + (along / length)**2) / (2 * width**2))
        even, odd = under * np.cos(2 * np.pi * frequency * across), under * np.sin(2 * np.pi * frequency * across)
        # A phase is a mixture of the two: the share is that of the projection on the plane that they span.
        a, b = rows @ even.T, rows @ odd.T
        aa, bb, ab = (even**2).sum(1), (odd**2).sum(1), (even * odd).sum(1)
        explained = (a**2 * bb - 2 * a * b * ab + b**2 * aa) / (aa * bb - ab**2)
        best = np.maximum(best, explained.max(1))
    return best / np.where(squares > 0, squares, 1)


def _checked(name: str, filters: np.ndarray) -> np.ndarray:
    filters = np.asarray(filters, dtype=np.float64)
    if filters.ndim != 3:
        raise InputError(f"{name}: filters have the shape (N, H, W), not {filters.shape}")
    return filters
