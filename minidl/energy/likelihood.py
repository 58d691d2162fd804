"""How likely data are under a restricted machine: exactly for few units, else by scores that need no log Z."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import plain_array
from minidl.backend import Array, backend_of
from minidl.energy.enumeration import MOST, blocks_of_states, check_enumerable, states
from minidl.energy.rbm import RBM
from minidl.energy.samplers import check_rbm
from minidl.energy.units import Bernoulli
from minidl.errors import InputError
from minidl.randomness import Seed, generator
from minidl.rows import array_of, check_count, slices
from minidl.tensor import Tensor

_RECORDED = 14             # units whose states are in one graph
_ROWS = 256                # rows whose bits are flipped together: their fields stay in the cache


def log_partition(rbm: RBM) -> float:
    """log Z, exact, by summing over all states of the smaller layer that is binary: 2^20 take some ten seconds.

    The other layer's units, of whatever kind, are summed over in closed form. Raises InputError if no layer is binary,
    or it has more than 25 units, and then says how long it would take.
    """
    hidden = _enumerated(rbm, "log_partition", MOST)
    xp, like = backend_of(rbm.b.data).xp, rbm.b.data
    largest, total = -math.inf, 0.0
    for s in blocks_of_states((rbm.hidden if hidden else rbm.visible).size, like):
        scores = _log_sums(rbm, s, hidden).astype(np.float64)
        top = max(largest, float(scores.max()))
        total = total * math.exp(largest - top) + float(xp.exp(scores - top).sum())
        largest = top
    return math.log(total) + largest


def log_likelihood(rbm: RBM, v: Any, log_z: Any) -> Array:
    """log p(v) of rows v (N, D) -> (N,) of float64, with log Z: a number, or what `ais` has estimated.

    Raises InputError for an estimate that is not to be believed, a log Z that is no number, and data that the visible
    units cannot have.
    """
    check_rbm("log_likelihood", rbm)
    z = log_z_of("log_likelihood", log_z)
    return -rbm.free_energy(rbm.checked("log_likelihood", array_of(v))).astype(np.float64) - z


def log_z_of(name: str, log_z: Any) -> float:
    """A number, or what `ais` has estimated, as a float. Raises InputError for an estimate not to be believed."""
    number = log_z.checked() if hasattr(log_z, "checked") else plain_array(name, array_of(log_z))
    if np.ndim(number):
        raise InputError(f"{name}: log_z is a number or what ais has estimated, not of shape {number.shape}")
    return float(number)


def exact_loss(rbm: RBM, v: Any) -> Tensor:
    """The mean of -log p(v), exact and recorded: rows v (N, D) -> scalar.

    Its gradient is what contrastive divergence approximates (slide 99); `training.fit(rbm, ..., loss=exact_loss)`
    learns by it. Raises InputError unless one layer has up to 14 units, all binary.
    """
    hidden = _enumerated(rbm, "exact_loss", _RECORDED)
    s = Tensor(states((rbm.hidden if hidden else rbm.visible).size, rbm.b.data))
    v = rbm.checked("exact_loss", v if isinstance(v, Tensor) else Tensor(v))
    return ops.mean(rbm.free_energy(v)) + ops.logsumexp(_log_sums(rbm, s, hidden), 0)


def pseudo_likelihood(rbm: RBM, v: Any, *, bits: int | None = None, rng: Seed | None = None) -> Array:
    """sum_i log p(v_i | all other v) of rows v (N, D) of zeros and ones -> (N,) of float64.

    It needs no log Z, and is maximal, as the likelihood, for the distribution of the data (Besag 1975). With `bits`,
    that many units are drawn, by `rng`, for all rows, and the sum over them is scaled up. Raises InputError for data
    outside [0, 1], more bits than there are, and visible units that are not all binary.
    """
    check_rbm("pseudo_likelihood", rbm)
    v = rbm.checked("pseudo_likelihood", array_of(v))
    if not isinstance(rbm.visible, Bernoulli):
        raise InputError(f"pseudo_likelihood: flips bits, and the visible units are {rbm.visible}")
    D, W, b, xp = rbm.visible.size, rbm.W.data, rbm.b.data, backend_of(v).xp
    which: Any = range(D)
    if bits is not None:
        if check_count("pseudo_likelihood", "bits", bits) > D:
            raise InputError(f"pseudo_likelihood: there are {D} bits, not {bits}")
        which = generator(rng, "pseudo_likelihood").permutation(D)[:bits].tolist()
    total = xp.zeros(len(v), np.float64)
    for rows in slices(len(v), _ROWS):
        some, field = v[rows], rbm.up(v[rows])
        now = rbm.hidden.log_partition(field)
        for i in which:
            turn = 1.0 - 2.0 * some[:, i]                                   # what is added to v_i to flip it
            there = rbm.hidden.log_partition(field + turn[:, None] * W[i]) + turn * b[i]
            total[rows] -= ops.softplus((there - now).astype(np.float64))   # log p(v_i) = -log(1 + p(flipped) / p(v))
    return total * (D / len(which))


def reconstruction_error(rbm: RBM, v: Any) -> Array:
    """The squared distance from rows v (N, D) to `reconstruct(v)` -> (N,): what CD seems to minimise, and does not.

    It is small for machines whose chains do not move, whatever else they believe (Hinton 2010, section 5).
    Raises InputError for data that the visible units cannot have.
    """
    check_rbm("reconstruction_error", rbm)
    v = rbm.checked("reconstruction_error", array_of(v))
    return ((v - rbm.reconstruct(v))**2).sum(1)


def _enumerated(rbm: RBM, name: str, most: int) -> bool:
    """Whether it is the hidden layer whose states are to be enumerated."""
    check_rbm(name, rbm)
    binary = [isinstance(units, Bernoulli) for units in (rbm.visible, rbm.hidden)]
    if not any(binary):
        raise InputError(f"{name}: the states of {rbm.visible} and {rbm.hidden} cannot be enumerated; one layer must "
                         "be binary, and energy.ais estimates log Z of others")
    D, H = rbm.visible.size, rbm.hidden.size
    hidden = binary[1] and (not binary[0] or H <= D)
    check_enumerable(name, H if hidden else D, D if hidden else H, most)
    return hidden


def _log_sums(rbm: RBM, s: Any, hidden: bool) -> Any:
    """log of the sum over the other layer of exp(-E), for states s (n, H) of the hidden or (n, D) of the visible."""
    if hidden:
        return rbm.visible.log_partition(rbm.down(s)) + s @ (rbm.c if isinstance(s, Tensor) else rbm.c.data)
    return -rbm.free_energy(s)
