"""How many cores NumPy's matrix products use."""
from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

# The names in NumPy's own wheels, then those of an OpenBLAS of the system.
_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_",
          "openblas_{}_num_threads")


@contextmanager
def one_core() -> Iterator[None]:
    """Within this context OpenBLAS uses one thread.

    With several, the products of a small network take longer than with one: the threads wait for each other, and on a
    busy machine each wait takes until the other thread is scheduled again. Does nothing where NumPy has another BLAS.
    """
    get, set_to = _functions()
    before = get()
    set_to(1)
    try:
        yield
    finally:
        set_to(before)


def _functions() -> tuple[Callable[[], int], Callable[[int], None]]:
    """OpenBLAS's functions that tell and set the number of threads."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(file))
            except OSError:
                continue
            for name in _NAMES:
                if hasattr(library, name.format("set")) and hasattr(library, name.format("get")):
                    return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return (lambda: 1), (lambda n: None)
