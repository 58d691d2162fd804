"""Text, character by character: what a network reads, expects, writes and remembers."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.errors import InputError
from minidl.plotting.style import COLOURS, colours, on_host, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MONOSPACE: Any = {"family": "DejaVu Sans Mono"}       # travels with matplotlib, has signs for space and newline
_ADVANCE = 0.602                                       # the width of its characters, in font sizes


@styled
def next_characters(text: str, probabilities: Any, symbols: str, *, top: int = 4, title: str = "") -> Figure:
    """Above each character of a text the `top` characters expected in its place, the likeliest at the top.

    `probabilities` (len(text), len(symbols)) are those of each place, given what stands before it. The darker a box,
    the more probable its character; the one that does come has a frame.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    p = on_host(probabilities)
    if p.shape != (len(text), len(symbols)):
        raise InputError(f"next_characters: {len(text)} characters of {len(symbols)} symbols take probabilities of "
                         f"shape {(len(text), len(symbols))}, not {p.shape}")
    guesses = np.argsort(-p, axis=1, kind="stable")[:, :top]                     # (len(text), top)
    cell = 15.6 / len(text)
    height = cell * (top + 1.3) + 1.0
    figure = Figure(figsize=(16, height))
    figure.suptitle(title, fontsize=28, y=1 - 0.15 / height, va="top")
    axis = figure.add_axes((0.2 / 16, 0.0, 15.6 / 16, cell * (top + 1.3) / height))
    axis.imshow(np.take_along_axis(p, guesses, 1).T, cmap="Blues", vmin=0, vmax=1.2, aspect="auto",
                extent=(-0.5, len(text) - 0.5, top - 0.5, -0.5))
    for i, symbol in enumerate(text):
        axis.text(i, top + 0.2, _visible(symbol), ha="center", va="center", fontsize=30, fontweight="bold",
                  **_MONOSPACE)
        for rank, k in enumerate(guesses[i]):
            if symbols[k] == symbol:
                axis.add_patch(Rectangle((i - 0.46, rank - 0.46), 0.92, 0.92, fill=False, edgecolor=COLOURS[1],
                                         linewidth=5))
            axis.text(i, rank, _visible(symbols[k]), ha="center", va="center", fontsize=24,
                      color="white" if p[i, k] > 0.6 else "black", **_MONOSPACE)
    axis.set(xlim=(-0.5, len(text) - 0.5), ylim=(top + 0.8, -0.5))
    axis.axis("off")
    return figure


@styled
def passages(rows: Sequence[tuple[str, str]], *, columns: int = 66, title: str = "") -> Figure:
    """Pieces of text under each other, each with its label on the left; lines longer than `columns` are broken."""
    from matplotlib.figure import Figure

    texts = [[part for line in text.split("\n") for part in textwrap.wrap(line, columns) or [""]] for _, text in rows]
    left, gap, top = 2.6, 0.4, 1.0 if title else 0.1                             # inches
    size = 72 * (15.8 - left) / columns / _ADVANCE
    line_height = 1.3 * size / 72
    lines_of = [max(len(text), label.count("\n") + 1) for text, (label, _) in zip(texts, rows, strict=True)]
    height = sum(lines_of) * line_height + len(rows) * gap + top
    figure = Figure(figsize=(16, height))
    figure.suptitle(title, fontsize=28, y=1 - 0.2 / height, va="top")
    place = height - top
    for (label, _), text, lines, colour in zip(rows, texts, lines_of, colours(), strict=False):
        figure.text((left - 0.3) / 16, place / height, label, ha="right", va="top", fontsize=22, color=colour)
        for i, line in enumerate(text):
            figure.text(left / 16, (place - i * line_height) / height, line, va="top", fontsize=size, **_MONOSPACE)
        place -= lines * line_height + gap
    return figure


@styled
def activity(text: str, values: Any, *, title: str = "") -> Figure:
    """A text with each character on a ground that shows a number from -1 (blue) by way of 0 (white) to 1 (red)."""
    from matplotlib.figure import Figure

    values = on_host(values)
    if values.shape != (len(text),):
        raise InputError(f"activity: {len(text)} characters take as many values, not {values.shape}")
    lines = text.split("\n")
    columns = max(map(len, lines)) + 1
    grounds = np.full((len(lines), columns), np.nan)
    start = 0
    for row, line in enumerate(lines):
        own = values[start:start + len(line) + 1]                                # that of the line's end as well
        grounds[row, :len(own)] = own
        start += len(line) + 1
    width = 15.6 / columns                                                       # of a character, in inches
    below = 2.1 * width * len(lines)
    height = below + 1.1
    figure = Figure(figsize=(16, height))
    figure.suptitle(title, fontsize=28, y=1 - 0.2 / height, va="top")
    axis = figure.add_axes((0.2 / 16, 0.1 / height, 15.6 / 16, below / height))
    axis.imshow(grounds, cmap="RdBu_r", vmin=-1.6, vmax=1.6, aspect="auto", interpolation="nearest",
                extent=(0, columns, len(lines), 0))
    for row, line in enumerate(lines):
        axis.text(0, row + 0.5, line, va="center_baseline", fontsize=72 * width / _ADVANCE, **_MONOSPACE)
    axis.axis("off")
    return figure


def _visible(symbol: str) -> str:
    return {" ": "\N{OPEN BOX}", "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"}.get(symbol, symbol)
