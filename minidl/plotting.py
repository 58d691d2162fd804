"""Every picture that the lectures show, made to be read from the back of a room.

Each function returns a matplotlib Figure; `save` writes it. Nothing here touches pyplot or its global state, except
`show`, which opens windows. Matplotlib is imported at the first picture, not with minidl.
"""
from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec

import numpy as np

from minidl.errors import InputError
from minidl.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
DPI = 120
# Okabe and Ito's colours, which the colour-blind can tell apart as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")
_STYLE: Any = {
    "font.size": 20, "axes.titlesize": 24, "axes.titlepad": 18, "axes.labelsize": 22, "lines.linewidth": 3.5,
    "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#444444",
    "axes.axisbelow": True, "grid.color": "#dddddd"}


class Row(NamedTuple):
    """A row of pictures: what they are, the images (N, H, W) or (N, H, W, C), and a note that stands beside them."""

    title: str
    images: Any
    note: str = ""


def _styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the lectures' style and leave the caller's settings as they were."""
    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        from matplotlib import rc_context
        with rc_context(_STYLE):
            return draw(*args, **kwargs)
    return styled


@_styled
def image_rows(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Rows of images under each other, titles on the left and notes on the right: slide 17's comparison.

    Values are shown from 0 (black) to 1 (white). Raises InputError for rows of different lengths.
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
        axis.imshow(_tiles(row.images, columns), interpolation="nearest")
        axis.axis("off")
        axis.text(-0.02, 0.5, row.title, transform=axis.transAxes, ha="right", va="center", fontsize=27)
        axis.text(1.02, 0.5, row.note, transform=axis.transAxes, ha="left", va="center", fontsize=27, color=COLOURS[0])
    figure.suptitle(title, fontsize=31, x=(left + strip / 2) / 16, y=1 - 0.2 / height, va="top")
    figure.subplots_adjust(left=left / 16, right=1 - right / 16, bottom=0.1 / height, top=1 - top / height, hspace=0.04)
    return figure


@_styled
def image_grid(images: Any, *, columns: int = 10, title: str = "", captions: Sequence[str] = (),
               symmetric: bool = False) -> Figure:
    """Images (N, H, W) or (N, H, W, C) as a grid, with a caption under each if there are any.

    Values are shown from 0 to 1; with `symmetric`, which suits components and filters, each from minus to plus its
    greatest size, in blue and red around white.
    """
    from matplotlib.figure import Figure

    images = _pictures(images)
    count, height, width = images.shape[:3]
    columns = min(columns, count)
    rows = -(-count // columns)
    cell = 14 / columns
    caption_height = 0.45 if captions else 0.12
    figure = Figure(layout="constrained",
                    figsize=(14, rows * (cell * height / width + caption_height) + (0.9 if title else 0.1)))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in grid:
        axis.axis("off")
    for i, image in enumerate(images):
        limit = float(np.abs(image).max()) or 1.0
        if symmetric:
            grid[i].imshow(image.squeeze(), cmap="RdBu_r", vmin=-limit, vmax=limit)
        else:
            grid[i].imshow(image.clip(0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
        if captions:
            grid[i].text(0.5, -0.04, captions[i], transform=grid[i].transAxes, ha="center", va="top", fontsize=19)
    figure.suptitle(title, fontsize=26)
    return figure


@_styled
def curves(series: Mapping[str, tuple[Any, Any]], *, x: str, y: str, title: str = "",
           levels: Mapping[str, float] | None = None, log: bool = False) -> Figure:
    """Lines, label -> (x values, y values), with dashed levels, label -> y, to compare them with."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(13, 7.5))
    axis = figure.subplots()
    for (label, (xs, ys)), colour in zip(series.items(), COLOURS, strict=False):
        axis.plot(xs, ys, color=colour, marker="o" if len(xs) < 12 else "", markersize=9)
        _name_line(axis, label, ys[-1], colour)
    for (label, level), colour in zip((levels or {}).items(), COLOURS[len(series):], strict=False):
        axis.axhline(level, color=colour, linestyle="--")
        _name_line(axis, label, level, colour)
    axis.set(xlabel=x, ylabel=y, title=title)
    if all(float(v).is_integer() for xs, _ in series.values() for v in xs):
        axis.locator_params(axis="x", integer=True)                        # there is no epoch 2.5
    if log:
        _log_scale(axis.yaxis)
    else:
        axis.set_ylim(bottom=0)
    axis.grid(axis="y", which="both")
    return figure


def _name_line(axis: Any, label: str, height: float, colour: str) -> None:
    """Write a line's name beside its right end, where no legend can cover it or be covered."""
    axis.annotate(label, (1.0, height), xycoords=("axes fraction", "data"), xytext=(10, 0),
                  textcoords="offset points", va="center", color=colour, annotation_clip=False)


