"""Contrastive divergence at work: the two phases, likelihoods that are negative, estimates with error bars."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.curves import draw_lines, log_scale, name_lines
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def phases(v0: Any, h0: Any, v1: Any, h1: Any, positive: Any, negative: Any) -> Figure:
    """Slide 99's update: the image v0 (H, W), hidden states h0 (n,), the reconstruction v1 and its h1; statistics.

    Below stand, for some hidden units, the statistics of both phases, (m, H, W) each, and their difference.
    """
    from matplotlib.figure import Figure

    positive, negative = np.squeeze(on_host(positive)), np.squeeze(on_host(negative))
    if positive.shape != negative.shape or positive.ndim != 3:
        raise InputError(f"phases: statistics are as many pictures of both phases, (m, H, W), not {positive.shape} and "
                         f"{negative.shape}")
    figure = Figure(figsize=(17, 13))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 1.7])[:, 0]
    axes = above.subplots(1, 4, width_ratios=[1, 0.8, 1, 0.8])
    above.subplots_adjust(left=0.05, right=0.97, bottom=0.05, top=0.64, wspace=0.5)
    for axis, (name, picture) in zip(axes, (("data $v^0$", v0), ("hidden $h^0$,\ndrawn", h0),
                                            ("reconstruction\n$v^1$, drawn", v1), ("$p(h^1)$", h1)), strict=True):
        picture = np.squeeze(on_host(picture))
        picture = picture if picture.ndim == 2 else _cells(picture)
        axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(True)
        axis.set_title(name, fontsize=22)
    for left in axes[:-1]:
        left.annotate("", (1.42, 0.5), (1.08, 0.5), xycoords="axes fraction",
                      arrowprops={"arrowstyle": "-|>", "color": COLOURS[1], "linewidth": 5, "mutation_scale": 30})
    rows = below.subplots(3, len(positive))
    below.subplots_adjust(left=0.2, right=0.97, bottom=0.02, top=0.92, wspace=0.08, hspace=0.08)
    statistics = {r"$\langle v\,h\rangle^0$": positive, r"$\langle v\,h\rangle^1$": negative,
                  "difference:\nthe update": positive - negative}
    for row, (name, pictures) in zip(rows, statistics.items(), strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=24)
    for i, axis in enumerate(rows[0]):
        axis.set_title(f"unit {i + 1}", fontsize=20, pad=8)
    figure.suptitle("One step of CD-1, for one image", fontsize=28)
    return figure


@styled
def scores(values: Mapping[str, Sequence[float]], *, x: str, title: str = "") -> Figure:
    """Numbers of any sign, label -> one for each run: small dots are runs, large ones their means; the best is blue."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(15, 2.0 + 0.8 * len(values)))
    axis = figure.subplots()
    best = max(values, key=lambda name: float(np.mean(values[name])))
    for i, (name, runs) in enumerate(values.items()):
        colour = COLOURS[0 if name == best else 6]
        axis.plot(runs, [i] * len(runs), "o", color=colour, markersize=9, alpha=0.4, markeredgewidth=0)
        axis.plot(np.mean(runs), i, "o", color=colour, markersize=18)
    axis.set_yticks(range(len(values)), list(values))
    axis.invert_yaxis()
    axis.margins(x=0.1, y=0.15)
    axis.set(xlabel=x, title=title)
    axis.grid(axis="both")
    axis.tick_params(axis="y", length=0)
    return figure


