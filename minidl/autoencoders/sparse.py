"""The sparse autoencoder (slide 10): a hidden layer of which only few units are active at a time."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import nn, ops
from minidl.autoencoders.base import Autoencoder
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.nn.sparsity import check_rho
from minidl.randomness import Seed, generator
from minidl.tensor import Tensor

PENALTIES = ("kl", "l1", "k-sparse")


class SparseAutoencoder(Autoencoder):
    """One hidden layer, in which an image is described by few active units, however many there are.

    The cost is that of Andrew Ng's lecture notes, for x (B, inputs) with hidden activations h:

        J = mean over the images of 1/2 |x' - x|^2 + weight_decay/2 sum W^2 + beta penalty(h)

    `penalty`: "kl" draws each unit's mean activation to `rho` (`nn.kl_sparsity`), "l1" all activations to 0
    (`nn.l1_sparsity`); both have sigmoid units. With "k-sparse" the hidden units are linear, and only the `k` largest
    pass (`nn.KSparse`); then rho and beta have no meaning. `output` is "sigmoid", for data in [0, 1], or "linear".
    Weights start uniform on [-r, r] with r = sqrt(6 / (inputs + hidden + 1)), biases at 0.

    The four verbs are those of every `Autoencoder`, for rows of numbers. Raises InputError for sizes below 1, rho
    outside (0, 1), negative weights of the penalties, and a k that is not 1..hidden.

    Source: A. Ng, "Sparse autoencoder", CS294A lecture notes, and the UFLDL tutorial.
    """

    encoder: nn.Sequential
    decoder: nn.Sequential

    def __init__(self, inputs: int, hidden: int, *, rng: Seed, rho: float = 0.01, beta: float = 3.0,
                 weight_decay: float = 1e-4, penalty: str = "kl", k: int | None = None,
                 output: str = "sigmoid") -> None:
        if penalty not in PENALTIES or output not in ("sigmoid", "linear"):
            raise InputError("SparseAutoencoder: penalty is 'kl', 'l1' or 'k-sparse', output 'sigmoid' or 'linear'; "
                             f"not {penalty!r} and {output!r}")
        if (k is None) == (penalty == "k-sparse") or k is not None and not 1 <= k <= hidden:
            raise InputError(f"SparseAutoencoder: k says how many of the {hidden} hidden units the penalty 'k-sparse' "
                             f"keeps, and belongs to it alone; k is {k} and the penalty {penalty!r}")
        if not (beta >= 0.0 and weight_decay >= 0.0):
            raise InputError(f"SparseAutoencoder: beta and weight_decay are 0 or more, not {beta} and {weight_decay}")
        self.rho, self.beta, self.weight_decay = check_rho(rho), float(beta), float(weight_decay)
        self.penalty = penalty
        rng = generator(rng, "SparseAutoencoder")
        encoder = nn.mlp([inputs, hidden], rng=rng, weight_init=_weights,
                         output_activation=(lambda: nn.KSparse(k)) if k else nn.Sigmoid)
        decoder = nn.mlp([hidden, inputs], rng=rng, weight_init=_weights,
                         output_activation=nn.Sigmoid if output == "sigmoid" else None)
        super().__init__(encoder, decoder, input_shape=[inputs], code_shape=[hidden])

    def loss(self, x: Any) -> Tensor:
        """The cost J of a batch x (B, inputs)."""
        h = self.encoder(x)
        cost = self.error(self.decoder(h), x) * 0.5
        if self.weight_decay:
            cost = cost + 0.5 * self.weight_decay * (ops.sum(ops.square(self.encoder[0].weight))
                                                     + ops.sum(ops.square(self.decoder[0].weight)))
        if self.penalty == "kl":
            cost = cost + self.beta * nn.kl_sparsity(h, self.rho)
        elif self.penalty == "l1":
            cost = cost + self.beta * nn.l1_sparsity(h)
        return cost

    def maximising_inputs(self) -> Array:
        """For each hidden unit the input of norm 1 that makes it most active, its filter: (hidden, inputs).

        With |x| <= 1 the activation is largest for x_j = W_ij / |W_i| (lecture notes, section 4).
        """
        weights = self.encoder[0].weight.data.T
        xp = backend_of(weights).xp
        norms = xp.sqrt((weights * weights).sum(1, keepdims=True))
        return weights / xp.where(norms > 0, norms, 1)

    def describe(self) -> str:
        inputs, hidden = self.input_shape[0], self.code_shape[0]
        return f"SparseAutoencoder({inputs}-{hidden}-{inputs}, penalty={self.penalty!r})"


def _weights(shape: tuple[int, ...], *, rng: Seed) -> np.ndarray:
    r = math.sqrt(6.0 / (sum(shape) + 1))
    return nn.init.uniform(shape, rng=rng, low=-r, high=r)
