"""L-BFGS: a quasi-Newton method for whole batches, with which the sparse autoencoder's exercise is trained."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from minidl.arguments import is_whole
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.optim.base import Optimizer, at_least_zero
from minidl.optim.line_search import Point, strong_wolfe
from minidl.tensor import Tensor
from minidl.writes import mark_written


class LBFGS(Optimizer):
    """Steps x + t d with d = -H g, where H approximates the inverse Hessian from the last `history_size` steps.

    A pair of vectors (s, y) says that the step s changed the gradient by y. From the pairs alone H g is computed,
    without a matrix (algorithm 7.4). The length t satisfies the strong Wolfe conditions (algorithms 3.5 and 3.6); with
    `line_search=None` it is `lr`. All evaluations must be of the same loss: of the whole batch, and without dropout.

    `step(closure)` makes up to `max_iter` such steps with up to `max_eval` evaluations (by default 5/4 as many). It
    ends early if no entry of the gradient is above `tolerance_grad`, or after a step that changes no parameter, or the
    loss, by more than `tolerance_change`. A call that found nothing lower lets the next one try nearer.

    The closure is PyTorch's: it forgets the gradients, computes the loss, calls its `backward`, and returns it.
    `training.fit` brings its own; with a loader of one batch, `data.Loader(x, batch_size=len(x), shuffle=False)`, an
    epoch is one call of `step`.

    Raises InputError for a `step` without a closure, and for numbers out of their range.

    Source: J. Nocedal and S. Wright, "Numerical optimization", 2006.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1.0, *, max_iter: int = 20, max_eval: int | None = None,
                 history_size: int = 10, tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9,
                 line_search: str | None = "strong_wolfe") -> None:
        if max_eval is None:
            max_eval = max(2, max_iter * 5 // 4) if is_whole(max_iter) else 2
        for name, value, least in (("max_iter", max_iter, 1), ("max_eval", max_eval, 2),
                                   ("history_size", history_size, 1)):
            if not is_whole(value, least):
                raise InputError(f"LBFGS: {name} is a whole number of {least} or more, not {value!r:.60}")
        tolerance_grad = at_least_zero("LBFGS: tolerance_grad", tolerance_grad)
        tolerance_change = at_least_zero("LBFGS: tolerance_change", tolerance_change)
        if line_search not in ("strong_wolfe", None):
            raise InputError(f"LBFGS: line_search is 'strong_wolfe' or None, not {line_search!r}")
        self.max_iter, self.max_eval, self.history_size = int(max_iter), int(max_eval), int(history_size)
        self.tolerance_grad, self.tolerance_change = tolerance_grad, tolerance_change
        self.line_search = line_search
        self.state_names = tuple(f"{letter}{i}" for i in range(self.history_size) for letter in "sy")
        self._pairs = 0                          # stored so far; the newest overwrite the oldest
        self._shrunk = 1.0                       # the first trial of a call, as a part of the usual one
        super().__init__(params, lr)

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:
        """Go downhill for up to `max_iter` steps; returns the loss before the first."""
        if closure is None:
            raise InputError("LBFGS: a step needs the loss at several places: step(closure), where closure() forgets "
                             "the gradients, computes the loss, calls its backward(), and returns it")
        self.check_owned()
        self.follow()
        first = closure()
        gradient = self._gradient()
        loss, steepest = _numbers(first.data, abs(gradient).max())
        evaluations, change = 1, math.inf
        for _ in range(self.max_iter):
            if not (math.isfinite(loss) and steepest > self.tolerance_grad and change > self.tolerance_change
                    and evaluations < self.max_eval):
                break
            x = self.flat[0].copy()
            d, slope, longest = self._downhill(gradient)
            if not slope < 0.0:
                break
            start, at = Point(0.0, loss, slope, gradient), partial(self._at, closure, x, d)
            t = self.lr if self._pairs else self.lr * min(1.0, 1.0 / _numbers(abs(gradient).sum())[0])
            t *= self._shrunk
            if self.line_search:
                end, count = strong_wolfe(at, start, t, evaluations=self.max_eval - evaluations,
                                          narrowest=self.tolerance_change / longest)
            else:
                end, count = at(t), 1
            self._move(x, d, end.t)
            evaluations += count
            self._steps = {name: steps + 1 for name, steps in self._steps.items()}
            if not end.t:
                if change == math.inf and evaluations >= self.max_eval:
                    self._shrunk = max(0.1 * self._shrunk, 1e-12)     # the next call begins nearer, to find something
                else:
                    self._pairs = 0              # they led nowhere: the next call begins with the steepest direction
                break
            self._shrunk = 1.0
            s, y = d * end.t, end.gradient - gradient
            curvature, steepest = _numbers(s @ y, abs(end.gradient).max())
            if curvature > -slope * end.t * float(np.finfo(s.dtype).eps):      # else H would not be positive definite
                self._store(s, y)
            change = min(longest * end.t, abs(end.loss - loss))
            loss, gradient = end.loss, end.gradient
        return first

    def _gradient(self) -> Array:
        """All gradients in one flat array, with zeros for a parameter that has none."""
        xp = backend_of(self.flat[0]).xp
        return xp.concatenate([xp.zeros(p.size, p.dtype) if p.grad is None or not p.requires_grad
                               else p.grad.data.reshape(-1) for p in self.params.values()])

    def _move(self, x: Array, d: Array, t: float) -> None:
        """Set the parameters to x + t d."""
        flat = self.flat[0]
        backend_of(flat).xp.multiply(d, t, out=flat)
        flat += x
        mark_written(self.params.values())

    def _at(self, closure: Callable[[], Tensor], x: Array, d: Array, t: float) -> Point:
        self._move(x, d, t)
        tensor, g = closure(), self._gradient()
        loss, slope = _numbers(tensor.data, g @ d)
        return Point(t, loss, slope, g)

    def _downhill(self, g: Array) -> tuple[Array, float, float]:
        """The direction -H g, the slope along it, and its largest entry; -g if rounding has spoilt H."""
        d = self._direction(g)
        slope, longest = _numbers(g @ d, abs(d).max())
        if self._pairs and not slope < 0.0:
            self._pairs = 0
            return self._downhill(g)
        return d, slope, longest

    def _direction(self, g: Array) -> Array:
        """-H g by the two-loop recursion: algorithm 7.4, with the scale of equation 7.20. Nothing here waits."""
        d, newest_first = -g, []
        for i in range(self._pairs - 1, max(self._pairs - self.history_size, 0) - 1, -1):
            s, y = self._pair(i)
            rho = 1.0 / (s @ y)
            a = rho * (s @ d)
            d -= a * y
            newest_first.append((s, y, rho, a))
        if newest_first:
            s, y, rho, _ = newest_first[0]
            d *= 1.0 / (rho * (y @ y))
        for s, y, rho, a in reversed(newest_first):
            d += (a - rho * (y @ d)) * s
        return d

    def _pair(self, i: int) -> tuple[Array, Array]:
        """Where the i-th pair is stored, or will be: flat arrays beside the parameters."""
        place = 1 + 2 * (i % self.history_size)
        return self.flat[place], self.flat[place + 1]

    def _store(self, s: Array, y: Array) -> None:
        for place, values in zip(self._pair(self._pairs), (s, y), strict=True):
            place[...] = values
        self._pairs += 1

    def state_dict(self) -> dict[str, np.ndarray]:
        """As every optimiser's, with the number of stored pairs and how far the next first trial is shrunk."""
        return super().state_dict() | {"pairs": np.asarray(np.int64(self._pairs)),
                                       "shrunk": np.asarray(np.float64(self._shrunk))}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state_dict` gave. Raises InputError, and changes nothing, if it is another's."""
        super().load_state_dict(state)
        self._pairs, self._shrunk = int(state["pairs"]), float(state["shrunk"])


def _numbers(*values: Array) -> list[float]:
    """Scalars of a device on the host, in one transfer."""
    backend = backend_of(values[0])
    return [float(value) for value in backend.to_host(backend.xp.stack(values))]
