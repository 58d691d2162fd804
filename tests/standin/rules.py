"""CuPy's rules for arguments, as the stand-in device keeps them.

CuPy's own list of names and arguments (`cupy_names.json`) says which keywords exist; the names of the arguments say
what may be in them: `axis` is read on the host, `tup` holds several arrays, `a` is a device array or a number.
"""
from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.standin.counters import transferred

NAMES: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("cupy_names.json").read_text())
CUPY = f"CuPy {NAMES['versions']['cupy']}"

# Arguments that CuPy reads on the host. A device array there is an error, or a hidden wait.
ON_HOST = set("""
    shape newshape new_shape dims dimensions window_shape strides size axis axes axis1 axis2 axisa axisb axisc source
    destination dtype order keepdims ddof reps k N num ndim ndmin decimals offset pad_width mode kind side casting copy
    subok endpoint indices_or_sections bitorder minlength sparse indexing optimize UPLO ord full_matrices compute_uv kth
    edge_order return_index return_inverse return_counts equal_nan retstep blocking returned method step
""".split())
# Arguments that are a list or tuple of arrays, and those for which a plain list of numbers will do.
SEVERAL_ARRAYS = {"tup", "condlist", "choicelist", "keys", "multi_index"}
LIST_WILL_DO = {"repeats", "indices", "q", "bins", "range", "shift", "constant_values", "end_values", "stat_length"}

CUPY_DTYPES = "?bBhHiIlLqQefdFD"           # NumPy's one-letter codes: no object, text, dates or 128-bit floats
# The documentation of scatter_add promises no more: there is no atomic addition for the small integers.
ATOMIC_DTYPES = {"float16", "float32", "float64", "int32", "uint32", "uint64"}

_SCALARS = (bool, int, float, complex, np.number, np.bool_)
_PLAIN = (*_SCALARS, str, slice, type(None), type(Ellipsis), type, np.dtype)


class UndefinedOnGpu(RuntimeError):
    """What CuPy lets pass without a word, with a wrong or an undefined result.

    It is no ValueError, TypeError or IndexError, so that nobody takes it for CuPy's own complaint and catches it.
    """


def check_dtype(dtype: np.dtype) -> None:
    if dtype.char not in CUPY_DTYPES:
        raise ValueError(f"Unsupported dtype {dtype}: CuPy has booleans, integers, float16 to 64 and complex numbers")


def is_scalar(x: Any) -> bool:
    return isinstance(x, _SCALARS)


class Rules:
    """The arguments that a function of CuPy takes, and what may be in each."""

    def __init__(self, name: str, arguments: str) -> None:
        self.name, self.arguments = name, arguments
        # The committed list holds argument lists in Python's own notation, so Python reads them.
        self.signature = inspect.signature(eval(f"lambda {arguments[1:-1]}: None"))
        kinds = inspect.Parameter
        self._positional = [p.name for p in self.signature.parameters.values()
                            if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD, kinds.VAR_POSITIONAL)]

    def lower(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments with NumPy arrays in place of device arrays; raises TypeError for what CuPy refuses."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{CUPY} has {self.name}{self.arguments}: {error}") from None
        last = len(self._positional) - 1
        return ([self._lower(self._positional[min(i, last)], value) for i, value in enumerate(args)],
                {name: self._lower(name, value) for name, value in kwargs.items()})

    def _lower(self, argument: str, value: Any) -> Any:
        if isinstance(value, DeviceArray):
            if argument in ON_HOST:
                raise TypeError(f"{self.name}: `{argument}` is read on the host and cannot be a device array")
            return value.hidden
        if isinstance(value, list | tuple):
            if argument in SEVERAL_ARRAYS or argument == "out":
                return type(value)(lower(self.name, item) for item in value)
            if argument in ON_HOST:
                if any(isinstance(item, DeviceArray) for item in value):
                    raise TypeError(f"{self.name}: `{argument}` is read on the host and cannot hold device arrays")
                return value
            if argument in LIST_WILL_DO and not any(isinstance(item, DeviceArray) for item in value):
                return value
        return lower(self.name, value)


