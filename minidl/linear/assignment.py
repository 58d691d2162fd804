"""Which centre is the nearest to each row: by products, which are fast, and exactly where their rounding matters."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.rows import blocks, slices

PAIRS = 2**20              # numbers in differences of rows and centres that are looked at together
_ROWS = 1024               # whose distances are looked at together


def nearest(xp: Any, x: Array, centres: Array, origin: Array | None = None,
            squares: Array | None = None) -> tuple[Array, Array]:
    """For each row its nearest centre, and about how far that is: |c|^2 - 2 xc, the squared distance less |x|^2.

    The labels are exact, of equally near centres the first: rows of which rounding leaves several centres in question
    are looked at again. With an `origin`, distances are measured from there. `squares`, if known, are the rows' |x|^2.
    x (N, d), centres (k, d), origin (d,), squares (N,) -> labels (N,) and distances (N,).
    """
    n, k = len(x), len(centres)
    labels, least, certain = xp.empty(n, np.int64), xp.empty(n, x.dtype), xp.empty(n, bool)
    table = _Table(xp, centres, origin)
    count_and_sum = xp.stack([xp.ones(k, x.dtype), xp.arange(k, dtype=x.dtype)])
    for part in slices(n, _ROWS):
        least[part], near = table.candidates(x[part], None if squares is None else squares[part])
        count, label = count_and_sum @ near.astype(x.dtype)            # several times faster than argmax
        certain[part], labels[part] = count == 1, label
    doubtful = xp.flatnonzero(~certain)
    for rows in blocks(doubtful, _ROWS) if len(doubtful) else ():
        labels[rows] = _exactly(xp, x[rows], centres, origin)
    return labels, least


def _exactly(xp: Any, x: Array, centres: Array, origin: Array | None) -> Array:
    """Labels by products in float64, and where these leave a question by differences."""
    x, centres = x.astype(np.float64), centres.astype(np.float64)
    near = _Table(xp, centres, origin).candidates(x)[1]
    labels = near.argmax(0)
    open_ = xp.flatnonzero(near.sum(0) > 1)
    if len(open_):
        rows, columns = xp.nonzero(near[:, open_].T)
        squares = xp.full((len(open_), len(centres)), np.inf)
        for part in slices(len(rows), max(1, PAIRS // x.shape[1])):
            difference = x[open_[rows[part]]] - centres[columns[part]]
            squares[rows[part], columns[part]] = xp.einsum("nd,nd->n", difference, difference)
        labels[open_] = squares.argmin(1)
    return labels


class _Table:
    """Distances of rows from centres by products, and how much of them may be rounding.

    |x - c|^2 - |x - m|^2 = |c - m|^2 + 2 m (c - m) - 2 x (c - m): measured from the centres' mean m, the numbers that
    are rounded are small where the centres are near each other.
    """

    def __init__(self, xp: Any, centres: Array, origin: Array | None) -> None:
        centres = centres if origin is None else centres - origin
        k, d = centres.shape
        middle = centres.mean(0, dtype=np.float64).astype(centres.dtype)
        apart = centres - middle
        self.xp, self.k, self.origin = xp, k, origin
        exact, self.to_middle = apart.astype(np.float64), (middle**2).sum()
        self.offsets = (exact * (exact + 2 * middle)).sum(1, keepdims=True).astype(centres.dtype)
        self.twice = xp.zeros((whole_fours(k + 1), d), centres.dtype)
        self.twice[:k], self.twice[k] = -2 * apart, -2 * middle
        # A sum of d products is off by at most d units in the last place of the sum of their sizes, |c| |x| at most
        # (N. Higham, "Accuracy and stability of numerical algorithms", section 3.1); 12 for the other roundings, and
        # twice because two distances are compared.
        info = xp.finfo(centres.dtype)
        largest = xp.sqrt((apart**2).sum(1).max())
        # OpenBLAS computes products of up to 10^6 terms without copying what it multiplies, in half the time.
        self.step = 10**6 // self.twice.size // 16 * 16 if xp is np and self.twice.size < 2**14 else _ROWS
        self.slope = float(info.eps) * (d + 12) * largest
        self.doubt = self.slope * (largest + 2 * xp.sqrt(self.to_middle)) + float(info.tiny) * d

    def candidates(self, x: Array, squares: Array | None = None) -> tuple[Array, Array]:
        """|c|^2 - 2 xc of the nearest centre for each row, (B,), and which centres may be as near, (k, B)."""
        if self.origin is not None:
            x = x - self.origin
        if squares is None:
            squares = self.xp.einsum("nd,nd->n", x, x)
        products = self.xp.empty((len(self.twice), len(x)), x.dtype)
        for part in slices(len(x), self.step):
            products[:, part] = self.twice @ x[part].T
        distances = products[:self.k]
        distances += self.offsets
        least = distances.min(0)
        near = distances <= least + (self.doubt + 2 * self.slope * self.xp.sqrt(squares))
        return least + (self.to_middle + products[self.k]), near


def whole_fours(k: int) -> int:
    """The next multiple of 4: BLAS computes four rows of a product at a time, and three more cost it nothing."""
    return k + -k % 4
