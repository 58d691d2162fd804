"""Feature maps, as several pictures show them."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Maps(NamedTuple):
    """One image's feature maps (H, W, C) after some layer: what they are, and a note that stands below them."""

    title: str
    maps: Any
    note: str = ""


def map_sheet(maps: np.ndarray) -> np.ndarray:
    """All maps as one image, with gaps (NaN) between, four under each other: (H, W, C) -> (4 H', W' C / 4)."""
    scale = max(1, 112 // maps.shape[0])
    maps = maps.repeat(scale, axis=0).repeat(scale, axis=1)
    h, w, channels = maps.shape
    gap, columns = h // 10, -(-channels // 4)
    sheet = np.full((4 * (h + gap) - gap, columns * (w + gap) - gap), np.nan, maps.dtype)
    for i in range(channels):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        sheet[top:top + h, left:left + w] = maps[..., i]
    return sheet
