"""What CONTRIBUTING promises of every public docstring: that it is there, and names errors and shapes.

A file is read twice: as source, for what a function raises and takes, and imported, for what `help` shows of it, which
a method may have from the class that it overrides.
"""
from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

MINIDL = Path(__file__).parents[1] / "minidl"
FILES = sorted(path.relative_to(MINIDL).as_posix() for path in MINIDL.rglob("*.py")
               if not path.name.startswith("__") and path.name != "lectures.py" and "grading" not in path.parts)
Function = ast.FunctionDef | ast.AsyncFunctionDef

# A method that subclasses write, Python's protocols, and what is raised only to be caught and told as an InputError.
UNTOLD = {"NotImplementedError", "AttributeError", "ValueError"}
# A dozen functions that differ in what they read, not in their errors: the file's docstring has these once.
TOLD_AT_THE_TOP = {"data/readers.py"}
# Parameters that are arrays whatever their annotation says, which often is Any: a Tensor does as well.
ARRAYS = {"x", "images", "code", "codes", "logits", "targets", "prediction", "target", "queries", "database",
          "activations", "filters"}
SHAPE = re.compile(r"\((\.\.\.|[A-Za-z0-9*][\w' .*/+-]*(,|\)\s*->))|\b[Ss]hapes?\b|\belement")


class Public(NamedTuple):
    """A public function, class or method: its source, its own (or inherited) docstring, and its class's beside it."""

    name: str
    node: Function | ast.ClassDef
    own: str
    text: str


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((MINIDL / file).read_text(encoding="utf-8"))


def module(file: str) -> Any:
    return importlib.import_module(f"minidl.{file.removesuffix('.py').replace('/', '.')}")


def public(file: str) -> Iterator[Public]:
    """What the file defines under a name without a `_`."""
    for node in tree(file).body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            value = getattr(module(file), node.name)
            if isinstance(node, Function):
                yield Public(node.name, node, value.__doc__ or "", value.__doc__ or "")
                continue
            classes = [cls for cls in value.__mro__ if cls.__module__.startswith("minidl")]
            about = "\n".join(cls.__doc__ or "" for cls in classes)
            yield Public(node.name, node, value.__doc__ or "", about)
            for method in node.body:
                if isinstance(method, Function) and not method.name.startswith("_"):
                    own = "\n".join(vars(cls)[method.name].__doc__ or "" for cls in classes if method.name in vars(cls))
                    yield Public(f"{node.name}.{method.name}", method, own.strip(), f"{own}\n{about}")


def parameters(node: Function | ast.ClassDef) -> list[ast.arg]:
    """Those of a function; of a class, those of its `__init__`."""
    if isinstance(node, ast.ClassDef):
        made = [m for m in node.body if isinstance(m, Function) and m.name == "__init__"]
        return parameters(made[0]) if made else []
    return [a for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]


def is_array(parameter: ast.arg) -> bool:
    kind = ast.unparse(parameter.annotation) if parameter.annotation else "Any"
    return kind in ("Array", "np.ndarray") or kind in ("Any", "Tensor") and parameter.arg in ARRAYS


def called(node: ast.AST) -> set[str]:
    """The functions and methods that the code calls, by their bare names."""
    return {getattr(call.func, "attr", getattr(call.func, "id", "")) for call in ast.walk(node)
            if isinstance(call, ast.Call)}


def raised(node: ast.AST) -> set[str]:
    """The errors that the code raises by name."""
    names = set()
    for statement in ast.walk(node):
        if isinstance(statement, ast.Raise) and isinstance(statement.exc, ast.Call):
            names.add(getattr(statement.exc.func, "id", ""))
    return {name for name in names if name.endswith("Error")} - UNTOLD


def errors(file: str, node: Function | ast.ClassDef) -> set[str]:
    """The errors that a function raises itself or in private functions of its file; of a class, its `__init__`.

    What is named `check_...` is there to raise an InputError, in whichever file it is.
    """
    helpers: dict[str, list[Function]] = {}
    for known in ast.walk(tree(file)):
        if isinstance(known, Function) and known.name.startswith("_") and not known.name.startswith("__"):
            helpers.setdefault(known.name, []).append(known)
    todo: list[ast.AST] = [m for m in node.body if isinstance(m, Function) and m.name in ("__init__", "forward")] \
        if isinstance(node, ast.ClassDef) else [node]
    found, seen = set(), set()
    while todo:
        code = todo.pop()
        found |= raised(code)
        for name in called(code) - seen:
            seen.add(name)
            todo += helpers.get(name, [])
            found |= {"InputError"} if name.startswith("check_") else set()
    return found


@pytest.mark.parametrize("file", FILES)
def test_what_is_public_has_a_docstring(file):
    assert [item.name for item in public(file) if not item.own] == []


@pytest.mark.parametrize("file", [file for file in FILES if file not in TOLD_AT_THE_TOP])
def test_a_docstring_names_the_errors_that_are_raised(file):
    silent = [f"{item.name}: {error}" for item in public(file) for error in sorted(errors(file, item.node))
              if not (re.search(r"[Rr]aise", item.text) and error in item.text or "rrors are those of" in item.text)]
    assert silent == []


@pytest.mark.parametrize("file", FILES)
def test_a_docstring_of_what_takes_arrays_tells_their_shapes(file):
    silent = [item.name for item in public(file) if any(map(is_array, parameters(item.node)))
              and not SHAPE.search(item.text)]
    assert silent == []
