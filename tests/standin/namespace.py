"""The stand-in's array module `xp`: NumPy's functions under CuPy's names, with CuPy's arguments only."""
from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.standin.counters import launched, synchronised, transferred
from tests.standin.device_array import count_launch, ndarray, raised, scatter
from tests.standin.rules import (
    CUPY,
    NAMES,
    DeviceArray,
    UndefinedOnGpu,
    check_dtype,
    in_range,
    is_scalar,
    lower,
    rules,
)

# The shape of the result depends on values, or CuPy looks at values to check them: the host has to wait.
WAITS = set("""argwhere average bincount compress delete digitize extract flatnonzero histogram histogram2d histogramdd
               interp intersect1d nanmax nanmin nonzero place ravel_multi_index real_if_close setdiff1d setxor1d
               trim_zeros union1d unique unique_all unique_counts unique_inverse unique_values
               unravel_index""".split())
# These look at shapes and dtypes: no kernel, and host arrays are as welcome. Their results are Python's.
ABOUT_ARRAYS = set("""broadcast_shapes can_cast common_type iscomplexobj isdtype isrealobj isscalar issubdtype
                      may_share_memory min_scalar_type ndim promote_types result_type shape shares_memory
                      size""".split())
# Kernels, files, and functions that call back into Python: what uses them must be tested on a GPU.
NOT_OFFERED = set("""ElementwiseKernel RawKernel RawModule ReductionKernel apply_along_axis apply_over_axes broadcast
                     c_ cuda fft flatiter frombuffer fromfile fromfunction fromiter fromstring fuse genfromtxt load
                     loadtxt mask_indices memoize mgrid ogrid piecewise poly1d polynomial printoptions r_ save savetxt
                     savez savez_compressed testing vectorize""".split())


class Namespace:
    """A module of CuPy: the names that it has, made from a module of NumPy."""

    def __init__(self, where: str, source: Any, own: dict[str, Any], offered: set[str] | None = None) -> None:
        self._where, self._source, self._offered = where, source, offered
        self.__name__ = "standin" + where.removeprefix("cupy")
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        names = NAMES[self._where]
        if name not in names:
            raise AttributeError(f"module {self._where!r} has no attribute {name!r} in {CUPY}")
        if name in NOT_OFFERED or (self._offered is not None and name not in self._offered):
            raise AttributeError(f"the stand-in does not offer {self._where}.{name}, though CuPy has it")
        if not hasattr(self._source, name):
            raise AttributeError(f"NumPy has no {name!r}, so code for both cannot use {self._where}.{name}")
        made = self.__dict__[name] = self._make(name, names[name], getattr(self._source, name))
        return made

    def _make(self, name: str, kind: str, source: Any) -> Any:
        if kind.startswith("ufunc"):
            return Ufunc(name, source, kind.split()[3:])
        if not kind.startswith("("):
            return source                           # a dtype, a constant
        if name in ABOUT_ARRAYS:
            return _about_arrays(source)
        return _function(self._where, name, source)


def _about_arrays(source: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(source)
    def call(*args: Any, **kwargs: Any) -> Any:
        return source(*(a.hidden if isinstance(a, DeviceArray) else a for a in args), **kwargs)
    return call


def _function(where: str, name: str, source: Callable[..., Any]) -> Callable[..., Any]:
    allowed = rules(where, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = _flat(itertools.chain(args, kwargs.values()))
        args_, kwargs_ = allowed.lower(args, kwargs)
        try:
            result = in_range(allowed.name, lambda: source(*args_, **kwargs_))
        except np.linalg.LinAlgError as error:
            if "singular" not in str(error).lower() and "definite" not in str(error) and "converge" not in str(error):
                raise
            raise UndefinedOnGpu(f"{allowed.name}: {error}; CuPy does not look, and goes on with wrong numbers or "
                                 "NaN") from None
        if where == "cupy.linalg" and isinstance(result, tuple):
            result = tuple(result)                  # CuPy's linalg has no results with names
        if not name.startswith("empty"):
            count_launch(result, [] if "out" in kwargs else given)
        if name in WAITS:
            synchronised(allowed.name)
        return raised(result, given)

    call.__name__ = name
    call.__doc__ = f"NumPy's `{name}` with CuPy's arguments {allowed.arguments}."
    return call


def _flat(values: Any) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list | tuple) else (value,))]


