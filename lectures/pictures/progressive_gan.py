"""Networks that grow, and what each trick does: layers, schedules, batches with numbers in them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.adversarial import ProgressiveGAN, Stage
from minidl.plotting.curves import draw_lines, log_scale, name_lines
from minidl.plotting.style import COLOURS, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Pair(NamedTuple):
    """What one of the contributions is measured by, without it and with it."""

    title: str
    measure: str
    without: float
    with_it: float


def layers(gan: ProgressiveGAN) -> dict[str, Any]:
    """The weights that are in use, by names such as "G 8x8 b", in the order in which an image passes through them."""
    found: dict[str, Any] = {}
    for letter, network in (("G", gan.generator), ("D", gan.discriminator)):
        parts: dict[str, list[Any]] = {}
        for name, p in network.named_parameters():
            if name.endswith("weight") and p.ndim > 1:
                kind, *place = name.split(".")[:2]
                parts.setdefault(".".join([kind, *place]) if kind in ("blocks", "heads") else kind, []).append(p)
        blocks = {f"{8 << i}x{8 << i} {'ab'[j]}": p for i in range(len(network.blocks))
                  for j, p in enumerate(parts[f"blocks.{i}"])}
        newest = parts[f"heads.{len(network.heads) - 1}"][0]
        if letter == "G":
            dense, conv = parts["first"]
            named = {"dense": dense, "4x4": conv, **blocks, "pixels": newest}
        else:
            conv, dense, score = parts["last"]
            inwards = {f"{8 << i}x{8 << i} {'ab'[j]}": parts[f"blocks.{i}"][j]
                       for i in reversed(range(len(network.blocks))) for j in (0, 1)}
            named = {"pixels": newest, **inwards, "4x4": conv, "dense": dense, "score": score}
        found |= {f"{letter} {name}": p for name, p in named.items()}
    return found


@styled
def networks(gan: ProgressiveGAN, title: str = "") -> Figure:
    """The layers of both networks as bars as long as their weights are many, in the colour of the size they came at."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(layout="constrained", figsize=(17, 9))
    found, sizes = layers(gan), [4 << i for i in range(len(gan.widths))]
    colour = {size: COLOURS[i % len(COLOURS)] for i, size in enumerate(sizes)}
    for axis, letter, name in zip(figure.subplots(1, 2), "GD", ("generator: noise at the top",
                                                               "critic: images at the top"), strict=True):
        own = {label[2:]: p for label, p in found.items() if label[0] == letter}
        came = [max(sizes) if label == "pixels" else int(label.split("x")[0]) if "x" in label else 4 for label in own]
        counts = [p.size for p in own.values()]
        axis.barh(range(len(own)), counts, color=[colour[size] for size in came])
        for i, (p, count) in enumerate(zip(own.values(), counts, strict=True)):
            shape = f"{p.shape[-2]} to {p.shape[-1]}" + (", 3x3" if p.ndim == 4 and p.shape[0] == 3 else "")
            axis.text(count + 0.01 * max(counts), i, shape, va="center", fontsize=17)
        axis.set_yticks(range(len(own)), own)
        axis.invert_yaxis()
        axis.set_title(name)
        axis.set(xlabel="weights", xlim=(0, 1.35 * max(counts)))
        axis.xaxis.set_major_locator(_few())
    figure.legend(handles=[Patch(color=colour[size], label=f"comes at {size}x{size}") for size in sizes],
                  loc="outside lower center", ncols=len(sizes))
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def schedule(stages: Sequence[Stage], distances: Mapping[int, Sequence[float]], floor: float) -> Figure:
    """Above how far each stage's layer has come in, below the distance from the data, over the images that were seen.

    `distances` has, for each size, values at equal spaces in its stage; `floor` is the distance of data from data.
    """
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(16, 10))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    start = 0.0
    for i, stage in enumerate(stages):
        colour, end = COLOURS[i % len(COLOURS)], start + stage.images / 1000
        fade = stage.fade / 1000
        above.plot([start, start + fade, end], [0.0 if fade else 1.0, 1.0, 1.0], color=colour)
        above.text((start + end) / 2, 1.12, f"{stage.size}x{stage.size}\nbatches of {stage.batch_size}", ha="center",
                   va="bottom", color=colour)
        values = distances[stage.size]
        below.plot(start + (np.arange(len(values)) + 1) * (end - start) / len(values), values, color=colour,
                   marker="o" if len(values) < 12 else "", markersize=9)
        for axis in (above, below):
            axis.axvline(end, color="#bbbbbb", linewidth=1.5, zorder=0)
        start = end
    below.axhline(floor, color="#444444", linestyle="--", linewidth=2)
    below.text(start, floor, " data,\n two halves", va="center", color="#444444")
    above.set(ylim=(-0.05, 1.7), yticks=[0, 0.5, 1], ylabel="alpha")
    below.set(xlabel="images seen, in thousands", ylabel="SWD at full size")
    below.set_ylim(bottom=0)
    below.grid(axis="y")
    figure.suptitle("The schedule, and the distance from the data", fontsize=28)
    return figure


