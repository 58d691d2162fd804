"""Whole derivatives of a function of one Tensor: its Jacobian, its Hessian, and the Hessian times a vector."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minidl.backend import backend_of
from minidl.errors import InputError
from minidl.modes import thread
from minidl.ops import reshape, stack, sum
from minidl.tensor import Tensor, grad


def jacobian(f: Callable[[Tensor], Tensor], x: Any, *, create_graph: bool = False) -> Tensor:
    """All derivatives of `f(x)` by `x`, an array or Tensor of floats: of shape (*f(x).shape, *x.shape).

    It costs a backward pass for each element of `f(x)`; what f does not depend on has zeros. With `create_graph` the
    result is recorded and can be differentiated again, also by what else f depends on. Hold further arguments of f with
    a lambda. Raises InputError within `no_grad`, and if `f` gives no Tensor.
    """
    x = _point("jacobian", x)
    y = _value("jacobian", f, x)
    xp = backend_of(x.data).xp
    rows = []
    for i in range(y.size):
        one = xp.zeros(y.size, dtype=y.dtype)
        one[i] = 1.0
        rows += gradients(y, [x], one.reshape(y.shape), create_graph=create_graph)
    return reshape(stack(rows), (*y.shape, *x.shape)) if rows else Tensor(xp.zeros((*y.shape, *x.shape), dtype=x.dtype))


def hessian(f: Callable[[Tensor], Tensor], x: Any, *, create_graph: bool = False) -> Tensor:
    """All second derivatives of the number `f(x)` by `x`: of shape (*x.shape, *x.shape).

    It costs a backward pass for each element of x, and one more. Arguments and errors are those of `jacobian`; also
    raises InputError where `f(x)` is more than a number.
    """
    return jacobian(lambda x: _slope("hessian", f, x), _point("hessian", x), create_graph=create_graph)


def hvp(f: Callable[[Tensor], Tensor], x: Any, v: Any, *, create_graph: bool = False) -> Tensor:
    """The Hessian of the number `f(x)` times `v`, of x's shape, in two backward passes (Pearlmutter 1994).

    Arguments and errors are those of `hessian`; also raises InputError for a `v` of another shape.
    """
    x, v = _point("hvp", x), v if isinstance(v, Tensor) else Tensor(v)
    if v.shape != x.shape:
        raise InputError(f"hvp: v has shape {v.shape}, x {x.shape}; they must be equal")
    return gradients(sum(_slope("hvp", f, x) * v), [x], create_graph=create_graph)[0]


def gradients(y: Tensor, xs: Sequence[Tensor], gradient: Any = None, *, create_graph: bool = False) -> list[Tensor]:
    """What `grad` gives, with zeros for a tensor that y does not depend on; the graph is kept."""
    if y.requires_grad:
        try:
            return grad(y, xs, gradient, create_graph=create_graph, retain_graph=True)
        except InputError as error:
            if "does not depend on" not in str(error):           # a rule's own error is no zero gradient
                raise
    if len(xs) == 1:
        return [Tensor(backend_of(xs[0].data).xp.zeros_like(xs[0].data))]
    return [g for x in xs for g in gradients(y, [x], gradient, create_graph=create_graph)]


def _point(name: str, x: Any) -> Tensor:
    """x itself if it is recorded already, else a leaf of its own."""
    if not thread.mode.recording:
        raise InputError(f"{name}: nothing is recorded within no_grad(), so there is no derivative; call it outside")
    return x if isinstance(x, Tensor) and x.requires_grad else Tensor(x, requires_grad=True)


def _value(name: str, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    y = f(x)
    if not isinstance(y, Tensor):
        raise InputError(f"{name}: f gives a {type(y).__name__}, not a Tensor; write it with operations of md, and "
                         "md.stack several results")
    return y


def _slope(name: str, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a number, recorded."""
    y = _value(name, f, x)
    if y.size != 1:
        raise InputError(f"{name}: f(x) has shape {y.shape}, and a Hessian is that of a number; reduce it with md.sum, "
                         "or take md.jacobian of md.jacobian")
    return gradients(y, [x], create_graph=True)[0]
