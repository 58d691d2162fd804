"""Kernels for the devices that compile them, each beside the NumPy code that says the same.

On a GPU every operation costs a launch, in whose time a large one could compute with a million numbers, and a pass over
the memory. So what NumPy does in several operations is one kernel there:

- `fused` stands above a function that is a chain of elementwise operations, and gives the chain in CUDA;
- `im2col` and `col2im` are CUDA sources, with a loop over the kernel's taps for NumPy;
- `launch_update` is an optimiser's step over all parameters at once, by its `update_kernel`.

In a CUDA source `T` is the arrays' type: float or double, or four floats or two doubles that are moved at once.
"""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from minidl.backend import COMPILERS, Array, backend_of

F = TypeVar("F", bound=Callable[..., Any])
Pair = tuple[int, int]

KERNELS: list[Any] = []                      # all that were declared: tests compile every one
C_TYPES = {"f": "float", "d": "double"}      # by NumPy's letters; other dtypes take NumPy's way


def compiles(array: Array) -> bool:
    """Whether kernels can be had for this array of any shape: its device compiles them, it is float32 or float64."""
    return type(array) in COMPILERS and array.dtype.char in C_TYPES


# Chains of elementwise operations -------------------------------------------------------------------------------------


class Elementwise:
    """A chain of elementwise operations: "T x, T a" is read, "T y" written, by statements such as "y = a * x".

    `function` computes the same with NumPy; what the kernel reads is named as its parameters are.
    """

    def __init__(self, function: Callable[..., Any], inputs: str, output: str, body: str) -> None:
        self.function, self.name = function, function.__name__.strip("_")
        self.inputs, self.output, self.body = inputs, output, body
        parameters = list(inspect.signature(function).parameters)
        self._places = [parameters.index(declared.split()[-1]) for declared in inputs.split(",")]
        self._compiled: dict[type, Callable[..., Array]] = {}
        KERNELS.append(self)

    def values(self, *args: Any) -> list[Any] | None:
        """What the kernel reads of the function's arguments, arrays of one kind and numbers; None if it cannot."""
        values = [args[i] for i in self._places]
        first = values[0]
        if not compiles(first):
            return None
        for a in values:
            if a is not first and type(a) is not float and type(a) is not int and not (
                    type(a) is type(first) and a.dtype == first.dtype):
                return None
        return values

    def __call__(self, values: Sequence[Any]) -> Array:
        home = type(values[0])
        if home not in self._compiled:
            self._compiled[home] = COMPILERS[home].elementwise(self.inputs, self.output, self.body, self.name)
        return self._compiled[home](*values)


def fused(inputs: str, output: str, body: str) -> Callable[[F], F]:
    """Let one kernel do what the decorated function does, where its arrays are on a device that compiles kernels.

    The function itself runs for everything else: NumPy's arrays, other dtypes, and Tensors, so that a gradient rule can
    still be differentiated.
    """
    def decorate(function: F) -> F:
        kernel = Elementwise(function, inputs, output, body)
        names = ", ".join(inspect.signature(function).parameters)
        # The function's own parameters, written out: on the CPU the detour then costs a twentieth of a microsecond.
        call = eval(f"lambda {names}: kernel(v) if COMPILERS and (v := kernel.values({names})) else function({names})",
                    {"COMPILERS": COMPILERS, "kernel": kernel, "function": function})
        call.__defaults__ = function.__defaults__
        return cast(F, functools.update_wrapper(call, function))
    return decorate


# CUDA sources ---------------------------------------------------------------------------------------------------------


class Cuda:
    """A kernel by its CUDA source, which defines a function `name` for some type T, one of `types`.

    Called with T, the number of threads and the function's arguments: device arrays for its pointers, NumPy's scalars
    for its numbers, NumPy's arrays for its structs. The function takes part in a loop of any number of threads.
    """

    def __init__(self, name: str, source: str, types: Sequence[str] = ("float", "double")) -> None:
        self.name, self.source, self.types = name, source, types
        self._compiled: dict[tuple[type, str], Callable[..., None]] = {}
        KERNELS.append(self)

    def text(self, T: str) -> str:
        """The whole source for a type."""
        return f'typedef {T} T;\n{_SUMS.get(T, "")}extern "C" {{\n{self.source}\n}}\n'

    def __call__(self, T: str, threads: int, *arguments: Any) -> None:
        home = next(type(a) for a in arguments if type(a) in COMPILERS)
        if (home, T) not in self._compiled:
            self._compiled[home, T] = COMPILERS[home].cuda(self.text(T), self.name)
        if threads:
            self._compiled[home, T](threads, *arguments)


# CUDA's vector types know no arithmetic.
_SUMS = {T: f"__device__ void operator+=({T}& a, {T} b) {{ {sums} }}\n" for T, sums in {
    "float4": "a.x += b.x; a.y += b.y; a.z += b.z; a.w += b.w;", "double2": "a.x += b.x; a.y += b.y;"}.items()}


# Images and columns ---------------------------------------------------------------------------------------------------


