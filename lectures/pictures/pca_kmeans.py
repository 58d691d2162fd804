"""Codes as geometry, how k-means' cells come about, and what PCA's components explain."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@styled
def codes(points: Any, labels: Any = None, *, title: str = "", x: str = "first code number",
          y: str = "second code number", names: Sequence[str] = ()) -> Figure:
    """A scatter of codes (N, 2), coloured by label, with each label written at the median of its points."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(12, 10))
    axis = figure.subplots()
    draw_codes(axis, points, labels, names)
    axis.set(xlabel=x, ylabel=y, title=title, aspect="equal")
    return figure


def draw_codes(axis: Any, points: Any, labels: Any = None, names: Sequence[str] = ()) -> None:
    """Draw codes (N, 2) into an axis, coloured by label (N,), with each label's name at the median of its points."""
    from matplotlib import colormaps, patheffects

    points, labels = on_host(points), None if labels is None else on_host(labels).astype(int)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"codes: a picture has two directions; give two columns of the codes, not {points.shape}")
    palette = colormaps["tab10"]
    colours = [palette(0)] if labels is None else palette(labels % 10)
    axis.scatter(points[:, 0], points[:, 1], c=colours, s=60 if len(points) < 1000 else 14, alpha=0.65, linewidths=0)
    for label in [] if labels is None else np.unique(labels):
        place = np.median(points[labels == label], axis=0)
        axis.text(place[0], place[1], names[label] if names else str(label), fontsize=32, fontweight="bold",
                  ha="center", va="center", color=palette(label % 10),
                  path_effects=[patheffects.withStroke(linewidth=6, foreground="white")])


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
