"""Runs CUDA kernels without a GPU: g++ compiles their sources, and loops take the place of blocks and threads.

It keeps CuPy's rules for a kernel's arguments. What it cannot show are races between threads and the speed.
"""
from __future__ import annotations

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from minidl.kernels import C_TYPES, KERNELS, Cuda
from tests.standin.counters import launched
from tests.standin.device_array import ndarray
from tests.standin.rules import DeviceArray, UndefinedOnGpu, is_scalar

Source = tuple[str, str]                 # the CUDA text and the name of its function
_THREADS, _BLOCKS = 32, 3                # so few that the kernels' own loops over the grid are used

_SHIM = r"""
#include <math.h>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
struct Place { unsigned x, y, z; };
static Place blockIdx, threadIdx, blockDim, gridDim;
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };

// A parameter as one letter and a size: p and q point to floats and doubles, i, f and s are integers, floats, structs.
template <class P> constexpr char letter() {
    if (std::is_integral_v<P>) return 'i';
    if (std::is_floating_point_v<P>) return 'f';
    if (!std::is_pointer_v<P>) return 's';
    using V = std::remove_cv_t<std::remove_pointer_t<P>>;
    return std::is_same_v<V, float> || std::is_same_v<V, float4> ? 'p' : 'q';
}
template <class P> constexpr long long size() {
    return std::is_pointer_v<P> ? sizeof(std::remove_pointer_t<P>) : sizeof(P);
}
template <class... P> int describe(void (*)(P...), char* letters, long long* sizes) {
    ((*letters++ = letter<P>()), ...);
    ((*sizes++ = size<P>()), ...);
    return sizeof...(P);
}
template <class... P, std::size_t... I>
void loop(void (*f)(P...), unsigned blocks, unsigned threads, void** a, std::index_sequence<I...>) {
    gridDim = {blocks, 1, 1};
    blockDim = {threads, 1, 1};
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++)
            f(*static_cast<P*>(a[I])...);
}
template <class... P> void launch(void (*f)(P...), unsigned blocks, unsigned threads, void** a) {
    loop(f, blocks, threads, a, std::index_sequence_for<P...>());
}
"""

_ENTRY = """
extern "C" int describe_{i}(char* letters, long long* sizes) {{ return describe(k{i}::{name}, letters, sizes); }}
extern "C" void launch_{i}(unsigned blocks, unsigned threads, void** a) {{ launch(k{i}::{name}, blocks, threads, a); }}
"""


def available() -> bool:
    """Whether the compiler is here."""
    return shutil.which("g++") is not None


def expanded(inputs: str, output: str, body: str, name: str, T: str) -> Source:
    """An elementwise kernel as a CUDA source, much as CuPy makes one: a loop with references to the elements."""
    reads, (y,) = ([_declared(parameter) for parameter in text.split(",")] for text in (inputs, output))
    arguments = [f"const T* _{x}" for x in reads] + [f"T* _{y}"]
    references = [f"const T& {x} = _{x}[i];" for x in reads] + [f"T& {y} = _{y}[i];"]
    return f"""
typedef {T} T;
extern "C" __global__ void {name}({", ".join(arguments)}, long long n) {{
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {{
        {" ".join(references)}
        {body};
    }}
}}
""", name


def _declared(parameter: str) -> str:
    """The name in "T name", with CuPy's rules for it."""
    match = re.fullmatch(r"\s*T (?!(?:i|n)$)([a-zA-Z]\w*)\s*", parameter)
    if not match:
        raise ValueError(f"{parameter!r} is no parameter of CuPy's, or none of type T; i, n and _... are taken")
    return match[1]


def sources() -> Iterable[Source]:
    """Every kernel that minidl declares, for each of its types."""
    for kernel in KERNELS:
        if isinstance(kernel, Cuda):
            yield from ((kernel.text(T), kernel.name) for T in kernel.types)
        else:
            yield from (expanded(kernel.inputs, kernel.output, kernel.body, kernel.name, T) for T in C_TYPES.values())


def together(kernels: Iterable[Source]) -> str:
    """Many kernels as one source, each in a namespace of its own."""
    return "".join("namespace k{} {{\n{}\n}}\n".format(i, text.replace('extern "C"', 'extern "C++"'))
                   for i, (text, _) in enumerate(kernels))


