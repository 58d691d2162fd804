"""Members of a zip archive that nobody has looked at: each is unpacked as far as was asked for, and no further.

The standard library bounds what it unpacks of DEFLATE alone: a kilobyte of bzip2 or LZMA becomes gigabytes there.
"""
from __future__ import annotations

import bz2
import lzma
import zipfile
import zlib
from pathlib import Path

MAX_ARCHIVE = 16 << 20                 # its list of members is read whole
_HEADER = 30                           # bytes before a member's name, whose length and that of more are at 26 and 28


def members(path: Path) -> list[zipfile.ZipInfo]:
    """What an archive says that it holds, folders left out. Raises ValueError, or what zipfile does, if it is none."""
    if path.stat().st_size > MAX_ARCHIVE:
        raise ValueError(f"it is larger than {MAX_ARCHIVE >> 20} MiB")
    with zipfile.ZipFile(path) as archive:
        return [info for info in archive.infolist() if not info.is_dir()]


def content(path: Path, info: zipfile.ZipInfo, most: int) -> bytes:
    """The first `most` bytes of a member. Raises ValueError if it is encrypted, damaged or compressed in a rare way."""
    if info.flag_bits & 1:
        raise ValueError("it is encrypted")
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_HEADER)
        if header[:4] != b"PK\3\4" or len(header) < _HEADER:
            raise ValueError("it is damaged")
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
        data = file.read(min(info.compress_size, MAX_ARCHIVE))
    found = _unpack(info.compress_type, data, most)
    if len(found) < most and zlib.crc32(found) != info.CRC:
        raise ValueError("it is damaged")
    return found


def _unpack(method: int, data: bytes, most: int) -> bytes:
    if method == zipfile.ZIP_STORED:
        return data[:most]
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-15).decompress(data, most)
    if method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(data, most)
    if method == zipfile.ZIP_LZMA and len(data) >= 9 and data[2:4] == b"\5\0":     # version, length of what follows
        lc, lp, pb = data[4] % 9, data[4] // 9 % 5, data[4] // 45
        # Nothing within the first `most` bytes refers further back than these; a header may ask for 4 GiB.
        size = max(4096, min(int.from_bytes(data[5:9], "little"), most))
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[
            {"id": lzma.FILTER_LZMA1, "dict_size": size, "lc": lc, "lp": lp, "pb": pb}]).decompress(data[9:], most)
    raise ValueError("it is compressed in a way that is not read here; use the ordinary one")
