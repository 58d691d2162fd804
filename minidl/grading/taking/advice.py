"""What tests may not show of a student's files, in sentences: unwritten, mislaid, or not there when it is graded."""
from __future__ import annotations

import ast
import functools
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from minidl.grading.isolation.stage import ENGINE
from minidl.grading.manifest import ANSWERS, Manifest

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def remarks(manifest: Manifest, task: str | None = None) -> Iterator[str]:
    """Sentences about the files in an assignment's folder, for one task or for all."""
    yield from _unwritten(manifest, task)
    for name in manifest.files:
        yield from _left_over(manifest.folder / name)
        yield from _mislaid(manifest.folder / name)
        yield from _encoding(manifest.folder / name)
    for path in sorted(manifest.folder.glob("*.py")):
        if path.stem in sys.stdlib_module_names or path.stem in ("numpy", "minidl"):
            yield f"{path.name} has the name of a library, and is never imported; call it something else"
    yield from _unknown_imports(manifest)


def defined(path: Path) -> set[str] | None:
    """The names that a file's functions, classes, assignments and imports give; None if it is no valid Python."""
    tree = _tree(path)
    if tree is None:
        return None
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, _DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    return names


def unanswered(manifest: Manifest) -> list[str]:
    """The questions under whose headings answers.md has nothing."""
    path, here, answered = manifest.folder / ANSWERS, "", set()
    ids = [question.id for question in manifest.questions]
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        heading = re.match(r"#+\s*(\S+)", line)
        if heading and heading[1].strip(".:") in ids:
            here = heading[1].strip(".:")
        elif line.strip():
            answered.add(here)
    return [question for question in ids if question not in answered]


def _unwritten(manifest: Manifest, task: str | None) -> Iterator[str]:
    trees = [tree for tree in (_tree(manifest.folder / name) for name in manifest.files) if tree]
    if len(trees) < len(manifest.files):         # the tests say why
        return
    names = set().union(*(defined(manifest.folder / name) or () for name in manifest.files))
    asked = [(function, t.id) for t in manifest.tasks if task in (None, t.id) for function in t.functions]
    stubs = [function for function, _ in asked if any(_is_stub(tree, function) for tree in trees)]
    gone = [function for function, _ in asked if function not in stubs and function.partition(".")[0] not in names]
    if asked and len(stubs) == len(asked) and task is None:
        yield f"nothing is written yet: {' and '.join(manifest.files)} as handed out"
        return
    for said, left in (("not written yet", stubs), (f"not in {' and '.join(manifest.files)}", gone)):
        if left:
            yield f"{said}: " + ", ".join(function if task else f"{function} ({where})" for function, where in asked
                                          if function in left)


def _is_stub(tree: ast.Module, name: str) -> bool:
    """Whether a function, dotted within a class, does nothing but raise NotImplementedError; of a class, any method."""
    node: ast.AST | None = tree
    for part in name.split("."):
        node = next((child for child in getattr(node, "body", ()) if getattr(child, "name", "") == part), None)
    if isinstance(node, ast.ClassDef):
        return any(_is_stub(tree, f"{name}.{child.name}") for child in node.body if isinstance(child, ast.FunctionDef))
    body = _steps(node)
    return bool(body) and _raises_not_implemented(body[0])


def _steps(node: ast.AST | None) -> list[ast.stmt]:
    """A function's statements, without its docstring."""
    return [step for step in getattr(node, "body", ())
            if not (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))]


def _raises_not_implemented(step: ast.stmt) -> bool:
    return isinstance(step, ast.Raise) and "NotImplementedError" in ast.dump(step)


def _left_over(path: Path) -> Iterator[str]:
    """The stub's `raise`, below what was written: it looks as if nothing had been."""
    for node in ast.walk(_tree(path) or ast.Module([], [])):
        if isinstance(node, ast.FunctionDef):
            for step in _steps(node)[1:]:
                if isinstance(step, ast.Return):         # what comes after it is never run
                    break
                if _raises_not_implemented(step):
                    yield (f"{path.name}:{step.lineno} still raises NotImplementedError: delete that line, or "
                           f"{node.name} counts as not written")


def _mislaid(path: Path) -> Iterator[str]:
    """Other files that look like this one, where it is older or not there: was one of them meant?"""
    time = path.stat().st_mtime if path.is_file() else 0.0
    for other in sorted(path.parent.glob("[!.#]*")):
        if (path.stem in other.name and ".py" in other.name and other != path and other.is_file()
                and other.stat().st_mtime > time):
            yield (f"{other.name} is newer than {path.name}, which alone is tested and handed in" if time else
                   f"there is {other.name}, but only {path.name} is tested and handed in; rename it if you meant that")


def _encoding(path: Path) -> Iterator[str]:
    if path.is_file() and _tree(path) is None:
        try:
            path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            line = path.read_bytes()[:error.start].count(b"\n") + 1
            yield f"{path.name} is not saved as UTF-8 (line {line}); save it as UTF-8 in your editor"


def _unknown_imports(manifest: Manifest) -> Iterator[str]:
    there = {"numpy", *["minidl"] * manifest.engine, *(name.removesuffix(".py") for name in manifest.files)}
    for name in manifest.files:
        for module, line in _imports(manifest.folder / name):
            top, _, room = module.partition(".")
            if top not in sys.stdlib_module_names and top not in there:
                yield (f"{name}:{line} imports {top}, which is not there when it is graded: only Python's own modules "
                       f"and {', '.join(sorted(there))} are")
            elif top == "minidl" and any((Path(__file__).parents[2] / room).with_suffix(suffix).exists() and
                                         room + suffix not in ENGINE for suffix in ("", ".py")):
                yield f"{name}:{line} imports {module}, which is not there when it is graded: minidl's models are not"


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """The modules that a file imports, down to minidl's rooms, with line numbers."""
    for node in ast.walk(_tree(path) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found = [f"minidl.{alias.name}" for alias in node.names] if node.module == "minidl" else [node.module]
        else:
            continue
        yield from ((".".join(name.split(".")[:2]), node.lineno) for name in found)


def _tree(path: Path) -> ast.Module | None:
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return None


@functools.lru_cache(maxsize=8)                  # several kinds of remarks look at one file
def _parsed(content: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():          # which are told when it is run
            warnings.simplefilter("ignore")
            return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):       # the last two for brackets in brackets
        return None
