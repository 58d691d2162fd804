"""VAE-GAN (cited on slide 28): an autoencoder whose error is measured in the discriminator's features."""
from __future__ import annotations

from typing import Any

from minidl import ops
from minidl.adversarial.game import Extra, Turn
from minidl.adversarial.gan import GAN, Sight
from minidl.backend import Array
from minidl.errors import InputError
from minidl.nn.losses import kl_unit_gaussian
from minidl.nn.module import Module
from minidl.randomness import Seed
from minidl.rows import check_amount
from minidl.tensor import Tensor


class VAEGAN(GAN):
    """A variational autoencoder whose decoder is the generator of a GAN: use with the Extra `Similarity`.

    `encoder` takes data (N, ...) and gives mean and log-variance of the codes side by side, (N, 2 latent). The
    discriminator has to tell data from two kinds of made items, 2 N in all: those of noise, and reconstructions. It
    needs features, as `GAN.features` says. The game's own losses do not reach the encoder; it learns from `Similarity`.

    The verbs `encode` (the mean), `decode`, `reconstruct` and `sample` are those of a model of data. Raises InputError
    for networks that are none, codes of another size, and data outside the range of the generator's last layer.

    Source: A. Larsen, S. Sønderby, H. Larochelle and O. Winther, "Autoencoding beyond pixels using a learned similarity
    metric", 2016, arXiv:1512.09300, algorithm 1.
    """

    def __init__(self, encoder: Module, generator: Module, discriminator: Module, *, latent: int, rng: Seed) -> None:
        super().__init__(generator, discriminator, latent=latent, rng=rng)
        if not isinstance(encoder, Module):
            raise InputError(f"VAEGAN: the encoder is a network, an nn.Module, not {encoder!r:.60}")
        self.encoder = encoder

    def posterior(self, x: Any) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the codes of x: (N, ...) -> (N, latent) each, recorded."""
        return self._halves(self.encoder(x))

    def fake(self, batch: Sight, z: Array) -> Sight:
        """What is made of noise and of codes, (2 N, ...), and the codes: as drawn, their mean and log-variance."""
        mean, log_variance = self.posterior(batch[0])
        drawn = mean + ops.exp(0.5 * log_variance) * Tensor(self.noise(len(z)))
        return self.generator(ops.concatenate([Tensor(z), drawn.detach()], 0)), drawn, mean, log_variance

    def judge(self, seen: Sight, params: dict[str, Tensor] | None = None) -> tuple[Tensor, Sight]:
        """The scores of the items alone: codes are not seen."""
        return super().judge(seen[:1], params)

    def encode(self, x: Any) -> Any:
        """The codes' means: (N, ...) -> (N, latent); of a Tensor a recorded Tensor."""
        return self._halves(self.encoder(x) if isinstance(x, Tensor) else self.made_by(self.encoder, x))[0]

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`: (N, ...) -> (N, ...)."""
        return self.decode(self.encode(x))

    def _halves(self, said: Any) -> tuple[Any, Any]:
        if said.shape != (len(said), 2 * self.latent):
            raise InputError(f"VAEGAN: the encoder gives mean and log-variance, (N, {2 * self.latent}) for "
                             f"{self.latent} numbers of noise, not {said.shape}")
        return said[:, :self.latent], said[:, self.latent:]


class Similarity(Extra):
    """Reconstructions shall have the discriminator's features of what they reconstruct, and codes be like noise.

    The encoder pays half the squared distance of the features, summed over them (a Gaussian's negative log-likelihood,
    up to a constant), and `prior` times KL(q(z|x) || N(0, 1)); the decoder pays `weight` times that distance beside
    what the game's loss asks of it. Raises InputError for negative weights, and a model that is no VAEGAN.

    Source: Larsen et al. 2016, equations 7 and 8; `weight` is their gamma.
    """

    def __init__(self, weight: float = 1.0, *, prior: float = 1.0) -> None:
        self.weight = check_amount("Similarity", "weight", weight)
        self.prior = check_amount("Similarity", "prior", prior)

    def generator(self, turn: Turn) -> Tensor:
        """The cost of this turn's items."""
        gan = turn.gan
        if not isinstance(gan, VAEGAN):
            raise InputError(f"Similarity: is of a VAEGAN, not of a {type(gan).__name__}")
        made, drawn, mean, log_variance = turn.fake
        wanted = gan.features(turn.real)
        with gan.generator.frozen():                       # the encoder's share: through the decoder, not into it
            encoders = _distance(gan.features((gan.generator(drawn),)), wanted)
        decoders = _distance(gan.features((made[len(drawn):],)), wanted)
        return encoders + self.weight * decoders + self.prior * kl_unit_gaussian(mean, log_variance)


def _distance(features: Tensor, wanted: Tensor) -> Tensor:
    return 0.5 * ops.mean(ops.sum((features - wanted)**2, 1))
