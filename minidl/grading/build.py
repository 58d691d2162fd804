"""From an instructor's solution to what students get: the stub, and the table of points in the statement.

In the solution, `# BEGIN SOLUTION task=2.1` and `# END SOLUTION` stand around what a student writes. Within a function
the stub has a `raise NotImplementedError` there; outside of one (imports and helpers of the solution) it has nothing.
"""
from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading.manifest import ANSWERS, Manifest, in_points

CANARY = re.compile(r"^[ \t]*# CANARY (\w+)[ \t]*\n?", re.MULTILINE)     # a line that only instructor files hold
BEGIN, END = "<!-- points -->", "<!-- /points -->"                 # what the statement has around the table
_BEGIN = re.compile(r"([ \t]*)# BEGIN SOLUTION task=(\S+)[ \t]*$")
_END = re.compile(r"[ \t]*# END SOLUTION[ \t]*$")
_HEADERS = ("import ", "from ", "for ", "while ", "if ", "elif ", "with ", "except ", "raise ", "assert ")


class Block(NamedTuple):
    """What stands between two markers: `first` and `last` are the markers' line numbers, from 1."""

    task: str
    first: int
    last: int
    indent: str


def build(manifest: Manifest, instructor: Path) -> list[str]:
    """Write stub, table and the file for answers where they are out of date; returns the names of those written.

    Raises InputError, with the line, for a solution or statement from which they cannot be made.
    """
    written = []
    for name, text in outputs(manifest, instructor).items():
        if _current(manifest.folder / name) != text:
            with atomic_write(manifest.folder / name, "w") as file:
                file.write(text)
            written.append(name)
    return written


def outdated(manifest: Manifest, instructor: Path) -> list[str]:
    """The names of the files that `build` would write."""
    return [name for name, text in outputs(manifest, instructor).items() if _current(manifest.folder / name) != text]


def outputs(manifest: Manifest, instructor: Path) -> dict[str, str]:
    """All that is generated: names in the assignment's folder, and texts."""
    if manifest.name != manifest.folder.name.partition("_")[0]:
        raise InputError(f"{manifest.folder.name} holds the assignment {manifest.name!r}; a folder is called after its "
                         f"assignment: {manifest.name}_topic")
    texts = stubs(manifest, instructor)
    statement = read_text(manifest.folder / "README.md")
    before, begin, rest = statement.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{manifest.folder / 'README.md'} has no lines {BEGIN} and {END}, between which the table "
                         "of points goes")
    texts["README.md"] = f"{before}{BEGIN}\n{table(manifest)}{END}{after}"
    if manifest.questions:
        texts[ANSWERS] = f"# {manifest.title}: answers\n" + "".join(
            f"\n## {asked.id} {asked.title} ({in_points(asked.points)})\n\n" for asked in manifest.questions)
    return texts


def stubs(manifest: Manifest, instructor: Path) -> dict[str, str]:
    """The files that students start with: names and texts."""
    texts = {name: stub(manifest, read_text(instructor / name), name) for name in manifest.files}
    _check_tasks(manifest, texts, instructor)
    return texts


def stub(manifest: Manifest, source: str, name: str) -> str:
    """The file that students start with: the solution without what is between the markers."""
    found, defined = blocks(source, name), list(_definitions(_parse(source, name)))
    lines: list[str | None] = list(source.splitlines())
    for block in found:
        manifest.task(block.task)
        inside = [definition for definition in defined
                  if isinstance(definition.node, ast.FunctionDef | ast.AsyncFunctionDef)
                  and definition.node.lineno < block.first <= (definition.node.end_lineno or 0)]
        lines[block.first - 1:block.last] = [None] * (block.last - block.first + 1)
        if inside:
            lines[block.first - 1] = (f'{block.indent}raise NotImplementedError('
                                      f'"task {block.task}: write {inside[-1].name}")')
        elif block.last < len(lines) and block.first > 1 and not (lines[block.first - 2] or "").strip():
            after = block.last                   # the blank lines on one side go too
            while after < len(lines) and not (lines[after] or "").strip():
                lines[after], after = None, after + 1
    text = "\n".join(line for line in lines if line is not None).rstrip("\n") + "\n"
    text = CANARY.sub("", text).lstrip("\n")
    _parse(text, f"the stub of {name}")
    for line in distinctive_lines(source, name):
        if line in squeezed(text):
            raise InputError(f"{name}: a line of a solution stands outside of it too, so that the stub would show it: "
                             f"{line}")
    return text


