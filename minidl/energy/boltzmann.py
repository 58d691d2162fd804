"""The Boltzmann machine of slide 95: binary units, a weight between any two, and a probability by their energy."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import is_number, plain_array
from minidl.backend import Array, Device, backend_of
from minidl.energy.enumeration import check_enumerable, states
from minidl.energy.samplers import gibbs_sweeps
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.nn.losses import check_fractions
from minidl.nn.module import Module
from minidl.randomness import RandomStream, Seed, generator
from minidl.rows import array_of, check_amount, check_count, rows_that_meet
from minidl.tensor import Parameter, Tensor

_MOST = 20                 # units that are enumerated: all their states are in memory at once


class BoltzmannMachine(Module):
    """Binary units x with energy E(x) = -sum_{i<j} w_ij x_i x_j - sum_i b_i x_i and P(x) = exp(-E(x)) / Z (slide 95).

    The first `visible` units are data, the `hidden` ones behind them are not observed. W (n, n) holds w_ij above its
    diagonal; what stands elsewhere in it counts for nothing. b (n,) are the biases. The weights begin as normal numbers
    of standard deviation `sd`.

    What is called exact sums over all states, of up to 20 units: `log_partition`, `probabilities`, `free_energy`,
    `statistics`, and `loss`, by which `training.fit` learns the exact likelihood through the engine. With more units,
    `gibbs` samples, and `DifferenceOfStatistics` learns from samples.

    Raises InputError for numbers of units or an `sd` out of range, rows of another width, data outside [0, 1], and sums
    over too many states.

    Source: D. Ackley, G. Hinton and T. Sejnowski, "A learning algorithm for Boltzmann machines", 1985.
    """

    def __init__(self, visible: int, hidden: int = 0, *, rng: Seed, sd: float = 0.01) -> None:
        self.visible = check_count("BoltzmannMachine", "visible", visible)
        self.hidden = check_count("BoltzmannMachine", "hidden", hidden, least=0)
        n = self.visible + self.hidden
        draws = generator(rng, "BoltzmannMachine").standard_normal((n, n), dtype=np.float32)
        self.W = Parameter(np.triu(draws * np.float32(check_amount("BoltzmannMachine", "sd", sd)), 1))
        self.b = Parameter(np.zeros(n, np.float32))

    @property
    def couplings(self) -> Array:
        """Each unit's weights to all others, symmetric, with zeros on the diagonal: an array (n, n)."""
        upper = ops.triu(self.W.data, 1)
        return upper + upper.T

    def energy(self, x: Any) -> Any:
        """E of states x (N, n) -> (N,); of a Tensor a recorded Tensor."""
        x = rows_that_meet("BoltzmannMachine", "energy", x, len(self.b), self.b.data)
        W, b = (self.W, self.b) if isinstance(x, Tensor) else (self.W.data, self.b.data)
        return -ops.sum(x @ ops.triu(W, 1) * x, 1) - x @ b

    def free_energy(self, v: Any) -> Any:
        """-log sum_h exp(-E(v, h)), exact: v (N, visible) -> (N,); of a Tensor a recorded Tensor."""
        v = self._data("free_energy", v)
        if not self.hidden:
            return self.energy(v)
        energies = self.energy(self._with_hidden(v)).reshape(len(v), 2**self.hidden)
        return -ops.logsumexp(-energies, 1)

    def loss(self, v: Any) -> Tensor:
        """The mean of -log P(v), exact and recorded: v (N, visible) -> scalar.

        Its gradient is slide 95's: the statistics x_i x_j where the data hold the visible units, less where nothing
        does, with the sign that makes the loss smaller.
        """
        v = v if isinstance(v, Tensor) else Tensor(v)
        everything = self.energy(Tensor(self._all_states("loss")))
        return ops.mean(self.free_energy(v)) + ops.logsumexp(-everything, 0)

    def log_partition(self) -> float:
        """log Z, exact."""
        xp = backend_of(self.b.data).xp
        energies = self.energy(self._all_states("log_partition")).astype(np.float64)
        least = float(energies.min())
        return float(xp.log(xp.exp(least - energies).sum())) - least

    def probabilities(self) -> Array:
        """P(x) of all states, in the order of `enumeration.states`, exact: an array (2^n,) of float64."""
        energies = self.energy(self._all_states("probabilities")).astype(np.float64)
        p = backend_of(energies).xp.exp(energies.min() - energies)
        return p / p.sum()

    def statistics(self, v: Any = None) -> tuple[Array, Array]:
        """The means of x_i (n,) and of x_i x_j (n, n), exact: under P(x), or with the data v (N, visible) held.

        With data, hidden units follow P(h | v).
        """
        if v is None:
            x, weights = self._all_states("statistics"), self.probabilities()
        else:
            v = self._data("statistics", array_of(v))
            with no_grad():
                x = self._with_hidden(v)
                energies = self.energy(x).reshape(len(v), 2**self.hidden).astype(np.float64)
            weights = (ops.softmax(-energies, 1) / len(v)).reshape(-1)
        x = x.astype(np.float64)
        return weights @ x, x.T @ (weights[:, None] * x)

    def gibbs(self, x: Any, sweeps: int = 1, *, rng: Seed, clamp: int = 0) -> Array:
        """States x (N, n) after so many sweeps over the units, each drawn given all the others: a new array (N, n).

        The first `clamp` units are held.
        """
        x = rows_that_meet("BoltzmannMachine", "gibbs", array_of(x), len(self.b), self.b.data)
        check_fractions("BoltzmannMachine.gibbs", x)
        sweeps, clamp = (check_count("BoltzmannMachine", name, value, least=0)
                         for name, value in (("sweeps", sweeps), ("clamp", clamp)))
        return gibbs_sweeps(self.couplings, self.b.data, x.copy(), sweeps, RandomStream.of(rng, "gibbs"), clamp)

    def sample(self, n: int, rng: Seed, *, sweeps: int = 1000) -> Array:
        """n rows of the visible units (n, visible), from chains that start at fair coins and take so many sweeps."""
        stream, n = RandomStream.of(rng, "sample"), check_count("BoltzmannMachine", "n", n, least=0)
        like = self.b.data
        start = stream.uniform((n, len(like)), like) < 0.5
        return self.gibbs(start.astype(like.dtype), sweeps, rng=stream)[:, :self.visible]

    def describe(self) -> str:
        return f"BoltzmannMachine({self.visible}, {self.hidden})"

    def _data(self, verb: str, v: Any) -> Any:
        v = rows_that_meet("BoltzmannMachine", verb, v, self.visible, self.b.data)
        check_fractions(f"BoltzmannMachine.{verb}", v)
        check_enumerable(f"BoltzmannMachine.{verb}", self.hidden, len(self.b) * len(v), _MOST)
        return v

    def _all_states(self, verb: str) -> Array:
        n = len(self.b)
        check_enumerable(f"BoltzmannMachine.{verb}", n, n, _MOST)
        return states(n, self.b.data)

    def _with_hidden(self, v: Any) -> Any:
        """Each row of v with all states of the hidden units: (N, visible) -> (N 2^hidden, n)."""
        h = states(self.hidden, self.b.data)
        rows = backend_of(h).xp.tile(h, (len(v), 1))
        return ops.concatenate([ops.repeat(v, len(h), 0), rows], 1)


