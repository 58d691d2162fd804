"""A picture of something that trains: its curve, and what it gives at the moment."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minidl.plotting.curves import draw_lines, log_scale, name_lines
from minidl.plotting.images import pictures, tiles
from minidl.plotting.output import pixels
from minidl.plotting.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class View(NamedTuple):
    """How far a training is: its curves, label -> (epochs, values), and pictures of its outputs, label -> (H, W, 3)."""

    title: str
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    epochs: int
    outputs: Mapping[str, np.ndarray]


def outputs(given: Any) -> dict[str, np.ndarray]:
    """What a look at a model gave as pictures (H, W, 3), by label.

    It is a Figure, images (N, H, W) or (N, H, W, C), or several of these by label. Raises InputError for other shapes.
    """
    named = given if isinstance(given, Mapping) else {"": given}
    return {label: pixels(part, dpi=60) if hasattr(part, "savefig") else tiles(part, min(len(pictures(part)), 12))
            for label, part in named.items()}


@styled
def view(seen: View) -> Figure:
    """The outputs under each other, and below them the curves so far, over all epochs that are to come."""
    from matplotlib.figure import Figure

    shapes = [picture.shape for picture in seen.outputs.values()]
    heights = [min(4.5, 11.0 * shape[0] / shape[1]) for shape in shapes]           # inches
    figure = Figure(figsize=(16, 4.5 + 1.6 + sum(heights)))
    axes = figure.subplots(len(shapes) + 1, 1, height_ratios=[*heights, 4.5], squeeze=False)[:, 0]
    figure.subplots_adjust(left=0.18, right=0.85, bottom=1.0 / figure.get_figheight(),
                           top=1 - 0.8 / figure.get_figheight(), hspace=0.12)
    for axis, (label, picture) in zip(axes, seen.outputs.items(), strict=False):
        axis.imshow(picture, interpolation="nearest")
        axis.axis("off")
        axis.text(-0.02, 0.5, label, transform=axis.transAxes, ha="right", va="center")
    axis = axes[-1]
    curves = {label: line for label, line in seen.curves.items() if len(line[0])}
    ends = draw_lines(axis, curves)
    axis.set(xlabel="epoch", xlim=(0, seen.epochs))
    values = np.concatenate([np.ravel(ys) for _, ys in curves.values()] or [np.ones(1)])
    if (values > 0).all():
        log_scale(axis.yaxis)
    axis.grid(axis="y", which="both")
    name_lines(axis, ends)
    figure.suptitle(seen.title, fontsize=26)
    return figure
