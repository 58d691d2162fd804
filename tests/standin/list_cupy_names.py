"""Writes `cupy_names.json`: every name that CuPy has, with its arguments, as CuPy itself tells them.

    python tests/standin/list_cupy_names.py

It needs CuPy installed but no GPU: importing CuPy and looking at it touches no driver. The list is committed, so the
stand-in device knows CuPy's limits where CuPy is not installed. Run it again for a new CuPy and read the diff.
"""
from __future__ import annotations

import inspect
import json
import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

TARGET = Path(__file__).with_name("cupy_names.json")

# The operators among CuPy's double-underscore names; the rest of those names belongs to Python or to CuPy's inside.
OPERATORS = re.compile(r"__[ri]?(add|sub|mul|truediv|floordiv|mod|divmod|pow|matmul|and|or|xor|lshift|rshift)__|"
                       r"__(neg|pos|abs|invert|lt|le|gt|ge|eq|ne)__|"
                       r"__(len|iter|contains|getitem|setitem|bool|int|float|complex|index|format|round)__")


def list_names() -> dict[str, dict[str, str]]:
    """For each of CuPy's namespaces, its names and what they are: "(a, axis=None)", "ufunc 2 1", "type", "value"."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")          # CuPy warns that it finds no GPU
        import cupy
        import cupyx  # type: ignore[import-untyped]
        import numpy
    return {
        "versions": {"cupy": cupy.__version__, "numpy": numpy.__version__},
        "cupy": _names(cupy, cupy.ufunc),
        "cupy.linalg": _names(cupy.linalg, cupy.ufunc),
        "cupy.lib.stride_tricks": _names(cupy.lib.stride_tricks, cupy.ufunc),
        "cupy.random": _names(cupy.random, cupy.ufunc) | {"Generator": "type"},
        "cupyx": _names(cupyx, cupy.ufunc),
        "ndarray": _members(cupy.ndarray),
        "ndarray operators": {name: "operator" for name in sorted(dir(cupy.ndarray)) if OPERATORS.fullmatch(name)},
        "flags": _members(type(cupy._core.flags.Flags(0, 0, 0))),
        "ufunc": _members(cupy.ufunc),
        "Generator": _members(cupy.random.Generator),
    }


def _names(module: ModuleType, ufunc: Any) -> dict[str, str]:
    return {name: _describe(getattr(module, name), ufunc) for name in sorted(dir(module)) if _public(name)}


def _members(kind: type) -> dict[str, str]:
    """A class's methods with their arguments, and its properties."""
    found = {}
    for name in sorted(dir(kind)):
        if _public(name):
            member = getattr(kind, name)
            found[name] = _arguments_from_docstring(member) if callable(member) else "property"
    return found


def _public(name: str) -> bool:
    return not name.startswith("_") and name not in {"annotations", "np"}


def _describe(thing: Any, ufunc: Any) -> str:
    if isinstance(thing, ufunc):
        # CuPy's ufuncs take out, dtype and casting; `at` exists for those that have an atomic operation.
        scatter = " at" if thing._scatter_op else ""
        reduce = " reduce" if thing.name in {"cupy_add", "cupy_multiply"} else ""
        return f"ufunc {thing.nin} {thing.nout}{scatter}{reduce}"
    if isinstance(thing, ModuleType):
        return "module"
    if isinstance(thing, type):
        return "type"
    if not callable(thing):
        return "value"
    if type(thing).__name__ == "_GUFunc":         # matmul
        return _with_operands(inspect.signature(type(thing).__call__), thing._nin)
    try:
        return _text(_with_real_keywords(thing))
    except (ValueError, TypeError):
        return _arguments_from_docstring(thing)


def _with_real_keywords(function: Any) -> inspect.Signature:
    """The signature, with `**kwargs` replaced by the keywords that the function's source takes out of it."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
        pattern = rf"^[^#\n]*{parameters[-1].name}\.pop\(['\"](\w+)['\"]"
        keywords = sorted(set(re.findall(pattern, inspect.getsource(function), re.MULTILINE)))
        if keywords:
            parameters[-1:] = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=...)
                               for name in keywords]
    return signature.replace(parameters=parameters)


def _with_operands(call: inspect.Signature, nin: int) -> str:
    """The arguments of a class's `__call__(self, *args, ...)` that takes so many operands and no more."""
    operands = [inspect.Parameter(f"x{i + 1}", inspect.Parameter.POSITIONAL_ONLY) for i in range(nin)]
    return _text(call.replace(parameters=[*operands, *list(call.parameters.values())[2:]]))


def _text(signature: inspect.Signature) -> str:
    """The arguments as Python source; defaults that are no literals become `...`."""
    parameters = []
    for parameter in signature.parameters.values():
        default = parameter.default
        if default is not parameter.empty and not isinstance(default, str | int | bool | float | None):
            default = ...
        parameters.append(parameter.replace(annotation=parameter.empty, default=default))
    return str(inspect.Signature(parameters)).replace("Ellipsis", "...")


def _arguments_from_docstring(function: Any) -> str:
    """The arguments of a compiled function, which writes them into the first line of its docstring.

    "_ndarray_base.sort(self, int axis=-1, kind=None)" -> "(axis=-1, kind=None)"
    """
    first = (getattr(function, "__doc__", None) or "").split("\n")[0]
    match = re.match(r"[\w.]+\((.*?)\)( ->.*)?$", first)
    if not match:
        return "(*args, **kwargs)"
    arguments = []
    for argument in filter(None, match[1].split(", ")):
        name, equals, default = argument.partition("=")
        if default and not re.fullmatch(r"None|True|False|-?[\d.]+(e-?\d+)?|'\w*'", default):
            default = "..."
        arguments.append(name.split()[-1] + equals + default)       # without the C type
    return "(" + ", ".join(argument for argument in arguments if argument != "self") + ")"


if __name__ == "__main__":
    names = list_names()
    TARGET.write_text(json.dumps(names, indent=1) + "\n")
    print(f"wrote {TARGET.name}: {sum(map(len, names.values()))} names")
