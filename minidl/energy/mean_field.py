"""Deep Boltzmann machines learn by mean field where the data are, and by persistent chains where they are not."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import plain_array
from minidl.backend import Array, backend_of
from minidl.energy.deep_boltzmann import DeepBoltzmannMachine
from minidl.energy.samplers import GibbsChains
from minidl.errors import InputError
from minidl.nn.module import Buffer, Module
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, check_choice, check_count
from minidl.tensor import Tensor

_FOLLOW = 0.01             # how fast the centring offsets follow the means


class MeanFieldPCD(Module):
    """Learning of a deep Boltzmann machine: `trainer(machine, v)` writes gradients, of data less those of chains.

    With the data v, h1 and h2 have their mean-field means after so many `rounds`; the model is sampled by `chains`, a
    number or chains of your own of `machine.as_rbm()`, which go on from batch to batch by `k` steps. What is written is
    the gradient of -`lower_bound`, but for the chains, which only approach the model. `centred` removes from the
    gradients of the weights what the units' means explain, and gives it to the biases, so that it does not matter
    whether a 1 or a 0 stands for ink; with it both layers learn together from the start (Montavon and Mueller 2012).
    `energy.train` is the loop around it, with any optimiser.

    Returns the loss `active`, the mean of h1. Raises InputError for counts below 1, chains and a machine that are none,
    no rows, and data outside [0, 1].

    Source: R. Salakhutdinov and G. Hinton, "Deep Boltzmann machines", 2009.
    """

    def __init__(self, machine: DeepBoltzmannMachine, *, rounds: int = 5, k: int = 1, chains: Any = 60,
                 centred: bool = True, rng: Seed = 0) -> None:
        check_deep("MeanFieldPCD", machine)
        check_choice("MeanFieldPCD", "centred", centred, (True, False))
        self.rounds, self.k = check_count("MeanFieldPCD", "rounds", rounds), check_count("MeanFieldPCD", "k", k)
        self.stream = RandomStream.of(rng, "MeanFieldPCD")
        self.chains = chains if hasattr(chains, "advance") else GibbsChains(
            machine.as_rbm(), check_count("MeanFieldPCD", "chains", chains), rng=self.stream)
        self.follow = _FOLLOW if centred else 0.0
        v = ops.sigmoid(machine.b.data)
        p1, p2 = machine.mean_field(v[None], rounds=self.rounds)
        self.offsets = [Buffer(mean if centred else 0 * mean) for mean in (v, p1[0], p2[0])]

    def __call__(self, machine: DeepBoltzmannMachine, v: Any) -> dict[str, Array]:
        """Write the gradients for data v (N, D)."""
        v = machine.checked("train", array_of(v))
        if not len(v):
            raise InputError("MeanFieldPCD: there are no rows to learn from")
        xp, N, D = backend_of(v).xp, len(v), v.shape[1]
        data = v, *machine.mean_field(v, rounds=self.rounds)
        fantasy, q1 = self.chains.advance(machine.as_rbm(), self.k)
        weight = xp.full((N + len(q1), 1), 1.0 / len(q1), v.dtype)
        weight[:N] = -1.0 / N
        m, n1, n2 = (offset.data for offset in self.offsets)
        V, H1, H2 = (xp.concatenate(both) - offset for both, offset in zip(
            zip(data, (fantasy[:, :D], q1, fantasy[:, D:]), strict=True), (m, n1, n2), strict=True))
        weighted = weight * H1
        dW1, dW2 = machine.pairs(V, weighted), weighted.T @ H2
        db = (weight * V).sum(0) - machine.fall(n1[None], dW1)[0]
        dc1 = weighted.sum(0) - machine.rise(m[None], dW1)[0] - dW2 @ n2
        dc2 = (weight * H2).sum(0) - n1 @ dW2
        for p, gradient in zip((machine.W1, machine.W2, machine.b, machine.c1, machine.c2), (dW1, dW2, db, dc1, dc2),
                               strict=True):
            p.grad = Tensor(gradient)
        for offset, means in zip(self.offsets, data, strict=True):
            offset.data = offset.data + self.follow * (means.mean(0) - offset.data)
        return {"active": data[1].mean()}


def lower_bound(machine: DeepBoltzmannMachine, v: Any, log_z: Any, *, rounds: int = 20) -> Array:
    """What mean field says of log P(v), and which is never more than that: v (N, D) -> (N,) of float64.

    It is the mean of -E under the mean-field distribution, and this distribution's entropy, less log Z: a number, from
    `log_partition(machine.as_rbm())` or an estimate of `ais`. Raises InputError for an estimate that is not to be
    believed, a log Z that is no number, and data outside [0, 1].
    """
    check_deep("lower_bound", machine)
    number = log_z.checked() if hasattr(log_z, "checked") else plain_array("lower_bound", array_of(log_z))
    if np.ndim(number):
        raise InputError(f"lower_bound: log_z is a number or what ais has estimated, not of shape {number.shape}")
    v = machine.checked("lower_bound", array_of(v))
    p1, p2 = machine.mean_field(v, rounds=rounds)
    entropies = _entropy(p1) + _entropy(p2)
    return entropies - machine.energy(v, p1, p2).astype(np.float64) - float(number)


def check_deep(name: str, machine: Any) -> None:
    """Raise InputError for what is no DeepBoltzmannMachine."""
    if not isinstance(machine, DeepBoltzmannMachine):
        raise InputError(f"{name}: takes a DeepBoltzmannMachine or a ShapeBM, not a {type(machine).__name__}")


def _entropy(p: Array) -> Array:
    """Of independent binary units with these means, in nats: (N, H) -> (N,) of float64."""
    xp, p = backend_of(p).xp, p.astype(np.float64)
    return -sum(q * xp.log(xp.maximum(q, 1e-300)) for q in (p, 1.0 - p)).sum(1)
