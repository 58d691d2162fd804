"""Products of matrices."""
from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.backend import Array
from minidl.errors import InputError
from minidl.ops.matrices import diagonal
from minidl.ops.operands import operand
from minidl.ops.shape import axes_of, expand_dims, reshape, squeeze, transpose
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
    a, b = operand(a), operand(b)
    if not (a.ndim and b.ndim):
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
    return reshape(operand(a), (-1, 1)) * reshape(operand(b), (1, -1))


def _as_rows(x: Any) -> Any:
    """(..., n) -> (rows, n): NumPy multiplies a stack of matrices one by one, which takes up to twice as long."""
    return x if x.ndim == 2 else reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _linear_input_rule(g: Any, y: Any, x: Any, W: Any, b: Any = None) -> Any:
    return reshape(_as_rows(g) @ W.T, x.shape)


@primitive(_linear_input_rule, lambda g, y, x, W, b=None: _as_rows(x).T @ _as_rows(g), lambda g, y, x, W, b: g)
def _linear(xp: Any, x: Any, W: Any, b: Any = None) -> Array:
    y = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) @ W
    if b is not None:
        y += b
    return y.reshape(*x.shape[:-1], W.shape[1])


def linear(x: Any, W: Any, b: Any = None) -> Tensor:
    """x @ W + b in one step: x (..., in), W (in, out), b (out) or None -> (..., out).

    Raises InputError for shapes that do not fit, and for x of less than two axes.
    """
    x, W, b = operand(x), operand(W), b if b is None else operand(b)
    if x.ndim < 2 or W.ndim != 2 or x.shape[-1] != W.shape[0]:
        raise InputError(f"linear: x of shape {x.shape} does not fit W of shape {W.shape}; x is (..., in) with two "
                         "axes or more, W (in, out)")
    if b is not None and b.shape != W.shape[1:]:
        raise InputError(f"linear: b of shape {b.shape} does not fit W of shape {W.shape}; b is (out)")
    return _linear(x, W, b)


def dot(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axis of a and the last but one of b; a product with a number, or 0-d array."""
    a, b = operand(a), operand(b)
    if not (a.ndim and b.ndim):
        return a * b
    return matmul(a, b) if a.ndim <= 2 and b.ndim <= 2 else tensordot(a, b, (-1, -2 if b.ndim > 1 else -1))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The sum of products over the last `axes` axes of a and the first of b, or over pairs: (axes of a, axes of b).

    What is left of a comes before what is left of b. Raises InputError for axes that do not fit.
    """
    a, b = operand(a), operand(b)
    if isinstance(axes, int | np.integer):
        axes = tuple(range(-axes, 0)), tuple(range(axes))
    if not isinstance(axes, tuple | list | np.ndarray) or len(axes) != 2:
        raise InputError(f"tensordot: axes is a number, or a pair of axes or of lists of axes, not {axes!r:.60}")
    summed_a, summed_b = (axes_of(part, x.ndim) for part, x in zip(axes, (a, b), strict=True))
    sizes = [tuple(x.shape[i] for i in summed) for x, summed in ((a, summed_a), (b, summed_b))]
    if sizes[0] != sizes[1] or len({*summed_a}) < len(summed_a) or len({*summed_b}) < len(summed_b):
        raise InputError(f"tensordot: a of shape {a.shape} over its axes {summed_a} does not fit b of shape {b.shape} "
                         f"over {summed_b}: sizes {sizes[0]} and {sizes[1]}; each axis is named once")
    kept_a, kept_b = ([i for i in range(x.ndim) if i not in summed] for x, summed in ((a, summed_a), (b, summed_b)))
    inner = math.prod(sizes[0])
    left = reshape(transpose(a, (*kept_a, *summed_a)), (math.prod(a.shape[i] for i in kept_a), inner))
    right = reshape(transpose(b, (*summed_b, *kept_b)), (inner, math.prod(b.shape[i] for i in kept_b)))
    return reshape(matmul(left, right), (*(a.shape[i] for i in kept_a), *(b.shape[i] for i in kept_b)))


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Einstein's summation: `einsum("bi,io->bo", x, W)`.

    A letter that occurs twice in an operand takes its diagonal; '...' stands for further axes, which broadcast. Without
    an '->' there remain '...' and the letters that occur once, in the alphabet's order. Raises InputError for
    subscripts that are none, and for operands that do not fit them.
    """
    if not isinstance(subscripts, str):
        raise InputError(f"einsum: the subscripts come first, as in einsum('ij,jk->ik', a, b), not {subscripts!r:.60}")
    operands = tuple(map(operand, operands))
    terms, output, further = _terms(subscripts, operands)
    sizes: dict[str, int] = {}
    for letter, n in zip("".join(terms), (n for x in operands for n in x.shape), strict=True):
        size = sizes.setdefault(letter, n)
        if letter in further and 1 in (n, size):
            sizes[letter] = n if size == 1 else size
        elif n != size:
            raise InputError(f"einsum: {subscripts!r}: {letter if letter not in further else '...'} stands for {size} "
                             f"and for {n}")
    arrays = []
    for i, (term, x) in enumerate(zip(terms, operands, strict=True)):
        kept = [j for j, c in enumerate(term) if x.shape[j] == sizes[c]]        # what is left out broadcasts
        if len(kept) < len(term):
            term, x = "".join(term[j] for j in kept), reshape(x, tuple(x.shape[j] for j in kept))
        while len(set(term)) < len(term):
            letter = next(c for c in term if term.count(c) > 1)
            first, second = term.index(letter), term.index(letter, term.index(letter) + 1)
            term, x = term[:first] + term[first + 1:second] + term[second + 1:] + letter, diagonal(x, 0, first, second)
        terms[i] = term
        arrays.append(x)
    return _einsum(*arrays, terms=tuple(terms), output=output)


def _terms(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str, str]:
    """A letter for each axis of each operand, those of the result, and those that stand for '...'."""
    spec = subscripts.replace(" ", "")
    inputs, arrow, output = spec.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise InputError(f"einsum: {subscripts!r} names {len(terms)} operands, {len(operands)} were given")
    if not arrow:                                          # NumPy's implicit form: what occurs once, in order
        output = "..." * ("..." in inputs) + "".join(sorted(c for c in {*inputs} - {*",."} if inputs.count(c) == 1))
    letters = [term.replace("...", "", 1) for term in (*terms, output)]
    result = letters.pop()
    if not all(c.isalpha() for c in "".join(letters) + result) or len({*result}) < len(result) or not {
            *result} <= {*inputs} or "..." in output and "..." not in inputs:
        raise InputError(f"einsum: {subscripts!r}: each index is one letter, and those of the result occur in an "
                         "operand, and once in the result; '...' is for further axes")
    counts = []
    for term, named, x in zip(terms, letters, operands, strict=True):
        counts.append(x.ndim - len(named))
        if counts[-1] < 0 or counts[-1] and named == term:
            raise InputError(f"einsum: {term!r} names {len(named)} axes, the operand has shape {x.shape}")
    further = "".join([c for c in string.ascii_letters if c not in spec][:max(counts)])
    if further and "..." not in output:
        raise InputError(f"einsum: {subscripts!r}: the result needs the axes of '...' as well")
    given = [term.replace("...", further[len(further) - n:]) for term, n in zip(terms, counts, strict=True)]
    return given, output.replace("...", further), further


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
