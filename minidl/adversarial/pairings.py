"""Variants that differ in what the discriminator sees, or says: labels, codes, an encoder (slide 30)."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.adversarial.game import Extra, Turn
from minidl.adversarial.gan import GAN, Sight
from minidl.arguments import to_array
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.nn.layers import Sequential
from minidl.nn.losses import cross_entropy
from minidl.nn.module import Module
from minidl.randomness import Seed, generator
from minidl.rows import array_of, check_amount, check_count
from minidl.tensor import Tensor


class Joined(Module):
    """A network that sees several things as one, side by side in the last axis: x (N, ..., C) and rows (N, K).

    Beside images each of the K numbers is a map of its own, the same everywhere. `network` takes (N, ..., C + K).
    """

    def __init__(self, network: Module) -> None:
        self.network = network

    def forward(self, x: Any, *others: Any) -> Any:
        return self.network(joined(x, *others))

    def features(self, x: Any, *others: Any) -> Tensor:
        """What the layers before the last make of it. Raises InputError for a network that is no Sequential."""
        if not isinstance(self.network, Sequential):
            raise InputError(f"Joined: features are those of an nn.Sequential, not of a {type(self.network).__name__}")
        return self.network[:-1](joined(x, *others))


class TwoHeads(Module):
    """A discriminator that says two things of what its `body` sees: its `score`, and `more`."""

    def __init__(self, body: Module, score: Module, more: Module) -> None:
        self.body, self.score, self.more = body, score, more

    def forward(self, *seen: Any) -> tuple[Tensor, Tensor]:
        h = self.body(*seen)
        return self.score(h), self.more(h)

    def features(self, *seen: Any) -> Tensor:
        """What the body sees."""
        return self.body(*seen)


class ConditionalGAN(GAN):
    """Both players see the label (M. Mirza and S. Osindero, "Conditional generative adversarial nets", 2014).

    `generator` takes noise and the label's row side by side, (N, latent + classes); `discriminator` data and label,
    joined as `Joined` does. The data are batches (x, y) with labels y, (N,) whole numbers. `sample(label=)` makes items
    of one class. Raises InputError for batches without labels.
    """

    def __init__(self, generator: Module, discriminator: Module, *, latent: int, classes: int, pack: int = 1,
                 rng: Seed) -> None:
        super().__init__(Joined(generator), self._seeing(discriminator), latent=latent, pack=pack, rng=rng)
        self.classes = check_count(type(self).__name__, "classes", classes, least=2)
        self._last: tuple[Any, Any] = None, None

    def _seeing(self, discriminator: Module) -> Module:
        return Joined(discriminator)

    def real(self, batch: Sight) -> Sight:
        return batch[0], self.labels(batch)

    def fake(self, batch: Sight, z: Array) -> Sight:
        y = self.labels(batch)
        return self.generator(Tensor(z), y), y

    def labels(self, batch: Sight) -> Any:
        """The batch's labels as rows (N, classes) with a 1 each. The same batch gives the same array."""
        if len(batch) < 2:
            raise InputError(f"{type(self).__name__}: learns from data and labels, data.Loader(x, y, classes="
                             f"{self.classes}, ...); these batches have no labels")
        if self._last[0] is not batch[1]:
            self._last = batch[1], self._rows(array_of(batch[1]))
        return self._last[1]

    def _rows(self, y: Array) -> Array:
        xp = backend_of(y).xp
        return (y[:, None] == xp.arange(self.classes)).astype(self.like.dtype)

    def sample(self, n: int, rng: Seed, *, label: int | Any = None) -> Array:
        """n new items (n, ...): of one class, of the classes `label` (n,), or by default of classes drawn evenly.

        Raises InputError for labels that are none.
        """
        draws = generator(rng, f"{type(self).__name__}.sample")
        n = check_count(type(self).__name__, "n", n, least=0)
        z = draws.standard_normal((n, self.latent), dtype=np.float32)
        given = draws.integers(self.classes, size=n) if label is None else to_array(label, np.int64)
        if given.shape not in ((), (n,)) or given.dtype.kind not in "iu" or not (
                (given >= 0) & (given < self.classes)).all():
            raise InputError(f"{type(self).__name__}.sample: label is a class from 0 to {self.classes - 1}, or one for "
                             f"each of {n} items, not {label!r:.60}")
        labels = self.device.put(np.broadcast_to(given, (n,)).copy())
        return self.made_by(self.generator, self.device.put(z).astype(self.like.dtype), self._rows(labels))


class AuxiliaryGAN(ConditionalGAN):
    """The discriminator does not see the label, it names it: use with the Extra `Naming`, and `TwoHeads`.

    Source: A. Odena, C. Olah and J. Shlens, "Conditional image synthesis with auxiliary classifier GANs", 2017.
    """

    def _seeing(self, discriminator: Module) -> Module:
        return discriminator

    def real(self, batch: Sight) -> Sight:
        return batch[:1]

    def fake(self, batch: Sight, z: Array) -> Sight:
        return (self.generator(Tensor(z), self.labels(batch)),)


