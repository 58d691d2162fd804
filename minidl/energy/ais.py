"""Annealed importance sampling: log Z of machines too large to enumerate, and how far to believe it."""
from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minidl.backend import Array, backend_of
from minidl.data.loader import Loader
from minidl.energy.rbm import RBM
from minidl.energy.samplers import check_rbm, checked_base, checked_betas
from minidl.errors import InputError
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, check_amount, check_count
from minidl.tensor import Tensor
from minidl.training.loop import run

LEAST = 10.0               # chains' worth of weight, below which an estimate is not to be believed
# How Salakhutdinov and Murray spread 14,500 betas: 500 up to .5, 4000 up to .9, and 10,000 up to 1. Spread evenly, the
# chains do not mix enough near 1 to meet all of a machine's modes, and their weights agree on too small a sum.
_SPREAD = (0.0, 500 / 14_500, 4500 / 14_500, 1.0), (0.0, 0.5, 0.9, 1.0)
_AT_ONCE = 50              # temperatures in a step of the loop: it looks for Ctrl-C and saves after each


class Estimate(NamedTuple):
    """log Z as annealed importance sampling has it.

    `standard_error` is that of log_z, by the delta method: the weights' standard deviation over their mean and the root
    of their number; a mode that no chain has met is in none of them, so that it is rather too small.
    `effective_sample_size`, (sum w)^2 / sum w^2, is how many of the chains have a share in it; below 10 neither number
    means anything, for the weights that would matter most have probably not been drawn.
    `log_weights` (chains,) are on the host.
    """

    log_z: float
    standard_error: float
    effective_sample_size: float
    log_weights: np.ndarray

    def checked(self, other: Estimate | None = None, nats: float = 3.0) -> float:
        """log_z, if it can be believed.

        Raises InputError for an effective sample size below 10, and, where there is another estimate, the reverse
        one, for a difference of more than so many nats.
        """
        if self.effective_sample_size < LEAST:
            raise InputError(f"this log Z, {self.log_z:.2f}, is not to be believed: of {len(self.log_weights)} chains "
                             f"{self.effective_sample_size:.1f} carry it, and {LEAST:g} should; take more betas or "
                             "chains")
        if other is not None and abs(self.log_z - other.log_z) > check_amount("Estimate.checked", "nats", nats):
            raise InputError(f"this log Z is not to be believed: annealing one way has {self.log_z:.2f}, the other "
                             f"{other.log_z:.2f}; take more betas")
        return self.log_z


def ais(rbm: RBM, *, betas: Any = 1000, chains: int = 100, base: Any = None, rng: Seed,
        checkpoint: str | os.PathLike[str] | None = None, progress: bool = False) -> Estimate:
    """Estimate log Z by chains that start at independent units and are cooled down to the machine.

    At inverse temperature beta the visible biases are (1 - beta) `base` + beta b, and all that the hidden units get is
    times beta. `base` (D,) is best the data's, `rbm.visible.biases(x.mean(0), len(x))`; without it, it is b. `betas`
    rise from 0 to 1, or say how many: two thirds of them above 0.9, as in the paper of 2008. On average exp(log_z) is
    right and log_z too small. With `checkpoint`, a path, an interrupted estimate goes on where it was.

    Warns (RuntimeWarning) when few of the chains carry the estimate; `checked()` refuses it. Raises InputError for
    betas that do not rise from 0 to 1, a base of another shape, no chains, and a checkpoint of another machine.

    Source: R. Neal, "Annealed importance sampling", 2001; R. Salakhutdinov and I. Murray, "On the quantitative analysis
    of deep belief networks", 2008.
    """
    check_rbm("ais", rbm)
    stream = RandomStream.of(rng, "ais")
    base = rbm.b.data if base is None else checked_base("ais", rbm, base)
    xp = backend_of(base).xp
    v = rbm.visible.draw(rbm.visible.mean(xp.tile(base, (check_count("ais", "chains", chains), 1))), stream)
    return _anneal(rbm, v, base, _from_zero(betas), stream, checkpoint, progress)


