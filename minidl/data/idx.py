"""The IDX format of MNIST and Fashion-MNIST: a magic number, the sizes, the numbers (big-endian).

The description is at the end of http://yann.lecun.com/exdb/mnist/.
"""
from __future__ import annotations

import math
import os
from typing import Protocol

import numpy as np

from minidl.data.places import expanded, unreadable
from minidl.errors import InputError

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
BLOCK = 1 << 20


class Readable(Protocol):
    """A file of bytes, plain or gzipped."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, up to so many; none at the end."""


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of an IDX file, plain or gzipped (told by its first bytes, not by its name).

    The array has the file's shape, of up to 64 axes, and its dtype (uint8, int8, int16, int32, float32 or float64) in
    the machine's byte order. Raises InputError for a file that cannot
    be read, is no IDX file, or is shorter or longer than its header says. Memory is taken as the bytes come, so a
    header that promises too much costs nothing.
    """
    import gzip
    import zlib
    path = str(expanded(path))
    try:
        with open(path, "rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return _parse(gzip.GzipFile(fileobj=raw) if zipped else raw, path)
    except EOFError:
        raise InputError(f"{path} is truncated: its compressed data ends too early; fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}); fetch it again") from None
    except OSError as error:
        raise unreadable(path, error) from None


def checksum(bytes_: np.ndarray) -> str:
    """The MD5, in hexadecimal, of the IDX file, not gzipped, that holds this array of bytes, of any shape."""
    import hashlib
    head = bytes([0, 0, 0x08, bytes_.ndim]) + np.array(bytes_.shape, ">u4").tobytes()
    digest = hashlib.md5(head, usedforsecurity=False)
    digest.update(np.ascontiguousarray(bytes_).data)
    return digest.hexdigest()


def _parse(file: Readable, path: str) -> np.ndarray:
    head = _read(file, 4)
    dtype = DTYPES.get(head[2]) if len(head) == 4 else None
    if dtype is None or head[:2] != b"\0\0" or not 1 <= head[3] <= 64:
        raise InputError(f"{path} is not an IDX file: it begins with the bytes {head.hex(' ') or '(none)'}, "
                         "not with 00 00, a type (08 for bytes) and the number of dimensions")
    sizes = _read(file, 4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise InputError(f"{path} is truncated: it ends within its header; fetch it again")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if expected == 0:
        raise InputError(f"{path} holds nothing: its header gives the shape {shape}")
    data = _read(file, expected)
    if len(data) < expected:
        raise InputError(f"{path} is truncated: the shape {shape} needs {expected} bytes of data, "
                         f"it has {len(data)}; fetch it again")
    if file.read(1):
        raise InputError(f"{path} is longer than its header says: bytes follow after the {expected} of the "
                         f"shape {shape}")
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _read(file: Readable, size: int) -> bytearray:
    """Up to `size` bytes, in blocks: one large read would first make room for all that the header promises."""
    data = bytearray()
    while len(data) < size and (block := file.read(min(BLOCK, size - len(data)))):
        data += block
    return data
