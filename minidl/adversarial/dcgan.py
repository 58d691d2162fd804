"""Convolutional players (slide 30): DCGAN's networks, and its rules as checks."""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from minidl.errors import InputError
from minidl.nn import init
from minidl.nn.convolution import Conv2d, ConvTranspose2d
from minidl.nn.layers import LeakyReLU, Linear, ReLU, Sequential, Tanh
from minidl.nn.module import Module
from minidl.nn.normalization import BatchNorm
from minidl.nn.pooling import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d, MaxUnpool2d, Unflatten, Upsample
from minidl.randomness import Seed, generator
from minidl.rows import check_count

_SLOPE = 0.2
_WITH_WEIGHTS = Linear, Conv2d, ConvTranspose2d
_RESIZING = AvgPool2d, GlobalAvgPool2d, MaxPool2d, MaxUnpool2d, Upsample
_IN_BETWEEN = BatchNorm, Flatten, Unflatten                                    # of a layer and its activation


def dcgan_generator(shape: Sequence[int], *, latent: int, channels: int = 64, hidden: int = 0,
                    rng: Seed) -> Sequential:
    """DCGAN's generator: noise (N, latent) -> images (N, H, W, C) in [-1, 1].

    `shape` (H, W, C) of an image is halved until it is odd or at most 4 high or wide: 8, 16, 32 and 64 begin at 4, 28
    at 7. There a dense layer makes the first maps of the noise, and transposed convolutions (kernel 4, stride 2) double
    them; the last maps before the image are `channels`, those before them twice as many, and so on. All but the last
    layer are followed by batch normalisation and ReLU. The paper has images of 64x64 with `channels=128`. `hidden`
    units in one more dense layer before the maps, which the paper advises against, help with small images.

    Raises InputError for sizes below 1, and images that cannot be halved once.

    Source: A. Radford, L. Metz and S. Chintala, "Unsupervised representation learning with deep convolutional
    generative adversarial networks", 2016, section 3.
    """
    coarse, widths = _stages("dcgan_generator", shape, channels, hidden)
    weights: Any = dict(rng=generator(rng, "dcgan_generator"), weight_init=partial(init.normal, std=0.02))
    latent = check_count("dcgan_generator", "latent", latent)
    layers: list[Module] = []
    for before, after in zip([latent, *_some(hidden)], [*_some(hidden), int(np.prod(coarse)) * widths[-1]],
                             strict=True):
        layers += [Linear(before, after, bias=False, **weights), BatchNorm(after), ReLU()]
    layers[-2:] = [Unflatten((*coarse, widths[-1])), BatchNorm(widths[-1]), ReLU()]          # by maps, not by units
    for before, after in zip(widths[:0:-1], widths[-2::-1], strict=True):
        layers += [ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False, **weights), BatchNorm(after),
                   ReLU()]
    return Sequential(*layers, ConvTranspose2d(widths[0], shape[2], 4, stride=2, padding=1, **weights), Tanh())


def dcgan_discriminator(shape: Sequence[int], *, channels: int = 64, hidden: int = 0, outputs: int = 1,
                        rng: Seed) -> Sequential:
    """DCGAN's discriminator: images (N, H, W, C) -> scores (N, outputs), logits.

    The generator's mirror image: convolutions (kernel 4, stride 2) halve the image, `channels` first, then twice as
    many each, and a dense layer gives the score. All but the first and the last are batch-normalised, and followed by
    leaky ReLU of slope 0.2. `hidden` and the errors are those of `dcgan_generator`.

    Source: Radford et al. 2016, section 3.
    """
    coarse, widths = _stages("dcgan_discriminator", shape, channels, hidden)
    weights: Any = dict(rng=generator(rng, "dcgan_discriminator"), weight_init=partial(init.normal, std=0.02))
    outputs = check_count("dcgan_discriminator", "outputs", outputs)
    layers: list[Module] = [Conv2d(shape[2], widths[0], 4, stride=2, padding=1, **weights), LeakyReLU(_SLOPE)]
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [Conv2d(before, after, 4, stride=2, padding=1, bias=False, **weights), BatchNorm(after),
                   LeakyReLU(_SLOPE)]
    layers.append(Flatten())
    flat = int(np.prod(coarse)) * widths[-1]
    if hidden:
        layers += [Linear(flat, hidden, bias=False, **weights), BatchNorm(hidden), LeakyReLU(_SLOPE)]
    return Sequential(*layers, Linear(hidden or flat, outputs, **weights))