# stride s, padding p, dilation d
_FIELDS = "H, W, C, OH, OW, KH, KW, sh, sw, ph, pw, dh, dw"
_GEOMETRY = np.dtype([(name, np.int32) for name in _FIELDS.split(", ")])
_STRUCT = f"struct Geometry {{ int {_FIELDS}; }};"

_IM2COL = Cuda("im2col", _STRUCT + """
__global__ void im2col(const T* __restrict__ x, T* __restrict__ columns, long long total, Geometry s) {
    // A thread for each element of `columns`: neighbours write, and mostly read, neighbours.
    long long step = (long long)gridDim.x * blockDim.x;
    #pragma unroll 1              // unrolled, the loop would begin with a long division by its step
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
        int width = s.KH * s.KW * s.C;
        long long row = i / width;                         // i -> (row, kh, kw, c)
        int column = i - row * width;
        int tap = column / s.C, c = column % s.C;
        int kh = tap / s.KW, kw = tap % s.KW;
        long long n = row / (s.OH * s.OW);                 // row -> (n, oh, ow)
        int place = row - n * (s.OH * s.OW);
        int h = place / s.OW * s.sh - s.ph + kh * s.dh;
        int w = place % s.OW * s.sw - s.pw + kw * s.dw;
        bool inside = 0 <= h && h < s.H && 0 <= w && w < s.W;
        columns[i] = inside ? x[((n * s.H + h) * s.W + w) * s.C + c] : T{};
    }
}""", ("float", "double", "float4", "double2"))

_COL2IM = Cuda("col2im", _STRUCT + """
__global__ void col2im(const T* __restrict__ columns, T* __restrict__ image, long long total, Geometry s) {
    // A thread for each element of the image gathers what belongs there: no two threads write to one place.
    long long step = (long long)gridDim.x * blockDim.x;
    #pragma unroll 1              // unrolled, the loop would begin with a long division by its step
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
        long long pixel = i / s.C;                     // i -> (n, h, w, c)
        int c = i - pixel * s.C;
        long long n = pixel / (s.H * s.W);
        int place = pixel - n * (s.H * s.W);
        int h = place / s.W + s.ph, w = place % s.W + s.pw;
        T sum{};
        for (int kh = 0; kh < s.KH; kh++) {
            int oh = h - kh * s.dh;                        // times the stride, still
            if (oh < 0 || oh % s.sh || oh / s.sh >= s.OH) continue;
            for (int kw = 0; kw < s.KW; kw++) {
                int ow = w - kw * s.dw;
                if (ow < 0 || ow % s.sw || ow / s.sw >= s.OW) continue;
                long long row = (n * s.OH + oh / s.sh) * s.OW + ow / s.sw;
                sum += columns[((row * s.KH + kh) * s.KW + kw) * s.C + c];
            }
        }
        image[pixel * s.C + c] = sum;
    }
}""", ("float", "double", "float4", "double2"))


