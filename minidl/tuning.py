"""Settings of the process that make training faster; the command line makes them, a library user may."""
from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3       # from glibc's malloc.h
_GIBIBYTE = 1 << 30
# OpenBLAS's names in NumPy's own wheels, then those of an OpenBLAS of the system.
_OPENBLAS = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_",
             "openblas_{}_num_threads")


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


@contextmanager
def one_core() -> Iterator[None]:
    """Within this context OpenBLAS uses one thread.

    With several, the products of a small network take longer than with one: the threads wait for each other, and on a
    busy machine each wait takes until the other thread is scheduled again. Does nothing where NumPy has another BLAS.
    """
    get, set_to = _thread_functions()
    before = get()
    set_to(1)
    try:
        yield
    finally:
        set_to(before)


def _thread_functions() -> tuple[Callable[[], int], Callable[[int], None]]:
    """OpenBLAS's functions that tell and set the number of threads."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(file))
            except OSError:
                continue
            for name in _OPENBLAS:
                if hasattr(library, name.format("set")) and hasattr(library, name.format("get")):
                    return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return (lambda: 1), (lambda n: None)
