"""Products of matrices."""
from __future__ import annotations

from typing import Any

from minidl.backend import Array
from minidl.errors import InputError
from minidl.ops.shape import expand_dims, reshape, squeeze
from minidl.tensor import Tensor, broadcast_to, primitive


def _matmul_right_rule(g: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 2 and a.ndim > 2:                    # one product over all the rows, not one a batch and a sum
        return reshape(a, (-1, a.shape[-1])).T @ reshape(g, (-1, g.shape[-1]))
    return a.swapaxes(-1, -2) @ g


@primitive(lambda g, y, a, b: g @ b.swapaxes(-1, -2), _matmul_right_rule)
def _matmul(xp: Any, a: Any, b: Any) -> Array:
    return xp.matmul(a, b)


def matmul(a: Any, b: Any) -> Tensor:
    """a @ b as NumPy has it: (..., n, k) @ (..., k, m) -> (..., n, m); one-dimensional arguments are vectors.

    Raises InputError for inner sizes that differ, and for a number.
    """
    if not (getattr(a, "ndim", 0) and getattr(b, "ndim", 0)):
        raise InputError("matmul: both arguments need at least one axis; * multiplies by a number")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise InputError(f"matmul: {a.shape} @ {b.shape}: inner sizes {a.shape[-1]} and "
                         f"{b.shape[-2 if b.ndim > 1 else 0]} differ")
    if a.ndim > 1 and b.ndim > 1:
        return _matmul(a, b)
    y = _matmul(a if a.ndim > 1 else expand_dims(a, 0), b if b.ndim > 1 else expand_dims(b, 1))
    gone = ((-2,) if a.ndim == 1 else ()) + ((-1,) if b.ndim == 1 else ())
    return squeeze(y, gone)


def outer(a: Any, b: Any) -> Tensor:
    """All products of an element of a (n) with one of b (m): (n, m)."""
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


def _linear_input_rule(g: Any, y: Any, x: Any, W: Any, b: Any = None) -> Any:
    return g @ W.T


def _linear_weight_rule(g: Any, y: Any, x: Any, W: Any, b: Any = None) -> Any:
    if x.ndim > 2:
        x, g = reshape(x, (-1, x.shape[-1])), reshape(g, (-1, g.shape[-1]))
    return x.T @ g


@primitive(_linear_input_rule, _linear_weight_rule, lambda g, y, x, W, b: g)
def _linear(xp: Any, x: Any, W: Any, b: Any = None) -> Array:
    y = x @ W
    if b is not None:
        y += b
    return y


def linear(x: Any, W: Any, b: Any = None) -> Tensor:
    """x @ W + b in one step: x (..., in), W (in, out), b (out) or None -> (..., out).

    Raises InputError for shapes that do not fit, and for x of less than two axes.
    """
    if x.ndim < 2 or W.ndim != 2 or x.shape[-1] != W.shape[0]:
        raise InputError(f"linear: x of shape {x.shape} does not fit W of shape {W.shape}; x is (..., in) with two "
                         "axes or more, W (in, out)")
    if b is not None and b.shape != W.shape[1:]:
        raise InputError(f"linear: b of shape {b.shape} does not fit W of shape {W.shape}; b is (out)")
    return _linear(x, W, b)


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Einstein's summation: `einsum("bi,io->bo", x, W)`.

    Every index is a letter that occurs at most once in an operand; '...' is not supported. Raises InputError for other
    subscripts, and for operands that they do not fit.
    """
    spec = subscripts.replace(" ", "")
    inputs, _, output = spec.partition("->")
    terms = inputs.split(",")
    if "->" not in spec:                                   # NumPy's implicit form: what occurs once, in order
        output = "".join(sorted(c for c in set(inputs) - {","} if inputs.count(c) == 1))
    if not all(c.isalpha() for c in "".join(terms) + output) or any(len(set(t)) < len(t) for t in [*terms, output]):
        raise InputError(f"einsum: {subscripts!r}: each index is one letter, at most once in each operand")
    if len(terms) != len(operands):
        raise InputError(f"einsum: {subscripts!r} names {len(terms)} operands, {len(operands)} were given")
    for term, x in zip(terms, operands, strict=True):
        if len(term) != x.ndim:
            raise InputError(f"einsum: {term!r} names {len(term)} axes, the operand has shape {x.shape}")
    sizes: dict[str, int] = {}
    for letter, n in zip("".join(terms), (n for x in operands for n in x.shape), strict=True):
        if sizes.setdefault(letter, n) != n:
            raise InputError(f"einsum: {subscripts!r}: {letter} stands for {sizes[letter]} and for {n}")
    return _einsum(*operands, terms=tuple(terms), output=output)


def _einsum_rule(g: Any, y: Any, wanted: list[int], *operands: Any, terms: tuple[str, ...], output: str) -> list[Any]:
    gradients: list[Any] = [None] * len(operands)
    for i in wanted:
        others = [(t, x) for j, (t, x) in enumerate(zip(terms, operands, strict=True)) if j != i]
        known = set(output).union(*(t for t, _ in others))
        reached = "".join(c for c in terms[i] if c in known)
        ga = _einsum(g, *(x for _, x in others), terms=(output, *(t for t, _ in others)), output=reached)
        if reached != terms[i]:                            # an index summed in this operand alone: spread over it
            shape = operands[i].shape
            ga = reshape(ga, tuple(n if c in known else 1 for c, n in zip(terms[i], shape, strict=True)))
            ga = broadcast_to(ga, shape)
        gradients[i] = ga
    return gradients


@primitive(joint=_einsum_rule)
def _einsum(xp: Any, *operands: Any, terms: tuple[str, ...], output: str) -> Array:
    # optimize: products of two operands become matrix products
    return xp.einsum(",".join(terms) + "->" + output, *operands, optimize=True)