def im2col(x: Array, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0), dilation: Pair = (1, 1)) -> Array:
    """Each window of an image as a row: (N, H, W, C) -> (N*OH*OW, KH*KW*C), zeros where it reaches beyond the image.

    Of a row's elements the channels run fastest, then the window's columns.
    """
    xp, (N, H, W, C), (KH, KW) = backend_of(x).xp, x.shape, kernel
    OH, OW = places((H, W), kernel, stride, padding, dilation)
    if not compiles(x):
        columns = xp.empty((N, OH, OW, KH, KW, C), dtype=x.dtype)
        padded = _padded(x, padding)
        for kh, kw, part in _taps((OH, OW), kernel, stride, dilation):
            columns[:, :, :, kh, kw] = padded[part]
        return columns.reshape(N * OH * OW, KH * KW * C)
    x, columns = xp.ascontiguousarray(x), xp.empty((N * OH * OW, KH * KW * C), dtype=x.dtype)
    T, unit = _vector(x, columns, C)
    geometry = np.array((H, W, C // unit, OH, OW, KH, KW, *stride, *padding, *dilation), _GEOMETRY)
    _IM2COL(T, columns.size // unit, x, columns, np.int64(columns.size // unit), geometry)
    return columns


def col2im(columns: Array, shape: tuple[int, ...], kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0),
           dilation: Pair = (1, 1)) -> Array:
    """Each row added where `im2col` took it from, its transpose: (N*OH*OW, KH*KW*C) -> `shape` (N, H, W, C).

    The order of additions is fixed: a run repeats bit for bit.
    """
    xp, (N, H, W, C), (KH, KW) = backend_of(columns).xp, shape, kernel
    OH, OW = places((H, W), kernel, stride, padding, dilation)
    if not compiles(columns):
        padded = xp.zeros((N, H + 2 * padding[0], W + 2 * padding[1], C), dtype=columns.dtype)
        columns = columns.reshape(N, OH, OW, KH, KW, C)
        for kh, kw, part in _taps((OH, OW), kernel, stride, dilation):
            padded[part] += columns[:, :, :, kh, kw]
        return xp.ascontiguousarray(padded[:, padding[0]:padding[0] + H, padding[1]:padding[1] + W])
    columns, image = xp.ascontiguousarray(columns), xp.empty(shape, dtype=columns.dtype)
    T, unit = _vector(columns, image, C)
    geometry = np.array((H, W, C // unit, OH, OW, KH, KW, *stride, *padding, *dilation), _GEOMETRY)
    _COL2IM(T, image.size // unit, columns, image, np.int64(image.size // unit), geometry)
    return image


def places(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1)) -> Pair:
    """How many windows an image of the size (H, W) has: (OH, OW)."""
    OH, OW = ((n + 2 * p - d * (k - 1) - 1) // s + 1
              for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True))
    return OH, OW


def _padded(x: Array, padding: Pair) -> Array:
    if padding == (0, 0):
        return x
    (N, H, W, C), (ph, pw), xp = x.shape, padding, backend_of(x).xp
    padded = xp.zeros((N, H + 2 * ph, W + 2 * pw, C), dtype=x.dtype)
    padded[:, ph:ph + H, pw:pw + W] = x
    return padded


def _taps(size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Any:
    """For each place in the window, the part of the padded image that it sees."""
    for kh in range(kernel[0]):
        for kw in range(kernel[1]):
            rows, cols = (slice(k * d, k * d + s * (n - 1) + 1, s)
                          for k, d, s, n in zip((kh, kw), dilation, stride, size, strict=True))
            yield kh, kw, (slice(None), rows, cols)


def _vector(a: Array, b: Array, channels: int) -> tuple[str, int]:
    """The type to move, 16 bytes where the channels and both addresses allow it, and how many elements it has."""
    unit, address = 16 // a.dtype.itemsize, backend_of(a).address
    if channels % unit or address(a) % 16 or address(b) % 16:
        return C_TYPES[a.dtype.char], 1
    return C_TYPES[a.dtype.char] + str(unit), unit


# An optimiser's step --------------------------------------------------------------------------------------------------


_NEIGHBOURS = 64             # parameters in one launch: what a kernel is given by value may be 4 KiB


def update_kernel(name: str, state: str, numbers: str, body: str) -> Cuda:
    """An optimiser's step for `launch_update`: statements about a parameter p, its gradient g, its state and numbers.

    >>> update_kernel("momentum_step", "v", "lr, momentum", "v = momentum * v + g; p -= lr * v;")
    """
    states, given = state.replace(",", " ").split(), numbers.replace(",", " ").split()
    return Cuda(name, _UPDATE.replace("NAME", name).replace("BODY", body.strip())
                .replace("ARRAYS", "".join(f", T* all_{s}" for s in states))
                .replace("NUMBERS", "".join(f", T {n}" for n in given))
                .replace("READ", " ".join(f"T {s} = all_{s}[i];" for s in states))
                .replace("WRITE", " ".join(f"all_{s}[i] = {s};" for s in states)))


_UPDATE = """
struct Gradients {                  // of neighbours in the flat buffer
    const T* of[64];
    long long end[64];              // where in the buffer each one ends
    T shrink[64], decay[64];        // weight decay: p is multiplied by the one, p times the other added to g
};

__global__ void NAME(const Gradients gradients, long long total, T* all_pARRAYSNUMBERS) {
    long long step = (long long)gridDim.x * blockDim.x;
    #pragma unroll 1              // unrolled, the loop would begin with a long division by its step
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
        int k = 0;                  // whose element it is: as many as end before it, found by bisection
        for (int half = 32; half; half /= 2)
            if (gradients.end[k + half - 1] <= i) k += half;
        T p = all_p[i]; READ
        T g = gradients.of[k][k ? i - gradients.end[k - 1] : i] + gradients.decay[k] * p;
        p *= gradients.shrink[k];
        BODY
        all_p[i] = p; WRITE
    }
}"""


def launch_update(kernel: Cuda, arrays: Sequence[Array], gradients: Sequence[Array], shrink: Sequence[float],
                  decay: Sequence[float], numbers: Sequence[float]) -> None:
    """An optimiser's step, in place: `arrays` are the parameters, in one flat array, and the state arrays beside it.

    Each gradient belongs to the next elements of the flat arrays, as many as it has; so do `shrink` and `decay`.
    """
    backend, dtype = backend_of(arrays[0]), arrays[0].dtype
    table = np.dtype([("of", np.int64, _NEIGHBOURS), ("end", np.int64, _NEIGHBOURS),
                      ("shrink", dtype, _NEIGHBOURS), ("decay", dtype, _NEIGHBOURS)])
    start = 0
    for first in range(0, len(gradients), _NEIGHBOURS):
        some = slice(first, first + _NEIGHBOURS)
        given = [backend.xp.ascontiguousarray(g, dtype=dtype) for g in gradients[some]]
        n, t = len(given), np.zeros((), table)
        t["of"][:n], t["shrink"][:n], t["decay"][:n] = [backend.address(g) for g in given], shrink[some], decay[some]
        t["end"][:n] = np.cumsum([g.size for g in given])
        t["end"][n:] = total = int(t["end"][n - 1])
        parts = (a[start:start + total] for a in arrays)
        kernel(C_TYPES[dtype.char], total, t, np.int64(total), *parts, *map(dtype.type, numbers))
        start += total
