"""Clipping of gradients, between `backward` and `step`, as functions and transforms; and of weights, after it."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl import ops
from minidl.arguments import is_number
from minidl.backend import backend_of
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.tensor import Tensor
from minidl.writes import mark_written


@no_grad()
def clip_grad_norm_(params: Tensor | Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients together so that their norm, over all parameters, is at most max_norm (Pascanu et al. 2013).

    Returns the norm before, as a scalar Tensor on the device: nothing waits for it. Raises InputError unless max_norm
    is above 0.
    """
    _above_zero("clip_grad_norm_: max_norm", max_norm)
    grads = [p.grad for p in _listed(params) if p.grad is not None]
    if not grads:
        return Tensor(0.0)
    norm = ops.norm(ops.stack([ops.norm(g) for g in grads]))
    scale = ops.minimum(max_norm / (norm + 1e-6), 1.0).data
    for g in grads:
        g.data *= scale
    return norm


def clip_grad_value_(params: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit each element of each gradient to [-clip_value, clip_value]; raises InputError unless that is above 0."""
    _above_zero("clip_grad_value_: clip_value", clip_value)
    for p in _listed(params):
        if p.grad is not None:
            g = p.grad.data
            backend_of(g).xp.clip(g, -clip_value, clip_value, out=g)


def clip_weights_(params: Tensor | Iterable[Tensor], value: float) -> None:
    """Limit each element of each parameter to [-value, value].

    Raises InputError unless value is above 0, and for parameters that are no floats.

    Source: M. Arjovsky, S. Chintala and L. Bottou, "Wasserstein GAN", 2017, algorithm 1.
    """
    _above_zero("clip_weights_: value", value)
    listed = _listed(params)
    for p in listed:
        if p.dtype.kind != "f":
            raise InputError(f"clip_weights_: parameters are floats, not {p.dtype}")
        backend_of(p.data).xp.clip(p.data, -value, value, out=p.data)
    mark_written(listed)


class ClipGradNorm:
    """`clip_grad_norm_` to max_norm as a gradient transform; it returns the norm before.

    Raises InputError unless max_norm is above 0.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = _above_zero("ClipGradNorm: max_norm", max_norm)

    def __call__(self, params: Iterable[Tensor]) -> Tensor:
        return clip_grad_norm_(params, self.max_norm)

    def __repr__(self) -> str:
        return f"ClipGradNorm({self.max_norm:g})"


class ClipGradValue:
    """`clip_grad_value_` to [-value, value] as a gradient transform; raises InputError unless value is above 0."""

    def __init__(self, value: float) -> None:
        self.value = _above_zero("ClipGradValue: value", value)

    def __call__(self, params: Iterable[Tensor]) -> None:
        clip_grad_value_(params, self.value)

    def __repr__(self) -> str:
        return f"ClipGradValue({self.value:g})"


def _above_zero(name: str, value: float) -> float:
    if not (is_number(value) and value > 0.0):
        raise InputError(f"{name} is above 0, not {value!r:.60}")
    return float(value)


def _listed(params: Any) -> list[Tensor]:
    """The parameters as a list: a Tensor could be iterated too, over its rows."""
    listed = [params] if isinstance(params, Tensor) else list(params) if isinstance(params, Iterable) else [params]
    for p in listed:
        if not isinstance(p, Tensor):
            raise InputError(f"clipping takes a list of parameters, such as model.parameters(), not one of "
                             f"{type(p).__name__}")
    return listed
