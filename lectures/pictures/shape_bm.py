"""Pictures of the ShapeBM: the patches that cover an image, and shapes of which a part is hidden."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def cover(image: Any, patch: int) -> Figure:
    """An image (H, H) with the four patches in its corners as frames, and beside it each patch alone."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    image = on_host(image)
    side, gap = len(image), len(image) - patch
    corners = [(top, left) for top in (0, gap) for left in (0, gap)]
    figure = Figure(layout="constrained", figsize=(16, 6.4))
    figure.get_layout_engine().set(wspace=0.06, hspace=0.06)              # type: ignore[call-arg, union-attr]
    grid = figure.add_gridspec(2, 4, width_ratios=[2.1, 1, 1, 1])
    whole = figure.add_subplot(grid[:, 0])
    whole.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for i, (top, left) in enumerate(corners):
        whole.add_patch(Rectangle((left - 0.5, top - 0.5), patch, patch, fill=False, edgecolor=COLOURS[i], linewidth=7))
        alone = figure.add_subplot(grid[i // 2, 1 + i % 2])
        alone.imshow(image[top:top + patch, left:left + patch], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        alone.set(xticks=[], yticks=[])
        for spine in alone.spines.values():
            spine.set(visible=True, edgecolor=COLOURS[i], linewidth=7)
    whole.set_xlim(-1, side)
    whole.set_ylim(side, -1)
    whole.axis("off")
    text = figure.add_subplot(grid[:, 3])
    text.text(0, 0.5, f"the same weights\nfor all four\n\nthey overlap\nby {2 * patch - side} pixels", fontsize=24,
              va="center")
    text.axis("off")
    return figure


def largest_pieces(shapes: Any) -> np.ndarray:
    """The share of each shape's ink that is in its largest connected piece: (N, H, W) of zeros and ones -> (N,).

    Pixels are connected with the eight around them; a shape without ink counts as 0.
    """
    ink = on_host(shapes) > 0.5
    n, height, width = ink.shape
    labels = np.where(ink, 1 + np.arange(height * width).reshape(height, width), 0)
    while True:                                              # every pixel takes the greatest label around it
        padded = np.pad(labels, ((0, 0), (1, 1), (1, 1)))
        spread = np.max([padded[:, i:i + height, j:j + width] for i in range(3) for j in range(3)], 0) * ink
        if (spread == labels).all():
            break
        labels = spread
    largest = np.array([np.bincount(row[row > 0], minlength=1).max() for row in labels.reshape(n, -1)])
    return largest / np.maximum(ink.sum((1, 2)), 1)
