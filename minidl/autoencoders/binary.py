"""Codes of bits (slides 18-21): an autoencoder whose code units are driven to 0 or 1, to search images by."""
from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from minidl import nn, ops
from minidl.autoencoders.base import apply
from minidl.autoencoders.codes import CodeGaussian, root
from minidl.autoencoders.deep import DeepAutoencoder
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.randomness import RandomStream, Seed
from minidl.tensor import Tensor

CODES = ("noise", "straight-through")


class BinaryAutoencoder(DeepAutoencoder):
    """A deep autoencoder whose code is bits: [3072, 8192, 4096, 2048, 1024, 512, 256] is slide 18's.

    The code units are logistic, and a unit's bit says whether its input is above 0. `code` is how training makes them
    bits, for a threshold has no gradient:

    - "noise": Gaussian noise of deviation `noise` is added to the units' inputs in training, and no threshold. To send
      anything through it the inputs must become large, and so the units 0 or 1 (Salakhutdinov and Hinton, "Semantic
      hashing", 2009, who keep the same noise for an image; here it is drawn anew).
    - "straight-through": the decoder sees the bits, and the gradient takes the logistic unit's slope in the place of
      the threshold's (Bengio, Leonard and Courville 2013).

    `encode` gives bits, (N, bits) uint8, and `decode` takes them; given a Tensor, `encode` returns the bits as a
    recorded Tensor of floats, with that slope. `sample` thresholds a Gaussian, which `remember_codes` has fitted so
    that each bit is 1 as often as in the training data, and the bits hang together as they do there.

    Raises InputError for an unknown `code`, a negative `noise`, codes of other numbers than 0 and 1, values that are
    not finite, and as `DeepAutoencoder` does.

    Source: A. Krizhevsky and G. Hinton, "Using very deep autoencoders for content-based image retrieval", 2011.
    """

    def __init__(self, sizes: Sequence[int], *, rng: Seed, code: str = "noise", noise: float = 4.0,
                 output: str = "logits", activation: nn.Activation = nn.ELU, tied: bool = False) -> None:
        if code not in CODES:
            raise InputError(f"BinaryAutoencoder: code is 'noise' or 'straight-through', not {code!r}")
        if not noise >= 0.0:
            raise InputError(f"BinaryAutoencoder: noise is a deviation of 0 or more, not {noise}")
        stream = RandomStream.of(rng, "BinaryAutoencoder")
        super().__init__(sizes, rng=stream, output=output, activation=activation, tied=tied)
        self.code, self.noise, self.stream = code, float(noise), stream

    def forward(self, x: Any) -> Tensor:
        return self.decoder(self.code_units(self.encoder(x)))

    def code_units(self, inputs: Tensor) -> Tensor:
        """What the decoder is given for the code units' inputs: (B, bits) -> (B, bits).

        Noisy logistic units in [0, 1] in training by "noise", else bits.
        """
        if self.training and self.code == "noise":
            drawn = self.stream.normal(inputs.shape, like=inputs.data)
            return ops.sigmoid(inputs + drawn * self.noise if self.noise else inputs)
        return threshold(inputs)

    def start_from(self, x: Array) -> None:
        """Before training: set biases so that each bit divides x (N, inputs) in half, and decoding begins at its mean.

        A bit that is the same for all images says nothing, and a threshold's stand-in slope hardly wakes it up. And a
        mean image that has to be learned by way of the bits drives them all to one side at first.
        """
        host = backend_of(x).to_host
        encode, decode = (network[-1].bias for network in (self.encoder, self.decoder))
        _move(encode, -np.median(host(super().encode(x)), axis=0))
        mean = host(x).mean(0)
        if self.output == "logits":
            mean = mean.clip(0.01, 0.99)
            mean = np.log(mean / (1 - mean))
        raw = apply(self.decoder, self.encode(x).astype(decode.dtype), self.code_shape, "decode")
        _move(decode, mean - host(raw).mean(0))

    def activities(self, x: Array) -> Array:
        """The logistic code units' values before the threshold, without noise: (N, inputs) -> (N, bits) in [0, 1]."""
        return ops.sigmoid(apply(self.encoder, x, self.input_shape, "activities"))

    # The verbs, with bits for a code ----------------------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """Data to bits: (N, inputs) -> (N, bits), uint8; of a Tensor floats, recorded.

        Raises InputError if x has another shape, or gives values that are not finite.
        """
        inputs = super().encode(x)
        if isinstance(inputs, Tensor):
            return threshold(inputs)
        if not backend_of(inputs).xp.isfinite(inputs).all():
            raise InputError("encode: x, or what the network makes of it, holds values that are not finite, and NaN "
                             "has no bit; replace or drop them")
        return (inputs > 0).astype(np.uint8)

    def decode(self, code: Any) -> Any:
        """Bits to data: (N, bits) -> (N, inputs). Raises InputError for another shape or numbers beside 0 and 1."""
        if not isinstance(code, Tensor):
            if not ((code == 0) | (code == 1)).all():
                raise InputError("decode: codes are zeros and ones, and these hold other numbers; threshold them "
                                 "first, code > 0.5")
            code = code.astype(self.dtype)
        return super().decode(code)

    def gaussian_of(self, codes: np.ndarray) -> CodeGaussian:
        """The Gaussian that, thresholded at 0, gives bits like these (N, bits).

        Its variances are 1, and a bit of share p has the mean Phi^-1(p). Two balanced bits with the correlation r come
        from two numbers with the correlation sin(pi r / 2) (Sheppard 1899); for others that is near enough.
        """
        share, half = codes.mean(0), 0.5 / len(codes)                   # no bit is taken to be certain
        scaled = (codes - share) / np.maximum(codes.std(0), half)
        factor = root(np.sin(scaled.T @ scaled * (0.5 * np.pi / len(codes))))
        factor /= np.sqrt(np.maximum((factor**2).sum(0), half))
        return CodeGaussian(np.array([NormalDist().inv_cdf(p) for p in share.clip(half, 1 - half)]), factor)

    def draw_codes(self, n: int, rng: Seed) -> Array:
        """n codes (n, bits), uint8: the Gaussian's draws above 0. Raises InputError before `remember_codes`."""
        return (super().draw_codes(n, rng) > 0).astype(np.uint8)

    def describe(self) -> str:
        how = f"noise {self.noise:g}" if self.code == "noise" else self.code
        return f"{super().describe()[:-1]}, code by {how})"


def _move(bias: Tensor, by: np.ndarray) -> None:
    bias.data += bias.device.put(by.astype(bias.dtype, copy=False))


def threshold(inputs: Tensor) -> Tensor:
    """1 where an input is above 0, else 0, with the logistic function's slope for a gradient: (...) -> (...).

    Source: Y. Bengio, N. Leonard and A. Courville, "Estimating or propagating gradients through stochastic neurons for
    conditional computation", 2013: the straight-through estimator.
    """
    p = ops.sigmoid(inputs)
    bits = (inputs.data > 0).astype(inputs.dtype)
    return bits + (p - p.detach())                      # the difference is 0; its gradient is not
