"""How far two subspaces are apart."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import backend_of
from minidl.errors import InputError
from minidl.rows import array_of


def principal_angles(a: Any, b: Any) -> np.ndarray:
    """The angles, in degrees and falling, between the spaces that the rows of two matrices span.

    a (p, d), b (q, d), arrays or Tensors -> float64 (min(p, q),) on the host. The last angle is the least between any
    two directions of the two spaces, the one before it the least between directions orthogonal to those, and so on:
    all are 0 if one space contains the other, and the first tells how far they are apart at most. A matrix's column
    space is that of its transpose's rows; `PCA.components_` and a layer's weight (in, out) span theirs by rows.

    Raises InputError for other shapes, values that are not finite, and rows that depend on each other.

    Source: A. Bjorck and G. Golub, "Numerical methods for computing angles between linear subspaces", 1973: from
    cosines and sines, for the cosine of an angle below 1e-8 is 1.
    """
    p, q = _orthonormal("first", a), _orthonormal("second", b)
    if len(p) < len(q):
        p, q = q, p
    if p.shape[1] != q.shape[1]:
        raise InputError(f"principal_angles: rows of {p.shape[1]} and of {q.shape[1]} numbers are not in one space")
    shared = q @ p.T
    cosines = np.linalg.svd(shared, compute_uv=False)[::-1]
    sines = np.linalg.svd(q - shared @ p, compute_uv=False)                  # what of q is not in p's space
    return np.degrees(np.arctan2(sines, cosines))


def _orthonormal(which: str, matrix: Any) -> np.ndarray:
    """Orthonormal rows that span what the matrix's rows span."""
    array = plain_array("principal_angles", array_of(matrix))
    rows = np.asarray(backend_of(array).to_host(array), np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise InputError(f"principal_angles: the {which} argument is rows of finite numbers, shape (k, d), not "
                         f"{rows.shape}")
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    eps = np.finfo(array.dtype if array.dtype.kind == "f" else np.float64).eps
    rank = int((s > max(rows.shape) * eps * s[0]).sum())
    if rank < len(rows):
        raise InputError(f"principal_angles: the {which} argument's {len(rows)} rows span only {rank} directions; "
                         "leave out those that depend on others")
    return vt
