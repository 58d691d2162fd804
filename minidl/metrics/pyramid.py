"""Laplacian pyramids, and patches of their levels: an image as what each scale adds to the coarser ones (slide 79).

Source: P. Burt and E. Adelson, "The Laplacian pyramid as a compact image code", 1983.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.metrics.images import images_of_floats
from minidl.randomness import Seed, generator
from minidl.rows import blocks, check_count, mean_row

_WINDOW = np.array([1, 4, 6, 4, 1]) / 16              # the binomial window of Burt and Adelson, and of OpenCV's pyrDown


def laplacian_pyramid(images: Any, levels: int) -> list[Array]:
    """What each scale adds, finest first: images (N, H, W, C) -> `levels` arrays (N, H / 2^i, W / 2^i, C).

    An image is blurred and every second row and column kept; the level is what the half-sized image, enlarged again,
    lacks. The last is the smallest image itself. Odd sides become (side + 1) / 2, borders mirror. Raises InputError for
    more levels than the images have halves.
    """
    images = images_of_floats("laplacian_pyramid", images)
    check_count("laplacian_pyramid", "levels", levels)
    most = 1 + math.ceil(math.log2(min(images.shape[1:3])))
    if levels > most:
        raise InputError(f"laplacian_pyramid: images of {images.shape[1]} x {images.shape[2]} have at most {most} "
                         f"levels, the last with a side of one pixel, not {levels}")
    pyramid = [images]
    for _ in range(levels - 1):
        image = pyramid.pop()
        half = _halved(image)
        pyramid += [image - _enlarged(half, image.shape), half]
    return pyramid


def collapse_pyramid(pyramid: Sequence[Array]) -> Array:
    """The images of a Laplacian pyramid, equal to the original ones but for rounding: (N, H, W, C).

    Raises InputError for what is no pyramid.
    """
    if not isinstance(pyramid, list | tuple) or not pyramid:
        raise InputError("collapse_pyramid: takes the list of levels that laplacian_pyramid gives, finest first, not "
                         f"{pyramid!r:.60}")
    *finer, image = (images_of_floats("collapse_pyramid", level) for level in pyramid)
    for level in reversed(finer):
        n, h, w, c = level.shape
        if image.shape != (n, (h + 1) // 2, (w + 1) // 2, c):
            raise InputError(f"collapse_pyramid: a level of shape {level.shape} stands above one of half its size, not "
                             f"{image.shape}")
        image = level + _enlarged(image, level.shape)
    return image


def random_patches(images: Any, n: int, *, size: int = 7, rng: Seed) -> Array:
    """n random squares of each image, anywhere within: (N, H, W, C) -> (N n, size, size, C), image after image.

    Raises InputError for squares that do not fit in.
    """
    rng, images = generator(rng, "random_patches"), images_of_floats("random_patches", images)
    count, (h, w) = len(images) * check_count("random_patches", "n", n), images.shape[1:3]
    if check_count("random_patches", "size", size) > min(h, w):
        raise InputError(f"random_patches: squares of {size} pixels do not fit into images of {h} x {w}")
    return patches_at(images, rng.integers(h - size + 1, size=count), rng.integers(w - size + 1, size=count), size)


def patches_at(images: Array, rows: np.ndarray, columns: np.ndarray, size: int) -> Array:
    """Squares with their upper left corners at rows (N n,) and columns (N n,), n of each image, image after image.

    images (N, H, W, C) -> (N n, size, size, C). The corners are on the host.
    """
    xp, (n, _, w, c) = backend_of(images).xp, images.shape
    lines = images.reshape(n, -1, w * c)
    windows = xp.lib.stride_tricks.sliding_window_view(lines, (size, size * c), axis=(1, 2))   # starts at any channel
    here = Device(backend_of(images))
    image = here.put(np.arange(n).repeat(len(rows) // n))
    return windows[image, here.put(rows), here.put(columns * c)].reshape(len(rows), size, size, c)


def normalized_patches(patches: Array, *, least: float = 0.0) -> Array:
    """Each channel less its mean over all patches, by its standard deviation: (n, h, w, C) -> rows (n, h w C).

    A channel whose deviation is not above `least` becomes zeros.
    """
    xp, (n, h, w, c) = backend_of(patches).xp, patches.shape
    rows = patches.reshape(n, h * w * c)

    def of_channels(columns: Array) -> Array:                      # (h w C,) -> (C,)
        return columns.reshape(h * w, c).mean(0)

    rows = rows - xp.tile(of_channels(mean_row(xp, rows)), h * w)
    squares = sum(xp.einsum("nd,nd->d", block, block).astype(np.float64) for block in blocks(rows))
    deviation = xp.sqrt(of_channels(squares) / n)
    varies = deviation > least
    rows *= xp.tile(varies / xp.where(varies, deviation, 1.0), h * w).astype(rows.dtype)
    return rows


def _halved(images: Array) -> Array:
    """Blurred, and every second row and column kept: (N, H, W, C) -> (N, (H + 1) // 2, (W + 1) // 2, C)."""
    return _along_both_sides(images, [_blur(side)[::2] for side in images.shape[1:3]])


def _enlarged(half: Array, shape: tuple[int, ...]) -> Array:
    """At the size of `shape`, (N, H, W, C): three zeros to each pixel, blurred."""
    return _along_both_sides(half, [2 * _blur(side)[:, ::2] for side in shape[1:3]])


def _blur(side: int) -> np.ndarray:
    """The matrix that blurs a row of pixels, mirrored at its ends: (side, side)."""
    matrix, places = np.zeros((side, side)), np.pad(np.arange(side), 2, "reflect")
    for i, share in enumerate(_WINDOW):
        np.add.at(matrix, (np.arange(side), places[i:i + side]), share)
    return matrix


def _along_both_sides(x: Array, matrices: list[np.ndarray]) -> Array:
    """A matrix (H', H) times the columns and one (W', W) times the rows: (N, H, W, C) -> (N, H', W', C)."""
    for matrix in matrices:
        n, side, other, c = x.shape
        here = Device(backend_of(x)).put(matrix.astype(x.dtype))
        x = (here @ x.reshape(n, side, other * c)).reshape(n, len(here), other, c).swapaxes(1, 2)
    return backend_of(x).xp.ascontiguousarray(x)