class Naming(Extra):
    """Both players want the label to be named by the discriminator's second head: `weight` times cross-entropy.

    Raises InputError for a weight below 0, and a discriminator without a second head.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = check_amount("Naming", "weight", weight)

    def discriminator(self, turn: Turn) -> Tensor:
        """The cross-entropy of data and of what was generated."""
        return self._cost(turn, turn.real_more) + self._cost(turn, turn.fake_more)

    def generator(self, turn: Turn) -> Tensor:
        """The cross-entropy of what was generated."""
        return self._cost(turn, turn.fake_more)

    def _cost(self, turn: Turn, said: Sight) -> Tensor:
        if not said:
            raise InputError("Naming: the discriminator names classes by a second head, TwoHeads(body, score, classes)")
        return self.weight * cross_entropy(said[0], turn.batch[1])


class InfoGAN(GAN):
    """The last numbers of the noise are a code, which the discriminator shall tell: use with `Information`, `TwoHeads`.

    The noise (N, latent) ends in one of `classes`, as a row with a 1, and in `codes` uniform numbers in [-1, 1]. The
    discriminator's second head gives `classes` logits and `codes` numbers, (N, classes + codes). Raises InputError for
    codes that are none, or leave no noise.

    Source: X. Chen et al., "InfoGAN: interpretable representation learning", 2016.
    """

    def __init__(self, generator: Module, discriminator: Module, *, latent: int, classes: int = 0, codes: int = 0,
                 rng: Seed) -> None:
        super().__init__(generator, discriminator, latent=latent, rng=rng)
        self.classes = check_count("InfoGAN", "classes", classes, least=0)
        self.codes = check_count("InfoGAN", "codes", codes, least=0)
        if not 0 < self.classes + self.codes < latent:
            raise InputError(f"InfoGAN: classes and codes are 1 or more of the {latent} numbers of the noise, and some "
                             f"are left, not {classes} and {codes}")

    def noise(self, n: int) -> Array:
        z = super().noise(n)
        return self._coded(z, self.stream.uniform((n, 1), z), self.stream.uniform((n, self.codes), z))

    def sample(self, n: int, rng: Seed) -> Array:
        """n new items (n, ...) with codes drawn as in training."""
        draws = generator(rng, "InfoGAN.sample")
        n = check_count("InfoGAN", "n", n, least=0)
        z, pick, codes = (self.device.put(a.astype(self.like.dtype)) for a in (
            draws.standard_normal((n, self.latent)), draws.random((n, 1)), draws.random((n, self.codes))))
        return self.made_by(self.generator, self._coded(z, pick, codes))

    def _coded(self, z: Array, pick: Array, codes: Array) -> Array:
        xp, plain = backend_of(z).xp, self.latent - self.classes - self.codes
        named = (xp.floor(pick * self.classes) == xp.arange(self.classes)).astype(z.dtype)
        return xp.concatenate([z[:, :plain], named, 2.0 * codes - 1.0], 1)


class Information(Extra):
    """What was generated shall tell its code: a lower bound of their mutual information, up to a constant.

    Cross-entropy of the class, and half the squared error of the codes, times `weight`; both players pay. Raises
    InputError for a weight below 0, another model, and a discriminator without a second head.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = check_amount("Information", "weight", weight)

    def discriminator(self, turn: Turn) -> Tensor:
        """The cost of what the second head says of this turn's items."""
        return self.generator(turn)

    def generator(self, turn: Turn) -> Tensor:
        """The cost of what the second head says of this turn's items."""
        gan = turn.gan
        if not isinstance(gan, InfoGAN) or not turn.fake_more:
            raise InputError("Information: is of an InfoGAN whose discriminator has a second head, TwoHeads(body, "
                             "score, codes)")
        said, start = turn.fake_more[0], gan.latent - gan.classes - gan.codes
        wanted = turn.z[:, start:]
        cost = 0.5 * ops.mean(ops.sum((said[:, gan.classes:] - wanted[:, gan.classes:])**2, 1))
        if gan.classes:
            cost = cost + cross_entropy(said[:, :gan.classes], wanted[:, :gan.classes])
        return self.weight * cost


class BiGAN(GAN):
    """An encoder learns to be the generator's inverse: the discriminator sees data with codes, (x, E(x)) or (G(z), z).

    Where it cannot tell the pairs apart, encoder and generator invert each other. `encoder` takes data (N, ...) and
    gives codes (N, latent); `discriminator` takes both as `Joined` does. The verbs `encode`, `decode`, `reconstruct`
    and `sample` are those of a model of data.

    Source: J. Donahue, P. Krähenbühl and T. Darrell, "Adversarial feature learning", 2017; V. Dumoulin et al.,
    "Adversarially learned inference", 2017.
    """

    def __init__(self, generator: Module, encoder: Module, discriminator: Module, *, latent: int, rng: Seed) -> None:
        super().__init__(generator, Joined(discriminator), latent=latent, rng=rng)
        self.encoder = encoder

    def real(self, batch: Sight) -> Sight:
        return batch[0], self.encoder(batch[0])

    def fake(self, batch: Sight, z: Array) -> Sight:
        return self.generator(Tensor(z)), Tensor(z)

    def encode(self, x: Any) -> Any:
        """The codes of x: (N, ...) -> (N, latent); of a Tensor a recorded Tensor."""
        if isinstance(x, Tensor):
            return self.encoder(x)
        return self.made_by(self.encoder, x)

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`: (N, ...) -> (N, ...)."""
        return self.decode(self.encode(x))


def joined(x: Any, *others: Any) -> Tensor:
    """Things side by side in the last axis: x (N, ..., C) and rows (N, K), each of whose numbers is everywhere."""
    x = x if isinstance(x, Tensor) else Tensor(x)
    parts = [x]
    for other in others:
        other = other if isinstance(other, Tensor) else Tensor(other)
        if x.ndim > 2:
            shape = len(other), *[1] * (x.ndim - 2), other.shape[-1]
            other = ops.broadcast_to(ops.reshape(other, shape), (*x.shape[:-1], other.shape[-1]))
        parts.append(other)
    return ops.concatenate(parts, -1)