def blocks(source: str, name: str) -> list[Block]:
    """The solution's blocks, in order. Raises InputError for markers that do not pair."""
    found: list[Block] = []
    begun: Block | None = None
    for number, line in enumerate(source.splitlines(), 1):
        if match := _BEGIN.match(line):
            if begun:
                raise InputError(f"{name}:{number}: a solution begins within that of line {begun.first}")
            begun = Block(match[2], number, 0, match[1])
        elif _END.match(line):
            if not begun or number == begun.first + 1:
                raise InputError(f"{name}:{number}: " + ("a solution is empty" if begun else "no solution ends here"))
            found.append(begun._replace(last=number))
            begun = None
        elif "BEGIN SOLUTION" in line or "END SOLUTION" in line:
            raise InputError(f"{name}:{number}: a marker is a line '# BEGIN SOLUTION task=2.1' or '# END SOLUTION', "
                             f"not {line.strip()!r}")
    if begun:
        raise InputError(f"{name}:{begun.first}: the solution that begins here has no '# END SOLUTION'")
    return found


def distinctive_lines(source: str, name: str) -> list[str]:
    """Lines of the solution's blocks, without white space, which are long enough to betray it wherever they stand."""
    lines, found = source.splitlines(), []
    for block in blocks(source, name):
        for line in lines[block.first:block.last - 1]:
            line = line.partition("  #")[0].strip()
            short = squeezed(line)
            if len(short) >= 16 and ("(" in line or "=" in line) and not line.startswith((*_HEADERS, "#")):
                found.append(short)
    return found


def squeezed(text: str) -> str:
    """A text without its white space."""
    return "".join(text.split())


def table(manifest: Manifest) -> str:
    """The table of points, in Markdown."""
    def cell(hidden: bool, tests: list[tuple[bool, float]]) -> str:
        points = [p for h, p in tests if h == hidden]
        return f"{sum(points):g} in {len(points)} test{'s' * (len(points) != 1)}" if points else "-"

    rows = [(task.id, task.title, [(test.hidden, test.points) for test in task.tests]) for task in manifest.tasks]
    lines = ["| task | | public | hidden | points |", "|---|---|---|---|---:|"]
    lines += [f"| {id_} | {title} | {cell(False, tests)} | {cell(True, tests)} | {sum(p for _, p in tests):g} |"
              for id_, title, tests in rows]
    everything = [test for _, _, tests in rows for test in tests]
    lines += [f"| {question.id} | {question.title} | | read by a person | {question.points:g} |"
              for question in manifest.questions]
    total = manifest.points + sum(question.points for question in manifest.questions)
    lines += [f"| | **all** | {cell(False, everything)} | {cell(True, everything)} | **{total:g}** |"]
    return "\n".join(lines) + "\n"


class _Definition(NamedTuple):
    name: str                          # dotted
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _definitions(node: ast.AST, prefix: str = "") -> Iterator[_Definition]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield _Definition(prefix + child.name, child)
            yield from _definitions(child, f"{prefix}{child.name}.")
        else:
            yield from _definitions(child, prefix)


def _check_tasks(manifest: Manifest, stubs: dict[str, str], instructor: Path) -> None:
    """Every task has something to write, which the stub explains and the manifest names."""
    defined = {definition.name: definition.node for name, text in stubs.items()
               for definition in _definitions(_parse(text, name))}
    written = {block.task for name in manifest.files for block in blocks(read_text(instructor / name), name)}
    for task in manifest.tasks:
        if task.id not in written:
            raise InputError(f"task {task.id} has no '# BEGIN SOLUTION task={task.id}' in {', '.join(manifest.files)}")
        for function in task.functions:
            if function not in defined:
                raise InputError(f"task {task.id}: the stub has no {function}, which the manifest names")
            if not ast.get_docstring(defined[function]):
                raise InputError(f"task {task.id}: {function} needs a docstring above its solution: shapes, an example")


def _parse(text: str, name: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{name} is no valid Python: {error}") from None


def read_text(path: Path) -> str:
    """The text of a file. Raises InputError if it is not there or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"there is no {path}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}") from None


def _current(path: Path) -> str | None:
    return read_text(path) if path.exists() else None
