"""Two networks that grow: each layer that they gain doubles the images, and fades in (slides 64-74)."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl import ops
from minidl.adversarial.gan import GAN, Sight
from minidl.adversarial.layers import MinibatchDiscrimination, MinibatchStd
from minidl.arguments import is_number
from minidl.backend import Array
from minidl.errors import InputError
from minidl.nn import init
from minidl.nn.convolution import Conv2d
from minidl.nn.layers import LeakyReLU, Linear, Sequential
from minidl.nn.module import Buffer, Module
from minidl.nn.normalization import BatchNorm, GroupNorm, PixelNorm
from minidl.nn.pooling import AvgPool2d, Flatten, Unflatten, Upsample
from minidl.nn.reparametrization import EqualizedLR
from minidl.randomness import RandomStream, Seed
from minidl.rows import check_choice, check_count
from minidl.tensor import Tensor

SMALLEST = 4                      # the images' height and width before the first growth
_GROUPS = "std", "discrimination", "none"


@dataclass(frozen=True)
class Tricks:
    """What the paper adds to a game with a gradient penalty, each to be switched off alone.

    `equalized`: the learning rate is equalised at run time (slide 73). `pixel_norm`: the generator's features and its
    noise lie on a sphere (slide 74). `minibatch`: what the critic sees of a whole batch, its standard deviation "std"
    (slides 70-72), "discrimination" (slide 44) or "none". `batch_norm`: batch normalisation in the generator and layer
    normalisation in the critic, which the paper begins with and then leaves out.

    Raises InputError for another `minibatch`, and two normalisations of the generator at once.
    """

    equalized: bool = True
    pixel_norm: bool = True
    minibatch: str = "std"
    batch_norm: bool = False

    def __post_init__(self) -> None:
        check_choice("Tricks", "minibatch", self.minibatch, _GROUPS)
        if self.batch_norm and self.pixel_norm:
            raise InputError("Tricks: batch_norm takes the place of pixel_norm in the generator; switch one of them "
                             "off, Tricks(batch_norm=True, pixel_norm=False)")


class ProgressiveGAN(GAN):
    """A GAN of 4x4 images, until `grow` doubles them: images (N, size, size, channels), not bounded by a last layer.

    `widths` are the channels of the maps at 4x4, 8x8, ...: there are as many growths as widths after the first. A new
    layer comes with weights that have learned nothing. So the images are at first those of the older layers, enlarged,
    and those of the new one `alpha` times, with the older ones 1 - alpha times: `fade` moves alpha, from 0 just after
    a growth, to 1. The critic sees its input the same two ways, and data as blurred as what is generated. `tricks` are
    the paper's. `adversarial.grow` trains all stages. Loading a state grows the GAN to the size that it is of.

    Raises InputError for fewer than one width, sizes below 1, an alpha outside [0, 1], and growing too often.

    Source: T. Karras et al., "Progressive growing of GANs for improved quality, stability, and variation", 2018.
    """

    generator: _Generator
    discriminator: _Critic

    def __init__(self, *, channels: int = 1, latent: int = 64, widths: Sequence[int] = (64, 64, 32),
                 tricks: Tricks | None = None, rng: Seed) -> None:
        who = type(self).__name__
        if not isinstance(widths, tuple | list) or not widths:
            raise InputError(f"{who}: widths are the channels at 4x4, 8x8, ..., such as (64, 64, 32), not "
                             f"{widths!r:.60}")
        self.widths = tuple(check_count(who, "widths", width) for width in widths)
        self.tricks = Tricks() if tricks is None else tricks
        stream = RandomStream.of(rng, who)
        plan = _Plan(check_count(who, "channels", channels), self.widths, self.tricks, stream)
        super().__init__(_Generator(plan, check_count(who, "latent", latent)), _Critic(plan), latent=latent, rng=stream)
        self._alpha = Buffer(np.ones((), np.float32))        # of the state; the networks have it as a number

    @property
    def size(self) -> int:
        """The height and width of the images."""
        return SMALLEST << len(self.generator.blocks)

    @property
    def largest(self) -> int:
        """The height and width that the last growth gives."""
        return SMALLEST << len(self.widths) - 1

    @property
    def alpha(self) -> float:
        """How far the newest layer has come in: from 0 to 1."""
        return self.generator.alpha

    def grow(self) -> None:
        """Double the images by a layer in each network, which is not yet seen: alpha is 0."""
        if self.size == self.largest:
            raise InputError(f"{type(self).__name__}.grow: the images are {self.size}x{self.size}, and widths "
                             f"{self.widths} say no more; give one more width")
        for network in (self.generator, self.discriminator):
            network.grow(self.like)
        self.fade(0.0)

    def fade(self, alpha: float) -> None:
        """Let the newest layer count for `alpha` of the images."""
        if not (is_number(alpha) and 0.0 <= alpha <= 1.0):
            raise InputError(f"{type(self).__name__}.fade: alpha lies in [0, 1], not {alpha!r:.60}")
        self._alpha.data[...] = alpha
        self._tell(float(np.float32(alpha)))

    def real(self, batch: Sight) -> Sight:
        """Data as blurred as the generator's images while a layer fades in."""
        x, coarse = batch[0], Upsample(2)(AvgPool2d(2)(batch[0])) if self.alpha < 1.0 else None
        return (x if coarse is None else _mixed(coarse, x, self.alpha),)

    def check_data(self, batch: Sight) -> None:
        """Raise InputError for data of another size than the images."""
        wanted = self.size, self.size, self.generator.channels
        if batch[0].shape[1:] != wanted:
            raise InputError(f"{type(self).__name__}: it has grown to images {wanted}, and the data are "
                             f"{batch[0].shape[1:]}; adversarial.shrunk makes them smaller, grow() the images larger")

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        growths = len({name.split(".")[2] for name in state if name.startswith("generator.blocks.")})
        while len(self.generator.blocks) < min(growths, len(self.widths) - 1):
            self.grow()
        super().load_state_dict(state)
        self._tell(float(self._alpha.numpy()))

    def describe(self) -> str:
        return f"ProgressiveGAN({self.size}x{self.size} of {self.largest}x{self.largest}, alpha={self.alpha:.3g})"

    def _tell(self, alpha: float) -> None:
        self.generator.alpha = self.discriminator.alpha = alpha


