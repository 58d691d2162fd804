"""Settings of the process that make training faster; the command line makes them, a library user may."""
from __future__ import annotations

import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3       # from glibc's malloc.h
_GIBIBYTE = 1 << 30


def tune() -> None:
    """Keep freed memory for the next step, and look for reference cycles less often.

    glibc gives every large array's pages back to the system when it is freed, and each new one then costs page faults:
    thousands a training step. The engine makes no reference cycles, so the garbage collector has nothing to find in the
    many small objects of a graph. Affects the whole process; does nothing where it does not apply.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    if sys.platform == "linux":
        try:
            mallopt = ctypes.CDLL(None).mallopt
        except (OSError, AttributeError):            # another C library
            return
        mallopt(_M_MMAP_THRESHOLD, _GIBIBYTE)
        mallopt(_M_TRIM_THRESHOLD, _GIBIBYTE)
