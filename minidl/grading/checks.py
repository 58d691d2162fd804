"""What a test asserts of an answer; each failure is one sentence that says what came and what was expected."""
from __future__ import annotations

from typing import Any

import numpy as np


def check_array(answer: Any, expected: Any, *, rtol: float = 1e-6, atol: float = 1e-9, name: str = "the answer",
                dtype: Any = None) -> None:
    """Fail unless `answer` is an array (or number) like `expected`: type, shape, dtype, finite, then values.

    A dtype is only asked for where it is given; else any floats pass for floats and any integers for integers.
    Values must agree within atol + rtol |expected|; where `expected` is not finite the answer must be the same.
    """
    expected = np.asarray(expected)
    if isinstance(answer, bool | int | float) and expected.ndim == 0:
        answer = np.asarray(answer)
    if not isinstance(answer, np.ndarray):
        _fail(f"{name} is {_article(answer)}, {_kind(expected.shape)} was expected")
    if answer.shape != expected.shape:
        _fail(f"{name} has shape {answer.shape}, {expected.shape} was expected" if answer.shape and expected.shape else
              f"{name} is {_kind(answer.shape)}, {_kind(expected.shape)} was expected")
    if dtype is not None and answer.dtype != np.dtype(dtype):
        _fail(f"{name} has dtype {answer.dtype}, {np.dtype(dtype)} was expected")
    kinds = {"f": "f", "i": "iu", "u": "iu", "b": "b"}
    if answer.dtype.kind not in kinds[expected.dtype.kind] and not (
            expected.dtype.kind == "f" and answer.dtype.kind in "iu" and expected.ndim == 0):
        _fail(f"{name} has dtype {answer.dtype}, {expected.dtype} was expected")
    if answer.dtype.kind in "biu":
        wrong = answer != expected
    else:
        if np.isnan(answer).any() and not np.isnan(expected).any():
            _fail(f"{name} holds NaN, first at {_place(np.isnan(answer))}" if answer.ndim else f"{name} is NaN")
        with np.errstate(invalid="ignore", over="ignore"):
            distance = np.abs(answer.astype(np.float64) - expected)
            near = np.isfinite(expected) & (distance <= atol + rtol * np.abs(expected.astype(np.float64)))
            wrong = ~(near | (answer == expected) | (np.isnan(answer) & np.isnan(expected)))
    if wrong.any():
        where = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        share = f"{int(wrong.sum())} of {wrong.size} values differ, first at {_place(wrong)}: " if wrong.ndim else ""
        came, wanted = f"{answer[where]:.8g}", f"{expected[where]:.8g}"
        if came == wanted:                       # they differ further behind
            came, wanted = f"{answer[where]:.17g}", f"{expected[where]:.17g}"
        _fail(f"{name}: {share}{came} came, {wanted} was expected")


def check_shape(answer: Any, shape: tuple[int, ...], *, name: str = "the answer") -> None:
    """Fail unless `answer` is an array of finite floats of this shape, whatever they are."""
    check_array(answer, np.zeros(shape), atol=np.inf, name=name)
    if not np.isfinite(answer).all():
        _fail(f"{name} holds infinite values, first at {_place(np.isinf(answer))}")


def check_values(answer: Any, count: int, name: str) -> list[Any]:
    """The values of an answer that is a tuple (or list) of so many; fails with a sentence if it is none."""
    if not isinstance(answer, tuple | list):
        _fail(f"{name} returned {_article(answer)}, a tuple of {count} values was expected")
    if len(answer) != count:
        _fail(f"{name} returned {len(answer)} values, {count} were expected")
    return list(answer)


def check(condition: Any, sentence: str) -> None:
    """Fail with the sentence unless the condition, which the test computed, holds."""
    if not condition:
        _fail(sentence)


def _place(wrong: np.ndarray) -> str:
    return str([int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape)])


def _article(value: Any) -> str:
    if value is None:
        return "None (is a `return` missing?)"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' or kind == 'ndarray' else 'a'} {kind}"


def _kind(shape: tuple[int, ...]) -> str:
    return f"an array of shape {shape}" if shape else "a number"


def _fail(sentence: str) -> None:
    __tracebackhide__ = True
    raise AssertionError(sentence)
