"""A restricted machine at work: steps of a chain, free energies, errors."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.plotting.style import COLOURS, colours, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def strip(steps: Sequence[tuple[str, Any]], *, title: str = "") -> Figure:
    """Pictures (H, W) or (H, W, 1) of any size side by side, from black to white, each with a caption."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(19, 19 / len(steps) + 1.4))
    for axis, (label, picture) in zip(figure.subplots(1, len(steps), squeeze=False)[0], steps, strict=True):
        axis.imshow(np.squeeze(on_host(picture)), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(True)
        axis.set_title(label, fontsize=19, pad=8)
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def free_energies(kinds: Mapping[str, Any], *, title: str = "What the machine has seen has low free energy") -> Figure:
    """Histograms of free energies, label -> (N,), one below the other on the same scale."""
    from matplotlib.figure import Figure

    every = np.concatenate([np.ravel(on_host(values)) for values in kinds.values()])
    edges = np.linspace(float(np.percentile(every, 0.1)), float(np.percentile(every, 99.9)), 60)
    figure = Figure(layout="constrained", figsize=(14, 2.2 + 1.3 * len(kinds)))
    axes = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, values), colour in zip(axes, kinds.items(), colours(), strict=False):
        axis.hist(on_host(values), edges, color=colour, density=True)
        axis.axvline(float(np.mean(on_host(values))), color="black", linewidth=2)
        axis.set(yticks=[])
        axis.spines["left"].set_visible(False)
        axis.set_ylabel(label, rotation=0, ha="right", va="center", color=colour)
    axes[-1].set_xlabel("free energy, in nats (the line is the mean)")
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def bars(values: Mapping[str, float], *, x: str, title: str = "") -> Figure:
    """Numbers to compare as horizontal bars, label -> number, from the top; the lowest is blue."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(14, 1.8 + 1.1 * len(values)))
    axis = figure.subplots()
    best = min(values, key=lambda name: values[name])
    axis.barh(list(values), list(values.values()), color=[COLOURS[0 if name == best else 6] for name in values])
    for i, value in enumerate(values.values()):
        axis.text(value, i, f" {value:.1f}", va="center")
    axis.invert_yaxis()
    axis.set(xlabel=x, title=title)
    axis.tick_params(axis="y", length=0)
    return figure
