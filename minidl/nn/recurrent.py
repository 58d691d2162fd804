"""Layers for sequences (batch, time, features): Embedding, RNN, LSTM, GRU.

    lstm = nn.LSTM(64, 128, num_layers=2, rng=0)
    y, state = lstm(x)                                    # x (B, T, 64) -> y (B, T, 128), state (h, c)
    y, state = lstm(x, mask=nn.mask_from_lengths([50, 32, 7]))              # sequences of different lengths

Truncated backpropagation through time (Williams & Peng 1990) hands the state on, without its history:

    for chunk in chunks:
        y, state = lstm(chunk, nn.detach_state(state))
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidl import ops
from minidl.arguments import is_whole
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.nn import init
from minidl.nn.module import Module
from minidl.nn.regularization import Dropout
from minidl.ops.recurrent import NONLINEARITIES, State, gru, lstm, rnn
from minidl.randomness import Seed, generator
from minidl.rows import array_of, check_count
from minidl.tensor import Parameter, Tensor


class Embedding(Module):
    """A learned vector for each token: ids (...), integers below num_embeddings -> (..., embedding_dim).

    The vectors start standard normal. Ids on the host are checked; those that are on a GPU already cannot be without
    waiting for it, and a wrong one wraps around silently there: check them where they are made. Raises InputError for
    sizes below 1, and on the host for ids that are no integers or out of range.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, rng: Seed) -> None:
        if not (is_whole(num_embeddings, 1) and is_whole(embedding_dim, 1)):
            raise InputError(f"Embedding: sizes are 1 or more, not {num_embeddings!r:.60} and {embedding_dim!r:.60}")
        self.weight = Parameter(init.normal((num_embeddings, embedding_dim), rng=generator(rng, "Embedding"), std=1.0))

    def forward(self, ids: Any) -> Tensor:
        raw = _raw(ids)
        if backend_of(raw).name == "cpu":
            self._check(raw)
        return ops.getitem(self.weight, self.weight.device.put(raw))

    def _check(self, ids: np.ndarray) -> None:
        n = self.weight.shape[0]
        if getattr(ids, "dtype", np.dtype(object)).kind not in "iu":
            raise InputError(f"ids are integers from 0 to {n - 1}, not {getattr(ids, 'dtype', type(ids).__name__)}; "
                             "use .astype('int64')")
        wrong = np.argwhere((ids < 0) | (ids >= n))
        if len(wrong):
            place = tuple(int(i) for i in wrong[0])
            raise InputError(f"ids are integers from 0 to {n - 1}; the one at {list(place)} is {ids[place]}")

    def describe(self) -> str:
        return f"Embedding({self.weight.shape[0]}, {self.weight.shape[1]})"


def mask_from_lengths(lengths: Any, steps: int | None = None) -> Tensor:
    """The mask (B, steps) of sequences that are padded at their end: True where sequence b has a step, t < lengths[b].

    `steps` is by default the longest length. Raises InputError for lengths that are no integers from 1 to `steps`.
    """
    lengths = np.asarray(_raw(lengths))
    if lengths.ndim != 1 or not len(lengths) or lengths.dtype.kind not in "iu":
        raise InputError(f"mask_from_lengths: lengths are a list of integers, not {lengths.dtype} of shape "
                         f"{lengths.shape}")
    steps = int(lengths.max()) if steps is None else check_count("mask_from_lengths", "steps", steps)
    wrong = np.flatnonzero((lengths < 1) | (lengths > steps))
    if len(wrong):
        raise InputError(f"mask_from_lengths: lengths lie between 1 and {steps}; that of sequence {wrong[0]} is "
                         f"{lengths[wrong[0]]}")
    return Tensor(np.arange(steps) < lengths[:, None])


def detach_state(state: Any) -> Any:
    """A recurrent layer's state, h or (h, c), without its history, to go on from: gradients end here. None stays so.

    Raises InputError for what is no state.
    """
    states = state if isinstance(state, tuple | list) else [state]
    if not all(s is None or isinstance(s, Tensor) for s in states):
        raise InputError(f"detach_state: a state is a Tensor, or a tuple of Tensors, not {type(state).__name__}")
    detached = tuple(None if s is None else s.detach() for s in states)
    return detached if isinstance(state, tuple | list) else detached[0]


