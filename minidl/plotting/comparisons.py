"""What is tried on the same task, side by side: results over several runs."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Trial(NamedTuple):
    """Something that was tried: its value in each of several runs (n,), and whether it beats the first, if known."""

    label: str
    values: Sequence[float]
    better: bool | None = None


@styled
def trials(panels: Mapping[str, Sequence[Trial]], *, x: str, title: str = "",
           middle: Literal["mean", "median"] = "mean") -> Figure:
    """A row for each trial, a panel for each task: small dots are runs, the large one is their mean, or their median.

    The dashed line is that of the first trial. Better ones are blue, worse ones orange, undecided ones grey. Raises
    InputError unless all panels have the same labels.
    """
    from matplotlib.figure import Figure

    labels = [[trial.label for trial in rows] for rows in panels.values()]
    if not labels or not labels[0] or any(row != labels[0] for row in labels):
        raise InputError(f"trials: the panels need the same labels in the same order, and at least one, not {labels}")
    average = np.mean if middle == "mean" else np.median
    verdicts = {None: COLOURS[6], True: COLOURS[0], False: COLOURS[1]}
    figure = Figure(layout="constrained", figsize=(19, 2.6 + 0.52 * len(labels[0])))
    figure.get_layout_engine().set(wspace=0.03, h_pad=0.1)                # type: ignore[call-arg, union-attr]
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (panel, rows) in zip(axes, panels.items(), strict=True):
        axis.axvline(average(rows[0].values), color=COLOURS[6], linestyle="--", linewidth=2)
        for i, trial in enumerate(rows):
            axis.plot(trial.values, np.full(len(trial.values), i), "o", color=verdicts[trial.better], markersize=8,
                      alpha=0.4, markeredgewidth=0)
            axis.plot(average(trial.values), i, "o", color=verdicts[trial.better], markersize=17)
        axis.set(xlabel=x, title=panel)
        axis.set_xlim(left=0)
        axis.grid(axis="y")
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    axes[0].set_yticks(range(len(labels[0])), labels[0])
    axes[0].invert_yaxis()
    figure.suptitle(title, fontsize=28)
    return figure
