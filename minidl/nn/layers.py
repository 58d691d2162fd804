"""Layers of dense networks. Hyper-parameters are keyword-only, names and defaults are PyTorch's."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import is_whole
from minidl.errors import InputError
from minidl.nn import init
from minidl.nn.module import Module
from minidl.ops.activation import check_approximate, check_slope
from minidl.randomness import Seed, generator
from minidl.tensor import Parameter, Tensor


class Sequential(Module):
    """Modules applied one after the other; `model[i]` is the i-th, `model[a:b]` a Sequential that shares them.

    The shapes are those of its layers: the first one's input, the last one's output. Raises InputError for an argument
    that is no Module.
    """

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

    `weight_init(shape, rng=)` is one of `nn.init`, by default Glorot's uniform; biases start at 0. Raises InputError
    for sizes below 1, and for x of another width or of less than two axes.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, rng: Seed,
                 weight_init: Callable[..., np.ndarray] = init.glorot_uniform) -> None:
        if not (is_whole(in_features, 1) and is_whole(out_features, 1)):
            raise InputError(f"Linear: sizes are 1 or more, not {in_features!r:.60} and {out_features!r:.60}")
        self.weight = Parameter(weight_init((in_features, out_features), rng=generator(rng, "Linear")))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    def forward(self, x: Any) -> Tensor:
        self.expect(x, ..., "N", self.weight.shape[0])
        return ops.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        return f"Linear({self.weight.shape[0]}, {self.weight.shape[1]})"


class ReLU(Module):
    """max(x, 0), elementwise: (...) -> (...); the gradient at 0 is 0.

    Source: V. Nair and G. Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
    """

    def forward(self, x: Any) -> Tensor:
        return ops.relu(x)


class LeakyReLU(Module):
    """x where it is positive, else negative_slope x, elementwise: (...) -> (...); the gradient at 0 is that slope.

    Raises InputError for a slope outside [0, 1].

    Source: A. Maas, A. Hannun and A. Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = check_slope(negative_slope)

    def forward(self, x: Any) -> Tensor:
        return ops.leaky_relu(x, self.negative_slope)

    def describe(self) -> str:
        return f"LeakyReLU({self.negative_slope})"


class ELU(Module):
    """x where it is positive, else alpha (exp(x) - 1), elementwise: (...) -> (...).

    The gradient at 0 is alpha: with alpha = 1 there is no kink.

    Source: D. Clevert, T. Unterthiner and S. Hochreiter, "Fast and accurate deep network learning by exponential linear
    units (ELUs)", 2016.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = float(alpha)

    def forward(self, x: Any) -> Tensor:
        return ops.elu(x, self.alpha)


class GELU(Module):
    """x Phi(x), Phi the normal distribution function, elementwise: (...) -> (...).

    With `approximate="tanh"`, the default here, Phi is in its tanh form, x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715
    x^3))), which is smooth and within 0.001 of the exact one; with "none", PyTorch's default, Phi is exact. Raises
    InputError for another form.

    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", 2016.
    """

    def __init__(self, approximate: str = "tanh") -> None:
        self.approximate = check_approximate(approximate)

    def forward(self, x: Any) -> Tensor:
        return ops.gelu(x, self.approximate)

    def describe(self) -> str:
        return "GELU()" if self.approximate == "tanh" else f"GELU(approximate={self.approximate!r})"


class Sigmoid(Module):
    """The logistic function 1 / (1 + exp(-x)), elementwise: (...) -> (...), in [0, 1]; it does not overflow."""

    def forward(self, x: Any) -> Tensor:
        return ops.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent, elementwise: (...) -> (...), in [-1, 1]."""

    def forward(self, x: Any) -> Tensor:
        return ops.tanh(x)


class Softplus(Module):
    """log(1 + exp(x)), a smooth ReLU whose slope is the logistic function, elementwise: (...) -> (...).

    Source: C. Dugas et al., "Incorporating second-order functional knowledge for better option pricing", 2001.
    """

    def forward(self, x: Any) -> Tensor:
        return ops.softplus(x)


class Softmax(Module):
    """exp(x) / sum(exp(x)) along an axis, by default the last: (...) -> (...), in [0, 1] with sum 1; without overflow.

    Losses take what is before it: `cross_entropy(logits, ...)`.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Tensor:
        return ops.softmax(x, self.axis)
