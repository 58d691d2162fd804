"""The stand-in's `ndarray`: a NumPy array that can be used only as CuPy's can."""
from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.standin.counters import launched, read_to_host, synchronised, transferred
from tests.standin.rules import (
    ATOMIC_DTYPES,
    CUPY,
    NAMES,
    DeviceArray,
    UndefinedOnGpu,
    check_dtype,
    check_one_writer,
    in_range,
    is_scalar,
    lower,
    lower_key,
    rules,
)


class Flags:
    """The few flags that a CuPy array has; there is no `writeable`."""

    def __init__(self, array: np.ndarray) -> None:
        for name in NAMES["flags"]:
            setattr(self, name, getattr(array.flags, name))

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class ndarray(DeviceArray):
    """An array of the stand-in device."""

    __slots__ = ()
    __array_ufunc__ = None        # NumPy's functions and operators then refuse the array or leave it to ours
    __array_priority__ = 100      # CuPy's
    __hash__ = None               # type: ignore[assignment]

    def __init__(self, values: np.ndarray) -> None:
        check_dtype(values.dtype)
        self.hidden = values

    # Into NumPy there is one way, and it is explicit
    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed; ask the backend for to_host(array)")

    def __array_function__(self, function: Any, *args: Any) -> Any:
        raise TypeError(f"np.{function.__name__} was called with a device array; call xp.{function.__name__}")

    def get(self) -> np.ndarray:
        """A copy on the host."""
        read_to_host("get()")
        return self.hidden.copy()

    def item(self) -> Any:
        read_to_host("item()")
        return self.hidden.item()

    def tolist(self) -> Any:
        read_to_host("tolist()")
        return self.hidden.tolist()

    def __bool__(self) -> bool:
        read_to_host("bool()")
        return bool(self.hidden)

    def __int__(self) -> int:
        read_to_host("int()")
        return int(self.hidden)

    def __float__(self) -> float:
        read_to_host("float()")
        return float(self.hidden)

    def __complex__(self) -> complex:
        read_to_host("complex()")
        return complex(self.hidden)

    def __repr__(self) -> str:
        read_to_host("printing")
        return repr(self.hidden)

    def __str__(self) -> str:
        read_to_host("printing")
        return str(self.hidden)

    def __format__(self, spec: str) -> str:
        read_to_host("printing")
        return format(self.hidden, spec)

    def __reduce__(self) -> Any:
        return from_host, (self.get(),)

    # Facts
    shape = property(lambda self: self.hidden.shape)
    dtype = property(lambda self: self.hidden.dtype)
    ndim = property(lambda self: self.hidden.ndim)
    size = property(lambda self: self.hidden.size)
    nbytes = property(lambda self: self.hidden.nbytes)
    itemsize = property(lambda self: self.hidden.itemsize)
    strides = property(lambda self: self.hidden.strides)
    flags = property(lambda self: Flags(self.hidden))

    @shape.setter                # type: ignore[no-redef]
    def shape(self, shape: Any) -> None:
        self.hidden = self.hidden.reshape(shape, copy=False)

    @property
    def base(self) -> ndarray | None:
        return None if self.hidden.base is None else ndarray(self.hidden.base)

    # Views
    T = property(lambda self: ndarray(self.hidden.T))
    mT = property(lambda self: ndarray(self.hidden.mT))
    real = property(lambda self: raised(self.hidden.real, [self]))
    imag = property(lambda self: raised(self.hidden.imag, [self]))

    def __len__(self) -> int:
        return len(self.hidden)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        raise TypeError("`in` would fetch a device array element by element; write (x == value).any()")

    # Indexing
    def __getitem__(self, key: Any) -> ndarray:
        key, by_array, by_mask = lower_key(key)
        if not by_array:                            # with an Ellipsis even a single element is a view
            return ndarray(self.hidden[key if Ellipsis in key else (*key, ...)])
        _count_indexing(by_mask)
        return ndarray(np.asarray(in_range("x[i]", lambda: self.hidden[key])))

    def __setitem__(self, key: Any, value: Any) -> None:
        key, by_array, by_mask = lower_key(key)
        if not (isinstance(value, DeviceArray) or is_scalar(value)):
            raise TypeError(f"x[i] = v: v is {type(value)}; a device array or a number will do")
        value = lower("x[i] = v", value)
        if by_array:
            _count_indexing(by_mask)
            if isinstance(value, np.ndarray):
                in_range("x[i] = v", lambda: check_one_writer(self.hidden, key, value))
            in_range("x[i] = v", lambda: self.hidden.__setitem__(key, value))
            return
        launched()
        target = self.hidden[key if Ellipsis in key else (*key, ...)]
        if isinstance(value, np.ndarray) and _plain_copy_overlaps(target, value):
            raise UndefinedOnGpu("x[i] = v where v is another part of x: CuPy copies the memory without looking, and "
                                 "what overlaps is undefined; assign v.copy()")
        target[...] = value

    # Methods that need more than NumPy's method behind CuPy's arguments
    def sort(self, axis: int = -1, kind: Any = None) -> None:
        launched()
        if not self.flags.c_contiguous:
            raise NotImplementedError("Sorting non-contiguous array is not supported.")
        self.hidden.sort(axis=axis, kind="stable")

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in NAMES["ndarray"]:
            raise AttributeError(f"{CUPY}'s ndarray has no attribute {name!r}")
        raise AttributeError(f"the stand-in's ndarray does not offer CuPy's {name!r}")


