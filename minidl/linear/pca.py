"""Principal component analysis (slides 5-7): the subspace from which data are reconstructed with the least error."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.randomness import Seed, generator
from minidl.rows import (
    BLOCK,
    blocks,
    check_choice,
    check_count,
    check_fitted,
    dwarfs,
    mean_row,
    projected,
    rows_of_floats,
    rows_that_meet,
    square,
)

SOLVERS = ("auto", "svd", "covariance", "randomized")
_OVERSAMPLE = 10           # directions carried along beyond the k that are wanted


class PCA:
    """The k directions of greatest variance: slide 5's subspace, found by a singular value decomposition.

    `fit(x)` learns from rows x (N, d), arrays or Tensors of floats on any device:

    | attribute | shape | what it is |
    |---|---|---|
    | components_ | (k, d) | orthonormal rows, by falling variance; each one's largest entry is positive |
    | mean_ | (d,) | the mean of the rows |
    | explained_variance_ | (k,) | variance along each component, with N - 1 |
    | explained_variance_ratio_ | (k,) | its share of the total variance |
    | singular_values_ | (k,) | of the centred data: sqrt((N - 1) explained_variance_) |
    | noise_variance_ | number | mean variance of the directions left out |
    | solver_ | name | which solver did it |

    `svd_solver`: "svd" decomposes the centred data; "covariance" the (d, d) covariance, much faster for tall data, but
    variances below about 1e-7 (float32) or 1e-16 (float64) of the greatest are lost in rounding; "randomized" iterates
    a random subspace with `power_iterations` rounds, for data both tall and wide of which few components are wanted;
    "auto" chooses by the shape. `rng`, an int, a Generator or a RandomStream, is what the last two start from.

    With `whiten` each code coordinate has variance 1; a direction that has no variance but for rounding, such as one
    beyond the rank of the data, is left as it is, and its coordinate is about 0.

    The four verbs: `encode` (N, d) -> (N, k), `decode` (N, k) -> (N, d), `reconstruct`, `sample`. Arrays of another
    dtype are converted to that of the fit; Tensors stay Tensors and can be differentiated.

    Rows of float32 whose squares it cannot hold (of values such as 1e20 or 1e-20) are computed in float64, and so are
    the results. Raises InputError for k outside 1..min(N, d), fewer than two rows, values that are not finite or whose
    squares in float64 are not, settings of another kind, another number of features than at the fit, data on another
    device, and a verb before `fit`.
    """

    components_: Array
    mean_: Array
    explained_variance_: Array
    explained_variance_ratio_: Array
    singular_values_: Array
    noise_variance_: float
    solver_: str

    def __init__(self, n_components: int, *, svd_solver: str = "auto", whiten: bool = False,
                 power_iterations: int = 8, rng: Seed = 0) -> None:
        n_components = check_count("PCA", "n_components", n_components)
        check_choice("PCA", "svd_solver", svd_solver, SOLVERS)
        check_choice("PCA", "whiten", whiten, (False, True))
        self.power_iterations = check_count("PCA", "power_iterations", power_iterations, least=0)
        generator(rng, "PCA")                    # refuses here what fit would
        self.n_components, self.svd_solver, self.whiten = n_components, svd_solver, bool(whiten)
        self.rng = rng

    def fit(self, x: Any) -> PCA:
        """Learn mean and components from rows x (N, d); returns the estimator."""
        x = rows_of_floats("PCA", x)
        n, d = x.shape
        xp, k = backend_of(x).xp, self.n_components
        if n < 2 or k > min(n, d):
            raise InputError(f"PCA: {k} components need at least {max(k, 2)} rows and {k} features; x has shape "
                             f"{x.shape}: give more data or n_components up to {min(n, d)}")
        self.solver_ = _choose(n, d, k) if self.svd_solver == "auto" else self.svd_solver
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                return self._fit(xp, x)
        except (OverflowError, np.linalg.LinAlgError):
            if x.dtype == np.float32:
                return self.fit(x.astype(np.float64))                 # whose squares may be finite, and above 0
            raise InputError("PCA: the data hold values that are not finite, or so large that their squares are not; "
                             "replace or drop them before the fit") from None

    def _fit(self, xp: Any, x: Array) -> PCA:
        (n, d), k = x.shape, self.n_components
        self.mean_ = mean_row(xp, x)
        if not xp.isfinite(self.mean_).all():
            raise OverflowError
        variances, axes, total = getattr(self, f"_{self.solver_}")(xp, x)
        info = xp.finfo(x.dtype)
        if not total < float(info.max) or total < float(info.tiny) / float(info.eps) and (x != x[0]).any():
            raise OverflowError                     # or what counts beside the greatest variance is no normal number
        # What rounding leaves of a direction without variance, in proportion to the greatest: of a singular value for
        # "svd", of a variance for "covariance".
        eps = float(xp.finfo(x.dtype).eps)
        rounding = d * eps if self.solver_ == "covariance" else (max(n, d) * eps)**2
        self._least_variance = rounding * float(variances[0])
        self.components_ = _with_signs(xp, axes).astype(x.dtype)
        self.explained_variance_ = variances.astype(x.dtype)
        self.explained_variance_ratio_ = (variances / (total or 1.0)).astype(x.dtype)
        self.singular_values_ = xp.sqrt(variances * (n - 1)).astype(x.dtype)
        self.noise_variance_ = max(total - float(variances.sum()), 0.0) / max(min(n, d) - k, 1)
        return self

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """Coordinates in the subspace: z = (x - mean) V', divided by the deviations if whitened. (N, d) -> (N, k)."""
        check_fitted(self, "components_")
        z = projected("PCA", x, self.mean_, self.components_.T)
        return z / self._deviations() if self.whiten else z

    def decode(self, code: Any) -> Any:
        """The point of the subspace with these coordinates: x = mean + z V. (N, k) -> (N, d)."""
        check_fitted(self, "components_")
        code = rows_that_meet("PCA", "decode", code, len(self.components_), self.mean_)
        return (code * self._deviations() if self.whiten else code) @ self.components_ + self.mean_

    def reconstruct(self, x: Any) -> Any:
        """The nearest point of the subspace: (N, d) -> (N, d)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Seed) -> Array:
        """n new rows (n, d): codes drawn from a Gaussian with the learned variances, decoded (slide 7).

        They lie in the subspace: the noise of the directions left out is not added.
        """
        check_fitted(self, "components_")
        n = check_count("PCA", "n", n, least=0)
        noise = generator(rng, "PCA.sample").standard_normal((n, self.n_components))
        xp = backend_of(self.mean_).xp
        code = Device(backend_of(self.mean_)).put(noise.astype(self.mean_.dtype)) * xp.sqrt(self.explained_variance_)
        return self.decode(code / self._deviations() if self.whiten else code)

    # The solvers: each returns the k greatest variances, their directions as rows, and the total variance -------------

    def _svd(self, xp: Any, x: Array) -> tuple[Array, Array, float]:
        n, d = x.shape
        if n < 4 * d:
            x = x - self.mean_
            x -= x.mean(0)                 # what rounding has left of the mean
            _, s, vt = xp.linalg.svd(x, full_matrices=False)
        else:                              # tall: the same singular values and right vectors from a (d, d) matrix
            rest: Any = sum((block - self.mean_).sum(0) for block in blocks(x)) / n
            parts = (block.astype(np.float64) - self.mean_ - rest for block in blocks(x, 4 * d))
            if x.dtype == np.float32:      # its squares fit float64: their roots are exact to float32's last digit
                squares, axes = xp.linalg.eigh(sum(part.T @ part for part in parts))
                s, vt = xp.sqrt(xp.maximum(squares[::-1], 0)), axes.T[::-1]
            else:
                _, s, vt = xp.linalg.svd(triangle(xp, parts))
        variances = s.astype(np.float64)**2 / (n - 1)
        return variances[:self.n_components], vt[:self.n_components], float(variances.sum())

    def _covariance(self, xp: Any, x: Array) -> tuple[Array, Array, float]:
        c = _scatter(xp, x, self.mean_).astype(np.float64) / (len(x) - 1)
        variances, axes = _leading(xp, c, self.n_components, generator(self.rng, "PCA"), quick=x.dtype == np.float32)
        return variances, axes.T, float(xp.trace(c))

    def _randomized(self, xp: Any, x: Array) -> tuple[Array, Array, float]:
        """Halko, Martinsson and Tropp, "Finding structure with randomness", 2011, algorithm 4.4, on x - mean."""
        n, d = x.shape
        mean, k = self.mean_, self.n_components
        total = _total_variance(x, mean)
        if dwarfs(mean, total):                                       # see _scatter
            x, mean = x - mean, xp.zeros_like(mean)
        v = _random_directions(x, d, min(k + _OVERSAMPLE, n, d), generator(self.rng, "PCA"))
        for _ in range(self.power_iterations):
            v = xp.linalg.qr(_scatter_times(xp, x, mean, v))[0]       # (d, q)
        _, s, vt = xp.linalg.svd(triangle(xp, (block @ v - mean @ v for block in blocks(x))))
        return s[:k]**2 / (n - 1), vt[:k].astype(v.dtype) @ v.T, total

    def _deviations(self) -> Array:
        """Standard deviations of the codes; a direction without variance keeps its code as it is."""
        xp = backend_of(self.mean_).xp
        variances = xp.where(self.explained_variance_ > self._least_variance, self.explained_variance_, 1)
        return xp.sqrt(variances).astype(self.mean_.dtype)

    def __repr__(self) -> str:
        return f"PCA(n_components={self.n_components}, svd_solver={self.svd_solver!r}, whiten={self.whiten})"


def _choose(n: int, d: int, k: int) -> str:
    """The fastest solver for the shape that is exact where exactness is cheap."""
    if n >= 4 * d and d <= 2000:
        return "covariance"
    if min(n, d) <= 500 or k >= min(n, d) // 5:
        return "svd"
    return "randomized"


def _scatter(xp: Any, x: Array, mean: Array) -> Array:
    """The sum of (x - mean)' (x - mean) over the rows: (d, d).

    X'X - n mean mean' needs no centred copy of the data, but where the mean dwarfs the deviations it is a small
    difference of two large numbers. Then the rows are centred, a block at a time.
    """
    n = len(x)
    raw: Any = sum(block.T @ block for block in blocks(x, 8 * BLOCK))      # adding a few parts keeps rounding small
    if n * square(mean) <= 0.9 * float(xp.trace(raw)):
        raw -= n * xp.outer(mean, mean)
        return raw
    total = xp.zeros(raw.shape, np.float64)
    rest = xp.zeros(len(mean), np.float64)           # what rounding has left of the mean
    for block in blocks(x):
        block = block - mean
        total += block.T @ block
        rest += block.sum(0)
    return total - xp.outer(rest, rest) / n


def _scatter_times(xp: Any, x: Array, mean: Array, v: Array) -> Array:
    """(x - mean)' (x - mean) v, for v (d, q): neither x - mean nor the (d, d) product is formed."""
    shift, product, total = mean @ v, xp.zeros_like(v), xp.zeros(v.shape[1], v.dtype)
    for block in blocks(x):
        y = block @ v - shift
        product += block.T @ y
        total += y.sum(0)
    return product - xp.outer(mean, total)


