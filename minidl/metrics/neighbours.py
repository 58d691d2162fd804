"""Exact nearest neighbours by Euclidean distance: the yardstick for codes (slides 20-21), a look at samples (81-94)."""
from __future__ import annotations

from typing import Any

from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.rows import blocks, dwarfs, mean_row, rows_of_floats, rows_that_meet, square

_PRODUCTS = 2**21          # numbers in a block of distances: with float32, 8 MB


def nearest_neighbours(database: Any, queries: Any, k: int) -> tuple[Array, Array]:
    """The k rows of a database (N, d) nearest to each query (Q, d): distances and indices, both (Q, k), nearest first.

    For one call; `EuclideanIndex` keeps what several searches share, and says more.
    """
    return EuclideanIndex(database).search(queries, k)


class EuclideanIndex:
    """Rows (N, d) among which the nearest to a query are found by comparing it with all of them.

    |x - q|^2 = |x|^2 - 2 q x + |q|^2, so one matrix product gives a block of distances in float32 (float64 for such
    rows). Where the rows' mean dwarfs their differences the rows are centred first: rounding would eat these.

    Raises InputError for rows that are not finite.
    """

    def __init__(self, database: Any) -> None:
        x = rows_of_floats("EuclideanIndex", database)
        if not len(x):
            raise InputError("EuclideanIndex: the database is empty; give it rows to find")
        xp = backend_of(x).xp
        self._mean = mean_row(xp, x)
        if dwarfs(self._mean, max(float(xp.einsum("nd,nd->", x, x)) / len(x) - square(self._mean), 0.0)):
            x = x - self._mean
        else:
            self._mean = xp.zeros_like(self._mean)
        self._rows, self._half_squares = x, xp.einsum("nd,nd->n", x, x) * 0.5
        if not xp.isfinite(self._half_squares).all():
            raise InputError("EuclideanIndex: the database holds values that are not finite; replace or drop them")

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, queries: Any, k: int) -> tuple[Array, Array]:
        """The k nearest rows to each query (Q, d): distances and indices, both (Q, k), nearest first.

        Raises InputError for k outside 1..N, queries of another width or device, and queries that are not finite.
        """
        check_neighbours(k, len(self))
        q = rows_that_meet("EuclideanIndex", "search", queries, self._rows.shape[1], self._rows, keep_tensor=False)
        xp = backend_of(q).xp
        if not xp.isfinite(q).all():
            raise InputError("EuclideanIndex.search: the queries hold values that are not finite; replace or drop them")
        found = [self._nearest(xp, block - self._mean, k) for block in blocks(q, max(1, _PRODUCTS // len(self)))]
        distances, indices = zip(*found, strict=True)
        return xp.concatenate(distances), xp.concatenate(indices)

    def _nearest(self, xp: Any, q: Array, k: int) -> tuple[Array, Array]:
        scores = self._half_squares - q @ self._rows.T                  # (Q, N), half the squares but for |q|^2
        indices = xp.argpartition(scores, k - 1, axis=1)[:, :k]
        difference = self._rows[indices] - q[:, None]                   # (Q, k, d): exact where the product has rounded
        squares = xp.einsum("qkd,qkd->qk", difference, difference)
        order = xp.argsort(squares, axis=1)
        return xp.sqrt(xp.take_along_axis(squares, order, 1)), xp.take_along_axis(indices, order, 1)


def check_neighbours(k: int, n: int) -> None:
    """Raise InputError unless there are k neighbours among n."""
    if not 1 <= k <= n:
        raise InputError(f"search: {k} neighbours of {n} images; k is from 1 to {n}, or give more images")
