"""Gradient checks: every rule against finite differences, to second order, along random directions, in float64.

A directional derivative needs two evaluations whatever the number of inputs, and a wrong entry of a gradient shows in
almost every direction. Only when a check fails is the worst single entry looked for, to be named.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl.arguments import is_number, is_whole, to_array
from minidl.derivatives import gradients
from minidl.errors import InputError
from minidl.ops import sum
from minidl.randomness import Seed, generator
from minidl.tensor import Tensor

STEP = 1e-5            # about the cube root of float64's precision: truncation and rounding errors balance


def gradcheck(f: Callable[..., Any], *inputs: Any, order: int = 2, directions: int = 3, tolerance: float = 1e-6,
              rng: Seed = 0) -> None:
    """Check the gradient of `f` by all its inputs against central differences; the second derivative too for order 2.

    `inputs` are arrays or Tensors of float; they are converted to float64. `f` takes them as Tensors and returns a
    Tensor of any shape, which is projected on a random direction. Hold other arguments fixed with a lambda.

    Raises AssertionError with both values and the worst entry if they differ by more than `tolerance` (relative to
    their size, or to that of the values of `f`, at most 1), and InputError at a kink, where there is no derivative to
    check, and for an order that is neither 1 nor 2.
    """
    rng = generator(rng, "gradcheck")
    if not (is_whole(order, 1) and order < 3 and is_whole(directions, 1) and is_number(tolerance) and tolerance > 0.0):
        raise InputError(f"gradcheck: order is 1 or 2, directions 1 or more, tolerance above 0, not {order!r:.60}, "
                         f"{directions!r:.60} and {tolerance!r:.60}")
    xs = [to_array(x.numpy() if isinstance(x, Tensor) else x).astype(np.float64) for x in inputs]
    y = _evaluate(f, xs)
    weights = rng.standard_normal(y.shape) / _size(y)

    def projected(*tensors: Tensor) -> Tensor:
        return sum(f(*tensors) * weights)

    name = getattr(f, "name", getattr(f, "__name__", "function"))
    _check(projected, xs, name, directions, tolerance, rng)
    if order == 2:
        _check_recorded(projected, xs, name)
        along = [rng.standard_normal(x.shape) for x in xs]

        def slope(*tensors: Tensor) -> Tensor:
            """The first derivative along a fixed direction, as a function to differentiate once more."""
            y = projected(*tensors)
            if not y.requires_grad:
                return sum(tensors[0] * 0.0)
            total = sum(tensors[0] * 0.0)            # the zero keeps inputs in the graph that y is linear in
            for g, d in zip(gradients(y, tensors, create_graph=True), along, strict=True):
                total = total + sum(g * d)
            return total

        _check(slope, xs, f"the gradient of {name}", directions, tolerance, rng)


def _size(y: Tensor) -> float:
    """How large the values are, at most 1: small ones are looked at as if they were about 1."""
    largest = float(np.abs(y.numpy()).max(initial=0.0))
    return largest if 1e-12 < largest < 1.0 else 1.0


def _check(f: Callable[..., Tensor], xs: Sequence[np.ndarray], name: str, directions: int, tolerance: float,
           rng: np.random.Generator) -> None:
    tensors = [Tensor(x.copy(), requires_grad=True) for x in xs]
    y = f(*tensors)
    if not y.requires_grad:
        raise AssertionError(f"{name}: the result does not depend on its inputs through any rule")
    found = [g.numpy() for g in gradients(y, tensors)]
    for g, x in zip(found, xs, strict=True):
        if g.dtype != x.dtype or g.shape != x.shape:
            raise AssertionError(f"{name}: the gradient is {g.dtype}{g.shape}, the input {x.dtype}{x.shape}")
    for _ in range(directions):
        along = [rng.standard_normal(x.shape) for x in xs]
        expected = np.sum([np.sum(g * d) for g, d in zip(found, along, strict=True)])
        measured = _difference(f, xs, along, name)
        if not abs(measured - expected) <= tolerance * max(1.0, abs(measured), abs(expected)):
            raise AssertionError(f"{name}: the rule gives {expected:.10g} along a random direction, finite differences "
                                 f"{measured:.10g}; {_worst_entry(f, xs, found, name)}")


def _check_recorded(f: Callable[..., Tensor], xs: Sequence[np.ndarray], name: str) -> None:
    """A rule may take another way on Tensors than on arrays: both must give the same gradient."""
    tensors = [Tensor(x.copy(), requires_grad=True) for x in xs]
    y = f(*tensors)
    for i, (a, b) in enumerate(zip(gradients(y, tensors), gradients(y, tensors, create_graph=True), strict=True)):
        if not np.allclose(a.numpy(), b.numpy(), rtol=1e-7, atol=1e-9):
            raise AssertionError(f"{name}: under create_graph the gradient by input {i} is another than without, by up "
                                 f"to {np.abs(a.numpy() - b.numpy()).max():.3g}")


def _evaluate(f: Callable[..., Any], xs: Sequence[np.ndarray]) -> Tensor:
    return f(*(Tensor(x, requires_grad=True) for x in xs))       # f may take gradients itself, as a penalty does


def _difference(f: Callable[..., Tensor], xs: Sequence[np.ndarray], along: Sequence[np.ndarray], name: str) -> float:
    """The derivative of f along a direction by central differences; InputError if there is a kink within a step."""

    def at(t: float) -> float:
        tensors = [Tensor(x + t * d, requires_grad=True) for x, d in zip(xs, along, strict=True)]
        return f(*tensors).item()

    middle = at(0.0)
    before, after = (middle - at(-STEP)) / STEP, (at(STEP) - middle) / STEP
    # Where f is smooth the one-sided slopes differ by about STEP times the curvature; at a kink by a constant.
    if abs(after - before) > 0.02 * max(1.0, abs(after), abs(before)):
        closer = (at(STEP / 8) - middle) / (STEP / 8) - (middle - at(-STEP / 8)) / (STEP / 8)
        if abs(closer) > 0.5 * abs(after - before):
            raise InputError(f"gradcheck: {name} has a kink at these inputs (slope {before:.6g} on one side, "
                             f"{after:.6g} on the other); move them away from it")
    return (before + after) / 2


def _worst_entry(f: Callable[..., Tensor], xs: Sequence[np.ndarray], found: Sequence[np.ndarray],
                 name: str) -> str:
    worst: tuple[float, str] = (-1.0, "")
    for i, x in enumerate(xs):
        for index in list(np.ndindex(x.shape))[:500]:
            along = [np.zeros_like(other) for other in xs]
            along[i][index] = 1.0
            measured = _difference(f, xs, along, name)
            error = abs(measured - found[i][index])
            if error > worst[0]:
                worst = (float(error), f"worst for input {i} at index {index}, value {x[index]:.6g}: rule "
                                f"{found[i][index]:.10g}, finite difference {measured:.10g}")
    return worst[1]
