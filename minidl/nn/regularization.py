"""Regularisation by layers and penalties: dropout, DropConnect, L1.

The other tricks live where they act: weight decay in the optimisers, early stopping in `training.fit`, label smoothing
in `cross_entropy`, shifted and rotated images in `data.augmentation`, averaged weights in `optim.EMA`.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidl import ops
from minidl.arguments import is_number
from minidl.errors import InputError
from minidl.nn.module import Module
from minidl.nn.reparametrization import Reparametrized
from minidl.ops.operands import floating, operand
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of
from minidl.tensor import Tensor


class Dropout(Module):
    """In training, zero each element with probability p and scale the others by 1 / (1 - p) (Srivastava et al. 2014).

    (...) -> (...). `rng` is an int, a Generator or a RandomStream. Layers that are given the same Generator or
    RandomStream share it, and a checkpoint saves it. Raises InputError for a p outside [0, 1).
    """

    def __init__(self, p: float = 0.5, *, rng: Seed) -> None:
        self.p = _probability("Dropout", p)
        self.stream = RandomStream.of(rng, "Dropout")

    def forward(self, x: Any) -> Any:
        return _dropped(x, self.p, self.stream) if self.training and self.p else x

    def describe(self) -> str:
        return f"Dropout({self.p})"


class DropConnect(Reparametrized):
    """In training, drop the weights of `layer` as Dropout drops elements (Wan et al. 2013).

    The layer is a Linear, a convolution, or another one with a `weight`; its bias stays. All examples of a batch share
    one mask (the paper draws one for each), and evaluation uses all weights, the mean of what training used. Shapes are
    those of `layer`. Raises InputError for a p outside [0, 1), and a layer without a weight.
    """

    def __init__(self, layer: Any, p: float = 0.5, *, rng: Seed) -> None:
        super().__init__(layer)
        self.p = _probability("DropConnect", p)
        self.stream = RandomStream.of(rng, "DropConnect")

    def forward(self, x: Any) -> Any:
        return super().forward(x) if self.training and self.p else self.layer(x)

    def computed_weight(self) -> Tensor:
        return _dropped(self.layer.weight, self.p, self.stream)

    def describe(self) -> str:
        return f"DropConnect({self.p})"


def l1_penalty(params: Iterable[Tensor]) -> Tensor:
    """The sum of |p| over all elements of all parameters; its gradient at 0 is 0.

    Added to a loss it draws weights to 0: `nn.mse_loss(model(x), y) + 1e-4 * nn.l1_penalty(model.parameters())`
    (Tibshirani 1996). For the squares there is the optimisers' `weight_decay`. Raises InputError for no parameters.
    """
    if isinstance(params, Module) or not isinstance(params, Iterable):
        raise InputError(f"l1_penalty: give a list of parameters, such as model.parameters(), not "
                         f"{type(params).__name__}")
    terms = [ops.sum(ops.abs(operand(p))) for p in params]
    if not terms:
        raise InputError("l1_penalty: there are no parameters; give model.parameters()")
    return ops.sum(ops.stack(terms))


def _dropped(x: Any, p: float, stream: RandomStream) -> Any:
    x = floating(x)
    kept = stream.uniform(x.shape, like=array_of(x)) >= p
    return x * (kept.astype(x.dtype) * (1.0 / (1.0 - p)))


def _probability(name: str, p: float) -> float:
    if not (is_number(p) and 0.0 <= p < 1.0):
        raise InputError(f"{name}: p is a probability from 0 to below 1, not {p!r:.60}")
    return float(p)
