"""Networks from within: what each layer makes of an image or a code, and how a layer covers the image."""
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
def layers(stages: Sequence[Maps], *, limit: float | None = None, title: str = "") -> Figure:
    """Something on its way through a network, from left to right: images, feature maps and codes, as they come.

    Of a stage, (H, W) is an image from 0 (black) to 1 (white); (H, W, C) are feature maps, four under each other, the
    brighter the larger; (K,) is a code, a bar for each number, between minus and plus `limit` (by default the largest).
    The pictures of one code after the other make a film. Raises InputError for other shapes.
    """
    from matplotlib.figure import Figure

    arrays = [on_host(stage.maps) for stage in stages]
    if not stages or any(array.ndim not in (1, 2, 3) or not array.size for array in arrays):
        raise InputError("layers: a stage is a code (K,), an image (H, W) or feature maps (H, W, C), and there is at "
                         f"least one; they are {[array.shape for array in arrays]}")
    pictures = [map_sheet(array) if array.ndim == 3 else array for array in arrays]
    widths = [0.9 if picture.ndim == 1 else picture.shape[1] / picture.shape[0] for picture in pictures]
    gap = 0.12
    height = min(5.0, (18 - 0.4) / (sum(widths) + gap * (len(widths) - 1)))                # inches
    figure = Figure(figsize=(18, height + (2.0 if title else 1.4)))
    left = (18 - height * (sum(widths) + gap * (len(widths) - 1))) / 2
    for stage, array, picture, width in zip(stages, arrays, pictures, widths, strict=True):
        axis = figure.add_axes((left / 18, 0.7 / figure.get_figheight(), height * width / 18,
                                height / figure.get_figheight()))
        left += height * (width + gap)
        if picture.ndim == 1:
            _bars(axis, picture, limit)
        else:
            grey: Any = {"cmap": "gray", "vmin": 0, "vmax": 1} if array.ndim == 2 else {"cmap": "viridis"}
            axis.imshow(picture, interpolation="nearest", **grey)
            axis.axis("off")
        axis.set_title(stage.title, pad=10)
        axis.text(0.5, -0.03, stage.note, transform=axis.transAxes, ha="center", va="top")
    figure.suptitle(title, fontsize=28, y=1 - 0.15 / figure.get_figheight())
    return figure


def to_code(image: np.ndarray, passed: Sequence[np.ndarray]) -> Figure:
    """An image (H, W) on its way to its code; `passed` is what each of the encoder's layers made of it, (1, ...)."""
    code = passed[-1][0]
    return layers([Maps("image", image), *_stages(passed, 1, 0), Maps("code", code, f"{len(code)} numbers")],
                  title="From an image to its code")


def from_codes(codes: np.ndarray, passed: Sequence[np.ndarray], images: np.ndarray) -> list[Figure]:
    """A film of codes (N, K) on their way to images (N, H, W); `passed` is what each of the decoder's layers made."""
    return [layers([Maps("code", code, f"{len(code)} numbers"), *_stages(passed, 0, i), Maps("image", image)],
                   limit=float(np.abs(codes).max()), title="From a code to an image")
            for i, (code, image) in enumerate(zip(codes, images, strict=True))]


def _stages(passed: Sequence[np.ndarray], first: int, i: int) -> list[Maps]:
    """The feature maps of item i after every other layer, the activations."""
    return [Maps(f"{y.shape[1]}x{y.shape[2]}", y[i, ..., :16], f"16 of {y.shape[3]} maps")
            for y in [y for y in passed[:-1] if y.ndim == 4][first::2]]


def _bars(axis: Any, code: np.ndarray, limit: float | None) -> None:
    limit = limit or float(np.abs(code).max()) or 1.0
    axis.barh(np.arange(len(code)), code, color=[COLOURS[1] if value > 0 else COLOURS[0] for value in code])
    axis.axvline(0, color=COLOURS[6], linewidth=1.5)
    axis.set(xlim=(-limit, limit), ylim=(len(code) - 0.4, -0.6), xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


@styled
def overlaps(counts: Mapping[str, Any], *, title: str = "") -> Figure:
    """How many products each pixel of an image is the sum of: a panel for each label -> whole numbers (H, W).

    The more, the darker, and the number is written in: an uneven cover is a checkerboard.
    """
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained", figsize=(18, 18 / len(counts) + 1.5))
    for axis, (label, count) in zip(figure.subplots(1, len(counts), squeeze=False)[0], counts.items(), strict=True):
        count = on_host(count)
        axis.imshow(count, cmap="Blues", vmin=0, vmax=2 * count.max())
        for (i, j), number in np.ndenumerate(count):
            axis.text(j, i, f"{number:.0f}", ha="center", va="center", fontsize=36)
        axis.set(title=label, xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    figure.suptitle(title, fontsize=30)
    return figure
