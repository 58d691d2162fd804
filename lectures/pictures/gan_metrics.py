"""Generators in the plane of two measures, distances scale by scale, and all measures on one sheet."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from minidl.plotting import COLOURS
from minidl.plotting.style import colours, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def plane(points: Mapping[str, Sequence[float]], *, x: str, y: str, title: str,
          corner: tuple[float, float] | None = None) -> Figure:
    """Name -> two measures and their errors, of which the first is the floor; from 0 to the `corner`."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(13, 8.5))
    axis = figure.subplots()
    for (name, (at, height, *errors)), colour, mark in zip(points.items(), colours(), "s" + "o" * len(points),
                                                           strict=False):
        axis.errorbar(at, height, xerr=errors[0], yerr=errors[1], color=colour, marker=mark, markersize=18,
                      linestyle="none", label=name)
    axis.set(xlabel=x, ylabel=y)
    right, top = corner or (1.05 * axis.get_xlim()[1], 1.05 * axis.get_ylim()[1])
    axis.set(xlim=(-0.03 * right, right), ylim=(-0.03 * top, top))
    axis.set_title(title)
    axis.grid()
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@styled
def bars(panels: Mapping[str, Mapping[str, tuple[float, float]]], *, floor: str, title: str) -> Figure:
    """A panel for each scale: name -> a distance and its error, with the floor's as a line across."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(17, 8))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (label, values) in zip(axes, panels.items(), strict=True):
        heights, errors = zip(*values.values(), strict=True)
        axis.bar(range(len(values)), heights, yerr=errors, color=list(COLOURS[:len(values)]), capsize=8)
        axis.axhline(values[floor][0], color="black", linewidth=2, linestyle="--")
        axis.set_xticks(range(len(values)), [name.replace(" ", "\n", 1) for name in values], fontsize=18)
        axis.set_title(label)
        axis.grid(axis="y")
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def sheet(columns: Mapping[str, Sequence[float]], rows: Sequence[str]) -> Figure:
    """Generator -> each measure as a multiple of its floor; what is far from 1, either way, is dark."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(17, 1.2 + 0.85 * len(rows)))
    axis = figure.subplots()
    table = np.array(list(columns.values())).T                             # (measures, generators)
    far = np.abs(np.log2(np.clip(table, 2.0**-4, 2.0**4)))
    axis.imshow(far, cmap="Oranges", vmin=0, vmax=5, aspect="auto")
    for (i, j), value in np.ndenumerate(table):
        axis.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=22,
                  color="white" if far[i, j] > 3.5 else "black")
    axis.set_xticks(range(len(columns)), list(columns), fontsize=20)
    axis.set_yticks(range(len(rows)), list(rows), fontsize=18)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_title("Each measure as a multiple of what real images get (dark: far from it)", fontsize=22)
    return figure