@styled
def curves(lines: Mapping[str, tuple[Any, Any]], *, x: str, y: str, title: str = "") -> Figure:
    """Lines of numbers of any sign, label -> (x values, y values), named at their ends."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(14, 8))
    axis = figure.subplots()
    ends = draw_lines(axis, lines)
    axis.set(xlabel=x, ylabel=y, title=title)
    axis.grid(axis="y")
    figure.draw_without_rendering()
    name_lines(axis, ends)
    return figure


@styled
def misleading(patterns: Any, updates: Any, likelihood: Any, errors: Any) -> Figure:
    """Some of the data (m, H, W), and over the updates (n,) their log-likelihood above their reconstruction error."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(15, 11))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 4.4])[:, 0]
    for axis, pattern in zip(above.subplots(1, len(patterns)), on_host(patterns), strict=True):
        axis.imshow(pattern, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(True)
    first, second = below.subplots(2, 1, sharex=True)
    first.plot(updates, likelihood, color=COLOURS[0])
    first.set_ylabel("log-likelihood, nats\n(exact)", color=COLOURS[0])
    second.plot(updates, np.maximum(errors, 1e-6), color=COLOURS[1])
    log_scale(second.yaxis)
    second.set_ylabel("reconstruction\nerror", color=COLOURS[1])
    second.set_xlabel("updates")
    for axis in first, second:
        axis.axvline(updates[int(np.argmax(likelihood))], color=COLOURS[6], linestyle="--")
        axis.grid(axis="y")
    figure.suptitle("The error falls, and so does the likelihood", fontsize=28)
    return figure


@styled
def error_bars(values: Sequence[float], bars: Sequence[float], truth: float) -> Figure:
    """Estimates with error bars, in the order of their values; those whose bar misses the truth are orange."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(16, 7))
    axis = figure.subplots()
    for i, k in enumerate(np.argsort(values)):
        colour = COLOURS[0 if abs(values[k] - truth) < bars[k] else 1]
        axis.errorbar(i, values[k], bars[k], fmt="o", color=colour, capsize=4, markersize=8, linewidth=2.5)
    axis.axhline(truth, color="black", linewidth=2)
    axis.text(1.01, truth, "exact", transform=axis.get_yaxis_transform(), va="center")
    axis.set(xticks=[], xlabel="runs of AIS, in order of their values", ylabel="log Z, three standard errors",
             title="Does the error bar cover the truth?")
    axis.grid(axis="y")
    return figure


@styled
def sandwich(numbers: Sequence[int], ways: Mapping[str, Sequence[float]], truth: float) -> Figure:
    """log Z, estimated from below and from above with so many temperatures, way -> (n,), and the truth between."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(14, 7.5))
    axis = figure.subplots()
    ends = draw_lines(axis, {name: (numbers, values) for name, values in ways.items()})
    axis.axhline(truth, color="black", linestyle="--", linewidth=2)
    log_scale(axis.xaxis)
    axis.set(xlabel="temperatures", ylabel="log Z", title="Forward from below, reverse from above")
    axis.text(0.01, truth, "exact", transform=axis.get_yaxis_transform(), va="bottom")
    axis.grid(axis="y")
    figure.draw_without_rendering()
    name_lines(axis, ends)
    return figure


@styled
def filters(panels: Mapping[str, Any], *, columns: int = 4) -> Figure:
    """Weights label -> (n, H, W) as panels of small pictures, blue (minus) and red (plus), on one scale a panel."""
    from matplotlib.figure import Figure

    most = max(-(-len(weights) // columns) for weights in panels.values())
    figure = Figure(layout="constrained", figsize=(18, 1.8 + 18 / len(panels) * most / columns))
    for axis, (label, weights) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        weights = np.squeeze(on_host(weights))
        n, height, width = weights.shape
        rows = -(-n // columns)
        sheet = np.full((rows * (height + 1), columns * (width + 1)), np.nan)
        for i, picture in enumerate(weights):
            top, left = i // columns * (height + 1), i % columns * (width + 1)
            sheet[top:top + height, left:left + width] = picture
        limit = np.abs(weights).max()
        axis.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        axis.axis("off")
        axis.set_title(label)
    figure.suptitle("What the hidden units look for", fontsize=28)
    return figure


def _cells(values: np.ndarray) -> np.ndarray:
    """Numbers (n,) as a picture of about as many rows as columns; what is left over is grey."""
    columns = max(1, int(np.sqrt(len(values))))
    rows = -(-len(values) // columns)
    sheet = np.full(rows * columns, 0.5)
    sheet[:len(values)] = values
    return sheet.reshape(rows, columns)
