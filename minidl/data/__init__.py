"""Data: sets and a text that travel with minidl, readers for files, a downloader, toy sets, loaders of batches."""
from minidl.data import augmentation
from minidl.data.characters import TEXTS, Characters, chunks, text
from minidl.data.dataset import Dataset
from minidl.data.embedded import crops, patches
from minidl.data.idx import read_idx
from minidl.data.images import folder
from minidl.data.loader import Loader
from minidl.data.places import cache_folder, data_folders
from minidl.data.sets import Entry, catalogue, fetch, fetchable, load, names, where
from minidl.data.tables import csv
from minidl.data.toy import bars_and_stripes, grid, grid_centres, ring, ring_centres, swiss_roll, two_moons

__all__ = [
    "TEXTS", "Characters", "Dataset", "Entry", "Loader", "augmentation", "bars_and_stripes", "cache_folder",
    "catalogue", "chunks", "crops", "csv", "data_folders", "fetch", "fetchable", "folder", "grid", "grid_centres",
    "load", "names", "patches", "read_idx", "ring", "ring_centres", "swiss_roll", "text", "two_moons", "where",
]
