"""Kernels on the stand-in device: g++ compiles them, loops run them, and CuPy's rules for arguments are kept."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from minidl.backend import COMPILERS
from tests.standin import compiled
from tests.standin.device import StandIn, UndefinedOnGpu, compiling, counting, install, ndarray, xp

pytestmark = pytest.mark.skipif(not compiled.available(), reason="no g++ here")

SOURCE = """
typedef float T;
struct Line { T slope, offset; };
extern "C" __global__ void line(const T* __restrict__ x, T* y, long long n, int first, T scale, Line line) {
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
        y[i] = i < first ? -1 : scale * (line.slope * x[i] + line.offset);
}
"""
LINE = np.dtype([("slope", np.float32), ("offset", np.float32)])


@pytest.fixture
def arguments() -> Iterator[list[Any]]:
    """x, y, n, first, scale, line: what the kernel takes."""
    x = xp.asarray(np.arange(1000, dtype=np.float32))
    yield [x, xp.zeros(1000, dtype="float32"), np.int64(1000), np.int32(3), np.float32(2), np.array((3, 1), LINE)]


def test_every_thread_of_every_block_runs(arguments: list[Any]) -> None:
    line = StandIn().cuda(SOURCE, "line")
    with counting() as c:
        line(1000, *arguments)
    assert (c.launches, c.transfers, c.synchronisations) == (1, 0, 0)
    expected = 2 * (3 * np.arange(1000) + 1)
    expected[:3] = -1
    np.testing.assert_array_equal(arguments[1].get(), expected)


def test_pythons_numbers_are_64_bits_wide(arguments: list[Any]) -> None:
    arguments[2] = 1000
    StandIn().cuda(SOURCE, "line")(1000, *arguments)
    assert arguments[1].get()[-1] == 2 * (3 * 999 + 1)


WRONG: dict[str, tuple[type[Exception], int, Callable[[Any], Any]]] = {
    "a Python number for an int": (UndefinedOnGpu, 3, int),
    "a Python number for a float": (UndefinedOnGpu, 4, float),
    "an integer for a float": (UndefinedOnGpu, 4, np.int32),
    "a float for an integer": (UndefinedOnGpu, 3, np.float32),
    "too narrow a size": (UndefinedOnGpu, 2, np.int32),
    "too small a struct": (UndefinedOnGpu, 5, lambda a: a["slope"]),
    "several structs": (TypeError, 5, lambda a: np.stack([a, a])),
    "a list": (TypeError, 5, lambda a: [3.0, 1.0]),
    "a host array": (TypeError, 0, lambda a: np.ones(1000, np.float32)),
    "a number for a pointer": (UndefinedOnGpu, 0, lambda a: np.int64(0)),
    "an array for a number": (UndefinedOnGpu, 4, lambda a: xp.ones((), dtype="float32")),
    "an array of another type": (UndefinedOnGpu, 0, lambda a: a.astype("float64")),
    "an array with steps": (UndefinedOnGpu, 0, lambda a: xp.zeros((1000, 2), dtype="float32")[:, 0]),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_an_argument_that_the_parameter_does_not_take_is_refused(mistake: str, arguments: list[Any]) -> None:
    error, place, change = WRONG[mistake]
    arguments[place] = change(arguments[place])
    with pytest.raises(error):
        StandIn().cuda(SOURCE, "line")(1000, *arguments)


def test_a_missing_argument_is_refused(arguments: list[Any]) -> None:
    with pytest.raises(UndefinedOnGpu, match="6 parameters, given were 5"):
        StandIn().cuda(SOURCE, "line")(1000, *arguments[:-1])


def test_an_address_that_is_no_multiple_of_the_elements_size_is_refused() -> None:
    copy = StandIn().cuda("""
        extern "C" __global__ void copy(const float4* x, float4* y) { y[threadIdx.x] = x[threadIdx.x]; }
    """, "copy")
    x = xp.ones(8, dtype="float32")
    at = next(i for i in range(4) if StandIn().address(x[i:]) % 16)
    with pytest.raises(UndefinedOnGpu, match="multiple of 16 bytes"):
        copy(1, x[at:at + 4], xp.zeros(4, dtype="float32"))


def test_an_elementwise_kernel_broadcasts_and_takes_numbers() -> None:
    line = StandIn().elementwise("T a, T x, T b", "T y", "T t = a * x; y = t + b", "line")
    a, b = np.float32([[1.0], [2.0]]), np.float32(3.0)
    for dtype in ("float32", "float64"):
        with counting() as c:
            y = line(xp.asarray(a.astype(dtype)), 2, xp.asarray(b.astype(dtype)).reshape(1, 1))
        assert (c.launches, c.synchronisations) == (1, 0) and y.dtype == dtype
        np.testing.assert_array_equal(y.get(), [[5.0], [7.0]])


def test_an_elementwise_kernel_refuses_what_cupy_refuses() -> None:
    x = xp.ones(3, dtype="float32")
    kernel = StandIn().elementwise("T a, T x", "T y", "y = a * x", "product")
    for wrong in ((x, x.astype("float64")), (x, np.ones(3, np.float32)), (x, [1.0, 2.0, 3.0]), (x,), (x, "1")):
        with pytest.raises(TypeError):
            kernel(*wrong)
    for wrong in ((1.0, 2.0), (x, xp.ones(2, dtype="float32"))):
        with pytest.raises(ValueError):
            kernel(*wrong)
    for name in ("i", "n", "_x", "x y"):
        with pytest.raises(ValueError):
            StandIn().elementwise(f"T {name}", "T y", "y = 1", "odd")


def test_a_source_that_does_not_compile_raises_with_the_compilers_words() -> None:
    with pytest.raises(RuntimeError, match="undeclared_thing"):
        StandIn().elementwise("T x", "T y", "y = undeclared_thing", "odd")(xp.ones(3, dtype="float32"))


def test_the_device_compiles_within_the_context_only() -> None:
    install()
    assert ndarray not in COMPILERS
    with pytest.raises(KeyError), compiling() as device:
        assert COMPILERS == {ndarray: device.backend}
        raise KeyError
    assert ndarray not in COMPILERS
