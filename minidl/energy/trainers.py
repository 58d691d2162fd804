"""Learning by the difference of statistics: trainers write the parameters' gradients, and any optimiser steps."""
from __future__ import annotations

from typing import Any

from minidl import ops
from minidl.backend import Array, backend_of
from minidl.energy.boltzmann import BoltzmannMachine
from minidl.errors import InputError
from minidl.nn.module import Buffer, Module
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, check_count
from minidl.tensor import Tensor


class DifferenceOfStatistics(Module):
    """Slide 95's learning: `trainer(machine, v)` writes <x_i x_j> of the model less <x_i x_j> of the data as gradients.

    With `exact` both come from enumeration. Else, of each batch, hidden units are drawn by Gibbs sampling from fair
    coins, and the model is sampled by `chains` that go on from batch to batch; both take so many `sweeps`. A step of
    `training.run` is

        def step(v):
            losses = trainer(machine, v)
            optimizer.step()
            return losses

    with the parts machine, trainer (the chains and their random stream) and optimizer. `losses` has `difference`, the
    largest of the gradients' sizes. Raises InputError for counts below 1.
    """

    def __init__(self, machine: BoltzmannMachine, *, exact: bool = False, chains: int = 100, sweeps: int = 5,
                 rng: Seed = 0) -> None:
        self.exact, self.sweeps = bool(exact), check_count("DifferenceOfStatistics", "sweeps", sweeps)
        self.stream = RandomStream.of(rng, "DifferenceOfStatistics")
        self.chains = Buffer(self._coins(check_count("DifferenceOfStatistics", "chains", chains), len(machine.b),
                                         machine.b.data))

    def __call__(self, machine: BoltzmannMachine, v: Any) -> dict[str, Array]:
        """Write the gradients for data v (N, visible)."""
        if self.exact:
            (data, data_pairs), (model, model_pairs) = machine.statistics(v), machine.statistics()
        else:
            self._check(machine)
            v, visible = array_of(v), machine.visible
            x = backend_of(v).xp.concatenate([v, self._coins(len(v), machine.hidden, v)], axis=1)
            x = machine.gibbs(x, self.sweeps if machine.hidden else 0, rng=self.stream, clamp=visible)
            self.chains.data = machine.gibbs(self.chains.data, self.sweeps, rng=self.stream)
            (data, data_pairs), (model, model_pairs) = _means(x), _means(self.chains.data)
        dtype = machine.b.dtype
        machine.W.grad = Tensor(ops.triu((model_pairs - data_pairs).astype(dtype), 1))
        machine.b.grad = Tensor((model - data).astype(dtype))
        return {"difference": abs(machine.W.grad.data).max()}

    def _coins(self, rows: int, width: int, like: Array) -> Array:
        return (self.stream.uniform((rows, width), like) < 0.5).astype(like.dtype)

    def _check(self, machine: BoltzmannMachine) -> None:
        if self.chains.shape[1] != len(machine.b):
            raise InputError(f"DifferenceOfStatistics: its chains have {self.chains.shape[1]} units and this machine "
                             f"{len(machine.b)}; each machine needs a trainer of its own")


def _means(x: Array) -> tuple[Array, Array]:
    return x.mean(0), x.T @ x / len(x)
