"""Structural similarity of images, at one scale and at several, and how alike the images of a set are (slides 77-78).

Under a Gaussian window of 11 pixels, whole windows only, two images have means, variances and a covariance. Luminance
compares the means, contrast the rest:

    l = (2 mean_x mean_y + C1) / (mean_x^2 + mean_y^2 + C1),  c = (2 cov_xy + C2) / (var_x + var_y + C2),

with C1 = (.01 data_range)^2 and C2 = (.03 data_range)^2, which keep images of one grey defined: their contrast is 1.
Channels are compared one by one, and averaged at the end.

The sum s and the difference d of the images hold the same: 2 cov_xy = (var_s - var_d) / 2, var_x + var_y = (var_s +
var_d) / 2. So four fields are averaged instead of five, those of s, d and their squares; and where images are nearly
alike the small var_d has all its digits, while a covariance in float32 loses some to its squares. Images in float32
agree with those in float64 to 1e-6; to 1e-5 where areas of one grey are larger than the window.

Sources: Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004; Z. Wang, E.
Simoncelli and A. Bovik, "Multiscale structural similarity for image quality assessment", 2003.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.metrics.images import check_alike, images_of_floats
from minidl.metrics.resampling import Estimate
from minidl.randomness import Seed, generator
from minidl.rows import check_amount, check_count, slices

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)      # of the five scales, finest first: the paper's
WINDOW = 11
_PIXELS = 2**16                                          # of images that are looked at together
_TOGETHER = 16                                           # places of a window that are one matrix product


def ssim(x: Any, y: Any, *, data_range: float = 1.0) -> Array:
    """Structural similarity of each image of x with that of y: (N, H, W, C) or (N, H, W) -> (N,), float64, at most 1.

    Equal images have 1, an image and its negative less than 0. Values lie in [0, data_range]. Raises InputError for
    sets of different shapes, images smaller than the window of 11 pixels, and values out of range or not finite.
    """
    x, y, data_range = _pairs("ssim", x, y, data_range)
    _check_size("ssim", x, 1)
    return _in_blocks(x, len(x), lambda part: _means(x[part], y[part], data_range, 1)[0].mean(1))


def ms_ssim(x: Any, y: Any, *, data_range: float = 1.0, weights: Sequence[float] = WEIGHTS,
            scales: int | None = None) -> Array:
    """Multi-scale structural similarity of pairs: (N, H, W, C) or (N, H, W) -> (N,), float64, from 0 to 1.

    Images are halved four times, by means of 2 x 2 pixels (an odd last row or column drops out). The result is the
    product of each scale's mean contrast, and at the coarsest of contrast times luminance, raised to the weights. A
    negative one counts as 0, for it has no such powers: pairs that vary against each other are not alike at all. Five
    scales need sides of 176 pixels. For smaller images say `scales`: so many of the finest, the weights made to add up
    to 1. Such numbers compare with others of as many scales alone.

    Raises InputError for what `ssim` does, and for scales that do not fit into the images.
    """
    x, y, data_range = _pairs("ms_ssim", x, y, data_range)
    powers = _powers("ms_ssim", x, weights, scales)
    return _in_blocks(x, len(x), lambda part: _product(x[part], y[part], data_range, powers))


def ms_ssim_within(images: Any, *, pairs: int = 1000, rng: Seed, data_range: float = 1.0,
                   weights: Sequence[float] = WEIGHTS, scales: int | None = None) -> Estimate:
    """How alike the images of a set (N, H, W, C) are: the mean MS-SSIM of random pairs, low if they vary (slide 78).

    The pairs are different ones. The standard error is that of a generator's mean, of which the set is a sample: pairs
    that share an image vary together, and it counts that. Classes differ in how alike their images are: compare with
    the value of real images, of the same classes. Raises InputError for what `ms_ssim` does, and for fewer images than
    have so many pairs: 46 have 1,000.

    Source: A. Odena, C. Olah and J. Shlens, "Conditional image synthesis with auxiliary classifier GANs", 2017.
    """
    rng, pairs = generator(rng, "ms_ssim_within"), check_count("ms_ssim_within", "pairs", pairs, least=2)
    images = images_of_floats("ms_ssim_within", images)
    data_range = _checked_range("ms_ssim_within", images, data_range)
    powers = _powers("ms_ssim_within", images, weights, scales)
    n = len(images)
    if pairs > n * (n - 1) // 2:
        raise InputError(f"ms_ssim_within: {n} images have {n * (n - 1) // 2} pairs, and {pairs} are asked for; give "
                         f"{_later_of(pairs - 1) + 1} images for that, or fewer pairs=")
    # All pairs stand in a row, (1, 0), (2, 0), (2, 1), (3, 0), ...: the k-th begins with the triangular root of k.
    k = rng.choice(n * (n - 1) // 2, pairs, replace=False)
    first = _later_of(k)
    second = k - first * (first - 1) // 2
    a, b = (Device(backend_of(images)).put(i) for i in (first, second))
    found = _in_blocks(images, pairs, lambda part: _product(images[a[part]], images[b[part]], data_range, powers))
    found = backend_of(found).to_host(found)
    return Estimate(float(found.mean()), _standard_error(found, first, second, n))


def _later_of(k: Any) -> Any:
    """The later image of the k-th pair: the largest i with i (i - 1) / 2 <= k."""
    return ((1 + np.sqrt(1 + 8.0 * k)) / 2).astype(np.int64)


def _standard_error(found: np.ndarray, first: np.ndarray, second: np.ndarray, n: int) -> float:
    """Of the mean of pairs of n images: the products of all residuals that share an image, each with itself once.

    Residuals from the sample's own mean are too small: the share that is left is exact where a pair's value is a sum of
    one number for each image.
    """
    residual = found - found.mean()
    by_image = np.bincount(first, residual, n) + np.bincount(second, residual, n)
    alone = (residual**2).sum()
    left = (n - 2) * (n - 3) / (n * (n - 1)) if n > 3 else 1.0
    return float(np.sqrt(max((by_image**2).sum() - alone, alone) / left) / len(residual))


# What is compared -----------------------------------------------------------------------------------------------------


def _pairs(name: str, x: Any, y: Any, data_range: float) -> tuple[Array, Array, float]:
    x, y = images_of_floats(name, x), images_of_floats(name, y)
    check_alike(name, x, y)
    if len(x) != len(y):
        raise InputError(f"{name}: compares x and y image by image, and there are {len(x)} and {len(y)} of them")
    return x, y, max(_checked_range(name, images, data_range) for images in (x, y))


def _checked_range(name: str, images: Array, data_range: float) -> float:
    data_range = check_amount(name, "data_range", data_range, positive=True)
    low, high, slack = float(images.min()), float(images.max()), 1e-5 * data_range
    if low < -slack or high > data_range + slack:
        raise InputError(f"{name}: values lie between 0 and data_range, {data_range:g}, not between {low:g} and "
                         f"{high:g}; bring them there (those of tanh by (x + 1) / 2), or say data_range=255 for bytes")
    return data_range


def _check_size(name: str, x: Array, scales: int) -> None:
    (h, w), fit = x.shape[1:3], 0
    while min(h, w) >> fit >= WINDOW:
        fit += 1
    if not fit:
        raise InputError(f"{name}: its window has {WINDOW} pixels, and images of {h} x {w} are smaller; enlarge them, "
                         "as by md.upsample(x, 2)")
    if scales > fit:
        raise InputError(f"{name}: {scales} scales need sides of {WINDOW * 2**(scales - 1)} pixels, for a window has "
                         f"{WINDOW}; into images of {h} x {w} fit {fit}: say scales={fit}")


def _powers(name: str, x: Array, weights: Sequence[float], scales: int | None) -> list[float]:
    """The weights of the scales that are asked for. Raises InputError unless these fit into the images."""
    if not isinstance(weights, list | tuple) or not weights:
        raise InputError(f"{name}: weights are numbers, one for each scale, not {weights!r:.60}")
    powers = [check_amount(name, "a weight", weight) for weight in weights]
    if scales is not None and check_count(name, "scales", scales) != len(powers):
        if scales > len(powers):
            raise InputError(f"{name}: {scales} scales have as many weights=, not {len(powers)}")
        if not sum(powers[:scales]):
            raise InputError(f"{name}: the first {scales} weights are all 0, and should add up to 1")
        powers = [power / sum(powers[:scales]) for power in powers[:scales]]
    _check_size(name, x, len(powers))
    return powers


def _in_blocks(images: Array, n: int, measure: Callable[[slice], Array]) -> Array:
    """What `measure` finds for n pairs, as many at a time as stay in the cache: (n,)."""
    together = max(1, _PIXELS // (images.size // len(images)))
    return backend_of(images).xp.concatenate([measure(part) for part in slices(n, together)])


# How they are compared ------------------------------------------------------------------------------------------------


def _product(x: Array, y: Array, data_range: float, powers: list[float]) -> Array:
    """MS-SSIM: (n, H, W, C) -> (n,)."""
    xp, product = backend_of(x).xp, backend_of(x).xp.ones(1)
    for mean, power in zip(_means(x, y, data_range, len(powers)), powers, strict=True):
        product = product * xp.maximum(mean, 0.0)**power
    return product.mean(1)


def _means(x: Array, y: Array, data_range: float, scales: int) -> list[Array]:
    """Each scale's mean contrast, at the last one times luminance: (n, H, W, C) -> (n, C), float64, for each."""
    xp = backend_of(x).xp
    x, y = (images.transpose(0, 3, 1, 2) for images in (x, y))
    fields = xp.stack([x + y, x - y])                               # (2, n, C, H, W)
    level = fields.mean((3, 4), keepdims=True)
    fields -= level                                                 # variances know none, and keep their digits
    band, found = _band(x), []
    for scale in range(scales):
        if scale:
            fields = _halved(fields)
        both = xp.empty((4, *fields.shape[1:]), fields.dtype)
        both[:2] = fields
        xp.multiply(fields, fields, out=both[2:])
        local = _windowed(xp, both, band)
        mean, variance = local[:2], local[2:]
        variance -= mean * mean
        similar = _share(variance, (0.03 * data_range)**2)
        if scale == scales - 1:
            mean += level
            mean *= mean
            similar *= _share(mean, (0.01 * data_range)**2)
        found.append(similar.mean((2, 3)).astype(np.float64))
    return found


