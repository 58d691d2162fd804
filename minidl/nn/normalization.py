"""Normalisation of activations over the channels, which are the last axis: (N, C), (N, T, C) or (N, H, W, C) alike.

All subtract a mean and divide by a standard deviation; they differ in what these are taken over, for images:

    BatchNorm      each channel     over the batch and the positions      running averages in evaluation
    InstanceNorm   each channel     over an example's positions
    GroupNorm      some channels    over an example's positions
    LayerNorm      all channels     at each position
    PixelNorm      all channels     at each position, no mean
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import is_number, is_whole
from minidl.backend import Array
from minidl.errors import InputError
from minidl.nn.module import Buffer, Module
from minidl.ops.normalization import far_from_0
from minidl.ops.operands import computed_wide, floating
from minidl.tensor import Parameter, Tensor


class _Affine(Module):
    """The layers' common part: a weight of ones and a bias of zeros for each channel, or None for both."""

    def __init__(self, channels: int, eps: float, affine: bool = True) -> None:
        if not is_whole(channels, 1):
            raise InputError(f"{type(self).__name__}: the number of channels, the size of the last axis, is a whole "
                             f"number of at least 1, not {channels!r}")
        self.channels, self.eps = channels, _positive(type(self).__name__, eps)
        self.weight = Parameter(np.ones(channels, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(channels, np.float32)) if affine else None

    def describe(self) -> str:
        return f"{type(self).__name__}({self.channels})"


class BatchNorm(_Affine):
    """(x - mean) / sqrt(variance + eps) * weight + bias, channel by channel (Ioffe & Szegedy 2015, algorithm 1).

    x (..., num_features). In training, mean and variance are those of the batch, over all axes but the last, and the
    gradient takes into account that x made them. Meanwhile `running_mean` and `running_var` move by the share
    `momentum` towards the batch's mean and unbiased variance (divisor n - 1, as in PyTorch); evaluation uses these. One
    class serves for PyTorch's BatchNorm1d, 2d and 3d. Raises InputError for other channels than `num_features`, and in
    training for a single value per channel, whose variance is 0.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__(num_features, eps, affine)
        if not (is_number(momentum) and 0.0 <= momentum <= 1.0):
            raise InputError(f"BatchNorm: momentum, the share of the new batch, lies between 0 and 1, not {momentum}")
        self.momentum = float(momentum)
        self.running_mean = Buffer(np.zeros(num_features, np.float32))
        self.running_var = Buffer(np.ones(num_features, np.float32))

    def forward(self, x: Any) -> Any:
        self.expect(x, ..., "N", self.channels)
        x = self._in_own_dtype(x)
        if self.training:
            return self._normalised_by_batch(x)
        return ops.standardize(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)

    def _normalised_by_batch(self, x: Any) -> Any:
        n = math.prod(x.shape[:-1])
        if n < 2:
            raise InputError(f"training needs more than one value per channel, and x of shape {x.shape} has {n}; give "
                             "it a larger batch (drop_last=True leaves out a Loader's rest), or call .eval()")
        y, statistics = ops.batch_norm(x, self.weight, self.bias, eps=self.eps)
        self._follow(self.running_mean, statistics[0])
        self._follow(self.running_var, statistics[1] * (n / (n - 1)))
        return y

    def _follow(self, running: Buffer, value: Array) -> None:
        running.data = (running * (1.0 - self.momentum) + value.astype(running.dtype, copy=False) * self.momentum).data

    def _in_own_dtype(self, x: Any) -> Any:
        """x, whole numbers as floats; InputError for floats that are not this layer's."""
        own = self.running_mean.dtype
        if x.dtype != own and x.dtype.kind == "f":
            raise InputError(f"x is {x.dtype}, this layer {own}; convert x with .astype('{own}') or the model with "
                             f".astype('{x.dtype}')")
        return x if x.dtype == own else ops.astype(x, own)


class LayerNorm(_Affine):
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last axis, for each row alone (Ba et al. 2016, eq. 4).

    x (..., num_features). It knows no batch, so training and evaluation are the same and it fits recurrent networks.
    What the critic of WGAN-GP has, over all of an image, is `GroupNorm(1, channels)`. Raises InputError for another
    size of the last axis.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5) -> None:
        super().__init__(num_features, eps)

    def forward(self, x: Any) -> Tensor:
        self.expect(x, ..., self.channels)
        return ops.scale_shift(_standardized(x, (-1,), self.eps), self.weight, self.bias)


