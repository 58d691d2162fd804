"""Learning by the difference of statistics: trainers write the parameters' gradients, and any optimiser steps."""
from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from minidl import ops
from minidl.backend import Array, backend_of
from minidl.energy.boltzmann import BoltzmannMachine, check_machine
from minidl.energy.rbm import RBM
from minidl.energy.samplers import GibbsChains, check_rbm, gibbs
from minidl.errors import InputError
from minidl.nn.module import Buffer, Module
from minidl.nn.sparsity import check_rho
from minidl.optim import Optimizer, Schedule
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, check_amount, check_choice, check_count, rows_of_floats
from minidl.tensor import Parameter, Tensor
from minidl.training.history import History
from minidl.training.loop import Batched, run

_FOLLOW = 0.01             # how fast the centring offsets follow the means


class Chains(Protocol):
    """Persistent chains: GibbsChains, TemperedChains, or anything with a state that advances."""

    def advance(self, rbm: RBM, k: int = 1) -> tuple[Array, Array]:
        """Go k steps on: visible states (n, D), and the means of the hidden units given them (n, H)."""


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
        check_machine("DifferenceOfStatistics", machine)
        check_choice("DifferenceOfStatistics", "exact", exact, (True, False))
        self.exact, self.sweeps = exact, check_count("DifferenceOfStatistics", "sweeps", sweeps)
        self.stream = RandomStream.of(rng, "DifferenceOfStatistics")
        self.chains = Buffer(self._coins(check_count("DifferenceOfStatistics", "chains", chains), len(machine.b),
                                         machine.b.data))

    def __call__(self, machine: BoltzmannMachine, v: Any) -> dict[str, Array]:
        """Write the gradients for data v (N, visible). Raises InputError for no rows, and rows of another width."""
        v = rows_of_floats("DifferenceOfStatistics", array_of(v))
        if not len(v) or v.shape[1] != machine.visible:
            raise InputError(f"DifferenceOfStatistics: learns from one or more rows of {machine.visible} numbers, v "
                             f"has shape {v.shape}")
        if self.exact:
            (data, data_pairs), (model, model_pairs) = machine.statistics(v), machine.statistics()
        else:
            self._check(machine)
            x = backend_of(v).xp.concatenate([v, self._coins(len(v), machine.hidden, v)], axis=1)
            x = machine.gibbs(x, self.sweeps if machine.hidden else 0, rng=self.stream, clamp=machine.visible)
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