class Cell(Module):
    """What one layer learns in one direction: weight_x (I, gates*H), weight_h (H, gates*H), bias (gates*H).

    All start uniform within 1 / sqrt(H), as PyTorch has it. A GRU's cell has `bias_h` (H) as well.
    """

    def __init__(self, input_size: int, hidden_size: int, gates: int, hidden_bias: bool, rng: Seed) -> None:
        rng = generator(rng, "Cell")

        def drawn(*shape: int) -> Parameter:
            return Parameter(init.uniform(shape, rng=rng, low=-bound, high=bound))

        bound = 1.0 / math.sqrt(hidden_size)
        self.weight_x = drawn(input_size, gates * hidden_size)
        self.weight_h = drawn(hidden_size, gates * hidden_size)
        self.bias = drawn(gates * hidden_size)
        if hidden_bias:
            self.bias_h = drawn(hidden_size)


class _Recurrent(Module):
    """What RNN, LSTM and GRU share: layers upon each other, both directions, dropout between layers, masks, states.

    `cells[k]` holds the weights that go with `h[k]`: a layer after the other, forward before backward.
    """

    gates: int
    hidden_bias = False
    states: tuple[str, ...] = ("h",)

    def __init__(self, input_size: int, hidden_size: int, *, num_layers: int = 1, bidirectional: bool = False,
                 dropout: float = 0.0, rng: Seed) -> None:
        name = type(self).__name__
        if not all(is_whole(n, 1) for n in (input_size, hidden_size, num_layers)):
            raise InputError(f"{name}: sizes and num_layers are 1 or more, not {input_size!r:.60}, {hidden_size!r:.60} "
                             f"and {num_layers!r:.60}")
        if dropout and num_layers == 1:
            raise InputError(f"{name}: dropout acts between layers, and num_layers=1 has no between")
        rng = generator(rng, name)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.directions = 2 if bidirectional else 1
        self.cells = [Cell(hidden_size * self.directions if layer else input_size, hidden_size, self.gates,
                           self.hidden_bias, rng)
                      for layer in range(num_layers) for _ in range(self.directions)]
        self.dropout = Dropout(dropout, rng=rng) if dropout else None

    def _run(self, cell: Any, x: Any, state: State, mask: Any) -> tuple[Any, State]:
        """One layer in one direction: all h (B, T, H) and the last state."""
        raise NotImplementedError

    def forward(self, x: Any, state: Any = None, mask: Any = None) -> tuple[Tensor, Any]:
        """x (B, T, I) -> y (B, T, H), with both directions (B, T, 2H), and the state after the last step.

        A state is h (layers * directions, B, H), for LSTM the pair (h, c); None starts from zeros. `mask` (B, T) is 1
        where a sequence has a step and 0 where it is padded: there y is 0, and the state stays what it was, so that
        the last state is that of a sequence's last step, and the backward direction starts from there.

        Raises InputError for shapes that do not fit, for a sequence without a step, and for a mask of other values
        than 0 and 1 (if it is on the host).
        """
        self._check_input(x)
        if mask is not None:
            mask = self._settled_mask(mask, x)
            x = ops.where(mask[..., None], x, 0.0)            # whatever stands in the padding, NaN included
        first = self._settled_state(state, x)
        last: list[State] = []
        y = x
        for layer in range(self.num_layers):
            if layer and self.dropout is not None:
                y = self.dropout(y)
            shown = []
            for direction in range(self.directions):
                k = len(last)
                h, end = self._walk(k, y, tuple(s[k] for s in first), mask, direction == 1)
                shown.append(h)
                last.append(end)
            y = shown[0] if len(shown) == 1 else ops.concatenate(shown, -1)
        if mask is not None:
            y = ops.where(mask[..., None], y, 0.0)
        end = tuple(ops.stack(s) for s in zip(*last, strict=True))
        return y, end if len(end) > 1 else end[0]

    def _walk(self, k: int, x: Any, state: State, mask: Any, backward: bool) -> tuple[Any, State]:
        if not backward:
            return self._run(self.cells[k], x, state, mask)
        # Turned around, padding comes first, and the state waits for the first step.
        h, end = self._run(self.cells[k], ops.flip(x, 1), state, None if mask is None else mask[:, ::-1])
        return ops.flip(h, 1), end

    def _check_input(self, x: Any) -> None:
        self.expect(x, "batch", "time", self.input_size)
        if 0 in x.shape:
            raise InputError(f"x of shape {x.shape} is empty; there is at least one sequence, of at least one step")
        if x.dtype.kind != "f":
            raise InputError(f"x holds {x.dtype}; tokens become features in an nn.Embedding, numbers with "
                             ".astype('float32')")

    def _settled_mask(self, mask: Any, x: Any) -> Array:
        """The mask as an array of x's dtype on x's device."""
        raw = _raw(mask)
        if raw.shape != x.shape[:2]:
            raise InputError(f"a mask of shape {raw.shape} does not fit x of shape {x.shape}; it is (batch, time), "
                             f"{x.shape[:2]}")
        if backend_of(raw).name == "cpu":
            wrong = raw[(raw != 0) & (raw != 1)]
            if len(wrong):
                raise InputError(f"a mask is 1 where there is a step and 0 where there is none, not {wrong[0]}")
            empty = np.flatnonzero(~raw.any(axis=1))
            if len(empty):
                raise InputError(f"sequence {empty[0]} of the mask has no step at all; leave it out of the batch")
        return Device(backend_of(_raw(x))).put(raw).astype(x.dtype)

    def _settled_state(self, state: Any, x: Any) -> State:
        """The first state as a tuple, by default of zeros."""
        shape = (len(self.cells), x.shape[0], self.hidden_size)
        if state is None:
            return (backend_of(_raw(x)).xp.zeros(shape, dtype=x.dtype),) * len(self.states)
        given = tuple(state) if isinstance(state, tuple | list) else (state,)
        shapes = [getattr(s, "shape", type(s).__name__) for s in given]
        if shapes != [shape] * len(self.states):
            one = "h" if len(self.states) == 1 else "a pair (h, c), each"
            raise InputError(f"for x of shape {x.shape} the state is {one} of shape (layers * directions, batch, "
                             f"hidden_size), {shape}; got {' and '.join(map(str, shapes))}")
        return given

    def describe(self) -> str:
        options = [f"num_layers={self.num_layers}"] * (self.num_layers > 1) + ["bidirectional"] * (self.directions > 1)
        return f"{type(self).__name__}({', '.join([str(self.input_size), str(self.hidden_size), *options])})"


