"""Pictures of the effect of pretraining: results of several runs as boxes, beside each other at each depth."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from minidl.errors import InputError
from minidl.plotting.style import colours, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def boxes(ways: Mapping[str, Sequence[Sequence[float]]], places: Sequence[str], *, x: str, y: str,
          title: str = "") -> Figure:
    """Box plots: way -> for each place along x the values of several runs, the ways side by side, each in its colour.

    A box goes from the lower to the upper quarter, with a line at the median; whiskers reach the extremes. A single run
    is a dot. Raises InputError for a way without a list of values for each place.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    if any(len(values) != len(places) or not all(map(len, values)) for values in ways.values()):
        raise InputError(f"boxes: each way needs values for each of the {len(places)} places")
    figure = Figure(layout="constrained", figsize=(15, 8.5))
    axis = figure.subplots()
    width, keys = 0.8 / len(ways), []
    for i, ((name, values), colour) in enumerate(zip(ways.items(), colours(), strict=False)):
        line = dict(color=colour, linewidth=2.5)
        at = [place + (i - (len(ways) - 1) / 2) * width for place in range(len(places))]
        drawn = axis.boxplot(values, positions=at, widths=0.8 * width, whis=(0, 100), patch_artist=True,
                             boxprops=dict(line), whiskerprops=line, capprops=line,
                             medianprops=dict(color=colour, linewidth=5))
        for box in drawn["boxes"]:
            box.set_facecolor(to_rgba(colour, 0.15))
        for place, runs in zip(at, values, strict=True):
            axis.plot([place] * len(runs), runs, "o", color=colour, markersize=7, alpha=0.5, markeredgewidth=0)
        keys.append(Line2D([], [], color=colour, linewidth=8, label=name))
    axis.set_xticks(range(len(places)), places)
    axis.set(xlabel=x, ylabel=y, title=title)
    axis.set_ylim(bottom=0)
    axis.grid(axis="y")
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure
