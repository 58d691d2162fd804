"""Gradient clipping, between `backward` and `step`."""
from __future__ import annotations

from collections.abc import Iterable

from minidl import ops
from minidl.backend import backend_of
from minidl.tensor import Tensor, no_grad


@no_grad()
def clip_grad_norm_(params: Tensor | Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients together so that their norm, over all parameters, is at most max_norm (Pascanu et al. 2013).

    Returns the norm before, as a scalar Tensor on the device: nothing waits for it.
    """
    grads = [p.grad for p in _listed(params) if p.grad is not None]
    if not grads:
        return Tensor(0.0)
    norm = ops.norm(ops.stack([ops.norm(g) for g in grads]))
    scale = ops.minimum(max_norm / (norm + 1e-6), 1.0).data
    for g in grads:
        g.data *= scale
    return norm


def clip_grad_value_(params: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit each element of each gradient to [-clip_value, clip_value]."""
    for p in _listed(params):
        if p.grad is not None:
            g = p.grad.data
            backend_of(g).xp.clip(g, -clip_value, clip_value, out=g)


def _listed(params: Tensor | Iterable[Tensor]) -> Iterable[Tensor]:
    return [params] if isinstance(params, Tensor) else params        # a Tensor can be iterated too, over its rows
