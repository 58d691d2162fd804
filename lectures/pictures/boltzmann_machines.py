"""A machine of energy at work: a chain's steps, statistics, magnets, memories."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.curves import draw_lines, name_lines
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def chain_step(couplings: Any, x: Any, unit: int, p: float, exact: Any, visited: Any, *, title: str = "") -> Figure:
    """A step of Gibbs sampling: the machine with states x (n,), the unit just drawn and the probability of its 1.

    Beside it the probabilities `exact` (2^n,) of all states as bars, and the shares `visited` (2^n,) of them so far.
    """
    from matplotlib.figure import Figure

    couplings, x, exact, visited = (on_host(a) for a in (couplings, x, exact, visited))
    n = len(x)
    if couplings.shape != (n, n) or exact.shape != (2**n,) or visited.shape != exact.shape:
        raise InputError(f"chain_step: {n} units have weights ({n}, {n}) and {2**n} states, not {couplings.shape}, "
                         f"{exact.shape} and {visited.shape}")
    figure = Figure(figsize=(18, 8))
    left, right = figure.subplots(1, 2, width_ratios=[0.7, 1])
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.2, top=0.84, wspace=0.1)
    angles = np.pi * (0.75 - 2 * np.arange(n) / n)
    places = np.stack([np.cos(angles), np.sin(angles)], 1)
    for i in range(n):
        for j in range(i):
            if couplings[i, j]:
                (x0, y0), (x1, y1) = places[i], places[j]
                left.plot([x0, x1], [y0, y1], linewidth=2 + 3 * abs(couplings[i, j]), zorder=1,
                          color=COLOURS[0] if couplings[i, j] > 0 else COLOURS[1])
                at = 0.68 if (i + j) % 2 == 0 else 0.5          # the diagonals cross in the middle
                left.text(x0 + at * (x1 - x0), y0 + at * (y1 - y0), f"{couplings[i, j]:+g}", fontsize=20, ha="center",
                          va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 2}, zorder=2)
    for i, (px, py) in enumerate(places):
        left.plot(px, py, "o", markersize=74, zorder=3, markerfacecolor="black" if x[i] else "white",
                  markeredgewidth=9 if i == unit else 2, markeredgecolor=COLOURS[4] if i == unit else "black")
        left.text(px, py, f"{x[i]:.0f}", fontsize=32, ha="center", va="center", zorder=4,
                  color="white" if x[i] else "black")
    left.text(0.5, -0.06, f"the marked unit is 1 with probability {p:.2f}", transform=left.transAxes, ha="center",
              va="top", fontsize=24)
    left.set(xlim=(-1.2, 1.2), ylim=(-1.15, 1.15), aspect="equal")
    left.axis("off")
    width = 0.4
    right.bar(np.arange(2**n) - width / 2, exact, width, color=COLOURS[6], label="exact")
    right.bar(np.arange(2**n) + width / 2, visited, width, color=COLOURS[0], label="visited")
    here = int(x @ 2**np.arange(n - 1, -1, -1))
    right.set_xticks(range(2**n), [f"{state:0{n}b}" for state in range(2**n)], rotation=90)
    right.get_xticklabels()[here].set(color=COLOURS[1], fontweight="bold")
    right.set_ylim(0, max(0.3, 1.3 * float(exact.max())))
    right.set_ylabel("probability of the state")
    right.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def statistics(pairs: Mapping[str, Any], difference: Any, *, hidden: int = 0, title: str = "") -> Figure:
    """Matrices label -> (n, n) of how often two units are on together, and what is left of the first less the second.

    The last `hidden` units are behind a line.
    """
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(18, 7))
    axes = figure.subplots(1, len(pairs) + 1)
    for axis, (label, values) in zip(axes, [*pairs.items(), ("difference: the gradient", difference)], strict=True):
        values = np.array(on_host(values), float)
        n = len(values)
        values[np.tril_indices(n)] = np.nan
        last = axis is axes[-1]
        limit = np.nanmax(np.abs(values)) if last else 1.0
        shown = axis.imshow(values, cmap="RdBu_r" if last else "gray_r", vmin=-limit if last else 0.0, vmax=limit)
        axis.set(title=label, xticks=range(n), yticks=range(n))
        axis.set_xticklabels(range(1, n + 1))
        axis.set_yticklabels(range(1, n + 1))
        if hidden:
            axis.axvline(n - hidden - 0.5, color=COLOURS[4], linewidth=3)
            axis.axhline(n - hidden - 0.5, color=COLOURS[4], linewidth=3)
        figure.colorbar(shown, ax=axis, shrink=0.7)
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def cooling(spins: Any, passed: Sequence[tuple[float, float]], critical: float, *, span: tuple[float, float]) -> Figure:
    """A magnet on its way down: spins (H, W) of +1 and -1, and (temperature, magnetisation) of all steps so far."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 7.5))
    left, right = figure.subplots(1, 2, width_ratios=[0.9, 1])
    figure.subplots_adjust(left=0.02, right=0.97, bottom=0.14, top=0.86, wspace=0.2)
    left.imshow(on_host(spins), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    left.axis("off")
    left.set_title(f"T = {passed[-1][0]:.2f}")
    xs, ys = zip(*passed, strict=True)
    right.axvline(critical, color=COLOURS[6], linestyle="--")
    right.text(critical, 1.04, f"{critical:.3f}", ha="center", color=COLOURS[6])
    right.plot(xs, ys, color=COLOURS[0])
    right.plot(xs[-1], ys[-1], "o", color=COLOURS[0], markersize=18)
    right.set(xlim=span, ylim=(0, 1.02), xlabel="temperature", ylabel="magnetisation, without its sign")
    right.grid(axis="y")
    return figure


@styled
def temperatures(temperatures: Any, truth: Any, small: Any, large: Any, critical: float) -> Figure:
    """Magnetisation and energy at temperatures (T,): of all states and of chains on 4x4, of chains on 32x32, (T, 2)."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(18, 8))
    axes = figure.subplots(1, 2)
    fine = np.linspace(temperatures[0], critical, 400)
    onsager = np.clip(1 - np.sinh(2 / fine) ** -4.0, 0, None) ** 0.125
    for k, (axis, name) in enumerate(zip(axes, ("magnetisation, without its sign", "energy per spin"), strict=True)):
        axis.axvline(critical, color=COLOURS[6], linestyle="--")
        axis.plot(temperatures, truth[:, k], color=COLOURS[0], label="4x4, all states")
        axis.plot(temperatures, small[:, k], "o", color=COLOURS[4], markersize=12, label="4x4, chains")
        axis.plot(temperatures, large[:, k], "s--", color=COLOURS[1], markersize=12, linewidth=2,
                  label="32x32, chains")
        if k == 0:
            axis.plot([*fine, temperatures[-1]], [*onsager, 0], color=COLOURS[2], linewidth=2,
                      label="infinite (Onsager)")
            axis.set_ylim(0, 1.05)
        axis.set(xlabel="temperature", ylabel=name)
        axis.grid(axis="y")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=22)
    figure.suptitle(f"A magnet loses its order, around T = {critical:.3f}", fontsize=28)
    return figure


@styled
def capacity(lines: Mapping[str, tuple[Any, Any]], most: float) -> Figure:
    """Bits that come back wrong against patterns stored per 100 units, label -> (x, y), with the theory's limit."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(13, 7.5))
    axis = figure.subplots()
    ends = draw_lines(axis, lines)
    axis.axvline(most, color=COLOURS[6], linestyle="--")
    axis.set(xlabel="patterns stored per 100 units", ylabel="bits wrong after recall, %", ylim=(0, None),
             title="What the net can hold")
    axis.text(most + 0.3, 0.97, f"limit for random\npatterns, {most:g}", transform=axis.get_xaxis_transform(), va="top",
              color=COLOURS[6])
    axis.grid(axis="y")
    figure.draw_without_rendering()
    name_lines(axis, ends)
    return figure
