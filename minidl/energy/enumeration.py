"""All states of a few binary units: what makes a small Boltzmann machine exact."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError

MOST = 25                  # units whose states are enumerated
_ROWS = 2**12              # states that are looked at together: their fields stay in the cache
_PER_SECOND = 2e8          # numbers that a processor's core goes through: to say how long a refused sum would take


def check_enumerable(name: str, units: int, width: int, most: int = MOST) -> None:
    """Raise InputError for more than `most` units, saying how long it would take with `width` numbers for a state."""
    if units > most:
        seconds = 2.0**min(units, 900) * width / _PER_SECOND
        unit, size = next(((unit, size) for unit, size in (("years", 3.2e7), ("days", 86400.0), ("hours", 3600.0))
                           if seconds > size), ("seconds", 1.0))
        raise InputError(f"{name}: {units} units have 2^{units} states, which would take about {seconds / size:.2g} "
                         f"{unit}; up to {most} are enumerated, and energy.ais estimates larger sums")


def states(n: int, like: Array) -> Array:
    """All states of n binary units as rows (2^n, n), counting up, with the dtype and on the device of `like` (...)."""
    return next(blocks_of_states(n, like, 2**n))


def blocks_of_states(n: int, like: Array, rows: int = _ROWS) -> Iterator[Array]:
    """The rows of `states`, so many at a time: (rows, n) with the dtype and on the device of `like` (...)."""
    device = Device(backend_of(like))
    for start in range(0, 2**n, rows):
        numbers = np.arange(start, min(start + rows, 2**n))
        yield device.put(((numbers[:, None] >> np.arange(n - 1, -1, -1)) & 1).astype(like.dtype))


def log_table(units: Any, field: Any, s: Any) -> Any:
    """log p(s | field) of each state and each field, of Units: (M, size) and (N, size) -> (N, M)."""
    return (field @ s.T - units.own(s)).T - units.log_partition(field)
