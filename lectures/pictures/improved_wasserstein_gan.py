"""What critics make of the plane, where their weights lie, and how gradients fare on their way through the layers."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 80          # points along a side at which a critic is asked


class Surface(NamedTuple):
    """Points of the data (N, 2), what gives a critic's scores (M,) of points (M, 2), and a note below."""

    points: np.ndarray
    critic: Callable[[np.ndarray], Any]
    note: str = ""


@styled
def surfaces(rows: Mapping[str, Sequence[Surface]], *, title: str = "") -> Figure:
    """A row of panels for each kind of critic: its levels, light where it takes a place for real, over the data."""
    from matplotlib.figure import Figure

    columns = max(map(len, rows.values()))
    figure = Figure(layout="constrained", figsize=(5.6 * columns, 5.9 * len(rows)))
    for label, line, panels in zip(rows, figure.subplots(len(rows), columns, squeeze=False), rows.values(),
                                   strict=True):
        for axis, panel in zip(line, panels, strict=True):
            reach = 1.4 * float(np.abs(panel.points).max())
            at = np.linspace(-reach, reach, _SIDE, dtype=np.float32)
            scores = on_host(panel.critic(np.stack(np.meshgrid(at, at), -1).reshape(-1, 2))).reshape(_SIDE, _SIDE)
            axis.contourf(at, at, scores, 20, cmap="viridis")
            axis.scatter(*panel.points.T, s=5, color="white", linewidths=0)
            axis.set(xlabel=panel.note, xticks=[], yticks=[], aspect="equal")
        line[0].set_ylabel(label)
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def weights(panels: Mapping[str, np.ndarray], *, title: str = "") -> Figure:
    """A histogram for each critic, label -> its weights (n,)."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(16, 6.6))
    for axis, (label, values), colour in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), COLOURS,
                                             strict=False):
        reach = 1.05 * float(np.abs(values).max())
        axis.hist(values, np.linspace(-reach, reach, 42), weights=np.full(len(values), 100 / len(values)), color=colour)
        axis.set(title=label, xlabel="weight", ylabel="% of all weights")
        axis.grid(axis="y")
    figure.suptitle(title, fontsize=28)
    return figure
