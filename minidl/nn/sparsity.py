"""Sparse codes (slide 10): penalties on activations, and a layer that lets few of them pass."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import is_number, is_whole
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.nn.module import Module
from minidl.ops.operands import floating
from minidl.rows import array_of
from minidl.tensor import Tensor


def kl_sparsity(activations: Any, rho: float) -> Tensor:
    """Sum over the units of KL(rho || mean activation): each unit shall be active a fraction rho of the time.

    activations (..., units) in [0, 1], as a sigmoid gives them; the mean is over all axes but the last. For a unit that
    is always 0 or always 1 the mean counts as the nearest number that is neither, so that the sum stays finite.
    Raises InputError unless 0 < rho < 1.

    Source: A. Ng, "Sparse autoencoder", CS294A lecture notes, section 3.
    """
    rho, activations = check_rho(rho), floating(activations)
    eps = float(np.finfo(activations.dtype).eps)
    mean = ops.clip(ops.mean(activations, tuple(range(activations.ndim - 1))), eps, 1.0 - eps)
    return ops.sum(rho * ops.log(rho / mean) + (1.0 - rho) * ops.log((1.0 - rho) / (1.0 - mean)))


def l1_sparsity(activations: Any) -> Tensor:
    """Sum over the units of |activation|, averaged over the items: activations (..., units) -> scalar.

    Raises InputError for no activations.
    """
    activations = floating(activations)
    if not activations.size or not activations.ndim:
        raise InputError(f"l1_sparsity: activations are (..., units), at least one, not of shape {activations.shape}")
    return ops.sum(ops.abs(activations)) * (activations.shape[-1] / activations.size)


class KSparse(Module):
    """Keep the k largest numbers of each row and set the others to 0 (Makhzani & Frey 2014): (..., units) to the same.

    The gradient passes through those that are kept. Of equal numbers the first are kept, so that there are always k.
    Raises InputError for k below 1, and for rows of fewer than k numbers.
    """

    def __init__(self, k: int) -> None:
        if not is_whole(k, 1):
            raise InputError(f"KSparse: k is 1 or more, not {k!r:.60}")
        self.k = int(k)

    def forward(self, x: Any) -> Any:
        self.expect(x, ..., "units")
        x = floating(x)                      # uint8 has no negative numbers to sort by
        if x.shape[-1] < self.k:
            raise InputError(f"there are no {self.k} largest of {x.shape[-1]} numbers; x has shape {x.shape}")
        return x * _largest(array_of(x), self.k).astype(x.dtype)

    def describe(self) -> str:
        return f"KSparse({self.k})"


def _largest(x: Array, k: int) -> Array:
    """A mask of the k largest along the last axis: those whose place in falling order is below k."""
    xp = backend_of(x).xp
    order = xp.argsort(-x, axis=-1, kind="stable")
    return xp.argsort(order, axis=-1) < k


def check_rho(rho: float) -> float:
    """rho as a float. Raises InputError unless it lies between 0 and 1."""
    if not (is_number(rho) and 0.0 < rho < 1.0):
        raise InputError("rho is the fraction of the time that a unit shall be active, between 0 and 1, not "
                         f"{rho!r:.60}")
    return float(rho)
