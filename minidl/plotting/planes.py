"""Samples in the plane, drawn over the data, with what a critic says of each place."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 60          # points along a side at which a critic is asked


class Plane(NamedTuple):
    """Data and samples, each (N, 2), what gives scores (M,) of points (M, 2), if there is one, and a note below."""

    points: Any
    samples: Any
    critic: Callable[[np.ndarray], Any] | None = None
    note: str = ""


@styled
def planes(panels: Mapping[str, Plane], *, title: str = "") -> Figure:
    """Panels side by side on the same scales, label -> Plane: data orange, samples blue, the critic as contours.

    Where the critic takes a place for real it is lighter. Scores that are no numbers are left out. Raises InputError
    for no panels, and points that are not (N, 2).
    """
    from matplotlib.figure import Figure

    shown = {label: (on_host(panel.points), on_host(panel.samples)) for label, panel in panels.items()}
    if not shown or any(x.ndim != 2 or x.shape[1] != 2 for pair in shown.values() for x in pair):
        raise InputError(f"planes: panels have data and samples of points (N, 2), not "
                         f"{[(x.shape, y.shape) for x, y in shown.values()]}")
    reach = 1.15 * max(float(np.abs(points).max()) for points, _ in shown.values() if len(points))
    at = np.linspace(-reach, reach, _SIDE, dtype=np.float32)
    places = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
    figure = Figure(layout="constrained", figsize=(6.2 * len(panels), 7.6))
    for axis, (label, panel) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        points, samples = shown[label]
        if panel.critic is not None:
            scores = on_host(panel.critic(places)).reshape(_SIDE, _SIDE)
            if np.isfinite(scores).all() and scores.max() > scores.min():
                axis.contourf(at, at, scores, 14, cmap="Greys_r", alpha=0.35)
        axis.scatter(*points.T, s=5, color=COLOURS[4], linewidths=0)
        axis.scatter(*samples.T, s=14, color=COLOURS[0], alpha=0.6, linewidths=0)
        axis.set(title=label, xlabel=panel.note, xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[],
                 aspect="equal")
    figure.suptitle(title, fontsize=28)
    return figure
