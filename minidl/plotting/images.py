"""Pictures of pictures: rows to compare, and grids."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, DPI, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HIGHEST = 540               # inches: matplotlib draws no more than 65,536 dots


class Row(NamedTuple):
    """A row of pictures: what they are, the images (N, H, W) or (N, H, W, C), and a note that stands beside them."""

    title: str
    images: Any
    note: str = ""


@styled
def image_rows(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Rows of images under each other, titles on the left and notes on the right: slide 17's comparison.

    Values are shown from 0 (black) to 1 (white), see `pictures`. Raises InputError for rows of different lengths or of
    none, and images of another shape.
    """
    from matplotlib.figure import Figure

    lengths = [len(row.images) for row in rows]
    if not rows or len(set(lengths)) != 1 or not lengths[0]:
        raise InputError(f"image_rows: every row needs the same number of images, at least one; they have {lengths}")
    columns = lengths[0]
    shape = np.shape(rows[0].images)
    left, right = 3.4, (2.3 if any(row.note for row in rows) else 0.2)     # inches
    strip, top = 16 - left - right, (1.0 if title else 0.1)
    height = len(rows) * (strip * shape[1] / (columns * shape[2]) + 0.12) + top + 0.1
    figure = Figure(figsize=(16, height))
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axis, row in zip(axes, rows, strict=True):
        axis.imshow(tiles(row.images, columns), interpolation="nearest")
        axis.axis("off")
        axis.text(-0.02, 0.5, row.title, transform=axis.transAxes, ha="right", va="center", fontsize=27)
        axis.text(1.02, 0.5, row.note, transform=axis.transAxes, ha="left", va="center", fontsize=27, color=COLOURS[0])
    figure.suptitle(title, fontsize=31, x=(left + strip / 2) / 16, y=1 - 0.2 / height, va="top")
    figure.subplots_adjust(left=left / 16, right=1 - right / 16, bottom=0.1 / height, top=1 - top / height, hspace=0.04)
    return figure


@styled
def image_grid(images: Any, *, columns: int | None = None, title: str = "", captions: Sequence[str] = (),
               symmetric: bool = False) -> Figure:
    """Images (N, H, W) or (N, H, W, C) as a grid, with a caption under each if there are any.

    There are ten columns, or more if there are more than a hundred images. Values are shown from 0 to 1 (see
    `pictures`); with `symmetric`, which suits components and filters, each from minus to plus its greatest size, in
    blue and red around white. Raises InputError for images of another shape or none, for captions of another number,
    and for a grid too high to be drawn.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    images = pictures(images)
    count, height, width = images.shape[:3]
    if not count or len(captions) not in (0, count):
        raise InputError(f"image_grid: {count} images and {len(captions)} captions; there is at least one image, and "
                         "each has a caption or none")
    columns = min(columns or max(10, math.isqrt(count)), count)
    rows = -(-count // columns)
    scale = max(1, round(14 * DPI / (columns * width)))                    # so that every pixel is several dots wide
    cell = scale * width + max(2, scale * width // 12)                     # dots, with a gap, and for the captions:
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    below = cell - scale * width + lines * round(0.33 / 14 * columns * cell)
    high = rows * (scale * height + below)
    inches = 14 / (columns * cell)                                         # of a dot
    top = 0.9 if title else 0.1
    if high * inches > _HIGHEST:
        raise InputError(f"image_grid: {count} images in {columns} columns are {high * inches:.0f} inches high, of "
                         f"{_HIGHEST} that can be drawn; in {math.isqrt(count)} columns they are as high as wide")
    if symmetric:
        limits = np.abs(images).max((1, 2, 3), keepdims=True)
        images = colormaps["RdBu_r"](0.5 + 0.5 * (images / np.where(limits > 0, limits, 1))[..., 0])[..., :3]
    # One large picture: an axis for each image takes a minute for some thousands.
    sheet = np.full((high, columns * cell, 3), 255, np.uint8)
    for i, image in enumerate((255 * images.clip(0, 1)).round().astype(np.uint8)):
        y, x = i // columns * (scale * height + below), i % columns * cell + (cell - scale * width) // 2
        sheet[y:y + scale * height, x:x + scale * width] = image.repeat(scale, axis=0).repeat(scale, axis=1)
    figure = Figure(figsize=(14, high * inches + top))
    axis = figure.add_axes((0, 0, 1, high * inches / (high * inches + top)))
    axis.imshow(sheet, aspect="auto")
    axis.axis("off")
    for i, caption in enumerate(captions):
        axis.text(i % columns * cell + cell / 2, (i // columns + 1) * (scale * height + below) - below + 0.05 / inches,
                  caption, fontsize=19, ha="center", va="top")
    figure.suptitle(title, fontsize=26, y=1 - 0.2 / (high * inches + top), va="top")
    return figure


def pictures(images: Any) -> np.ndarray:
    """Images on the host, whose values are to be shown from 0 to 1: (N, H, W) or (N, H, W, C) -> (N, H, W, C).

    Bytes' values, up to 255, are divided by that, and those of scikit-learn's digits by their 16: images whose values
    reach above 2, more than a network's output is astray, and of which none is negative. Raises InputError unless C is
    1 or 3.
    """
    images = on_host(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(f"pictures have the shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), not {images.shape}")
    if images.size and images.max() > 2 and images.min() >= 0:
        return images / np.float32(255 if images.max() > 16 else 16)
    return images


def tiles(images: Any, columns: int) -> np.ndarray:
    """One wide image of all of them, with white gaps: (N, H, W, C) -> (H', N*W', 3), every pixel several dots wide."""
    images = pictures(images).clip(0, 1)
    height, width = images.shape[1:3]
    scale = max(1, 112 // max(height, width))
    images = np.broadcast_to(images, (*images.shape[:3], 3)).repeat(scale, axis=1).repeat(scale, axis=2)
    gap = max(2, scale * width // 16)
    sheet = np.ones((height * scale, columns * (width * scale + gap) - gap, 3), images.dtype)
    for i, image in enumerate(images):
        left = i * (width * scale + gap)
        sheet[:, left:left + width * scale] = image
    return sheet
