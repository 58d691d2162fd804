# Tries: to have the grader make room for an array or a list that is not there.
# Statuses: protocol
import os
import struct

BODIES = (b"A\x01\x08" + struct.pack("<8Q", *[2**31] * 8), b"A\x01\x02" + struct.pack("<2Q", 0, 2**63),
          b"L" + struct.pack("<I", 2**32 - 1), b"L\x01\x00\x00\x00" * 10_000, b"S" + struct.pack("<I", 2**31))
calls = []


def centre(x):
    body = BODIES[len(x) % len(BODIES)]
    for number in range(3, 64):
        try:
            os.write(number, struct.pack("<4sI", b"MDL1", len(body)) + body)
        except OSError:
            pass
    return x
