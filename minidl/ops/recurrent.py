"""Recurrences over whole sequences: x (batch, time, features) and a first state give all the states that follow.

The plain network and the GRU are written step by step, as their equations stand. So is the LSTM, in `_lstm_composed`;
`lstm` computes the same as one operation, in a little more than half of the time.

Where `mask` (batch, time), of 0 and 1, is 0, a step is no part of its sequence: the state passes it unchanged.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.backend import Array, backend_of
from minidl.ops.activation import relu, sigmoid, tanh
from minidl.ops.arithmetic import where
from minidl.ops.linalg import linear, matmul
from minidl.ops.shape import concatenate, expand_dims, reshape, split, stack, swapaxes
from minidl.tensor import Tensor, grad, primitive

State = tuple[Any, ...]
NONLINEARITIES = {"tanh": tanh, "relu": relu}


def rnn(x: Any, h: Any, weight_x: Any, weight_h: Any, bias: Any, mask: Any = None,
        nonlinearity: str = "tanh") -> tuple[Any, State]:
    """h_t = tanh(x_t W_x + h_(t-1) W_h + b), or with the ReLU (Elman 1990).

    x (B, T, I), h (B, H), weight_x (I, H), weight_h (H, H), bias (H) -> all h_t (B, T, H), and (the last one,).
    """
    f = NONLINEARITIES[nonlinearity]
    return _unrolled(lambda a, h: (f(a + matmul(h, weight_h)),), x, weight_x, bias, (h,), mask)


def gru(x: Any, h: Any, weight_x: Any, weight_h: Any, bias: Any, bias_h: Any, mask: Any = None) -> tuple[Any, State]:
    """The gated recurrent unit (Cho et al. 2014), as PyTorch and cuDNN have it.

        r = sigmoid(x W_xr + h W_hr + b_r)              how much of the state the candidate sees
        z = sigmoid(x W_xz + h W_hz + b_z)              how much of the state stays
        n = tanh(x W_xn + b_n + r * (h W_hn + b_hn))    the candidate
        h = (1 - z) * n + z * h

    x (B, T, I), h (B, H), weight_x (I, 3H), weight_h (H, 3H) and bias (3H) in the order r, z, n, bias_h (H) is b_hn
    -> all h_t (B, T, H), and (the last one,).
    """
    size = weight_h.shape[0]

    def step(a: Any, h: Any) -> State:
        b = matmul(h, weight_h)
        r, z = split(sigmoid(a[:, :2 * size] + b[:, :2 * size]), 2, -1)
        n = tanh(a[:, 2 * size:] + r * (b[:, 2 * size:] + bias_h))
        return n + z * (h - n),

    return _unrolled(step, x, weight_x, bias, (h,), mask)


def lstm(x: Any, h: Any, c: Any, weight_x: Any, weight_h: Any, bias: Any, mask: Any = None) -> tuple[Any, State]:
    """Long short-term memory (Hochreiter & Schmidhuber 1997), with the forget gate of Gers et al. (2000).

        i = sigmoid(x W_xi + h W_hi + b_i)              input gate: what enters the cell
        f = sigmoid(x W_xf + h W_hf + b_f)              forget gate: what stays in it
        g = tanh(x W_xg + h W_hg + b_g)                 the candidate
        o = sigmoid(x W_xo + h W_ho + b_o)              output gate: what is shown of it
        c = f * c + i * g
        h = o * tanh(c)

    x (B, T, I), h and c (B, H), weight_x (I, 4H), weight_h (H, 4H) and bias (4H) in the order i, f, g, o
    -> all h_t (B, T, H), and the last (h, c).
    """
    inputs = x, h, c, weight_x, weight_h, bias, mask
    steps = _lstm(*inputs, _lstm_run(*inputs))
    return swapaxes(steps[:-1], 0, 1), (steps[-2], steps[-1])


def _unrolled(step: Callable[..., State], x: Any, weight_x: Any, bias: Any, state: State, mask: Any
              ) -> tuple[Any, State]:
    """`state = step(x[:, t] W_x + b, *state)` for t = 0, 1, ... -> all h (B, T, H), and the last state.

    h is a state's first part; x W_x + b is one product for all steps.
    """
    a = linear(swapaxes(x, 0, 1), weight_x, bias)         # (T, B, gates): what a step needs lies together
    shown = []
    for t in range(a.shape[0]):
        new = step(a[t], *state)
        state = new if mask is None else tuple(where(mask[:, t, None], n, s) for n, s in zip(new, state, strict=True))
        shown.append(state[0])
    return swapaxes(stack(shown), 0, 1), state


# The LSTM as one operation ------------------------------------------------------------------------------------------
#
# What makes it fast: one product a step, for input, state and bias together; features before the batch, so that each
# gate is one block of memory; the order g, i, f, o, so that the three sigmoids are neighbours, and the three of which
# the cell is made; backward in blocks of steps that stay in the processor's cache, with one product over a block's time
# for the weights.
#
# Backward needs the gates again. They come as an argument: `_lstm_run` computes them, as a constant, and `_lstm` hands
# out the states among them and knows their gradient.

_BLOCK = 10


def _lstm_composed(x: Any, h: Any, c: Any, weight_x: Any, weight_h: Any, bias: Any, mask: Any) -> Any:
    """What `_lstm` computes, from operations that know their second derivatives."""
    def step(a: Any, h: Any, c: Any) -> State:
        i, f, g, o = split(a + matmul(h, weight_h), 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return sigmoid(o) * tanh(c), c

    y, (_, c) = _unrolled(step, x, weight_x, bias, (h, c), mask)
    return concatenate([swapaxes(y, 0, 1), expand_dims(c, 0)])


def _lstm_weights(xp: Any, weight_x: Array, weight_h: Array, bias: Array) -> Array:
    """All weights as one array (4H, I+H+1), for the inputs x, h and 1, gates in the order g, i, f, o."""
    w = xp.concatenate([weight_x, weight_h, bias[None]]).T
    n = len(w) // 4
    return xp.concatenate([w[2 * n:3 * n], w[:2 * n], w[3 * n:]])


def _parts(run: Array, size: int) -> tuple[Array, ...]:
    """The packed array (T+1, I+1+7H, B) as inputs (x, h, 1), h, gates (T+1, 4, H, B), c and tanh(c).

    Row t holds what step t starts from, h and c of step t-1, and what it computes, the gates and tanh(c).
    """
    k = run.shape[1] - 6 * size
    gates = run[:, k:k + 4 * size].reshape(len(run), 4, size, -1)
    return run[:, :k], run[:, k - 1 - size:k - 1], gates, run[:, -2 * size:-size], run[:, -size:]


@primitive()
def _lstm_run(xp: Any, x: Any, h: Any, c: Any, weight_x: Any, weight_h: Any, bias: Any, mask: Any) -> Array:
    """Every step's inputs, gates and cells, packed as `_parts` unpacks them."""
    batch, steps, features = x.shape
    size = h.shape[1]
    run = xp.empty((steps + 1, features + 1 + 7 * size, batch), dtype=x.dtype)
    run[-1] = 0.0
    inputs, hs, gates, cs, tanh_cs = _parts(run, size)
    inputs[:-1, :features] = x.transpose(1, 2, 0)
    inputs[:, -1] = 1.0
    hs[0], cs[0] = h.T, c.T
    weights = _lstm_weights(xp, weight_x, weight_h, bias)
    weights[size:] *= -1.0                                        # sigmoid(a) = 1 / (1 + exp(-a))
    real = None if mask is None else mask.T[:, None] > 0          # (T, 1, B)
    with np.errstate(over="ignore"):                              # 1 / (1 + infinity) = 0 is right
        for t in range(steps):
            a = gates[t]
            xp.matmul(weights, inputs[t], out=a.reshape(-1, batch))
            g, i, f, o = a
            xp.tanh(g, out=g)
            sigmoids = xp.exp(a[1:], out=a[1:])
            sigmoids += 1.0
            xp.divide(1.0, sigmoids, out=sigmoids)
            c = xp.multiply(f, cs[t], out=cs[t + 1])
            c += i * g
            if real is not None:
                c[...] = xp.where(real[t], c, cs[t])
            h = xp.multiply(o, xp.tanh(c, out=tanh_cs[t]), out=hs[t + 1])
            if real is not None:
                h[...] = xp.where(real[t], h, hs[t])
    return run


