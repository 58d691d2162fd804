"""What a test asserts of an answer; each failure is one sentence that says what came and what was expected."""
from __future__ import annotations

from typing import Any

import numpy as np


def check_array(answer: Any, expected: Any, *, rtol: float = 1e-6, atol: float = 1e-9, name: str = "the answer",
                dtype: Any = None) -> None:
    """Fail unless `answer` is an array (or number) like `expected`: type, shape, dtype, finite, then values.

    A dtype is only asked for where it is given; else any integers pass for integers, and for floats those that have
    as many digits as `expected` or more. Values must agree within atol + rtol |expected|; where `expected` is not
    finite the answer must be the same. The sentence says so where the answer is minus what was expected, a multiple of
    it or its transpose.
    """
    expected = np.asarray(expected)
    if isinstance(answer, bool | int | float) and expected.ndim == 0:
        answer = np.asarray(answer)
    if not isinstance(answer, np.ndarray):
        _fail(f"{name} is {_article(answer)}, {_kind(expected.shape)} was expected")
    if answer.shape != expected.shape:
        _fail((f"{name} has shape {answer.shape}, {expected.shape} was expected" if answer.shape and expected.shape else
               f"{name} is {_kind(answer.shape)}, {_kind(expected.shape)} was expected")
              + _diagnosis(answer, expected, rtol, atol))
    if dtype is not None and answer.dtype != np.dtype(dtype):
        _fail(f"{name} has dtype {answer.dtype}, {np.dtype(dtype)} was expected")
    kinds = {"f": "f", "i": "iu", "u": "iu", "b": "b"}
    if answer.dtype.kind not in kinds[expected.dtype.kind] and not (
            expected.dtype.kind == "f" and answer.dtype.kind in "iu" and expected.ndim == 0) or (
            dtype is None and answer.dtype.kind == "f" and answer.dtype.itemsize < expected.dtype.itemsize):
        _fail(f"{name} has dtype {answer.dtype}, {expected.dtype} was expected")
    if answer.dtype.kind == "f" and np.isnan(answer).any() and not np.isnan(expected).any():
        _fail(f"{name} holds NaN, first at {_place(np.isnan(answer))}" if answer.ndim else f"{name} is NaN")
    wrong = _wrong(answer, expected, rtol, atol)
    if wrong.any():
        where = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        share = f"{int(wrong.sum())} of {wrong.size} values differ, first at {_place(wrong)}: " if wrong.ndim else ""
        came, wanted = f"{answer[where]:.8g}", f"{expected[where]:.8g}"
        if came == wanted:                       # they differ further behind
            came, wanted = f"{answer[where]:.17g}", f"{expected[where]:.17g}"
        _fail(f"{name}: {share}{came} came, {wanted} was expected{_diagnosis(answer, expected, rtol, atol)}")


def check_shape(answer: Any, shape: tuple[int, ...], *, name: str = "the answer") -> None:
    """Fail unless `answer` is an array of finite floats of this shape, whatever they are."""
    check_array(answer, np.zeros(shape), atol=np.inf, name=name)
    if not np.isfinite(answer).all():
        _fail(f"{name} holds infinite values, first at {_place(np.isinf(answer))}")


def check_values(answer: Any, count: int, name: str, *, kind: type = tuple) -> list[Any]:
    """The values of an answer that is a tuple or a list of so many; fails with a sentence if it is neither.

    `kind` is what the sentence asks for.
    """
    if not isinstance(answer, tuple | list):
        _fail(f"{name} returned {_article(answer)}, a {kind.__name__} of {count} values was expected")
    if len(answer) != count:
        _fail(f"{name} returned {len(answer)} values, {count} were expected")
    return list(answer)


def check_kind(answer: Any, kind: type, name: str) -> None:
    """Fail unless what the function `name` returned is a dict, a list, or whatever `kind` is."""
    if not isinstance(answer, kind):
        _fail(f"{name} returned {_article(answer)}, a {kind.__name__} was expected")


def check(condition: Any, sentence: str) -> None:
    """Fail with the sentence unless the condition, which the test computed, holds."""
    if not condition:
        _fail(sentence)


def _wrong(answer: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Where two arrays of one shape differ."""
    if answer.dtype.kind in "biu":
        return np.asarray(answer != expected)
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(answer.astype(np.float64) - expected)
        near = np.isfinite(expected) & (distance <= atol + rtol * np.abs(expected.astype(np.float64)))
        return np.asarray(~(near | (answer == expected) | (np.isnan(answer) & np.isnan(expected))))


def _diagnosis(answer: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> str:
    """`; this is minus what was expected`, or what else a wrong answer is, if that can be told in a word."""
    def like(other: np.ndarray) -> bool:
        return other.shape == expected.shape and not _wrong(other, expected, rtol, atol).any()

    told = np.abs(expected) > atol                         # of a single number everything is a multiple
    if told.sum() < 2 or not np.isfinite(answer).all() or "b" in (answer.dtype.kind, expected.dtype.kind):
        return ""
    if answer.ndim == 2 and like(answer.T):
        return "; its transpose was expected"
    if answer.shape != expected.shape or answer.dtype.kind != "f" or expected.dtype.kind != "f":
        return ""
    with np.errstate(all="ignore"):
        factor = float(np.median(answer[told].astype(np.float64) / expected[told]))
        if not 1e-9 < abs(factor) < 1e9 or not like(answer / factor):
            return ""
    size, sign = abs(factor), "minus " * (factor < 0)
    if round(size, 4) == 1:
        return f"; this is {sign}what was expected" if sign else ""
    if size < 1 and round(1 / size, 3) == round(1 / size):
        return f"; this is {sign}1/{1 / size:.4g} of what was expected"
    return f"; this is {sign}{size:.4g} times what was expected"


def _place(wrong: np.ndarray) -> str:
    return str([int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape)])


def _article(value: Any) -> str:
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return "a number"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' or kind == 'ndarray' else 'a'} {kind}"


def _kind(shape: tuple[int, ...]) -> str:
    return f"an array of shape {shape}" if shape else "a number"


def _fail(sentence: str) -> None:
    __tracebackhide__ = True
    raise AssertionError(sentence)
