"""Optimisers: one short update rule each."""
from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from minidl.arguments import is_number
from minidl.backend import Array
from minidl.errors import InputError
from minidl.kernels import update_kernel
from minidl.optim.base import Optimizer, WeightDecay, at_least_zero


def _fraction(name: str, value: float) -> float:
    if not (is_number(value) and 0.0 <= value < 1.0):
        raise InputError(f"{name} lies in [0, 1), not {value!r:.60}")
    return float(value)


class SGD(Optimizer):
    """Stochastic gradient descent: p <- p - lr g.

    With momentum mu (Polyak 1964): v <- mu v + g, p <- p - lr v. With `nesterov` (Sutskever et al. 2013) the step is
    p <- p - lr (g + mu v). `weight_decay` w adds w p to g. Raises InputError for a momentum outside [0, 1), `nesterov`
    without one, and what `Optimizer` raises.
    """

    kernels = {
        (): update_kernel("sgd", "", "lr", "p -= lr * g;"),
        ("velocity",): update_kernel("momentum_sgd", "v", "lr, momentum, nesterov", """
            v = momentum * v + g;
            p -= lr * (nesterov ? momentum * v + g : v);"""),
    }

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, *, momentum: float = 0.0, nesterov: bool = False,
                 weight_decay: WeightDecay = 0.0) -> None:
        self.momentum, self.nesterov = _fraction("momentum", momentum), nesterov
        if nesterov and not momentum:
            raise InputError("SGD: nesterov needs a momentum above 0")
        self.state_names = ("velocity",) if momentum else ()
        super().__init__(params, lr, weight_decay)

    def numbers(self, steps: int) -> tuple[float, ...]:
        return (self.lr, self.momentum, float(self.nesterov)) if self.momentum else (self.lr,)

    def update(self, xp: Any, p: Array, g: Array, *rest: Any) -> None:
        *state, scratch, _ = rest
        step = g
        if self.momentum:
            v = state[0]
            v *= self.momentum
            v += g
            step = v
            if self.nesterov:
                step = xp.multiply(v, self.momentum, out=scratch)
                step += g
        p -= xp.multiply(step, self.lr, out=scratch)


class Adagrad(Optimizer):
    """G <- G + g^2, p <- p - lr g / (sqrt(G) + eps), with G = 0 at first (Duchi et al. 2011).

    `weight_decay` w adds w p to g. Raises InputError for an eps below 0, and what `Optimizer` raises.
    """

    state_names = ("sum_of_squares",)
    kernels = {state_names: update_kernel("adagrad", "G", "lr, eps", """
            G += g * g;
            p -= lr * g / (sqrt(G) + eps);""")}

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, *, eps: float = 1e-10,
                 weight_decay: WeightDecay = 0.0) -> None:
        self.eps = at_least_zero("eps", eps)
        super().__init__(params, lr, weight_decay)

    def numbers(self, steps: int) -> tuple[float, ...]:
        return self.lr, self.eps

    def update(self, xp: Any, p: Array, g: Array, *rest: Any) -> None:
        G, scratch, _ = rest
        G += xp.multiply(g, g, out=scratch)
        _divide_by_root(xp, g, G, self.eps, scratch)
        scratch *= self.lr
        p -= scratch


