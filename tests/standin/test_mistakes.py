"""Tables of mistakes, which would break or mislead on a real GPU and must all raise, and of idioms that must pass."""
from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.standin.device import Generator, StandIn, UndefinedOnGpu, xp

HOST = np.ones((2, 3), dtype=np.float32)


def _x() -> Any:
    """A fresh device array of shape (2, 3)."""
    return xp.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))


def _labels(*values: int) -> Any:
    return xp.asarray(np.array(values))


def assign(x: Any, key: Any, value: Any) -> None:
    x[key] = value


def in_place(x: Any, y: Any) -> None:
    x += y


Row = tuple[type[Exception], Callable[[Any], Any]]

# NumPy's functions. CuPy answers for some of them, others fail; minidl calls xp's, always.
NUMPY_CALLS: dict[str, Row] = {
    "a NumPy elementwise function": (TypeError, lambda x: np.exp(x)),
    "a NumPy reduction": (TypeError, lambda x: np.sum(x)),
    "a NumPy function of several arrays": (TypeError, lambda x: np.concatenate([x, x])),
    "np.zeros_like": (TypeError, lambda x: np.zeros_like(x)),
    "np.linalg": (TypeError, lambda x: np.linalg.norm(x)),
}

# What CuPy refuses.
REFUSED: dict[str, Row] = {
    "np.asarray of a device array": (TypeError, lambda x: np.asarray(x)),
    "np.array of a list of device arrays": (TypeError, lambda x: np.array([x, x])),
    "host array + device array": (TypeError, lambda x: HOST + x),
    "device array + host array": (TypeError, lambda x: x + HOST),
    "device array @ host array": (TypeError, lambda x: x @ HOST.T),
    "host array @ device array": (TypeError, lambda x: HOST.T @ x),
    "host array == device array": (TypeError, lambda x: HOST == x),
    "host array without axes": (TypeError, lambda x: x * np.array(2.0, dtype=np.float32)),
    "device array += host array": (TypeError, lambda x: in_place(x, HOST)),
    "host array += device array": (TypeError, lambda x: in_place(HOST.copy(), x)),
    "out= is a host array": (TypeError, lambda x: xp.exp(x, out=np.empty_like(HOST))),
    "a host array in a call": (TypeError, lambda x: xp.maximum(x, HOST)),
    "a host array among others": (TypeError, lambda x: xp.concatenate([x, HOST])),
    "a host array assigned": (TypeError, lambda x: assign(x, 0, HOST[0])),
    "a list assigned": (TypeError, lambda x: assign(x, 0, [1.0, 2.0, 3.0])),
    "a list in an elementwise function": (TypeError, lambda x: xp.maximum(x, [1.0, 2.0, 3.0])),
    "a list reduced": (TypeError, lambda x: xp.sum([1.0, 2.0])),
    "a list as operand": (TypeError, lambda x: x + [1.0, 2.0, 3.0]),
    "a text as operand": (TypeError, lambda x: x + "1"),
    "None compared": (TypeError, lambda x: x == None),  # noqa: E711
    "membership": (TypeError, lambda x: 3.0 in x),
    "hashing": (TypeError, lambda x: {x}),
    "an element as a shape": (TypeError, lambda x: xp.zeros(_labels(3)[0])),
    "an element in a shape": (TypeError, lambda x: x.reshape((_labels(3)[0], 2))),
    "an element as an axis": (TypeError, lambda x: x.sum(axis=_labels(1)[0])),
    "an element as a slice's end": (TypeError, lambda x: x[:_labels(1)[0]]),
    "an element as a list's index": (TypeError, lambda x: [1, 2, 3][_labels(1)[0]]),
    "an element as a range": (TypeError, lambda x: range(_labels(3)[0])),
    "arange up to an element": (TypeError, lambda x: xp.arange(_labels(3)[0])),
    "where= of a reduction": (TypeError, lambda x: x.sum(where=x > 1)),
    "where= of an elementwise function": (TypeError, lambda x: xp.log(x, where=x > 0)),
    "initial= of max": (TypeError, lambda x: xp.max(x, initial=0.0)),
    "correction= of var": (TypeError, lambda x: x.var(correction=1)),
    "mode= of take": (TypeError, lambda x: xp.take(x, _labels(0), mode="clip")),
    "out= of einsum": (TypeError, lambda x: xp.einsum("ij->i", x, out=xp.zeros(2))),
    "three arguments of matmul": (TypeError, lambda x: xp.matmul(x, x.T, xp.zeros((2, 2)))),
    "writeable= of as_strided": (TypeError, lambda x: xp.lib.stride_tricks.as_strided(x, (2,), (4,), writeable=False)),
    "argmax's out where CuPy has dtype": (TypeError, lambda x: xp.argmax(x, 1, xp.zeros(2, dtype=int))),
    "clip without limits": (TypeError, lambda x: xp.clip(x, min=0)),
    "a function that CuPy lacks": (AttributeError, lambda x: xp.insert(x, 0, 1.0)),
    "errstate": (AttributeError, lambda x: xp.errstate(divide="ignore")),
    "float128": (AttributeError, lambda x: xp.longdouble),
    "a method that CuPy lacks": (AttributeError, lambda x: x.setflags(write=False)),
    "flags.writeable": (AttributeError, lambda x: x.flags.writeable),
    "ctypes": (AttributeError, lambda x: x.ctypes),
    "rng.normal": (AttributeError, lambda x: Generator(0).normal(size=3)),
    "rng.permutation": (AttributeError, lambda x: Generator(0).permutation(3)),
    "rng.choice": (AttributeError, lambda x: Generator(0).choice(3)),
    "a generator's state": (AttributeError, lambda x: Generator(0).bit_generator),
    "a generator's mean and deviation": (TypeError, lambda x: Generator(0).standard_normal(3, loc=1.0)),
    "a generator seeded by another": (TypeError, lambda x: xp.random.default_rng(np.random.default_rng(0))),
    "dtype object": (ValueError, lambda x: xp.zeros(3, dtype=object)),
    "an array of texts": (ValueError, lambda x: xp.asarray(["a", "b"])),
    "astype to text": (ValueError, lambda x: x.astype(str)),
    "a ragged list": (ValueError, lambda x: xp.array([[1.0], [1.0, 2.0]])),
    "maximum.reduce": (NotImplementedError, lambda x: xp.maximum.reduce(x)),
    "multiply.at": (NotImplementedError, lambda x: xp.multiply.at(x, _labels(0), 2.0)),
    "sorting a transposed array in place": (NotImplementedError, lambda x: x.T.sort()),
    "integers added into an array of floats": (TypeError, lambda x: in_place(_labels(1, 2), 0.5)),
    "scatter-add to bytes": (TypeError, lambda x: xp.add.at(xp.zeros(3, dtype="int8"), _labels(0, 0), 1)),
    "rounding by round()": (TypeError, lambda x: round(x[0, 0])),
    "a float index array": (IndexError, lambda x: x[x]),
    "a plain index out of range": (IndexError, lambda x: x[2]),
    "shapes that do not broadcast": (ValueError, lambda x: x + xp.zeros(2)),
}