def _lstm_rule(g: Any, y: Any, wanted: list[int], *args: Any) -> list[Any]:
    if not isinstance(g, Tensor):
        return _lstm_backward(g, wanted, *args)
    # To be differentiated again: by way of the plain composition, of new tensors, as one may stand for two arguments.
    own = [reshape(a, a.shape) for a in args[:6]]
    found = grad(_lstm_composed(*own, *args[6:7]), [own[i] for i in wanted], g, create_graph=True)
    gradients: list[Any] = [None] * len(args)
    for i, ga in zip(wanted, found, strict=True):
        gradients[i] = ga
    return gradients


def _lstm_backward(gy: Array, wanted: list[int], x: Array, h: Array, c: Array, weight_x: Array, weight_h: Array,
                   bias: Array, mask: Array, run: Array) -> list[Any]:
    """The gradients by x, h, c and the weights, from that by all h and the last c: (T+1, B, H)."""
    xp = backend_of(gy).xp
    batch, steps, features = x.shape
    size = h.shape[1]
    inputs, hs, gates, cs, tanh_cs = _parts(run, size)
    weights = _lstm_weights(xp, weight_x, weight_h, bias)
    to_h = weights[:, features:-1].T
    gh, gc = xp.zeros_like(cs[0]), gy[-1].T.copy()
    gx = xp.empty((steps, batch, features), dtype=run.dtype)
    g_weights = xp.zeros(weights.shape, dtype=run.dtype)
    for stop in range(steps, 0, -_BLOCK):
        block = slice(max(stop - _BLOCK, 0), stop)
        slopes, shown = _slopes(xp, gates[block], cs[block], tanh_cs[block], hs[1:][block])
        kept = gates[block, 2]
        if mask is not None:
            m = mask.T[block, None]
            passed = 1.0 - m
            slopes *= m[:, None]
            shown *= m
            kept = kept * m + passed
        for t in range(len(slopes) - 1, -1, -1):
            gh += gy[block.start + t].T                # h is the output, beside what it meant to the step after it
            gc += gh * shown[t]
            g_gates = slopes[t]                        # made of the slopes, in place
            g_i_f, o = g_gates[:3], g_gates[3]
            g_i_f *= gc
            o *= gh
            gc *= kept[t]                              # that of the c before
            past = None if mask is None else gh * passed[t]
            xp.matmul(to_h, g_gates.reshape(-1, batch), out=gh)
            if past is not None:
                gh += past
        g_gates = _over_time(slopes, 4 * size)
        if 0 in wanted:
            gx[block] = (g_gates.T @ weights[:, :features]).reshape(-1, batch, features)
        if not {3, 4, 5}.isdisjoint(wanted):
            g_weights += g_gates @ _over_time(inputs[block], inputs.shape[1]).T
    # in the order i, f, g, o again
    g_weights = xp.concatenate([g_weights[size:3 * size], g_weights[:size], g_weights[3 * size:]]).T
    return [gx.swapaxes(0, 1), gh.T, gc.T, g_weights[:features], g_weights[features:-1], g_weights[-1], None, None]


