"""Markov chains: what draws from a machine apart from the machine, and keeps a state that a checkpoint saves."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidl.backend import Array, Device, backend_of
from minidl.randomness import RandomStream


def gibbs_sweeps(couplings: Array, b: Array, x: Array, sweeps: int, stream: RandomStream, clamp: int = 0) -> Array:
    """Gibbs sampling of binary units x (N, n) in place, with symmetric couplings (n, n) and biases b (n,).

    Units that have no weight between them are independent given the others, and are drawn together. So a
    fully-connected machine takes n steps a sweep, a grid two, and slide 96's restricted machine two as well. The first
    `clamp` units are held.
    """
    xp = backend_of(x).xp
    groups = list(_independent(backend_of(couplings).to_host(couplings) != 0, clamp)) if sweeps else []
    groups = [Device(backend_of(x)).put(group) for group in groups]
    for _ in range(sweeps):
        for group in groups:
            field = x @ couplings[:, group] + b[group]
            x[:, group] = stream.uniform(field.shape, field) * (1.0 + xp.exp(-field)) < 1.0
    return x


def _independent(linked: np.ndarray, clamp: int) -> Iterator[np.ndarray]:
    """The units from `clamp` on, in groups without a link within: each takes the first group that is free to it."""
    colour = np.full(len(linked), -1)
    for i in range(clamp, len(linked)):
        taken = np.unique(colour[linked[i]])
        taken = taken[taken >= 0]
        free = np.flatnonzero(taken != np.arange(len(taken)))
        colour[i] = free[0] if len(free) else len(taken)
    return (np.flatnonzero(colour == c) for c in range(colour.max(initial=-1) + 1))
