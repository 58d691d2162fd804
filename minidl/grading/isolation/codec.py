"""Values as bytes, for the pipe between the grader and a student's process: no pickle, nothing that runs code.

A value is None, a bool, an int of 64 bits, a float, a str, an array of seven dtypes (other integers are sent as int64),
or a list, tuple or dict (with str keys) of such values. It is a tag of one byte and what follows from it; every length
is checked against the bytes that are there before anything is allocated, so that a hostile frame costs little more
memory than it has bytes.

This file is also copied into the student's process: it needs the standard library and NumPy alone.
"""
from __future__ import annotations

import struct

import numpy as np

TYPE_CHECKING = False          # mypy takes it for typing's
if TYPE_CHECKING:
    from typing import Any

MAGIC = b"MDL1"
HEADER = struct.Struct("<4sI")         # of a frame: the magic word and how many bytes follow
MAX_FRAME = 8 << 20                    # a million floats; what a test computes from an answer takes many times as much
MAX_TEXT = 1 << 20
MAX_DEPTH, MAX_VALUES, MAX_AXES = 16, 100_000, 8
DTYPES = tuple(np.dtype(name) for name in ("<f4", "<f8", "<i4", "<i8", "|b1", "|u1", "<f2"))


class CodecError(Exception):
    """The bytes are no value, or the value cannot be sent."""


def encode(value: Any) -> bytes:
    """The bytes of a value. Raises CodecError for what cannot cross: other types, other dtypes, too deep nesting."""
    parts: list[bytes] = []
    _encode(value, parts, 0)
    data = b"".join(parts)
    if len(data) > MAX_FRAME:
        raise CodecError(f"the value takes {len(data):,} bytes; at most {MAX_FRAME:,} can be sent")
    return data


def decode(data: bytes) -> Any:
    """The value of these bytes. Raises CodecError, and nothing else, for bytes that are none."""
    reader = _Reader(data)
    value = reader.value(0)
    if reader.place != len(data):
        raise CodecError(f"{len(data) - reader.place} bytes follow the value")
    return value


def frame(value: Any) -> bytes:
    """A value as it is sent: header and bytes."""
    data = encode(value)
    return HEADER.pack(MAGIC, len(data)) + data


def frame_length(header: bytes) -> int:
    """How many bytes follow a header. Raises CodecError for another protocol and for too many."""
    magic, length = HEADER.unpack(header)
    if magic != MAGIC:
        raise CodecError(f"a frame begins with {magic!r}, not {MAGIC!r}")
    if length > MAX_FRAME:
        raise CodecError(f"a frame of {length:,} bytes is announced; at most {MAX_FRAME:,} can be sent")
    return length


