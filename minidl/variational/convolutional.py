"""The convolutional variational autoencoder: slide 22's stages on the way to the codes' distribution and back."""
from __future__ import annotations

from collections.abc import Sequence

from minidl import nn
from minidl.autoencoders.convolutional import stages
from minidl.randomness import RandomStream, Seed
from minidl.rows import check_count
from minidl.variational.base import VariationalAutoencoder, WarmUp


class ConvolutionalVAE(VariationalAutoencoder):
    """A variational autoencoder of the networks of a ConvolutionalAutoencoder, for images (N, H, W, C).

    `input_shape`, `channels`, `code`, `hidden`, `up`, `kernel_size` and `activation` are those of
    `autoencoders.ConvolutionalAutoencoder`; `output`, `sd`, `classes`, `beta`, `k` and the verbs are
    VariationalAutoencoder's. Labels are further channels of the image. Raises InputError as both do.
    """

    def __init__(self, input_shape: Sequence[int], channels: Sequence[int] = (16, 32), *, code: int, rng: Seed,
                 hidden: Sequence[int] = (), up: str = "transposed", kernel_size: int | None = None,
                 output: str = "logits", sd: float | None = 1.0, classes: int = 0, beta: float | WarmUp = 1.0,
                 k: int = 1, activation: nn.Activation = nn.ELU) -> None:
        stream = RandomStream.of(rng, "ConvolutionalVAE")
        classes = check_count("ConvolutionalVAE", "classes", classes, least=0)
        networks = stages("ConvolutionalVAE", input_shape, channels, code=code, rng=stream, hidden=hidden, up=up,
                          kernel_size=kernel_size, activation=activation, numbers=2, classes=classes)
        super().__init__(*networks, input_shape=input_shape, code=code, rng=stream, output=output, sd=sd,
                         classes=classes, beta=beta, k=k)

    def describe(self) -> str:
        return f"ConvolutionalVAE({'x'.join(map(str, self.input_shape))} to {self.code_shape[0]}, " \
               f"output={self.output!r})"
