"""Checkerboards: the pattern that a decoder's stride leaves on its images, as energies and as a frequency.

Source: A. Odena, V. Dumoulin and C. Olah, "Deconvolution and checkerboard artifacts", 2016.
"""
from __future__ import annotations

import numpy as np

from minidl.errors import InputError


def pixel_energies(images: np.ndarray) -> np.ndarray:
    """The mean squares of the four kinds of pixels, even or odd row, even or odd column: (N, H, W, 1) -> (2, 2).

    The rim, four pixels wide, does not count. Raises InputError for another shape, and an odd height or width.
    """
    images = _checked("pixel_energies", images)[:, 4:-4, 4:-4, 0]
    n, h, w = images.shape
    return (images.reshape(n, h // 2, 2, w // 2, 2)**2).mean((0, 1, 3))


def unevenness(energies: np.ndarray) -> float:
    """The deviation between energies (2, 2) as a share of their mean: 0 for an even cover, 0.48 for 1 : 2 : 2 : 4."""
    return float(energies.std() / energies.mean())


def power_spectrum(images: np.ndarray) -> np.ndarray:
    """The power at each frequency along rows and columns, from 0 to half a cycle a pixel: (N, H, H, 1) -> (H/2 + 1,).

    Raises InputError for another shape, and an odd height.
    """
    images = _checked("power_spectrum", images, square=True)
    x = (images - images.mean((1, 2), keepdims=True))[..., 0]
    fade = np.hanning(x.shape[1] + 1)[:-1]                        # so that the rim is no edge
    return sum((np.abs(np.fft.rfft(part * fade, axis=-1))**2).mean((0, 1)) for part in (x, x.swapaxes(1, 2)))


def checkerboard(images: np.ndarray) -> float:
    """The power at half a cycle a pixel, every second pixel, against that of somewhat slower changes; (N, H, H, 1).

    In photographs the power falls towards the highest frequency, and this is below 1. Errors are `power_spectrum`'s.
    """
    power = power_spectrum(images)
    return float(power[-2:].mean() / power[-6:-3].mean())


def _checked(name: str, images: np.ndarray, square: bool = False) -> np.ndarray:
    shape = np.shape(images)
    if len(shape) != 4 or shape[3] != 1 or min(shape[1:3]) < 10 or shape[1] % 2 or shape[2] % 2 or (
            square and shape[1] != shape[2]):
        raise InputError(f"{name}: images are (N, H, {'H' if square else 'W'}, 1), H {'' if square else 'and W '}even "
                         f"and 10 or more, not {shape}")
    return images
