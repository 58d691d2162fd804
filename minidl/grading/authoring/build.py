"""From an instructor's solution to what students get: the stub, and the table of points in the statement.

In the solution, `# BEGIN SOLUTION task=2.1` and `# END SOLUTION` stand around what a student writes. Within a function
the stub has a `raise NotImplementedError` there; outside of one (imports and helpers of the solution) it has nothing.
"""
from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading.authoring.markers import CANARY, Block, blocks, distinctive_lines, place
from minidl.grading.manifest import ANSWERS, Manifest, in_points

BEGIN, END = "<!-- points -->", "<!-- /points -->"                 # what the statement has around the table


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
    found = sources(manifest, instructor)
    texts = {name: stub(manifest, text, shown(manifest, instructor / name)) for name, text in found.items()}
    _check_tasks(manifest, {shown(manifest, instructor / name): text for name, text in found.items()}, texts)
    return texts


def sources(manifest: Manifest, instructor: Path) -> dict[str, str]:
    """The instructor's solution: names and texts. Raises InputError where it is not there."""
    if not instructor.is_dir():
        raise InputError(f"there is no folder {instructor} with the solution; if it lies outside of the assignment, in "
                         f"DIR/{manifest.folder.name}, say --instructor DIR")
    return {name: read_text(instructor / name) for name in manifest.files}


def shown(manifest: Manifest, path: Path) -> str:
    """A path as sentences name it: seen from the assignment's folder, where it is in there."""
    return path.relative_to(manifest.folder).as_posix() if path.is_relative_to(manifest.folder) else str(path)


def stub(manifest: Manifest, source: str, name: str) -> str:
    """The file that students start with: the solution without what is between the markers."""
    found, defined = blocks(source, name), list(_definitions(parse(source, name)))
    lines: list[str | None] = list(source.splitlines())
    for block in found:
        try:
            manifest.task(block.task)
        except InputError as error:
            raise InputError(f"{name}:{block.first}: {error}") from None
        inside = _around(block, defined)
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
    if any(isinstance(node, ast.Raise) for node in _run_at_once(parse(text, f"the stub of {name}"))):
        raise InputError(f"{name}: the stub has a raise outside of functions, so that it could not be imported")
    for line, written in distinctive_lines(source, name).items():
        if number := place(line, text):
            raise InputError(f"{name}: a line of a solution stands outside of it too, so that the stub would show it, "
                             f"in line {number}: {written}")
    return text


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


def _around(block: Block, defined: list[_Definition]) -> list[_Definition]:
    """The functions in which a block stands, from the outermost."""
    return [definition for definition in defined
            if isinstance(definition.node, ast.FunctionDef | ast.AsyncFunctionDef)
            and definition.node.lineno < block.first <= (definition.node.end_lineno or 0)]


def _run_at_once(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a file is loaded: all but the insides of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _run_at_once(child)


def _check_tasks(manifest: Manifest, solution: dict[str, str], stubs: dict[str, str]) -> None:
    """Every task has something to write, which is marked, the stub explains and the manifest names."""
    in_stub = {found.name: found.node for name, text in stubs.items() for found in _definitions(parse(text, name))}
    marked = [(f"{name}:{block.first}", block.task, [found.name for found in _around(block, defined)])
              for name, text in solution.items() for defined in [list(_definitions(parse(text, name)))]
              for block in blocks(text, name)]
    written = {function for _, _, functions in marked for function in functions}
    for task in manifest.tasks:
        if task.id not in {id_ for _, id_, _ in marked}:
            raise InputError(f"task {task.id} has no '# BEGIN SOLUTION task={task.id}' in {', '.join(solution)}")
        for function in task.functions:
            if function not in in_stub:
                raise InputError(f"task {task.id}: the stub has no {function}, which the manifest names")
            node = in_stub[function]
            methods = [f"{function}.{child.name}" for child in node.body
                       if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)]
            is_class = isinstance(node, ast.ClassDef)
            for each in methods if is_class else [function]:
                if each not in written:
                    raise InputError(f"task {task.id}: in {each} nothing is marked, so that students would get it as "
                                     "it is; mark what they write" + is_class * (
                                         f", or name {function}'s methods that they write one by one in the manifest"))
            for each in [function, *methods * is_class]:
                if not ast.get_docstring(in_stub[each]):
                    raise InputError(f"task {task.id}: {each} needs a docstring above its solution: shapes, an example")
    for where, id_, functions in marked:
        if functions and not any(f"{functions[-1]}.".startswith(f"{named}.") for named in manifest.task(id_).functions):
            raise InputError(f"{where}: {functions[0]} has a solution of task {id_}; add it to the functions of that "
                             "task in the manifest")


def parse(text: str, name: str) -> ast.Module:
    """The syntax tree of a file. Raises InputError if it is no Python, or cannot be compiled."""
    try:
        tree = ast.parse(text)
        compile(text, name, "exec", dont_inherit=True)
        return tree
    except SyntaxError as error:
        raise InputError(f"{name} is no valid Python: line {error.lineno}: {error.msg}") from None
    except ValueError as error:
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