def _slopes(xp: Any, gates: Array, c: Array, tanh_c: Array, h: Array) -> tuple[Array, Array]:
    """What n steps' gradients are multiplied with, from the gates, the c before a step, and tanh(c) and h after it.

    (n, 4, H, B): the next c's derivative by what is inside g, i and f, and h's by what is inside o; and (n, H, B): the
    derivative of h by the next c.
    """
    g, i, f, o = gates.swapaxes(0, 1)
    slopes = xp.empty(gates.shape, dtype=gates.dtype)
    xp.subtract(1.0, gates[:, 1:], out=slopes[:, 1:])
    of_g, of_i, of_f, of_o = slopes.swapaxes(0, 1)
    added = i * g
    xp.multiply(added, g, out=of_g)
    xp.subtract(i, of_g, out=of_g)                     # i (1 - g^2)
    of_i *= added                                      # g i (1 - i)
    of_f *= f * c                                      # c f (1 - f)
    of_o *= h                                          # tanh(c) o (1 - o)
    shown = h * tanh_c
    return slopes, xp.subtract(o, shown, out=shown)    # o (1 - tanh(c)^2)


def _over_time(a: Array, rows: int) -> Array:
    """(n, ..., B) of `rows` times B elements a step -> (rows, n*B)."""
    return a.reshape(len(a), rows, -1).swapaxes(0, 1).reshape(rows, -1)


@primitive(joint=_lstm_rule)
def _lstm(xp: Any, x: Any, h: Any, c: Any, weight_x: Any, weight_h: Any, bias: Any, mask: Any, run: Any) -> Array:
    """All h and, as one row more, the last c: (T+1, B, H)."""
    _, hs, _, cs, _ = _parts(run, h.shape[1])
    y = xp.empty((len(run), *h.shape), dtype=run.dtype)
    y[:-1] = hs[1:].swapaxes(1, 2)
    y[-1] = cs[-1].T
    return y
