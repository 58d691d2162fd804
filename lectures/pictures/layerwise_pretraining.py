"""Pictures of layerwise pretraining: codes in the plane, side by side, and filters before and after fine-tuning."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.lectures.pictures.pca_kmeans import draw_codes
from minidl.plotting.images import image_grid
from minidl.plotting.style import on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def planes(panels: Mapping[str, Any], labels: Any, *, title: str = "") -> Figure:
    """Codes (N, 2) in panels side by side, label -> codes, coloured by the images' labels (N,)."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(19, 19 / len(panels) + 0.7))
    figure.get_layout_engine().set(wspace=0.04)                           # type: ignore[call-arg, union-attr]
    for axis, (name, points) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        draw_codes(axis, points, labels)
        axis.set(title=name, xticks=[], yticks=[])
    figure.suptitle(title, fontsize=28)
    return figure


def filters(before: Any, after: Any, *, title: str = "", count: int = 12) -> Figure:
    """Weights of the first units, (inputs, units) of square images, in two rows: before above, after below.

    Those of blue and red: minus and plus. Raises InputError for images that are not square.
    """
    rows = [on_host(weights).T[:count] for weights in (before, after)]
    side = int(np.sqrt(rows[0].shape[1]))
    if side * side != rows[0].shape[1]:
        raise InputError(f"filters: the images are square, these have {rows[0].shape[1]} pixels")
    return image_grid(np.concatenate(rows).reshape(-1, side, side), columns=len(rows[0]), symmetric=True, title=title)