def _encode(value: Any, parts: list[bytes], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CodecError(f"the value is nested more than {MAX_DEPTH} deep, or holds itself")
    if len(parts) == MAX_VALUES:                 # each value is one part
        raise CodecError(f"more than {MAX_VALUES:,} values cannot be sent one by one; an array can")
    kind = type(value)
    if value is None:
        parts.append(b"N")
    elif kind is bool:
        parts.append(b"T" if value else b"F")
    elif kind is int:
        if not -2**63 <= value < 2**63:
            raise CodecError("an int of more than 64 bits; smaller ones, and floats, are expected")
        parts.append(b"I" + struct.pack("<q", value))
    elif kind is float:
        parts.append(b"R" + struct.pack("<d", value))
    elif kind is str:
        text = value.encode("utf-8", "replace")  # half a surrogate pair becomes "?"
        if len(text) > MAX_TEXT:
            raise CodecError(f"a str of {len(text):,} bytes cannot be sent; at most {MAX_TEXT:,} can")
        parts.append(b"S" + struct.pack("<I", len(text)) + text)
    elif isinstance(value, (np.ndarray, np.generic)):
        _encode_array(np.asarray(value), parts)
    elif kind in (list, tuple):
        parts.append((b"L" if kind is list else b"U") + struct.pack("<I", len(value)))
        for item in value:
            _encode(item, parts, depth + 1)
    elif kind is dict:
        parts.append(b"D" + struct.pack("<I", len(value)))
        for key, item in value.items():
            if type(key) is not str:
                raise CodecError(f"a dict with a key of type {type(key).__name__}; strings are expected as keys")
            _encode(key, parts, depth + 1)
            _encode(item, parts, depth + 1)
    else:
        within = {b"L": "a list", b"U": "a tuple", b"D": "a dict"}[parts[0][:1]] + " with " if depth else ""
        raise CodecError(f"{within}a value of type {kind.__name__}; numbers, strings, arrays, and lists, tuples and "
                         "dicts of them are expected")


def _encode_array(array: np.ndarray, parts: list[bytes]) -> None:
    dtype = array.dtype.newbyteorder("<")
    if dtype.kind in "iu" and dtype not in DTYPES and not (dtype == "<u8" and (array >= 2**63).any()):
        dtype = np.dtype("<i8")                  # which integers a shape or a count has is nobody's choice
    if dtype not in DTYPES:
        raise CodecError(f"an array of {array.dtype}; {', '.join(d.name for d in DTYPES)} are expected")
    if array.ndim > MAX_AXES:
        raise CodecError(f"an array of {array.ndim} axes cannot be sent; at most {MAX_AXES} can")
    if array.nbytes > MAX_FRAME:
        raise CodecError(f"an array of {array.nbytes:,} bytes cannot be sent; at most {MAX_FRAME:,} can")
    parts.append(b"A" + bytes([DTYPES.index(dtype), array.ndim]) + struct.pack(f"<{array.ndim}Q", *array.shape)
                 + array.astype(dtype, copy=False).tobytes())


class _Reader:
    """Walks over the bytes; `place` is how far it has come."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place, self.values = memoryview(data), 0, 0

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.place:
            raise CodecError(f"{count} bytes are announced, {len(self.data) - self.place} are there")
        self.place += count
        return self.data[self.place - count:self.place]

    def unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def count(self) -> int:
        """How many items follow: each takes a byte at least."""
        count, = self.unpack("<I")
        if count > len(self.data) - self.place:
            raise CodecError(f"{count} items are announced in {len(self.data) - self.place} bytes")
        return count

    def value(self, depth: int) -> Any:
        self.values += 1
        if depth > MAX_DEPTH or self.values > MAX_VALUES:
            raise CodecError(f"more than {MAX_VALUES:,} values, or nested more than {MAX_DEPTH} deep")
        tag = bytes(self.take(1))
        if tag in b"NTF":
            return {b"N": None, b"T": True, b"F": False}[tag]
        if tag == b"I":
            return self.unpack("<q")[0]
        if tag == b"R":
            return self.unpack("<d")[0]
        if tag == b"S":
            return self.text()
        if tag == b"A":
            return self.array()
        if tag == b"L":
            return [self.value(depth + 1) for _ in range(self.count())]
        if tag == b"U":
            return tuple(self.value(depth + 1) for _ in range(self.count()))
        if tag == b"D":
            return dict(self.item(depth + 1) for _ in range(self.count()))
        raise CodecError(f"no value begins with {tag!r}")

    def item(self, depth: int) -> tuple[str, Any]:
        key = self.value(depth)
        if type(key) is not str:
            raise CodecError("a dict has a key that is no str")
        return key, self.value(depth)

    def text(self) -> str:
        length, = self.unpack("<I")
        if length > MAX_TEXT:
            raise CodecError(f"a str of {length:,} bytes is announced; at most {MAX_TEXT:,} can be sent")
        return bytes(self.take(length)).decode("utf-8", "replace")

    def array(self) -> np.ndarray:
        kind, axes = self.unpack("<BB")
        if kind >= len(DTYPES) or axes > MAX_AXES:
            raise CodecError(f"an array of dtype {kind} with {axes} axes")
        shape = self.unpack(f"<{axes}Q")
        # Each size is bounded, also beside a 0: NumPy would multiply them.
        size = 1
        for length in shape:
            size *= max(length, 1)
            if size > MAX_FRAME:
                raise CodecError(f"an array of shape {shape} is announced")
        size = 0 if 0 in shape else size
        data = self.take(size * DTYPES[kind].itemsize)
        if DTYPES[kind] == np.bool_:
            return (np.frombuffer(data, np.uint8) != 0).reshape(shape)       # a byte of 2 is no bool
        return np.frombuffer(data, DTYPES[kind]).reshape(shape).copy()
