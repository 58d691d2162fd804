"""Precision and recall of a generator, and whether it has learned its images by heart (slides 76, 84-85)."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.metrics.neighbours import EuclideanIndex
from minidl.rows import check_count, rows_of_floats


class PrecisionRecall(NamedTuple):
    """The share of generated images that look real, and the share of real ones that can be generated."""

    precision: float
    recall: float


def precision_recall(real: Any, generated: Any, *, k: int = 3) -> PrecisionRecall:
    """Precision and recall of generated features (M, d) against real ones (N, d), each from 0 to 1.

    A set's manifold is the balls around its rows that reach to each one's k-th nearest other row. Precision is the
    share of generated rows in the real manifold, recall the share of real rows in the generated one. A rim belongs to
    its ball, and a row that is in a set twice is its own neighbour: so a set against itself has 1 and 1, and one that
    holds each row more than k times reaches nothing but these rows.

    Both depend on the numbers of rows: compare sets of one size, and say what real rows have against others. Raises
    InputError for sets of different widths or devices, and unless both have more than k rows.

    Source: T. Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models", 2019,
    section 2.
    """
    k = check_count("precision_recall", "k", k)
    real, generated = _two_sets("precision_recall", "real", real, "generated", generated)
    if min(len(real), len(generated)) <= k:
        raise InputError(f"precision_recall: each row has {k} others as neighbours, so that a set takes {k + 1} rows "
                         f"or more, not {len(real)} and {len(generated)}; give more images or a smaller k")
    sets = EuclideanIndex(real), EuclideanIndex(generated)
    radii = [index.search(x, k + 1)[0][:, k] for index, x in zip(sets, (real, generated), strict=True)]
    return PrecisionRecall(float(sets[0].reaches(generated, radii[0]).mean()),
                           float(sets[1].reaches(real, radii[1]).mean()))


class Memorisation(NamedTuple):
    """How much nearer generated images are to the training images than new real ones are.

    `share`: the share of them that is nearer than all but 1 % of the new ones: about 0.01 of a generator that makes new
    images, 1 of one that copies (0 if 1 % of the new ones themselves are copies, which tells nothing). `nearer`: the
    probability that a generated image is nearer than a new one, equal ones counted half: 0.5 of new images, 1 of
    copies, below 0.5 of images unlike the data. `ratio`: the median distance as
    a multiple of the new ones': 1, 0, and above 1. `distances` (M,) and `nearest` (M,), on the host, are those from
    each generated image to its nearest training image, and which that is; `floor` (H,) are the distances of the new
    images.
    """

    share: float
    nearer: float
    ratio: float
    distances: np.ndarray
    nearest: np.ndarray
    floor: np.ndarray


def memorisation(train: Any, held_out: Any, generated: Any) -> Memorisation:
    """Whether generated images (M, d) are copies of those that were learned from, (N, d), in pixels or features.

    The distance from each one to the nearest training image says nothing alone: real images that nobody has trained on,
    `held_out` (H, d), lie near some of them, too. So theirs is the floor. Raises InputError for rows of different
    widths or devices, no rows at all, and fewer than 100 held-out images, of which 1 % were none.

    Source: C. Meehan, K. Chaudhuri and S. Dasgupta, "A non-parametric test to detect data-copying in generative
    models", 2020, section 3: `nearer` is its statistic, without division into cells.
    """
    train, held_out = _two_sets("memorisation", "train", train, "held_out", held_out)
    train, generated = _two_sets("memorisation", "train", train, "generated", generated)
    if len(held_out) < 100:
        raise InputError(f"memorisation: the floor takes 100 held-out images or more, not {len(held_out)}")
    index = EuclideanIndex(train)
    (floor, _), (distances, nearest) = ([_on_host(found[:, 0]) for found in index.search(x, 1)]
                                        for x in (held_out, generated))
    ordered = np.sort(floor)
    before, after = (np.searchsorted(ordered, distances, side) for side in ("left", "right"))
    nearer = 1.0 - float((before + after).mean()) / (2 * len(ordered))
    median = float(np.median(floor))
    ratio = float(np.median(distances)) / median if median else np.nan
    limit = ordered[len(ordered) // 100]
    return Memorisation(float((distances < limit).mean()), nearer, ratio, distances, nearest, floor)


def _two_sets(name: str, first: str, a: Any, second: str, b: Any) -> tuple[Array, Array]:
    """Both as rows of one width and dtype, on one device."""
    a, b = (rows_of_floats(name, x) for x in (a, b))
    if a.shape[1] != b.shape[1] or not a.size or not b.size:
        raise InputError(f"{name}: {first} and {second} are rows of one length, one row each or more, not {a.shape} "
                         f"and {b.shape}")
    if backend_of(a) is not backend_of(b):
        raise InputError(f"{name}: {first} is on {backend_of(a).name!r}, {second} on {backend_of(b).name!r}; bring "
                         "them together with Device(...).put(x)")
    dtype = np.result_type(a.dtype, b.dtype)
    return tuple(x if x.dtype == dtype else x.astype(dtype) for x in (a, b))


def _on_host(array: Any) -> np.ndarray:
    return backend_of(array).to_host(array)