def reverse_ais(rbm: RBM, v: Any, *, betas: Any = 1000, base: Any = None, rng: Seed,
                checkpoint: str | os.PathLike[str] | None = None, progress: bool = False) -> Estimate:
    """Estimate log Z by chains that start at samples v (chains, D) of the machine and are warmed up.

    From exact samples log_z is on average too large, so that it and `ais` hold the truth between them; samples are
    those of long chains, or data, if the machine has learned them. Arguments, warnings and errors are those of `ais`.

    Source: R. Grosse, Z. Ghahramani and R. Adams, "Sandwiching the marginal likelihood using bidirectional Monte
    Carlo", 2015.
    """
    check_rbm("reverse_ais", rbm)
    v = rbm.checked("reverse_ais", array_of(v))
    check_count("reverse_ais", "the number of rows of v", len(v))
    base = rbm.b.data if base is None else checked_base("reverse_ais", rbm, base)
    return _anneal(rbm, v, base, _from_zero(betas)[::-1], RandomStream.of(rng, "reverse_ais"), checkpoint, progress)


def _anneal(rbm: RBM, v: Array, base: Array, betas: np.ndarray, stream: RandomStream,
            checkpoint: str | os.PathLike[str] | None, progress: bool) -> Estimate:
    annealing = _Annealing(rbm, v, base, betas, stream)
    steps = Loader(np.arange(len(betas) - 1), batch_size=min(_AT_ONCE, len(betas) - 1), shuffle=False,
                   tokens=len(betas))
    run(annealing.step, steps, {"annealing": annealing}, epochs=1, checkpoint=checkpoint,
        checkpoint_every=1 if checkpoint else None, progress=progress, description="AIS")
    log_w = backend_of(v).to_host(annealing.log_weights)
    largest = float(log_w.max())
    w = np.exp(log_w - largest)
    log_mean = float(np.log(w.mean())) + largest
    log_base = float(rbm.visible.log_partition(base.astype(np.float64))) + float(
        rbm.hidden.log_partition(np.zeros(rbm.hidden.size)))
    n, up = len(w), betas[0] < betas[-1]
    estimate = Estimate(log_base + (log_mean if up else -log_mean),
                        float(w.std(ddof=1) / w.mean() / np.sqrt(n)) if n > 1 else np.inf,
                        float(w.sum()**2 / (w**2).sum()), log_w)
    if estimate.effective_sample_size < LEAST:
        warnings.warn(f"annealed importance sampling: {estimate.effective_sample_size:.1f} of {n} chains carry the "
                      "estimate, which is not to be believed; take more betas or chains", RuntimeWarning, stacklevel=3)
    return estimate


class _Annealing:
    """The chains on their way, and their weights so far: a part of the run."""

    def __init__(self, rbm: RBM, v: Array, base: Array, betas: np.ndarray, stream: RandomStream) -> None:
        self.rbm, self.v, self.base, self.betas, self.stream = rbm, v, base, betas, stream
        self.rise = rbm.b.data - base                         # of the visible biases, from beta 0 to 1
        self.log_weights = backend_of(v).xp.zeros(len(v), np.float64)

    def step(self, places: Tensor) -> dict[str, float]:
        """From each of these betas to the next: the weights take the ratio of the two there, then the chains move."""
        rbm, stream, v = self.rbm, self.stream, self.v
        for i in places.data.tolist():
            beta, to = float(self.betas[i]), float(self.betas[i + 1])
            field = rbm.up(v)
            self.log_weights += (to - beta) * (v @ self.rise).astype(np.float64) + rbm.hidden.rise(field, beta, to)
            field *= to
            field = rbm.hidden.draw(rbm.hidden.mean(field), stream) @ rbm.W.data.T
            field *= to
            field += to * self.rise + self.base
            v = rbm.visible.draw(rbm.visible.mean(field), stream)
        self.v = v
        return {}

    def random_streams(self) -> list[RandomStream]:
        return [self.stream]

    def state_dict(self) -> dict[str, Any]:
        to_host = backend_of(self.v).to_host
        return {"v": np.array(to_host(self.v)), "log_weights": np.array(to_host(self.log_weights)), "of": self._of()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["of"] != self._of() or state["v"].shape != self.v.shape:
            raise InputError("it is of another machine, base, betas or number of chains")
        put = self.rbm.device.put
        self.v, self.log_weights = put(np.array(state["v"])), put(np.array(state["log_weights"]))

    def _of(self) -> int:
        """A number that another machine, other betas or another base would not have."""
        arrays = [*self.rbm.state_dict().values(), backend_of(self.base).to_host(self.base), self.betas]
        return zlib.crc32(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))


def _from_zero(betas: Any) -> np.ndarray:
    if isinstance(betas, int | np.integer):
        betas = np.interp(np.linspace(0.0, 1.0, check_count("ais", "betas", betas, least=2)), *_SPREAD)
    betas = checked_betas("ais", betas)
    if betas[0] != 0:
        raise InputError(f"ais: betas begin at 0, where the units are independent, not at {betas[0]:g}")
    return betas
