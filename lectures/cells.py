"""Which cells of a lecture run, and which slides its pictures are for.

A lecture's file is in jupytext's percent format, in which a cell may say something of itself:

    # %% name="lloyd" slides=[6] needs=["geometry"]

This cell belongs to the section `lloyd`, shows slide 6, and goes on from what the section `geometry` has made. Cells of
the same name are one section. Those without a name are for all slides: they always run, and so does the last statement,
`talk.finish()`. A lecture none of whose cells has a name runs as a whole.
"""
from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from minidl.errors import InputError

_SAID = re.compile(r'(\w+)=("[^"]*"|\[[^\]]*\])')                       # name="lloyd", slides=[6]


class Cell(NamedTuple):
    """A cell of code: its lines, and what it says of itself."""

    lines: range
    name: str
    slides: tuple[int, ...]
    needs: tuple[str, ...]


def cells(text: str) -> list[Cell]:
    """The cells of code of a lecture's file."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines, 1) if line.startswith("# %%")]
    found = []
    for start, end in zip(starts, [*starts[1:], len(lines) + 1], strict=True):
        marker = lines[start - 1]
        said = {key: json.loads(value) for key, value in _SAID.findall(marker)}
        if "[markdown]" not in marker:
            found.append(Cell(range(start, end), said.get("name", ""), tuple(said.get("slides", ())),
                              tuple(said.get("needs", ()))))
    return found


def can_be_cut(text: str) -> bool:
    """Whether the lecture has sections that can run alone."""
    return any(cell.name for cell in cells(text))


def chosen(text: str, slide: int) -> list[Cell]:
    """The cells that this slide needs. Raises InputError if no cell shows it."""
    every = cells(text)
    wanted = {cell.name for cell in every if slide in cell.slides}
    if not wanted:
        shown = ", ".join(map(str, sorted({slide for cell in every for slide in cell.slides})))
        raise InputError(f"no section of this lecture shows slide {slide} alone, but there are those of {shown}; "
                         "without --only all of it runs")
    while more := {need for cell in every if cell.name in wanted for need in cell.needs} - wanted:
        wanted |= more
    return [cell for cell in every if not cell.name or cell.name in wanted]


def compiled(path: Path, slide: int | None = None) -> CodeType:
    """The lecture's file, or as much of it as this slide needs, ready to be executed; tracebacks find their lines."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, str(path))
    if slide is not None:
        lines = {line for cell in chosen(text, slide) for line in cell.lines}
        tree.body = [node for node in tree.body if node.lineno in lines or node is tree.body[-1]]
    return compile(tree, str(path), "exec", dont_inherit=True)


def slides_of_pictures(text: str) -> dict[str, tuple[int, ...]]:
    """For each picture that is saved under a name written out: the slides of the cell in which it is."""
    slides = {line: cell.slides for cell in cells(text) for line in cell.lines}
    found: dict[str, tuple[int, ...]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("save", "rows"):
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    found.setdefault(argument.value, slides.get(node.lineno, ()))
    return found