class Ufunc:
    """One of CuPy's elementwise functions: no `where`, no lists, and few of the methods."""

    def __init__(self, name: str, source: Any, methods: list[str]) -> None:
        # CuPy has it as a ufunc while NumPy has a plain function for some: fix, i0, sinc
        self.__name__, self._source, self._methods = name, source, methods
        self.nin, self.nout = map(int, NAMES["cupy"][name].split()[1:3])
        self.nargs = self.nin + self.nout

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if unknown := sorted(set(kwargs) - {"out", "dtype", "casting"}):
            raise TypeError(f"xp.{self.__name__} has no keyword {', '.join(unknown)}: CuPy's elementwise functions "
                            "take out, dtype and casting")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(f"xp.{self.__name__} takes {self.nin} arrays or numbers, {len(args)} were given")
        out = kwargs.get("out")
        for target in _flat([*args[self.nin:], out]):
            if not (target is None or isinstance(target, DeviceArray)):
                raise TypeError(f"xp.{self.__name__}: out is {type(target)}, not a device array")
        lowered = [self._operand(value) for value in args]
        if isinstance(out, tuple):
            kwargs = kwargs | {"out": tuple(lower("out", target) for target in out)}
        elif out is not None:
            kwargs = kwargs | {"out": out.hidden}
        launched()
        return raised(self._source(*lowered, **kwargs), _flat([*args, out]))

    def _operand(self, value: Any) -> Any:
        if value is None or isinstance(value, str | slice | type) or callable(value):
            raise TypeError(f"xp.{self.__name__}: Unsupported type {type(value)}; device arrays and numbers will do")
        return lower(f"xp.{self.__name__}", value)

    def at(self, array: Any, indices: Any, values: Any = None) -> None:
        self._has("at")
        scatter(f"xp.{self.__name__}.at", array, indices, values)

    def reduce(self, *args: Any, **kwargs: Any) -> Any:
        return self._by_method("reduce", "reduce", args, kwargs)

    def accumulate(self, *args: Any, **kwargs: Any) -> Any:
        return self._by_method("accumulate", "reduce", args, kwargs)

    def reduceat(self, *args: Any, **kwargs: Any) -> Any:
        if self.__name__ != "add":
            raise NotImplementedError(f"`{self.__name__}.reduceat` is not supported yet")
        return self._by_method("reduceat", "reduce", args, kwargs)

    def outer(self, a: Any, b: Any, **kwargs: Any) -> Any:
        launched()
        if not (isinstance(a, DeviceArray) and isinstance(b, DeviceArray)):
            raise TypeError(f"xp.{self.__name__}.outer takes two device arrays")
        return raised(self._source.outer(a.hidden, b.hidden, **kwargs))

    def _by_method(self, name: str, needs: str, args: Any, kwargs: Any) -> Any:
        self._has(needs, name)
        args_, kwargs_ = rules("ufunc", name).lower(args, kwargs)
        launched()
        return raised(getattr(self._source, name)(*args_, **kwargs_), _flat([*args, *kwargs.values()]))

    def _has(self, method: str, name: str = "") -> None:
        if method not in self._methods:
            raise NotImplementedError(f"`{self.__name__}.{name or method}` is not supported yet, says CuPy")

    def __repr__(self) -> str:
        return f"<ufunc '{self.__name__}' of the stand-in>"


