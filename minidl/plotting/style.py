"""How the pictures look: fonts that the back of a room can read, colours that the colour-blind can tell apart."""
from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
DPI = 120
# Okabe and Ito's colours, which the colour-blind can tell apart as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")
STYLE: Any = {
    "font.size": 20, "axes.titlesize": 24, "axes.titlepad": 18, "axes.labelsize": 22, "lines.linewidth": 3.5,
    "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#444444",
    "axes.axisbelow": True, "grid.color": "#dddddd"}


def colours(first: int = 0) -> Iterator[str]:
    """COLOURS from that place on, over and over."""
    return itertools.islice(itertools.cycle(COLOURS), first, None)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the lectures' style and leave the caller's settings as they were."""
    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        from matplotlib import rc_context
        with rc_context(STYLE):
            return draw(*args, **kwargs)
    return drawn


def on_host(values: Any) -> np.ndarray:
    """A Tensor or an array of any device as a NumPy array of the same shape."""
    from minidl.tensor import Tensor

    return (values if isinstance(values, Tensor) else Tensor(values)).numpy()