class RNN(_Recurrent):
    """h_t = tanh(x_t W_x + h_(t-1) W_h + b), or relu(...): (B, T, I) -> (B, T, H) and the last state; see `forward`.

    Raises InputError for an unknown nonlinearity, sizes below 1, and dropout with a single layer.

    Source: J. Elman, "Finding structure in time", 1990.
    """

    gates = 1

    def __init__(self, input_size: int, hidden_size: int, *, nonlinearity: str = "tanh", num_layers: int = 1,
                 bidirectional: bool = False, dropout: float = 0.0, rng: Seed) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise InputError(f"RNN: nonlinearity is one of {', '.join(NONLINEARITIES)}, not {nonlinearity!r}")
        super().__init__(input_size, hidden_size, num_layers=num_layers, bidirectional=bidirectional, dropout=dropout,
                         rng=rng)
        self.nonlinearity = nonlinearity

    def _run(self, cell: Any, x: Any, state: State, mask: Any) -> tuple[Any, State]:
        h, = state
        return rnn(x, h, cell.weight_x, cell.weight_h, cell.bias, mask, self.nonlinearity)


class LSTM(_Recurrent):
    """Long short-term memory, gates in the order i, f, g, o: (B, T, I) -> (B, T, H) and the last state.

        c_t = f * c_(t-1) + i * g                       i, f, o = sigmoid(x_t W_x + h_(t-1) W_h + b)
        h_t = o * tanh(c_t)                             g = tanh(x_t W_x + h_(t-1) W_h + b)

    The state is (h, c); see `forward`. Raises InputError for sizes below 1, and dropout with a single layer.

    Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997; the forget gate is that of F. Gers,
    J. Schmidhuber and F. Cummins, "Learning to forget", 2000.
    """

    gates = 4
    states = ("h", "c")

    def _run(self, cell: Any, x: Any, state: State, mask: Any) -> tuple[Any, State]:
        h, c = state
        return lstm(x, h, c, cell.weight_x, cell.weight_h, cell.bias, mask)


class GRU(_Recurrent):
    """The gated recurrent unit, gates in the order r, z, n: (B, T, I) -> (B, T, H) and the last state.

        h_t = (1 - z) * n + z * h_(t-1)                 r, z = sigmoid(x_t W_x + h_(t-1) W_h + b)
                                                        n = tanh(x_t W_x + b + r * (h_(t-1) W_h + bias_h))

    See `forward`. Raises InputError for sizes below 1, and dropout with a single layer.

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", 2014; the reset gate acts after the product, as in PyTorch.
    """

    gates = 3
    hidden_bias = True

    def _run(self, cell: Any, x: Any, state: State, mask: Any) -> tuple[Any, State]:
        h, = state
        return gru(x, h, cell.weight_x, cell.weight_h, cell.bias, cell.bias_h, mask)


def _raw(x: Any) -> Array:
    """The array in a Tensor, or of a list; another array as it is."""
    x = array_of(x)
    try:
        return np.asarray(x) if isinstance(x, list | tuple | int) else x
    except ValueError:
        raise InputError("the sequences are of different lengths; fill them up with an id of its own, such as 0, and "
                         "pass mask=(ids != 0)") from None