@functools.cache
def rules(where: str, name: str) -> Rules:
    """The rules for a name of `cupy_names.json`."""
    prefix = where if where in {"ndarray", "Generator", "ufunc"} else where.replace("cupy", "xp", 1)
    return Rules(f"{prefix}.{name}", NAMES[where][name])


def lower(name: str, value: Any) -> Any:
    """NumPy's array in place of a device array, scalars as they are; TypeError for anything else, as in CuPy."""
    if isinstance(value, DeviceArray):
        return value.hidden
    if isinstance(value, _PLAIN) or (callable(value) and not isinstance(value, np.ndarray)):
        return value
    if isinstance(value, np.ndarray):
        raise TypeError(f"{name}: a NumPy array in a call for the device; move it there first, with xp.asarray(...)")
    raise TypeError(f"{name}: Unsupported type {type(value)}; device arrays and numbers will do")


def lower_key(key: Any) -> tuple[tuple[Any, ...], bool, bool]:
    """An index for NumPy; whether it picks elements by arrays; whether one of these is a boolean mask."""
    lowered: list[Any] = []
    by_array = by_mask = False
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, np.ndarray):
            raise TypeError("a NumPy array as index into a device array is copied to the device at every use; "
                            "move it there first, with xp.asarray(...)")
        if isinstance(part, DeviceArray):
            part = part.hidden
            if part.dtype.kind not in "biu":
                raise IndexError(f"arrays used as indices must be of integer or boolean type, not {part.dtype}")
        elif isinstance(part, list | tuple | bool | np.bool_):
            if isinstance(part, list | tuple):
                _no_arrays_within(part)
            part = np.asarray(part) if not isinstance(part, list | tuple) or part else np.zeros(0, dtype=np.int32)
            transferred()                           # CuPy copies it to the device
        elif isinstance(part, slice):
            for end in (part.start, part.stop, part.step):
                if isinstance(end, DeviceArray):
                    raise TypeError("the ends of a slice are read on the host: a device array has no __index__")
        elif not (part is None or part is Ellipsis or isinstance(part, int | np.integer)):
            raise IndexError(f"only integers, slices, ellipsis, None and device arrays are indices, not {type(part)}")
        if isinstance(part, np.ndarray):
            by_array = True
            by_mask = by_mask or part.dtype.kind == "b"
        lowered.append(part)
    return tuple(lowered), by_array, by_mask


def _no_arrays_within(items: Sequence[Any]) -> None:
    if any(not isinstance(item, int | np.integer | list | tuple) for item in items):
        raise TypeError("an index list holds integers; stack device arrays with xp.stack")


def in_range(name: str, function: Callable[[], Any]) -> Any:
    """Call a function that reads or writes by index arrays; an index out of range is CuPy's silent mistake."""
    try:
        return function()
    except IndexError as error:
        if isinstance(error, np.exceptions.AxisError) or "out of bounds" not in str(error):
            raise
        raise UndefinedOnGpu(f"{name}: {error}; CuPy wraps such an index around without a word: "
                             "check it on the host") from None


def check_one_writer(target: np.ndarray, key: tuple[Any, ...], value: Any) -> None:
    """Raise unless each element of `target[key]` would be written with one element of `value` only."""
    places = np.arange(target.size).reshape(target.shape)[key].reshape(-1)
    if np.ndim(value) == 0 or np.size(value) == 1 or np.unique(places).size == places.size:
        return
    shape = np.broadcast_shapes(target[key].shape, value.shape)
    sources = np.broadcast_to(np.arange(value.size).reshape(value.shape), shape).reshape(-1)
    pairs = np.unique(np.stack([places, sources]), axis=1)
    if pairs.shape[1] > np.unique(places).size:
        raise UndefinedOnGpu("a[i] = v with an index that occurs twice: on a GPU any of the values may win; "
                             "use the backend's scatter_add, or make the indices unique")


class DeviceArray:
    """The root of the stand-in's `ndarray`, here so that the rules can know one."""

    __slots__ = ("hidden", "__weakref__")
    hidden: np.ndarray
