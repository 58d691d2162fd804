"""The learning-rate range test."""
from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from minidl.data.loader import Loader
from minidl.errors import InputError
from minidl.nn.module import Module
from minidl.optim import Optimizer
from minidl.training.checks import Loss, check_training, loss_and_gradients
from minidl.writes import mark_written

_SMOOTHING = 0.9       # of the losses: about the last ten count


class RangeTest(NamedTuple):
    """The learning rates that were tried (n,), the smoothed loss at each (n,), and the rate that they suggest."""

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def lr_range_test(model: Module, loader: Loader, optimizer: Optimizer, *misplaced: Any, loss: Loss | None = None,
                  low: float = 1e-5, high: float = 10.0, steps: int = 100) -> RangeTest:
    """Try learning rates: train for up to `steps` batches while the rate rises from `low` to `high` (Smith 2017).

    The rate is multiplied by the same factor each step. A rate is too small where the loss does not fall yet and too
    large where it rises: the test ends when the smoothed loss is four times its lowest or no longer finite, and
    suggests a tenth of the rate at the lowest; with few steps that is too much. Then model, optimiser, loader and
    random streams are as they were.

    Model, loader, optimiser and loss are those of `fit`. Raises InputError unless 0 < low < high and steps is 2 or
    more, and FloatingPointError if the first loss is not finite.
    """
    loss = check_training("lr_range_test", model, loader, optimizer, misplaced, loss)
    if not 0.0 < low < high or steps < 2:
        raise InputError(f"lr_range_test: the rate rises from low to high, 0 < {low} < {high}, in {steps} steps: "
                         "two or more")
    low, high = float(low), float(high)
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    batches = copy.copy(loader)
    batches.rng = copy.deepcopy(loader.rng)
    with _left_as_it_was(model, optimizer), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        model.train()
        for i, batch in zip(range(steps), batches.forever(), strict=False):
            optimizer.lr = low * (high / low) ** (i / (steps - 1))
            batch = batch if isinstance(batch, tuple) else (batch,)
            value = next(iter(loss_and_gradients(model, loss, batch, optimizer).values())).item()
            optimizer.step()
            mean += (1.0 - _SMOOTHING) * (value - mean)
            smoothed = mean / (1.0 - _SMOOTHING ** (i + 1))        # as Adam corrects its start from zero
            if not math.isfinite(value) or losses and smoothed - min(losses) > 3.0 * abs(min(losses)):
                break
            rates.append(optimizer.lr)
            losses.append(smoothed)
    if not losses:
        raise FloatingPointError(f"lr_range_test: the loss is {value} before any step was made")
    return RangeTest(np.array(rates), np.array(losses), max(low, rates[int(np.argmin(losses))] / 10.0))


@contextmanager
def _left_as_it_was(model: Module, optimizer: Optimizer) -> Iterator[None]:
    parts: list[Any] = [model, optimizer, *model.random_streams()]
    states = [part.state_dict() for part in parts]
    modes = [(module, module.training) for _, module in model.named_modules()]
    parameters = [(p, p.data.copy(), p.grad) for p in optimizer.params.values()]       # not all need be the model's
    try:
        yield
    finally:
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
        for module, training in modes:
            module.training = training
        for p, values, g in parameters:
            p.data[...], p.grad = values, g
        mark_written(p for p, _, _ in parameters)
