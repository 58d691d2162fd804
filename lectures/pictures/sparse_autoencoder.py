"""Pictures of sparse autoencoders: who is active, filters side by side, a race, and how a stack grows."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.curves import draw_lines, log_scale, name_lines
from minidl.plotting.style import COLOURS, colours, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def histograms(panels: Mapping[str, Any], *, x: str, title: str = "", bins: int = 25) -> Figure:
    """How often which value occurs, a panel for each set of numbers, on the same logarithmic scale.

    Values lie in [0, 1]; the dashed line is their mean.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullLocator

    figure = Figure(layout="constrained", figsize=(17, 7))
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axis, (label, values), colour in zip(axes, panels.items(), colours(), strict=False):
        values = on_host(values).ravel()
        axis.hist(values, np.linspace(0, 1, bins + 1), weights=np.full(len(values), 1 / len(values)), color=colour)
        mean = float(values.mean())
        axis.axvline(mean, color="black", linestyle="--")
        axis.set(xlabel=x, title=label, yscale="log", xlim=(0, 1))
        axis.annotate(f"mean {mean:.3f}", (min(max(mean, 0.06), 0.7), 0.97), xycoords=("data", "axes fraction"),
                      xytext=(12, 0), textcoords="offset points", va="top")
        axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.grid(axis="y")
    axes[0].set_ylabel("share of all activations")
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def filter_panels(panels: Mapping[str, Any], *, columns: int = 5, title: str = "") -> Figure:
    """Sets of filters (N, H, W), label -> filters, each as a square in grey; as A. Ng's exercise displays them.

    Each filter runs from black to white over its own range, with 0 in the middle.
    """
    from matplotlib.figure import Figure

    sheets = {label: _sheet(on_host(filters), columns) for label, filters in panels.items()}
    tallest = max(sheet.shape[0] / sheet.shape[1] for sheet in sheets.values())
    width = 19.0 if len(panels) > 2 else 13.0 if tallest < 0.8 else 10.0
    figure = Figure(layout="constrained", figsize=(width, tallest * width / len(panels) + (1.3 if title else 0.6)))
    figure.get_layout_engine().set(wspace=0.06)                           # type: ignore[call-arg, union-attr]
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (label, sheet) in zip(axes, sheets.items(), strict=True):
        axis.imshow(sheet, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        axis.axis("off")
        axis.set_title(label, pad=10)
    figure.suptitle(title, fontsize=28)
    return figure


def _sheet(filters: np.ndarray, columns: int) -> np.ndarray:
    """One image of all of them, with white gaps."""
    if filters.ndim != 3:
        raise InputError(f"filter_panels: filters have the shape (N, H, W), not {filters.shape}")
    n, height, width = filters.shape
    rows = -(-n // columns)
    sheet = np.ones((rows * (height + 1) - 1, columns * (width + 1) - 1))
    limits = np.abs(filters).max((1, 2), keepdims=True)
    for i, image in enumerate(filters / np.where(limits > 0, limits, 1)):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top:top + height, left:left + width] = image
    return sheet


@styled
def races(panels: Mapping[str, Mapping[str, tuple[Any, Any]]], *, y: str, title: str = "",
          top: float | None = None) -> Figure:
    """The same lines against different measures, side by side: x label -> line -> (x values, y values).

    The measures are on logarithmic axes; `top` cuts off what is higher.
    """
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(19, 8))
    figure.get_layout_engine().set(wspace=0.04, h_pad=0.1)                # type: ignore[call-arg, union-attr]
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    ends = [draw_lines(axis, series) for axis, series in zip(axes, panels.values(), strict=True)]
    lowest = min(np.min(ys) for series in panels.values() for _, ys in series.values())
    if top is not None and top > lowest:
        axes[0].set_ylim(lowest - 0.05 * (top - lowest), top)
    for axis, label in zip(axes, panels, strict=True):
        axis.set_xlabel(label)
        log_scale(axis.xaxis)
        axis.grid(axis="y")
    axes[0].set_ylabel(y)
    figure.suptitle(title, fontsize=28)
    figure.draw_without_rendering()                                        # settles the axes' limits and their size
    for axis, named in zip(axes, ends, strict=True):
        name_lines(axis, named)
    return figure


@styled
def bars(values: Mapping[str, float], *, x: str, title: str = "", unit: str = "",
         emphasis: Sequence[str] = ()) -> Figure:
    """Numbers to compare as horizontal bars, label -> number, from the top; those in `emphasis` are red."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(15, 1.9 + 0.85 * len(values)))
    axis = figure.subplots()
    heights = list(values.values())
    axis.barh(range(len(values)), heights, color=[COLOURS[1 if label in emphasis else 0] for label in values])
    for i, value in enumerate(heights):
        axis.annotate(f"{value:.2f}{unit}", (value, i), xytext=(8, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(values)), list(values))
    axis.invert_yaxis()
    axis.set(xlabel=x, title=title, xlim=(0, 1.12 * max(heights)))
    axis.tick_params(axis="y", length=0)
    return figure


@styled
def stacking(columns: Sequence[tuple[str, int]], *, trained: Sequence[int], title: str = "", note: str = "") -> Figure:
    """A network as columns of units, (name, how many), with the weights that are being trained in red: slides 11-16.

    `trained`: which of the gaps between columns, from 0.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(16, 8))
    axis = figure.subplots()
    places = [[(float(i), j - (n - 1) / 2) for j in range(n)] for i, (_, n) in enumerate(columns)]
    for i, (before, after) in enumerate(zip(places[:-1], places[1:], strict=True)):
        active = i in trained
        axis.add_collection(LineCollection([[a, b] for a in before for b in after], zorder=1 if active else 0,
                                           colors=COLOURS[1] if active else "#bbbbbb", linewidths=2 if active else 1.2))
    highest = max(n for _, n in columns) / 2
    for (name, _), units in zip(columns, places, strict=True):
        axis.plot(*zip(*units, strict=True), "o", color="white", markeredgecolor=COLOURS[0], markersize=34,
                  markeredgewidth=3)
        axis.text(units[0][0], highest + 0.35, name, ha="center", fontsize=28, color=COLOURS[0])
    axis.set(xlim=(-0.4, len(columns) - 0.6), ylim=(-highest - 0.9, highest + 0.9), title=title)
    axis.text(0.5, 0.0, note, transform=axis.transAxes, ha="center", fontsize=24, color=COLOURS[1])
    axis.axis("off")
    return figure


def stages() -> list[Figure]:
    """A film of how a stack is trained, layer by layer: slides 11-16."""
    classifier = [("x", 6), ("a", 4), ("b", 3), ("softmax", 2)]
    return [stacking([("x", 6), ("a", 4), ("x'", 6)], trained=[0, 1], title="1. Reconstruct x", note="x' shall be x"),
            stacking([("x", 6), ("a", 4), ("b", 3), ("a'", 4)], trained=[1, 2], title="2. Reconstruct a, not x",
                     note="a' shall be a"),
            stacking(classifier, trained=[2], title="3. Classify b", note="the first labels"),
            stacking(classifier, trained=[0, 1, 2], title="4. Fine-tune all",
                     note="backpropagation through everything")]
