"""Heaps of earth on a line, with what a critic or a discriminator says above them; games beside their losses."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.plotting.style import COLOURS, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Heaps(NamedTuple):
    """Two samples of numbers (N,), and below them lines over x: panel -> (n,)."""

    data: np.ndarray
    generated: np.ndarray
    lines: Mapping[str, np.ndarray]


@styled
def heaps(x: np.ndarray, columns: Mapping[str, Heaps], *, title: str = "") -> Figure:
    """A column for each pair of samples: histograms over x (n,), and a panel for each of its lines."""
    from matplotlib.figure import Figure

    rows = 1 + max(len(column.lines) for column in columns.values())
    figure = Figure(layout="constrained", figsize=(19, 3.1 * rows + 2))
    axes = figure.subplots(rows, len(columns), sharex=True, squeeze=False)
    bins = np.linspace(x[0], x[-1], 61)
    for i, (label, column) in enumerate(columns.items()):
        for sample, colour, name in ((column.data, COLOURS[4], "data"), (column.generated, COLOURS[0], "generated")):
            axes[0, i].hist(sample, bins, density=True, color=colour, alpha=0.6, label=name)
        axes[0, i].set(title=label, yticks=[], ylim=(0, 1.4 * axes[0, i].get_ylim()[1]))
        for axis, (name, values), colour in zip(axes[1:, i], column.lines.items(), COLOURS[1:], strict=False):
            axis.axhline(0, color="#bbbbbb", linewidth=1.5)
            axis.plot(x, values, color=colour)
            axis.set_ylabel(name)
            axis.margins(y=0.12)
        axes[-1, i].set_xlabel("x")
    axes[0, 0].legend(loc="upper left", fontsize=18, ncols=2)
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def apart(panels: Mapping[str, tuple[tuple[Any, Any], tuple[Any, Any]]], *, title: str = "") -> Figure:
    """What measures say of heaps that are moved apart: panel -> the exact line (shifts, values), and networks' dots."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(17, 7.4))
    for axis, (label, (exact, trained)), colour in zip(figure.subplots(1, len(panels), squeeze=False)[0],
                                                       panels.items(), COLOURS, strict=False):
        axis.plot(*exact, color=colour, label="exact")
        axis.plot(*trained, "o", color="#222222", markersize=13, label="of a trained network")
        axis.set(title=label, xlabel="how far the generated are from the data")
        axis.set_ylim(bottom=0)
        axis.grid(axis="y")
        axis.legend(loc="best")
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def followed(panels: Mapping[str, tuple[Sequence[float], Sequence[float], float]], *, loss: Mapping[str, str],
             quality: str, title: str = "") -> Figure:
    """Games side by side, label -> (losses, distances, their correlation): dots are moments, dark ones late."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(17, 8))
    for axis, (label, (losses, distances, correlation)) in zip(figure.subplots(1, len(panels), squeeze=False)[0],
                                                               panels.items(), strict=True):
        axis.plot(losses, distances, color="#cccccc", linewidth=1.5, zorder=1)
        axis.scatter(losses, distances, c=np.arange(len(losses)), cmap="viridis_r", s=110, zorder=2)
        axis.set(title=f"{label}\ncorrelation {correlation:.2f}", xlabel=loss[label])
        axis.grid()
    figure.axes[0].set_ylabel(quality)
    figure.suptitle(title, fontsize=28)
    return figure
