"""Convolutions with small kernels by fewer products, on the CPU: Winograd's short filters.

Two neighbouring results of a filter with two taps, d0 g0 + d1 g1 and d1 g0 + d2 g1, are made of three products, not
four: with p = (d0 - d1) g0, q = d1 (g0 + g1) and r = (d2 - d1) g1 they are p + q and q + r. With three taps four
products do instead of six. For an image, in tiles of 2x2 results, this is done along rows and along columns: 9 products
for 16, or 16 for 36. Here a product is a matrix product, of all tiles by all channels. A kernel of 4x4 with a stride of
2 is one of 2x2 over blocks of 2x2 pixels, which count as channels.

The numbers are only added, subtracted and, in the kernel, halved: the rounding error is at most a few times that of the
direct sum, and often less, for a sum of fewer products.

Source: S. Winograd, "Arithmetic Complexity of Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for
Convolutional Neural Networks", 2016.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minidl.kernels import Pair
from minidl.rows import slices

_BLOCK = 1_000_000     # four times the numbers in a block of images' tiles: they stay in the cache
_CHANNELS = 64         # with fewer, the sums take longer than the products that they spare
_TILES = 128           # with fewer, transforming the kernel does

Program = list[tuple[Callable[..., Any], tuple[np.ndarray, ...]]]      # operations that write to their last argument
Signs = tuple[tuple[int, ...], ...]          # 1, 0 and -1: which parts are added, and which subtracted


class Filter(NamedTuple):
    """Two results of a filter are `result` @ ((`kernel` @ taps) * (`data` @ numbers))."""

    data: Signs
    kernel: tuple[tuple[float, ...], ...]
    result: Signs


_TWO_TAPS = Filter(((1, -1, 0), (0, 1, 0), (0, -1, 1)), ((1, 0), (1, 1), (0, 1)), ((1, 1, 0), (0, 1, 1)))
_THREE_TAPS = Filter(((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1)),
                     ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)), ((1, 1, 1, 0), (0, 1, -1, 1)))


def filter_for(W: np.ndarray, stride: Pair, tiles: float) -> Filter | None:
    """The short filter for a kernel W (KH, KW, C, O) and about so many tiles; None where it does not pay."""
    if min(W.shape[2:]) < _CHANNELS or tiles < _TILES or W.dtype.char not in "fd":
        return None
    return {(3, 3, 1, 1): _THREE_TAPS, (4, 4, 2, 2): _TWO_TAPS}.get((*W.shape[:2], *stride))


def convolve(x: np.ndarray, W: np.ndarray, b: np.ndarray | None, y: np.ndarray, short: Filter, stride: int,
             padding: Pair) -> np.ndarray:
    """The convolution of x (N, H, W, C) with W (KH, KW, C, O), and b (O) added, in y (N, OH, OW, O)."""
    taps = _taps(W, stride).transpose(0, 2, 1, 3, 4, 5)                              # (r, r, s, s, C, O)
    for part, result in _results(x, taps.reshape(*taps.shape[:2], -1, W.shape[3]), short, stride, padding,
                                 y.shape[1:3]):
        if b is not None:
            result += b
        y[part] = result
    return y


def convolve_transposed(x: np.ndarray, W: np.ndarray, size: Pair, short: Filter, stride: int,
                        padding: Pair) -> np.ndarray:
    """The transpose of `convolve`, (N, OH, OW, O) -> (N, *size, C): a convolution, its taps turned round.

    Its channels are those of blocks of stride x stride pixels.
    """
    (channels, outputs), reach = W.shape[2:], W.shape[0] // stride - 1
    taps = _taps(W, stride)[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)               # (r, r, O, s, s, C)
    inner = tuple(reach - p // stride for p in padding)                   # whole blocks of the padding are not made
    rows, columns = (p % stride for p in padding)                         # what is left of it, in the first blocks
    places = -(-(size[0] + rows) // stride), -(-(size[1] + columns) // stride)
    y = np.empty((len(x), *size, channels), dtype=x.dtype)
    for part, result in _results(x, taps.reshape(reach + 1, reach + 1, outputs, -1), short, 1, inner, places):
        blocks = result.reshape(-1, *places, stride, stride, channels)
        for i, j in np.ndindex(stride, stride):
            target = y[part, (i - rows) % stride::stride, (j - columns) % stride::stride]
            shown = blocks[:, int(i < rows):, int(j < columns):, i, j]
            target[...] = shown[:, :target.shape[1], :target.shape[2]]
    return y


def correlate(x: np.ndarray, gy: np.ndarray, y: np.ndarray, short: Filter, stride: int,
              padding: Pair) -> np.ndarray:
    """A convolution's gradient by its kernel, from x (N, H, W, C) and gy (N, OH, OW, O), in y (KH, KW, C, O)."""
    channels, outputs, n = stride * stride * y.shape[2], y.shape[3], len(short.data)
    step = _images(gy.shape, 2 * channels + 3 * outputs)
    data = _Tiles(step, short.data, gy.shape[1:3], x, stride, padding)
    slopes = _Tiles(step, tuple(zip(*short.result, strict=True)), gy.shape[1:3], gy, 1, (0, 0))
    total = np.zeros((n, n, channels, outputs), dtype=y.dtype)
    product = np.empty((channels, outputs), dtype=y.dtype)
    program: Program = []
    for i in range(n):
        for j in range(n):
            d, g = data.matrix(i, j, program), slopes.matrix(i, j, program)
            program += [(np.matmul, (d.T, g, product)), (np.add, (total[i, j], product, total[i, j]))]
    for part in slices(len(x), step):
        data.load(x[part])
        slopes.load(gy[part])
        _run(program)
    taps = _in_two(short, y.dtype).T @ total.reshape(n * n, -1)
    r = y.shape[0] // stride
    y[...] = taps.reshape(r, r, stride, stride, *y.shape[2:]).transpose(0, 2, 1, 3, 4, 5).reshape(y.shape)
    return y


