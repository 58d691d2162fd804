"""Belief nets as graphs while they are drawn from, distributions over two causes, and gains with their error bars."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ON, _OFF = "#222222", "#ffffff"


@styled
def graph(layers: Sequence[Any], weights: Sequence[Any], *, names: Sequence[str], title: str = "") -> Figure:
    """A belief net, its causes on top: a circle is a unit, dark if it is 1, an arrow a weight, orange if below 0.

    `layers` are the states of each layer (n,), the visible one first; None for one that is not drawn yet. `weights`
    lead from each layer down to the one before, (below, above). The arrows of units that are 1 are strong. Beside the
    net stands its image, if the visible units are a square.
    """
    from matplotlib.figure import Figure

    sizes = [len(on_host(weights[0])), *(on_host(W).shape[1] for W in weights)]
    places = [np.linspace(0.06, 0.94, n) if n > 1 else np.array([0.5]) for n in sizes]
    figure = Figure(figsize=(18, 9))
    figure.suptitle(title, fontsize=30)
    axis = figure.add_axes((0.13, 0.02, 0.6, 0.86))
    axis.set(xlim=(0, 1), ylim=(-0.3, len(sizes) - 0.7), xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    for i, W in enumerate(map(on_host, weights)):
        for below, above in zip(*np.nonzero(W), strict=True):
            state = layers[i + 1]
            strong = state is not None and on_host(state)[above] > 0.5
            axis.annotate("", (places[i][below], i + 0.07), (places[i + 1][above], i + 0.93), arrowprops=dict(
                arrowstyle="->", lw=3 if strong else 1, color=COLOURS[0 if W[below, above] > 0 else 1],
                alpha=0.9 if strong else 0.25))
    for i, (place, name) in enumerate(zip(places, names, strict=True)):
        state = np.full(len(place), 0.5) if layers[i] is None else on_host(layers[i])
        faces = [_ON if s > 0.5 else _OFF for s in state] if layers[i] is not None else ["#dddddd"] * len(place)
        axis.scatter(place, np.full(len(place), i), s=900, c=faces, edgecolors="#222222", linewidths=2, zorder=3)
        figure.text(0.01, 0.02 + 0.86 * (i + 0.3) / (len(sizes) - 0.4), name, fontsize=22, va="center")
    side = int(np.sqrt(sizes[0]))
    if layers[0] is not None and side * side == sizes[0]:
        image = figure.add_axes((0.76, 0.2, 0.22, 0.44))
        image.imshow(on_host(layers[0]).reshape(side, side), cmap="Greys_r", vmin=0, vmax=1)
        image.set(xticks=[], yticks=[])
    return figure


@styled
def two_causes(panels: Mapping[str, Any], *, names: Sequence[str], title: str = "") -> Figure:
    """Distributions over the four states of two causes, each (4,) in the order 00, 01, 10, 11, a panel each."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(19, 7.5))
    axes = figure.subplots(1, len(panels), sharey=True)
    for axis, (label, p) in zip(axes, panels.items(), strict=True):
        p = on_host(p)
        axis.bar(range(4), p, color=[COLOURS[6], COLOURS[0], COLOURS[0], COLOURS[1]])
        for i, value in enumerate(p):
            said = f"{value:.2f}" if value >= 0.005 else f"{value:.0e}" if value else "0"
            axis.text(i, value + 0.02, said, ha="center", fontsize=20)
        axis.set_title(label)
        axis.set_xticks(range(4), names)
        axis.set(ylim=(0, 1.12))
    axes[0].set_ylabel("probability")
    figure.suptitle(title, fontsize=30)
    return figure


@styled
def moving_mass(marginals: Any, wanted: Any, *, title: str = "") -> Figure:
    """What the layers of a narrow net hold: marginals (layers, states), the top one first, above `wanted` (states,).

    The darker, the likelier. A state is written in bits.
    """
    from matplotlib.figure import Figure

    marginals, wanted = on_host(marginals), on_host(wanted)
    n = int(np.log2(len(wanted)))
    figure = Figure(layout="constrained", figsize=(15, 11))
    top, bottom = figure.subplots(2, 1, height_ratios=[len(marginals), 1.2], sharex=True)
    for axis, rows in ((top, marginals), (bottom, wanted[None])):
        axis.imshow(np.sqrt(rows), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(rows):
            if value >= 0.005:
                axis.text(j, i, f"{value:.2f}"[1:] if value < 0.995 else "1", ha="center", va="center", fontsize=14,
                          color="white" if value > 0.4 else "black")
    top.set(ylabel="layer, from the top", yticks=range(0, len(marginals), 3))
    top.set_yticklabels(range(1, len(marginals) + 1, 3))
    bottom.set(yticks=[])
    bottom.set_ylabel("wanted", rotation=0, ha="right", va="center")
    bottom.set_xticks(range(len(wanted)), [f"{i:0{n}b}" for i in range(len(wanted))], fontsize=16, rotation=60)
    figure.suptitle(title, fontsize=30)
    return figure


@styled
def gains(series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, names: Sequence[str], x: str, y: str,
          title: str = "") -> Figure:
    """Values with bars of two standard errors: label -> (values, errors), over their `names`; 0 is dashed."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(14, 8))
    axis = figure.subplots()
    for i, ((label, (values, errors)), colour) in enumerate(zip(series.items(), COLOURS, strict=False)):
        places = np.arange(len(values)) + 0.12 * (i - (len(series) - 1) / 2)
        axis.errorbar(places, values, yerr=2 * np.asarray(errors), fmt="o", color=colour, markersize=12, capsize=8,
                      label=label)
    axis.axhline(0, color="#222222", linestyle="--", linewidth=2)
    axis.set_xticks(range(len(names)), names)
    axis.set(xlabel=x, ylabel=y, title=title)
    axis.margins(x=0.2)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@styled
def rising(series: Mapping[str, tuple[Any, Any]], *, levels: Mapping[str, float], x: str, y: str,
           title: str = "") -> Figure:
    """Lines, label -> (x values, y values), around 0 where they start, and dashed levels."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(14, 8))
    axis = figure.subplots()
    for (label, (xs, ys)), colour in zip(series.items(), COLOURS, strict=False):
        axis.plot(xs, ys, color=colour, marker="o", label=label)
    for (label, level), colour in zip(levels.items(), COLOURS[len(series):], strict=False):
        axis.axhline(level, color=colour, linestyle="--", label=label)
    axis.axhline(0, color="#222222", linewidth=1)
    axis.set(xlabel=x, ylabel=y, title=title)
    axis.legend(loc="lower right")
    axis.grid(axis="y")
    return figure
