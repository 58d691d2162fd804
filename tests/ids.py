"""The names of a parametrised test's cases: what stands in its file, where pytest would count `x0`, `<lambda>1`."""
import ast
import enum
import functools
import linecache
import re

import numpy as np

LONGEST = 60


def pytest_make_parametrize_id(val):
    """A short text for what pytest has none for; it asks for each value."""
    if not isinstance(val, str | int | float | complex | None | type | re.Pattern | enum.Enum) or (
            isinstance(val, str) and len(val) > LONGEST):
        shown = " ".join(_shown(val).split())
        return shown if len(shown) <= LONGEST else f"{shown[:LONGEST - 3]}..."
    return None                            # pytest's own


def _shown(val):
    if isinstance(val, str):
        return val
    if isinstance(val, list | tuple) and not hasattr(val, "_fields"):
        return f"({', '.join(map(_shown, val))})"
    if isinstance(val, dict):
        return ", ".join(f"{key}={_shown(value)}" for key, value in val.items())
    if isinstance(val, np.ndarray):
        return f"{val.dtype}{list(val.shape)}"
    if getattr(val, "__name__", "") == "<lambda>":
        return _source_of(val)
    shown = getattr(val, "__name__", None) or repr(val)
    return type(val).__name__ if " at 0x" in shown else shown


def _source_of(function):
    """A lambda's body as it is written: that of the lambda in its file whose body ends where its instructions do."""
    ends = [place[1::2] for place in function.__code__.co_positions() if place[3]]
    if not ends:
        return repr(function.__code__.co_consts[-1])         # Python 3.12 has no place for a body that is a constant
    body = _lambdas(function.__code__.co_filename).get(ends[-1])
    return ast.unparse(body) if body else function.__name__


@functools.cache
def _lambdas(file):
    """The bodies of a file's lambdas by where they end; of several that end together the outermost."""
    bodies = [node.body for node in ast.walk(ast.parse("".join(linecache.getlines(file))))
              if isinstance(node, ast.Lambda)]
    return {(body.end_lineno, body.end_col_offset): body for body in reversed(bodies)}