class ContrastiveDivergence(Module):
    """Slide 99's learning of a restricted machine: `trainer(rbm, v)` writes gradients, of data less those of chains.

    Without `chains` they start at the batch and take `k` steps (CD-k). With `chains`, a number or chains of your own
    such as TemperedChains, they go on from batch to batch and approach the model (PCD-k); a batch of another size
    changes nothing about them. Neither is the gradient of the likelihood, but CD's error stays however small the steps.

    `centred` removes from the gradient of W what the means of v and h explain, and gives it to the biases: it does not
    depend on whether a 1 or a 0 stands for ink (Montavon and Mueller 2012; Melchior et al. 2016). `sparsity=(target,
    cost)` draws each hidden unit's mean activation to the target (Hinton 2010, section 11). Weight costs and momentum
    are the optimiser's: `optim.SGD(rbm.named_parameters(), lr=0.05, momentum=0.5, weight_decay=lambda name, p: 2e-4 if
    name == "W" else 0.0)`. `train` is the loop around it.

    Returns the losses `active`, the mean of the hidden units, and of CD `error`, the squared distance from the data to
    the chains' ends, summed over a row, which does not measure the likelihood. `fantasy` (n, D) are the chains' states
    after the last call. Raises InputError for k below 1, chains and a sparsity that are none, no rows, and data that
    the visible units cannot have: on a GPU it looks at the first batch alone.

    Source: G. Hinton, "Training products of experts by minimizing contrastive divergence", 2002; T. Tieleman, "Training
    restricted Boltzmann machines using approximations to the likelihood gradient", 2008.
    """

    def __init__(self, rbm: RBM, *, k: int = 1, chains: int | Chains | None = None, centred: bool = False,
                 sparsity: tuple[float, float] | None = None, rng: Seed = 0) -> None:
        check_rbm("ContrastiveDivergence", rbm)
        if not isinstance(rbm.W, Parameter):
            raise InputError("ContrastiveDivergence: this machine is a DeepBoltzmannMachine, folded; MeanFieldPCD "
                             "trains that")
        check_choice("ContrastiveDivergence", "centred", centred, (True, False))
        self.k = check_count("ContrastiveDivergence", "k", k)
        self.stream = RandomStream.of(rng, "ContrastiveDivergence")
        self.chains = GibbsChains(rbm, chains, rng=self.stream) if isinstance(chains, int | np.integer) else chains
        if not (self.chains is None or hasattr(self.chains, "advance")):
            raise InputError("ContrastiveDivergence: chains is how many, chains of your own such as TemperedChains, or "
                             f"None, not {chains!r:.60}")
        self.sparsity = None if sparsity is None else checked_sparsity("ContrastiveDivergence", sparsity)
        self.fantasy: Array = None
        self.centred, self._looked_at_data = centred, False
        if centred:
            v = rbm.visible.mean(rbm.b.data.copy())
            self.v_offset, self.h_offset = Buffer(v), Buffer(rbm.hidden.mean(rbm.up(v)))

    def __call__(self, rbm: RBM, v: Any) -> dict[str, Array]:
        """Write the gradients for data v (N, D), which may be Tensors."""
        v = array_of(v)
        on_device = type(v) is type(rbm.b.data) and not isinstance(v, np.ndarray)
        if not (on_device and self._looked_at_data):
            v, self._looked_at_data = rbm.checked("train", v), True
        if not len(v):
            raise InputError("ContrastiveDivergence: there are no rows to learn from")
        p = rbm.hidden.mean(rbm.up(v))
        if self.chains is None:
            self.fantasy, q = gibbs(rbm, rbm.hidden.draw(p, self.stream), self.k, self.stream)
        else:
            self.fantasy, q = self.chains.advance(rbm, self.k)
        dW, db, dc = free_energy_difference(v, p, self.fantasy, q)
        active, v_mean = p.mean(0), v.mean(0)
        if self.centred:
            m, n = self.v_offset.data, self.h_offset.data
            dW -= m[:, None] * dc
            dW -= db[:, None] * n
            db, dc = db - dW @ n, dc - m @ dW
            self.v_offset.data, self.h_offset.data = m + _FOLLOW * (v_mean - m), n + _FOLLOW * (active - n)
        if self.sparsity:
            target, cost = self.sparsity
            excess = cost * (active - target)
            dW += v_mean[:, None] * excess
            dc = dc + excess
        rbm.W.grad, rbm.b.grad, rbm.c.grad = Tensor(dW), Tensor(db), Tensor(dc)
        losses = {"active": active.mean()}
        if self.chains is not None:
            return losses
        moved = (v - self.fantasy).reshape(-1)
        return {"error": moved @ moved / len(v)} | losses


def free_energy_difference(v: Array, p: Array, fantasy: Array, q: Array) -> tuple[Array, Array, Array]:
    """The gradients of free_energy(v).mean() - free_energy(fantasy).mean() for W (D, H), b (D,) and c (H,).

    v (N, D) and fantasy (n, D) are visible states, p (N, H) and q (n, H) the means of the hidden units given them. Both
    halves of W's gradient are one product of N + n rows.
    """
    xp, N = backend_of(v).xp, len(v)
    weighted = xp.concatenate([p, q])
    weighted[:N] *= -1.0 / N
    weighted[N:] *= 1.0 / len(q)
    dW = xp.concatenate([v, fantasy]).T @ weighted
    return dW, fantasy.mean(0) - v.mean(0), weighted.sum(0)


def train(machine: Any, loader: Batched, optimizer: Optimizer, trainer: Any, *, epochs: int,
          schedule: Schedule | None = None, **more: Any) -> History:
    """Train a machine on the rows of a loader: the trainer writes gradients, the optimiser and the schedule step.

    `more` are the keywords of `training.run`: `checkpoint`, `after_epoch`, `progress` and their like. A resumed run is
    the unbroken one bit for bit on the CPU, chains and all. Errors are those of the trainer and of `training.run`.
    """
    def step(batch: Any) -> dict[str, Array]:
        losses = trainer(machine, batch[0] if isinstance(batch, tuple) else batch)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        return losses

    parts = {"model": machine, "optimizer": optimizer, "trainer": trainer, "schedule": schedule}
    return run(step, loader, {name: part for name, part in parts.items() if part is not None}, epochs=epochs, **more)


def checked_sparsity(name: str, sparsity: Any) -> tuple[float, float]:
    """The target and the cost. Raises InputError, in `name`'s name, unless they are a pair of numbers in range."""
    if not isinstance(sparsity, tuple | list) or len(sparsity) != 2:
        raise InputError(f"{name}: sparsity is a target between 0 and 1 and its cost, as (0.1, 0.1), not "
                         f"{sparsity!r:.60}")
    return check_rho(sparsity[0]), check_amount(name, "the cost of sparsity", sparsity[1])
