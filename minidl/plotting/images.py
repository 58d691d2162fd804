"""Pictures of pictures: rows to compare, and grids."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Row(NamedTuple):
    """A row of pictures: what they are, the images (N, H, W) or (N, H, W, C), and a note that stands beside them."""

    title: str
    images: Any
    note: str = ""


@styled
def image_rows(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Rows of images under each other, titles on the left and notes on the right: slide 17's comparison.

    Values are shown from 0 (black) to 1 (white). Raises InputError for rows of different lengths or of none, and images
    of another shape.
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
def image_grid(images: Any, *, columns: int = 10, title: str = "", captions: Sequence[str] = (),
               symmetric: bool = False) -> Figure:
    """Images (N, H, W) or (N, H, W, C) as a grid, with a caption under each if there are any.

    Values are shown from 0 to 1; with `symmetric`, which suits components and filters, each from minus to plus its
    greatest size, in blue and red around white. Raises InputError for images of another shape.
    """
    from matplotlib.figure import Figure

    images = pictures(images)
    count, height, width = images.shape[:3]
    columns = min(columns, count)
    rows = -(-count // columns)
    cell = 14 / columns
    caption_height = 0.12 + 0.33 * max((caption.count("\n") + 1 for caption in captions), default=0)
    figure = Figure(layout="constrained",
                    figsize=(14, rows * (cell * height / width + caption_height) + (0.9 if title else 0.1)))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in grid:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for i, image in enumerate(images):
        limit = float(np.abs(image).max()) or 1.0
        if symmetric:
            grid[i].imshow(image.squeeze(), cmap="RdBu_r", vmin=-limit, vmax=limit)
        else:
            grid[i].imshow(image.clip(0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
        if captions:
            grid[i].set_xlabel(captions[i], fontsize=19)
    figure.suptitle(title, fontsize=26)
    return figure


def pictures(images: Any) -> np.ndarray:
    """Images on the host: (N, H, W) or (N, H, W, C) -> (N, H, W, C). Raises InputError unless C is 1 or 3."""
    images = on_host(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(f"pictures have the shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), not {images.shape}")
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
