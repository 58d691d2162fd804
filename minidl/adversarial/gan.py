"""The two networks of a game, and what the discriminator sees of them: a variant says it in `real` and `fake`."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.nn.layers import Sequential, Sigmoid, Tanh
from minidl.nn.module import Module, functional_call
from minidl.randomness import RandomStream, Seed, generator
from minidl.rows import array_of, check_count, slices
from minidl.tensor import Tensor

_ROWS = 1024       # items that are generated at a time when nothing is recorded
Sight = tuple[Any, ...]


class GAN(Module):
    """A generator that makes data of noise, and a discriminator that tells them from real ones (slide 29).

    `generator` takes noise (N, latent) and gives data (N, ...); `discriminator` takes data (N, ...) and gives a score
    each, (N,) or (N, 1), a logit or what the loss makes of it; it may give a tuple of which the scores are the first.
    `train` trains them. With `pack` m the discriminator sees m items at once, beside each other in the last axis, so
    that it sees a lack of variety, too (PacGAN): its input has m times the channels, and batches are multiples of m.

    `sample` and `decode` make data. A variant is a class whose `real(batch)` and `fake(batch, z)` say what the
    discriminator sees: (x,) and (G(z),) here, with labels or codes beside them in others.

    Raises InputError for networks that are none, sizes below 1, data outside the range of the generator's last layer,
    and batches that are no multiple of the pack.

    Source: I. Goodfellow et al., "Generative adversarial nets", 2014; Z. Lin et al., "PacGAN", 2018.
    """

    def __init__(self, generator: Module, discriminator: Module, *, latent: int, pack: int = 1, rng: Seed) -> None:
        for what, network in (("generator", generator), ("discriminator", discriminator)):
            if not isinstance(network, Module):
                raise InputError(f"{type(self).__name__}: the {what} is a network, an nn.Module, not {network!r:.60}")
        self.generator, self.discriminator = generator, discriminator
        self.latent = check_count(type(self).__name__, "latent", latent)
        self.pack = check_count(type(self).__name__, "pack", pack)
        self.stream = RandomStream.of(rng, type(self).__name__)

    # What the players see ---------------------------------------------------------------------------------------------

    def noise(self, n: int) -> Array:
        """Standard normal noise (n, latent), drawn from the game's own stream."""
        return self.stream.normal((n, self.latent), self.like)

    def real(self, batch: Sight) -> Sight:
        """What the discriminator sees of a batch of data."""
        return batch[:1]

    def fake(self, batch: Sight, z: Array) -> Sight:
        """What it sees of the generator, beside this batch."""
        return (self.generator(Tensor(z)),)

    def judge(self, seen: Sight, params: dict[str, Tensor] | None = None) -> tuple[Tensor, Sight]:
        """The discriminator's scores (N / pack,), and what else it says. `params` stand in for its parameters."""
        seen = self._seen(seen)
        said = self.discriminator(*seen) if params is None else functional_call(self.discriminator, params, *seen)
        scores, *more = said if isinstance(said, tuple) else (said,)
        if scores.size != len(seen[0]):
            raise InputError(f"{type(self).__name__}: the discriminator gives one score for each of {len(seen[0])} "
                             f"items, not {scores.shape}")
        return ops.reshape(scores, (-1,)), tuple(more)

    def features(self, seen: Sight) -> Tensor:
        """What the discriminator's layers before the last make of what it sees: (N, ...) -> (N / pack, features).

        Raises InputError unless it is a Sequential or has a method `features`.
        """
        seen = self._seen(seen)
        body: Any = getattr(self.discriminator, "features", None)
        if body is None and isinstance(self.discriminator, Sequential):
            body = self.discriminator[:-1]
        if body is None:
            raise InputError(f"{type(self).__name__}: features are those before the last layer of an nn.Sequential, or "
                             f"of a method `features`; a {type(self.discriminator).__name__} has neither")
        return body(*seen).flatten(1)

    def generator_parameters(self) -> list[Tensor]:
        """The parameters of the generator's side, which are all but the discriminator's: for its optimiser."""
        theirs = {p.birth for p in self.discriminator.parameters()}
        return [p for p in self.parameters() if p.birth not in theirs]

    def check_data(self, batch: Sight) -> None:
        """Raise InputError for data that the generator could never make."""
        check_range(type(self).__name__, self.generator, batch[0])

    def _seen(self, seen: Sight) -> Sight:
        for part in seen:
            check_items(type(self).__name__, part)
        return seen if self.pack == 1 else tuple(self._packed(part) for part in seen)

    def _packed(self, part: Any) -> Any:
        if len(part) % self.pack:
            raise InputError(f"{type(self).__name__}: a batch is a multiple of the pack of {self.pack}, not "
                             f"{len(part)}; data.Loader(..., drop_last=True) leaves the smaller last one out")
        part = part if isinstance(part, Tensor) else Tensor(part)
        groups = ops.reshape(part, (len(part) // self.pack, self.pack, *part.shape[1:]))
        return ops.concatenate([groups[:, i] for i in range(self.pack)], -1)

    # Making data ------------------------------------------------------------------------------------------------------

    def decode(self, code: Any) -> Any:
        """The data that noise stands for: (N, latent) -> (N, ...); of a Tensor a recorded Tensor."""
        if isinstance(code, Tensor):
            return self.generator(code)
        return self.made_by(self.generator, code)

    def sample(self, n: int, rng: Seed) -> Array:
        """n new items (n, ...) of standard normal noise, drawn on the host: the same on every device."""
        n = check_count(type(self).__name__, "n", n, least=0)
        z = generator(rng, f"{type(self).__name__}.sample").standard_normal((n, self.latent), dtype=np.float32)
        return self.made_by(self.generator, self.device.put(z).astype(self.like.dtype))

    def made_by(self, network: Module, *given: Array) -> Array:
        """What one of the networks makes of arrays (N, ...), unrecorded and in evaluation mode: (N, ...)."""
        for part in given:
            check_items(type(self).__name__, part)
        was = network.training
        network.eval()
        try:
            with no_grad():
                parts = [network(*(Tensor(a[rows]) for a in given)).data for rows in slices(max(len(given[0]), 1),
                                                                                           _ROWS)]
        finally:
            network.train(was)
        return backend_of(given[0]).xp.concatenate(parts)

    @property
    def like(self) -> Array:
        """An array of the networks' dtype and device."""
        return next(self.named_parameters())[1].data

    @property
    def device(self) -> Device:
        """Where the networks' parameters are."""
        return next(self.named_parameters())[1].device

    def describe(self) -> str:
        return f"{type(self).__name__}(latent={self.latent}{f', pack={self.pack}' if self.pack > 1 else ''})"


def check_range(who: str, network: Module, x: Any) -> None:
    """Raise InputError, in `who`'s name, for data that the network's last layer could never make: x (N, ...)."""
    network = getattr(network, "network", network)                                        # within Joined
    last = list(network)[-1] if isinstance(network, Sequential) else None
    low = {Tanh: -1.0, Sigmoid: 0.0}.get(type(last))                                            # type: ignore[arg-type]
    x = array_of(x)
    if low is not None and x.size and not (low <= float(x.min()) and float(x.max()) <= 1.0):
        raise InputError(f"{who}: the generator ends in {last}, which gives numbers in "
                         f"[{low:g}, 1], and the data go from {float(x.min()):g} to {float(x.max()):g}; scale them")


def check_items(who: str, x: Any) -> None:
    """Raise InputError, in `who`'s name, for what is no array or Tensor of items (N, ...)."""
    if not getattr(x, "ndim", 0):
        raise InputError(f"{who}: items are an array or a Tensor (N, ...), not {x!r:.60}")
