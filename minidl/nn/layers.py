"""Layers of dense networks. Hyper-parameters are keyword-only, names and defaults are PyTorch's."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minidl import ops
from minidl.errors import InputError
from minidl.nn import init
from minidl.nn.module import Module
from minidl.ops.activation import check_slope
from minidl.randomness import Seed, generator
from minidl.tensor import Parameter, Tensor


class Sequential(Module):
    """Modules applied one after the other; `model[i]` is the i-th, `model[a:b]` a Sequential that shares them."""

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                shown = " ".join(repr(layer).split())
                raise InputError(f"Sequential: argument {i} is {shown:.60}, not a Module; a class needs its (), "
                                 "a list a * before it")
            setattr(self, str(i), layer)

    def forward(self, x: Any) -> Any:
        for layer in self:
            x = layer(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (layer for _, layer in self.children())

    def __len__(self) -> int:
        return len(list(self.children()))

    def __getitem__(self, i: int | slice) -> Any:
        layers = list(self)
        return Sequential(*layers[i]) if isinstance(i, slice) else layers[i]


class Linear(Module):
    """x @ weight + bias: (..., in_features) -> (..., out_features), with weight (in_features, out_features).

    `weight_init(shape, rng=)` is one of `nn.init`, by default Glorot's uniform; biases start at 0.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, rng: Seed,
                 weight_init: Callable[..., np.ndarray] = init.glorot_uniform) -> None:
        if in_features < 1 or out_features < 1:
            raise InputError(f"Linear: sizes are 1 or more, not {in_features} and {out_features}")
        self.weight = Parameter(weight_init((in_features, out_features), rng=generator(rng, "Linear")))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    def forward(self, x: Any) -> Tensor:
        self.expect(x, ..., "N", self.weight.shape[0])
        return ops.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        return f"Linear({self.weight.shape[0]}, {self.weight.shape[1]})"


class ReLU(Module):
    def forward(self, x: Any) -> Tensor:
        return ops.relu(x)


class LeakyReLU(Module):
    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = check_slope(negative_slope)

    def forward(self, x: Any) -> Tensor:
        return ops.leaky_relu(x, self.negative_slope)

    def describe(self) -> str:
        return f"LeakyReLU({self.negative_slope})"


class ELU(Module):
    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = float(alpha)

    def forward(self, x: Any) -> Tensor:
        return ops.elu(x, self.alpha)


class GELU(Module):
    def forward(self, x: Any) -> Tensor:
        return ops.gelu(x)


class Sigmoid(Module):
    def forward(self, x: Any) -> Tensor:
        return ops.sigmoid(x)


class Tanh(Module):
    def forward(self, x: Any) -> Tensor:
        return ops.tanh(x)


class Softplus(Module):
    def forward(self, x: Any) -> Tensor:
        return ops.softplus(x)


class Softmax(Module):
    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Tensor:
        return ops.softmax(x, self.axis)
