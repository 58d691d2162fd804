"""Exact nearest neighbours by Euclidean distance: the yardstick for codes (slides 20-21), a look at samples (81-94)."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.rows import (
    array_of,
    blocks,
    check_device,
    dwarfs,
    mean_row,
    rows_of_floats,
    rows_that_meet,
    slices,
    square,
)

_PRODUCTS = 2**21          # numbers in a block of distances: with float32, 8 MB


def nearest_neighbours(database: Any, queries: Any, k: int) -> tuple[Array, Array]:
    """The k rows of a database (N, d) nearest to each query (Q, d): distances and indices, both (Q, k), nearest first.

    For one call; `EuclideanIndex` keeps what several searches share, and says more.
    """
    return EuclideanIndex(database).search(queries, k)


class EuclideanIndex:
    """Rows (N, d) among which the nearest to a query are found by comparing it with all of them.

    |x - q|^2 = |x|^2 - 2 q x + |q|^2, so one matrix product gives a block of distances in float32 (float64 for such
    rows). It only chooses candidates: all rows that may be among the nearest for all that rounding can do. Their
    differences, in float64, decide. Where the rows' mean dwarfs their differences the product is of centred rows, which
    leaves fewer candidates.

    Raises InputError for rows that are not finite, or so large that their squares are not.
    """

    def __init__(self, database: Any) -> None:
        x = rows_of_floats("EuclideanIndex", database)
        if not x.size:
            raise InputError(f"EuclideanIndex: the database is empty, of shape {x.shape}; give it rows to find")
        xp = backend_of(x).xp
        self._rows = self._centred = x
        self._mean = mean_row(xp, x)
        if dwarfs(self._mean, max(float(xp.einsum("nd,nd->", x, x)) / len(x) - square(self._mean), 0.0)):
            self._centred = x - self._mean
        else:
            self._mean = xp.zeros_like(self._mean)
        self._half_squares = xp.einsum("nd,nd->n", self._centred, self._centred) * 0.5
        self._sizes = xp.sqrt(2 * self._half_squares)
        if not xp.isfinite(8 * self._half_squares).all():
            raise InputError("EuclideanIndex: the database holds values that are not finite, or so large that their "
                             "squares are not; replace or drop them")

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, queries: Any, k: int) -> tuple[Array, Array]:
        """The k nearest rows to each query (Q, d): distances and indices, both (Q, k), nearest first.

        Raises InputError for k outside 1..N, queries of another width or device, and queries that are not finite.
        """
        check_neighbours(k, len(self))
        q = self._queries("search", queries)
        xp = backend_of(q).xp
        if not len(q):
            return xp.zeros((0, k), q.dtype), xp.zeros((0, k), np.int64)
        found = [self._nearest(xp, block, k) for block in self._blocks(q)]
        distances, indices = zip(*found, strict=True)
        return xp.concatenate(distances), xp.concatenate(indices)

    def reaches(self, queries: Any, radii: Any) -> Array:
        """Whether each query (Q, d) lies within the ball around any of the rows, of radii (N,): truth values (Q,).

        The ball's rim belongs to it. Distances are those of `search`, so that a row at the distance that `search` gave
        lies within. Raises InputError for other than a finite radius of at least 0 for each row, and queries that
        `search` refuses.
        """
        q, radii = self._queries("reaches", queries), plain_array("EuclideanIndex.reaches", array_of(radii))
        check_device("EuclideanIndex", "reaches", radii, self._rows)
        xp = backend_of(q).xp
        if radii.shape != (len(self),) or not bool(((radii >= 0) & xp.isfinite(radii)).all()):
            raise InputError(f"EuclideanIndex.reaches: {len(self)} rows have a finite radius of at least 0 each; these "
                             f"are of shape {radii.shape}")
        radii = radii.astype(q.dtype)
        return xp.concatenate([self._reached(xp, block, radii) for block in self._blocks(q)]) if len(q) else \
            xp.zeros(0, bool)

    def _queries(self, verb: str, queries: Any) -> Array:
        q = rows_that_meet("EuclideanIndex", verb, queries, self._rows.shape[1], self._rows, keep_tensor=False)
        xp = backend_of(q).xp
        if not xp.isfinite(4 * xp.einsum("qd,qd->q", q, q)).all():
            raise InputError(f"EuclideanIndex.{verb}: the queries hold values that are not finite, or so large that "
                             "their squares are not; replace or drop them")
        return q

    def _blocks(self, q: Array) -> Iterator[Array]:
        return blocks(q, max(1, _PRODUCTS // len(self)))

    def _nearest(self, xp: Any, q: Array, k: int) -> tuple[Array, Array]:
        rows, columns = self._candidates(xp, q, k)
        squares = self._squares(xp, q, rows, columns)
        order = xp.lexsort(xp.stack([columns, squares, rows]))           # by query, then distance, then index
        first = order[xp.searchsorted(rows, xp.arange(len(q)))[:, None] + xp.arange(k)]
        return xp.sqrt(squares[first]).astype(q.dtype), columns[first]

    def _candidates(self, xp: Any, q: Array, k: int) -> tuple[Array, Array]:
        """Pairs of a query and a row that may be one of its k nearest, by query: indices (M,) and (M,)."""
        scores, doubt, _ = self._scores(xp, q)
        best = xp.argpartition(scores, k - 1, axis=1)[:, :k]
        limit = (xp.take_along_axis(scores, best, 1) + 2 * doubt[best]).max(1, keepdims=True)
        return self._pairs(xp, scores <= limit)

    def _reached(self, xp: Any, q: Array, radii: Array) -> Array:
        scores, doubt, own = self._scores(xp, q)
        scores += own[:, None]
        # Of what is compared with it, the scores' share is `doubt`; the rest are the radius, which was rounded, and the
        # query's own square.
        rest = 4 * float(xp.finfo(q.dtype).eps) * (radii * radii + (q.shape[1] + 4) * own[:, None])
        rim = 0.5 * radii * radii
        reached = (scores + 2 * doubt + rest <= rim).any(1)                       # whatever rounding has done
        rows, columns = self._pairs(xp, (scores - rest <= rim) & ~reached[:, None])
        within = xp.sqrt(self._squares(xp, q, rows, columns)).astype(q.dtype) <= radii[columns]
        reached[rows[within]] = True
        return reached

    def _scores(self, xp: Any, q: Array) -> tuple[Array, Array, Array]:
        """|x - q|^2 / 2 - |q|^2 / 2, (Q, N), less the doubt (N,) of rounding; the doubt; and |q|^2 / 2, (Q,)."""
        q = q - self._mean
        scores, squares = q @ self._centred.T, xp.einsum("qd,qd->q", q, q)
        # The doubt is the most that rounding can have added: a sum of d products is off by up to d halves of the last
        # place of |x| |q| (N. Higham, "Accuracy and stability of numerical algorithms", section 3.1), x and q by one
        # for being centred.
        info = xp.finfo(q.dtype)
        unit, size = float(info.eps) / 2, xp.sqrt(squares.max())
        doubt = (unit * (q.shape[1] + 4)) * (self._half_squares + self._sizes * size) \
            + unit * (self._sizes + size)**2 + float(info.tiny) * q.shape[1]
        return xp.subtract(self._half_squares - doubt, scores, out=scores), doubt, squares * 0.5

    def _pairs(self, xp: Any, chosen: Array) -> tuple[Array, Array]:
        """Where the truth values (Q, N) hold: indices (M,) of queries, in order, and (M,) of rows."""
        found = xp.flatnonzero(chosen)
        return found // len(self), found % len(self)

    def _squares(self, xp: Any, q: Array, rows: Array, columns: Array) -> Array:
        """|x - q|^2 of each pair, in float64: (M,)."""
        parts = slices(len(rows), max(1, _PRODUCTS // q.shape[1]))
        return xp.concatenate([_squares(xp, q[rows[part]], self._rows[columns[part]]) for part in parts]
                              or [xp.zeros(0)])


def _squares(xp: Any, a: Array, b: Array) -> Array:
    """|a - b|^2 of each pair of rows, in float64: (M,)."""
    difference = a.astype(np.float64) - b
    return xp.einsum("md,md->m", difference, difference)


def check_neighbours(k: int, n: int) -> None:
    """Raise InputError unless there are k neighbours among n."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= n:
        raise InputError(f"search: {k} neighbours of {n} images; k is from 1 to {n}, or give more images")
