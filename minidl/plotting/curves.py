"""Numbers as lines and bars."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
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


@styled
def explained_variance(ratios: Any, *, marks: Sequence[int] = (), title: str = "") -> Figure:
    """The share of the variance that the first k components explain, against k, with some k written in.

    `ratios`: each component's share, falling, as `PCA.explained_variance_ratio_`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    total = np.cumsum(on_host(ratios))
    figure = Figure(layout="constrained", figsize=(13, 7.5))
    axis = figure.subplots()
    axis.bar(np.arange(1, len(total) + 1), on_host(ratios), color=COLOURS[5], label="each component")
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


def _log_scale(axis: Any) -> None:
    """A logarithmic axis with plain numbers at its ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.axes.set_yscale("log")
    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())
