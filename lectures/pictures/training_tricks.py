"""Optimisers on their way down a surface."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import colours, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 90             # places a side at which the surface is measured


@styled
def descent(f: Callable[[Any, Any], Any], paths: Mapping[str, Any], *, x: tuple[float, float], y: tuple[float, float],
            minimum: tuple[float, float], title: str = "") -> Figure:
    """Paths, label -> points (T, 2), down a surface f(x, y) >= 0 with its minimum 0, each in a panel of its own.

    The darker, the lower; the number is the height of a path's last point. `x` and `y` say which part of the plane is
    shown. The pictures of longer and longer paths make a film.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    paths = {label: on_host(path) for label, path in paths.items()}
    if any(path.ndim != 2 or path.shape[1] != 2 for path in paths.values()):
        raise InputError(f"descent: a path is points (T, 2), not {[path.shape for path in paths.values()]}")
    plane = np.meshgrid(np.linspace(*x, _SIDE), np.linspace(*y, _SIDE))
    heights = f(*plane)
    levels = np.geomspace(heights.max() / 3000, heights.max(), 11)
    heights = heights.clip(levels[0] * 1.001)
    shades = LogNorm(levels[0] / 3000, levels[-1])                              # no darker than a line can be seen on
    columns = min(3, len(paths))
    rows = -(-len(paths) // columns)
    width, top = 18 / columns, 0.9
    height = width * (y[1] - y[0]) / (x[1] - x[0])
    figure = Figure(figsize=(18, top + rows * (height + 0.6) + 0.1))
    figure.suptitle(title, fontsize=30, y=1 - 0.15 / figure.get_figheight())
    axes = [figure.add_axes((
        (i % columns * width + 0.1) / 18, 1 - (top + (i // columns + 1) * (height + 0.6)) / figure.get_figheight(),
        (width - 0.2) / 18, height / figure.get_figheight())) for i in range(len(paths))]
    for axis, (label, path), colour in zip(axes, paths.items(), colours(), strict=False):
        axis.contourf(*plane, heights, levels=levels, cmap="Greys_r", norm=shades)
        axis.plot(path[:, 0], path[:, 1], color=colour, marker=".", markersize=11, linewidth=2.5)
        axis.plot(*minimum, "*", color="white", markersize=26, markeredgecolor="black", zorder=4)
        axis.plot(*path[-1], "o", color=colour, markersize=18, markeredgecolor="white", zorder=5)
        axis.set(xlim=x, ylim=y, xticks=[], yticks=[])
        axis.set_title(f"{label}: {float(f(*path[-1])):.3f}", color=colour, pad=8)
        axis.spines[:].set_visible(False)
    return figure