class Library:
    """The kernels that g++ has compiled: all that are declared at the first use, in one run."""

    def __init__(self) -> None:
        self.functions: dict[Source, tuple[Any, list[tuple[str, int]]]] = {}

    def __getitem__(self, source: Source) -> tuple[Any, list[tuple[str, int]]]:
        """The function that launches the kernel, and its parameters as letters and sizes."""
        if source not in self.functions:
            every = dict.fromkeys(sources())
            self._compile([s for s in every if s not in self.functions] if source in every else [source])
        return self.functions[source]

    def _compile(self, new: list[Source]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "kernels.cpp")
            path.write_text(_SHIM + together(new) + "".join(_ENTRY.format(i=i, name=name)
                                                            for i, (_, name) in enumerate(new)))
            command = ["g++", "-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-o", f"{folder}/kernels.so", str(path)]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                raise RuntimeError(f"g++ refuses the kernels:\n{result.stderr[:2000]}")
            library = ctypes.CDLL(f"{folder}/kernels.so")
        for i, source in enumerate(new):
            letters, sizes = ctypes.create_string_buffer(64), (ctypes.c_longlong * 64)()
            n = library[f"describe_{i}"](letters, sizes)
            self.functions[source] = library[f"launch_{i}"], list(zip(letters.value.decode(), sizes[:n], strict=True))


@functools.cache
def library() -> Library:
    return Library()


def raw_kernel(source: str, name: str) -> Callable[..., None]:
    """CuPy's RawKernel, called with a number of threads and the arguments."""
    def call(threads: int, *arguments: Any) -> None:
        launched()
        function, parameters = library()[source, name]
        if len(arguments) != len(parameters):
            raise UndefinedOnGpu(f"{name} has {len(parameters)} parameters, given were {len(arguments)} arguments; "
                                 "CuPy does not count them")
        values = [_value(name, a, *p) for a, p in zip(arguments, parameters, strict=True)]
        _launch(function, threads, values)

    return call


def elementwise_kernel(inputs: str, output: str, body: str, name: str) -> Callable[..., ndarray]:
    """CuPy's ElementwiseKernel with one output, which it makes."""
    sources = {np.dtype(letter): expanded(inputs, output, body, name, T) for letter, T in C_TYPES.items()}

    def call(*values: Any) -> ndarray:
        launched()
        arrays = [v.hidden for v in values if isinstance(v, DeviceArray)]
        if len(values) != len(inputs.split(",")):
            raise TypeError(f"Wrong number of arguments for {name!r}")
        if odd := [type(v) for v in values if not (isinstance(v, DeviceArray) or is_scalar(v))]:
            raise TypeError(f"Unsupported type {odd[0]}")
        if not arrays:
            raise ValueError("Loop size is undecided.")
        dtype = arrays[0].dtype
        if any(a.dtype != dtype for a in arrays):
            raise TypeError(f"Type is mismatched. {[str(a.dtype) for a in arrays]}")
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        given = [v.hidden if isinstance(v, DeviceArray) else np.asarray(v, dtype) for v in values]
        held = [np.ascontiguousarray(np.broadcast_to(a, shape)) for a in given] + [np.empty(shape, dtype)]
        size = held[-1].size
        _launch(library()[sources[dtype]][0], size, [*(np.int64(a.ctypes.data) for a in held), np.int64(size)])
        return ndarray(held[-1])

    return call


def _value(name: str, argument: Any, letter: str, size: int) -> Any:
    """The argument as CuPy hands it on, if it is what the parameter takes: a GPU would read other bytes, and go on."""
    if isinstance(argument, DeviceArray):
        array = argument.hidden
        if letter not in "pq" or array.dtype != {"p": np.float32, "q": np.float64}[letter]:
            raise UndefinedOnGpu(f"{name}: an array of {array.dtype} for a parameter {letter}")
        if not array.flags.c_contiguous:
            raise UndefinedOnGpu(f"{name}: CuPy's RawKernel ignores strides; pass xp.ascontiguousarray(x)")
        if array.ctypes.data % size:
            raise UndefinedOnGpu(f"{name}: the array begins at an address that is no multiple of {size} bytes")
        return np.int64(array.ctypes.data)
    if isinstance(argument, np.ndarray):
        if argument.size != 1:
            raise TypeError(f"You are trying to pass a numpy.ndarray of shape {argument.shape} as a kernel parameter. "
                            "Only numpy.ndarrays of size one can be passed by value.")
        kind = "s"
    elif is_scalar(argument):
        argument = np.asarray(argument)[()]             # Python's numbers become int64 and float64
        kind = "f" if argument.dtype.kind == "f" else "i"
    else:
        raise TypeError(f"Unsupported type {type(argument)}")
    if (kind, argument.nbytes) != (letter, size):
        raise UndefinedOnGpu(f"{name}: {argument.dtype} ({argument.nbytes} bytes) for a parameter {letter} of {size}")
    return argument


def _launch(function: Any, threads: int, values: list[Any]) -> None:
    held = [np.array(value) for value in values]
    pointers = (ctypes.c_void_p * len(held))(*(a.ctypes.data for a in held))
    function(min(-(-threads // _THREADS), _BLOCKS), _THREADS, pointers)