def _results(x: np.ndarray, taps: np.ndarray, short: Filter, stride: int, padding: Pair,
             size: Pair) -> Iterator[tuple[slice, np.ndarray]]:
    """The convolution of x (N, H, W, C) with taps (r, r, s*s*C, O), for some images at a time: (m, *size, O)."""
    (channels, outputs), n = taps.shape[2:], len(short.data)
    kernels = (_in_two(short, x.dtype) @ taps.reshape(-1, channels * outputs)).reshape(n, n, channels, outputs)
    step = _images((len(x), *size), channels + 3 * n * outputs)
    tiles = _Tiles(step, short.data, size, x, stride, padding)
    y = np.empty((step, *size, outputs), x.dtype)
    space = step * math.prod(tiles.counts[0, 0]) * outputs
    products, sums = np.empty((n, space), x.dtype), np.empty((n, 2, space), x.dtype)
    program: Program = []
    rows: list[list[np.ndarray]] = []            # for each sum down: the left and the right results of all tiles
    for i in range(n):
        met = []
        for j in range(n):
            matrix = tiles.matrix(i, j, program)
            met.append(_shaped(products[j], (step, *tiles.counts[i, j], outputs)))
            program.append((np.matmul, (matrix, kernels[i, j], met[j].reshape(-1, outputs))))
        rows.append([])
        for k, signs in enumerate(short.result):
            across = len(range(k, size[1], 2))
            out = _shaped(sums[i, k], (step, tiles.counts[i, 0][0], across, outputs))
            rows[i].append(_sum(signs, [p[:, :, :across] for p in met], out, program))
    for i, signs in enumerate(short.result):
        for j in (0, 1):
            out = y[:, i::2, j::2]
            _sum(signs, [row[j][:, :out.shape[1]] for row in rows], out, program, _shaped(products[0], out.shape))
    for part in slices(len(x), step):
        tiles.load(x[part])
        _run(program)
        yield part, y[:part.stop - part.start]