# What CuPy lets pass: a wrong result, an undefined one, or a hidden copy at each use.
MISLEADING: dict[str, Row] = {
    "an index array out of range": (UndefinedOnGpu, lambda x: x[_labels(0, 2)]),
    "a negative index array out of range": (UndefinedOnGpu, lambda x: x[_labels(0, -3)]),
    "a label out of range in a pair of index arrays": (UndefinedOnGpu, lambda x: x[_labels(0, 1), _labels(0, 3)]),
    "take out of range": (UndefinedOnGpu, lambda x: xp.take(x, _labels(6))),
    "the method take out of range": (UndefinedOnGpu, lambda x: x.take(_labels(2), axis=0)),
    "take_along_axis out of range": (UndefinedOnGpu, lambda x: xp.take_along_axis(x, _labels(0, 3)[:, None], 1)),
    "assignment out of range": (UndefinedOnGpu, lambda x: assign(x, _labels(2), 0.0)),
    "scatter-add out of range": (UndefinedOnGpu, lambda x: StandIn().scatter_add(x, _labels(2), 1.0)),
    "assignment to an index twice": (UndefinedOnGpu, lambda x: assign(x, _labels(0, 0), x)),
    "assignment to one element by two names": (UndefinedOnGpu, lambda x: assign(x, _labels(1, -1), x)),
    "assignment to a pair of indices twice":
        (UndefinedOnGpu, lambda x: assign(x, (_labels(0, 0), _labels(1, 1)), _x()[0, :2])),
    "a sum by fancy +=": (UndefinedOnGpu, lambda x: in_place_at(x, _labels(0, 1, 0), xp.ones((3, 3), dtype="float32"))),
    "overlapping assignment": (UndefinedOnGpu, lambda x: assign(x.reshape(-1), slice(1, None), x.reshape(-1)[:-1])),
    "a singular matrix": (UndefinedOnGpu, lambda x: xp.linalg.solve(xp.zeros((2, 2)), xp.ones(2))),
    "a matrix that is not positive definite": (UndefinedOnGpu, lambda x: xp.linalg.cholesky(-xp.eye(2))),
    "a host array as index": (TypeError, lambda x: x[np.array([0, 1])]),
    "a host mask as index": (TypeError, lambda x: x[HOST > 0]),
    "a host array among the indices": (TypeError, lambda x: x[:, np.array([0, 1])]),
    "host indices for take": (TypeError, lambda x: xp.take(x, np.array([0]), axis=0)),
    "the factors of eigh by name": (AttributeError, lambda x: xp.linalg.eigh(xp.eye(2)).eigenvalues),
}


