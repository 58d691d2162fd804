"""Running a lecture: `talk = lecture(17)` begins one, whoever runs its file.

A lecture runs in three ways, and its file need not know which: by `minidl lecture 17`, as a script
(`python lectures/s008_deep_autoencoder.py`, which hands itself and its options to that command), and in a notebook.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from minidl.errors import InputError
from minidl.lectures import cells, slides, surface, talk

_options: talk.Options | None = None           # those of the command line while it runs a lecture
_surface: surface.Surface | None = None        # where that lecture's pictures appear


def settings(*, data: str | None = None, device: str = "cpu", seed: int = 0, fast: bool = False,
             out: str | None = None) -> None:
    """How lectures run in this notebook: what the command line's options are elsewhere."""
    global _options
    _options = talk.Options(data=data, device=device, seed=seed, fast=fast, out=out)


def run(found: slides.Lecture, options: talk.Options) -> Path:
    """Run a lecture, or replay its kept run; returns the folder with its files.

    Raises InputError for what cannot be run, and BoundMissed, with everything saved, if a metric misses its bound.
    """
    global _options, _surface
    if options.only and options.slide is None:
        raise InputError(f"--only runs what one slide needs: say which of {found.where}, not a lecture's name")
    if options.only and not cells.can_be_cut(found.path.read_text(encoding="utf-8")):
        print(f"{found.name} cannot be cut: it runs as a whole", flush=True)
        options = replace(options, only=False)
    if options.replay:                                      # of full runs
        options = replace(options, only=False, fast=False)
    code = cells.compiled(found.path, options.slide if options.only else None)
    before = _options, _surface
    _options, _surface = options, surface.opened(options.show)
    try:
        lecture: dict[str, Any] = {"__name__": "__main__", "__file__": str(found.path)}
        exec(code, lecture)
        return Path(lecture["talk"].out)
    except _Replayed as replayed:
        return replayed.out
    finally:
        _surface.close()
        _options, _surface = before


def lecture(slide: int | str, data: Sequence[str] = ("digits",)) -> talk.Talk:
    """Begin the lecture of this slide, or of this name where a slide has several.

    It works with the data sets that `data` names, the first of them by default.
    """
    found, = slides.find(slide)
    if _options is None and _is_script(found.path):
        from minidl import cli

        sys.exit(cli.main(["lecture", found.name, *sys.argv[1:]]))
    options = _options or talk.Options()
    begun = talk.Talk(found, data, options, _surface or surface.opened(options.show))
    if options.replay:
        begun.replay()
        raise _Replayed(begun.out)
    begun.begin()
    return begun


class _Replayed(Exception):
    """Leaves the lecture's file: its kept run has been shown instead."""

    def __init__(self, out: Path) -> None:
        super().__init__("replayed")
        self.out = out


def _is_script(path: Path) -> bool:
    """Whether Python was started with this very file."""
    main = getattr(sys.modules["__main__"], "__file__", None)
    return main is not None and Path(main).resolve() == path.resolve()
