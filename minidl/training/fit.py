"""Training one model by one loss: the loop's first user."""
from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from minidl.data.loader import Loader
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.nn.module import Module
from minidl.optim import EMA, Optimizer, ReduceLROnPlateau, Schedule
from minidl.rows import check_count
from minidl.tensor import Tensor
from minidl.training.checks import Loss, Transform, check_extras, check_training, loss_and_gradients
from minidl.training.history import History
from minidl.training.loop import Progress, run


def fit(model: Module, loader: Loader, optimizer: Optimizer, *misplaced: Any, epochs: int, loss: Loss | None = None,
        schedule: Schedule | ReduceLROnPlateau | None = None, validate: Callable[[Module], float] | None = None,
        patience: int | None = None, gradients: Sequence[Transform] = (), average: EMA | None = None,
        checkpoint: str | os.PathLike[str] | None = None, checkpoint_every: int | None = None,
        progress: bool = True, description: str = "", watch: Callable[[Progress], object] | None = None) -> History:
    """Minimise `loss(model, *batch)`, by default `model.loss(*batch)`, over the loader's batches; returns the history.

    A loss is a Tensor of one number, or several by name, `{"loss": ..., "kl": ...}`: the first is minimised, and the
    history has a series of each. `gradients` are called in their order, each with the parameters, between `backward`
    and the optimiser's step: `[optim.ClipGradNorm(1.0), optim.GradientNoise(rng=0)]`, or a look at the gradients.

    A Schedule is stepped after each batch, ReduceLROnPlateau after each epoch with the validation (or training) loss.
    `validate(model)` measures the model after each epoch, in evaluation mode and unrecorded; the lower the better.
    With `patience`, training stops after so many epochs without a new best and goes back to the best parameters. With
    `average`, an `optim.EMA` of the model, its averages are what is validated and what the model holds at the end.

    The model is left in evaluation mode: in a loop of your own call `model.train()` and `model.eval()` yourself.
    `checkpoint`, `checkpoint_every`, `progress`, `description`, `watch` and Ctrl-C are those of `training.run`. A run
    that stopped early goes on from its checkpoint with more patience or more epochs.

    Raises FloatingPointError when the loss is no longer finite, and InputError for a checkpoint of another run, for an
    optimiser, a schedule or an average that are not the model's, for patience without `validate`, for epochs or
    patience that are no whole number of at least 1, and for a loss that is not one number.
    """
    loss = check_training("fit", model, loader, optimizer, misplaced, loss)
    check_extras(model, optimizer, schedule, validate, patience, average, gradients)
    if patience is not None:
        check_count("fit", "patience", patience)
    best = _Best(model, check_count("fit", "epochs", epochs), patience)
    in_training = False

    def step(batch: Any) -> dict[str, Tensor]:
        nonlocal in_training
        if not in_training:
            model.train()
            in_training = True
        batch = batch if isinstance(batch, tuple) else (batch,)
        evaluated: list[dict[str, Tensor]] = []

        def closure() -> Tensor:
            losses = loss_and_gradients(model, loss, batch, optimizer)
            for transform in gradients:
                transform(optimizer.params.values())
            if not evaluated:
                evaluated.append(losses)
            return next(iter(losses.values()))

        optimizer.step(closure)                  # L-BFGS calls it more than once: what counts is the loss it came with
        if average:
            average.update()
        if isinstance(schedule, Schedule):
            schedule.step()
        return evaluated[0]

    def after_epoch(history: History) -> None:
        nonlocal in_training
        value = next(iter(history.values()))[-1]
        with average.applied() if average else nullcontext():
            if validate is not None:
                model.eval()
                in_training = False
                with no_grad():
                    value = _one_number(validate(model))
                history.setdefault("validation", []).append(value)
            if patience is not None:
                best.look(value)
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(value)

    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule, "ema": average, "best": best}
    parts |= {f"gradients.{i}": transform for i, transform in enumerate(gradients) if hasattr(transform, "state_dict")}
    history = run(step, loader, {name: part for name, part in parts.items() if part is not None}, epochs=epochs,
                  after_epoch=after_epoch, stopped=best.exhausted, checkpoint=checkpoint,
                  checkpoint_every=checkpoint_every, progress=progress, description=description, watch=watch)
    if best.model and patience is not None:
        model.load_state_dict(best.model)
    elif average:
        average.apply()
    model.eval()
    history.setdefault("validation", [])
    return history


class _Best:
    """Early stopping: the best value so far, the model that had it, and how many epochs came after."""

    def __init__(self, network: Module, epochs: int, patience: int | None) -> None:
        self.network, self.epochs, self.patience = network, epochs, patience
        self.value, self.waited = math.inf, 0
        self.model: dict[str, np.ndarray] = {}

    def look(self, value: float) -> None:
        """Take a new best's parameters, or wait."""
        if value < self.value:
            self.value, self.model, self.waited = value, self.network.state_dict(), 0
        else:
            self.waited += 1

    def exhausted(self) -> str:
        """Why training has stopped early, or nothing."""
        if self.patience is None or self.waited < self.patience:
            return ""
        return (f"it stopped early, the best of {self.value:.4g} was {self.waited} epochs ago and patience is "
                f"{self.patience}; more patience or epochs go on")

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "waited": self.waited, "epochs": self.epochs, "model": self.model}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.value, self.waited, self.model = state["value"], state["waited"], dict(state["model"])
        if self.epochs > state["epochs"]:        # asked for more: it shall not stop before it has begun
            self.waited = 0


def _one_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"fit: validate(model) returns one number, the lower the better, not {value!r}") from error
