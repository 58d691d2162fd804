"""The lectures: one file for each run of slides, readable as text, as a script, and as a notebook.

Their files stand in the repository's folder `lectures/`, where a visitor sees the course. Installed they are below
`minidl/`, for a wheel must not take the name `lectures` from everybody else. This module is the package of both.
"""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

# A clone's lectures lie beside the minidl that is imported: so they fit it, whatever else may be installed.
_installed = Path(__file__).with_suffix("")
__path__ = [str(_installed if _installed.is_dir() else _installed.parent.with_name("lectures"))]

if TYPE_CHECKING:                      # __path__ is nothing to mypy, which finds them by the folder's own name
    from lectures import ablation, cells, export, kept, runner, slides, surface, talk, watching
    from lectures.runner import lecture, settings
else:
    from minidl.lectures.runner import lecture, settings

__all__ = ["ablation", "cells", "export", "kept", "lecture", "runner", "settings", "slides", "surface", "talk",
           "watching"]
