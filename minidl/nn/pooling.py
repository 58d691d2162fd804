"""Layers that change the resolution of images (N, H, W, C), under PyTorch's names, and the way out to dense layers."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minidl import ops
from minidl.errors import InputError
from minidl.nn.convolution import Pair, short
from minidl.nn.module import Module
from minidl.ops.geometry import pair_of
from minidl.ops.operands import whole_numbers
from minidl.ops.pooling import check_images, check_scale_factor, check_window
from minidl.tensor import Tensor


class _Pool2d(Module):
    def __init__(self, kernel_size: int | Pair, *, stride: int | Pair | None = None, padding: int | Pair = 0,
                 ceil_mode: bool = False) -> None:
        window = check_window(type(self).__name__, kernel_size, stride, padding, ceil_mode)
        self.window, self.ceil_mode = window[:3], window.ceil_mode

    def describe(self) -> str:
        size, stride, padding = self.window
        options = (f", stride={short(stride)}" if stride != size else "") + (
            f", padding={short(padding)}" if any(padding) else "") + ", ceil_mode=True" * self.ceil_mode
        return f"{type(self).__name__}({short(size)}{options})"


class MaxPool2d(_Pool2d):
    """The largest element of each window, as `ops.max_pool2d`: (N, H, W, C) -> (N, OH, OW, C).

    With `return_indices` it gives a pair, the second of which is where they were, for `MaxUnpool2d`. Raises InputError
    for a window of sizes below 1, a padding above half of it, and x that is no batch of images or smaller than a
    window.
    """

    def __init__(self, kernel_size: int | Pair, *, stride: int | Pair | None = None, padding: int | Pair = 0,
                 ceil_mode: bool = False, return_indices: bool = False) -> None:
        super().__init__(kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode)
        self.return_indices = return_indices

    def forward(self, x: Any) -> Any:
        return ops.max_pool2d(x, *self.window, ceil_mode=self.ceil_mode, return_indices=self.return_indices)


class MaxUnpool2d(_Pool2d):
    """Each number to a place in its window, zeros elsewhere, as `ops.max_unpool2d`: (N, OH, OW, C) -> (N, H, W, C).

    Called with `indices`, those of a `MaxPool2d` of the same window; without, all go to the upper left place: a decoder
    that sees nothing but a code does not know where the maxima were. Raises InputError for indices that do not fit.
    """

    def __init__(self, kernel_size: int | Pair, *, stride: int | Pair | None = None, padding: int | Pair = 0) -> None:
        super().__init__(kernel_size, stride=stride, padding=padding)

    def forward(self, x: Any, indices: Any = 0, output_size: Pair | None = None) -> Tensor:
        return ops.max_unpool2d(x, indices, *self.window, output_size)


class AvgPool2d(_Pool2d):
    """The mean of each window, as `ops.avg_pool2d`: (N, H, W, C) -> (N, OH, OW, C).

    Its errors are those of `MaxPool2d`.
    """

    def forward(self, x: Any) -> Tensor:
        return ops.avg_pool2d(x, *self.window, ceil_mode=self.ceil_mode)


class GlobalAvgPool2d(Module):
    """The mean of each channel over the whole image: (N, H, W, C) -> (N, C) (Lin, Chen & Yan 2014).

    Raises InputError for x that is no batch of images.
    """

    def forward(self, x: Any) -> Tensor:
        check_images("GlobalAvgPool2d", x)
        return ops.mean(x, axis=(1, 2))


class Upsample(Module):
    """Images of another size: (N, H, W, C) -> (N, scale_factor H, scale_factor W, C), or (N, *size, C).

    By whole factors as `ops.upsample`; to a given size, with `mode="bilinear"`, as `ops.interpolate`. Raises InputError
    unless there is one of the two, for sizes below 1, an unknown mode, and x that is no batch of images.
    """

    def __init__(self, scale_factor: int | Pair | None = None, *, size: int | Pair | None = None,
                 mode: str = "nearest") -> None:
        if (scale_factor is None) == (size is None) or size is not None and mode != "bilinear":
            raise InputError(f"Upsample: give scale_factor, or size with mode='bilinear', not scale_factor="
                             f"{scale_factor}, size={size}, mode={mode!r}")
        self.scale_factor: Any = None if scale_factor is None else check_scale_factor(scale_factor, mode)
        self.size = None if size is None else pair_of("Upsample", "size", size, 1)
        self.mode = mode

    def forward(self, x: Any) -> Tensor:
        if self.size is not None:
            return ops.interpolate(x, self.size)
        return ops.upsample(x, self.scale_factor, self.mode)

    def describe(self) -> str:
        to = f"size={self.size}" if self.scale_factor is None else short(self.scale_factor)
        return f"Upsample({to}, mode={self.mode!r})"


class Unflatten(Module):
    """Rows as images again, or any other shape: (N, features) -> (N, *shape); what `Flatten` does, undone.

    Raises InputError for rows of another number of features.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(whole_numbers("Unflatten: sizes", shape))

    def forward(self, x: Any) -> Tensor:
        self.expect(x, "N", math.prod(self.shape))
        return ops.reshape(x, (x.shape[0], *self.shape))

    def describe(self) -> str:
        return f"Unflatten({self.shape})"


class Flatten(Module):
    """Each example as one row of features: (N, ...) -> (N, features); of images pixel by pixel, channels innermost."""

    def forward(self, x: Any) -> Tensor:
        self.expect(x, "N", *getattr(x, "shape", ())[1:])
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))
