"""What the engine takes for an array, how the arguments of an operation are brought to agree, and what it refuses.

The engine looks at types and dtypes on its fast path; only what is not plainly in order comes here.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minidl.backend import BACKENDS, Array, backend_of
from minidl.errors import InputError

PLAIN = {float, int, bool, tuple, str, slice, type(None)}      # types of arguments that need no second look


def plain_array(name: str, data: Any) -> Array:
    """Data of any kind as an array: those of a device as they are, whatever else NumPy reads as `np.asarray` does.

    So NumPy's subclasses (matrices, memory maps) become plain arrays, and data frames and PyTorch's tensors are read.
    Raises InputError, in `name`'s name, for masked values, sparse matrices, what NumPy cannot read, and numbers that
    are not real.
    """
    if type(data) in BACKENDS:
        array = data
    elif isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise InputError(f"{name}: {np.ma.count_masked(data)} of these values are masked, which no number stands for; "
                         "drop those rows, or fill them by .filled(value)")
    elif hasattr(data, "toarray") and not hasattr(data, "__array__"):
        raise InputError(f"{name}: a sparse {type(data).__name__} is no array; give it all its zeros by .toarray()")
    elif isinstance(data, list | tuple) and any(hasattr(item, "recipe") for item in data):
        raise InputError(f"{name}: a list of Tensors is no array: md.stack(list) keeps their history")
    else:
        try:
            array = np.asarray(data)
        except Exception as error:             # of another library, whose reason is the one to show
            raise InputError(f"{name}: this {type(data).__name__} cannot be read as an array of numbers "
                             f"({str(error).splitlines()[0] if str(error) else type(error).__name__})") from error
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name}: takes real numbers, not {array.dtype}; convert them, as by .astype(float)")
    return array


def to_array(data: Any, dtype: Any = np.float32) -> Array:
    """An array of any device as it is; lists and numbers as `dtype`, truth values as such.

    Raises InputError for what is no array of real numbers.
    """
    if type(data) in BACKENDS:
        array = data
    elif isinstance(data, np.ndarray) or hasattr(data, "toarray"):
        array = plain_array("Tensor", data)
    elif isinstance(data, np.generic):
        array = np.asarray(data)
    elif hasattr(data, "__array__"):                   # a data frame's numbers are those of a list: it has no float32
        array = plain_array("Tensor", data)
        array = array if array.dtype == np.bool_ else array.astype(dtype)
    elif isinstance(data, list | tuple) and any(hasattr(item, "recipe") for item in data):
        raise InputError("a list of Tensors is no array: md.stack(list) keeps their history")
    else:
        try:
            array = np.array(data)
            if array.dtype.kind in "fiu":
                array = array.astype(dtype)
        except (ValueError, TypeError) as error:
            raise InputError(f"this is no array of numbers: {data!r:.80} ({error})") from error
    if array.dtype.kind not in "fiub":
        raise InputError(f"a tensor holds real numbers or truth values, not {array.dtype}")
    return array


def settle(name: str, raw: Sequence[Any], takes_array: Callable[[int], bool], tensors: bool,
           floats: bool) -> list[Any]:
    """Make the arguments agree, or say why they cannot: arrays must share a device and a float dtype.

    NumPy's subclasses count as the arrays that they are. Beside Tensors, NumPy's scalars become plain numbers, and
    lists, data frames, integers and truth values take the floats' dtype: each of them would turn float32 into float64.
    With `floats`, whole numbers and truth values become float32 in any case. `takes_array(i)` tells whether argument i
    is an array for the operation, and not a shape, an index or labels. Raises InputError where they cannot agree, and
    for what is no array of numbers.
    """
    agreed = _agreed(name, raw, takes_array, tensors)
    _check_numbers(name, agreed, takes_array)
    if not floats:
        return agreed
    return [a.astype(np.float32) if type(a) in BACKENDS and a.dtype.kind != "f" and takes_array(i) else a
            for i, a in enumerate(agreed)]


def _agreed(name: str, raw: Sequence[Any], takes_array: Callable[[int], bool], tensors: bool) -> list[Any]:
    raw = [plain_array(name, a) if isinstance(a, np.ndarray) else a for a in raw]
    arrays = [a for a in raw if type(a) in BACKENDS]
    raw = [_listed(name, a) for a in raw]
    if len(kinds := {type(a) for a in arrays}) > 1:
        names = " and ".join(sorted(BACKENDS[kind].name for kind in kinds))
        raise InputError(f"{name}: its arguments are on different devices, {names}; bring them together with "
                         ".to(device)")
    floats = {a.dtype for a in arrays if a.dtype.kind == "f"}
    if len(floats) > 1:
        names = " and ".join(sorted(str(f) for f in floats))
        raise InputError(f"{name}: {describe(raw)}: {names} are mixed; convert one with .astype(...)")
    if not tensors:                        # NumPy's scalars are then the results of reductions, within a rule
        return [to_array(a) if isinstance(a, list) and takes_array(i) else a for i, a in enumerate(raw)]
    settled = [a.item() if isinstance(a, np.generic) else a for a in raw]
    has_float = floats or any(isinstance(a, float) for a in settled)
    dtype = next(iter(floats), np.dtype(np.float32))
    for i, a in enumerate(settled):
        if isinstance(a, list) and takes_array(i):
            settled[i] = backend_of(arrays[0]).from_host(to_array(a, dtype))
        elif type(a) in BACKENDS and a.dtype.kind in "iub" and has_float and takes_array(i):
            settled[i] = a.astype(dtype)
    return settled


def _listed(name: str, a: Any) -> Any:
    """What holds numbers and is no array of ours, such as a data frame, as a list; anything else as it is."""
    if type(a) in BACKENDS or isinstance(a, np.generic | type) or not (hasattr(a, "__array__") or
                                                                       hasattr(a, "toarray")):
        return a
    return plain_array(name, a).tolist()


def _check_numbers(name: str, raw: Sequence[Any], takes_array: Callable[[int], bool]) -> None:
    """Raise InputError for an argument that should be an array, and is neither one of real numbers nor a number."""
    for i, a in enumerate(raw):
        if takes_array(i):
            if type(a) in BACKENDS or isinstance(a, np.ndarray | np.generic):
                if a.dtype.kind not in "fiub":
                    raise InputError(f"{name}: an array holds real numbers or truth values, not {a.dtype}")
            elif type(a) not in PLAIN and not isinstance(a, list | float | int):
                raise InputError(f"{name}: argument {i} is a {type(a).__name__}; it takes arrays, Tensors and numbers")


def is_whole(value: Any, least: int = 0) -> bool:
    """Whether it is a whole number, of at least `least`."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def is_number(value: Any) -> bool:
    """Whether it is a real number: one of Python's or NumPy's, NaN and infinity among them."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def real_dtype(dtype: Any) -> np.dtype:
    """The dtype that is meant. Raises InputError unless it is one of real numbers or truth values."""
    try:
        meant = np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise InputError(f"{dtype!r:.60} is no dtype; 'float32' is one") from error
    if dtype is None or meant.kind not in "fiub":
        raise InputError(f"a tensor holds real numbers or truth values; {dtype!r:.60} is no dtype of such")
    return meant


def narrowed(y: Array, raw: Sequence[Any]) -> Array:
    """float32, in the same shape, for what became float64 only as the arguments were integers: nobody asked for it."""
    asked = any(isinstance(a, np.dtype) or type(a) in BACKENDS and a.dtype == np.float64 for a in raw)
    return y if asked else y.astype(np.float32)


def describe(raw: Sequence[Any]) -> str:
    """The arguments' dtypes and shapes, for messages."""
    return ", ".join(f"{a.dtype}{list(a.shape)}" if type(a) in BACKENDS else f"{a!r:.60}" for a in raw)


