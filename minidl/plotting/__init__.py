"""Every picture that the lectures show, made to be read from the back of a room.

Each function returns a matplotlib Figure; `save` writes it. Nothing here touches pyplot or its global state, except
`show`, which opens windows. Matplotlib is imported at the first picture, not with minidl.
"""
from minidl.plotting.clusters import cells, geometry
from minidl.plotting.comparisons import Trial, descent, trials
from minidl.plotting.convolution import Maps, feature_maps, filtered, sliding_window
from minidl.plotting.curves import curve_panels, curves, explained_variance
from minidl.plotting.images import Row, image_grid, image_rows
from minidl.plotting.manifolds import bit_bars, embeddings, walk
from minidl.plotting.networks import layers, overlaps
from minidl.plotting.output import film, png, save, show
from minidl.plotting.points import boundaries, codes
from minidl.plotting.retrieval import Found, activities, retrieved, rings
from minidl.plotting.sequences import activity, next_characters, passages
from minidl.plotting.sparsity import bars, filter_panels, histograms, races, stacking
from minidl.plotting.style import COLOURS, DPI

__all__ = ["COLOURS", "DPI", "Found", "Maps", "Row", "Trial", "activities", "activity", "bars", "bit_bars",
           "boundaries", "cells", "codes", "curve_panels", "curves", "descent", "embeddings", "explained_variance",
           "feature_maps", "film", "filter_panels", "filtered", "geometry", "histograms", "image_grid", "image_rows",
           "layers", "next_characters", "overlaps", "passages", "png", "races", "retrieved", "rings", "save", "show",
           "sliding_window", "stacking", "trials", "walk"]
