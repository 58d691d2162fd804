"""How a kernel is moved over an image, and the checks of what convolutions are given."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minidl.errors import InputError
from minidl.kernels import Pair, places


class Geometry(NamedTuple):
    """How a kernel is moved over an image: each pair is (vertical, horizontal)."""

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def reach(self, kernel: Pair) -> Pair:
        """How many pixels the dilated kernel spans."""
        return self.dilation[0] * (kernel[0] - 1) + 1, self.dilation[1] * (kernel[1] - 1) + 1

    def positions(self, size: Pair, kernel: Pair) -> Pair:
        """The size of the result: at how many places the kernel fits."""
        return places(size, kernel, self.stride, self.padding, self.dilation)


def geometry_of(name: str, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> tuple[Pair, Geometry]:
    """The kernel's size and its Geometry, numbers made pairs. Raises InputError for what is none, or too small."""
    if not isinstance(groups, int | np.integer) or groups < 1:
        raise InputError(f"{name}: groups is a whole number of 1 or more, not {groups!r}")
    return pair_of(name, "kernel_size", kernel, 1), Geometry(
        pair_of(name, "stride", stride, 1), pair_of(name, "padding", padding, 0),
        pair_of(name, "dilation", dilation, 1), int(groups))


def pair_of(name: str, what: str, value: Any, least: int) -> Pair:
    """A whole number, or a pair of them, as a pair. Raises InputError for anything else, and for less than `least`."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(isinstance(n, int | np.integer) and n >= least for n in pair):
        hint = "; with an odd kernel, kernel_size // 2 keeps the size" if isinstance(value, str) else ""
        raise InputError(f"{name}: {what} is a whole number of {least} or more, or a pair of them, not {value!r:.60}"
                         f"{hint}")
    return int(pair[0]), int(pair[1])


def check_axes(name: str, x: Any, W: Any) -> None:
    """Raise InputError unless images x (N, H, W, C) and a kernel W (KH, KW, C, O) have their four axes."""
    if x.ndim != 4 or W.ndim != 4:
        raise InputError(f"{name}: x of shape {x.shape} and W of shape {W.shape} need four axes each, images "
                         "(N, H, W, C) and a kernel (KH, KW, C, O)")


def check_fit(name: str, size: Pair, kernel: Pair, geometry: Geometry) -> None:
    """Raise InputError for a kernel that is larger than the padded image."""
    if min(geometry.positions(size, kernel)) < 1:
        padded = tuple(n + 2 * p for n, p in zip(size, geometry.padding, strict=True))
        dilated = f" (with dilation {_by(geometry.reach(kernel))})" if geometry.dilation != (1, 1) else ""
        raise InputError(f"{name}: a kernel of {_by(kernel)}{dilated} is larger than the image of {_by(size)}, "
                         f"padded {_by(padded)}; pad more, or take a smaller kernel")


def _by(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))


def check_bias(name: str, b: Any, channels: int) -> None:
    """Raise InputError unless b is None or has a number for each channel."""
    if b is not None and b.shape != (channels,):
        raise InputError(f"{name}: b of shape {b.shape} does not fit {channels} output channels; it is ({channels},)")