@dataclass(frozen=True)
class _Plan:
    """How the layers of both networks are made."""

    channels: int
    widths: tuple[int, ...]
    tricks: Tricks
    rng: RandomStream

    def weighted(self, make: Callable[..., Any], *sizes: int, gain: float = math.sqrt(2.0), **more: Any) -> Module:
        """A convolution or dense layer, He's weights times gain / sqrt(2), equalised or not."""
        layer = make(*sizes, rng=self.rng, weight_init=init.he_normal, **more)
        if self.tricks.equalized:
            return EqualizedLR(layer, rng=self.rng, gain=gain)
        layer.weight.data *= gain / math.sqrt(2.0)
        return layer

    def conv(self, before: int, after: int, *norm: Module) -> list[Module]:
        """A convolution 3x3, what normalises it, and leaky ReLU."""
        return [self.weighted(Conv2d, before, after, 3, padding=1), *norm, LeakyReLU(0.2)]

    def made(self, before: int, after: int) -> list[Module]:
        """The generator's: normalised by pixel after the activation, as in the paper, or by batch before it."""
        if self.tricks.batch_norm:
            return self.conv(before, after, BatchNorm(after))
        return [*self.conv(before, after), *self.on_sphere()]

    def judged(self, before: int, after: int) -> list[Module]:
        """The critic's: not normalised, or by layer."""
        return self.conv(before, after, *([GroupNorm(1, after)] if self.tricks.batch_norm else []))

    def on_sphere(self) -> list[Module]:
        return [PixelNorm()] if self.tricks.pixel_norm else []


