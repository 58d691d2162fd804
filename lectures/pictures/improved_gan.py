"""Hacks with and without, and games in the plane."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import minidl as md
from minidl.adversarial import GAN
from minidl.adversarial.mode_benchmark import Task
from minidl.plotting import COLOURS, Plane, planes
from minidl.plotting.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def before_after(panels: Mapping[str, tuple[str, Sequence[float], Sequence[float]]]) -> Figure:
    """A panel for each measure -> the hack's name, and the values without it and with it, one for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(20, 7.5))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (what, (name, before, after)) in zip(axes, panels.items(), strict=True):
        for values in zip(before, after, strict=True):
            axis.plot([0, 1], values, color=COLOURS[6], linewidth=2)
        axis.plot(np.zeros(len(before)), before, "o", color=COLOURS[1], markersize=15)
        axis.plot(np.ones(len(after)), after, "o", color=COLOURS[0], markersize=15)
        axis.set_title(name.replace(" ", "\n", 1), fontsize=22)
        axis.set_xlabel(what.replace(" of ", "\nof ").replace(" by ", "\nby ").replace(" from ", "\nfrom ").replace(
            " within ", "\nwithin "), fontsize=18)
        axis.set(xticks=[0, 1], xticklabels=["without", "with"], xlim=(-0.4, 1.4))
        axis.set_ylim(0, 1.1 * max(*before, *after, 1e-9))
        axis.grid(axis="y")
    figure.suptitle("Each hack by its own measure: a line is a seed", fontsize=28)
    return figure


@styled
def paths(panels: Mapping[str, np.ndarray]) -> Figure:
    """Where two players of one number each went: label -> (steps, 2)."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(15, 7.8))
    for axis, (label, at) in zip(figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0],
                                 panels.items(), strict=True):
        axis.plot(*at.T, color=COLOURS[0], linewidth=1.5)
        axis.plot(*at[0], "o", color=COLOURS[1], markersize=14)
        axis.plot(0, 0, "+", color="black", markersize=24, markeredgewidth=3)
        axis.set(title=label, xlabel="the generator's point", aspect="equal")
        axis.grid()
    figure.axes[0].set_ylabel("the discriminator's slope")
    figure.suptitle("Two players of one number each (dot: start, cross: equilibrium)", fontsize=26)
    return figure


def plane(task: Task, gan: GAN, note: str = "") -> Plane:
    """Samples over data. A discriminator of a pack is asked about a place with its copies beside it."""
    def critic(places: np.ndarray) -> Any:
        with md.no_grad():
            return gan.judge((gan.device.put(np.repeat(places, gan.pack, 0)),))[0].numpy()
    return Plane(task.x[:1000], gan.sample(500, 0), critic, note)


def panel(name: str, task: Task, gan: GAN) -> Figure:
    """One game's `plane`."""
    return planes({name: plane(task, gan)})
