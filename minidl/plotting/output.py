"""Pictures and films as files, and in windows."""
from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.plotting.style import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png(figure: Figure) -> bytes:
    """The figure as the content of a PNG file."""
    return _rendered(figure, DPI)


def film(figures: Sequence[Figure], *, seconds: float = 6.0) -> bytes:
    """The figures one after the other as the content of a GIF file that repeats, the last one held for a while.

    `seconds` is the time until the last one. Raises InputError if there is none.
    """
    from PIL import Image

    if not figures:
        raise InputError("film: there are no figures to show")
    # A film is watched, not read: with fewer dots than a picture it does not take megabytes.
    # (Of an image with transparency Pillow would keep a few coarse colours.)
    frames = [Image.open(io.BytesIO(_rendered(figure, DPI // 2))).convert("RGB").convert(
        "P", palette=Image.Palette.ADAPTIVE) for figure in figures]
    step = int(1000 * seconds / len(frames))
    buffer = io.BytesIO()
    frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:], loop=0, optimize=False,
                   duration=[step] * (len(frames) - 1) + [2500])
    return buffer.getvalue()


def _rendered(figure: Figure, dpi: int) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write the figure as PNG, whole or not at all; returns the path. Raises InputError if it cannot be written."""
    with atomic_write(path) as file:
        file.write(png(figure))
    return Path(path)


def show(paths: Sequence[str | os.PathLike[str]]) -> str:
    """Open a window for each picture file and wait until they are closed; returns why not, if there is none."""
    import matplotlib
    from matplotlib import animation

    try:
        from matplotlib import pyplot
        pyplot.figure(num=str(paths[0]))
    except Exception as error:           # each window system fails in its own way
        return f"no window can be opened: {error}"
    if matplotlib.get_backend().lower() in {"agg", "pdf", "svg", "ps", "cairo", "template"}:
        pyplot.close("all")
        return "no window can be opened: matplotlib has no window system here (on Debian: apt install python3-tk)"
    films = []                          # matplotlib stops an animation that nobody holds
    for path in paths:
        frames = read_frames(path)
        figure = pyplot.figure(num=str(path), figsize=(frames[0].shape[1] / DPI, frames[0].shape[0] / DPI))
        axis = figure.add_axes((0, 0, 1, 1))
        shown = axis.imshow(frames[0])
        axis.axis("off")
        if len(frames) > 1:
            films.append(animation.FuncAnimation(figure, shown.set_data, frames, interval=6000 / len(frames),
                                                 repeat_delay=2500, cache_frame_data=False))
    pyplot.show()
    return ""


def read_frames(path: str | os.PathLike[str]) -> list[np.ndarray]:
    """A picture file's pictures, one, or those of a film: each (H, W, 3) uint8."""
    from PIL import Image, ImageSequence

    with Image.open(path) as file:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]