# What is refused ------------------------------------------------------------------------------------------------------


def refuse(name: str, raw: Sequence[Any], error: Exception) -> None:
    """Raise InputError for an operation whose arguments NumPy refused; return where the error says it better itself."""
    if isinstance(error, InputError):
        return
    if not isinstance(error, AttributeError):
        raise InputError(f"{name}: {describe(raw)}: {error}") from error
    odd_ones = [a for a in raw[:2] if type(a) not in BACKENDS and not isinstance(a, int | float)]
    if odd_ones or not raw or type(raw[0]) not in BACKENDS:
        raise InputError(f"{name}: {describe(odd_ones or raw)} is no array; md.Tensor(...) makes one of numbers and "
                         "lists") from error


def check_gradient(g: Array, array: Array) -> None:
    """Raise InputError unless a gradient that is assigned has its tensor's shape and device."""
    if g.shape != array.shape:
        raise InputError(f"grad: the gradient has shape {g.shape}, its tensor {array.shape}")
    if type(g) is not type(array):
        raise InputError(f"grad: the gradient is on {backend_of(g).name!r}, its tensor on {backend_of(array).name!r}; "
                         "bring it there with Device(...).put(gradient)")


def check_rule_result(name: str, i: int, found: Any, shape: tuple[int, ...]) -> None:
    """Raise InputError unless a rule's result has its argument's shape, or one to which that was broadcast."""
    given = getattr(found, "shape", type(found).__name__)
    if not isinstance(given, tuple) or len(given) < len(shape) or not all(
            n in (1, m) for n, m in zip(reversed(shape), reversed(given), strict=False)):
        raise InputError(f"{name}: the gradient rule of argument {i} gave {given}, its argument has shape {shape}; "
                         "a rule returns the gradient by its argument, in that shape")


def no_rule(name: str, i: int) -> Callable[..., Any]:
    """The rule of an argument without one: it raises InputError."""
    def rule(*args: Any, **kwargs: Any) -> Any:
        raise InputError(f"{name}: argument {i} has no gradient rule; pass it detached: x.detach()")
    return rule


def raise_freed() -> Any:
    """Raise RuntimeError: a backward pass has used up this graph."""
    raise RuntimeError("this graph was freed by an earlier backward pass; to walk it twice, "
                       "call the first one with retain_graph=True")


def check_state(state: Any) -> None:
    """Raise InputError unless it is a mapping, as every state is that `state_dict` gave."""
    if not isinstance(state, Mapping):
        raise InputError("load_state_dict takes what state_dict() gave, or np.load(path) of a file of that, not "
                         f"{state!r:.60}")
