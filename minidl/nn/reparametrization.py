"""Layers whose weight is computed from other parameters at every forward pass.

Each wraps a layer with a `weight`, such as Linear, Conv2d or ConvTranspose2d. What is learned stays in `layer.weight`,
or beside it; while the layer runs, the computed weight takes its place.
"""
from __future__ import annotations

import math
from typing import Any

from minidl import ops
from minidl.backend import Array
from minidl.errors import InputError
from minidl.nn import init
from minidl.nn.convolution import ConvTranspose2d
from minidl.nn.module import Buffer, Module
from minidl.randomness import Seed, generator
from minidl.tensor import Parameter, Tensor


class Reparametrized(Module):
    """The wrappers' common part: `layer` runs with the weight that `computed_weight` makes.

    Shapes are those of `layer`. Raises InputError for a layer without a parameter `weight` of two axes or more.
    """

    def __init__(self, layer: Any) -> None:
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, Parameter) or weight.ndim < 2:
            raise InputError(f"{type(self).__name__}: {type(layer).__name__} has no parameter `weight` of two axes or "
                             "more; it wraps a layer such as nn.Linear(784, 100, rng=rng)")
        self.layer = layer

    def computed_weight(self) -> Tensor:
        """The weight that the layer runs with, made from what is learned: of the same shape as `layer.weight`."""
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        """What the layer makes of x with the computed weight, in the layer's shapes."""
        learned = self.layer.weight
        self.layer.weight = self.computed_weight()
        try:
            return self.layer(x)
        finally:
            self.layer.weight = learned            # and the graph goes with the result


class WeightNorm(Reparametrized):
    """Weight normalisation: each output's weights are gain * v / |v| (Salimans & Kingma 2016, eq. 2; slide 73).

    v is `layer.weight`, and `gain`, of the shape (outputs), starts as |v|, so that wrapping changes nothing at first.
    Length and direction are learned apart, which makes the steps along the direction smaller the longer v grows.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.gain = Parameter(ops.norm(_matrix(layer, layer.weight.data), axis=0))

    def computed_weight(self) -> Tensor:
        v = _matrix(self.layer, self.layer.weight)
        return _from_matrix(self.layer, v * (self.gain / (ops.norm(v, axis=0) + 1e-12)))      # a v of zeros stays


class EqualizedLR(Reparametrized):
    """Equalised learning rate: the weight is `layer.weight` * gain / sqrt(fan_in) (Karras et al. 2018, 4.1; slide 73).

    `layer.weight` is drawn anew from N(0, 1), so the computed weight starts as He's, with the default gain for ReLUs;
    a layer with none behind it takes gain=1. Adam and RMSProp move every parameter by about the learning rate, whatever
    its gradient: now all layers' weights have the same size, and so learn at the same speed.
    """

    def __init__(self, layer: Any, *, rng: Seed, gain: float = math.sqrt(2.0)) -> None:
        super().__init__(layer)
        weight = layer.weight
        weight.data[...] = weight.device.put(init.normal(weight.shape, rng=generator(rng, "EqualizedLR"), std=1.0))
        self.scale = float(gain) / math.sqrt(_matrix(layer, weight.data).shape[0])

    def computed_weight(self) -> Tensor:
        return self.layer.weight * self.scale

    def describe(self) -> str:
        return f"EqualizedLR({self.scale:.4g})"


class SpectralNorm(Reparametrized):
    """Spectral normalisation: the weight is `layer.weight` / sigma, its largest singular value (Miyato et al. 2018).

    With the weight as a matrix W (inputs, outputs), sigma = v W u. The buffers u (outputs) and v (inputs) approach the
    singular vectors by `n_power_iterations` of v <- W u / |W u|, u <- v W / |v W| at each forward pass in training
    (algorithm 1 there); the gradient takes them for constants. They start from a draw and 15 iterations. Raises
    InputError for less than one iteration, and a layer without a weight.
    """

    def __init__(self, layer: Any, *, rng: Seed, n_power_iterations: int = 1) -> None:
        super().__init__(layer)
        if n_power_iterations < 1:
            raise InputError(f"SpectralNorm: n_power_iterations is 1 or more, not {n_power_iterations}")
        self.n_power_iterations = n_power_iterations
        matrix = _matrix(layer, layer.weight.data)
        drawn = init.normal(matrix.shape[1:], rng=generator(rng, "SpectralNorm"), std=1.0).astype(matrix.dtype)
        self.u = Buffer(drawn, device=layer.weight.device)
        self.v = Buffer(matrix @ self.u.data)
        self._iterate(15)

    def forward(self, x: Any) -> Any:
        if self.training:
            self._iterate(self.n_power_iterations)
        return super().forward(x)

    def _iterate(self, times: int) -> None:
        W, u, v = _matrix(self.layer, self.layer.weight.data), self.u.data, self.v.data
        for _ in range(times):
            v = _unit(W @ u)
            u = _unit(v @ W)
        self.u.data, self.v.data = u, v            # new arrays: an earlier pass of the same step keeps its own

    def computed_weight(self) -> Tensor:
        weight = self.layer.weight
        sigma = ops.sum(_matrix(self.layer, weight) @ self.u * self.v)
        return weight / sigma


def _unit(x: Array) -> Array:
    return x / (ops.norm(x) + 1e-12)


def _matrix(layer: Any, weight: Any) -> Any:
    """The weight as (inputs of an output, outputs)."""
    if isinstance(layer, ConvTranspose2d):         # (KH, KW, O / groups, C): its last axis are the inputs, by group
        kh, kw, outputs, _ = weight.shape
        weight = ops.swapaxes(ops.reshape(weight, (kh, kw, outputs, layer.groups, -1)), 2, 4)
        return ops.reshape(weight, (-1, layer.groups * outputs))
    return ops.reshape(weight, (-1, weight.shape[-1]))


def _from_matrix(layer: Any, matrix: Any) -> Any:
    """The inverse of `_matrix`: the weight in its own shape."""
    shape = layer.weight.shape
    if isinstance(layer, ConvTranspose2d):
        kh, kw, outputs, _ = shape
        matrix = ops.swapaxes(ops.reshape(matrix, (kh, kw, -1, layer.groups, outputs)), 2, 4)
    return ops.reshape(matrix, shape)
