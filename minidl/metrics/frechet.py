"""How far two sets of features are apart, each taken for one Gaussian: the Fréchet distance (slides 75-77)."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.linear.pca import triangle
from minidl.rows import blocks, rows_of_floats


def frechet_distance(a: Any, b: Any) -> float:
    """The squared Fréchet distance between the Gaussians of two sets of features, (N, d) and (M, d): 0 or more.

    |mean a - mean b|^2 + tr(A + B - 2 (A B)^1/2), with covariances that divide by N - 1 and M - 1 (ddof 1). Of
    Inception's features it is the FID; of another network's it bears that one's name. Numbers of different networks
    cannot be compared, nor those of different numbers of images: with few of them it is too large, also between two
    halves of one set. Say that floor beside it.

    All is computed in float64. tr (A B)^1/2 is the sum of the roots of the eigenvalues of L' B L, with A = L L'
    (Cholesky). Where these are so small that rounding could show in their roots, as where a covariance is singular, it
    is the nuclear norm of the product of the two sets' triangles (QR), which is exact also for fewer rows than d.
    Covariances and triangles are added up on the features' device; what is d x d is decomposed on the host.

    Raises InputError for sets of different widths, fewer than two rows, and values that are not finite.

    Source: M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017,
    section 3; D. Dowson and B. Landau, "The Fréchet distance between multivariate normal distributions", 1982.
    """
    a, b = (rows_of_floats("frechet_distance", x) for x in (a, b))
    if a.shape[1] != b.shape[1] or not a.shape[1] or min(len(a), len(b)) < 2:
        raise InputError("frechet_distance: compares two sets of rows of one length, two rows each or more, not "
                         f"{a.shape} and {b.shape}")
    with np.errstate(invalid="ignore", over="ignore"):                 # the sentence below says it
        means = [x.mean(0, dtype=np.float64) for x in (a, b)]
        covariances = [_on_host(_scatter(x, mean)) / (len(x) - 1) for x, mean in zip((a, b), means, strict=True)]
        between = float(((_on_host(means[0]) - _on_host(means[1]))**2).sum())
        within = float(np.trace(covariances[0]) + np.trace(covariances[1]))
    if not math.isfinite(between + within):
        raise InputError("frechet_distance: the features hold values that are not finite, or so large that their "
                         "squares are not; replace or drop them")
    shared = _by_eigenvalues(covariances[0], covariances[1], within)
    if shared is None:
        one, other = (_on_host(_triangle(x, mean)) / math.sqrt(len(x) - 1) for x, mean in zip((a, b), means,
                                                                                             strict=True))
        shared = float(np.linalg.svd(one @ other.T, compute_uv=False).sum())
    return max(0.0, between + within - 2 * shared)


def _scatter(x: Array, mean: Array) -> Array:
    """The sum of (x - mean)(x - mean)': (N, d) -> (d, d)."""
    total = backend_of(x).xp.zeros((len(mean), len(mean)), np.float64)
    for block in blocks(x):
        centred = block - mean
        total += centred.T @ centred
    return total


def _by_eigenvalues(a: np.ndarray, b: np.ndarray, within: float) -> float | None:
    """tr (A B)^1/2, or None where rounding might change it by more than a hundred-millionth of the variance."""
    try:
        root = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return None
    values = np.maximum(np.linalg.eigvalsh(root.T @ b @ root), 0.0)
    rounding = math.sqrt(len(a)) * np.finfo(np.float64).eps * values[-1]
    doubt = np.sqrt(values + rounding) - np.sqrt(np.maximum(values - rounding, 0.0))
    return float(np.sqrt(values).sum()) if doubt.sum() <= 1e-8 * within else None


def _triangle(x: Array, mean: Array) -> Array:
    """Rows (d or fewer, d) with the same products as the centred rows of x."""
    return triangle(backend_of(x).xp, (block - mean for block in blocks(x)))


def _on_host(array: Any) -> np.ndarray:
    return backend_of(array).to_host(array)