def ising(shape: tuple[int, int], temperature: float, *, coupling: float = 1.0, field: float = 0.0,
          device: str | Device = "cpu") -> BoltzmannMachine:
    """The Ising model on a grid of this shape that is closed to a torus, as a Boltzmann machine (slide 95).

    Spins s = 2 x - 1 of +1 and -1 have the energy -coupling sum s_i s_j - field sum s_i over neighbours i, j, divided
    by the temperature; what is left of it beside x is a constant. With coupling 1 and no field, order sets in
    below the temperature 2 / log(1 + sqrt(2)) = 2.269 (Onsager 1944). `gibbs` draws all units that are no neighbours
    at a time: on sides of even lengths a sweep has two steps. Raises InputError for sides below 3, where a spin
    would be its neighbour twice, a temperature that is not above 0, and a coupling or field that is no finite number.
    """
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise InputError(f"ising: shape is the grid's two sides, as (20, 20), not {shape!r:.60}")
    for what, value in ("coupling", coupling), ("field", field):
        if not (is_number(value) and np.isfinite(value)):
            raise InputError(f"ising: {what} is a finite number, not {value!r:.60}")
    rows, columns = (check_count("ising", "a side", side, least=3) for side in shape)
    beta = 1.0 / check_amount("ising", "temperature", temperature, positive=True)
    places = np.arange(rows * columns).reshape(rows, columns)
    J = np.zeros((places.size, places.size))
    for axis in 0, 1:
        J[places.reshape(-1), np.roll(places, -1, axis).reshape(-1)] = beta * coupling
    return _of_spins(J + J.T, np.full(places.size, beta * field)).to(device)


