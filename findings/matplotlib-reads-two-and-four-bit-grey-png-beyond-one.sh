#!/usr/bin/env bash
# matplotlib.image.imread says that PNG images come as floats from 0 to 1. Of grey PNGs with 2 or 4 bits a pixel it
# returns numbers far above 1: Pillow has already spread such pixels over 0..255 when matplotlib
# divides them by 3 or 15, the largest value of the file's own depth.
#
# Seen with matplotlib 3.11.2 and Pillow 13.0.0, on CPython 3.11, Linux x86-64:
#   1 bit  max 1.0
#   2 bits max 85.0
#   4 bits max 17.0
#   8 bits max 1.0
# Matters where images are read for training (scans, masks, small sprites are often stored with 2 or 4 bits), and in
# notebooks: imshow clips the same array without a word, so that every grey looks white.
# Source: the docstring of matplotlib.image.imread ("PNG images are returned as float arrays (0-1)"), and
# matplotlib/image.py, _pil_png_to_float_array, whose table of PNG raw modes divides "L;2" by 3 and "L;4" by 15.
# minidl reads PNG through Pillow alone, and divides by 255 (minidl/data/images.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.11.2 pillow==13.0.0 numpy
"$work/venv/bin/python" - <<'PYTHON'
import io
import struct
import zlib

import matplotlib.image


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def grey_png(bits):
    """Two pixels in a row, black and white."""
    row = {1: b"\x40", 2: b"\x30", 4: b"\x0f", 8: b"\x00\xff"}[bits]
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b""))


largest = {bits: float(matplotlib.image.imread(io.BytesIO(grey_png(bits)), format="png").max()) for bits in (1, 2, 4, 8)}
for bits, value in largest.items():
    print(f"{bits} bits: largest value {value}")
assert largest == {1: 1.0, 2: 85.0, 4: 17.0, 8: 1.0}, "the behaviour has changed"
PYTHON
