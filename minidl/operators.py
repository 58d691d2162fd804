"""What makes a Tensor feel like an array: operators, methods, indexing, conversion, NumPy's functions.

Every method hands on to the operation of the same name in `minidl.ops`; the engine itself is in `minidl.tensor`.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl.backend import Device, backend_of
from minidl.errors import InputError
from minidl.modes import thread

if TYPE_CHECKING:
    from minidl import ops
    from minidl.tensor import Tensor
else:
    ops: Any = None        # minidl.ops, a room further down, puts itself here when it is imported

# NumPy's names for what we call otherwise, or for what a Tensor knows itself.
_ALIASES = {"true_divide": "divide", "absolute": "abs", "amax": "max", "amin": "min", "take_along_axis": "gather",
            "around": "round", "rint": "round"}
_ATTRIBUTES = {"shape", "ndim", "size"}
_INSTEAD = {"copy": "copy.copy(x)", "copyto": "md.where", "add.at": "md.scatter_add", "take": "md.take"}


class Operators:
    """The part of Tensor that looks like a NumPy array."""

    __slots__ = ()
    __pandas_priority__ = 5000         # above a data frame's: frame * tensor is the tensor's to compute
    data: Any
    requires_grad: bool
    recipe: Any

    @property
    def made_by(self) -> str | None:
        """The name of the primitive that made this tensor; None for a leaf, and once the graph is freed."""
        return self.recipe[0].name if self.recipe and len(self.recipe) > 1 else None

    # Facts
    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> Any:
        """The type of the elements, NumPy's."""
        return self.data.dtype

    @property
    def device(self) -> Device:
        """Where the array is."""
        return Device(backend_of(self.data))

    @property
    def T(self) -> Tensor:
        """`md.transpose`, all axes reversed: (a, b) -> (b, a)."""
        return ops.transpose(self)

    # Conversion
    def numpy(self) -> np.ndarray:
        """The values as a NumPy array; on the CPU it shares memory with the tensor."""
        return backend_of(self.data).to_host(self.data)

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number. Raises InputError for more or fewer."""
        if self.size != 1:
            raise InputError(f"item: this tensor has shape {self.shape}; only one element is a number")
        return self.data.item()

    def to(self, device: str | Device) -> Tensor:
        """The tensor on that device ("cpu", "cuda"); gradients find their way back."""
        return ops.to_device(self, Device(device))

    def astype(self, dtype: Any) -> Tensor:
        """`md.astype`: in another dtype, recorded."""
        return ops.astype(self, dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad and thread.mode.recording:
            raise InputError("NumPy would make a constant of this tensor, which requires a gradient; join tensors by "
                             "md.stack or md.concatenate, and take the values by x.numpy() or x.detach()")
        if self.device.name != "cpu":
            raise TypeError(f"this tensor is on {self.device.name!r}; ask for its values with .numpy()")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise InputError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self.data)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a tensor without axes has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool((self.data == getattr(value, "item", lambda: value)()).any())

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec else str(self), spec)

    def __repr__(self) -> str:
        prefix = f"{type(self).__name__}("
        parts = [np.array2string(self.numpy(), separator=", ", prefix=prefix, threshold=100, edgeitems=2, precision=4)]
        if self.size > 100:
            parts.append(f"shape={self.shape}")
        if self.dtype != np.float32:
            parts.append(f"dtype={self.dtype}")
        if self.device != "cpu":
            parts.append(f"device={self.device.name!r}")
        if self.made_by:
            parts.append(f"made by {self.made_by}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        return prefix + ", ".join(parts) + ")"

    # Copies are leaves: a history cannot be copied without its graph
    def __copy__(self) -> Tensor:
        return type(self)(self.data, self.requires_grad, name=self.name)  # type: ignore[call-arg,attr-defined,return-value]

    def __deepcopy__(self, memo: Any) -> Tensor:
        return type(self)(self.data.copy(), self.requires_grad, name=self.name)  # type: ignore[call-arg,attr-defined,return-value]

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (type(self), self.numpy(), self.requires_grad, self.device.name, self.name)  # type: ignore[attr-defined]

    # NumPy's own functions
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs.get("out") is not None:
            raise TypeError(f"np.{ufunc.__name__}.{method} (or its out=) does not know Tensors; use x.numpy()")
        return _numpy_function(ufunc.__name__)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ in _ATTRIBUTES:
            return function(np.broadcast_to(0, args[0].shape), *args[1:], **kwargs)
        if function is np.linalg.norm and (len(args) > 1 or "ord" in kwargs):
            raise TypeError("np.linalg.norm of a Tensor is the Euclidean norm, without `ord`; pass the axis by name")
        if function in (np.linalg.diagonal, np.linalg.trace):        # of the last two axes, unlike np.trace
            kwargs = {"axis1": -2, "axis2": -1} | kwargs
        return _numpy_function(function.__name__)(*args, **kwargs)

    # Operators
    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.divide(other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(other, self)

    def __mod__(self, other: Any) -> Tensor:
        return ops.remainder(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return ops.remainder(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __pos__(self) -> Tensor:
        return self  # type: ignore[return-value]

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return ops.equal(self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return ops.not_equal(self, other)

    def __lt__(self, other: Any) -> Tensor:
        return ops.less(self, other)

    def __le__(self, other: Any) -> Tensor:
        return ops.less_equal(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return ops.greater(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return ops.greater_equal(self, other)

    def __and__(self, other: Any) -> Tensor:
        return ops.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Tensor:
        return ops.bitwise_and(other, self)

    def __or__(self, other: Any) -> Tensor:
        return ops.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Tensor:
        return ops.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Tensor:
        return ops.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Tensor:
        return ops.bitwise_xor(other, self)

    def __invert__(self) -> Tensor:
        return ops.invert(self)

    __hash__ = object.__hash__

    def __getitem__(self, key: Any) -> Tensor:
        return ops.getitem(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("a Tensor is not changed in place, its history would lie; build a new one with md.where or "
                        "md.scatter_add, or write to x.data[...] of a leaf")

    # Methods, with NumPy's names and arguments
    def reshape(self, *shape: Any) -> Tensor:
        """`md.reshape`: `x.reshape(2, 3)` or `x.reshape((2, 3))`."""
        return ops.reshape(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """`md.transpose`: `x.transpose(0, 2, 1)`, or all axes reversed."""
        return ops.transpose(self, (axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes) or None)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """`md.swapaxes`: two axes exchanged."""
        return ops.swapaxes(self, axis1, axis2)

    def flatten(self, start: int = 0) -> Tensor:
        """All axes from `start` on as one: `x.flatten(1)` keeps the batch."""
        return ops.reshape(self, (*self.shape[:start], math.prod(self.shape[start:])))

    def ravel(self) -> Tensor:
        """`md.ravel`: all axes as one."""
        return ops.ravel(self)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """`md.diagonal` of the matrices in two axes."""
        return ops.diagonal(self, offset, axis1, axis2)

    def dot(self, other: Any) -> Tensor:
        """`md.dot`: the product of vectors or matrices."""
        return ops.dot(self, other)

    def squeeze(self, axis: Any = None) -> Tensor:
        """`md.squeeze`: without axes of size one."""
        return ops.squeeze(self, axis)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`md.sum` over the axes."""
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`md.mean` over the axes."""
        return ops.mean(self, axis, keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """`md.var` over the axes, with divisor n - ddof."""
        return ops.var(self, axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """`md.std` over the axes, with divisor n - ddof."""
        return ops.std(self, axis, ddof=ddof, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`md.max` over the axes."""
        return ops.max(self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`md.min` over the axes."""
        return ops.min(self, axis, keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`md.prod` over the axes."""
        return ops.prod(self, axis, keepdims)

    def cumsum(self, axis: int | None = None) -> Tensor:
        """`md.cumsum` along an axis."""
        return ops.cumsum(self, axis)

    def cumprod(self, axis: int | None = None) -> Tensor:
        """`md.cumprod`: the running product."""
        return ops.cumprod(self, axis)

    def any(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`md.any` over the axes."""
        return ops.any(self, axis, keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`md.all` over the axes."""
        return ops.all(self, axis, keepdims)

    def argsort(self, axis: int | None = -1) -> Tensor:
        """`md.argsort`: the indices that sort, stably."""
        return ops.argsort(self, axis)

    def argmax(self, axis: int | None = None) -> Tensor:
        """`md.argmax` along an axis."""
        return ops.argmax(self, axis)

    def argmin(self, axis: int | None = None) -> Tensor:
        """`md.argmin` along an axis."""
        return ops.argmin(self, axis)

    def clip(self, a_min: Any = None, a_max: Any = None) -> Tensor:
        """`md.clip` to [a_min, a_max]."""
        return ops.clip(self, a_min, a_max)

    def round(self, decimals: int = 0) -> Tensor:
        """`md.round`: to so many decimals."""
        return ops.round(self, decimals)

    def exp(self) -> Tensor:
        """`md.exp`, elementwise."""
        return ops.exp(self)

    def log(self) -> Tensor:
        """`md.log`, elementwise."""
        return ops.log(self)

    def sqrt(self) -> Tensor:
        """`md.sqrt`, elementwise."""
        return ops.sqrt(self)

    def tanh(self) -> Tensor:
        """`md.tanh`, elementwise."""
        return ops.tanh(self)


def _unpickle(kind: type, data: np.ndarray, requires_grad: bool, device: str, name: str | None) -> Tensor:
    return kind(data, requires_grad, device=device, name=name)


def _numpy_function(name: str) -> Any:
    function = getattr(ops, _ALIASES.get(name, name), None)
    if function is None:
        instead = f"use {_INSTEAD[name]}" if name in _INSTEAD else "dir(minidl.ops) lists what there is"
        raise TypeError(f"np.{name} has no counterpart for Tensors; {instead}, or take the values with x.numpy()")
    return function
