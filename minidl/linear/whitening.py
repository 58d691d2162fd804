"""Whitening (slides 5-7): coordinates in which the data have variance 1 in every direction, by PCA or by ZCA."""
from __future__ import annotations

from typing import Any

from minidl.backend import Array, backend_of
from minidl.linear.pca import PCA
from minidl.randomness import Seed, generator
from minidl.rows import (
    check_amount,
    check_choice,
    check_count,
    check_fitted,
    projected,
    rows_of_floats,
    rows_that_meet,
)

KINDS = ("pca", "zca")


class Whitening:
    """A linear map after which the data's covariance is the identity: z = (x - mean) matrix.

    "pca" turns the data to their principal axes and divides each coordinate by its deviation: `PCA(whiten=True)`'s
    code. Any rotation of it is as white; "zca" turns it back to the pixels' axes, z = (x - mean) V' S^-1 V, a
    symmetric matrix, and of all white data these are nearest to the original ones: whitened images still are images.
    `n_components` limits the whitening to the directions of greatest variance; by default it takes all. "pca" leaves
    the others out, "zca" leaves them as they are.

    `eps` is added to the variances: directions of small variance, mostly noise, are not blown up to 1. Without it, a
    direction that has no variance, such as that of a constant feature, is left as it is.

    `fit(x)` learns `mean_` (d,), `matrix_` (d, k), `inverse_` (k, d), where k is n_components for "pca" and d for
    "zca", and `pca_`. The four verbs: `encode` (N, d) -> (N, k), `decode` (N, k) -> (N, d), its inverse, `reconstruct`,
    `sample`. Tensors stay Tensors and can be differentiated.

    Raises InputError for another `kind`, a negative `eps`, and what PCA does not take.

    Source: A. Bell and T. Sejnowski, "The independent components of natural scenes are edge filters", 1997.
    """

    mean_: Array
    matrix_: Array
    inverse_: Array
    pca_: PCA

    def __init__(self, n_components: int | None = None, *, kind: str = "pca", eps: float = 0.0) -> None:
        check_choice("Whitening", "kind", kind, KINDS)
        if n_components is not None:
            n_components = check_count("Whitening", "n_components", n_components)
        self.n_components, self.kind, self.eps = n_components, kind, check_amount("Whitening", "eps", eps)

    def fit(self, x: Any) -> Whitening:
        """Learn the map from rows x (N, d); returns the estimator."""
        x = rows_of_floats("Whitening", x)
        n, d = x.shape
        xp = backend_of(x).xp
        k = self.n_components or max(min(n, d), 1)
        self.pca_ = PCA(k, svd_solver="covariance" if n >= 4 * d else "svd").fit(x)
        self.mean_, axes = self.pca_.mean_, self.pca_.components_
        dtype = axes.dtype
        rounding = d * float(xp.finfo(dtype).eps) * float(self.pca_.explained_variance_[0])
        variances = self.pca_.explained_variance_ + self.eps
        deviations = xp.sqrt(xp.where(variances > rounding, variances, 1)).astype(dtype)
        self.matrix_, self.inverse_ = axes.T / deviations, deviations[:, None] * axes
        if self.kind == "zca":                                  # what is not among the axes goes through as it is
            rest = xp.eye(d, dtype=dtype) - axes.T @ axes
            self.matrix_, self.inverse_ = self.matrix_ @ axes + rest, axes.T @ self.inverse_ + rest
        return self

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """White coordinates: (N, d) -> (N, k)."""
        check_fitted(self, "matrix_")
        return projected("Whitening", x, self.mean_, self.matrix_)

    def decode(self, code: Any) -> Any:
        """The data with these white coordinates: (N, k) -> (N, d)."""
        check_fitted(self, "matrix_")
        return rows_that_meet("Whitening", "decode", code, len(self.inverse_), self.mean_) @ self.inverse_ + self.mean_

    def reconstruct(self, x: Any) -> Any:
        """There and back: x itself where no direction is left out. (N, d) -> (N, d)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Seed) -> Array:
        """n new rows (n, d): white noise, decoded; a Gaussian with the data's mean and covariance."""
        check_fitted(self, "matrix_")
        return self.pca_.sample(n, generator(rng, "Whitening.sample"))

    def __repr__(self) -> str:
        return f"Whitening(n_components={self.n_components}, kind={self.kind!r}, eps={self.eps:g})"
