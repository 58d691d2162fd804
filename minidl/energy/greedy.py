"""Greedy layerwise training (slides 100, 107): each machine learns what the one below makes of the data."""
from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import Array, Device, backend_of
from minidl.data.loader import Loader
from minidl.energy.deep_belief import DeepBeliefNet
from minidl.energy.trainers import ContrastiveDivergence, train
from minidl.errors import InputError
from minidl.optim import SGD, LinearLR
from minidl.randomness import HostStream, RandomStream, Seed
from minidl.rows import array_of, check_amount, check_choice, check_count
from minidl.training.history import History
from minidl.training.loop import Progress


def pretrain(net: DeepBeliefNet, x: Any, labels: Any = None, *, epochs: int | Sequence[int],
             lr: float | Sequence[float] = 0.05, momentum: float | Sequence[float] = 0.0, weight_cost: float = 0.0,
             batch_size: int = 100, states: bool = False, first: int = 0, rng: Seed,
             checkpoint: str | os.PathLike[str] | None = None, progress: bool = True, description: str = "",
             watch: Callable[[Progress], object] | None = None, **trainer: Any) -> list[History]:
    """Train the net's machines one after the other, from layer `first` on; returns the history of each.

    The lowest one learns x (N, D); each further one learns the means of the hidden units below, or with `states` their
    states, drawn anew for each batch, which is what slide 108's bound is about. The top machine of a net with labels
    gets `labels`, (N,) whole numbers, beside them. A machine whose visible biases are all 0 begins with those of what
    it learns. `epochs`, `lr` and `momentum` are one number, or one for each machine: Gaussian units need small rates.
    The rate falls linearly to 0. `trainer` are the keywords of ContrastiveDivergence: `k`, `chains`, `centred`,
    `sparsity`.

    With `checkpoint`, a path, each machine has a file of its own beside it, and an interrupted training goes on where
    it was. `watch` looks on at each of them, as at `training.run`. Raises InputError for another number of epochs,
    rates or momenta than machines, labels that do not fit, and what `train` and ContrastiveDivergence refuse.
    """
    if not isinstance(net, DeepBeliefNet):
        raise InputError(f"pretrain: trains a DeepBeliefNet, not a {type(net).__name__}")
    check_choice("pretrain", "states", states, (True, False))
    n, stream = len(net.layers), RandomStream.of(rng, "pretrain")
    each = {name: _each(name, value, n) for name, value in
            {"epochs": epochs, "lr": lr, "momentum": momentum}.items()}
    rows = net.layers[0].checked("train", array_of(x))
    check_count("pretrain", "the number of rows of x", len(rows))
    check_amount("pretrain", "weight_cost", weight_cost)
    if check_count("pretrain", "first", first, least=0) >= n:
        raise InputError(f"pretrain: first is below {n}, the number of machines, not {first}")
    for epochs_of_one in each["epochs"][first:]:
        check_count("pretrain", "epochs", epochs_of_one)
    histories = []
    for i in range(first, n):
        rbm = net.layers[i]
        beside = _label_rows(rows, labels, net.labels) if i == n - 1 and net.labels else rows[:, :0]
        below = _joined(net.features(rows, i), beside)
        if not bool((rbm.b.data != 0).any()):                # fresh; not one that begins as a mirrored machine
            rbm.set_biases(below)
        drawn = states and i > 0
        loader = Loader(backend_of(rows).to_host(_joined(rows, beside) if drawn else below), batch_size=batch_size,
                        augment=_Draw(net, i) if drawn else None, rng=stream, device=net.device)
        optimizer = SGD(rbm.named_parameters(), lr=each["lr"][i], momentum=each["momentum"][i],
                        weight_decay=lambda name, p: weight_cost if name == "W" else 0.0)
        schedule = LinearLR(optimizer, 1.0, 0.0, total_iters=each["epochs"][i] * len(loader))
        histories.append(train(
            rbm, loader, optimizer, ContrastiveDivergence(rbm, rng=stream, **trainer), epochs=each["epochs"][i],
            schedule=schedule, progress=progress, watch=watch, description=f"{description or 'layer'} {i + 1} of {n}",
            checkpoint=None if checkpoint is None else _numbered(Path(checkpoint), i + 1)))
    return histories


class _Draw:
    """Of a batch of data, and labels beside them, states of the hidden layer at this depth beside the labels."""

    def __init__(self, net: DeepBeliefNet, depth: int) -> None:
        self.net, self.depth = net, depth

    def __call__(self, batch: Array, rng: np.random.Generator) -> Array:
        width = self.net.layers[0].visible.size
        rows = batch[:, :width].astype(self.net.top.b.dtype)
        return _joined(self.net.draw_up(rows, HostStream(rng), self.depth)[-1], batch[:, width:])


def _joined(rows: Array, beside: Array) -> Array:
    return backend_of(rows).xp.concatenate([rows, beside], 1) if beside.shape[1] else rows


def _label_rows(x: Array, labels: Any, classes: int) -> Array:
    """The softmax unit's rows of labels (N,), beside x (N, D): (N, classes)."""
    given = plain_array("pretrain", array_of([] if labels is None else labels))
    given = backend_of(given).to_host(given)
    if given.shape != (len(x),) or not np.issubdtype(given.dtype, np.integer) or not (
            (given >= 0) & (given < classes)).all():
        raise InputError(f"pretrain: the net's labels are a whole number from 0 to {classes - 1} for each of the "
                         f"{len(x)} rows of x, not {labels!r:.60}")
    return Device(backend_of(x)).put((given[:, None] == np.arange(classes)).astype(x.dtype))


def _each(name: str, value: Any, n: int) -> list[Any]:
    """One number for each of n machines."""
    values = [value] * n if not isinstance(value, list | tuple) else list(value)
    if len(values) != n:
        raise InputError(f"pretrain: {name} is one number, or one for each of the {n} machines, not {value!r:.60}")
    return values


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-layer-{number}{path.suffix or '.npz'}")
