"""Wake-sleep (slide 113): all layers of a deep belief net learn at once, after greedy training or without it."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl.backend import Array, backend_of
from minidl.energy.deep_belief import DeepBeliefNet
from minidl.energy.trainers import Chains, ContrastiveDivergence
from minidl.energy.units import Units
from minidl.errors import InputError
from minidl.nn.module import Module
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, rows_that_meet
from minidl.tensor import Tensor


class WakeSleep(Module):
    """The up-down algorithm: `trainer(net, x)` writes the gradients of all parameters, any optimiser steps.

    Awake, states are drawn upwards from the data by the recognition weights, and the weights down learn to predict each
    layer from the one above: the gradient of -log p(below | above), for these states. The top machine learns by
    ContrastiveDivergence, whose keywords `k` and `chains` are. Asleep, states are drawn downwards from where its chains
    have ended, and the recognition weights learn to find the states that have made what is below: the gradient of
    -log q(above | below). So the weights down climb slide 108's bound; those up, which learn from dreams, need not.

    The net has to be untied, for the way up needs weights of its own: `net.untie()` before an optimiser is given
    `net.named_parameters()`. The lower machines' `c`, which nothing uses then, get no gradient. x are rows (N, D); of a
    net with labels (N, D + K), with `md.one_hot(labels, K)` beside the pixels. `train` is the loop around it.

    Returns the losses `wake` and `sleep`, the squared errors of the predictions down and up, summed over a row, and
    those of ContrastiveDivergence. `awake` and `asleep` are the states of the last call, from the lowest layer to that
    below the top machine, without labels. Raises InputError for a net that is not untied, rows of another width, and
    what ContrastiveDivergence refuses: on a GPU it looks at the first batch alone.

    Source: G. Hinton, P. Dayan, B. Frey and R. Neal, "The wake-sleep algorithm for unsupervised neural networks", 1995;
    G. Hinton, S. Osindero and Y. Teh, "A fast learning algorithm for deep belief nets", 2006, appendix B.
    """

    def __init__(self, net: DeepBeliefNet, *, k: int = 1, chains: int | Chains | None = None, rng: Seed = 0) -> None:
        _check_net(net)
        self.stream = RandomStream.of(rng, "WakeSleep")
        self.top = ContrastiveDivergence(net.top, k=k, chains=chains, rng=self.stream)
        self.awake: list[Array] = []
        self.asleep: list[Array] = []

    def __call__(self, net: DeepBeliefNet, x: Any) -> dict[str, Array]:
        """Write the gradients for data x, which may be Tensors."""
        _check_net(net)
        x, labels = self._parts(net, x)
        self.awake = net.draw_up(x, self.stream)
        losses = self.top(net.top, backend_of(x).xp.concatenate([self.awake[-1], labels], 1))
        dreamt = self.top.fantasy[:, :net.top.visible.size - net.labels]
        lowest, *above = net.draw_down(dreamt, self.stream)
        if above:                                              # these are means
            lowest = net.layers[0].visible.draw(lowest, self.stream)
        self.asleep = [lowest, *above]
        wake = [_predict(rbm.visible, rbm.down(above), below, above, rbm.W, rbm.b, down=True)
                for rbm, below, above in zip(net.layers, self.awake, self.awake[1:], strict=False)]
        sleep = [_predict(rbm.hidden, way.up(below), above, below, way.W, way.c, down=False)
                 for rbm, way, below, above in
                 zip(net.layers, net.recognition, self.asleep, self.asleep[1:], strict=False)]
        return {"wake": sum(wake, 0.0), "sleep": sum(sleep, 0.0), **losses}

    def _parts(self, net: DeepBeliefNet, x: Any) -> tuple[Array, Array]:
        """Data and label units, (N, D) and (N, K), of rows that the net's units can have."""
        bottom = net.layers[0]
        x = array_of(x)
        on_device = type(x) is type(bottom.b.data) and not isinstance(x, np.ndarray)
        looked = on_device and bool(self.awake)
        D = bottom.visible.size
        x = rows_that_meet("WakeSleep", "train", x, D + net.labels, bottom.b.data)
        if not looked:
            bottom.visible.check("WakeSleep", x[:, :D])
        return x[:, :D], x[:, D:]


def _predict(units: Units, field: Array, states: Array, given: Array, W: Any, bias: Any, down: bool) -> Array:
    """Write the gradients of -log p(states | given) for W and the units' bias; returns the squared error of a row."""
    error = units.mean(field)
    error -= states
    flat = error.reshape(-1)
    squared = flat @ flat / len(states)
    error /= len(states)
    W.grad, bias.grad = Tensor(error.T @ given if down else given.T @ error), Tensor(error.sum(0))
    return squared


def _check_net(net: Any) -> None:
    if not isinstance(net, DeepBeliefNet):
        raise InputError(f"WakeSleep: trains a DeepBeliefNet, not a {type(net).__name__}")
    if len(net.recognition) != len(net.layers) - 1:
        raise InputError("WakeSleep: the way up needs weights of its own; call net.untie(), then give the optimiser "
                         "net.named_parameters()")