def triangle(xp: Any, parts: Iterator[Array]) -> Array:
    """R of the QR decomposition of all parts' rows, in float64, with one part in memory at a time."""
    r = xp.linalg.qr(next(parts).astype(np.float64), mode="r")
    for part in parts:
        r = xp.linalg.qr(xp.concatenate([r, part]), mode="r")
    return r


def _total_variance(x: Array, mean: Array) -> float:
    return sum(float(((block - mean)**2).sum()) for block in blocks(x)) / (len(x) - 1)


def _leading(xp: Any, c: Array, k: int, rng: np.random.Generator, quick: bool) -> tuple[Array, Array]:
    """The k greatest eigenvalues of a symmetric matrix, falling, and their eigenvectors as columns.

    Where k is small and float32's precision is enough (`quick`), a random subspace is multiplied by the matrix again
    and again, and turns towards the greatest; all d eigenvectors are computed only if that takes too long.
    """
    q = k + max(_OVERSAMPLE, k // 2)
    if quick and 8 * q < len(c):
        v = _random_directions(c, len(c), q, rng)
        for _ in range(6):
            for _ in range(3):
                v = xp.linalg.qr(c @ (c @ v))[0]
            w = c @ v
            values, turn = xp.linalg.eigh(v.T @ w)
            values, turn = values[::-1][:k], turn[:, ::-1][:, :k]
            if float(xp.abs(w @ turn - v @ turn * values).max()) <= 1e-7 * float(values[0]):
                return xp.maximum(values, 0), v @ turn
    values, vectors = xp.linalg.eigh(c)
    return xp.maximum(values[::-1][:k], 0), vectors[:, ::-1][:, :k]


def _random_directions(like: Array, d: int, q: int, rng: np.random.Generator) -> Array:
    """Orthonormal columns (d, q), drawn on the host so that every device starts from the same."""
    v = np.linalg.qr(rng.standard_normal((d, q)))[0]
    return Device(backend_of(like)).put(v.astype(like.dtype))


def _with_signs(xp: Any, axes: Array) -> Array:
    """Rows whose entry of greatest size is positive: a direction has no sign of its own, so this one is chosen."""
    rows = xp.arange(len(axes))
    return axes * xp.sign(axes[rows, xp.abs(axes).argmax(1)])[:, None]