def hopfield(patterns: Any) -> BoltzmannMachine:
    """The machine whose energy has valleys at patterns (P, n) of zeros and ones: Hebb's rule, J = sum s s' / n.

    `recall` runs down into the nearest valley; about .138 n random patterns are the most that it keeps (Amit, Gutfreund
    and Sompolinsky 1985). Raises InputError for numbers outside [0, 1] and fewer than two units.

    Source: J. Hopfield, "Neural networks and physical systems with emergent collective computational abilities", 1982.
    """
    x = plain_array("hopfield", array_of(patterns))
    x = backend_of(x).to_host(x).astype(np.float64)
    check_fractions("hopfield", x)
    if x.ndim != 2 or x.shape[1] < 2:
        raise InputError(f"hopfield: patterns are rows of two or more zeros and ones, not of shape {x.shape}")
    s = 2.0 * x - 1.0
    J = s.T @ s / s.shape[1]
    np.fill_diagonal(J, 0.0)
    return _of_spins(J, np.zeros(len(J)))


def recall(machine: BoltzmannMachine, x: Any, *, sweeps: int = 100) -> Array:
    """Gibbs sampling at temperature 0: each unit in turn takes its likelier value, until none changes.

    States x (N, n) -> (N, n). The energy never rises, so that it ends in a state from which no single unit can lower
    it; where both values are as likely a unit stays. Raises InputError for rows of another width, and data outside
    [0, 1].
    """
    check_machine("recall", machine)
    x = rows_that_meet("recall", "recall", array_of(x), len(machine.b), machine.b.data).copy()
    check_fractions("recall", x)
    xp, couplings, b = backend_of(x).xp, machine.couplings, machine.b.data
    for _ in range(check_count("recall", "sweeps", sweeps)):
        before = x.copy()
        for i in range(len(b)):
            field = x @ couplings[:, i] + b[i]
            x[:, i] = xp.where(field == 0, x[:, i], field > 0)
        if bool((x == before).all()):
            break
    return x


def check_machine(name: str, machine: Any) -> None:
    """Raise InputError for what is no BoltzmannMachine."""
    if not isinstance(machine, BoltzmannMachine):
        raise InputError(f"{name}: takes a BoltzmannMachine, not a {type(machine).__name__}")


def _of_spins(J: np.ndarray, field: np.ndarray) -> BoltzmannMachine:
    """-sum_{i<j} J_ij s_i s_j - sum_i field_i s_i of spins s = 2 x - 1, less its constant, in terms of x."""
    machine = BoltzmannMachine(len(J), rng=0)
    machine.W.data[...] = np.triu(4.0 * J, 1)
    machine.b.data[...] = 2.0 * field - 2.0 * J.sum(1)
    return machine
