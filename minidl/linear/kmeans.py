"""K-means (slides 5-7): PCA's objective with another constraint, a code that names one of k centres."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.linear.assignment import PAIRS, nearest, whole_fours
from minidl.randomness import Seed, generator
from minidl.rows import (
    array_of,
    blocks,
    check_amount,
    check_count,
    check_device,
    check_finite,
    check_fitted,
    dwarfs,
    mean_row,
    rows_of_floats,
    rows_that_meet,
    slices,
    square,
)

BLOCK = 512                # rows that are looked at together: they stay in the cache
_ROWS = 1024          # rows whose distances are looked at together


class KMeans:
    """k centres, each row represented by the nearest: slide 5's objective where z has a single 1, found by Lloyd.

    `fit(x)` learns from rows x (N, d), arrays or Tensors of floats on any device:

    | attribute | shape | what it is |
    |---|---|---|
    | cluster_centers_ | (k, d) | the centres; each is the mean of its rows |
    | labels_ | (N,) | each row's nearest centre |
    | inertia_ | number | sum of the rows' squared distances to their centres |
    | inertia_history_ | list | the same in each round, and at the end; it never rises |
    | n_iter_ | number | rounds of assigning rows and moving centres |
    | shares_ | (k,) | the share of rows that each cluster has |

    `init`: "k-means++" draws the centres from the rows, each with a probability in proportion to its squared distance
    from those before, and keeps the best of 2 + log k candidates; or an array (k, d). Of `n_init` starts the one with
    the least inertia is kept. Lloyd's rounds end when no row changes its cluster, when the centres' squared shifts add
    up to at most `tol` times the mean variance of a feature, or after `max_iter`. No cluster is left empty: a centre
    without rows moves to the row that is farthest from its own centre. `rng` is an int, a Generator or a RandomStream.

    The four verbs: `encode` (N, d) -> labels (N,), `decode` labels -> their centres (N, d), `reconstruct`, `sample`.
    They give arrays, to Tensors too: a label has no derivative. Rows of another dtype are converted to that of the fit.

    Raises InputError for more clusters than rows, or than rows that differ, values that are not finite, an `init` of
    another shape, another number of features than at the fit, labels outside 0..k-1, data on another device, and a
    verb before `fit`.

    Source: S. Lloyd, "Least squares quantization in PCM", 1982; D. Arthur and S. Vassilvitskii, "k-means++: the
    advantages of careful seeding", 2007.
    """

    cluster_centers_: Array
    labels_: Array
    inertia_: float
    inertia_history_: list[float]
    n_iter_: int
    shares_: Array

    def __init__(self, n_clusters: int, *, n_init: int = 1, max_iter: int = 300, tol: float = 1e-4,
                 init: Any = "k-means++", rng: Seed = 0) -> None:
        name = type(self).__name__
        self.n_clusters = check_count(name, "n_clusters", n_clusters)
        self.n_init, self.max_iter = check_count(name, "n_init", n_init), check_count(name, "max_iter", max_iter)
        if isinstance(init, str) and init != "k-means++":
            raise InputError(f"{name}: init is 'k-means++' or an array of {n_clusters} centres, not {init!r}")
        if not isinstance(init, str) and n_init > 1:
            raise InputError(f"{name}: all {n_init} starts would begin at the same init; leave n_init at 1")
        generator(rng, name)                                          # refuses here what fit would
        self.tol, self.init, self.rng = check_amount(name, "tol", tol), init, rng

    def fit(self, x: Any) -> KMeans:
        """Learn the centres from rows x (N, d); returns the estimator."""
        name = type(self).__name__
        x = rows_of_floats(name, x)
        n, k = len(x), self.n_clusters
        if k > n or not x.shape[1]:
            raise InputError(f"{name}: {k} clusters need at least {k} rows of numbers; x has shape {x.shape}: give "
                             f"more data or n_clusters up to {n}")
        xp, rng = backend_of(x).xp, generator(self.rng, name)
        squares = _squares_of_rows(xp, x)
        total = float(squares.sum(dtype=np.float64))
        if not np.isfinite(total):
            raise InputError(f"{name}: the data hold values that are not finite, or so large that their squares are "
                             "not; replace or drop them before the fit")
        mean = mean_row(xp, x)
        variance = max(total / n - square(mean), 0.0)
        self._origin = mean if dwarfs(mean, variance) else None       # where distances are measured from
        given = x
        if self._origin is not None:
            x = x - mean
            squares = _squares_of_rows(xp, x)
            total = float(squares.sum(dtype=np.float64))
            variance = total / n
        best: tuple[Any, ...] | None = None
        for _ in range(self.n_init):
            centres = self._start(xp, x, squares, rng)
            history, rounds = self._improve(xp, x, centres, squares, self.tol * variance / x.shape[1], rng)
            labels, least = _assign(xp, x, centres, squares=squares)
            inertia = _inertia(xp, x, centres, labels, least, total)
            if best is None or inertia < best[0]:
                best = inertia, centres, labels, [*history, inertia], rounds
        assert best is not None
        self.inertia_, centres, self.labels_, self.inertia_history_, self.n_iter_ = best
        self.cluster_centers_ = centres
        if self._origin is not None:                          # back among large numbers the centres have been rounded
            self.cluster_centers_ = centres + self._origin
            self.labels_, _ = _assign(xp, given, self.cluster_centers_, self._origin)
            rest = _remainders(xp, given, self.cluster_centers_, self.labels_)
            self.inertia_ = self.inertia_history_[-1] = float(rest.sum())
        self.shares_ = (xp.bincount(self.labels_, minlength=k) / n).astype(x.dtype)
        return self

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Array:
        """The nearest centre's number for each row: (N, d) -> (N,)."""
        check_fitted(self, "cluster_centers_")
        centres = self.cluster_centers_
        x = rows_that_meet(type(self).__name__, "encode", x, centres.shape[1], centres, keep_tensor=False)
        with np.errstate(over="ignore", invalid="ignore"):               # what is not finite gets a sentence
            labels, least = nearest(backend_of(x).xp, x, centres, self._origin)
        check_finite(type(self).__name__, "encode", least)
        return labels

    def decode(self, labels: Any) -> Array:
        """The centres with these numbers: (N,) -> (N, d)."""
        check_fitted(self, "cluster_centers_")
        name, k = type(self).__name__, self.n_clusters
        listed = isinstance(labels, list)
        labels = plain_array(f"{name}.decode", array_of(labels))
        if listed:
            labels = Device(backend_of(self.cluster_centers_)).put(labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise InputError(f"{name}.decode: a code is a whole number for each row, shape (N,), not {labels.dtype} "
                             f"{labels.shape}")
        check_device(name, "decode", labels, self.cluster_centers_)
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < k:
            raise InputError(f"{name}.decode: labels go from 0 to {k - 1}, these from {int(labels.min())} to "
                             f"{int(labels.max())}")
        return self.cluster_centers_[labels]

    def reconstruct(self, x: Any) -> Array:
        """Each row's nearest centre: (N, d) -> (N, d)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Seed) -> Array:
        """n rows (n, d): clusters drawn by their shares of the data, decoded (slide 7).

        They are centres, all of them: the rows' scatter around their centre is not added.
        """
        check_fitted(self, "cluster_centers_")
        backend, n = backend_of(self.shares_), check_count(type(self).__name__, "n", n, least=0)
        shares = backend.to_host(self.shares_).astype(np.float64)
        rng = generator(rng, f"{type(self).__name__}.sample")
        labels = rng.choice(self.n_clusters, size=n, p=shares / shares.sum())
        return self.decode(Device(backend).put(labels))

    # How they are found -----------------------------------------------------------------------------------------------

    def _start(self, xp: Any, x: Array, squares: Array, rng: np.random.Generator) -> Array:
        """The first centres (k, d), a new array."""
        if isinstance(self.init, str):
            return _plus_plus(xp, x, squares, self.n_clusters, rng)
        name = type(self).__name__
        centres = plain_array(f"{name}: init", array_of(self.init))
        wanted = (self.n_clusters, x.shape[1])
        if centres.shape != wanted:
            raise InputError(f"{name}: init has shape {centres.shape!r:.60}; {wanted[0]} centres of {wanted[1]} "
                             f"features are {wanted}")
        centres = Device(backend_of(x)).put(centres).astype(x.dtype)          # astype copies: init stays as it is
        if not xp.isfinite(centres).all():
            raise InputError(f"{name}: init holds values that are not finite")
        return centres if self._origin is None else centres - self._origin

    def _improve(self, xp: Any, x: Array, centres: Array, squares: Array, tol: float,
                 rng: np.random.Generator) -> tuple[list[float], int]:
        """Lloyd's rounds: moves the centres in place; returns the inertia of each round, and how many there were.

        The sums of the clusters' rows are kept, and where few rows have moved only these are added and taken away.
        """
        n, k, total, history = len(x), self.n_clusters, float(squares.sum(dtype=np.float64)), []
        wide = whole_fours(k)
        before = xp.full(n, -1)
        for _ in range(self.max_iter):
            labels, least = _assign(xp, x, centres, squares=squares)
            inertia = _inertia(xp, x, centres, labels, least, total)
            history.append(inertia)
            moved = xp.flatnonzero(labels != before)
            if not len(moved):
                break
            dtype = np.float64 if _is_small(inertia, total) else x.dtype
            if 2 * len(moved) > n or dtype != x.dtype:
                sums, counts = xp.zeros((wide, x.shape[1]), np.float64), xp.zeros((wide, 1), np.float64)
                for part in slices(n, BLOCK):
                    one_hot = _one_hot(xp, labels[part], wide, dtype)
                    sums += one_hot @ x[part]
                    counts += one_hot.sum(1, keepdims=True)
            else:
                for rows in blocks(moved, BLOCK):
                    change = _one_hot(xp, labels[rows], wide, dtype) - _one_hot(xp, before[rows], wide, dtype)
                    sums += change @ x[rows]
                    counts += change.sum(1, keepdims=True)
            shift = (sums[:k] / counts[:k]).astype(x.dtype) - centres
            centres += shift
            before = labels
            if float((shift**2).sum()) <= tol:
                break
        return history, len(history)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_clusters={self.n_clusters})"


class MiniBatchKMeans(KMeans):
    """k-means for data of which there are many: each step moves the centres by `batch_size` rows only.

    A centre is the mean of all rows that have ever been assigned to it, so that its step size is one over their number.
    `max_iter` passes over the data, in a new order each; `n_init`, `init`, `rng`, the attributes and the four verbs are
    those of KMeans, but that `inertia_history_` has each step's batch scaled up to all rows, which also rises.

    Source: D. Sculley, "Web-scale k-means clustering", 2010.
    """

    def __init__(self, n_clusters: int, *, batch_size: int = 1024, n_init: int = 1, max_iter: int = 10,
                 init: Any = "k-means++", rng: Seed = 0) -> None:
        super().__init__(n_clusters, n_init=n_init, max_iter=max_iter, init=init, rng=rng)
        self.batch_size = check_count("MiniBatchKMeans", "batch_size", batch_size)

    def _start(self, xp: Any, x: Array, squares: Array, rng: np.random.Generator) -> Array:
        """As of KMeans, from some of the rows: three batches of them, or three for each cluster."""
        few = 3 * max(self.batch_size, self.n_clusters)
        if isinstance(self.init, str) and few < len(x):
            rows = Device(backend_of(x)).put(np.sort(rng.permutation(len(x))[:few]))
            x, squares = x[rows], squares[rows]
        return super()._start(xp, x, squares, rng)

    def _improve(self, xp: Any, x: Array, centres: Array, squares: Array, tol: float,
                 rng: np.random.Generator) -> tuple[list[float], int]:
        device, k = Device(backend_of(x)), self.n_clusters
        history: list[Any] = []
        counts = xp.zeros((k, 1), np.float64)
        for _ in range(self.max_iter):
            until_now = counts.copy()
            for rows in blocks(device.put(rng.permutation(len(x))), self.batch_size):
                batch, its_squares = x[rows], squares[rows]
                labels, least = nearest(xp, batch, centres, squares=its_squares)
                inertia = (least + its_squares).sum(dtype=np.float64)
                if not history:
                    dtype = np.float64 if _is_small(float(inertia), float(its_squares.sum())) else x.dtype
                if dtype != x.dtype:
                    inertia = _remainders(xp, batch, centres, labels).sum()
                history.append(inertia * (len(x) / len(rows)))
                new = _one_hot(xp, labels, k, dtype)
                arrived = new.sum(1, keepdims=True)
                counts += arrived
                centres += ((new @ batch - arrived * centres) / xp.maximum(counts, 1)).astype(x.dtype)
            idle = xp.flatnonzero(counts == until_now)
            if len(idle):
                _move_to_farthest(xp, batch, centres, nearest(xp, batch, centres)[0], idle)
                counts[idle] = 0
        return [float(inertia) for inertia in history], self.max_iter


def _squares_of_rows(xp: Any, x: Array) -> Array:
    """|x|^2 of each row, (N,)."""
    return xp.concatenate([xp.einsum("nd,nd->n", block, block) for block in blocks(x, BLOCK)])


def _assign(xp: Any, x: Array, centres: Array, origin: Array | None = None,
            squares: Array | None = None) -> tuple[Array, Array]:
    """`_nearest` without an empty cluster: their centres are moved, which can only make the distances smaller."""
    k = len(centres)
    for _ in range(k + 1):                               # a moved centre may take the only row of another one
        labels, least = nearest(xp, x, centres, origin, squares)
        empty = xp.flatnonzero(xp.bincount(labels, minlength=k) == 0)
        if not len(empty):
            return labels, least
        if not _move_to_farthest(xp, x, centres, labels, empty):
            break
    raise InputError(f"k-means: n_clusters is {k}, but only {k - len(empty)} of the rows differ by more than "
                     f"{x.dtype} can tell; ask for at most {k - len(empty)} clusters")


def _is_small(inertia: float, total: float) -> bool:
    """Whether an inertia is a small difference of large numbers, which must be computed otherwise."""
    return inertia < 0.01 * total


def _inertia(xp: Any, x: Array, centres: Array, labels: Array, least: Array, total: float) -> float:
    """The sum of squared distances, where `total` is that of the rows' squares."""
    inertia = total + float(least.sum(dtype=np.float64))
    return float(_remainders(xp, x, centres, labels).sum()) if _is_small(inertia, total) else inertia


def _move_to_farthest(xp: Any, x: Array, centres: Array, labels: Array, which: Array) -> bool:
    """Move these centres, one after the other, to the row that is then farthest from its own centre.

    Returns whether all could be moved: a row that is on its centre needs no other one.
    """
    far = _remainders(xp, x, centres, labels)
    for j in backend_of(which).to_host(which):
        if not float(far.max()):
            return False
        row = centres[j] = x[far.argmax()]
        far = xp.minimum(far, _remainders(xp, x, row[None], xp.zeros_like(labels)))
    return True


def _remainders(xp: Any, x: Array, centres: Array, labels: Array) -> Array:
    """Each row's squared distance from its centre, without rounding's help: (N,), float64."""
    return xp.concatenate([((x[part] - centres[labels[part]]).astype(np.float64)**2).sum(1)
                           for part in slices(len(x), BLOCK)])


def _one_hot(xp: Any, labels: Array, k: int, dtype: Any) -> Array:
    """(B,) -> (k, B); a label that is no cluster's gives zeros."""
    return (labels == xp.arange(k)[:, None]).astype(dtype)


def _plus_plus(xp: Any, x: Array, squares: Array, k: int, rng: np.random.Generator) -> Array:
    """k-means++ with candidates: of some rows, drawn by their squared distances, the one that leaves the least."""
    trials = 2 + int(np.log(k))
    chosen = [x[int(rng.integers(len(x)))][None]]
    closest = _distances(xp, x, squares, chosen[0])[0]
    for _ in range(k - 1):
        heap = xp.cumsum(closest, dtype=np.float64)
        draws = Device(backend_of(x)).put(rng.random(trials)) * heap[-1]
        rows = xp.minimum(xp.searchsorted(heap, draws, side="right"), len(x) - 1)
        left = xp.minimum(_distances(xp, x, squares, x[rows]), closest)                 # (trials, N)
        best = left.sum(1, dtype=np.float64).argmin()
        closest = left[best]
        chosen.append(x[rows[best]][None])
    return xp.concatenate(chosen)


def _distances(xp: Any, x: Array, squares: Array, points: Array) -> Array:
    """Squared distances of all rows from some points (m, d): (m, N)."""
    parts = [points @ block.T for block in blocks(x, BLOCK)]
    scale = squares + (points**2).sum(1, keepdims=True)
    distances = scale - 2 * xp.concatenate(parts, axis=1)
    small, rows = xp.nonzero(distances < 8 * float(xp.finfo(x.dtype).eps) * x.shape[1] * scale)    # mostly rounding
    for part in slices(len(rows), max(1, PAIRS // x.shape[1])):
        difference = x[rows[part]] - points[small[part]]
        distances[small[part], rows[part]] = xp.einsum("nd,nd->n", difference, difference)
    return xp.maximum(distances, 0)