def from_host(values: np.ndarray) -> ndarray:
    """A copy on the device."""
    transferred()
    return ndarray(np.array(values))


def raised(result: Any, given: Any = ()) -> Any:
    """NumPy's result as the device has it: arrays, also of no dimension, and the same object for the same array."""
    if isinstance(result, np.ndarray):
        for array in given:
            if isinstance(array, DeviceArray) and array.hidden is result:
                return array
        return ndarray(result)
    if isinstance(result, np.generic | bool | int | float):
        return ndarray(np.asarray(result))
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*(raised(item, given) for item in result))
    if isinstance(result, list | tuple):
        return type(result)(raised(item, given) for item in result)
    return result


def count_launch(result: Any, given: Any) -> None:
    """A launch, unless the result is only another view of what was given."""
    first = result[0] if isinstance(result, list | tuple) and result else result
    arrays = [array.hidden for array in given if isinstance(array, DeviceArray)]
    if not (isinstance(first, np.ndarray) and any(np.may_share_memory(first, array) for array in arrays)):
        launched()


def scatter(method: str, array: Any, key: Any, values: Any) -> None:
    """`np.add.at` and its like, with CuPy's limits."""
    if not isinstance(array, ndarray):
        raise TypeError(f"{method}: {type(array)} is no device array")
    key, by_array, by_mask = lower_key(key)
    if not (isinstance(values, DeviceArray) or is_scalar(values)):
        raise TypeError(f"{method}: the values are {type(values)}; a device array or a number will do")
    if by_array and not by_mask and array.dtype.name not in ATOMIC_DTYPES:
        raise TypeError(f"{method} by index arrays is documented for {', '.join(sorted(ATOMIC_DTYPES))} only, "
                        f"not for {array.dtype}")
    _count_indexing(by_mask)
    ufunc = getattr(np, method.split(".")[-2])
    in_range(method, lambda: ufunc.at(array.hidden, key, lower(method, values)))


def _count_indexing(by_mask: bool) -> None:
    launched()
    if by_mask:
        synchronised("indexing by a boolean mask")       # how many are true decides the shape


def _plain_copy_overlaps(target: np.ndarray, value: np.ndarray) -> bool:
    """Whether CuPy would copy one block of memory over another that overlaps it."""
    return (target.shape == value.shape and target.strides == value.strides and target.dtype == value.dtype
            and target.flags.c_contiguous and target.ctypes.data != value.ctypes.data
            and np.may_share_memory(target, value))


# Operators and methods ------------------------------------------------------------------------------------------------


# CuPy hands a foreign right operand on to NumPy's function, which asks the operand's __array_ufunc__; not so == and !=.
UFUNCS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "floordiv": np.floor_divide,
          "mod": np.remainder, "divmod": np.divmod, "pow": np.power, "matmul": np.matmul, "and": np.bitwise_and,
          "or": np.bitwise_or, "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
          "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}


def _operator(name: str) -> Callable[..., Any]:
    """The operator `name`, by NumPy's function, with the checks and the precedence that CuPy's has."""
    bare = name.strip("_")
    in_place = bare.startswith("i") and bare not in ("invert",)
    reflected = bare.startswith("r") and bare not in ("rshift",)
    bare = bare[1:] if in_place or reflected else bare
    function = {"and": operator.and_, "or": operator.or_, "divmod": divmod}.get(bare) or getattr(operator, bare)

    def apply(self: ndarray, *others: Any) -> Any:
        for other in others:
            if not (isinstance(other, DeviceArray) or is_scalar(other)):
                if not isinstance(other, np.ndarray) and not in_place:
                    if _gives_way(other):
                        return NotImplemented
                    if hasattr(other, "__array_ufunc__") and bare in UFUNCS:
                        return other.__array_ufunc__(UFUNCS[bare], "__call__", self, other)
                raise TypeError(f"{name}: Unsupported type {type(other)}; device arrays and numbers will do")
        launched()
        operands = [lower(name, other) for other in others]
        if in_place:
            self.hidden = getattr(operator, "i" + bare)(self.hidden, *operands)
            return self
        return raised(function(operands[0], self.hidden) if reflected else function(self.hidden, *operands))

    apply.__name__ = name
    return apply


def _gives_way(other: Any) -> bool:
    """CuPy's `_should_use_rop`: whether the other operand's reflected operator is to answer."""
    if hasattr(other, "__array_ufunc__"):
        return other.__array_ufunc__ is None
    return getattr(other, "__array_priority__", 0) > ndarray.__array_priority__


def _method(name: str) -> Callable[..., Any]:
    """The method `name`, by NumPy's method, for the arguments that CuPy's takes."""
    allowed = rules("ndarray", name)

    def call(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        given = (self, *args, *kwargs.values())
        args_, kwargs_ = allowed.lower(args, kwargs)
        result = in_range(name, lambda: getattr(self.hidden, name)(*args_, **kwargs_))
        count_launch(result, [self] if "out" not in kwargs else [])
        if name in {"nonzero", "compress"}:
            synchronised(f"{name}()")
        return raised(result, given)

    call.__name__ = name
    return call


for _name in NAMES["ndarray operators"]:
    if _name not in vars(ndarray):
        setattr(ndarray, _name, _operator(_name))
for _name in """all any argmax argmin argpartition argsort astype clip compress conj conjugate copy cumprod cumsum
                diagonal dot fill flatten max mean min nonzero prod ravel repeat reshape round searchsorted squeeze std
                sum swapaxes take trace transpose var view""".split():
    setattr(ndarray, _name, _method(_name))