def in_place_at(x: Any, key: Any, value: Any) -> None:
    x[key] += value


# Correct code, as minidl writes it.
IDIOMS: dict[str, Callable[[Any], Any]] = {
    "arithmetic with numbers": lambda x: 1.0 - (2 * x + 1) / 3 ** x,
    "NumPy's scalars on either side": lambda x: np.float32(2) * x + np.float32(1),
    "in place": lambda x: in_place(x, x.sum(axis=1, keepdims=True)),
    "out=": lambda x: xp.tanh(x, out=x),
    "out= of a product": lambda x: xp.matmul(x, x.T, out=xp.empty((2, 2), dtype="float32")),
    "maximum with a number": lambda x: xp.maximum(0, x),
    "where with numbers": lambda x: xp.where(x > 0, x, 0.0),
    "where by a mask, without waiting": lambda x: xp.where(x > 1, 1.0, 0.0).astype(x.dtype),
    "clip on one side": lambda x: xp.clip(x, None, 1.0),
    "einsum": lambda x: xp.einsum("ij,kj->ik", x, x, optimize=True),
    "a method's keywords": lambda x: x.var(axis=(0, 1), ddof=1, keepdims=True),
    "reshaping": lambda x: x.reshape(-1).reshape((3, 2)).T.swapaxes(0, 1)[None, ..., ::-1],
    "a shape from a shape": lambda x: xp.zeros((x.shape[0], *x.shape), dtype=x.dtype),
    "a label's column": lambda x: x[xp.arange(2), _labels(2, 0)],
    "negative indices in range": lambda x: x[_labels(-1, -2)],
    "assignment to different indices": lambda x: assign(x, _labels(1, 0), x * 2),
    "one number to an index twice": lambda x: assign(x, _labels(0, 0), 1.0),
    "one row to an index twice": lambda x: assign(x, _labels(0, 0), x[0] * 2),
    "assignment by a mask": lambda x: assign(x, x > 2, 0.0),
    "assignment of a copied part": lambda x: assign(x.reshape(-1), slice(1, None), x.reshape(-1)[:-1].copy()),
    "assignment of a part that lies apart": lambda x: assign(x, 0, x[1]),
    "scatter-add to an index twice": lambda x: StandIn().scatter_add(x, _labels(0, 0), x),
    "add.at with a number": lambda x: xp.add.at(x, (_labels(0, 0), _labels(1, 1)), 1.0),
    "add.reduce": lambda x: xp.add.reduce(x, axis=1),
    "stacking": lambda x: xp.stack([x, xp.ones_like(x)], axis=-1),
    "concatenating parts": lambda x: xp.concatenate(xp.split(x, 3, axis=1), axis=0),
    "padding": lambda x: xp.pad(x, ((1, 1), (0, 0)), mode="constant"),
    "windows": lambda x: xp.lib.stride_tricks.sliding_window_view(x, (2, 2)),
    "strided rows": lambda x: xp.lib.stride_tricks.as_strided(x, shape=(2, 2), strides=(12, 4)),
    "a copy in order": lambda x: xp.array(x.T, order="C"),
    "a contiguous copy": lambda x: xp.ascontiguousarray(x.T),
    "singular values": lambda x: xp.linalg.svd(x, full_matrices=False),
    "eigenvectors": lambda x: xp.linalg.eigh(x @ x.T),
    "sorting": lambda x: x.sort(axis=1),
    "ranking": lambda x: xp.argsort(x, axis=1)[:, ::-1],
    "a draw of the right dtype": lambda x: Generator(0).random(x.shape, dtype=x.dtype),
    "drawn integers": lambda x: Generator(0).integers(0, 3, size=(2,)),
    "lists where CuPy takes them": lambda x: xp.repeat(x, [1, 2], axis=0) + xp.take(x, [0, 1, 1], axis=0),
    "a list moved to the device": lambda x: x + xp.asarray([1.0, 2.0, 3.0], dtype=x.dtype),
    "host values moved to the device": lambda x: x + xp.asarray(HOST),
    "an element read on purpose": lambda x: math.sqrt(float(x.sum())),
    "Python's sum": lambda x: sum([x, x]),
    "looping over rows": lambda x: [row * 2 for row in x],
    "deep copies": lambda x: copy.deepcopy(x),
    "facts": lambda x: (len(x), x.size, x.ndim, x.nbytes, x.strides, x.flags.c_contiguous, xp.result_type(x, 1.0)),
}


