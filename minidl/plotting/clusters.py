"""Codes as geometry: what is projected where, and how k-means' cells come about."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 400            # places a side at which the nearest centre is asked


@styled
def geometry(models: Mapping[str, Any], points: Any, *, title: str = "") -> Figure:
    """Slide 6: points (N, 2), and how each model represents them, a panel each under the model's name.

    A model has the verbs `encode` and `decode` and is fitted to the points. A thin line leads from each point to its
    reconstruction: onto the line that a code of one number runs along, or to the centre that a label names, within
    that centre's cell. Below the panel stands the squared error, the mean over the points.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    points, low, high = _plane("geometry", points)
    width = min(9.0, 18.0 / len(models))
    figure = Figure(layout="constrained", figsize=(width * len(models), width * _ratio(low, high) + 2.4))
    figure.get_layout_engine().set(wspace=0.04)                             # type: ignore[call-arg, union-attr]
    for axis, (name, model) in zip(figure.subplots(1, len(models), squeeze=False)[0], models.items(), strict=True):
        _frame(axis, low, high)
        code = on_host(model.encode(points))
        reconstruction = on_host(model.decode(model.encode(points)))
        residuals = np.stack([points, reconstruction], axis=1)              # (N, 2 ends, 2)
        axis.add_collection(LineCollection(list(residuals), colors="#777777", linewidths=1.5, zorder=2))
        if code.dtype.kind in "iu":
            centres = on_host(model.decode(np.arange(code.max() + 1)))
            _cells(axis, points, centres, low, high)
        elif code.shape[1:] == (1,):
            reach = 3 * np.abs(code).max()
            line = on_host(model.decode(np.linspace(-reach, reach, 1000, dtype=code.dtype)[:, None]))
            axis.plot(*line.T, color=COLOURS[1], linewidth=5, zorder=1)
            axis.scatter(*reconstruction.T, color=COLOURS[1], s=60, zorder=3)
            axis.scatter(*points.T, color=COLOURS[0], s=70, edgecolors="white", linewidths=0.8, zorder=4)
        else:
            raise InputError(f"geometry: a code of one number, (N, 1), or a label, (N,), can be drawn; {name!r} gives "
                             f"{code.dtype} {code.shape}")
        error = ((points - reconstruction)**2).sum(1).mean()
        axis.set_title(name)
        axis.set_xlabel(f"squared error {error:.3f}")
    figure.suptitle(title, fontsize=30)
    return figure


@styled
def cells(points: Any, centres: Any, *, title: str = "") -> Figure:
    """Points (N, 2) and the cells of k centres; centres (T, k, 2) are a history, whose path is drawn to its last place.

    Each point belongs to the nearest of the last centres. The pictures of a growing history make a film of k-means.
    """
    from matplotlib.figure import Figure

    (points, low, high), path = _plane("cells", points), on_host(centres)
    if path.ndim != 3 or path.shape[2] != 2:
        raise InputError(f"cells: a history of centres in the plane is (T, k, 2), not {path.shape}")
    figure = Figure(layout="constrained", figsize=(12, 12 * _ratio(low, high) + 0.9))
    axis = figure.subplots()
    _frame(axis, low, high)
    _cells(axis, points, path[-1], low, high)
    for j in range(path.shape[1]):
        axis.plot(*path[:, j].T, color="#222222", linewidth=2.5, zorder=4)
    axis.set_title(title, fontsize=30)
    return figure


def _plane(name: str, points: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The points, and the corners of what is shown of the plane: all of them, and a little more."""
    points = on_host(points)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise InputError(f"{name}: points in the plane are (N, 2), not {points.shape}")
    margin = 0.06 * np.ptp(points, axis=0).max()
    return points, points.min(0) - margin, points.max(0) + margin


def _ratio(low: np.ndarray, high: np.ndarray) -> float:
    return float((high[1] - low[1]) / (high[0] - low[0]))


def _frame(axis: Any, low: np.ndarray, high: np.ndarray) -> None:
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[], aspect="equal")
    axis.spines[:].set_visible(False)


def _cells(axis: Any, points: np.ndarray, centres: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """The plane by its nearest centre, in pale colours, with the points in full ones and the centres as stars."""
    from matplotlib.colors import ListedColormap, to_rgb

    strong = [COLOURS[j % len(COLOURS)] for j in range(len(centres))]
    pale = ListedColormap([tuple(0.25 * part + 0.75 for part in to_rgb(colour)) for colour in strong])
    xs, ys = (np.linspace(low[i], high[i], _SIDE) for i in range(2))
    axis.imshow(_nearest(np.stack(np.meshgrid(xs, ys), axis=-1), centres), cmap=pale, origin="lower", zorder=0,
                extent=(low[0], high[0], low[1], high[1]), vmin=0, vmax=len(centres) - 1, interpolation="nearest")
    axis.scatter(*points.T, c=[strong[j] for j in _nearest(points, centres)], s=70, edgecolors="white", linewidths=0.8,
                 zorder=3)
    axis.scatter(*centres.T, marker="*", c=strong, s=1500, edgecolors="black", linewidths=2.5, zorder=5)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(..., 2), (k, 2) -> (...)"""
    return ((points[..., None, :] - centres)**2).sum(-1).argmin(-1)
