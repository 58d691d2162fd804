"""Numbers as lines."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.plotting.style import colours, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def curves(series: Mapping[str, tuple[Any, Any]], *, x: str, y: str, title: str = "",
           levels: Mapping[str, float] | None = None, log: bool = False) -> Figure:
    """Lines, label -> (x values, y values), each (n,), with dashed levels, label -> y, to compare them with.

    `x` and `y` name the axes; `log` makes y logarithmic.
    """
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(13, 7.5))
    axis = figure.subplots()
    ends = draw_lines(axis, series)
    for (label, level), colour in zip((levels or {}).items(), colours(len(series)), strict=False):
        axis.axhline(level, color=colour, linestyle="--")
        ends.append(LineEnd(label, None, level, colour))
    axis.set(xlabel=x, ylabel=y, title=title)
    _scales(axis, log)
    figure.draw_without_rendering()                                        # settles the axis's limits and its size
    name_lines(axis, ends)
    return figure


@styled
def curve_panels(panels: Mapping[str, Mapping[str, tuple[Any, Any]]], *, x: str, y: str, title: str = "",
                 log: bool = False, log_x: bool = False, top: float | None = None,
                 marks: Mapping[str, Mapping[str, float]] | None = None) -> Figure:
    """Several `curves` side by side on the same scales, panel -> lines; all panels have the same labels.

    A line is (x values, y values), each (n,). `marks`, panel -> label -> x, puts a dot on a line. `top` cuts off what
    is higher. Values that are not finite are left out, and a line that ends so is said to diverge.
    """
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(19 if len(panels) > 1 else 13, 8))
    figure.get_layout_engine().set(wspace=0.04, h_pad=0.1)                # type: ignore[call-arg, union-attr]
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    ends = [draw_lines(axis, series) for axis, series in zip(axes, panels.values(), strict=True)]
    for axis in axes:
        _scales(axis, log, log_x)
    if top is not None:
        shown = np.concatenate([np.ravel(ys) for series in panels.values() for _, ys in series.values()])
        axes[0].set_ylim(shown[np.isfinite(shown)].min() / 1.3 if log else 0.0, top)
    for axis, (panel, series) in zip(axes, panels.items(), strict=True):
        for (label, (xs, ys)), colour in zip(series.items(), colours(), strict=False):
            if label in (marks or {}).get(panel, {}):
                place = (marks or {})[panel][label]
                axis.plot(place, np.interp(place, xs, ys), "o", color=colour, markersize=18, zorder=3)
        axis.set(xlabel=x, title=panel)
    axes[0].set_ylabel(y)
    figure.suptitle(title, fontsize=28)
    figure.draw_without_rendering()                                        # settles the axes' limits and their size
    for axis, named in zip(axes, ends, strict=True):
        name_lines(axis, named)
    return figure


class LineEnd(NamedTuple):
    """Where a line ends; x is None for one that goes all the way."""

    label: str
    x: float | None
    y: float
    colour: str


def draw_lines(axis: Any, series: Mapping[str, tuple[Any, Any]]) -> list[LineEnd]:
    """Draw lines, label -> (x values, y values), into an axis; returns their ends, which `name_lines` names."""
    for (_, (xs, ys)), colour in zip(series.items(), colours(), strict=False):
        axis.plot(xs, ys, color=colour, marker="o" if len(xs) < 12 else "", markersize=9)
    return [LineEnd(label, float(xs[-1]), float(ys[-1]), colour)
            for (label, (xs, ys)), colour in zip(series.items(), colours(), strict=False)]


def _scales(axis: Any, log: bool, log_x: bool = False) -> None:
    if log_x:
        log_scale(axis.xaxis)
    elif all(float(v).is_integer() for line in axis.lines for v in line.get_xdata()):
        axis.locator_params(axis="x", integer=True)                        # there is no epoch 2.5
    if log:
        log_scale(axis.yaxis)
    else:
        axis.set_ylim(bottom=0)
    axis.grid(axis="y", which="both")


def name_lines(axis: Any, ends: Sequence[LineEnd]) -> None:
    """Write lines' names beside their right ends, where no legend can cover a line or be covered.

    Names that would overlap are moved apart by as little as possible, and tied to their lines' ends.
    """
    points = axis.bbox.height / axis.figure.dpi * 72
    right, (bottom, top) = axis.get_xlim()[1], axis.get_ylim()
    ends = [end if np.isfinite(end.y) else end._replace(label=f"{end.label}: diverges", y=top) for end in ends]
    ends = [end._replace(y=min(max(end.y, bottom), top)) for end in sorted(ends, key=lambda end: end.y)]
    to_fraction = axis.transData + axis.transAxes.inverted()
    heights = points * to_fraction.transform([(right, end.y) for end in ends])[:, 1]
    room = np.array([26.0 * (end.label.count("\n") + 1) for end in ends])
    middles = np.cumsum(room) - room / 2
    # Least squares under the condition that the names keep their order: neighbours in each other's way share a mean.
    groups: list[list[float]] = []
    for shift in heights - middles:
        groups.append([shift])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    places = middles + [np.mean(group) for group in groups for _ in group]
    tied = [abs(place - height) > 4 and end.y < top for end, height, place in zip(ends, heights, places, strict=True)]
    for end, place, has_tie in zip(ends, places / points, tied, strict=True):
        axis.annotate(end.label, (1, place), xycoords="axes fraction", xytext=(24 if any(tied) else 10, 0),
                      textcoords="offset points", va="center", color=end.colour, annotation_clip=False)
        if has_tie:
            axis.annotate("", (right if end.x is None else end.x, end.y), (1.02, place), textcoords="axes fraction",
                          annotation_clip=False, arrowprops={"arrowstyle": "-", "color": end.colour, "shrinkA": 0,
                                                             "shrinkB": 0})


def log_scale(axis: Any) -> None:
    """A logarithmic axis with plain numbers at its ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_view_interval()
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
    if high < 500 * low:
        axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    else:                                                                  # so many decades that these are enough
        axis.set_major_locator(LogLocator(base=10))
        axis.set_minor_locator(NullLocator())
