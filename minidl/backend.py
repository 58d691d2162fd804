"""The one seam between minidl and the machine: which devices there are and how arrays reach them.

This is the only file that imports CuPy. Every room below it finds its array module (`xp`, NumPy's or CuPy's
namespace) from the arrays that it is given, so the code for the CPU and for the GPU is the same code.
"""
from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minidl.errors import InputError

Array = Any  # a NumPy or CuPy array: the two share an interface, not a base class


class Memory(NamedTuple):
    """Bytes in use by this process on a device, the most it has taken from the system, and the device's total."""

    used: int
    peak: int
    total: int


class Backend:
    """What minidl asks of a device; this base class is the CPU with NumPy.

    A further backend overrides what differs and is handed to `register`.
    """

    name = "cpu"
    xp: Any = np
    array_type: type = np.ndarray
    compiles = False              # whether there are `elementwise` and `cuda`: see minidl.kernels

    def from_host(self, array: np.ndarray) -> Array:
        """The same values in the same shape as an array of this device."""
        return array

    def to_host(self, array: Array) -> np.ndarray:
        """The same values in the same shape as a NumPy array."""
        return array

    def generator(self, seed: int) -> Any:
        """A generator of random numbers that lives on the device: `random`, `standard_normal`, `integers`."""
        return np.random.default_rng(seed)

    def scatter_add(self, array: Array, index: Any, values: Array) -> None:
        """Add `values` in place to `array[index]`, whose shape they broadcast to; an index there twice adds twice."""
        if isinstance(index, np.ndarray) and index.dtype.kind in "iu" and index.size and array.ndim > 1:
            _add_rows(array, index, values)
        else:
            np.add.at(array, index, values)

    def synchronize(self) -> None:
        """Wait until the device has done all that it was asked to do."""

    def elementwise(self, inputs: str, output: str, body: str, name: str) -> Callable[..., Array]:
        """A function of arrays and numbers that runs one kernel: for `inputs` "T x, T y", `body` "z = x * y"."""
        raise NotImplementedError

    def cuda(self, source: str, name: str) -> Callable[..., None]:
        """The CUDA function `name` of a source: called with the number of threads and the function's arguments."""
        raise NotImplementedError

    def address(self, array: Array) -> int:
        """Where in the device's memory the array, of any shape, begins."""
        raise NotImplementedError

    def memory(self) -> Memory:
        """How much memory this process uses; zeros where the system does not tell."""
        try:
            with open("/proc/self/status") as status:
                fields = dict(line.split(":", 1) for line in status)
            used, peak = (int(fields[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))
            return Memory(used, peak, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        except (OSError, KeyError, ValueError, AttributeError):
            return Memory(0, 0, 0)

    def describe(self) -> str:
        """One line for `minidl devices`."""
        return f"NumPy {np.__version__}, {os.cpu_count()} cores, {self.memory().total / 2**30:.0f} GiB"


def _add_rows(array: np.ndarray, index: np.ndarray, values: np.ndarray) -> None:
    """`np.add.at` for whole rows, some 4 times faster: what belongs to one row is brought together and added up."""
    rows = np.arange(len(array))[index].reshape(-1)                  # negative ones counted from the end
    order = rows.argsort(kind="stable")
    rows = rows[order]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    values = np.broadcast_to(values, (*index.shape, *array.shape[1:])).reshape(-1, *array.shape[1:])
    array[rows[starts]] += np.add.reduceat(values[order], starts, axis=0)


class _Cuda(Backend):
    """A CUDA GPU through CuPy."""

    name = "cuda"
    compiles = True

    def __init__(self) -> None:
        cupy = self.xp = importlib.import_module("cupy")
        self.array_type = cupy.ndarray
        # Importing proves nothing: a missing toolkit or driver shows only when something runs.
        x = cupy.arange(4, dtype="float32")
        float((x * 2 + 1).sum())                                   # a compiled kernel
        float((x.reshape(2, 2) @ x.reshape(2, 2)).sum())           # cuBLAS
        float(cupy.random.default_rng(0).random(2).sum())          # cuRAND

    def from_host(self, array: np.ndarray) -> Array:
        return self.xp.asarray(array)

    def to_host(self, array: Array) -> np.ndarray:
        return self.xp.asnumpy(array)

    def generator(self, seed: int) -> Any:
        return self.xp.random.default_rng(seed)

    def scatter_add(self, array: Array, index: Any, values: Array) -> None:
        # Atomic additions: with duplicate indices their order, and so the last bit, differs from run to run.
        self.xp.add.at(array, index, values)

    def synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()

    def elementwise(self, inputs: str, output: str, body: str, name: str) -> Callable[..., Array]:
        return self.xp.ElementwiseKernel(inputs, output, body, name)

    def cuda(self, source: str, name: str) -> Callable[..., None]:
        kernel = self.xp.RawKernel(source, name)
        return lambda threads, *arguments: kernel((min(-(-threads // 256), 2**20),), (256,), arguments)

    def address(self, array: Array) -> int:
        return array.data.ptr

    def memory(self) -> Memory:
        _, total = self.xp.cuda.runtime.memGetInfo()
        pool = self.xp.get_default_memory_pool()
        return Memory(pool.used_bytes(), pool.total_bytes(), total)

    def describe(self) -> str:
        properties = self.xp.cuda.runtime.getDeviceProperties(self.xp.cuda.Device().id)
        return (f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.0f} GiB, "
                f"CuPy {self.xp.__version__}")


# Array type -> backend, in the order of registration. The engine looks every array's type up here.
BACKENDS: dict[type, Backend] = {}
MODULES: dict[type, Any] = {}                # the same for the array module alone
COMPILERS: dict[type, Backend] = {}          # those of them that compile kernels
_factories: dict[str, Callable[[], Backend]] = {"cuda": _Cuda}
_reasons: dict[str, str] = {}


def register(backend: Backend) -> None:
    """Make a backend known, by its name and by its arrays' type."""
    BACKENDS[backend.array_type] = backend
    MODULES[backend.array_type] = backend.xp
    if backend.compiles:
        COMPILERS[backend.array_type] = backend


register(Backend())


def backend_named(name: str) -> Backend:
    """The backend of that name, started at its first use.

    Raises InputError, with the reason, if there is no such device.
    """
    for backend in BACKENDS.values():
        if backend.name == name:
            return backend
    if name not in _factories:
        names = ", ".join(repr(known) for known in ["cpu", *_factories])
        raise InputError(f"there is no device {name!r}; minidl knows {names}")
    if name not in _reasons:
        try:
            register(_factories[name]())
            return backend_named(name)
        except Exception as error:      # whatever CuPy or the driver raises is the reason to show
            _reasons[name] = _why_not(error)
    raise InputError(f"device {name!r} cannot be used: {_reasons[name]}")


def _why_not(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return "CuPy is not installed; on a machine with an NVIDIA GPU, pip install -e '.[gpu]' in minidl's folder"
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{type(error).__name__}: {first_line}"


def backend_of(array: Array) -> Backend:
    """The backend whose array this is, of any shape (NumPy's scalars count as the CPU's)."""
    return BACKENDS.get(type(array)) or backend_named("cpu")


class Device:
    """Where a tensor lives: `Device("cpu")` or `Device("cuda")`.

    Compares equal by name, also with the name itself. Raises InputError, with the reason, if the device cannot
    be used.
    """

    __slots__ = ("backend",)
    backend: Backend

    def __init__(self, name: str | Device | Backend = "cpu") -> None:
        if isinstance(name, Backend):
            self.backend = name
        else:
            if not isinstance(name, Device | str):
                raise InputError(f"a device is named by a string, such as 'cpu', not {name!r:.60}")
            self.backend = name.backend if isinstance(name, Device) else backend_named(name)

    @property
    def name(self) -> str:
        """That of the backend: "cpu", "cuda"."""
        return self.backend.name

    def put(self, array: Array) -> Array:
        """The array on this device, in the same shape; the array itself if it is there already."""
        home = backend_of(array)
        return array if home is self.backend else self.backend.from_host(home.to_host(array))

    def synchronize(self) -> None:
        """Wait until the device has done all that it was asked to do (timings need it)."""
        self.backend.synchronize()

    def memory(self) -> Memory:
        """Bytes used by this process, its peak, and the device's total."""
        return self.backend.memory()

    def __eq__(self, other: object) -> bool:
        return self.name == (other.name if isinstance(other, Device) else other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Device({self.name!r})"


def devices() -> dict[str, str]:
    """Each known device's name with its description, or with the reason why it cannot be used."""
    lines = {}
    for name in ["cpu", *_factories]:
        try:
            lines[name] = "usable: " + backend_named(name).describe()
        except InputError as error:
            lines[name] = "not usable: " + str(error).split(": ", 1)[1]
    return lines
