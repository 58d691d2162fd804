"""Networks that many models are made of: dense layers in a row, and stages that halve or double an image."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minidl.arguments import is_whole
from minidl.errors import InputError
from minidl.nn import init
from minidl.nn.convolution import Conv2d, ConvTranspose2d
from minidl.nn.layers import ELU, Linear, Sequential
from minidl.nn.module import Module
from minidl.nn.pooling import MaxPool2d, MaxUnpool2d, Upsample
from minidl.randomness import Seed, generator

Activation = Callable[[], Module]                              # a layer's class, or any function that makes a layer
HALVINGS = {"stride": 4, "pool": 3}                            # ways to halve an image, and the usual kernel of each
DOUBLINGS = {"transposed": 4, "upsample": 3, "unpool": 3}


def mlp(sizes: Sequence[int], *, rng: Seed, activation: Activation = ELU,
        output_activation: Activation | None = None,
        weight_init: Callable[..., np.ndarray] = init.glorot_uniform) -> Sequential:
    """A multi-layer perceptron: Linear layers with an `activation()` between each two.

    (..., sizes[0]) -> (..., sizes[-1]). The last layer is linear unless there is an `output_activation`. `rng` and
    `weight_init` are Linear's. Raises InputError for fewer than two sizes, and sizes below 1.
    """
    if not isinstance(sizes, list | tuple | np.ndarray) or len(sizes) < 2 or not all(is_whole(n, 1) for n in sizes):
        raise InputError("mlp: sizes are the number of inputs, then each layer's units, such as [784, 100, 10], each "
                         f"1 or more; not {sizes!r:.60}")
    rng = generator(rng, "mlp")
    layers: list[Module] = []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [Linear(before, after, rng=rng, weight_init=weight_init), activation()]
    return Sequential(*layers[:-1], *([output_activation()] if output_activation else []))


def halving(in_channels: int, out_channels: int, *, rng: Seed, by: str = "stride", kernel_size: int | None = None,
            activation: Activation | None = ELU) -> Sequential:
    """A stage that halves images, (N, H, W, in_channels) -> (N, H / 2, W / 2, out_channels) for even H and W.

    | by | the layers before the activation | usual kernel |
    |---|---|---|
    | "stride" | convolution with stride 2 | 4 |
    | "pool" | convolution, max pooling | 3 |

    `nn.Sequential(*nn.halving(1, 16, rng=rng), *nn.halving(16, 32, rng=rng))` puts the layers of two in a row. Raises
    InputError for another `by`, sizes below 1, and a kernel that is even where the convolution has no stride.
    """
    kernel_size, padding = _kernel("halving", by, HALVINGS, kernel_size, strided="stride")
    rng = generator(rng, "halving")
    if by == "stride":
        layers: list[Module] = [Conv2d(in_channels, out_channels, kernel_size, stride=2, padding=padding, rng=rng)]
    else:
        layers = [Conv2d(in_channels, out_channels, kernel_size, padding=padding, rng=rng), MaxPool2d(2)]
    return Sequential(*layers, *([activation()] if activation else []))


def doubling(in_channels: int, out_channels: int, *, rng: Seed, by: str = "transposed",
             kernel_size: int | None = None, activation: Activation | None = ELU) -> Sequential:
    """A stage that doubles images, (N, H, W, in_channels) -> (N, 2 H, 2 W, out_channels).

    | by | the layers before the activation | usual kernel |
    |---|---|---|
    | "transposed" | transposed convolution with stride 2 | 4 |
    | "upsample" | nearest upsampling, convolution | 3 |
    | "unpool" | max unpooling into the upper left place, convolution | 3 |

    A kernel that the stride 2 does not divide, and "unpool", which is a transposed convolution in two steps, cover the
    image unevenly and leave a checkerboard (Odena, Dumoulin & Olah 2016). Errors are those of `halving`.
    """
    kernel_size, padding = _kernel("doubling", by, DOUBLINGS, kernel_size, strided="transposed")
    rng = generator(rng, "doubling")
    if by == "transposed":
        layers: list[Module] = [ConvTranspose2d(in_channels, out_channels, kernel_size, stride=2, padding=padding,
                                                output_padding=kernel_size % 2, rng=rng)]
    else:
        layers = [Upsample(2) if by == "upsample" else MaxUnpool2d(2),
                  Conv2d(in_channels, out_channels, kernel_size, padding=padding, rng=rng)]
    return Sequential(*layers, *([activation()] if activation else []))


def _kernel(name: str, by: str, ways: dict[str, int], kernel_size: int | None, strided: str) -> tuple[int, int]:
    """The kernel's size and the padding that keeps the image's size up to the factor 2."""
    if by not in ways:
        raise InputError(f"{name}: by is one of {', '.join(map(repr, ways))}, not {by!r}")
    size = ways[by] if kernel_size is None else kernel_size
    if size < 1 or by != strided and size % 2 == 0:
        raise InputError(f"{name}: kernel_size is 1 or more, and odd unless by is {strided!r}, not {size}")
    return size, (size - 1) // 2
