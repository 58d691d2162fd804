"""The convolutional autoencoder (slide 22): images down to a code and back, with three ways of making them larger."""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from minidl import nn
from minidl.autoencoders.base import Autoencoder
from minidl.errors import InputError
from minidl.nn.networks import DOUBLINGS
from minidl.randomness import Seed, generator


class ConvolutionalAutoencoder(Autoencoder):
    """Stages that halve an image and see more channels, dense layers to the code, and the same stages back.

    `input_shape` (H, W, C); `channels` are those of the stages, which halve H and W each; `hidden` the widths of dense
    layers between the last stage and the code. `up` says how the decoder's stages double an image, and with it how the
    encoder's halve it:

    | up | encoder's stage | decoder's stage |
    |---|---|---|
    | "transposed" | convolution with stride 2 | transposed convolution with stride 2 |
    | "upsample" | convolution, max pooling | nearest upsampling, convolution |
    | "unpool" | convolution, max pooling | max unpooling into the upper left place, convolution |

    The decoder sees the code alone. The places of the pooling's maxima, with which unpooling could bring each number
    back to where it was, would be a way around it. A `kernel_size` that the stride 2 does not divide, and "unpool",
    which is a transposed convolution in two steps, cover the image unevenly and leave a checkerboard (Odena, Dumoulin &
    Olah 2016); the usual one is 4 for "transposed", 3 otherwise.

    Each layer but the code and the last is followed by `activation()`. `output` and the four verbs are those of every
    `Autoencoder`, for images (N, H, W, C) and rows of codes.

    Raises InputError for an unknown `up`, sizes below 1, an image that the stages do not halve evenly, and an even
    kernel where the convolution has no stride.

    Source: M. Zeiler, D. Krishnan, G. Taylor, R. Fergus, "Deconvolutional networks", 2010; J. Masci et al., "Stacked
    convolutional auto-encoders for hierarchical feature extraction", 2011.
    """

    def __init__(self, input_shape: Sequence[int], channels: Sequence[int] = (16, 32), *, code: int, rng: Seed,
                 hidden: Sequence[int] = (), up: str = "transposed", kernel_size: int | None = None,
                 output: str = "linear", activation: nn.Activation = nn.ELU) -> None:
        networks = stages(type(self).__name__, input_shape, channels, code=code, rng=rng, hidden=hidden, up=up,
                          kernel_size=kernel_size, activation=activation)
        self.up = up
        super().__init__(*networks, input_shape=input_shape, code_shape=[code], output=output)

    def describe(self) -> str:
        shape = "x".join(map(str, self.input_shape))
        return f"ConvolutionalAutoencoder({shape} to {self.code_shape[0]}, up={self.up!r}, output={self.output!r})"


def stages(name: str, input_shape: Sequence[int], channels: Sequence[int], *, code: int, rng: Seed,
           hidden: Sequence[int], up: str, kernel_size: int | None, activation: nn.Activation, numbers: int = 1,
           classes: int = 0) -> tuple[nn.Sequential, nn.Sequential]:
    """The encoder and the decoder of a ConvolutionalAutoencoder, in whose name errors are said.

    The encoder may give several `numbers` for each of the code; and both may see `classes` beside what they take: the
    encoder as further channels (N, H, W, C + classes), the decoder as further numbers (N, code + classes). Raises
    InputError as ConvolutionalAutoencoder does.
    """
    if up not in DOUBLINGS:
        raise InputError(f"{name}: up is one of {', '.join(map(repr, DOUBLINGS))}, not {up!r}")
    kernel_size = DOUBLINGS[up] if kernel_size is None else kernel_size
    _check_sizes(name, input_shape, channels, [*hidden, code], kernel_size, odd=up != "transposed")
    rng = generator(rng, name)
    steps = list(zip([input_shape[2], *channels], channels, strict=False))                   # (channels before, after)
    coarse = (input_shape[0] >> len(channels), input_shape[1] >> len(channels), channels[-1])
    widths = [int(np.prod(coarse)), *hidden]
    halve = partial(nn.halving, by="stride" if up == "transposed" else "pool", kernel_size=kernel_size, rng=rng)
    double = partial(nn.doubling, by=up, kernel_size=kernel_size, rng=rng)
    encoder: list[nn.Module] = []
    for i, (before, after) in enumerate(steps):
        encoder += halve(before + (0 if i else classes), after, activation=activation)
    encoder += [nn.Flatten(), *nn.mlp([*widths, numbers * code], rng=rng, activation=activation)]
    decoder = [*nn.mlp([code + classes, *widths[::-1]], rng=rng, activation=activation, output_activation=activation),
               nn.Unflatten(coarse)]
    for after, before in reversed(steps):
        decoder += double(before, after, activation=activation)
    return nn.Sequential(*encoder), nn.Sequential(*decoder[:-1])


def _check_sizes(name: str, input_shape: Sequence[int], channels: Sequence[int], widths: Sequence[int],
                 kernel_size: int, odd: bool) -> None:
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise InputError(f"{name}: input_shape is that of one image, (H, W, C), such as (28, 28, 1), not "
                         f"{tuple(input_shape)}")
    if not channels or min(*channels, *widths) < 1:
        raise InputError(f"{name}: channels {list(channels)}, at least one, and the dense widths down to the code "
                         f"{list(widths)} are 1 or more")
    factor = 2**len(channels)
    if any(n % factor for n in input_shape[:2]):
        fitting = " and ".join(str(max(1, round(n / factor)) * factor) for n in input_shape[:2])
        raise InputError(f"{name}: {len(channels)} stages halve an image {len(channels)} times, and {factor} does not "
                         f"divide {input_shape[0]}x{input_shape[1]}; pad or crop to {fitting}, or take fewer channels")
    if kernel_size < 1 or odd and kernel_size % 2 == 0:
        raise InputError(f"{name}: kernel_size is 1 or more, and odd unless up is 'transposed', not {kernel_size}")
