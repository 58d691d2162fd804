"""The pictures that several lectures show, made to be read from the back of a room.

Each function returns a matplotlib Figure; `save` writes it. Nothing here touches pyplot or its global state: windows
are a process of their own. Matplotlib is imported at the first picture, not with minidl. A picture that one lecture
alone shows stands beside it, in `lectures/pictures/`.
"""
from minidl.plotting.comparisons import Trial, trials
from minidl.plotting.curves import curve_panels, curves
from minidl.plotting.images import Row, image_grid, image_rows
from minidl.plotting.live import View, outputs, view
from minidl.plotting.maps import Maps
from minidl.plotting.output import film, png, save, show
from minidl.plotting.planes import Plane, planes
from minidl.plotting.style import COLOURS, DPI
from minidl.plotting.window import Window

__all__ = [
    "COLOURS", "DPI", "Maps", "Plane", "Row", "Trial", "View", "Window", "curve_panels", "curves", "film",
    "image_grid", "image_rows", "outputs", "planes", "png", "save", "show", "trials", "view",
]