def _halved(fields: Array) -> Array:
    """Means of 2 x 2 pixels: (..., H, W) -> (..., H // 2, W // 2)."""
    h, w = (side // 2 * 2 for side in fields.shape[-2:])
    rows = fields[..., :h:2, :] + fields[..., 1:h:2, :]
    rows *= 0.25
    return rows[..., :w:2] + rows[..., 1:w:2]


def _share(squares: Array, constant: float) -> Array:
    """(s - d + 2 C) / (s + d + 2 C) of the sum's and the difference's squares: (2, ...) -> (...)."""
    s, d = squares
    above = s - d
    above += 2 * constant
    s += d
    s += 2 * constant
    above /= s
    return above


def _band(x: Array) -> Array:
    """A column for each of some neighbouring places of the window: (places + 10, places).

    In float32 a window's numbers are multiples of 2^-24 that add up to 1 exactly: else bright images of one grey would
    have some variance.
    """
    window = np.exp(-(np.arange(WINDOW) - WINDOW // 2)**2 / (2 * 1.5**2))
    window /= window.sum()
    if x.dtype == np.float32:
        window = np.round(window * 2**24) / 2**24
        window[WINDOW // 2] += 1 - window.sum()
    band = np.zeros((_TOGETHER + WINDOW - 1, _TOGETHER), x.dtype)
    for place in range(_TOGETHER):
        band[place:place + WINDOW, place] = window
    return Device(backend_of(x)).put(band)


def _windowed(xp: Any, fields: Array, band: Array) -> Array:
    """Means of fields under the window: (..., H, W) -> (..., H - 10, W - 10).

    A band matrix for all places would be mostly zeros, so a product takes some neighbouring places.
    """
    (*more, h, w), over = fields.shape, WINDOW - 1
    across = xp.empty((*more, h, w - over), fields.dtype)
    for part in slices(w - over, _TOGETHER):
        places = part.stop - part.start
        xp.matmul(fields[..., part.start:part.stop + over], band[:places + over, :places], out=across[..., part])
    found = xp.empty((*more, h - over, w - over), fields.dtype)
    for part in slices(h - over, _TOGETHER):
        places = part.stop - part.start
        xp.matmul(band[:places + over, :places].T, across[..., part.start:part.stop + over, :],
                  out=found[..., part, :])
    return found
