"""Every picture that the lectures show, made to be read from the back of a room.

Each function returns a matplotlib Figure; `save` writes it. Nothing here touches pyplot or its global state, except
`show`, which opens windows. Matplotlib is imported at the first picture, not with minidl.
"""
from minidl.plotting.comparisons import Trial, descent, trials
from minidl.plotting.convolution import Maps, feature_maps, filtered, sliding_window
from minidl.plotting.curves import curve_panels, curves, explained_variance
from minidl.plotting.images import Row, image_grid, image_rows
from minidl.plotting.output import film, png, save, show
from minidl.plotting.points import boundaries, codes
from minidl.plotting.sequences import activity, next_characters, passages
from minidl.plotting.style import COLOURS, DPI

__all__ = ["COLOURS", "DPI", "Maps", "Row", "Trial", "activity", "boundaries", "codes", "curve_panels", "curves",
           "descent", "explained_variance", "feature_maps", "film", "filtered", "image_grid", "image_rows",
           "next_characters", "passages", "png", "save", "show", "sliding_window", "trials"]