@styled
def over_time(panels: Mapping[str, tuple[Any, Any]], floor: float, title: str) -> Figure:
    """Distances over seconds, label -> (seconds, distances), with the distance of data from data as a dashed line."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(15, 8))
    axis = figure.subplots()
    ends = draw_lines(axis, panels)
    axis.axhline(floor, color="#444444", linestyle="--", linewidth=2)
    axis.set(xlabel="CPU seconds of training", ylabel="SWD at full size", title=title, xlim=(0, None))
    axis.set_ylim(bottom=0)
    axis.text(0, floor, "data, two halves", va="bottom", color="#444444")
    axis.grid(axis="y")
    figure.draw_without_rendering()
    name_lines(axis, ends)
    return figure


@styled
def five_steps(batches: Mapping[str, tuple[np.ndarray, np.ndarray, float, np.ndarray]]) -> Figure:
    """Slide 72 in numbers: batch -> items (N, places, C), deviations (places, C), their mean, what comes out."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(20, 0.6 + 3.1 * len(batches)))
    for i, (axis, (name, (items, deviation, mean, out))) in enumerate(zip(
            figure.subplots(len(batches), 1, squeeze=False)[:, 0], batches.items(), strict=True)):
        x = 0.0
        for tables, what in ((items, "1. a group of items (rows: places)"), (deviation[None], "2. deviation"),
                             (np.full((1, 1, 1), mean), "3. mean"), (out, "4., 5. to each item and place, a feature")):
            start = x
            for table in tables:
                _table(axis, x, table, marked=tables is out)
                x += table.shape[1] + 0.4
            axis.text((start + x - 0.4) / 2, -2.25, what if i == 0 else "", ha="center", va="top", fontsize=18)
            if tables is not out:
                axis.annotate("", (x + 1.1, -1), (x, -1), arrowprops=dict(arrowstyle="->", linewidth=2.5))
                x += 1.5
        axis.set(xlim=(-0.2, x - 0.2), ylim=(-2.9, 0.1), aspect="equal", xticks=[], yticks=[])
        axis.set_title(name, loc="left", fontsize=22)
        axis.spines[:].set_visible(False)
    figure.suptitle("Minibatch standard deviation, in numbers", fontsize=28)
    return figure


def _table(axis: Any, x: float, table: np.ndarray, *, marked: bool) -> None:
    """Numbers (places, columns) as cells from x on, around the height -1; with `marked` the last column stands out."""
    from matplotlib.patches import Rectangle

    top = -1 + len(table) / 2
    for (row, column), value in np.ndenumerate(table):
        new = marked and column == table.shape[1] - 1
        axis.add_patch(Rectangle((x + column, top - row - 1), 1, 1, facecolor=COLOURS[1] if new else "#e4e4e4",
                                 edgecolor="white", linewidth=2))
        axis.text(x + column + 0.5, top - row - 0.5, f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}",
                  ha="center", va="center", fontsize=20, color="white" if new else "black")


@styled
def per_layer(ways: Mapping[str, Mapping[str, float]], *, y: str, title: str) -> Figure:
    """A dot for each layer, way -> layer -> value, on a logarithmic scale."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(17, 8.5))
    axis = figure.subplots()
    names = list(next(iter(ways.values())))
    for (way, values), colour in zip(ways.items(), COLOURS, strict=False):
        axis.plot(range(len(names)), [values[name] for name in names], "o-", color=colour, markersize=14, linewidth=1.5,
                  label=way)
    axis.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    log_scale(axis.yaxis)
    axis.set(ylabel=y, title=title)
    axis.grid(axis="y", which="both")
    figure.legend(loc="outside lower center", ncols=len(ways))
    return figure


@styled
def contributions(pairs: Sequence[Pair]) -> Figure:
    """A panel for each contribution: two bars, what it is measured by without it and with it."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(20, 7.5))
    for axis, pair in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        values = pair.without, pair.with_it
        axis.bar([0, 1], values, width=0.6, color=[COLOURS[1], COLOURS[0]])
        for i, value in enumerate(values):
            axis.text(i, value, f"{value:.3g}", ha="center", va="bottom", fontsize=22)
        axis.set_title(pair.title, fontsize=22)
        axis.set_xlabel(pair.measure, fontsize=18)
        axis.set(xticks=[0, 1], xticklabels=["without", "with"], yticks=[], xlim=(-0.6, 1.6),
                 ylim=(0, 1.15 * max(*values, 1e-9)))
        axis.spines["left"].set_visible(False)
    figure.suptitle("What each contribution did here", fontsize=28)
    return figure


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)
