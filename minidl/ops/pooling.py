"""Pooling and resampling of images (N, H, W, C): one number for each window of pixels, or several for each pixel.

Two primitives, both linear, are each the other's rule, so every order of derivative works. `_collect` takes from each
window the sum, or the one element that was chosen; `_spread` brings one value a window back to all its places, or to
the chosen one. Average pooling is the first, nearest upsampling the second, and the gradient of max pooling is the
second again, with the places of the maxima as the choice: integers, which no gradient needs to pass. Max unpooling is
that gradient as an operation of its own.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minidl.backend import Array
from minidl.errors import InputError
from minidl.kernels import Pair, places
from minidl.ops.arithmetic import astype
from minidl.ops.geometry import pair_of
from minidl.ops.linalg import matmul
from minidl.ops.shape import reshape
from minidl.rows import array_of, slices
from minidl.tensor import Tensor, primitive

_BLOCK = 500_000       # numbers at a time: what the first place of a window has read, the next finds in the cache


class Window(NamedTuple):
    """A window and how it is moved over an image: each pair is (vertical, horizontal)."""

    size: Pair
    stride: Pair
    padding: Pair = (0, 0)
    ceil_mode: bool = False            # whether a last window, begun before the image's end, may reach beyond

    def positions(self, image: Pair) -> Pair:
        """At how many places the window fits into the padded image."""
        if not self.ceil_mode:
            return places(image, self.size, self.stride, self.padding)
        oh, ow = (min(-((k - n - 2 * p) // s), (n + p - 1) // s) + 1           # the last begins before the padding
                  for n, k, s, p in zip(image, *self[:3], strict=True))
        return oh, ow

    def tiles(self, image: Pair) -> bool:
        """Whether each pixel belongs to exactly one window."""
        return self.stride == self.size and self.padding == (0, 0) and not any(
            n % k for n, k in zip(image, self.size, strict=True))


# The operations -------------------------------------------------------------------------------------------------------


def max_pool2d(x: Any, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0, *,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """The largest element of each window, for each channel: (N, H, W, C) -> (N, OH, OW, C).

    OH = (H + 2 padding - kernel_size) // stride + 1, OW likewise. A number stands for a (vertical, horizontal) pair. By
    default the stride is the kernel's size. With `ceil_mode` OH and OW are rounded up: a last window may reach beyond
    the padded image, but begins within the image or the padding before it. What lies outside the image is never the
    largest. Of several maxima the first, row by row, takes the gradient.

    With `return_indices` the result is a pair: the maxima, and for each the number of its place in its window, row by
    row (the "switches" of Zeiler & Fergus 2014), which `max_unpool2d` takes. (PyTorch counts in the whole image.)

    Raises InputError for sizes that do not fit, and for a padding above half the kernel.
    """
    window = _fitting("max_pool2d", x, kernel_size, stride, padding, ceil_mode)
    y = _max_pool(x, window=window)
    return (y, _first_maxima(x, y, window=window)) if return_indices else y


def max_unpool2d(x: Any, indices: Any, kernel_size: int | Pair, stride: int | Pair | None = None,
                 padding: int | Pair = 0, output_size: Pair | None = None) -> Tensor:
    """Each number to the place in its window that `indices` name, zeros elsewhere: (N, OH, OW, C) -> (N, H, W, C).

    `indices`, integers of x's shape, are those of `max_pool2d(..., return_indices=True)` with the same window; an
    integer is the same place in all windows, 0 the upper left. H = (OH - 1) stride - 2 padding + kernel_size;
    `output_size`, (H, W), chooses another size that is pooled to (OH, OW). What overlapping windows put on the same
    pixel is added.

    Raises InputError for indices of another shape or (on the host) outside the window, and for sizes that do not fit.
    """
    window = check_window("max_unpool2d", kernel_size, stride, padding)
    check_images("max_unpool2d", x)
    _check_places(x, indices, window)
    size = tuple((n - 1) * s - 2 * p + k for n, k, s, p in zip(x.shape[1:3], *window[:3], strict=True)) \
        if output_size is None else pair_of("max_unpool2d", "output_size", output_size, 1)
    whole, rounded_up = window.positions(size), window._replace(ceil_mode=True).positions(size)
    if x.shape[1:3] not in (whole, rounded_up):
        raise InputError(f"max_unpool2d: an image of {size[0]}x{size[1]} has {whole} windows of {window.size} with "
                         f"stride {window.stride}, padding {window.padding}; x has shape {x.shape}")
    return _spread(x, indices, size=size, window=window._replace(ceil_mode=x.shape[1:3] != whole))


def avg_pool2d(x: Any, kernel_size: int | Pair, stride: int | Pair | None = None,
               padding: int | Pair = 0, *, ceil_mode: bool = False) -> Tensor:
    """The mean of each window, in which the padding counts as zeros: (N, H, W, C) -> (N, OH, OW, C).

    Sizes and errors are those of `max_pool2d`. What a window has beyond the padding, with `ceil_mode`, does not count.
    `avg_pool2d(x, 2)` halves an image's resolution.
    """
    window = _fitting("avg_pool2d", x, kernel_size, stride, padding, ceil_mode)
    if x.dtype.itemsize == 2:                             # float16 may have a mean and no sum
        return astype(avg_pool2d(astype(x, np.float32), kernel_size, stride, padding, ceil_mode=ceil_mode), x.dtype)
    return _collect(x, None, window=window) * (_shares(x, window=window) if ceil_mode else 1.0 / math.prod(window.size))


@primitive()
def _shares(xp: Any, x: Any, *, window: Window) -> Array:
    """One over the number of elements that each window has in the padded image: (OH, OW, 1)."""
    starts = [xp.arange(count) * s for count, s in zip(window.positions(x.shape[1:3]), window.stride, strict=True)]
    heights, widths = (xp.minimum(start + k, n + 2 * p) - start
                       for start, n, k, p in zip(starts, x.shape[1:3], window.size, window.padding, strict=True))
    return 1.0 / (heights[:, None, None] * widths[:, None]).astype(x.dtype)


def upsample(x: Any, scale_factor: int | Pair, mode: str = "nearest") -> Tensor:
    """Images enlarged by whole factors: (N, H, W, C) -> (N, scale_factor H, scale_factor W, C).

    "nearest" repeats each pixel; "bilinear" weighs the up to four pixels around by their distances, pixels being areas
    and their values in the middle (PyTorch's `align_corners=False`). Raises InputError for factors that are no whole
    numbers of at least 1, another mode, and x that is no batch of float images.
    """
    factors = check_scale_factor(scale_factor, mode)
    check_images("upsample", x)
    n, h, w, c = x.shape
    size = (h * factors[0], w * factors[1])
    if mode == "nearest":
        return _spread(x, None, size=size, window=Window(factors, factors))
    return interpolate(x, size)


def interpolate(x: Any, size: int | Pair) -> Tensor:
    """Images of another size by bilinear interpolation: (N, H, W, C) -> (N, *size, C).

    Each new pixel weighs the up to four old ones around its middle by their distances, as PyTorch's `interpolate` with
    `mode="bilinear"`; `avg_pool2d` before it spares a much smaller image the jagged lines.
    Raises InputError for sizes below 1, and x that is no batch of images.
    """
    check_images("interpolate", x)
    n, h, w, c = x.shape
    height, width = pair_of("interpolate", "size", size, 1)
    rows = matmul(_interpolation(x, h, height), reshape(x, (n, h, w * c)))              # (N, H', W*C)
    return matmul(_interpolation(x, w, width), reshape(rows, (n, height, w, c)))        # (N, H', W', C)


@primitive()
def _interpolation(xp: Any, x: Any, old: int, new: int) -> Array:
    """The matrix (new, old) that interpolates linearly along an axis: a hat of width 2 around each new pixel."""
    centre = (xp.arange(new, dtype=x.dtype) + 0.5) * (old / new) - 0.5
    distance = xp.abs(xp.clip(centre, 0, old - 1)[:, None] - xp.arange(old, dtype=x.dtype))
    return xp.maximum(1.0 - distance, 0.0)


# The primitives -------------------------------------------------------------------------------------------------------


def _max_rule(g: Any, y: Any, x: Any, *, window: Window) -> Any:
    return _spread(g, _first_maxima(x, y, window=window), size=x.shape[1:3], window=window)


@primitive(_max_rule)
def _max_pool(xp: Any, x: Any, *, window: Window) -> Array:
    y = xp.full(_pooled(x, window), -xp.inf, dtype=x.dtype)
    for _, pixels, windows in _walk(xp, x.shape, window):
        xp.maximum(y[windows], x[pixels], out=y[windows])
    return y


@primitive()
def _first_maxima(xp: Any, x: Any, y: Any, *, window: Window) -> Array:
    """For each window the number of the place, row by row, at which x first is the maximum y."""
    last = window.size[0] * window.size[1] - 1
    chosen = xp.zeros(y.shape, dtype=np.min_scalar_type(last))
    before = xp.ones(y.shape, dtype=bool)                # no maximum has been met so far
    for place, pixels, windows in _walk(xp, x.shape, window):
        if place < last:
            before[windows] &= x[pixels] != y[windows]
            chosen[windows[0]] += before[windows[0]]     # in all windows, as the place may be in the padding of some
    return chosen


def _collect_rule(g: Any, y: Any, x: Any, chosen: Any, *, window: Window) -> Any:
    return _spread(g, chosen, size=x.shape[1:3], window=window)


@primitive(_collect_rule)
def _collect(xp: Any, x: Any, chosen: Any, *, window: Window) -> Array:
    """The sum of each window's elements, or the one at the `chosen` place: (N, H, W, C) -> (N, OH, OW, C)."""
    y = xp.zeros(_pooled(x, window), dtype=x.dtype)
    for place, pixels, windows in _walk(xp, x.shape, window):
        y[windows] += x[pixels] if chosen is None else x[pixels] * _is(chosen, windows, place)
    return y


def _spread_rule(g: Any, y: Any, values: Any, chosen: Any, *, size: Pair, window: Window) -> Any:
    return _collect(g, chosen, window=window)


@primitive(_spread_rule)
def _spread(xp: Any, values: Any, chosen: Any, *, size: Pair, window: Window) -> Array:
    """Each window's value added at all its places, or at the `chosen` one: (N, OH, OW, C) -> (N, H, W, C)."""
    shape = (len(values), *size, values.shape[3])
    tiles = window.tiles(size)                           # then each pixel is written once, and needs no zeros before
    x = (xp.empty if tiles else xp.zeros)(shape, dtype=values.dtype)
    for place, pixels, windows in _walk(xp, shape, window):
        part = values[windows] if chosen is None else values[windows] * _is(chosen, windows, place)
        if tiles:
            x[pixels] = part
        else:
            x[pixels] += part
    return x


def _is(chosen: Any, windows: Index, place: int) -> Any:
    """Which of the windows have chosen this place."""
    return (chosen if isinstance(chosen, int) else chosen[windows]) == place


def _pooled(x: Array, window: Window) -> tuple[int, ...]:
    return (len(x), *window.positions(x.shape[1:3]), x.shape[3])


Index = tuple[slice, slice, slice]


def _walk(xp: Any, shape: tuple[int, ...], window: Window) -> Iterator[tuple[int, Index, Index]]:
    """Each place of the window, row by row: its number, the pixels that lie there, and the windows that have them.

    Pixels and windows are indices (images, rows, columns) of as many elements each; places in the padding are left out.
    On the CPU a few images are walked over at a time; a GPU, where each call costs, takes all at once.
    """
    n, h, w, c = shape
    rows, columns = (list(_places(*sizes)) for sizes in zip((h, w), window.positions((h, w)), *window[:3], strict=True))
    images = max(1, _BLOCK // max(1, h * w * c) if xp is np else n)
    for batch in slices(n, images):
        for i, (pixel_rows, window_rows) in enumerate(rows):
            for j, (pixel_columns, window_columns) in enumerate(columns):
                yield (i * len(columns) + j, (batch, pixel_rows, pixel_columns), (batch, window_rows, window_columns))


def _places(n: int, positions: int, size: int, stride: int, padding: int) -> Iterator[tuple[slice, slice]]:
    """Along one axis, for each place in the window: the pixels there, and the windows in which it is no padding."""
    for offset in range(-padding, size - padding):
        first = max(0, -(offset // stride))                               # the first with first * stride + offset >= 0
        stop = max(first, min(positions, (n - 1 - offset) // stride + 1))
        start = first * stride + offset
        yield slice(start, start + (stop - first) * stride, stride), slice(first, stop)


# What fits ------------------------------------------------------------------------------------------------------------


def check_window(name: str, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool = False) -> Window:
    """The window that is meant. Raises InputError for sizes that are none, and a padding above half the kernel."""
    size = pair_of(name, "kernel_size", kernel_size, 1)
    window = Window(size, size if stride is None else pair_of(name, "stride", stride, 1),
                    pair_of(name, "padding", padding, 0), bool(ceil_mode))
    if any(2 * p > k for p, k in zip(window.padding, size, strict=True)):
        raise InputError(f"{name}: padding {window.padding} is above half of kernel_size {size}; a window there could "
                         "lie in the padding alone")
    return window


def check_scale_factor(scale_factor: Any, mode: str) -> Pair:
    """The factors that are meant. Raises InputError unless they are whole numbers, and the mode is known."""
    if mode not in ("nearest", "bilinear"):
        raise InputError(f"upsample: mode is 'nearest' or 'bilinear', not {mode!r}")
    return pair_of("upsample", "scale_factor", scale_factor, 1)


def check_images(name: str, x: Any) -> None:
    """Raise InputError unless x is a batch of images of floats, (N, H, W, C)."""
    if getattr(x, "ndim", None) != 4 or x.dtype.kind != "f":
        given = f"{x.dtype} of shape {x.shape}" if hasattr(x, "ndim") else type(x).__name__
        raise InputError(f"{name}: x is {given}; images are floats (N, H, W, C)")


def _check_places(x: Any, indices: Any, window: Window) -> None:
    """Raise InputError unless each number of x has a place in its window; values on a device are not looked at."""
    chosen, last = array_of(indices), window.size[0] * window.size[1] - 1
    if not isinstance(chosen, int) and (getattr(chosen, "shape", None) != x.shape or chosen.dtype.kind not in "iu"):
        given = f"{chosen.dtype} of shape {chosen.shape}" if hasattr(chosen, "shape") else type(chosen).__name__
        raise InputError(f"max_unpool2d: indices are integers of x's shape {x.shape}, not {given}; "
                         "max_pool2d(..., return_indices=True) gives them")
    if isinstance(chosen, int | np.ndarray) and np.size(chosen) and not 0 <= np.min(chosen) <= np.max(chosen) <= last:
        raise InputError(f"max_unpool2d: indices are places in a window of {window.size[0]}x{window.size[1]}, 0 to "
                         f"{last}, not {np.min(chosen)} to {np.max(chosen)}; those of PyTorch count in the whole image")


def _fitting(name: str, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> Window:
    window = check_window(name, kernel_size, stride, padding, ceil_mode)
    check_images(name, x)
    if min(window.positions(x.shape[1:3])) < 1:
        h, w = (n + 2 * p for n, p in zip(x.shape[1:3], window.padding, strict=True))
        raise InputError(f"{name}: a window of {window.size[0]}x{window.size[1]} does not fit into images of {h}x{w} "
                         f"with their padding; x has shape {x.shape}, padding is {window.padding}")
    return window