class RMSprop(Optimizer):
    """v <- alpha v + (1 - alpha) g^2, p <- p - lr g / (sqrt(v) + eps) (Hinton's lecture 6e, 2012).

    With momentum mu the quotient goes through b <- mu b + g / (sqrt(v) + eps), p <- p - lr b. `weight_decay` w adds w p
    to g. Raises InputError for an alpha or a momentum outside [0, 1), an eps below 0, and what `Optimizer` raises.
    """

    kernels = {
        ("mean_square",): update_kernel("rmsprop", "v", "lr, alpha, rest, eps", """
            v = alpha * v + rest * g * g;
            p -= lr * g / (sqrt(v) + eps);"""),
        ("mean_square", "velocity"): update_kernel("momentum_rmsprop", "v, b", "lr, alpha, rest, eps, momentum", """
            v = alpha * v + rest * g * g;
            b = momentum * b + g / (sqrt(v) + eps);
            p -= lr * b;"""),
    }

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, *, alpha: float = 0.99, eps: float = 1e-8,
                 momentum: float = 0.0, weight_decay: WeightDecay = 0.0) -> None:
        self.alpha, self.momentum = _fraction("alpha", alpha), _fraction("momentum", momentum)
        self.eps = at_least_zero("eps", eps)
        self.state_names = ("mean_square", "velocity") if momentum else ("mean_square",)
        super().__init__(params, lr, weight_decay)

    def numbers(self, steps: int) -> tuple[float, ...]:
        numbers = self.lr, self.alpha, 1.0 - self.alpha, self.eps
        return (*numbers, self.momentum) if self.momentum else numbers

    def update(self, xp: Any, p: Array, g: Array, *rest: Any) -> None:
        v, *velocity, scratch, _ = rest
        v *= self.alpha
        xp.multiply(g, g, out=scratch)
        scratch *= 1.0 - self.alpha
        v += scratch
        _divide_by_root(xp, g, v, self.eps, scratch)
        if velocity:
            velocity[0] *= self.momentum
            velocity[0] += scratch
            xp.multiply(velocity[0], self.lr, out=scratch)
        else:
            scratch *= self.lr
        p -= scratch


def _divide_by_root(xp: Any, numerator: Array, squares: Array, eps: float, out: Array) -> None:
    """out <- numerator / (sqrt(squares) + eps)."""
    xp.sqrt(squares, out=out)
    out += eps
    xp.divide(numerator, out, out=out)


class Adam(Optimizer):
    """m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, p <- p - lr m' / (sqrt(v') + eps) (Kingma & Ba 2015).

    m' = m / (1 - b1^t) and v' = v / (1 - b2^t) correct the start from zero. `weight_decay` w adds w p to g. With
    `amsgrad` the largest v so far takes its place in the step (Reddi et al. 2018). Raises InputError for betas (b1, b2)
    outside [0, 1), an eps below 0, and what `Optimizer` raises.

    The state holds m / (1 - b1) and v / (1 - b2): that saves two passes over the memory, and the constants move into
    the step size and eps.
    """

    kernels = {
        ("first_moment", "second_moment"): update_kernel("adam", "m, v", "b1, b2, rate, eps", """
            m = b1 * m + g;
            v = b2 * v + g * g;
            p -= rate * m / (sqrt(v) + eps);"""),
        ("first_moment", "second_moment", "largest_second_moment"): update_kernel(
            "amsgrad", "m, v, w", "b1, b2, rate, eps", """
            m = b1 * m + g;
            v = b2 * v + g * g;
            w = w >= v ? w : v;
            p -= rate * m / (sqrt(w) + eps);"""),
    }

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: WeightDecay = 0.0, amsgrad: bool = False) -> None:
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise InputError(f"{type(self).__name__}: betas are two numbers, as (0.9, 0.999), not {betas!r:.60}")
        self.betas = _fraction("betas[0]", betas[0]), _fraction("betas[1]", betas[1])
        self.eps = at_least_zero("eps", eps)
        self.state_names = ("first_moment", "second_moment") + ("largest_second_moment",) * amsgrad
        super().__init__(params, lr, weight_decay)

    def numbers(self, steps: int) -> tuple[float, ...]:
        """b1, b2, step size and eps, these two with the corrections of this step."""
        b1, b2 = self.betas
        root = math.sqrt((1.0 - b2**steps) / (1.0 - b2))
        return b1, b2, self.lr * root * (1.0 - b1) / (1.0 - b1**steps), self.eps * root

    def update(self, xp: Any, p: Array, g: Array, *rest: Any) -> None:
        m, v, *largest, scratch, steps = rest
        b1, b2, rate, eps = self.numbers(steps)
        m *= b1
        m += g
        v *= b2
        v += xp.multiply(g, g, out=scratch)
        if largest:
            v = xp.maximum(largest[0], v, out=largest[0])
        _divide_by_root(xp, m, v, eps, scratch)
        scratch *= rate
        p -= scratch


class AdamW(Adam):
    """Adam with decoupled weight decay w: p <- p - lr w p before Adam's step (Loshchilov & Hutter 2019)."""

    decoupled = True

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: WeightDecay = 1e-2, amsgrad: bool = False) -> None:
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)
