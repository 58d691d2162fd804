"""The manifold hypothesis (slide 4): distances along a manifold, and how well a code keeps its neighbourhoods."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.arguments import is_whole, plain_array
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.rows import array_of, check_count


def distances(x: Any) -> Array:
    """Straight-line distances between all rows: (N, d) -> (N, N), float64, exactly symmetric with zeros between equals.

    The differences themselves are squared, a column at a time: the shorter way by products loses small distances.
    Raises InputError for fewer than two rows, and values that are not finite.
    """
    x = _rows("distances", x)
    square = backend_of(x).xp.zeros((len(x), len(x)))
    for column in x.T:
        square += (column[:, None] - column)**2
    return square**0.5


def geodesic_distances(x: Any, *, neighbors: int = 10) -> Array:
    """Distances along the manifold on which the rows lie: (N, d) -> (N, N), float64.

    Only a short straight line stays near the manifold. So rows are joined to their `neighbors` nearest, and a long way
    is the shortest one by such short lines (Floyd and Warshall: each row in turn is offered as a stop on the way
    between all others; N^3 additions, about a second for 600 rows).

    Raises InputError if `neighbors` is not in 1..N-1, and if the lines leave the rows in several parts.

    Source: J. Tenenbaum, V. de Silva and J. Langford, "A global geometric framework for nonlinear dimensionality
    reduction", 2000.
    """
    straight = distances(x)
    xp, n = backend_of(straight).xp, len(straight)
    nearest = _nearest(straight, "geodesic_distances", neighbors)
    way = xp.full((n, n), np.inf)
    rows = xp.arange(n)
    way[rows, rows] = 0.0
    way[rows[:, None], nearest] = straight[rows[:, None], nearest]
    way = xp.minimum(way, way.T)                                  # a line that one end has chosen joins both
    by_stop = xp.empty_like(way)
    for stop in range(n):
        xp.minimum(way, xp.add(way[:, stop:stop + 1], way[stop], out=by_stop), out=way)
    if not bool(xp.isfinite(way).all()):
        reached = int(xp.isfinite(way[0]).sum())
        raise InputError(f"geodesic_distances: with {neighbors} neighbours each the rows fall into parts without a way "
                         f"between them (the first row reaches {reached} of {n}); take more neighbours or more rows")
    return way


def geodesic_path(distances: Any, a: int, b: int) -> np.ndarray:
    """The points on the shortest way from a to b, in their order: those through which it is no longer.

    `distances` (N, N) are `geodesic_distances`; the result is indices on the host, a first and b last. Raises
    InputError for another shape and for ends that are none of the N.
    """
    distances = plain_array("geodesic_path", array_of(distances))
    distances = backend_of(distances).to_host(distances)
    n = len(distances) if distances.ndim == 2 else 0
    if distances.shape != (n, n) or not all(is_whole(end) and end < n for end in (a, b)):
        raise InputError(f"geodesic_path: a way leads from one row to another of a table of distances, (N, N); this "
                         f"one is {distances.shape}, the ends are {a!r:.60} and {b!r:.60}")
    on_it = np.flatnonzero(distances[a] + distances[:, b] <= distances[a, b] * (1 + 1e-9))
    return on_it[np.argsort(distances[a, on_it])]


def classical_mds(distances: Any, n_components: int = 2) -> Array:
    """Points whose straight-line distances are near the given ones: (N, N) -> (N, n_components).

    Exact if there are such points. With geodesic distances it is Isomap: the manifold is rolled out. The components
    have falling variance, and each one's largest entry is positive. Raises InputError unless the distances are a
    square, finite table of at least n_components + 1 rows.

    Source: W. Torgerson, "Multidimensional scaling: I. Theory and method", 1952.
    """
    square = _rows("classical_mds", distances)**2
    n = len(square)
    check_count("classical_mds", "n_components", n_components)
    if square.shape != (n, n) or n_components >= n:
        raise InputError(f"classical_mds: {n_components} components take a square table of distances between more rows "
                         f"than that, not {square.shape}")
    xp = backend_of(square).xp
    square = square - square.mean(0)
    values, axes = xp.linalg.eigh(-0.5 * (square - square.mean(1)[:, None]))
    values, axes = values[::-1][:n_components], axes[:, ::-1][:, :n_components]
    signs = xp.sign(axes[xp.abs(axes).argmax(0), xp.arange(n_components)])
    return axes * (signs * xp.sqrt(xp.maximum(values, 0.0)))


def trustworthiness(x: Any, code: Any, *, neighbors: int = 10) -> float:
    """How far the neighbours of a code are neighbours in truth: 1 if all are, about 0.5 for codes drawn at random.

    x (N, d), code (N, k). Each of a code's `neighbors` nearest that is not among the nearest of its x is charged by how
    far down x's list of neighbours it stands. With x and code exchanged it is the continuity: whether true neighbours
    were torn apart. Raises InputError unless `neighbors` is below N / 2.

    Source: J. Venna and S. Kaski, "Neighborhood preservation in nonlinear projection methods", 2001.
    """
    true, coded = distances(x), distances(code)
    xp, n = backend_of(true).xp, len(true)
    check_count("trustworthiness", "neighbors", neighbors)
    if len(coded) != n or neighbors >= n / 2:
        raise InputError(f"trustworthiness: needs a code for each row, and neighbours below half the rows; there are "
                         f"{n} rows, {len(coded)} codes, {neighbors} neighbours")
    rows = xp.arange(n)
    order = _nearest(true, "trustworthiness", n - 1)
    rank = xp.zeros((n, n), dtype=np.int64)
    rank[rows[:, None], order] = xp.arange(1, n)                 # of each row in every other one's list
    excess = rank[rows[:, None], _nearest(coded, "trustworthiness", neighbors)] - neighbors
    return 1.0 - float(xp.maximum(excess, 0).sum()) * 2.0 / (n * neighbors * (2 * n - 3 * neighbors - 1))


def _nearest(table: Array, name: str, neighbors: int) -> Array:
    """Each row's nearest others, itself left out: (N, N) -> (N, neighbors)."""
    n = len(table)
    check_count(name, "neighbors", neighbors)
    if neighbors >= n:
        raise InputError(f"{name}: each of {n} rows has from 1 to {n - 1} neighbours, not {neighbors}")
    xp = backend_of(table).xp
    table = table.copy()
    table[xp.arange(n), xp.arange(n)] = -1.0                     # itself comes first, also among equals
    return table.argsort(1)[:, 1:neighbors + 1]


def _rows(name: str, x: Any) -> Array:
    """x (N, d) as float64 rows."""
    x = plain_array(name, array_of(x))
    if x.ndim != 2 or len(x) < 2:
        raise InputError(f"{name}: takes two or more rows of numbers, (N, d), not {x.shape!r:.60}")
    x = x.astype(np.float64)
    if not bool(backend_of(x).xp.isfinite(x).all()):
        raise InputError(f"{name}: the rows hold values that are not finite; replace or drop them")
    return x
