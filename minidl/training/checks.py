"""What a training is given: whether it belongs together, before anything is changed."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minidl.data.loader import Loader
from minidl.errors import InputError
from minidl.nn.module import Module
from minidl.optim import Optimizer, ReduceLROnPlateau, Schedule
from minidl.tensor import Tensor

Loss = Callable[..., Tensor | Mapping[str, Tensor]]
Transform = Callable[[Iterable[Tensor]], object]


def check_training(who: str, model: Any, loader: Any, optimizer: Any, misplaced: Sequence[Any], loss: Any) -> Loss:
    """The loss to be minimised: `loss`, or the model's own. Raises InputError, for what cannot be trained."""
    if misplaced or isinstance(optimizer, Loader):
        raise InputError(f"{who}: the loss is a keyword: {who}(model, loader, optimizer, loss=loss, ...); without it, "
                         "model.loss(*batch) is minimised")
    for name, value, kind, made in (("model", model, Module, "a Module, such as nn.Sequential(...)"),
                                    ("loader", loader, Loader, "data.Loader(x, batch_size=64, rng=0)"),
                                    ("optimizer", optimizer, Optimizer, "optim.Adam(model.parameters())")):
        if not isinstance(value, kind):
            given = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
            raise InputError(f"{who}: in {who}(model, loader, optimizer, ...) the {name} is {made}, not {given}")
    own = {p.birth for p in model.parameters()}
    if own.isdisjoint(p.birth for p in optimizer.params.values()):
        raise InputError(f"{who}: the optimiser has none of the model's {len(own)} parameters; perhaps the model was "
                         "made anew: make the optimiser again, optim.Adam(model.parameters())")
    if loss is None and not callable(getattr(model, "loss", None)):
        raise InputError(f"{who}: {type(model).__name__} has no method loss(*batch); say what to minimise, "
                         "loss=lambda model, x, y: nn.cross_entropy(model(x), y)")
    if loss is not None and not callable(loss):
        raise InputError(f"{who}: the loss is a function, loss(model, *batch), not {loss!r}")
    return loss or (lambda model, *batch: model.loss(*batch))


def check_extras(model: Module, optimizer: Optimizer, schedule: Any, validate: Any, patience: Any, average: Any,
                 gradients: Any) -> None:
    """Raise InputError if what `fit` may be given besides is of another training, or of no use."""
    if schedule is not None and not isinstance(schedule, Schedule | ReduceLROnPlateau):
        raise InputError("fit: schedule is one of optim's, such as optim.CosineAnnealingLR(optimizer, T_max), not "
                         f"{schedule!r}")
    if schedule is not None and schedule.optimizer is not optimizer:
        raise InputError("fit: the schedule is of another optimiser; make it from the one that is given")
    if validate is not None and not callable(validate):
        raise InputError(f"fit: validate is a function of the model, not {validate!r}")
    if patience is not None and validate is None:
        raise InputError("fit: patience needs `validate`, which tells whether an epoch was better")
    if average is not None and getattr(average, "model", None) is not model:
        raise InputError("fit: average is an EMA of the model that is trained, optim.EMA(model)")
    if not isinstance(gradients, Sequence) or not all(map(callable, gradients)):
        raise InputError("fit: gradients is a list of functions of the parameters, such as [optim.ClipGradNorm(1.0)], "
                         f"not {gradients!r}")


def loss_and_gradients(model: Module, loss: Loss, batch: tuple[Any, ...], optimizer: Optimizer) -> dict[str, Tensor]:
    """The losses of a batch by name, with the gradients of the first in the parameters.

    Raises InputError for a loss that is not one number, or that depends on no parameter.
    """
    optimizer.zero_grad()
    given = loss(model, *batch)
    losses = dict(given) if isinstance(given, Mapping) else {"loss": given}
    for name, value in losses.items():
        if not isinstance(value, Tensor) or value.shape != ():
            found = f"of shape {value.shape}; add .mean() or .sum()" if isinstance(value, Tensor) else \
                f"{type(value).__name__}; return what nn.mse_loss or operations on Tensors give"
            raise InputError(f"fit: a loss is a Tensor of one number, {name!r} is {found}")
    if not losses:
        raise InputError("fit: the loss returned no losses; the first of them is minimised")
    next(iter(losses.values())).backward()
    return losses
