"""Bars that show how far something is: on a terminal a line, in a notebook a widget, elsewhere nothing."""
from __future__ import annotations

import sys
import warnings
from typing import Any


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process."""
    ipython = sys.modules.get("IPython")             # a kernel has imported it
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def bar(iterable: Any = None, *, description: str = "", progress: bool = True, **options: Any) -> Any:
    """A tqdm bar of these options, with the description before it; without `progress` one that shows nothing.

    In a notebook it is tqdm's widget, or without ipywidgets its line.
    """
    notebook = in_notebook()
    if notebook:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")          # that ipywidgets are not there: a line will do
            from tqdm.auto import tqdm
    else:
        from tqdm import tqdm
    # None shows it on a terminal alone; a notebook's output is none.
    return tqdm(iterable, desc=description or None, disable=(False if notebook else None) if progress else True,
                **options)
