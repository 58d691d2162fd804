"""The Wasserstein distance: exact in one dimension, sliced in more, and of images' patches, scale by scale.

In one dimension the cheapest way to carry one heap of sand to another keeps the grains' order, so sorting tells what it
costs. Points in more dimensions are projected on random directions, and the distances of their shadows averaged.

Sources: J. Rabin et al., "Wasserstein barycenter and its application to texture mixing", 2011; T. Karras et al.,
"Progressive growing of GANs for improved quality, stability, and variation", 2018, section 5, and its published code.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.metrics.images import check_alike, images_of_floats
from minidl.metrics.pyramid import laplacian_pyramid, normalized_patches, random_patches
from minidl.randomness import Seed, generator
from minidl.rows import array_of, check_count, rows_of_floats, slices

_NUMBERS = 2**22           # in a block of projections: two of them are compared at a time
_SMALLEST = 16             # the side at which a pyramid ends, as in the ProGAN paper
_FEWEST = 10               # images in a set


class SWD(NamedTuple):
    """Sliced Wasserstein distances times 1,000: of each scale, by the height of its images, and their mean."""

    scales: dict[int, float]
    mean: float


def wasserstein_1d(a: Any, b: Any) -> float:
    """The earth mover's distance between two samples of numbers, (n,) and (m,): exact, computed in float64.

    It is the area between their distribution functions. Raises InputError for other shapes, empty samples, samples on
    different devices, and values that are not finite.

    Source: slides 53-54; L. Vaserstein, "Markov processes over denumerable products of spaces", 1969.
    """
    a, b = (plain_array("wasserstein_1d", array_of(sample)) for sample in (a, b))
    if a.ndim != 1 or b.ndim != 1:
        raise InputError(f"wasserstein_1d: takes two samples of numbers, (n,) and (m,), not {a.shape!r:.60} and "
                         f"{b.shape!r:.60}; sliced_wasserstein takes rows")
    a, b = _point_sets("wasserstein_1d", a[:, None].astype(np.float64), b[:, None].astype(np.float64))
    return float(_between(a.reshape(1, -1), b.reshape(1, -1))[0])


def sliced_wasserstein(a: Any, b: Any, *, directions: int = 512, rng: Seed) -> float:
    """The mean over random directions of the distance between what two sets of points, (n, d) and (m, d), project to.

    For Gaussians of one covariance it tends to |mean difference| times E|u_1|, u a direction: that is how it shrinks
    with d. Its error falls as 1 / sqrt(directions). Raises InputError for what `wasserstein_along` does.
    """
    rng, a = generator(rng, "sliced_wasserstein"), rows_of_floats("sliced_wasserstein", a)
    check_count("sliced_wasserstein", "directions", directions)
    if not a.size:
        raise InputError(f"sliced_wasserstein: a is empty, of shape {a.shape}; give it points to compare")
    return wasserstein_along(a, b, rng.standard_normal((a.shape[1], directions)))


def wasserstein_along(a: Any, b: Any, directions: Any) -> float:
    """The mean distance between what the points (n, d) and (m, d) project to along each column of directions (d, P).

    The columns count as unit vectors, whatever their lengths. Raises InputError for points of different dimensions or
    devices, none, values that are not finite, and a column of zeros.
    """
    a, b = _point_sets("wasserstein_along", a, b)
    xp, here = backend_of(a).xp, Device(backend_of(a))
    directions = rows_of_floats("wasserstein_along", directions)
    directions = here.put(backend_of(directions).to_host(directions).astype(np.float64))
    lengths = xp.sqrt((directions**2).sum(0))
    if len(directions) != a.shape[1] or not directions.size or not bool((xp.isfinite(lengths) & (lengths > 0)).all()):
        raise InputError(f"wasserstein_along: directions (d, P) are columns of {a.shape[1]} finite numbers, not all 0; "
                         f"these have shape {directions.shape}")
    axes = (directions / lengths).T.astype(a.dtype)
    return float(xp.concatenate([_between(axes[part] @ a.T, axes[part] @ b.T)
                                 for part in slices(len(axes), max(1, _NUMBERS // max(len(a), len(b))))]).mean())


def swd(real: Any, generated: Any, *, patches: int = 128, size: int = 7, directions: int = 512,
        levels: int | None = None, rng: Seed) -> SWD:
    """The sliced Wasserstein distance of generated images (M, H, W, C) from real ones (N, H, W, C), per scale, x 1,000.

    Slide 80: each image has a Laplacian pyramid; of each level `patches` random squares of `size` pixels are taken,
    each set's channels brought to mean 0 and deviation 1, and the squares compared as points. Fine levels tell of
    texture, the coarsest of large structure. Colours and contrasts that are wrong alike everywhere are not seen. A
    channel without any variance becomes zeros, which lie some 800 away from what varies.

    Pyramids end at a side of 16 (a smaller image is a single level); `levels` sets another number, as long as a square
    fits into the coarsest. Two halves of the real images are not 0 apart either: print that floor beside it; it falls
    as 1 / sqrt(N), and the paper takes 8,192 images. Images of different numbers can be compared, their values lie in
    any range. Raises InputError for sets of images that differ in size, fewer than 10 images in a set, values that are
    not finite, and squares that do not fit in.
    """
    rng = generator(rng, "swd")
    real, generated = images_of_floats("swd", real), images_of_floats("swd", generated)
    check_alike("swd", real, generated)
    if (fewest := min(len(real), len(generated))) < _FEWEST:
        raise InputError(f"swd: {fewest} images stand for no distribution; give {_FEWEST} a set at the least, and for "
                         "two stable digits 1,000 or more")
    levels = _levels(real, size, levels)
    found = {}
    for ours, theirs in zip(laplacian_pyramid(real, levels), laplacian_pyramid(generated, levels), strict=True):
        points = [normalized_patches(random_patches(level, patches, size=size, rng=rng), least=_rounding(images))
                  for level, images in ((ours, real), (theirs, generated))]
        found[ours.shape[1]] = 1000 * sliced_wasserstein(*points, directions=directions, rng=rng)
    return SWD(found, float(np.mean(list(found.values()))))


def _levels(images: Array, size: int, levels: int | None) -> int:
    """So many levels as asked for, or as have a side of 16 or more. Raises InputError where a patch does not fit in."""
    check_count("swd", "size", size)
    sides = [min(images.shape[1:3])]
    while sides[-1] > 1:
        sides.append((sides[-1] + 1) // 2)
    fit = sum(side >= size for side in sides)
    if not fit:
        raise InputError(f"swd: squares of {size} pixels do not fit into images of {images.shape[1]} x "
                         f"{images.shape[2]}; take a smaller size=")
    if levels is None:
        return max(1, sum(side >= max(size, _SMALLEST) for side in sides))
    if check_count("swd", "levels", levels) > fit:
        raise InputError(f"swd: squares of {size} pixels fit into {fit} levels of images of {images.shape[1]} x "
                         f"{images.shape[2]}, not into {levels}; take fewer levels= or a smaller size=")
    return levels


def _rounding(images: Array) -> float:
    """A deviation that is nothing but rounding: that of the levels of images of one grey."""
    xp = backend_of(images).xp
    return 8 * float(xp.finfo(images.dtype).eps) * float(xp.abs(images).max())


def _point_sets(name: str, a: Any, b: Any) -> tuple[Array, Array]:
    a, b = rows_of_floats(name, a), rows_of_floats(name, b)
    if not a.size or not b.size or a.shape[1] != b.shape[1]:
        raise InputError(f"{name}: two sets of points have one dimension, (n, d) and (m, d), and one point each at the "
                         f"least; these are {a.shape} and {b.shape}")
    if backend_of(a) is not backend_of(b):
        raise InputError(f"{name}: the sets are on {backend_of(a).name!r} and {backend_of(b).name!r}; bring them "
                         "together with Device(...).put(x)")
    xp = backend_of(a).xp
    if not xp.isfinite(a).all() or not xp.isfinite(b).all():
        raise InputError(f"{name}: the points hold values that are not finite; replace or drop them")
    if a.dtype != b.dtype:
        a, b = a.astype(np.float64), b.astype(np.float64)
    return a, b


def _between(a: Array, b: Array) -> Array:
    """The distance of each row of numbers, (P, n), from that of b, (P, m): (P,), float64. It sorts both in place.

    With n = m the i-th smallest go to the i-th smallest. Else both are steps: the quantiles from 0 to 1 are cut where
    either jumps, at the multiples of 1/n and of 1/m, counted in units of 1/(n m) so that nothing is rounded.
    """
    xp, n, m = backend_of(a).xp, a.shape[1], b.shape[1]
    a.sort(axis=1)
    b.sort(axis=1)
    if n == m:
        a -= b
        return xp.abs(a, out=a).mean(1).astype(np.float64)
    ends = xp.unique(xp.concatenate([xp.arange(1, n + 1) * m, xp.arange(1, m + 1) * n]))
    starts = xp.concatenate([xp.zeros(1, ends.dtype), ends[:-1]])
    return xp.abs(a[:, starts // m] - b[:, starts // n]) @ ((ends - starts) / (n * m))