class _Tiles:
    """Tiles of images (m, H, W, C), as many as 2x2 results need, with the sums of `signs` along rows and columns.

    The image lies in a padded buffer (m, H/s, s, W/s, s*C), for the stride s.
    """

    def __init__(self, step: int, signs: Signs, size: Pair, x: np.ndarray, stride: int, padding: Pair) -> None:
        self.signs, self.padding, n, reach = signs, padding, len(signs), len(signs[0])
        down, across = ([*[-(-k // 2)] * (n - 1), k // 2] for k in size)      # the last is for the second result alone
        self.counts = {(i, j): (down[i], across[j]) for i in range(n) for j in range(n)}
        self.image = np.zeros((step, 2 * (down[0] - 1) + reach, stride, 2 * (across[0] - 1) + reach,
                               stride * x.shape[3]), x.dtype)
        self.row = np.empty(step * down[0] * math.prod(self.image.shape[2:]), x.dtype)
        self.tile = np.empty(step * down[0] * across[0] * stride**2 * x.shape[3], x.dtype)

    def matrix(self, i: int, j: int, program: Program) -> np.ndarray:
        """The tiles in sum i down and j across, (m * tiles, s*s*C), once the steps that are added here have run.

        For each i, j begins with 0.
        """
        (down, across), reach, (step, _, s, *_, width) = self.counts[i, j], len(self.signs[0]), self.image.shape
        if j == 0:
            parts = [self.image[:, k:k + 2 * down - 1:2] for k in range(reach)]
            self.summed = _sum(self.signs[i], parts, _shaped(self.row, (step, down, *self.image.shape[2:])), program)
        tile = _shaped(self.tile, (step, down, across, s, width))
        columns = tile.transpose(0, 1, 3, 2, 4)
        parts = [self.summed[:, :, :, k:k + 2 * across - 1:2] for k in range(reach)]
        if (found := _sum(self.signs[j], parts, columns, program)) is not columns:
            program.append((np.copyto, (columns, found)))
        return tile.reshape(-1, s * width)

    def load(self, x: np.ndarray) -> None:
        """Put these images into the buffer, and zeros where a full block has more."""
        (m, h, w, channels), (ph, pw), (_, _, s, width, _) = x.shape, self.padding, self.image.shape
        pixels = self.image[:m].reshape(m, -1, width * s, channels)[:, ph:ph + h, pw:pw + w]
        self.image[m:] = 0
        pixels[...] = x[:, :pixels.shape[1], :pixels.shape[2]]               # a stride may leave the last ones unused


def _images(shape: tuple[int, ...], each: int) -> int:
    """How many images of results (N, OH, OW, ...) make a block, if a tile needs so many numbers."""
    blocks = -(-shape[0] * math.prod(shape[1:3]) * each // _BLOCK)
    return -(-shape[0] // blocks)


def _taps(W: np.ndarray, stride: int) -> np.ndarray:
    """A kernel (KH, KW, C, O) by taps that meet the same place of a block of pixels: (r, s, r, s, C, O)."""
    r = W.shape[0] // stride
    return W.reshape(r, stride, r, stride, *W.shape[2:])


def _in_two(short: Filter, dtype: np.dtype) -> np.ndarray:
    """The filter's kernel matrix for both axes at once, (n*n, r*r)."""
    matrix = np.array(short.kernel, dtype)
    return np.kron(matrix, matrix)


def _shaped(buffer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return buffer[:math.prod(shape)].reshape(shape)


def _sum(signs: Sequence[int], parts: Sequence[np.ndarray], out: np.ndarray, program: Program,
         spare: np.ndarray | None = None) -> np.ndarray:
    """Where the sum of the parts with these signs will be: in `out`, on the way in `spare`; or the only part itself."""
    (_, total), *others = sorted(((s, p) for s, p in zip(signs, parts, strict=True) if s), key=lambda sp: -sp[0])
    for i, (sign, part) in enumerate(others):
        to = out if spare is None or i == len(others) - 1 else spare
        program.append((np.add if sign > 0 else np.subtract, (total, part, to)))
        total = to
    return total


def _run(program: Program) -> None:
    for operation, arguments in program:
        operation(*arguments)
