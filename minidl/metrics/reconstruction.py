"""How far a reconstruction is from what it should be."""
from __future__ import annotations

from typing import Any

from minidl.arguments import plain_array
from minidl.backend import backend_of
from minidl.errors import InputError
from minidl.rows import array_of


def squared_error(reconstruction: Any, x: Any) -> float:
    """The squared error of reconstructions (N, ...) of x (N, ...): summed over an item's numbers, averaged over the N.

    Raises InputError for arrays of different shapes or devices, of whole numbers, and for none.
    """
    reconstruction, x = (plain_array("squared_error", array_of(a)) for a in (reconstruction, x))
    if reconstruction.shape != x.shape or x.ndim < 2 or not len(x):
        raise InputError(f"squared_error: reconstructions and x are (N, ...) alike, not {reconstruction.shape} and "
                         f"{x.shape}")
    if backend_of(reconstruction) is not backend_of(x):
        raise InputError(f"squared_error: the reconstructions are on {backend_of(reconstruction).name!r} and x on "
                         f"{backend_of(x).name!r}; bring them together with Device(...).put(x)")
    if not reconstruction.dtype.kind == x.dtype.kind == "f":
        raise InputError(f"squared_error: differences are those of floats, not of {reconstruction.dtype} and "
                         f'{x.dtype}; use .astype("float32")')
    return float(((reconstruction - x)**2).sum(tuple(range(1, x.ndim))).mean())