class GroupNorm(_Affine):
    """(x - mean) / sqrt(variance + eps) * weight + bias, for each example and group of channels (Wu & He 2018, eq. 7).

    x (N, ..., num_channels). The channels fall into `num_groups` of neighbours, and mean and variance are taken over a
    group's channels and all axes between; weight and bias are one a channel. It does not depend on the batch. Raises
    InputError for groups that do not divide the channels, and for groups of a single value, whose variance is 0.
    """

    def __init__(self, num_groups: int, num_channels: int, *, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(num_channels, eps, affine)
        if not is_whole(num_groups, 1) or num_channels % num_groups:
            raise InputError(f"GroupNorm: {num_groups} groups do not divide {num_channels} channels; their number is "
                             f"one of {', '.join(str(n) for n in range(1, num_channels + 1) if num_channels % n == 0)}")
        self.groups = num_groups

    def forward(self, x: Any) -> Any:
        self.expect(x, ..., "N", self.channels)
        if math.prod(x.shape[1:]) <= self.groups:
            raise InputError(f"it needs more than one value per group in each example, x of shape {x.shape} has one")
        # (N, ..., C) -> (N, positions, groups, C / groups)
        positions = math.prod(x.shape[1:-1])
        grouped = ops.reshape(x, (x.shape[0], positions, self.groups, self.channels // self.groups))
        y = ops.reshape(_standardized(grouped, (1, 3), self.eps), x.shape)
        return y if self.weight is None else ops.scale_shift(y, self.weight, self.bias)

    def describe(self) -> str:
        return f"GroupNorm({self.groups}, {self.channels})"


class InstanceNorm(GroupNorm):
    """GroupNorm with each channel a group: an image loses its contrast, channel by channel (Ulyanov et al. 2016).

    x (N, ..., num_features), with two positions or more in the axes between: with one, and for other channels, it
    raises InputError. Weight and bias come with `affine=True`.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__(num_features, num_features, eps=eps, affine=affine)

    def describe(self) -> str:
        return f"InstanceNorm({self.channels})"


class PixelNorm(Module):
    """x / sqrt(mean of x^2 over the last axis + eps): each pixel's channels on one sphere (Karras et al. 2018, 4.2).

    x (..., C). Slide 74 divides by the Euclidean norm; the paper's vectors have that length times sqrt(C), so that
    their elements are about 1 in size. Raises InputError for an eps that is not above 0.
    """

    def __init__(self, *, eps: float = 1e-8) -> None:
        self.eps = _positive("PixelNorm", eps)

    def forward(self, x: Any) -> Any:
        self.expect(x, ..., "C")
        return _of_unit_size(floating(x), self.eps)


def _positive(name: str, eps: float) -> float:
    if not (is_number(eps) and eps > 0.0):
        raise InputError(f"{name}: eps, which keeps a division by 0 away, is above 0, not {eps!r:.60}")
    return float(eps)


@computed_wide
def _of_unit_size(x: Any, eps: float) -> Any:
    return x / ops.sqrt(ops.mean(x * x, -1, True) + eps)


@computed_wide
def _standardized(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """x with mean 0 and, but for eps, variance 1 over the axes."""
    mean = ops.mean(x, axes, True)
    centred = x - mean
    variance = ops.mean(centred * centred, axes, True)
    if far_from_0(mean, variance) is not None:           # of equal values the mean's rounding is left
        centred = centred - ops.mean(centred, axes, True)
        variance = ops.mean(centred * centred, axes, True)
    return centred / ops.sqrt(variance + eps)
