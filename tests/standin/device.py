"""A strict stand-in for a GPU: a device of minidl that computes with NumPy behind CuPy's walls.

    from tests.standin.device import counting, install

    device = install()                       # a minidl Device; also Device("standin") from here on
    x = Tensor(values, device=device)
    with counting() as c:
        train_step(x)
    assert c.synchronisations == 0, c.waited_for

Results equal NumPy's bit for bit, because NumPy computes them. Within `compiling()` minidl's CUDA kernels run in its
place, by way of g++, and results are equal but for rounding. What would fail on a GPU raises what CuPy would raise;
what CuPy would let pass with a wrong or undefined result raises UndefinedOnGpu, which is no ValueError, so that no
code under test takes it for its own. It cannot catch what only a GPU shows: rounding, memory, speed, the order of
atomic additions, races between streams.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minidl.backend import BACKENDS, COMPILERS, Backend, Device, Memory, register
from tests.standin import compiled
from tests.standin.counters import Counters, counters, counting, synchronised
from tests.standin.device_array import from_host, ndarray
from tests.standin.namespace import Generator, xp
from tests.standin.rules import CUPY, UndefinedOnGpu

__all__ = ["Counters", "Generator", "StandIn", "UndefinedOnGpu", "compiling", "counters", "counting", "install",
           "ndarray", "xp"]


class StandIn(Backend):
    """The stand-in device, as minidl's backend sees it."""

    name = "standin"
    xp = xp
    array_type = ndarray
    counters = counters

    def from_host(self, array: np.ndarray) -> ndarray:
        return from_host(array)

    def to_host(self, array: ndarray) -> np.ndarray:
        return array.get()

    def generator(self, seed: int) -> Generator:
        return Generator(seed)

    def scatter_add(self, array: ndarray, index: Any, values: Any) -> None:
        xp.add.at(array, index, values)

    def synchronize(self) -> None:
        synchronised("synchronize()")

    def elementwise(self, inputs: str, output: str, body: str, name: str) -> Callable[..., ndarray]:
        return compiled.elementwise_kernel(inputs, output, body, name)

    def cuda(self, source: str, name: str) -> Callable[..., None]:
        return compiled.raw_kernel(source, name)

    def address(self, array: ndarray) -> int:
        return array.hidden.ctypes.data

    def memory(self) -> Memory:
        return Backend().memory()

    def describe(self) -> str:
        return f"NumPy {np.__version__} in the manner of {CUPY}"


def install() -> Device:
    """Make the stand-in known to minidl, once, and return it as a Device."""
    if ndarray not in BACKENDS:
        register(StandIn())
    return Device(BACKENDS[ndarray])


@contextmanager
def compiling() -> Iterator[Device]:
    """Within this context the stand-in compiles kernels, with g++, as a GPU's backend does."""
    device = install()
    COMPILERS[ndarray] = device.backend
    try:
        yield device
    finally:
        del COMPILERS[ndarray]
