"""What a search finds, with what is right about it, and the code units that it goes by."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.errors import InputError
from minidl.plotting.images import image_grid, pictures
from minidl.plotting.style import COLOURS, colours, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RIGHT, WRONG = COLOURS[0], COLOURS[1]


class Found(NamedTuple):
    """What one way of searching found: its name, images (Q, k, H, W[, C]), and which have the query's class (Q, k)."""

    title: str
    images: Any
    right: Any


@styled
def retrieved(queries: Any, ways: Sequence[Found], *, title: str = "") -> Figure:
    """Slides 20-21: each query (Q, H, W[, C]) on the left, and beside it what each way of searching found for it.

    A blue frame is the query's class, an orange one another. Raises InputError for ways that found for other queries.
    """
    from matplotlib.figure import Figure

    queries = pictures(queries)
    for way in ways:
        if np.shape(way.right) != np.shape(way.images)[:2] or len(way.right) != len(queries):
            raise InputError(f"retrieved: {len(queries)} queries need images ({len(queries)}, k, ...) and which are "
                             f"right ({len(queries)}, k); {way.title!r} has {np.shape(way.images)} and "
                             f"{np.shape(way.right)}")
    sheets = [_framed(queries[:, None], None)] + [_framed(way.images, way.right) for way in ways]
    gap, top = 0.35, 0.55 + 0.75 * bool(title)                                   # inches
    widths = np.array([sheet.shape[1] / sheet.shape[0] for sheet in sheets])     # for a height of 1
    height = (16 - 0.2 - gap * len(ways)) / widths.sum()
    figure = Figure(figsize=(16, height + top + 0.7))
    left, total = 0.1, height + top + 0.7
    for sheet, name in zip(sheets, ["query", *(way.title for way in ways)], strict=True):
        width = height * sheet.shape[1] / sheet.shape[0]
        axis = figure.add_axes((left / 16, 0.6 / total, width / 16, height / total))
        axis.imshow(sheet, interpolation="nearest", aspect="auto")
        axis.axis("off")
        axis.set_title(name, fontsize=22, pad=8)
        left += width + gap
    figure.suptitle(title, fontsize=28, y=1 - 0.15 / total, va="top")
    _legend(figure, total)
    return figure


@styled
def rings(query: Any, found: Mapping[str, tuple[Any, Any]], *, columns: int = 10, title: str = "") -> Figure:
    """A ball around a query (H, W[, C]): a row for each distance, label -> images (M, H, W[, C]) and which are right.

    At most `columns` images of a row are shown.
    """
    from matplotlib.figure import Figure

    blank = np.ones_like(on_host(query))
    top, left, total_width = 0.9 if title else 0.1, 4.6, 16.0
    cell = (total_width - left - 0.1) / columns
    total = top + 0.7 + cell * (1 + len(found))
    figure = Figure(figsize=(total_width, total))
    rows: list[tuple[str, Any, Any]] = [("query", on_host(query)[None], None)]
    rows += [(label, images, right) for label, (images, right) in found.items()]
    for i, (label, images, right) in enumerate(rows):
        images = on_host(images)[:columns]
        bottom = total - top - (i + 1) * cell
        shown = _framed(images[None], None if right is None else [right[:columns]]) if len(images) else \
            _framed(blank[None, None], None)
        axis = figure.add_axes((left / total_width, bottom / total, cell * max(len(images), 1) / total_width,
                                cell / total))
        axis.imshow(shown, interpolation="nearest", aspect="auto")
        axis.axis("off")
        figure.text((left - 0.2) / total_width, (bottom + cell / 2) / total, label, ha="right", va="center",
                    fontsize=22)
    figure.suptitle(title, fontsize=28, y=1 - 0.15 / total, va="top")
    _legend(figure, total)
    return figure


@styled
def activities(panels: Mapping[str, Any], *, low: float = 0.1, high: float = 0.9, title: str = "") -> Figure:
    """Histograms of units' values between 0 and 1, label -> values, with the share between `low` and `high`."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(layout="constrained", figsize=(16, 7))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (label, values), colour in zip(axes, panels.items(), colours(), strict=False):
        values = np.ravel(on_host(values))
        counts, edges = np.histogram(values, np.linspace(0, 1, 21))
        axis.bar(edges[:-1], counts / len(values), width=0.05, align="edge", color=colour, edgecolor="white")
        between = float(((values > low) & (values < high)).mean())
        axis.text(0.5, 0.9, f"{between:.0%} between\n{low:g} and {high:g}", transform=axis.transAxes, ha="center",
                  va="top", fontsize=26, color=colour)
        axis.set(title=label, xlabel="value of a code unit", xlim=(0, 1), xticks=[0, 0.5, 1])
        axis.grid(axis="y")
    axes[0].set_ylabel("share of the values")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    figure.suptitle(title, fontsize=28)
    return figure


def flipping(first: Any, last: Any, decoded: Any, flipped: int, bits: int) -> Figure:
    """A step of a walk from one image's code to another's, (H, W, C) each: what is decoded once so many of the `bits`
    in which the codes differ are flipped.
    """
    return image_grid(np.stack([first, decoded, last]), columns=3, title="Flipping one bit after the other", captions=[
        "from here", f"{flipped} bits flipped, {bits - flipped} to go", "to there"])


def _framed(images: Any, right: Any) -> np.ndarray:
    """Images (R, k, H, W[, C]) as one sheet of R rows, each in a frame by `right` (R, k), white without one."""
    images = on_host(images)
    rows, columns = images.shape[:2]
    flat = pictures(images.reshape(rows * columns, *images.shape[2:])).clip(0, 1)
    scale = max(1, 112 // max(flat.shape[1:3]))
    flat = np.broadcast_to(flat, (*flat.shape[:3], 3)).repeat(scale, axis=1).repeat(scale, axis=2)
    gap = max(4, flat.shape[2] // 14)                                            # of the frame, and around it
    height, width = flat.shape[1] + 3 * gap, flat.shape[2] + 3 * gap
    sheet = np.ones((rows * height, columns * width, 3), np.float32)
    for i, image in enumerate(flat):
        top, left = i // columns * height, i % columns * width
        if right is not None:
            frame = RIGHT if np.asarray(right).ravel()[i] else WRONG
            sheet[top + gap // 2:top + height - gap // 2, left + gap // 2:left + width - gap // 2] = _rgb(frame)
        sheet[top + 3 * gap // 2:top + 3 * gap // 2 + image.shape[0],
              left + 3 * gap // 2:left + 3 * gap // 2 + image.shape[1]] = image
    return sheet


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb
    return to_rgb(colour)


def _legend(figure: Figure, height: float) -> None:
    for x, text, colour in ((0.44, "blue: the query's class", RIGHT), (0.56, "orange: another class", WRONG)):
        figure.text(x, 0.25 / height, text, ha="right" if colour == RIGHT else "left", va="center", fontsize=22,
                    color=colour)
