"""Compiles CUDA sources without a GPU, by NVIDIA's runtime compiler: a test of their spelling, not of their results.

The compiler comes with the CUDA toolkit, or alone: pip install nvidia-cuda-nvrtc-cu12
"""
from __future__ import annotations

import ctypes
import ctypes.util
import functools
import glob
import os
import site
from collections.abc import Iterator
from typing import Any


class CudaError(Exception):
    """A CUDA source that does not compile; the message is the compiler's log."""


def available() -> bool:
    """Whether the compiler is here."""
    return _library() is not None


def compile_cuda(source: str, *, arch: str = "sm_80") -> str:
    """Compile a CUDA source for a GPU architecture, and return its PTX, the assembler code that NVIDIA documents.

    Raises CudaError with the compiler's log if the source is wrong, FileNotFoundError if there is no compiler.
    """
    library = _library()
    if library is None:
        raise FileNotFoundError("no libnvrtc here; pip install nvidia-cuda-nvrtc-cu12")
    program = ctypes.c_void_p()
    _check(library, library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"source.cu", 0, None, None))
    try:
        options = [f"--gpu-architecture={arch}".encode(), b"--std=c++17"]
        status = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        if status:
            log = _text(library, library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program)
            raise CudaError(log or _reason(library, status))
        return _text(library, library.nvrtcGetPTXSize, library.nvrtcGetPTX, program)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


@functools.cache
def _library() -> ctypes.CDLL | None:
    for path in _candidates():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        return library
    return None


def _candidates() -> Iterator[str]:
    """The wheel's library, then a toolkit's, then whatever the system's linker knows."""
    for folder in [*site.getsitepackages(), site.getusersitepackages()]:
        yield from sorted(glob.glob(os.path.join(folder, "nvidia", "*", "lib", "libnvrtc.so.*")))
    for root in filter(None, [os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME"), "/usr/local/cuda"]):
        yield from sorted(glob.glob(os.path.join(root, "lib64", "libnvrtc.so*")))
    if name := ctypes.util.find_library("nvrtc"):
        yield name


def _text(library: ctypes.CDLL, get_size: Any, get: Any, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _check(library, get_size(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(library, get(program, text))
    return text.value.decode(errors="replace").strip()


def _check(library: ctypes.CDLL, status: int) -> None:
    if status:
        raise CudaError(_reason(library, status))


def _reason(library: ctypes.CDLL, status: int) -> str:
    return library.nvrtcGetErrorString(status).decode()