@_styled
def codes(points: Any, labels: Any = None, *, title: str = "", x: str = "first code number",
          y: str = "second code number", names: Sequence[str] = ()) -> Figure:
    """A scatter of codes (N, 2), coloured by label, with each label written at the median of its points."""
    from matplotlib import colormaps, patheffects
    from matplotlib.figure import Figure

    points = _host(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"codes: a picture has two directions; give two columns of the codes, not {points.shape}")
    figure = Figure(layout="constrained", figsize=(12, 10))
    axis = figure.subplots()
    palette = colormaps["tab10"]
    colours = [palette(0)] if labels is None else palette(np.asarray(labels) % 10)
    axis.scatter(points[:, 0], points[:, 1], c=colours, s=60 if len(points) < 1000 else 14, alpha=0.65, linewidths=0)
    for label in [] if labels is None else np.unique(labels):
        place = np.median(points[np.asarray(labels) == label], axis=0)
        axis.text(place[0], place[1], names[label] if names else str(label), fontsize=32, fontweight="bold",
                  ha="center", va="center", color=palette(label % 10),
                  path_effects=[patheffects.withStroke(linewidth=6, foreground="white")])
    axis.set(xlabel=x, ylabel=y, title=title, aspect="equal")
    return figure


@_styled
def explained_variance(ratios: Any, *, marks: Sequence[int] = (), title: str = "") -> Figure:
    """The share of the variance that the first k components explain, against k, with some k written in.

    `ratios`: each component's share, falling, as `PCA.explained_variance_ratio_`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    total = np.cumsum(_host(ratios))
    figure = Figure(layout="constrained", figsize=(13, 7.5))
    axis = figure.subplots()
    axis.bar(np.arange(1, len(total) + 1), _host(ratios), color=COLOURS[5], label="each component")
    axis.plot(np.arange(1, len(total) + 1), total, color=COLOURS[0], label="the first k together")
    for k in marks:
        axis.plot(k, total[k - 1], "o", color=COLOURS[1], markersize=13)
        last = k > 0.8 * len(total)                  # there is no room to its right
        axis.annotate(f"k = {k}: {total[k - 1]:.0%}", (k, total[k - 1]), xytext=(0 if last else 14, -34),
                      textcoords="offset points", ha="right" if last else "left", color=COLOURS[1])
    axis.set(xlabel="number of components k", ylabel="share of the variance", title=title, ylim=(0, 1.02),
             xlim=(0.3, len(total) * 1.06))
    axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.grid(axis="y")
    axis.legend(loc="center right")
    return figure


# Files and windows ----------------------------------------------------------------------------------------------------


def png(figure: Figure) -> bytes:
    """The figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write the figure as PNG, whole or not at all; returns the path. Raises InputError if it cannot be written."""
    with atomic_write(path) as file:
        file.write(png(figure))
    return Path(path)


def show(paths: Sequence[str | os.PathLike[str]]) -> str:
    """Open a window for each picture file and wait until they are closed; returns why not, if there is none."""
    import matplotlib
    from matplotlib import image

    try:
        from matplotlib import pyplot
        pyplot.figure(num=str(paths[0]))
    except Exception as error:           # each window system fails in its own way
        return f"no window can be opened: {error}"
    if matplotlib.get_backend().lower() in {"agg", "pdf", "svg", "ps", "cairo", "template"}:
        pyplot.close("all")
        return "no window can be opened: matplotlib has no window system here (on Debian: apt install python3-tk)"
    for path in paths:
        picture = image.imread(os.fspath(path))
        figure = pyplot.figure(num=str(path), figsize=(picture.shape[1] / DPI, picture.shape[0] / DPI))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.imshow(picture)
        axis.axis("off")
    pyplot.show()
    return ""


# Helpers --------------------------------------------------------------------------------------------------------------


def _host(values: Any) -> np.ndarray:
    from minidl.tensor import Tensor

    return (values if isinstance(values, Tensor) else Tensor(values)).numpy()


def _pictures(images: Any) -> np.ndarray:
    """Images on the host as (N, H, W, C)."""
    images = _host(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(f"pictures have the shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), not {images.shape}")
    return images


def _tiles(images: Any, columns: int) -> np.ndarray:
    """One wide image of all of them, with white gaps: (N, H, W, C) -> (H', N*W', 3), every pixel several dots wide."""
    images = _pictures(images).clip(0, 1)
    height, width = images.shape[1:3]
    scale = max(1, 112 // max(height, width))
    images = np.broadcast_to(images, (*images.shape[:3], 3)).repeat(scale, axis=1).repeat(scale, axis=2)
    gap = max(2, scale * width // 16)
    sheet = np.ones((height * scale, columns * (width * scale + gap) - gap, 3), images.dtype)
    for i, image in enumerate(images):
        left = i * (width * scale + gap)
        sheet[:, left:left + width * scale] = image
    return sheet


def _log_scale(axis: Any) -> None:
    """A logarithmic axis with plain numbers at its ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.axes.set_yscale("log")
    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())