@pytest.mark.parametrize("mistake", NUMPY_CALLS)
def test_numpys_functions_are_refused(mistake: str) -> None:
    error, function = NUMPY_CALLS[mistake]
    with pytest.raises(error):
        function(_x())


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_cupy_refuses_is_refused(mistake: str) -> None:
    error, function = REFUSED[mistake]
    with pytest.raises(error):
        function(_x())


@pytest.mark.parametrize("mistake", MISLEADING)
def test_what_cupy_lets_pass_wrongly_is_refused(mistake: str) -> None:
    error, function = MISLEADING[mistake]
    with pytest.raises(error):
        function(_x())


@pytest.mark.parametrize("idiom", IDIOMS)
def test_correct_code_passes(idiom: str) -> None:
    result = IDIOMS[idiom](_x())
    assert not isinstance(result, np.ndarray | np.generic)


def test_undefined_results_are_no_errors_that_code_under_test_might_catch() -> None:
    assert not issubclass(UndefinedOnGpu, TypeError | ValueError | LookupError | AttributeError)


def test_a_refusal_says_what_to_do_instead() -> None:
    x = _x()
    with pytest.raises(UndefinedOnGpu, match="scatter_add"):
        x[_labels(0, 0)] = x
    with pytest.raises(TypeError, match=r"xp\.asarray"):
        xp.maximum(x, HOST)
    with pytest.raises(TypeError, match=r"xp\.sum"):
        np.sum(x)
    with pytest.raises(UndefinedOnGpu, match="check it on the host"):
        x[_labels(5)]
    with pytest.raises(TypeError, match=r"sum\(axis=None, dtype=None, out=None, keepdims=False\)"):
        x.sum(initial=0)
