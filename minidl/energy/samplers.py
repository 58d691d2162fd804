"""Markov chains: what draws from a machine stands apart from it, and has a state that a checkpoint saves."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import Array, Device, backend_of
from minidl.energy.rbm import RBM
from minidl.errors import InputError
from minidl.nn.module import Buffer, Module
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, check_count, rows_that_meet


def gibbs_sweeps(couplings: Array, b: Array, x: Array, sweeps: int, stream: RandomStream, clamp: int = 0) -> Array:
    """Gibbs sampling of binary units x (N, n) in place, with symmetric couplings (n, n) and biases b (n,).

    Units that have no weight between them are independent given the others, and are drawn together. So a
    fully-connected machine takes n steps a sweep, a grid two, and slide 96's restricted machine two as well. The first
    `clamp` units are held.
    """
    xp = backend_of(x).xp
    groups = list(_independent(backend_of(couplings).to_host(couplings) != 0, clamp)) if sweeps else []
    groups = [Device(backend_of(x)).put(group) for group in groups]
    inputs = [(group, couplings[:, group], b[group]) for group in groups]      # taken out once: a copy costs a product
    for _ in range(sweeps):
        for group, weights, bias in inputs:
            field = x @ weights + bias
            x[:, group] = stream.uniform(field.shape, field) * (1.0 + xp.exp(-field)) < 1.0
    return x


class GibbsChains(Module):
    """n persistent chains of a restricted machine, block Gibbs sampling (slide 96): a part of a run as any other.

    `advance(rbm, k)` takes k steps of v given h, h given v. `v` (n, D) and `h` (n, H) are the chains' states. They
    begin at `v`, rows (n, D) that are data, or else as if W were 0. Raises InputError for no chains, and a machine of
    other sizes than that for which they were made.
    """

    def __init__(self, rbm: RBM, n: int = 100, *, v: Any = None, rng: Seed) -> None:
        check_rbm("GibbsChains", rbm)
        self.stream = RandomStream.of(rng, "GibbsChains")
        n = check_count("GibbsChains", "n", n)
        v = rbm.start(n, self.stream) if v is None else rbm.checked("chains", array_of(v))
        check_count("GibbsChains", "the number of rows of v", len(v))
        self.v = Buffer(v.copy())
        self.h = Buffer(rbm.hidden.draw(rbm.hidden.mean(rbm.up(v)), self.stream))

    def advance(self, rbm: RBM, k: int = 1) -> tuple[Array, Array]:
        """Take k steps; returns the states v (n, D), and the means of the hidden units given them (n, H)."""
        check_chains(self, rbm, self.v.shape, self.h.shape)
        self.v.data, p = gibbs(rbm, self.h.data, k, self.stream)
        self.h.data = rbm.hidden.draw(p, self.stream)
        return self.v.data, p


class TemperedChains(Module):
    """Parallel tempering: n chains at each of several inverse temperatures, which change places (slide 99).

    At beta the energy is beta times that of the machine, but for the visible biases' share (1 - beta) `base` (D,),
    which the hottest distribution keeps: independent units, as at the start of `ais`. `advance` takes k rounds of a
    Gibbs step at every beta and of exchanges between neighbours, accepted so that each beta keeps its distribution
    (Metropolis). The hot chains move far, and what they find comes down: the last beta is 1, and its states are what
    `advance` returns. `v` is (betas, n, D), `h` (betas, n, H); `swapped` is the share of exchanges that were accepted.
    Raises InputError for betas that do not rise from 0 or more to 1, a base of another shape, no chains, and a machine
    of other sizes.

    Source: G. Desjardins et al., "Tempered Markov chain Monte Carlo for training of restricted Boltzmann machines",
    2010.
    """

    def __init__(self, rbm: RBM, n: int = 20, *, betas: Any = 10, base: Any = None, rng: Seed) -> None:
        check_rbm("TemperedChains", rbm)
        self.betas = checked_betas("TemperedChains", betas)
        self.stream = RandomStream.of(rng, "TemperedChains")
        T, xp = len(self.betas), backend_of(rbm.b.data).xp
        v = rbm.start(T * check_count("TemperedChains", "n", n), self.stream)
        self.v, self.h = Buffer(v.reshape(T, n, -1)), Buffer(xp.zeros((T, n, rbm.hidden.size), v.dtype))
        self.base = Buffer(xp.zeros_like(rbm.b.data) if base is None else checked_base("TemperedChains", rbm, base))
        self.rounds = Buffer(rbm.device.put(np.zeros(3)))          # rounds, exchanges tried and accepted
        self._draw_hidden(rbm)

    @property
    def swapped(self) -> float:
        """The share of exchanges that were accepted."""
        _, tried, accepted = backend_of(self.rounds.data).to_host(self.rounds.data)
        return float(accepted / max(tried, 1.0))

    def advance(self, rbm: RBM, k: int = 1) -> tuple[Array, Array]:
        """k rounds; returns the states at beta 1, v (n, D), and the means of the hidden units given them (n, H)."""
        check_chains(self, rbm, self.v.shape, self.h.shape)
        beta = self._column(rbm)
        for _ in range(check_count("TemperedChains", "k", k)):
            field = beta * rbm.down(self.h.data) + (1.0 - beta) * self.base.data
            self.v.data = rbm.visible.draw(rbm.visible.mean(field), self.stream)
            self._draw_hidden(rbm)
            self._exchange(rbm)
        v = self.v.data[-1]
        return v, rbm.hidden.mean(rbm.up(v))

    def _column(self, rbm: RBM) -> Array:
        return rbm.device.put(np.array(self.betas, rbm.b.dtype))[:, None, None]

    def _draw_hidden(self, rbm: RBM) -> None:
        self.h.data = rbm.hidden.draw(rbm.hidden.mean(self._column(rbm) * rbm.up(self.v.data)), self.stream)

    def _exchange(self, rbm: RBM) -> None:
        """Neighbours (0, 1), (2, 3), ... in one round, (1, 2), (3, 4), ... in the next."""
        v, h, xp = self.v.data, self.h.data, backend_of(self.v.data).xp
        odd = int(self.rounds.data[0]) % 2
        low, high = slice(odd, len(self.betas) - 1, 2), slice(odd + 1, None, 2)
        # What beta multiplies: of it alone the ratio of the probabilities after and before an exchange depends.
        warmth = -(rbm.up(v) * h).sum(-1) - v @ (rbm.b.data - self.base.data)                       # (betas, n)
        gap = rbm.device.put(np.diff(self.betas)[low][:, None].astype(v.dtype))
        rise = gap * (warmth[high] - warmth[low])
        swap = xp.log(1.0 - self.stream.uniform(rise.shape, rise)) < rise
        order = xp.tile(xp.arange(len(self.betas))[:, None], (1, v.shape[1]))
        order[low] += swap
        order[high] -= swap
        chains = xp.arange(v.shape[1])
        self.v.data, self.h.data = v[order, chains], h[order, chains]
        self.rounds.data = self.rounds.data + xp.stack([xp.ones_like(gap.sum(), dtype=np.float64),
                                                        xp.full((), float(swap.size)), swap.sum().astype(np.float64)])


def gibbs(rbm: RBM, h: Array, k: int, stream: RandomStream) -> tuple[Array, Array]:
    """k steps of block Gibbs sampling from hidden states h (N, H): v (N, D), and the means of h given it (N, H).

    Raises InputError for less than one step.
    """
    for step in range(check_count("gibbs", "k", k)):
        v = rbm.visible.draw(rbm.visible.mean(rbm.down(h)), stream)
        p = rbm.hidden.mean(rbm.up(v))
        if step < k - 1:
            h = rbm.hidden.draw(p, stream)
    return v, p


def complete(rbm: RBM, x: Any, known: Any, *, steps: int = 100, rng: Seed) -> Array:
    """Fill in what is not known of rows x (N, D) by Gibbs sampling with the rest held; (N, D).

    `known`, (D,) or (N, D), is true where x holds; what x has elsewhere does not matter. A softmax unit is known as a
    whole or not at all. The answer has x where it is known, and elsewhere the mean of the visible units' probabilities
    over the second half of the steps. Raises InputError for another shape of `known`, fewer than two steps, and values
    that the units cannot have.
    """
    check_rbm("complete", rbm)
    x = rows_that_meet("RBM", "complete", array_of(x), rbm.visible.size, rbm.b.data)
    xp, stream = backend_of(x).xp, RandomStream.of(rng, "complete")
    known = rbm.device.put(plain_array("complete", array_of(known)))
    if known.dtype != bool or known.shape not in (x.shape, x.shape[1:]):
        raise InputError(f"complete: known is true or false for each of the {x.shape[1]} numbers, shape {x.shape[1:]} "
                         f"or {x.shape}, not {known.dtype} of shape {known.shape}")
    v = xp.where(known, x, rbm.start(len(x), stream))
    rbm.visible.check("RBM.complete", v)
    total, steps = xp.zeros_like(v), check_count("complete", "steps", steps, least=2)
    for step in range(steps):
        h = rbm.hidden.draw(rbm.hidden.mean(rbm.up(v)), stream)
        p = rbm.visible.mean(rbm.down(h))
        v = xp.where(known, x, rbm.visible.draw(p, stream))
        if step >= steps // 2:
            total += p
    return xp.where(known, x, total / (steps - steps // 2))


def checked_betas(name: str, betas: Any) -> np.ndarray:
    """Inverse temperatures as float64 (T,); of a whole number so many, evenly from 0 to 1.

    Raises InputError unless there are two or more that rise from 0 or more to 1.
    """
    if isinstance(betas, int | np.integer):
        betas = np.linspace(0.0, 1.0, check_count(name, "betas", betas, least=2))
    betas = plain_array(name, array_of(betas))
    betas = backend_of(betas).to_host(betas).astype(np.float64)
    if betas.ndim != 1 or len(betas) < 2 or not (betas[0] >= 0 and (np.diff(betas) > 0).all() and betas[-1] == 1):
        raise InputError(f"{name}: betas are two or more inverse temperatures that rise from 0 or more to 1, or how "
                         f"many of them, not {betas!r:.60}")
    return betas


def checked_base(name: str, rbm: RBM, base: Any) -> Array:
    """Visible biases (D,) as a new array, where the machine is and in its dtype.

    Raises InputError for another shape, and numbers that are not finite.
    """
    base = rbm.device.put(plain_array(name, array_of(base))).astype(rbm.b.dtype)
    if base.shape != rbm.b.shape or not bool(backend_of(base).xp.isfinite(base).all()):
        raise InputError(f"{name}: base is a finite bias for each of {len(rbm.b)} visible units, not {base.shape}")
    return base


def check_rbm(name: str, rbm: Any) -> None:
    """Raise InputError for what is no restricted machine: it has two layers, of which one is found from the other."""
    if not all(hasattr(rbm, part) for part in ("visible", "hidden", "propup")):
        raise InputError(f"{name}: takes an RBM, not a {type(rbm).__name__}; that of a fitted BernoulliRBM is its "
                         "machine_")


def check_chains(chains: Any, rbm: RBM, v: tuple[int, ...], h: tuple[int, ...]) -> None:
    """Raise InputError unless chains of visible states `v` (..., D) and hidden states `h` (..., H) fit the machine."""
    if (v[-1], h[-1]) != (rbm.visible.size, rbm.hidden.size):
        raise InputError(f"{type(chains).__name__}: its chains have {v[-1]} visible and {h[-1]} hidden units, this "
                         f"machine {rbm.visible.size} and {rbm.hidden.size}; make chains for it")


def _independent(linked: np.ndarray, clamp: int) -> Iterator[np.ndarray]:
    """The units from `clamp` on, in groups without a link within: each takes the first group that is free to it."""
    colour = np.full(len(linked), -1)
    for i in range(clamp, len(linked)):
        taken = np.unique(colour[linked[i]])
        taken = taken[taken >= 0]
        free = np.flatnonzero(taken != np.arange(len(taken)))
        colour[i] = free[0] if len(free) else len(taken)
    return (np.flatnonzero(colour == c) for c in range(colour.max(initial=-1) + 1))