class Generator:
    """CuPy's random generator: fewer distributions than NumPy's, and a state that cannot be saved.

    It draws NumPy's numbers, so that a test can compare them.
    """

    def __init__(self, seed: Any = None) -> None:
        if not (seed is None or isinstance(seed, int | np.integer)):
            raise TypeError(f"default_rng: the seed is {type(seed)}; CuPy takes an integer or None")
        self._source = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in NAMES["Generator"]:
            raise AttributeError(f"{CUPY}'s random Generator has no {name!r}; it has {', '.join(NAMES['Generator'])}")
        allowed = rules("Generator", name)

        def draw(*args: Any, **kwargs: Any) -> Any:
            args_, kwargs_ = allowed.lower(args, kwargs)
            launched()
            return raised(getattr(self._source, name)(*args_, **kwargs_), _flat(kwargs.values()))
        return draw


# The functions in which the device shows, and those in which CuPy's result is another than NumPy's -------------------


def _asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: bool | None = None) -> ndarray:
    """The array on the device: the same object if it is there, a copied NumPy array, list or number if not."""
    if isinstance(a, DeviceArray):
        result = np.asarray(a.hidden, dtype=dtype, order=order, copy=copy)
        if result is not a.hidden:
            launched()
        return raised(result, [a])
    result = _from_lists(a, dtype, order)
    return ndarray(result)


def _array(obj: Any, dtype: Any = None, copy: bool | None = True, order: str = "K", subok: bool = False,
           ndmin: int = 0) -> ndarray:
    if isinstance(obj, DeviceArray):
        launched()
        options: dict[str, Any] = {"dtype": dtype, "copy": copy, "order": order, "ndmin": ndmin}
        return raised(np.array(obj.hidden, **options), [obj])
    result = _from_lists(obj, dtype, order)
    return ndarray(np.array(result, copy=None, ndmin=ndmin))


def _from_lists(values: Any, dtype: Any, order: Any) -> np.ndarray:
    """A new array from host values, or from a list of device arrays."""
    if dtype is not None:
        check_dtype(np.dtype(dtype))
    if isinstance(values, list | tuple) and any(isinstance(v, DeviceArray) for v in values):
        if not all(isinstance(v, DeviceArray) for v in values):
            raise TypeError("a list with device arrays and host values in it cannot become an array")
        launched()
        return np.array([v.hidden for v in values], dtype=dtype, order=order)
    transferred()
    return np.array(values, dtype=dtype, order=order)


def _ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    result = _asarray(a, dtype, "C")
    return result if result.ndim else result.reshape(1)


def _asnumpy(a: Any, *args: Any, **kwargs: Any) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    for value in (start, stop, step):
        if not (value is None or is_scalar(value)):
            raise TypeError(f"xp.arange: its ends are numbers on the host, not {type(value)}")
    launched()
    first, last = (0, start) if stop is None else (start, stop)
    return ndarray(np.arange(first, last, step, dtype=dtype))


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if not isinstance(condition, DeviceArray):
        raise TypeError(f"xp.where: the condition is {type(condition)}, not a device array")
    launched()
    if x is None and y is None:
        synchronised("xp.where(condition)")
        return raised(np.where(condition.hidden))
    if x is None or y is None:
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    return raised(np.where(condition.hidden, *(lower("xp.where", value) for value in (x, y))))


def _get_array_module(*args: Any) -> Any:
    return xp if any(isinstance(a, DeviceArray) for a in args) else np


xp: Any = Namespace("cupy", np, {
    "ndarray": ndarray,
    "array": _array, "asarray": _asarray, "asanyarray": _asarray, "ascontiguousarray": _ascontiguousarray,
    "asfortranarray": lambda a, dtype=None: _asarray(a, dtype, "F"), "asnumpy": _asnumpy, "arange": _arange,
    "where": _where, "get_array_module": _get_array_module, "s_": np.s_, "index_exp": np.index_exp, "newaxis": None,
    "linalg": Namespace("cupy.linalg", np.linalg, {"LinAlgError": np.linalg.LinAlgError}),
    # minidl draws from explicit generators; the module's own stream is left out
    "random": Namespace("cupy.random", np.random, {"default_rng": Generator, "Generator": Generator}, offered=set()),
    "lib": SimpleNamespace(stride_tricks=Namespace("cupy.lib.stride_tricks", np.lib.stride_tricks, {})),
})
