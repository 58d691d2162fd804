"""Games that can be looked at: densities on a line, and points in the plane, with what the discriminator says there."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Moment(NamedTuple):
    """The game on a line after so many steps: the generator's density, D, and the best possible D; (bins,) each."""

    steps: int
    q: np.ndarray
    said: np.ndarray
    best: np.ndarray


@styled
def line(x: np.ndarray, p: np.ndarray, moment: Moment) -> Figure:
    """The densities of data p and of the generator over x (bins,), and below them D(x) beside the best possible D."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(14, 9.5))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for density, label, colour in ((p, "data p", COLOURS[0]), (moment.q, "generator q", COLOURS[1])):
        above.fill_between(x, density, alpha=0.35, color=colour, step="mid", linewidth=0)
        above.step(x, density, where="mid", color=colour, label=label)
    above.set(ylim=(0, 2.2 * p.max()), yticks=[], ylabel="density")
    above.legend(loc="upper left", ncols=2)
    best = np.where(p + moment.q > 1e-3, moment.best, np.nan)                    # where nothing is, it may be anything
    below.plot(x, best, color="#222222", linewidth=7, alpha=0.35, label="D* = p / (p + q)")
    below.plot(x, moment.said, color=COLOURS[2], label="trained D")
    below.axhline(0.5, color="#999999", linewidth=1.5, linestyle="--", zorder=0)
    below.set(ylim=(-0.05, 1.35), yticks=[0, 0.5, 1], xlabel="x", ylabel="D(x)")
    below.legend(loc="upper left", ncols=2)
    figure.suptitle(f"A game on a line, after {moment.steps:,} steps", fontsize=30)
    return figure


@styled
def plane(points: Any, samples: Any, chances: Any, *, limit: float, title: str = "") -> Figure:
    """Data (N, 2) and what was generated (M, 2), over D's probability of data at a grid of places (side, side).

    The grid reaches from minus to plus `limit` in both directions, its first row is the lowest.
    """
    from matplotlib.figure import Figure

    points, samples, chances = on_host(points), on_host(samples), on_host(chances)
    figure = Figure(layout="constrained", figsize=(11.5, 10.5))
    axis = figure.subplots()
    at = np.linspace(-limit, limit, len(chances))
    shades = axis.contourf(at, at, chances, np.linspace(0, 1, 11), cmap="PuOr_r", alpha=0.6)
    axis.scatter(points[:, 0], points[:, 1], s=14, color="#222222", label="data")
    axis.scatter(samples[:, 0], samples[:, 1], s=22, color=COLOURS[2], edgecolors="white", linewidths=0.4,
                 label="generated")
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
    axis.legend(loc="upper right", markerscale=3, frameon=True)
    figure.colorbar(shades, ax=axis, ticks=[0, 0.5, 1], label="D(x): the probability that x is data")
    figure.suptitle(title, fontsize=30)
    return figure
