"""The two sets that travel with minidl: handwritten digits and patches of natural pictures."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minidl.data.dataset import Arrays
from minidl.errors import InputError
from minidl.randomness import Seed, generator
from minidl.rows import check_count

FILES = Path(__file__).parent / "files"
DIGITS, NATURE = FILES / "digits.csv.gz", FILES / "nature.npz"


def read_digits() -> Arrays:
    """1797 digits of 8x8 pixels, 0..16, with labels: 1437 to train, 360 to test.

    Every fifth row, after sorting by label, is a test row: each digit has the same share of both parts.
    """
    import gzip
    with gzip.open(DIGITS, "rt") as file:
        table = np.loadtxt(file, dtype=np.uint8, delimiter=",")
    x, y = table[:, :64].reshape(-1, 8, 8), table[:, 64]
    test = np.zeros(len(y), dtype=bool)
    test[np.argsort(y, kind="stable")[::5]] = True
    return x[~test], y[~test], x[test], y[test]


def read_patches() -> Arrays:
    """10,000 patches to train and 1,000 to test, 8x8, drawn with a fixed seed from the same pictures."""
    x = patches(11_000, rng=0)
    return x[:10_000], None, x[10_000:], None


def nature() -> dict[str, np.ndarray]:
    """The public-domain pictures: name -> uint8 (H, W)."""
    with np.load(NATURE, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def patches(n: int, size: int = 8, *, rng: Seed, whiten: bool = True) -> np.ndarray:
    """Patches at random places of the natural pictures, for the sparse autoencoder: float32 (n, size, size, 1).

    As in the UFLDL exercise: the pictures are whitened (leave it out with `whiten=False`), each patch loses its mean,
    values are cut at 3 standard deviations and brought to [0.1, 0.9], where a sigmoid can reach them.
    Larger pictures give more patches. `rng` is an int, a Generator or a RandomStream. Raises InputError if n < 1 or the
    patches don't fit into the pictures.

    Source: A. Ng, "Sparse autoencoder", CS294A lecture notes, and the UFLDL tutorial (sampleIMAGES.m).
    """
    pictures = list(nature().values())
    largest = min(min(picture.shape) for picture in pictures)
    n, size = check_count("patches", "n", n), check_count("patches", "size", size, least=2)
    if size > largest:
        raise InputError(f"patches: size is between 2 and {largest}, not {size}")
    rng = generator(rng, "patches")
    pictures = [_whitened(picture) if whiten else _standardised(picture) for picture in pictures]
    areas = np.array([picture.size for picture in pictures], dtype=float)
    which = rng.choice(len(pictures), size=n, p=areas / areas.sum())
    x = np.empty((n, size, size), dtype=np.float64)
    for i, picture in enumerate(pictures):
        windows = np.lib.stride_tricks.sliding_window_view(picture, (size, size))     # (H', W', size, size)
        chosen = np.flatnonzero(which == i)
        x[chosen] = windows[rng.integers(windows.shape[0], size=len(chosen)),
                            rng.integers(windows.shape[1], size=len(chosen))]
    return _to_sigmoid_range(x)[..., None]


def crops(n: int, size: int, *, rng: Seed, pictures: Sequence[str] = ("raccoon", "chelsea")) -> np.ndarray:
    """Squares from random places of these natural pictures, as they are: float32 (n, size, size, 1) in [0, 1].

    `rng` is an int, a Generator or a RandomStream. Raises InputError if n < 1, if a square doesn't fit into a picture,
    and for pictures that are not there.
    """
    n, size, known = check_count("crops", "n", n), check_count("crops", "size", size), nature()
    names: list[Any] = list(pictures) if isinstance(pictures, list | tuple) else [pictures]
    if not names or not all(isinstance(name, str) and name in known for name in names):
        raise InputError(f"crops: pictures are names among {', '.join(known)}, not {pictures!r:.60}")
    chosen = [known[name] / np.float32(255) for name in names]
    if size >= min(min(picture.shape) for picture in chosen):
        raise InputError(f"crops: squares of {size} x {size} must be smaller than the pictures, "
                         f"{', '.join(str(picture.shape) for picture in chosen)}")
    rng = generator(rng, "crops")
    found = []
    for _ in range(n):
        picture = chosen[rng.integers(len(chosen))]
        top, left = (rng.integers(length - size) for length in picture.shape)
        found.append(picture[top:top + size, left:left + size])
    return np.stack(found)[..., None]


def _standardised(picture: np.ndarray) -> np.ndarray:
    return (picture - picture.mean()) / picture.std()


def _whitened(picture: np.ndarray) -> np.ndarray:
    """The picture with a flat spectrum, and without the highest frequencies, which are mostly noise.

    The filter is |f| exp(-(|f| / f0)^4) with f0 at 0.8 of the highest frequency: B. Olshausen and D. Field, "Sparse
    coding with an overcomplete basis set", 1997, section 4.
    """
    # Mirrored at its edges the picture is periodic, so that the filter sees no false edges at the border.
    mirrored = np.pad(_standardised(picture), [(0, side) for side in picture.shape], mode="symmetric")
    rows, columns = (np.fft.fftfreq(side) for side in mirrored.shape)
    f = np.hypot(rows[:, None], columns)                                              # cycles a pixel, up to 0.5
    filtered = np.fft.ifft2(np.fft.fft2(mirrored) * f * np.exp(-(f / 0.4) ** 4)).real
    return _standardised(filtered[:picture.shape[0], :picture.shape[1]])


def _to_sigmoid_range(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=(1, 2), keepdims=True)
    limit = 3 * x.std()
    return (np.clip(x / limit, -1, 1) * 0.4 + 0.5).astype(np.float32)
