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
from minidl.plotting.window import Window

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = (".png", ".jpg", ".jpeg", ".pdf", ".svg")


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


def _rendered(figure: Figure, dpi: int, format: str = "png") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, dpi=dpi, facecolor="white")
    return buffer.getvalue()


def pixels(figure: Figure, *, dpi: int = DPI) -> np.ndarray:
    """The figure as an image (H, W, 3), uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write the figure, whole or not at all, as what its name ends in: .png, .jpg, .pdf or .svg; returns the path.

    Raises InputError for another ending, and if it cannot be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in _KINDS:
        raise InputError(f"a picture's name ends in {', '.join(_KINDS)}, which {os.fspath(path)!r} does not")
    content = _rendered(figure, DPI, kind[1:])
    with atomic_write(path) as file:
        file.write(content)
    return Path(path)


def show(paths: Sequence[str | os.PathLike[str]]) -> str:
    """Page through picture files, PNG or GIF, in a window until it is closed; returns why not, if there is none."""
    window = Window()
    why_not = window.why_not()
    if not why_not:
        for path in paths:
            window.picture(Path(path).read_bytes(), str(path))
        window.wait()
    window.close()
    return why_not


def read_frames(path: str | os.PathLike[str]) -> list[np.ndarray]:
    """A picture file's pictures, one, or those of a film: each (H, W, 3) uint8."""
    return read_film(Path(path).read_bytes())[0]


def read_film(content: bytes) -> tuple[list[np.ndarray], list[float]]:
    """The pictures in a picture file's content, each (H, W, 3) uint8, and for how many seconds each is shown."""
    from PIL import Image, ImageSequence

    with Image.open(io.BytesIO(content)) as file:
        frames = [(np.asarray(frame.convert("RGB")), frame.info.get("duration", 0) / 1000)
                  for frame in ImageSequence.Iterator(file)]
    return [picture for picture, _ in frames], [seconds for _, seconds in frames]
