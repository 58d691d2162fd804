"""A small reader for numeric matrices in MATLAB 5 files, as `olivettifaces.mat` and `frey_rawface.mat` are.

The format: a header of 128 bytes, then elements, each a tag (type, size) and its data; a matrix is an element which
holds elements: flags, dimensions, name, numbers. An element may be compressed with zlib. Source: "MAT-File Format",
The MathWorks, chapter 1.
"""
from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator

import numpy as np

from minidl.data.places import expanded, unreadable
from minidl.errors import InputError

MATRIX, COMPRESSED = 14, 15
DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# Classes of a matrix that are plain numbers -> the dtype they have in MATLAB (stored numbers may be of a smaller type)
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX = 0x0800
DEFLATE_LIMIT = 1032        # deflate cannot shrink further than by this factor


class _Bad(Exception):
    """What is wrong with the bytes; `read_mat5` adds the path."""


def read_mat5(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """The real numeric matrix called `name`, in MATLAB's order of elements (column-major) and with its dtype.

    Raises InputError for a file that cannot be read, is no MATLAB 5 file, is truncated or damaged, or has no such
    matrix.
    """
    path = str(expanded(path))
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        others = []
        for body, order in _matrices(data):
            found, array = _matrix(body, order, name)
            if array is not None:
                return array
            others.append(repr(found))
        raise _Bad(f"has no matrix {name!r}, only {', '.join(others) or 'none at all'}")
    except _Bad as error:
        raise InputError(f"{path} {error}") from None


def _matrices(data: bytes) -> Iterator[tuple[bytes, str]]:
    """The body of each matrix, decompressed, with the file's byte order."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or int(np.frombuffer(data, order + "u2", 1, 124)[0]) != 0x0100:
        raise _Bad("is not a MATLAB 5 file (files of version 7.3 are HDF5; save with -v7)")
    position = 128
    while position < len(data):
        kind, body, position = _element(data, position, order)
        if kind == COMPRESSED:
            kind, body, _ = _element(_inflate(body, order), 0, order)
        if kind == MATRIX:
            yield body, order


def _inflate(body: bytes, order: str) -> bytes:
    try:
        head = zlib.decompressobj().decompress(body, 8)
        size = int(np.frombuffer(head, order + "u4")[1]) if len(head) == 8 else 0
        if size > DEFLATE_LIMIT * len(body):
            raise _Bad("is damaged: a matrix claims more bytes than its compressed data can hold")
        return zlib.decompressobj().decompress(body, size + 8)
    except zlib.error as error:
        raise _Bad(f"is damaged ({error})") from None


def _element(data: bytes, position: int, order: str) -> tuple[int, bytes, int]:
    """The type and the bytes of the element at `position`, and the position of the next one."""
    if position + 8 > len(data):
        raise _Bad("is truncated: it ends within a tag")
    kind, size = (int(word) for word in np.frombuffer(data, order + "u4", 2, position))
    start, end = position + 8, position + 8 + size
    if kind >> 16:                  # a small element: its size, type and up to four bytes share one tag
        kind, size = kind & 0xFFFF, kind >> 16
        start, end = position + 4, position + 4 + size
        if size > 4:
            raise _Bad("is damaged: a small element has more than four bytes")
        return kind, data[start:end], position + 8
    if end > len(data):
        raise _Bad(f"is truncated: an element needs {size} bytes, {len(data) - start} are left")
    following = end if kind == COMPRESSED else end + -size % 8          # all others are padded to 8 bytes
    return kind, data[start:end], following


def _matrix(body: bytes, order: str, wanted: str) -> tuple[str, np.ndarray | None]:
    """The matrix's name and, if it is the wanted one, its numbers."""
    _, flags, position = _element(body, 0, order)
    _, sizes, position = _element(body, position, order)
    _, name, position = _element(body, position, order)
    label = name.decode("latin-1")
    if label != wanted:
        return label, None
    if len(flags) < 8 or len(sizes) % 4:
        raise _Bad(f"is damaged: the matrix {label!r} has no proper flags or sizes")
    flag = int(np.frombuffer(flags, order + "u4")[0])
    if flag & 0xFF not in CLASSES or flag & COMPLEX:
        raise _Bad(f"holds {label!r}, which is not a real numeric matrix")
    kind, numbers, _ = _element(body, position, order)
    shape = tuple(int(size) for size in np.frombuffer(sizes, order + "i4"))
    dtype = np.dtype(order + DTYPES.get(kind, "u1"))
    if kind not in DTYPES or not shape or min(shape) < 1 or math.prod(shape) * dtype.itemsize != len(numbers):
        raise _Bad(f"is damaged: the matrix {label!r} of shape {shape} comes with {len(numbers)} bytes of type {kind}")
    array = np.frombuffer(numbers, dtype).reshape(shape, order="F")
    return label, array.astype(CLASSES[flag & 0xFF])