def dcgan_rules(generator: Module, discriminator: Module) -> list[str]:
    """What of the two networks is against DCGAN's five rules: a sentence each, none if they keep to them.

    The rules: strides instead of pooling and upsampling; batch normalisation in both but for the generator's last
    layer and the discriminator's first (and its score); no hidden dense layers; ReLU in the generator, and tanh at its
    end; leaky ReLU in the discriminator. The layers are taken in the order in which they were defined. Raises
    InputError for what is no network, and one without layers that have weights.

    Source: Radford et al. 2016, "Architecture guidelines for stable deep convolutional GANs".
    """
    return _differences("generator", generator) + _differences("discriminator", discriminator)


def _stages(who: str, shape: Sequence[int], channels: int, hidden: int) -> tuple[tuple[int, int], list[int]]:
    """The size of the smallest maps, and the channels of all maps from the largest to the smallest."""
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise InputError(f"{who}: shape is that of one image, (H, W, C), such as (28, 28, 1), not {shape!r:.60}")
    height, width, _ = (check_count(who, what, size) for what, size in zip(("H", "W", "C"), shape, strict=True))
    channels, stages = check_count(who, "channels", channels), 0
    check_count(who, "hidden", hidden, least=0)
    while min(height, width) > 4 and height % 2 == width % 2 == 0:
        height, width, stages = height // 2, width // 2, stages + 1
    if not stages:
        raise InputError(f"{who}: images are halved by strides, which takes an even height and width above 4, not "
                         f"{shape[0]}x{shape[1]}")
    return (height, width), [channels << i for i in range(stages)]


def _some(hidden: int) -> list[int]:
    return [hidden] if hidden else []


def _differences(name: str, network: Module) -> list[str]:
    """What of one player is against the rules."""
    if not isinstance(network, Module):
        raise InputError(f"dcgan_rules: the {name} is a network, an nn.Module, not {network!r:.60}")
    leaves = [layer for _, layer in network.named_modules() if not list(layer.children())]
    places = [i for i, layer in enumerate(leaves) if isinstance(layer, _WITH_WEIGHTS)]
    if not places:
        raise InputError(f"dcgan_rules: this {name} has no layers with weights: {type(network).__name__}")
    makes = name == "generator"
    found = [f"{name}: {layer.describe()} resizes maps; a {'transposed ' * makes}convolution with a stride learns to"
             for layer in leaves if isinstance(layer, _RESIZING)]
    for i, (start, end) in enumerate(zip(places, [*places[1:], len(leaves)], strict=True)):
        layer, after = leaves[start], leaves[start + 1:end]
        first, last = i == 0, end == len(leaves)
        found += [f"{name}: {said}" for said in _layer_differences(layer, after, makes, first, last)]
    return found


def _layer_differences(layer: Any, after: list[Module], makes: bool, first: bool, last: bool) -> list[str]:
    found = []
    what = layer.describe()
    if isinstance(layer, Linear):
        if not (first if makes else last):
            found.append(f"{what} is a dense layer beside the {'first' if makes else 'last'}; convolutions take its "
                         "place")
    elif max(np.ravel(layer.stride)) < 2:
        found.append(f"{what} has no stride; with stride 2 it {'doubles' if makes else 'halves'} the maps")
    normalised, bare = any(isinstance(a, BatchNorm) for a in after), last if makes else first or last
    if normalised and bare:
        found.append(f"{what} is the {'last' if last else 'first'} layer and has batch normalisation, which makes "
                     "samples oscillate")
    elif not normalised and not bare:
        found.append(f"{what} is not followed by batch normalisation")
    wanted = (Tanh if last else ReLU) if makes else None if last else LeakyReLU
    given = [type(a) for a in after if not isinstance(a, (*_IN_BETWEEN, *_RESIZING))]
    if given != ([wanted] if wanted else []):
        found.append(f"{what} is followed by {' and '.join(a.__name__ for a in given) or 'no activation'}, not by "
                     f"{wanted.__name__ if wanted else 'none'}")
    return found