class _Generator(Module):
    """Noise (N, latent) -> images: the first maps 4x4, then a block for each growth, and a head that makes pixels."""

    def __init__(self, plan: _Plan, latent: int) -> None:
        self.plan, self.channels, self.alpha = plan, plan.channels, 1.0
        width = plan.widths[0]
        dense = plan.weighted(Linear, latent, SMALLEST * SMALLEST * width)
        norm = [BatchNorm(width)] if plan.tricks.batch_norm else []
        self.first = Sequential(*plan.on_sphere(), dense, Unflatten((SMALLEST, SMALLEST, width)), *norm, LeakyReLU(0.2),
                                *plan.on_sphere(), *plan.made(width, width))
        self.blocks: list[Module] = []
        self.heads = [self._head(width)]                # the older one, while there is one, and the newest

    def grow(self, like: Array) -> None:
        """One more block and head."""
        before, after = self.plan.widths[len(self.blocks):len(self.blocks) + 2]
        block, head = (_as(like, module) for module in (
            Sequential(Upsample(2), *self.plan.made(before, after), *self.plan.made(after, after)), self._head(after)))
        self.blocks.append(block)
        self.heads = [self.heads[-1], head]

    def forward(self, z: Any) -> Tensor:
        h = older = self.first(z)
        for block in self.blocks:
            h, older = block(h), h
        image = self.heads[-1](h)
        return image if self.alpha == 1.0 else _mixed(Upsample(2)(self.heads[0](older)), image, self.alpha)

    def _head(self, width: int) -> Module:
        return self.plan.weighted(Conv2d, width, self.channels, 1, gain=1.0)


class _Critic(Module):
    """Images -> scores (N, 1): the generator's mirror image, with a look at the whole batch near its end."""

    def __init__(self, plan: _Plan) -> None:
        self.plan, self.alpha = plan, 1.0
        width, more = plan.widths[0], plan.tricks.minibatch
        spread = [MinibatchStd()] if more == "std" else []
        others = [MinibatchDiscrimination(width, 16, 4, rng=plan.rng)] if more == "discrimination" else []
        self.last = Sequential(
            *spread, *plan.judged(width + len(spread), width), Flatten(),
            plan.weighted(Linear, SMALLEST * SMALLEST * width, width), LeakyReLU(0.2), *others,
            plan.weighted(Linear, width + 16 * len(others), 1, gain=1.0))
        self.blocks: list[Module] = []              # in the order of growth: an image goes through the newest first
        self.heads = [self._head(width)]

    def grow(self, like: Array) -> None:
        """One more block and head."""
        after, before = self.plan.widths[len(self.blocks):len(self.blocks) + 2]
        block, head = (_as(like, module) for module in (
            Sequential(*self.plan.judged(before, before), *self.plan.judged(before, after), AvgPool2d(2)),
            self._head(before)))
        self.blocks.append(block)
        self.heads = [self.heads[-1], head]

    def features(self, x: Any) -> Tensor:
        """What the layers before the last make of images."""
        return self.last[:-1](self._maps(x))

    def forward(self, x: Any) -> Tensor:
        return self.last(self._maps(x))

    def _maps(self, x: Any) -> Tensor:
        """The maps 4x4 (N, 4, 4, widths[0])."""
        h = self.heads[-1](x)
        for i, block in enumerate(reversed(self.blocks)):
            h = block(h)
            if i == 0 and self.alpha < 1.0:
                h = _mixed(self.heads[0](AvgPool2d(2)(x)), h, self.alpha)
        return h

    def _head(self, width: int) -> Module:
        return Sequential(self.plan.weighted(Conv2d, self.plan.channels, width, 1), LeakyReLU(0.2))


def _mixed(older: Any, newer: Any, alpha: float) -> Tensor:
    return ops.add(older * (1.0 - alpha), newer * alpha)


def _as(like: Array, module: Module) -> Module:
    """The module with the dtype and on the device of an array."""
    return module.to(Tensor(like).device).astype(like.dtype)
