"""Convolution in two dimensions, channels last: images (N, H, W, C), kernels (KH, KW, C, O).

Three primitives close the circle. A convolution is linear in the image and in the kernel; its gradient by the image is
the transposed convolution, its gradient by the kernel a product of image and gradient; and the gradients of these two
are the same three again. So derivatives of every order need no further rule.

Each is matrix products over *columns*: a window of the image, laid out as a row of KH*KW*C numbers (im2col). On the CPU
they are made for a few images at a time, so that they are still in the cache when they are multiplied; on a GPU one
kernel makes them all, for one product. Some small kernels with many channels go the shorter way of
`minidl.ops.winograd`.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.errors import InputError
from minidl.kernels import Pair, col2im, im2col
from minidl.ops import winograd
from minidl.ops.geometry import Geometry, check_axes, check_bias, check_fit, geometry_of, pair_of
from minidl.ops.operands import operand
from minidl.ops.shape import expand_dims, squeeze
from minidl.rows import check_count, slices
from minidl.tensor import Tensor, primitive

_BLOCK = 1_500_000     # bytes of columns at a time: they stay in the cache, and the products are not too small
_NARROW = 4            # below so many channels, a row of the image is a longer run of memory than a row of a window


# The operations -------------------------------------------------------------------------------------------------------


def conv2d(x: Any, W: Any, b: Any = None, *, stride: int | Pair = 1, padding: int | Pair = 0,
           dilation: int | Pair = 1, groups: int = 1) -> Tensor:
    """Convolution (without flipping the kernel, as everywhere in the field): (N, H, W, C) -> (N, OH, OW, O).

    W (KH, KW, C / groups, O), b (O) or None; OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1, OW likewise.
    A number stands for a (vertical, horizontal) pair. With `groups`, each of as many equal parts of the output
    channels sees its own part of the input channels; `groups=C` is a depthwise convolution.

    Raises InputError for shapes that do not fit, and for a kernel larger than the padded image.
    """
    x, W, b = operand(x), operand(W), None if b is None else operand(b)
    check_axes("conv2d", x, W)
    _, geometry = geometry_of("conv2d", W.shape[:2], stride, padding, dilation, groups)
    if W.shape[3] % groups or W.shape[2] * groups != x.shape[3]:
        raise InputError(f"conv2d: W of shape {W.shape} with groups={groups} takes images of {W.shape[2] * groups} "
                         f"channels and gives {W.shape[3]}, which groups must divide; x has shape {x.shape}")
    check_fit("conv2d", x.shape[1:3], W.shape[:2], geometry)
    check_bias("conv2d", b, W.shape[3])
    return _conv(x, W, b, geometry=geometry)


def conv1d(x: Any, W: Any, b: Any = None, *, stride: int = 1, padding: int = 0, dilation: int = 1,
           groups: int = 1) -> Tensor:
    """Convolution of sequences: (N, L, C) -> (N, OL, O), with W (K, C / groups, O), b (O) or None.

    It is `conv2d` of images that are one pixel high; OL = (L + 2 padding - dilation (K - 1) - 1) // stride + 1.

    Raises InputError for shapes that do not fit, and for a kernel longer than the padded sequence.
    """
    x, W = operand(x), operand(W)
    if x.ndim != 3 or W.ndim != 3:
        raise InputError(f"conv1d: x of shape {x.shape} and W of shape {W.shape} need three axes each, sequences "
                         "(N, L, C) and a kernel (K, C, O)")
    y = conv2d(expand_dims(x, 1), expand_dims(W, 0), b, stride=(1, check_count("conv1d", "stride", stride)),
               padding=(0, check_count("conv1d", "padding", padding, 0)),
               dilation=(1, check_count("conv1d", "dilation", dilation)), groups=groups)
    return squeeze(y, 1)


def conv_transpose2d(x: Any, W: Any, b: Any = None, *, stride: int | Pair = 1, padding: int | Pair = 0,
                     output_padding: int | Pair = 0, dilation: int | Pair = 1, groups: int = 1) -> Tensor:
    """The transpose of `conv2d` with the same W, stride and padding: it brings (N, OH, OW, O) back to (N, H, W, C).

    W (KH, KW, C / groups, O): the input's channels are its last axis. b (C) or None. The result has the size
    (OH - 1) stride - 2 padding + dilation (KH - 1) + 1 + output_padding: with a stride, a convolution brings several
    sizes to the same OH, and `output_padding`, below the stride, chooses among them.

    Raises InputError for shapes that do not fit, a larger `output_padding`, and a padding that leaves nothing.
    """
    x, W, b = operand(x), operand(W), None if b is None else operand(b)
    check_axes("conv_transpose2d", x, W)
    _, geometry = geometry_of("conv_transpose2d", W.shape[:2], stride, padding, dilation, groups)
    if W.shape[3] != x.shape[3] or W.shape[3] % groups:
        raise InputError(f"conv_transpose2d: W of shape {W.shape} takes images of {W.shape[3]} channels, which "
                         f"groups={groups} must divide; x has shape {x.shape}")
    extra = pair_of("conv_transpose2d", "output_padding", output_padding, 0)
    if any(e >= s for e, s in zip(extra, geometry.stride, strict=True)):
        raise InputError(f"conv_transpose2d: output_padding {extra} must be below the stride {geometry.stride}")
    h, w = ((n - 1) * s - 2 * p + r + e for n, s, p, r, e in zip(
        x.shape[1:3], geometry.stride, geometry.padding, geometry.reach(W.shape[:2]), extra, strict=True))
    if h < 1 or w < 1:
        raise InputError(f"conv_transpose2d: padding {geometry.padding} leaves nothing of the {h}x{w} result")
    check_bias("conv_transpose2d", b, W.shape[2] * groups)
    return _conv_transpose(x, W, b, size=(h, w), geometry=geometry)


# The closed triple ----------------------------------------------------------------------------------------------------


def _by_image(g: Any, y: Any, x: Any, W: Any, b: Any = None, *, geometry: Geometry) -> Any:
    return _conv_transpose(g, W, size=x.shape[1:3], geometry=geometry)


def _by_kernel(g: Any, y: Any, x: Any, W: Any, b: Any = None, *, geometry: Geometry) -> Any:
    return _conv_weight(x, g, kernel=W.shape[:2], geometry=geometry)


@primitive(_by_image, _by_kernel, lambda g, y, x, W, b, geometry: g)
def _conv(xp: Any, x: Any, W: Any, b: Any = None, *, geometry: Geometry) -> Array:
    """(N, H, W, C), (KH, KW, C / groups, O), (O) -> (N, OH, OW, O)."""
    if geometry.groups == 1:
        return _convolve(xp, x, W, b, geometry)
    y = xp.empty((len(x), *geometry.positions(x.shape[1:3], W.shape[:2]), W.shape[3]), dtype=x.dtype)
    if W.shape[2] == 1:
        _convolve_depthwise(xp, x, W, geometry, y)
    else:
        for c, o in _groups(W.shape, geometry):
            y[..., o] = _convolve(xp, x[..., c], W[..., o], None, geometry)
    if b is not None:
        y += b
    return y


def _transpose_by_image(g: Any, y: Any, x: Any, W: Any, b: Any = None, *, size: Pair, geometry: Geometry) -> Any:
    return _conv(g, W, geometry=geometry)


def _transpose_by_kernel(g: Any, y: Any, x: Any, W: Any, b: Any = None, *, size: Pair, geometry: Geometry) -> Any:
    return _conv_weight(g, x, kernel=W.shape[:2], geometry=geometry)


@primitive(_transpose_by_image, _transpose_by_kernel, lambda g, y, x, W, b, size, geometry: g)
def _conv_transpose(xp: Any, x: Any, W: Any, b: Any = None, *, size: Pair, geometry: Geometry) -> Array:
    """(N, OH, OW, O), (KH, KW, C / groups, O), (C) -> (N, H, W, C)."""
    if geometry.groups == 1:
        y = _convolve_transposed(xp, x, W, size, geometry)
    else:
        y = xp.empty((len(x), *size, W.shape[2] * geometry.groups), dtype=x.dtype)
        if W.shape[2] == 1:
            _transpose_depthwise(xp, x, W, geometry, y)
        else:
            for c, o in _groups(W.shape, geometry):
                y[..., c] = _convolve_transposed(xp, x[..., o], W[..., o], size, geometry)
    if b is not None:
        y += b
    return y


def _weight_by_image(g: Any, y: Any, x: Any, gy: Any, *, kernel: Pair, geometry: Geometry) -> Any:
    return _conv_transpose(gy, g, size=x.shape[1:3], geometry=geometry)


def _weight_by_gradient(g: Any, y: Any, x: Any, gy: Any, *, kernel: Pair, geometry: Geometry) -> Any:
    return _conv(x, g, geometry=geometry)


@primitive(_weight_by_image, _weight_by_gradient)
def _conv_weight(xp: Any, x: Any, gy: Any, *, kernel: Pair, geometry: Geometry) -> Array:
    """A convolution's gradient by its kernel: (N, H, W, C), (N, OH, OW, O) -> (KH, KW, C / groups, O)."""
    if geometry.groups == 1:
        return _correlate(xp, x, gy, kernel, geometry)
    y = xp.empty((*kernel, x.shape[3] // geometry.groups, gy.shape[3]), dtype=x.dtype)
    if y.shape[2] == 1:
        _correlate_depthwise(xp, x, gy, geometry, y)
    else:
        for c, o in _groups(y.shape, geometry):
            y[..., o] = _correlate(xp, x[..., c], gy[..., o], kernel, geometry)
    return y


# What they compute, on raw arrays -------------------------------------------------------------------------------------


def _convolve(xp: Any, x: Array, W: Array, b: Array | None, geometry: Geometry) -> Array:
    y = xp.empty((len(x), *geometry.positions(x.shape[1:3], W.shape[:2]), W.shape[3]), dtype=x.dtype)
    if short := _short_filter(xp, W, y, geometry):
        return winograd.convolve(x, W, b, y, short, geometry.stride[0], geometry.padding)
    matrix = W.reshape(-1, W.shape[3])
    for part, columns in _columns(xp, x, W.shape[:2], geometry):
        rows = y[part].reshape(-1, W.shape[3])
        xp.matmul(columns, matrix, out=rows)
        if b is not None:
            rows += b
    return y


def _short_filter(xp: Any, W: Array, y: Array, geometry: Geometry) -> winograd.Filter | None:
    """The filter of fewer products for this kernel and these results (N, OH, OW, O), or their gradient, if any."""
    if xp is not np or geometry.dilation != (1, 1) or max(geometry.padding) >= len(W):
        return None
    return winograd.filter_for(W, geometry.stride, y.size / W.shape[3] / 4)


def _correlate(xp: Any, x: Array, gy: Array, kernel: Pair, geometry: Geometry) -> Array:
    y = xp.zeros((*kernel, x.shape[3], gy.shape[3]), dtype=x.dtype)
    if short := _short_filter(xp, y, gy, geometry):
        return winograd.correlate(x, gy, y, short, geometry.stride[0], geometry.padding)
    matrix = y.reshape(-1, gy.shape[3])
    for part, columns in _columns(xp, x, kernel, geometry):
        matrix += columns.T @ gy[part].reshape(-1, gy.shape[3])
    return y


def _convolve_transposed(xp: Any, x: Array, W: Array, size: Pair, geometry: Geometry) -> Array:
    kernel, (channels, outputs) = W.shape[:2], W.shape[2:]
    if xp is not np:
        columns = x.reshape(-1, outputs) @ W.reshape(-1, outputs).T
        return col2im(columns, (len(x), *size, channels), kernel, *geometry[:3])
    if short := _short_filter(xp, W, x, geometry):
        return winograd.convolve_transposed(x, W, size, short, geometry.stride[0], geometry.padding)
    y = np.zeros((len(x), *size, channels), dtype=x.dtype)
    if kernel == geometry.stride == (1, 1) and geometry.padding == (0, 0):
        np.matmul(x.reshape(-1, outputs), W.reshape(-1, outputs).T, out=y.reshape(-1, channels))
    elif geometry.stride == (1, 1) and geometry.reach(kernel)[1] > geometry.padding[1] and channels >= _NARROW:
        _spread_rows(x, W, geometry, y)
    else:
        spread = _spread_narrow if channels < _NARROW else _spread
        for part, image, inner in _blocks(np, y, geometry, math.prod(x.shape[1:3]) * math.prod(W.shape[:3])):
            image.fill(0)
            spread(x[part], W, geometry, image)
            y[part] = inner
    return y


def _spread_rows(x: np.ndarray, W: np.ndarray, geometry: Geometry, y: np.ndarray) -> None:
    """Add to the images y (N, H, W, C) what x (N, OH, OW, O) contributes, without a stride.

    Along a row this is a convolution again, with the kernel turned round; and each row of the kernel adds whole rows.
    """
    kh, kw, channels, outputs = W.shape
    across = Geometry(padding=(0, geometry.reach((kh, kw))[1] - 1 - geometry.padding[1]),
                      dilation=(1, geometry.dilation[1]))
    taps = np.ascontiguousarray(W[:, ::-1].swapaxes(2, 3)).reshape(kh, kw * outputs, channels)
    for part, columns in _columns(np, x, (1, kw), across):
        image = y[part]
        for i in range(kh):
            down = i * geometry.dilation[0] - geometry.padding[0]                # x's row h goes to y's row h + down
            top, bottom = max(0, down), min(y.shape[1], down + x.shape[1])
            if top < bottom:
                rows = (columns @ taps[i]).reshape(len(image), x.shape[1], *y.shape[2:])
                image[:, top:bottom] += rows[:, top - down:bottom - down]


def _spread(x: np.ndarray, W: np.ndarray, geometry: Geometry, image: np.ndarray) -> None:
    """Add to the padded image what each pixel of x (m, OH, OW, O) contributes at each place of the kernel.

    Neighbouring places that do not overlap, as many as the stride, are one product and one addition.
    """
    kh, kw, channels, outputs = W.shape
    rows, width = x.reshape(-1, outputs), min(geometry.stride[1], kw) if geometry.dilation[1] == 1 else 1
    for i in range(kh):
        for j in range(0, kw, width):
            taps = W[i, j:j + width].reshape(-1, outputs)                       # (width * C, O)
            target = _met_by(np, image, i, j, len(taps), x.shape[1:3], geometry)
            target += (rows @ taps.T).reshape(target.shape)


def _spread_narrow(x: np.ndarray, W: np.ndarray, geometry: Geometry, image: np.ndarray) -> None:
    """The same for few channels: one product for all places, and each channel's plane added by itself."""
    kh, kw, channels, outputs = W.shape
    planes = (W.reshape(-1, outputs) @ x.reshape(-1, outputs).T).reshape(kh, kw, channels, *x.shape[:3], 1)
    for i, j, c in np.ndindex(kh, kw, channels):
        target = _met_by(np, image[..., c:c + 1], i, j, 1, x.shape[1:3], geometry)
        target += planes[i, j, c]


def _met_by(xp: Any, image: Array, i: int, j: int, run: int, positions: Pair, geometry: Geometry) -> Array:
    """The pixels that the kernel's place (i, j) meets, `run` numbers from each on: a view (m, OH, OW, run)."""
    image = image[:, i * geometry.dilation[0]:, j * geometry.dilation[1]:]
    n, h, w, c = image.strides
    strides = n, h * geometry.stride[0], w * geometry.stride[1], c
    return xp.lib.stride_tricks.as_strided(image, (len(image), *positions, run), strides)


def _columns(xp: Any, x: Array, kernel: Pair, geometry: Geometry) -> Iterator[tuple[slice, Array]]:
    """The windows as the rows of a matrix (m*OH*OW, KH*KW*C), for some images at a time: which, and the matrix."""
    (kh, kw), channels = kernel, x.shape[3]
    oh, ow = geometry.positions(x.shape[1:3], kernel)
    if kernel == geometry.stride == (1, 1) and geometry.padding == (0, 0):
        yield slice(None), x.reshape(-1, channels)
        return
    if xp is not np:
        yield slice(None), im2col(x, kernel, *geometry[:3])
        return
    buffer = None
    for part, image, inner in _blocks(xp, x, geometry, oh * ow * kh * kw * channels):
        inner[...] = x[part]
        n, h, w, c = image.strides
        (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
        windows = np.lib.stride_tricks.as_strided(
            image, (len(image), oh, ow, kh, kw, channels), (n, sh * h, sw * w, dh * h, dw * w, c))
        if channels < _NARROW:                              # copied plane by plane, as the transposed matrix
            windows = windows.transpose(3, 4, 5, 0, 1, 2)
        if buffer is None or buffer.shape != windows.shape:
            buffer = np.empty(windows.shape, dtype=x.dtype)
        buffer[...] = windows
        yield part, buffer.reshape(kh * kw * channels, -1).T if channels < _NARROW else buffer.reshape(
            -1, kh * kw * channels)


def _blocks(xp: Any, x: Array, geometry: Geometry, each: int) -> Iterator[tuple[slice, Array, Array]]:
    """A padded buffer for x's images, a few at a time: which, the buffer (zeros at first), and its inner part.

    `each` is how many numbers an image will need. On a GPU all images are one block.
    """
    n, h, w, channels = x.shape
    ph, pw = geometry.padding
    step = max(1, min(n, _BLOCK // (each * x.dtype.itemsize or 1)) if xp is np else n)
    buffer = xp.zeros((step, h + 2 * ph, w + 2 * pw, channels), dtype=x.dtype)
    for part in slices(n, step):
        image = buffer[:part.stop - part.start]
        yield part, image, image[:, ph:ph + h, pw:pw + w]


# Groups ---------------------------------------------------------------------------------------------------------------


def _groups(kernel: tuple[int, ...], geometry: Geometry) -> Iterator[tuple[slice, slice]]:
    """For each group its input channels and its output channels; kernel: (KH, KW, C / groups, O)."""
    c, o = kernel[2], kernel[3] // geometry.groups
    return ((slice(i * c, i * c + c), slice(i * o, i * o + o)) for i in range(geometry.groups))


# With one input channel a group, products of matrices would be tiny; here the kernel's places are taken one by one. The
# channels and the results of each, (..., C, M), are the last axes.


def _convolve_depthwise(xp: Any, x: Array, W: Array, geometry: Geometry, y: Array) -> None:
    taps = W.reshape(*W.shape[:2], geometry.groups, -1)
    for part, image, inner in _blocks(xp, x, geometry, math.prod(y.shape[1:])):
        inner[...] = x[part]
        rows = y[part].reshape(*y[part].shape[:3], geometry.groups, -1)
        rows[...] = 0
        for i, j in np.ndindex(W.shape[:2]):
            rows += _met_by(xp, image, i, j, geometry.groups, y.shape[1:3], geometry)[..., None] * taps[i, j]


def _transpose_depthwise(xp: Any, x: Array, W: Array, geometry: Geometry, y: Array) -> None:
    taps = W.reshape(*W.shape[:2], geometry.groups, -1)
    for part, image, inner in _blocks(xp, y, geometry, math.prod(x.shape[1:])):
        rows = x[part].reshape(*x[part].shape[:3], geometry.groups, -1)
        image.fill(0)
        for i, j in np.ndindex(W.shape[:2]):
            target = _met_by(xp, image, i, j, geometry.groups, x.shape[1:3], geometry)
            target += (rows * taps[i, j]).sum(-1)
        y[part] = inner


def _correlate_depthwise(xp: Any, x: Array, gy: Array, geometry: Geometry, y: Array) -> None:
    taps = y.reshape(*y.shape[:2], geometry.groups, -1)
    taps[...] = 0
    for part, image, inner in _blocks(xp, x, geometry, math.prod(gy.shape[1:])):
        inner[...] = x[part]
        rows = gy[part].reshape(*gy[part].shape[:3], geometry.groups, -1)
        for i, j in np.ndindex(y.shape[:2]):
            met = _met_by(xp, image, i, j, geometry.groups, gy.shape[1:3], geometry)
            taps[i, j] += (met[..., None] * rows).sum((0, 1, 2))


# Che
