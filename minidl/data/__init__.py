"""Data: sets that travel with minidl, readers for files, a downloader, toy sets, and the loader of batches."""
from minidl.data.dataset import Dataset
from minidl.data.embedded import patches
from minidl.data.loader import Loader
from minidl.data.places import cache_folder, data_folders
from minidl.data.sets import Entry, catalogue, fetch, fetchable, load, names, where
from minidl.data.toy import bars_and_stripes, grid, grid_centres, ring, ring_centres, swiss_roll, two_moons

__all__ = [
    "Dataset", "Entry", "Loader", "bars_and_stripes", "cache_folder", "catalogue", "data_folders", "fetch",
    "fetchable", "grid", "grid_centres", "load", "names", "patches", "ring", "ring_centres", "swiss_roll",
    "two_moons", "where",
]
