"""Convolutional layers over images (N, H, W, C), with PyTorch's names and defaults."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import is_whole
from minidl.errors import InputError
from minidl.kernels import Pair
from minidl.nn import init
from minidl.nn.module import Module
from minidl.ops.geometry import geometry_of, pair_of
from minidl.randomness import Seed, generator
from minidl.rows import check_count
from minidl.tensor import Parameter, Tensor


class Conv2d(Module):
    """Slide a kernel over images: (N, H, W, in_channels) -> (N, OH, OW, out_channels) (LeCun et al. 1989).

    Every output pixel is a linear function of the window of the image below it, with the same weight everywhere. The
    weight is (KH, KW, in_channels / groups, out_channels); OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1.
    A number stands for a (vertical, horizontal) pair. `groups=in_channels` is a depthwise convolution.

    `weight_init(shape, rng=)` is one of `nn.init`, by default He's uniform; biases start at 0. Raises InputError for
    sizes below 1, channels that `groups` does not divide, other channels than `in_channels`, and images that are
    smaller, padded, than the kernel.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | Pair, *, rng: Seed,
                 stride: int | Pair = 1, padding: int | Pair = 0, dilation: int | Pair = 1, groups: int = 1,
                 bias: bool = True, weight_init: Callable[..., np.ndarray] = init.he_uniform) -> None:
        kernel, geometry = geometry_of("Conv2d", kernel_size, stride, padding, dilation, groups)
        _check_channels("Conv2d", in_channels, out_channels, groups)
        self.in_channels, self.kernel_size = in_channels, kernel
        self.stride, self.padding, self.dilation, self.groups = geometry
        drawn = weight_init((*kernel, in_channels // groups, out_channels), rng=generator(rng, "Conv2d"))
        self.weight = Parameter(drawn)
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Any) -> Tensor:
        self.expect(x, "N", "H", "W", self.in_channels)
        return ops.conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding, dilation=self.dilation,
                          groups=self.groups)

    def describe(self) -> str:
        return f"Conv2d({self.in_channels}, {self.weight.shape[3]}, {_options(self)})"


class Conv1d(Module):
    """Slide a kernel along sequences: (N, L, in_channels) -> (N, OL, out_channels) (Waibel et al. 1989).

    The weight is (K, in_channels / groups, out_channels); OL = (L + 2 padding - dilation (K - 1) - 1) // stride + 1.
    Initial values and errors are those of `Conv2d`.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, rng: Seed, stride: int = 1,
                 padding: int = 0, dilation: int = 1, groups: int = 1, bias: bool = True,
                 weight_init: Callable[..., np.ndarray] = init.he_uniform) -> None:
        self.kernel_size, self.stride, self.padding, self.dilation, self.groups = (
            check_count("Conv1d", what, value, least) for what, value, least in (
                ("kernel_size", kernel_size, 1), ("stride", stride, 1), ("padding", padding, 0),
                ("dilation", dilation, 1), ("groups", groups, 1)))
        _check_channels("Conv1d", in_channels, out_channels, groups)
        self.in_channels = in_channels
        drawn = weight_init((kernel_size, in_channels // groups, out_channels), rng=generator(rng, "Conv1d"))
        self.weight = Parameter(drawn)
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Any) -> Tensor:
        self.expect(x, "N", "L", self.in_channels)
        return ops.conv1d(x, self.weight, self.bias, stride=self.stride, padding=self.padding, dilation=self.dilation,
                          groups=self.groups)

    def describe(self) -> str:
        usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
        options = [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return f"Conv1d({', '.join(map(str, [self.in_channels, self.weight.shape[2], self.kernel_size, *options]))})"


class ConvTranspose2d(Module):
    """The transpose of a convolution, to make images larger: (N, H, W, in_channels) -> (N, H', W', out_channels).

    Every input pixel spreads the kernel, weighted by its channels, over the output: H' = (H - 1) stride - 2 padding +
    dilation (KH - 1) + 1 + output_padding. The weight (KH, KW, out_channels / groups, in_channels) is that of the
    convolution which would bring the output back to the input's size. A kernel that the stride does not divide leaves
    a checkerboard (Odena et al. 2016).

    Initial values and errors are those of `Conv2d`: `weight_init` draws (KH, KW, in_channels / groups, out_channels).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | Pair, *, rng: Seed,
                 stride: int | Pair = 1, padding: int | Pair = 0, output_padding: int | Pair = 0,
                 dilation: int | Pair = 1, groups: int = 1, bias: bool = True,
                 weight_init: Callable[..., np.ndarray] = init.he_uniform) -> None:
        kernel, geometry = geometry_of("ConvTranspose2d", kernel_size, stride, padding, dilation, groups)
        _check_channels("ConvTranspose2d", in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding, self.dilation, self.groups = geometry
        self.output_padding = pair_of("ConvTranspose2d", "output_padding", output_padding, 0)
        drawn = weight_init((*kernel, in_channels // groups, out_channels), rng=generator(rng, "ConvTranspose2d"))
        drawn = drawn.reshape(*kernel, in_channels // groups, groups, -1).swapaxes(2, 4)
        self.weight = Parameter(np.ascontiguousarray(drawn).reshape(*kernel, -1, in_channels))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Any) -> Tensor:
        self.expect(x, "N", "H", "W", self.in_channels)
        return ops.conv_transpose2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding,
                                    output_padding=self.output_padding, dilation=self.dilation, groups=self.groups)

    def describe(self) -> str:
        return f"ConvTranspose2d({self.in_channels}, {self.out_channels}, {_options(self)})"


def _options(layer: Conv2d | ConvTranspose2d) -> str:
    """The kernel, and what is not as usual: "3x3, stride=2"."""
    usual: Any = {"stride": (1, 1), "padding": (0, 0), "output_padding": (0, 0), "dilation": (1, 1), "groups": 1}
    found = {name: getattr(layer, name, usual[name]) for name in usual}
    options = [f"{name}={short(value)}" for name, value in found.items() if value != usual[name]]
    return ", ".join(["x".join(map(str, layer.kernel_size)), *options])


def short(value: int | Pair) -> str:
    """A pair of equal numbers as one of them."""
    return str(value[0] if isinstance(value, tuple) and value[0] == value[1] else value)


def _check_channels(name: str, in_channels: int, out_channels: int, groups: int) -> None:
    if not (is_whole(in_channels, 1) and is_whole(out_channels, 1)):
        raise InputError(f"{name}: there is at least one channel, not {in_channels!r:.60} and {out_channels!r:.60}")
    if in_channels % groups or out_channels % groups:
        fitting = [n for n in range(1, in_channels + 1) if in_channels % n == out_channels % n == 0]
        raise InputError(f"{name}: groups={groups} do not divide {in_channels} input and {out_channels} output "
                         f"channels; their number is one of {', '.join(map(str, fitting))}")
