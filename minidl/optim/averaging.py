"""Averages of the weights along the way of training: an ensemble of models at the price of one."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from minidl.arguments import is_number
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.nn.module import Module
from minidl.optim.state import checked_state
from minidl.tensor import Tensor
from minidl.writes import mark_written


class EMA:
    """An exponential moving average of a model's parameters, often better than any of them (Polyak & Juditsky 1992).

    Each `update()`, after a step of the optimiser, moves every average towards its parameter: a <- a + (1 - d) (p - a).
    d is `decay`, so that about the last 1 / (1 - decay) steps count, but at most (1 + t) / (10 + t) at update t = 0, 1,
    ..., so that the start is soon forgotten. GANs sample from such averages (Karras et al. 2018).

        with ema.applied():
            accuracy = evaluate(model)          # with the averages; the model's buffers are used as they are

    `training.fit(average=ema)` does all this. The averages follow their model to another device or dtype; a parameter
    that is new or has grown starts from its present value. Raises InputError for a decay outside [0, 1).
    """

    def __init__(self, model: Module, decay: float = 0.999) -> None:
        if not isinstance(model, Module):
            raise InputError(f"EMA: give the model whose parameters are averaged, not {type(model).__name__}")
        if not (is_number(decay) and 0.0 <= decay < 1.0):
            raise InputError(f"EMA: decay lies in [0, 1), not {decay!r:.60}")
        self.model, self.decay, self.updates = model, float(decay), 0
        self._averages: dict[str, Array] = {}
        self._pairs()

    def update(self) -> None:
        """Take the present parameters into the average."""
        pull = 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for p, average in self._pairs().values():
            step = p.data - average
            step *= pull
            average += step

    def apply(self) -> None:
        """Write the averages into the model's parameters, for good."""
        pairs = self._pairs().values()
        for p, average in pairs:
            p.data[...] = average
        mark_written(p for p, _ in pairs)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this context the model has the averages; after it, its own parameters and buffers again."""
        tensors = [*self.model.parameters(), *(buffer for _, buffer in self.model.named_buffers())]
        before = [t.data.copy() for t in tensors]
        self.apply()
        try:
            yield
        finally:
            for t, values in zip(tensors, before, strict=True):
                t.data[...] = values
            mark_written(tensors)

    def state_dict(self) -> dict[str, np.ndarray]:
        """The averages (copies on the host), by name, and the number of updates."""
        averages = {f"average/{name}": np.array(backend_of(a).to_host(a)) for name, (_, a) in self._pairs().items()}
        return {"updates": np.asarray(self.updates), **averages}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state_dict` gave. Raises InputError, and changes nothing, if it is of another model."""
        read = checked_state("the average of this model's parameters", self.state_dict(), state)
        self.updates = int(read["updates"])
        for name, (p, average) in self._pairs().items():
            average[...] = p.device.put(read[f"average/{name}"])

    def _pairs(self) -> dict[str, tuple[Tensor, Array]]:
        """Each parameter and its average, which has followed it."""
        pairs = {}
        for name, p in self.model.named_parameters():
            average = self._averages.get(name)
            if average is None or average.shape != p.shape:
                average = p.data.copy()
            elif type(average) is not type(p.data) or average.dtype != p.dtype:
                average = p.device.put(average).astype(p.dtype)
            pairs[name] = p, average
        self._averages = {name: average for name, (_, average) in pairs.items()}
        return pairs
