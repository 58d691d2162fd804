"""What convolutions do: filters on a picture, a window on its way, an image on its way through a network."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.maps import Maps, map_sheet
from minidl.plotting.style import COLOURS, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def filtered(picture: Any, kernels: Mapping[str, Any], results: Any, *, title: str = "") -> Figure:
    """A picture (H, W) beside what each kernel, label -> (KH, KW), makes of it: results (OH, OW, kernels).

    A result with numbers below 0 is shown in blue (minus) and red (plus) around white, others from black to white.
    """
    from matplotlib.figure import Figure

    picture, results = on_host(picture), on_host(results)
    if picture.ndim != 2 or results.ndim != 3 or results.shape[2] != len(kernels):
        raise InputError(f"filtered: give a grey picture (H, W) and one result a kernel, (OH, OW, {len(kernels)}), not "
                         f"{picture.shape} and {results.shape}")
    columns = 1 + len(kernels)
    height = 16 / columns * picture.shape[0] / picture.shape[1]
    figure = Figure(layout="constrained", figsize=(16, height + 3.6))
    above, below = figure.subplots(2, columns, height_ratios=[2.2, height])
    for axis in (*above, *below):
        axis.axis("off")
    below[0].imshow(picture, cmap="gray")
    for top, bottom, (label, kernel), result in zip(above[1:], below[1:], kernels.items(), np.moveaxis(results, 2, 0),
                                                    strict=True):
        _cells(top, on_host(kernel))
        top.set_title(label, pad=10)
        limit = np.abs(result).max()
        if result.min() < 0:
            bottom.imshow(result, cmap="RdBu_r", vmin=-limit, vmax=limit)
        else:
            bottom.imshow(result, cmap="gray")
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def sliding_window(image: Any, kernel: Any, result: Any, place: tuple[int, int], *, title: str = "") -> Figure:
    """A kernel (KH, KW) on its way over an image (H, W): its `place`, and the result (OH, OW) as far as it is known.

    All numbers are written in. The pictures of one place after the other make a film.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    image, kernel, result = on_host(image), on_host(kernel), on_host(result)
    row, column = place
    known = np.arange(result.size).reshape(result.shape) <= row * result.shape[1] + column
    figure = Figure(figsize=(18, 7.6))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.86, wspace=0.1)       # for a film quick matters
    left, middle, right = figure.subplots(1, 3, width_ratios=[image.shape[1], kernel.shape[1] + 0.5, result.shape[1]])
    _cells(left, image, cmap="gray_r")
    _cells(middle, kernel)
    _cells(right, result, known)
    for axis, name in ((left, "image"), (middle, "filter"), (right, "result")):
        axis.set(title=name, xticks=[], yticks=[])
        axis.spines[:].set_visible(True)
    for axis, (height, width) in ((left, kernel.shape), (right, (1, 1))):
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, fill=False, linewidth=7,
                                 edgecolor=COLOURS[4], clip_on=False))
    middle.text(0.5, -0.2, f"sum of the\nproducts: {result[row, column]:g}", transform=middle.transAxes, ha="center",
                va="top", fontsize=24)
    figure.suptitle(title, fontsize=28)
    return figure


@styled
def feature_maps(image: Any, layers: Sequence[Maps], probabilities: Any, *, names: Sequence[str] = (),
            title: str = "") -> Figure:
    """An image (H, W) on its way through a network: its layers' maps, four under each other, and the probabilities.

    The brighter, the larger; each layer has a scale of its own.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    image, probabilities = on_host(image), on_host(probabilities)
    sheets = [map_sheet(on_host(layer.maps)) for layer in layers]
    classes = np.arange(len(probabilities))
    figure = Figure(layout=ConstrainedLayoutEngine(wspace=0.1), figsize=(18, 6.6))
    first, *middle, last = figure.subplots(1, len(layers) + 2, width_ratios=[
        1.5, *(4 * sheet.shape[1] / sheet.shape[0] for sheet in sheets), 2])
    first.imshow(image, cmap="gray", vmin=0, vmax=1)
    first.set_title("image")
    for axis, sheet, layer in zip(middle, sheets, layers, strict=True):
        axis.imshow(sheet, cmap="viridis", interpolation="nearest")
        axis.set_title(layer.title)
        axis.text(0.5, -0.03, layer.note, transform=axis.transAxes, ha="center", va="top")
    for axis in (first, *middle):
        axis.axis("off")
    last.barh(classes, probabilities, color=[COLOURS[1] if best else COLOURS[5]
                                             for best in classes == probabilities.argmax()])
    last.set(xlim=(0, 1), xticks=[], yticks=classes, yticklabels=names or classes, title="probability")
    last.invert_yaxis()
    last.spines["bottom"].set_visible(False)
    figure.suptitle(title, fontsize=28)
    return figure


def _cells(axis: Any, numbers: np.ndarray, shown: Any = True, *, cmap: str = "RdBu_r") -> None:
    """A matrix as coloured cells, those that are `shown`, with the numbers in them if they are whole."""
    limit = float(np.abs(numbers).max()) or 1.0
    whole = np.array_equal(numbers, np.round(numbers))
    if whole:
        limit *= 1.7                                                           # pale enough to be written on
    shown = np.broadcast_to(shown, numbers.shape)
    axis.imshow(np.where(shown, numbers, np.nan), cmap=cmap, vmin=0 if cmap == "gray_r" else -limit, vmax=limit)
    for i, j in np.argwhere(shown & whole):
        axis.text(j, i, f"{numbers[i, j]:.0f}", ha="center", va="center", fontsize=25 if len(numbers) < 5 else 20)
