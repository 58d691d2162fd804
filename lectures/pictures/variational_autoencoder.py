"""Variational autoencoders in pictures: a bound that rises, a plane of codes, two ways to estimate one gradient."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def ascent(normals: Mapping[str, tuple[float, float]], bounds: Sequence[float], truth: float, *,
           steps: int | None = None, low: float | None = None, title: str = "") -> Figure:
    """Densities of a code of one number, name -> (mean, deviation); beside them a bound (T,) below its level `truth`.

    The axes have room for so many `steps`, for bounds from `low` on, and for densities a little higher than those of
    all but the last name: the pictures of more and more bounds make a film.
    """
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(18, 8))
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    z = np.linspace(-4, 4, 400)
    for (name, (mean, deviation)), colour in zip(normals.items(), (COLOURS[6], COLOURS[0], COLOURS[1]), strict=False):
        density = np.exp(-0.5 * ((z - mean) / deviation)**2) / (deviation * np.sqrt(2 * np.pi))
        left.fill_between(z, density, color=colour, alpha=0.25, linewidth=0)
        left.plot(z, density, color=colour, label=name)
    left.legend(loc="upper right", fontsize=22)
    narrow = min(deviation for _, deviation in list(normals.values())[:-1])
    left.set(xlabel="code z", yticks=[], ylim=(0, 0.6 / narrow), xlim=(-4, 4))
    steps, low = steps or len(bounds), min(bounds) if low is None else low
    right.axhline(truth, color=COLOURS[0], linestyle="--")
    right.plot(range(len(bounds)), bounds, color=COLOURS[1])
    right.plot(len(bounds) - 1, bounds[-1], "o", color=COLOURS[1], markersize=16)
    right.annotate("", (len(bounds) - 1, truth), (len(bounds) - 1, bounds[-1]),
                   arrowprops={"arrowstyle": "<->", "color": COLOURS[6], "linewidth": 2, "shrinkA": 0, "shrinkB": 0})
    right.set_title(f"log p(x) = {truth:.2f} = bound {bounds[-1]:.2f} + gap {truth - bounds[-1]:.2f}", fontsize=21)
    right.locator_params(axis="x", integer=True)
    right.set(xlabel="step", ylabel="nats", xlim=(-0.03 * steps, 1.03 * steps),
              ylim=(low - 0.05 * (truth - low), truth + 0.08 * (truth - low)))
    right.grid(axis="y")
    figure.suptitle(title, fontsize=30)
    return figure


@styled
def plane(codes: Any, labels: Any, grid: Any, *, title: str = "") -> Figure:
    """Codes of two numbers (N, 2), coloured by label, and the grey images (side^2, H, W) that a grid of them gives.

    The ring is where the prior has 95 % of its mass. Raises InputError for other codes, and a grid that is no square.
    """
    from matplotlib import colormaps, patheffects
    from matplotlib.figure import Figure

    codes, labels, grid = on_host(codes), np.asarray(labels), on_host(grid)
    side = round(len(grid)**0.5)
    if codes.shape != (len(labels), 2) or side**2 != len(grid) or grid.shape[3:] not in ((), (1,)):
        raise InputError(f"plane: {len(labels)} labels take codes ({len(labels)}, 2), and a grid has side^2 grey "
                         f"images, not {codes.shape} and {grid.shape}")
    figure = Figure(layout="constrained", figsize=(18, 10.2))
    left, right = figure.subplots(1, 2)
    left.scatter(*codes.T, c=colormaps["tab10"](labels % 10), s=60 if len(codes) < 1000 else 12, alpha=0.6,
                 linewidths=0)
    turn = np.linspace(0, 2 * np.pi, 200)
    left.plot(2.448 * np.cos(turn), 2.448 * np.sin(turn), color=COLOURS[6], linestyle="--", linewidth=2)
    for label in np.unique(labels):
        place = np.median(codes[labels == label], axis=0).clip(-3.4, 3.4)
        left.text(*place, str(label), fontsize=32, fontweight="bold", ha="center", va="center",
                  color=colormaps["tab10"](label % 10),
                  path_effects=[patheffects.withStroke(linewidth=6, foreground="white")])
    left.set(xlim=(-3.8, 3.8), ylim=(-3.8, 3.8), box_aspect=1, xticks=[-2, 0, 2], yticks=[-2, 0, 2],
             title="codes of test images")
    grid = np.pad(grid.reshape(len(grid), *grid.shape[1:3]), ((0, 0), (1, 1), (1, 1)))
    height, width = grid.shape[1:]
    sheet = grid.reshape(side, side, height, width).swapaxes(1, 2).reshape(side * height, side * width)
    right.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    right.axis("off")
    right.set_title("what the plane stands for")
    if title:
        figure.suptitle(title, fontsize=30)
    return figure


@styled
def estimates(panels: Mapping[str, Any], truth: float, *, title: str = "") -> Figure:
    """Running means of estimates, a panel for each name -> estimates (runs, draws); the dashed line is the truth.

    All panels have one scale, which shows the last nine tenths of the draws of all but the wildest.
    """
    from matplotlib.figure import Figure

    means = {name: np.cumsum(on_host(e), 1) / np.arange(1, e.shape[1] + 1) for name, e in panels.items()}
    figure = Figure(layout="constrained", figsize=(18, 7.5))
    axes = figure.subplots(1, len(means), sharey=True, squeeze=False)[0]
    reach = max(float(np.quantile(np.abs(m[:, m.shape[1] // 10:] - truth), 0.98)) for m in means.values())
    for axis, (name, runs), colour in zip(axes, means.items(), (COLOURS[1], COLOURS[4], COLOURS[0]), strict=False):
        axis.plot(np.arange(1, runs.shape[1] + 1), runs.T, color=colour, linewidth=1.5, alpha=0.6)
        axis.axhline(truth, color="black", linestyle="--", linewidth=2)
        axis.set(title=name, xlabel="codes drawn", xlim=(1, runs.shape[1]), ylim=(truth - reach, truth + reach))
        axis.grid(axis="y")
    axes[0].set_ylabel("mean of the estimates")
    figure.suptitle(title, fontsize=30)
    return figure


@styled
def bounds(ks: Sequence[int], found: Mapping[str, Sequence[Any]], *, title: str = "") -> Figure:
    """Bounds on log p(x), name -> for each of the ks an estimate for each item (N,): their means, with one error bar.

    The bars are standard errors of the mean over the items.
    """
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(14, 8))
    axis = figure.subplots()
    for (name, values), colour in zip(found.items(), COLOURS, strict=False):
        values = [on_host(v) for v in values]
        axis.errorbar(ks, [v.mean() for v in values], [v.std() / np.sqrt(len(v)) for v in values], color=colour,
                      marker="o", markersize=12, capsize=8, capthick=2.5, elinewidth=2.5, label=name)
    axis.set(xscale="log", xticks=ks, xticklabels=[str(k) for k in ks], xlabel="k, codes for an estimate",
             ylabel="mean bound on log p(x), nats", title=title)
    axis.minorticks_off()
    axis.grid(axis="y")
    axis.legend(loc="lower right", fontsize=22)
    return figure
