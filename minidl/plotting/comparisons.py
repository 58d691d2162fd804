"""What is tried on the same task, side by side: optimisers on a surface, and results over several runs."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, colours, on_host, styled

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


class Trial(NamedTuple):
    """Something that was tried: its value in each of several runs, and whether it beats the first trial, if known."""

    label: str
    values: Sequence[float]
    better: bool | None = None


@styled
def trials(panels: Mapping[str, Sequence[Trial]], *, x: str, title: str = "") -> Figure:
    """A row for each trial, a panel for each task: small dots are runs, the large one is their mean.

    The dashed line is the mean of the first trial. Better ones are blue, worse ones red, undecided ones grey. Raises
    InputError unless all panels have the same labels.
    """
    from matplotlib.figure import Figure

    labels = [[trial.label for trial in rows] for rows in panels.values()]
    if not labels or not labels[0] or any(row != labels[0] for row in labels):
        raise InputError(f"trials: the panels need the same labels in the same order, and at least one, not {labels}")
    verdicts = {None: COLOURS[6], True: COLOURS[0], False: COLOURS[1]}
    figure = Figure(layout="constrained", figsize=(19, 2.6 + 0.52 * len(labels[0])))
    figure.get_layout_engine().set(wspace=0.03, h_pad=0.1)                # type: ignore[call-arg, union-attr]
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (panel, rows) in zip(axes, panels.items(), strict=True):
        axis.axvline(np.mean(rows[0].values), color=COLOURS[6], linestyle="--", linewidth=2)
        for i, trial in enumerate(rows):
            axis.plot(trial.values, np.full(len(trial.values), i), "o", color=verdicts[trial.better], markersize=8,
                      alpha=0.4, markeredgewidth=0)
            axis.plot(np.mean(trial.values), i, "o", color=verdicts[trial.better], markersize=17)
        axis.set(xlabel=x, title=panel)
        axis.set_xlim(left=0)
        axis.grid(axis="y")
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    axes[0].set_yticks(range(len(labels[0])), labels[0])
    axes[0].invert_yaxis()
    figure.suptitle(title, fontsize=28)
    return figure
