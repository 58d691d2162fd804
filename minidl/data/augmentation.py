"""Data augmentation: new training images from old ones, by changes that leave their meaning as it is.

Each function takes a batch of images x (N, H, W, C) and `rng`, an int, a Generator or a RandomStream, and returns a new
batch of the same shape, dtype and device; every image gets its own change. They are composed as functions are, and
handed to the loader, which gives them its Generator:

    def augment(x, rng):
        x = augmentation.rotate(x, rng, degrees=10)
        return augmentation.shift(x, rng, pixels=2)

    data.Loader(x_train, y_train, batch_size=128, rng=rng, augment=augment)

What is drawn is drawn on the host, so that a run on any device can be resumed exactly; the images are changed where
they are. Only `rotate_by` draws nothing: it is told the angles.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minidl.arguments import plain_array
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.randomness import Seed, generator
from minidl.rows import array_of, check_amount, check_count


def shift(x: Array, rng: Seed, *, pixels: int) -> Array:
    """Move each image by up to so many whole pixels, down or up and right or left; zeros come in from outside.

    (N, H, W, C) -> (N, H, W, C). Raises InputError for x that is no batch of float images, and pixels below 0.
    """
    x = _images("shift", x)
    n, h, w, c = x.shape
    pixels = check_count("shift", "pixels", pixels, least=0)
    put, xp = backend_of(x).from_host, backend_of(x).xp
    down, right = generator(rng, "shift").integers(0, 2 * pixels + 1, size=(2, n))
    rows = _with_border(x, pixels, pixels)
    windows = xp.lib.stride_tricks.sliding_window_view(rows, (h, w * c), axis=(1, 2))    # (N, 2p + 1, 2pC + 1, H, W*C)
    return windows[xp.arange(n), put(down), put(right * c)].reshape(x.shape)


def shift_by(x: Array, down: int, right: int) -> Array:
    """Move all images by so many whole pixels, up or left if below 0; zeros come in from outside.

    (N, H, W, C) -> (N, H, W, C). Raises InputError for x that is no batch of float images.
    """
    x = _images("shift_by", x)
    _, h, w, _ = x.shape
    if not all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in (down, right)):
        raise InputError(f"shift_by: down and right are whole numbers, not {down!r:.60} and {right!r:.60}")
    down, right = min(max(down, -h), h), min(max(right, -w), w)
    moved = backend_of(x).xp.zeros_like(x)
    moved[:, max(down, 0):h + min(down, 0), max(right, 0):w + min(right, 0)] = \
        x[:, max(-down, 0):h + min(-down, 0), max(-right, 0):w + min(-right, 0)]
    return moved


def rotate(x: Array, rng: Seed, *, degrees: float) -> Array:
    """Turn each image about its centre by up to so many degrees either way, as `rotate_by` does.

    (N, H, W, C) -> (N, H, W, C). Raises InputError for x that is no batch of float images.
    """
    x, degrees = _images("rotate", x), check_amount("rotate", "degrees", degrees)
    return rotate_by(x, generator(rng, "rotate").uniform(-degrees, degrees, len(x)))


def rotate_by(x: Array, degrees: ArrayLike, *, zoom: ArrayLike = 1.0) -> Array:
    """Turn each image about its centre, anticlockwise, and make it `zoom` times as large; zeros come in from outside.

    `degrees` and `zoom`: a number, or one for each image, (N,), on the host. A pixel of the result lies between four of
    the image, and is their bilinear interpolation: (N, H, W, C) -> (N, H, W, C). Raises InputError for another number
    of angles or sizes, for a size that is not above 0, and for x that is no batch of float images.
    """
    x = _images("rotate_by", x)
    n, h, w, c = x.shape
    put, xp = backend_of(x).from_host, backend_of(x).xp
    try:
        angle, size = (np.asarray(plain_array("rotate_by", a), np.float64) for a in (degrees, zoom))
    except TypeError as error:
        raise InputError(f"rotate_by: degrees and zoom are numbers on the host ({error})") from None
    if any(a.shape not in ((), (n,)) or not np.isfinite(a).all() for a in (angle, size)) or not np.all(size > 0):
        raise InputError(f"rotate_by: {n} images take finite degrees and a zoom above 0, a number or {n} of each; "
                         f"degrees has shape {angle.shape}, zoom {size.shape}, the least {size.min(initial=np.inf):g}")
    if not x.size:
        return x.copy()
    angle = angle * (np.pi / 180)
    cos, sin = (put((np.broadcast_to(f(angle), n) / size).astype(x.dtype).reshape(n, 1, 1)) for f in (np.cos, np.sin))
    down = xp.arange(h, dtype=x.dtype).reshape(1, h, 1) - (h - 1) / 2                    # from the centre
    right = xp.repeat(xp.arange(w, dtype=x.dtype), c).reshape(1, 1, w * c) - (w - 1) / 2
    # Where each number of the result, (N, H, W*C), comes from: a row and a column within a border of one zero, or two.
    row = xp.clip((cos * down + (h + 1) / 2) + sin * right, 0, h + 1)
    column = xp.clip((cos * right + (w + 1) / 2) - sin * down, 0, w + 1)
    top, left = xp.floor(row), xp.floor(column)
    below, beside = row - top, column - left
    bordered = _with_border(x, 1, 2)
    corner = top.astype(np.int32) * (w + 3)
    corner += left.astype(np.int32)
    corner *= c
    corner += xp.arange(w * c, dtype=np.int32) % c
    corner += xp.arange(n, dtype=np.int32).reshape(n, 1, 1) * bordered[0].size
    numbers, to_next_row = bordered.reshape(-1), (w + 3) * c
    upper, lower = (_between(numbers[start:].take(corner), numbers[start + c:].take(corner), beside)
                    for start in (0, to_next_row))
    return _between(upper, lower, below).reshape(x.shape)


def flip(x: Array, rng: Seed) -> Array:
    """Mirror each image, left to right, with probability 1/2 (not for digits and letters).

    (N, H, W, C) -> (N, H, W, C). Raises InputError for x that is no batch of float images.
    """
    x = _images("flip", x)
    mirrored = backend_of(x).from_host(np.flatnonzero(generator(rng, "flip").random(len(x)) < 0.5))
    y = x.copy()
    y[mirrored] = x[mirrored][:, :, ::-1]
    return y


def noise(x: Array, rng: Seed, *, sd: float) -> Array:
    """Add normal noise of standard deviation `sd` to each number; x may have any shape.

    Raises InputError for an sd below 0, and an x of other numbers than float32 or float64.
    """
    x, sd = plain_array("noise", array_of(x)), check_amount("noise", "the standard deviation sd", sd)
    if x.dtype not in (np.float32, np.float64):
        raise InputError(f"noise: x is {x.dtype}; it takes float32 or float64, x.astype(np.float32)")
    return x + backend_of(x).from_host(generator(rng, "noise").standard_normal(x.shape, dtype=x.dtype)) * sd


def mixup(x: Array, y: Array, rng: Seed, *, alpha: float) -> tuple[Array, Array]:
    """Mix each example with another one of the batch: s x + (1 - s) x' and s y + (1 - s) y'.

    x (N, ...), and y (N, ...) of floats: distributions over classes, as `cross_entropy` takes them, or any numbers.
    The batch has one s, drawn from Beta(alpha, alpha). `data.Loader(mixup=alpha, classes=10)` does this to labels.
    Raises InputError for an alpha that is not above 0, a y of other numbers than floats, and of another length than x.

    Source: H. Zhang et al., "mixup: Beyond empirical risk minimization", 2018.
    """
    x, y = (plain_array("mixup", array_of(a)) for a in (x, y))
    if y.dtype.kind != "f" or x.shape[:1] != y.shape[:1] or not x.ndim:
        raise InputError(f"mixup: x {x.shape} and y {y.shape} of {y.dtype}: it mixes targets of floats, one for each "
                         "x; turn labels into rows by md.one_hot, or let data.Loader(mixup=, classes=) do it")
    alpha = check_amount("mixup", "alpha", alpha, positive=True)
    rng = generator(rng, "mixup")
    share = float(rng.beta(alpha, alpha))
    partner = backend_of(x).from_host(rng.permutation(len(x)))
    x_mixed, y_mixed = (a * share + a.take(partner, axis=0) * (1.0 - share) for a in (x, y))
    return x_mixed, y_mixed


def _between(a: Array, b: Array, share: Array) -> Array:
    """a + (b - a) * share, in b's memory."""
    b -= a
    b *= share
    b += a
    return b


def _with_border(x: Array, before: int, after: int) -> Array:
    """Rows of numbers with zeros around: (N, H, W, C) -> (N, before + H + after, (before + W + after) * C)."""
    n, h, w, c = x.shape
    y = backend_of(x).xp.zeros((n, h + before + after, w + before + after, c), dtype=x.dtype)
    y[:, before:before + h, before:before + w] = x
    return y.reshape(n, y.shape[1], y.shape[2] * c)


def _images(name: str, x: Any) -> Array:
    """x (N, H, W, C), as an array of floats."""
    x = plain_array(name, array_of(x))
    if x.ndim != 4 or x.dtype.kind != "f":
        raise InputError(f"{name}: x is {x.dtype} of shape {x.shape}; it takes floats of shape (N, H, W, C), a batch "
                         "of images as `data.load` gives them, without `flat()`")
    return x
