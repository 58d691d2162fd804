"""The restricted Boltzmann machine (slides 96-97): weights between two layers, none within."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.backend import Array, Device, backend_of
from minidl.energy.units import Softmax, Units, units_of
from minidl.errors import InputError
from minidl.nn.module import Module
from minidl.randomness import HostStream, RandomStream, Seed, generator
from minidl.rows import array_of, check_amount, check_count, mean_row, rows_that_meet
from minidl.tensor import Parameter, Tensor


class RBM(Module):
    """Visible units v and hidden units h with energy E(v, h) = own(v) + own(h) - v W h - b v - c h (slide 96).

    Either layer is a number of binary units, Units of another kind, or a list of several: `RBM(784, 500, rng=0)`,
    `RBM(Gaussian(64), 100, rng=0)`, `RBM(1000, Gaussian(30), rng=0)`, `RBM([784, Softmax(10)], 500, rng=0)`. W (D, H)
    begins as normal numbers of standard deviation `sd`, the biases b (D,) and c (H,) as zeros; `set_biases(x)` gives
    the visible ones those of data. own is s^2 / 2 of a Gaussian unit and 0 of the others.

    Given one layer the units of the other are independent, so that one step clamped is thermal equilibrium: `propup`
    gives the means of h given v, `propdown` those of v given h. `free_energy` is what is left of E when h is summed
    over: p(v) = exp(-free_energy(v)) / Z. Tensors give recorded Tensors: contrastive divergence is the gradient of
    `free_energy(data).mean() - free_energy(chains).mean()`, for chains that are held constant (slide 99).

    The four verbs: `encode` is propup, `decode` is propdown, both of means; `reconstruct`; `sample` runs a Markov
    chain. With label units last (slide 97), `predict_proba` classifies by free energy.

    Raises InputError for units and an `sd` that are none, rows of another width or on another device, and data that
    the units cannot have, as those outside [0, 1] of binary ones.

    Source: P. Smolensky, "Information processing in dynamical systems: foundations of harmony theory", 1986; G. Hinton,
    "A practical guide to training restricted Boltzmann machines", 2010.
    """

    def __init__(self, visible: int | Units | list[Any], hidden: int | Units | list[Any], *, rng: Seed,
                 sd: float = 0.01) -> None:
        self.visible, self.hidden = units_of("RBM", visible), units_of("RBM", hidden)
        shape = self.visible.size, self.hidden.size
        draws = generator(rng, "RBM").standard_normal(shape, dtype=np.float32)
        self.W = Parameter(draws * np.float32(check_amount("RBM", "sd", sd)))
        self.b, self.c = (Parameter(np.zeros(size, np.float32)) for size in shape)

    def set_biases(self, x: Any) -> RBM:
        """Give the visible units the biases with which they alone have the means of rows x (N, D); returns the machine.

        Without it, W first learns what is the same in all items (Hinton 2010, section 8).
        """
        x = self.checked("set_biases", array_of(x))
        self.b.data[...] = self.visible.biases(mean_row(backend_of(x).xp, x), len(x))
        return self

    # Energies ---------------------------------------------------------------------------------------------------------

    def energy(self, v: Any, h: Any) -> Any:
        """E(v, h) of states v (N, D) and h (N, H) -> (N,). Raises InputError for different N, other than 1."""
        v, h = self._rows("energy", v, self.visible), self._rows("energy", h, self.hidden)
        if len(v) != len(h) and 1 not in (len(v), len(h)):
            raise InputError(f"RBM.energy: v and h are pairs of states, as many of each, not {len(v)} and {len(h)}")
        recorded = isinstance(v, Tensor) or isinstance(h, Tensor)
        W, b, c = (p if recorded else p.data for p in (self.W, self.b, self.c))
        return self.visible.own(v) + self.hidden.own(h) - ops.sum((v @ W) * h, 1) - v @ b - h @ c

    def free_energy(self, v: Any) -> Any:
        """-log sum_h exp(-E(v, h)): v (N, D) -> (N,)."""
        v = self._rows("free_energy", v, self.visible)
        b = self.b if isinstance(v, Tensor) else self.b.data
        return self.visible.own(v) - v @ b - self.hidden.log_partition(self.up(v))

    def up(self, v: Any) -> Any:
        """The hidden units' fields v W + c, unchecked: v (..., D) -> (..., H)."""
        if isinstance(v, Tensor):
            return v @ self.W + self.c
        field = v @ self.W.data
        field += self.c.data
        return field

    def down(self, h: Any) -> Any:
        """The visible units' fields W h + b, unchecked: h (..., H) -> (..., D)."""
        if isinstance(h, Tensor):
            return h @ self.W.T + self.b
        field = h @ self.W.data.T
        field += self.b.data
        return field

    def propup(self, v: Any) -> Any:
        """The means of the hidden units given v, the probabilities of binary ones: (N, D) -> (N, H)."""
        return self.hidden.mean(self.up(self._rows("propup", v, self.visible)))

    def propdown(self, h: Any) -> Any:
        """The means of the visible units given h: (N, H) -> (N, D)."""
        return self.visible.mean(self.down(self._rows("propdown", h, self.hidden)))

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any) -> Any:
        """The features that the hidden units see in x (slide 97), their means: (N, D) -> (N, H)."""
        return self.propup(x)

    def decode(self, code: Any) -> Any:
        """The visible units' means of hidden states or means: (N, H) -> (N, D)."""
        return self.propdown(code)

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`, by means, without a draw: (N, D) -> (N, D)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, rng: Seed, *, steps: int = 1000) -> Array:
        """n rows (n, D), the visible means of chains that start at W = 0 and take so many steps of Gibbs sampling.

        The numbers are drawn on the host, so that every device has the same chains.
        """
        stream = HostStream(generator(rng, "RBM.sample"))
        n, steps = check_count("RBM", "n", n, least=0), check_count("RBM", "steps", steps)
        h = self.hidden.draw(self.hidden.mean(self.up(self.start(n, stream))), stream)
        for _ in range(steps - 1):
            v = self.visible.draw(self.visible.mean(self.down(h)), stream)
            h = self.hidden.draw(self.hidden.mean(self.up(v)), stream)
        return self.visible.mean(self.down(h))

    def start(self, n: int, stream: RandomStream) -> Array:
        """n visible states (n, D), drawn as if W were 0: where a chain may begin."""
        xp = backend_of(self.b.data).xp
        return self.visible.draw(self.visible.mean(xp.tile(self.b.data, (n, 1))), stream)

    # Labels -----------------------------------------------------------------------------------------------------------

    def predict_proba(self, x: Any) -> Array:
        """P(label | x) by free energy: x (N, D - K), the visible units before K label units -> (N, K).

        -free_energy of x with each label in turn, the hidden units' fields of x computed once. Raises InputError for a
        machine whose last visible units are no Softmax.
        """
        labels = getattr(self.visible, "parts", [None])[-1]
        if not isinstance(labels, Softmax):
            raise InputError(f"RBM.predict_proba: the last visible units are {self.visible}; a machine that classifies "
                             "has label units, as RBM([784, Softmax(10)], 500, rng=0)")
        W, b, c = self.W.data, self.b.data, self.c.data
        D, K, xp = len(b) - labels.size, labels.size, backend_of(b).xp
        x = rows_that_meet("RBM", "predict_proba", array_of(x), D, b)
        field = x @ W[:D] + c
        scores = [self.hidden.log_partition(field + labels.replicas * W[D + k]) + labels.replicas * b[D + k]
                  for k in range(K)]
        return ops.softmax(xp.stack(scores, 1), 1)

    def predict(self, x: Any) -> Array:
        """The likeliest label of each row, by `predict_proba`: x (N, D - K) -> (N,) whole numbers."""
        return self.predict_proba(x).argmax(1)

    def checked(self, verb: str, v: Any) -> Any:
        """v as rows (N, D) in the machine's dtype. Raises InputError for rows that the visible units cannot have."""
        v = self._rows(verb, v, self.visible)
        self.visible.check(f"RBM.{verb}", v)
        return v

    def _rows(self, verb: str, x: Any, units: Units) -> Any:
        return rows_that_meet("RBM", verb, x, units.size, self.b.data)

    @property
    def device(self) -> Device:
        """Where the machine's parameters are."""
        return self.b.device

    def describe(self) -> str:
        return f"RBM({self.visible}, {self.hidden})"
