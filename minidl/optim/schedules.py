"""Learning-rate schedules: after each `step()` the optimiser's rate is its first rate times `factor(t)`.

Names and arguments are PyTorch's; t counts the calls of `step`, one a batch or one an epoch as the user likes.

The first rate is the optimiser's when its first schedule is made. The optimiser keeps it, as `first_lr`, in its state
too: a schedule made again, or made after the optimiser's `load_state_dict`, counts from the same rate. Where a run goes
on from saved states, their rates rule, whatever the optimiser was made with.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from minidl.arguments import is_number, is_whole
from minidl.errors import InputError
from minidl.optim.base import Optimizer, at_least_zero
from minidl.optim.state import checked_state
from minidl.rows import check_count


class Schedule:
    """Base class: subclasses write `factor(t)`, the rate at step t as a multiple of the optimiser's first rate.

    Raises InputError for what is no optimiser.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.t = _checked(type(self).__name__, optimizer), 0
        if optimizer.first_lr is None:
            optimizer.first_lr = optimizer.lr
        optimizer.lr = self.rate(0)

    @property
    def base_lr(self) -> float:
        """The optimiser's first rate."""
        return self.optimizer.lr if self.optimizer.first_lr is None else self.optimizer.first_lr

    def factor(self, t: int) -> float:
        """The rate at step t as a multiple of the first."""
        raise NotImplementedError

    def rate(self, t: int) -> float:
        """The rate at step t."""
        return self.base_lr * self.factor(t)

    def step(self) -> None:
        """Go on to the next rate."""
        self.t += 1
        self.optimizer.lr = self.rate(self.t)

    def state_dict(self) -> dict[str, Any]:
        """The number of steps and the first rate."""
        return {"t": self.t, "base_lr": self.base_lr}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave, and set the optimiser's first and present rates to it.

        Raises InputError, and changes nothing, if it is another's.
        """
        read = checked_state(f"the state of a {type(self).__name__}", self.state_dict(), state)
        self.t, self.optimizer.first_lr = read["t"], read["base_lr"]
        self.optimizer.lr = self.rate(self.t)


class StepLR(Schedule):
    """The first rate times gamma^(t // step_size). Raises InputError for a step_size below 1."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = check_count("StepLR", "step_size", step_size)
        self.gamma = at_least_zero("StepLR: gamma", gamma)
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return self.gamma ** (t // self.step_size)


class ExponentialLR(Schedule):
    """The first rate times gamma^t."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = at_least_zero("ExponentialLR: gamma", gamma)
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return self.gamma**t


class MultiStepLR(Schedule):
    """The rate times gamma at each of the `milestones`, numbers of steps."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        if not isinstance(milestones, list | tuple | range):
            raise InputError(f"MultiStepLR: milestones are a list of numbers of steps, not {milestones!r:.60}")
        self.milestones = [check_count("MultiStepLR", "each milestone", t) for t in milestones]
        self.gamma = at_least_zero("MultiStepLR: gamma", gamma)
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        return self.gamma ** sum(t >= milestone for milestone in self.milestones)


class CosineAnnealingLR(Schedule):
    """Half a cosine from the first rate down to eta_min in T_max steps, and eta_min after (Loshchilov & Hutter 2017).

    eta_min + (first rate - eta_min) (1 + cos(pi t / T_max)) / 2. `warmup` steps of a linear rise from 0 come first and
    count towards T_max: the cosine has the rest. Raises InputError unless 0 <= warmup < T_max.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, *, warmup: int = 0) -> None:
        self.T_max, self.warmup = check_count("CosineAnnealingLR", "T_max", T_max), warmup
        if not is_whole(warmup) or warmup >= T_max:
            raise InputError(f"CosineAnnealingLR: warmup is from 0 to below T_max={T_max}, not {warmup}")
        self.eta_min = at_least_zero("CosineAnnealingLR: eta_min", eta_min)
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """The rate at step t in multiples of the first, but for the floor."""
        if t < self.warmup:
            return (t + 1) / (self.warmup + 1)
        done = min(1.0, (t - self.warmup) / (self.T_max - self.warmup))
        return 0.5 * (1.0 + math.cos(math.pi * done))

    def rate(self, t: int) -> float:
        """The rate at step t: eta_min is a rate, whatever the first one is."""
        floor = 0.0 if t < self.warmup else self.eta_min
        return floor + (self.base_lr - floor) * self.factor(t)


class OneCycleLR(Schedule):
    """Up from max_lr / div_factor to max_lr in the first `pct_start` of `total_steps`, then down (Smith & Topin 2018).

    It ends at step total_steps - 1 with max_lr / div_factor / final_div_factor, and stays there. `anneal_strategy` is
    "cos", half a cosine each way, or "linear". The optimiser's own rate plays no part, nor is its momentum changed.
    Raises InputError for numbers that make no such cycle.
    """

    def __init__(self, optimizer: Optimizer, max_lr: float, total_steps: int, *, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", div_factor: float = 25.0, final_div_factor: float = 1e4) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise InputError(f"OneCycleLR: anneal_strategy is 'cos' or 'linear', not {anneal_strategy!r}")
        numbers = max_lr, div_factor, final_div_factor, pct_start
        if not (all(map(is_number, numbers)) and min(numbers[:3]) > 0 and 0.0 <= pct_start < 1.0):
            raise InputError(f"OneCycleLR: max_lr, div_factor and final_div_factor are above 0 and pct_start lies in "
                             f"[0, 1), not {max_lr!r:.60}, {div_factor}, {final_div_factor} and {pct_start!r:.60}")
        self.total_steps = check_count("OneCycleLR", "total_steps", total_steps)
        self.peak = pct_start * total_steps - 1.0
        self.max_lr, self.first, self.last = max_lr, max_lr / div_factor, max_lr / div_factor / final_div_factor
        self.anneal_strategy = anneal_strategy
        super().__init__(optimizer)

    def rate(self, t: int) -> float:
        """The rate at step t, on the way up or down."""
        end = self.total_steps - 1.0
        if t <= self.peak:
            start, stop, done = self.first, self.max_lr, t / self.peak if self.peak > 0 else 1.0
        else:
            start, stop, done = self.max_lr, self.last, (min(t, end) - self.peak) / (end - self.peak)
        left = 0.5 + 0.5 * math.cos(math.pi * done) if self.anneal_strategy == "cos" else 1.0 - done
        return stop + (start - stop) * left


class LinearLR(Schedule):
    """From start_factor to end_factor in a straight line over total_iters steps: a warm-up, or a linear decay.

    The factors multiply the first rate. Raises InputError for total_iters below 1.
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1.0 / 3.0, end_factor: float = 1.0,
                 total_iters: int = 5) -> None:
        self.start_factor = at_least_zero("LinearLR: start_factor", start_factor)
        self.end_factor = at_least_zero("LinearLR: end_factor", end_factor)
        self.total_iters = check_count("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        done = min(1.0, t / self.total_iters)
        return self.start_factor + (self.end_factor - self.start_factor) * done


class ReduceLROnPlateau:
    """The rate times `factor` when a measured value has not fallen for more than `patience` calls of `step(value)`.

    A value counts as fallen when it is below the best by the fraction `threshold` of its size. The rate never falls
    below min_lr. Raises InputError for what is no optimiser, and a factor that is not between 0 and 1.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
                 min_lr: float = 0.0) -> None:
        if not (is_number(factor) and 0.0 < factor < 1.0):
            raise InputError(f"ReduceLROnPlateau: factor lies between 0 and 1, not {factor!r:.60}")
        self.optimizer, self.factor, self.patience = _checked("ReduceLROnPlateau", optimizer), factor, int(
            at_least_zero("ReduceLROnPlateau: patience", patience))
        self.threshold = at_least_zero("ReduceLROnPlateau: threshold", threshold)
        self.min_lr = at_least_zero("ReduceLROnPlateau: min_lr", min_lr)
        self.best, self.waited = math.inf, 0

    def step(self, value: float) -> None:
        """Tell the value just measured."""
        margin = self.threshold * abs(self.best) if math.isfinite(self.best) else 0.0
        if value < self.best - margin:
            self.best, self.waited = float(value), 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.optimizer.lr = min(self.optimizer.lr, max(self.optimizer.lr * self.factor, self.min_lr))
            self.waited = 0

    def state_dict(self) -> dict[str, Any]:
        """The best value, and the calls since; the rate is in the optimiser's state."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave. Raises InputError, and changes nothing, if it is another's."""
        read = checked_state("the state of a ReduceLROnPlateau", self.state_dict(), state)
        self.best, self.waited = read["best"], read["waited"]


def _checked(name: str, optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise InputError(f"{name}: give the optimiser whose rate it sets, not {type(optimizer).__name__}")
    return optimizer
