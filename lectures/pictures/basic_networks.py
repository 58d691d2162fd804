"""How classifiers divide the plane."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 160            # places a side at which a classifier is asked


@styled
def boundaries(classifiers: Mapping[str, Callable[[np.ndarray], Any]], points: Any, labels: Any, *,
               title: str = "") -> Figure:
    """How classifiers divide the plane: a panel each, under its name, with the points (N, 2) of the classes 0 and 1.

    A classifier takes points (M, 2), float32 on the host, and gives the probability of class 1, (M,). The line is where
    that is one half; the stronger the colour, the surer it is. Raises InputError for points or labels of another kind,
    and for an output of another size.
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgb
    from matplotlib.figure import Figure

    points, labels = on_host(points), on_host(labels)
    if points.shape != (len(labels), 2) or not np.isin(labels, (0, 1)).all():
        raise InputError(f"boundaries: give points (N, 2) and as many labels, 0 or 1; the points are {points.shape}, "
                         f"the labels {labels.shape} from {labels.min(initial=0)} to {labels.max(initial=0)}")
    low, high = points.min(0) - 0.3, points.max(0) + 0.3
    xs, ys = (np.linspace(low[i], high[i], _SIDE, dtype=np.float32) for i in range(2))
    plane = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    pale: list[Any] = [tuple(0.45 + 0.55 * part for part in to_rgb(colour)) for colour in COLOURS[:2]]
    shades = LinearSegmentedColormap.from_list("", [pale[0], "white", pale[1]])
    width = min(10.0, 16.0 / len(classifiers))
    height = width * float((high[1] - low[1]) / (high[0] - low[0]))
    top = 0.2 + 0.4 * max(name.count("\n") + 1 for name in classifiers) + (0.6 if title else 0.0)
    figure = Figure(layout="constrained", figsize=(width * len(classifiers), height + top))
    for axis, (name, classify) in zip(figure.subplots(1, len(classifiers), squeeze=False)[0], classifiers.items(),
                                      strict=True):
        p = on_host(classify(plane))
        if p.size != len(plane):
            raise InputError(f"boundaries: {name!r} gave {p.shape} for points {plane.shape}; one probability each "
                             f"is ({len(plane)},)")
        p = p.reshape(_SIDE, _SIDE).clip(1e-6, 1 - 1e-6)
        axis.contourf(xs, ys, p, np.linspace(0, 1, 11), cmap=shades)      # in steps: a film of it stays small
        if p.min() < 0.5 < p.max():
            log_odds = np.log(p / (1 - p))          # smooth even where the classifier is sure and p a step
            axis.contour(xs, ys, log_odds, [0.0], colors="#222222", linewidths=3.5)
        axis.scatter(*points.T, c=np.where(labels == 1, COLOURS[1], COLOURS[0]), s=55, edgecolors="white",
                     linewidths=0.8)
        axis.set(xticks=[], yticks=[], aspect="equal", anchor="S")
        axis.set_title(name)
        axis.spines[:].set_visible(False)
    figure.suptitle(title, fontsize=28)
    return figure
