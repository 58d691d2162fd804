"""What every data set looks like once it is loaded, and how one is divided."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minidl.errors import InputError
from minidl.randomness import Seed, generator

# What a reader hands over: x_train, y_train, x_test, y_test; images as stored, labels None where there are none.
Arrays = tuple[np.ndarray, np.ndarray | None, np.ndarray, np.ndarray | None]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images or rows of numbers, and labels, divided into a training and a test part.

    `x_train`, `x_test`: float32 in [0, 1], (N, H, W, C), C = 1 for grey; of a table (`data.csv`) its numbers as they
    are, (N, features). `y_train`, `y_test`: int64 labels (N,), or None where a set has no labels; of a table also
    float32 numbers to predict. `credit` says whose data it is and which files were read. `classes` are the names of
    the classes, the one of label c at c; () where a set has none. `columns` are the names of a table's features.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray | None
    credit: str
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def flat(self) -> Dataset:
        """The same data with each image as one row: (N, H, W, C) -> (N, H*W*C)."""
        return replace(self, x_train=_rows(self.x_train), x_test=_rows(self.x_test))

    def one_of_each(self) -> np.ndarray:
        """Where in the test part the first image of each class is, in the order of the classes: int64 (classes,).

        Raises InputError for a set without classes, and for a class without a test image.
        """
        if self.y_test is None or not self.classes:
            raise InputError(f"one_of_each: {self.name} has no classes; the first images are x_test[:10]")
        has = self.y_test == np.arange(len(self.classes))[:, None]                      # (classes, N)
        if absent := [name for name, images in zip(self.classes, has, strict=True) if not images.any()]:
            raise InputError(f"one_of_each: {self.name} has no test image of {', '.join(absent)}")
        return has.argmax(1)

    def __repr__(self) -> str:
        return (f"Dataset({self.name!r}: {len(self.x_train)} to train and {len(self.x_test)} to test, "
                f"each {self.x_train.shape[1:]})")


def _rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)


def from_arrays(name: str, arrays: Arrays, scale: float, credit: str, classes: Sequence[str] = ()) -> Dataset:
    """A Dataset from a reader's arrays: images divided by `scale`, labels as int64.

    Images may come as (N, H, W) or (N, H, W, C).
    """
    x_train, y_train, x_test, y_test = arrays
    return Dataset(name, _images(x_train, scale), _labels(y_train), _images(x_test, scale), _labels(y_test), credit,
                   tuple(classes))


def divided(name: str, n: int, y: np.ndarray | None, share: float, rng: Seed | None) -> tuple[np.ndarray, np.ndarray]:
    """Which of n items are to train and which to test: places in their order, `share` of them in the test part.

    The test part has every k-th item after sorting by y, from a random order: of each class about that share. Raises
    InputError, in `name`'s name, for a share outside [0, 1), and one that leaves a part without items.
    """
    if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 <= share < 1:
        raise InputError(f"{name}: test is the share of the test part, from 0 to below 1, not {share!r}")
    count = round(share * n)
    if share and not 0 < count < n:
        raise InputError(f"{name}: test={share:g} of {n} items are {count}; both parts need some")
    held = np.zeros(n, bool)
    if count:
        order = generator(rng, name).permutation(n)
        if y is not None:
            order = order[np.argsort(y[order], kind="stable")]
        held[order[((np.arange(count) + 0.5) * (n / count)).astype(int)]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _images(x: np.ndarray, scale: float) -> np.ndarray:
    x = x[..., None] if x.ndim == 3 else x          # (N, H, W) -> (N, H, W, 1)
    # A division, not a product with 1/scale: the brightest pixel is exactly 1.
    return np.ascontiguousarray(np.divide(x, np.float32(scale), dtype=np.float32))


def _labels(y: Any) -> np.ndarray | None:
    return None if y is None else np.ascontiguousarray(y, dtype=np.int64)
