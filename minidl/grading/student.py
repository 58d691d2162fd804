"""What a student does: start an assignment, check it, see how far all are, get a new statement, hand it in.

Plain files and this process alone, so that it works wherever Python does.
"""
from __future__ import annotations

import ast
import hashlib
import os
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading import manifest as manifests
from minidl.grading.manifest import ANSWERS, Manifest, Task, in_points
from minidl.grading.results import Result
from minidl.grading.stage import ENGINE

CHECKSUMS = "checksums.txt"            # in a submission, as sha256sum writes them
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SHOWN_LINES = 12                      # of a failure's message, and of what was printed


# Start and sync -------------------------------------------------------------------------------------------------------

def start(wanted: str, folder: Path | None = None) -> None:
    """Copy an assignment into a folder of its own, ./aN_topic if no other is given; what is there already is kept."""
    source = manifests.find(wanted)
    folder = _own_folder(source, folder or Path(source.folder.name))
    kept = []
    for name in delivered(source):
        target = folder / name
        if not target.exists():
            _copy(source.folder / name, target)
        elif target.read_bytes() != (source.folder / name).read_bytes():
            kept.append(name)
    if kept:
        print(f"kept as they are in {folder}: {', '.join(kept)}; minidl sync {source.name} gets a new statement and "
              "new tests")
    print(f"{source.name}, {source.title} (slides {source.slides}), is in {folder}: read README.md, write "
          f"{source.files[0]}, then: minidl check {source.name}")


def sync(wanted: str) -> None:
    """Bring a started assignment's statement and tests up to date; the student's own files are not touched.

    A file that is replaced stays beside the new one, with .old after its name.
    """
    source = manifests.find(wanted)
    folder = _own_folder(source, started(source.name).folder)
    changes = []
    for name in delivered(source):
        old, new = folder / name, source.folder / name
        if not old.exists():
            changes.append(f"new: {name}")
        elif name in source.handed_in() or old.read_bytes() == new.read_bytes():
            continue
        else:
            old.replace(old.with_name(old.name + ".old"))
            changes.append(f"changed: {name} (the one before is {old.name}.old)")
        _copy(new, old)
    print("\n".join(changes) or f"{source.name} is up to date")
    trees = [_tree(folder / name) for name in source.files]
    defined = {node.name for tree in trees if tree for node in ast.walk(tree) if isinstance(node, _DEFINITIONS)}
    for task in source.tasks:
        for function in task.functions:
            if function.partition(".")[0] not in defined and all(trees):
                print(f"your {source.files[0]} has no {function}, which task {task.id} asks for: copy its beginning "
                      f"from {source.folder / source.files[0]}")


def delivered(source: Manifest) -> list[str]:
    """The files of an assignment that a student gets, the manifest last: with it the assignment counts as started."""
    tests = [*sorted((source.folder / "tests").glob("test_*.py")), source.folder / "tests" / "drivers.py"]
    return ["README.md", *source.handed_in(), *(f"tests/{path.name}" for path in tests if path.is_file()),
            "manifest.toml"]


def _own_folder(source: Manifest, folder: Path) -> Path:
    if folder.resolve() == source.folder.resolve():
        raise InputError(f"{source.folder} is where {source.name} comes from; go to a folder of your own, and "
                         f"minidl start {source.name} there")
    return folder


def _copy(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no {source}: the assignment is not whole") from None
    with atomic_write(target) as file:
        file.write(content)


def started(wanted: str) -> Manifest:
    """The started assignment of this name: the current folder, or one below it. Raises InputError if there is none."""
    found = [folder for name, folder in _all_started() if wanted in (name, folder.name)]
    if not found:
        raise InputError(f"{wanted} is not started here: neither {Path.cwd()} nor a folder in it holds it; go to where "
                         f"you started it, or: minidl start {wanted}")
    if len(found) > 1:
        raise InputError(f"{wanted} is here {len(found)} times, in {' and '.join(map(str, found))}; go into the one "
                         "that you mean")
    return manifests.read(found[0])


def _all_started() -> Iterator[tuple[str, Path]]:
    """The names and folders of assignments in the current folder and in those below it."""
    for folder in [Path.cwd(), *sorted(Path.cwd().iterdir())]:
        if os.path.isfile(folder / "manifest.toml"):     # and not `is_file`, which raises in a folder of others
            try:
                name = manifests.read_toml(folder / "manifest.toml").get("name")
            except InputError:                           # which is told to whoever wants this one
                name = folder.name.partition("_")[0]
            if isinstance(name, str):
                yield name, folder


# Check ----------------------------------------------------------------------------------------------------------------

def check(wanted: str, task: str | None = None, *, debug: bool = False) -> int:
    """Run the public tests on a student's file in this process and print what came; returns 0 if all passed, else 1.

    With `debug`, pytest's debugger opens where a test failed. Raises InputError if the assignment is not started here
    or has no such task.
    """
    manifest = started(wanted)
    if task:
        manifest.task(task)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")         # a console may lack a letter that was printed
    print(f"{manifest.name} {manifest.title}")
    for path in (manifest.folder / name for name in manifest.files):
        print(f"file: {path} " + (f"(sha256 {_sha256(path)[:12]})" if path.is_file() else "(not there)"))
    print("isolation: none, your own code runs in this process")
    for remark in remarks(manifest):
        print(f"note: {remark}")
    printer = _Printer(manifest, task)
    result = run(manifest, task, debug=debug, printer=printer)
    printer.end(result)
    public = [test for t, test in manifest.tests() if task in (None, t.id) and not test.hidden]
    return int(any(test.name not in result.records or result.records[test.name].status != "passed" for test in public))


def status() -> None:
    """Run the public tests of every assignment that is started here, and print its points."""
    found = list(_all_started())
    if not found:
        raise InputError(f"no assignment is started in {Path.cwd()}; begin with minidl start a1")
    for name, folder in found:
        try:
            manifest = manifests.read(folder)
            result = run(manifest)
        except InputError as error:
            print(f"{name:<5}{error}")
            continue
        print(f"{manifest.name:<5}{manifest.title}: {_points(manifest, None, result)}")
        for task in manifest.tasks:
            print(f"     {task.id:<5}{_public_status(task, result):<15}{task.title}")


def run(manifest: Manifest, task: str | None = None, *, debug: bool = False, printer: _Printer | None = None) -> Result:
    """The outcome of the public tests, of one task or of all, in this process."""
    # Here, since these load pytest, which other commands can do without.
    from minidl.grading import session
    from minidl.grading.plugin import Plan
    from minidl.grading.students import Local

    drivers = manifest.folder / "tests" / "drivers.py"
    path = manifest.folder / manifest.files[0]
    result = Result(manifest.name, manifest.folder.name, _sha256(path) if path.is_file() else "", "none")
    plan = Plan(manifest, result, seed=b"check", task=task, report=printer.show if printer else lambda result: None,
                student=lambda test: Local(manifest.folder, manifest.module, drivers))
    try:
        session.run(plan, [manifest.folder / "tests"], ["--pdb", "-q", "--no-header", "--no-summary"] if debug else
                    ["-p", "no:terminal"])
    except session.host.Infrastructure as error:
        raise InputError(f"{error}; minidl sync {manifest.name} brings the tests as they were") from None
    return result


class _Printer:
    """Prints each test as it ends, below its task."""

    def __init__(self, manifest: Manifest, only: str | None) -> None:
        self.manifest, self.only = manifest, only
        self.task, self.message = "", ""
        self.shown = ("", "")

    def show(self, result: Result) -> None:
        """Print the newest record."""
        record = list(result.records.values())[-1]
        if (record.test, record.status) == self.shown:       # another case of a test with parameters
            return
        self.shown = record.test, record.status
        if record.task != self.task:
            self.task = record.task
            task = self.manifest.task(self.task)
            print(f"\n{task.id} {task.title}")
        print(f"  {record.status.replace('_', ' '):<15}{record.test}", flush=True)
        if record.status == "not_attempted":
            return
        if record.message and record.message == self.message:
            print(f"{'':<17}(as above)")
        elif record.message:
            self.message = record.message
            _print_lines(record.message)
        if record.status != "passed" and record.output.strip():
            print(f"{'':<17}it printed:")
            _print_lines(record.output)

    def end(self, result: Result) -> None:
        """Print what was not run, and the points."""
        for task, test in self.manifest.tests():
            if self.only in (None, task.id) and not test.hidden and test.name not in result.records:
                print(f"\n{test.name} is not in tests/; minidl sync {self.manifest.name} brings it back")
        print(f"\n{_points(self.manifest, self.only, result)}")


def _print_lines(text: str) -> None:
    lines = text.strip().splitlines()
    for line in lines[:_SHOWN_LINES]:
        print(textwrap.indent(line, " " * 17))
    if len(lines) > _SHOWN_LINES:
        print(f"{'':<17}... and {len(lines) - _SHOWN_LINES} more lines")


def _points(manifest: Manifest, only: str | None, result: Result) -> str:
    """`public: 7/9 points; hidden: 11 points in 5 tests not run here`."""
    tests = [test for task, test in manifest.tests() if only in (None, task.id)]
    hidden = [test.points for test in tests if test.hidden]
    most = sum(test.points for test in tests if not test.hidden)
    said = f"public: {result.points():g}/{most:g} points"
    if hidden:
        said += f"; hidden: {in_points(sum(hidden))} in {len(hidden)} test{'s' * (len(hidden) > 1)} not run here"
    if manifest.questions and only is None:
        said += f"; {ANSWERS}: {in_points(sum(question.points for question in manifest.questions))}, read by a person"
    return said


def _public_status(task: Task, result: Result) -> str:
    records = [result.records[test.name] for test in task.tests if test.name in result.records]
    found = {record.status for record in records} or {"hidden"}
    return (found.pop() if len(found) == 1 else "partial" if "passed" in found else "failed").replace("_", " ")


def remarks(manifest: Manifest) -> Iterator[str]:
    """Sentences about what public tests may not show: functions that are not written, imports missing in grading."""
    for task in manifest.tasks:
        left = [name for name in task.functions if not any(_writes(manifest.folder / file, name)
                                                           for file in manifest.files)]
        if left:
            yield f"task {task.id}: not written yet: {', '.join(left)}"
    for path in sorted(manifest.folder.glob("*.py")):
        if path.stem in sys.stdlib_module_names or path.stem in ("numpy", "minidl"):
            yield f"{path.name} has the name of a library, and is never imported; call it something else"
    there = {"numpy", *["minidl"] * manifest.engine, *(name.removesuffix(".py") for name in manifest.files)}
    for name in manifest.files:
        for module, line in _imports(manifest.folder / name):
            top, _, room = module.partition(".")
            if top not in sys.stdlib_module_names and top not in there:
                yield (f"{name}:{line} imports {top}, which is not there when it is graded: only Python's own modules "
                       f"and {', '.join(sorted(there))} are")
            elif top == "minidl" and any((Path(__file__).parents[1] / room).with_suffix(suffix).exists() and
                                         room + suffix not in ENGINE for suffix in ("", ".py")):
                yield f"{name}:{line} imports {module}, which is not there when it is graded: minidl's models are not"


def _writes(path: Path, name: str) -> bool:
    """Whether a file defines this function, dotted within a class, with more than the stub's body."""
    node: Any = _tree(path)
    for part in name.split("."):
        node = next((child for child in getattr(node, "body", ()) if getattr(child, "name", "") == part), None)
    body = [step for step in getattr(node, "body", ())
            if not (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))]       # but for the docstring
    return node is not None and not (body and isinstance(body[0], ast.Raise)
                                     and "NotImplementedError" in ast.dump(body[0]))


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
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


# Submit ---------------------------------------------------------------------------------------------------------------

def submit(wanted: str, *, force: bool = False) -> Path:
    """Write what is to be handed in, aN.zip in the assignment's folder: the files and their checksums.

    Raises InputError if a file is missing or, without `force`, no valid Python: nothing of it would pass a test.
    """
    manifest = started(wanted)
    contents: dict[str, bytes] = {}
    for name in manifest.handed_in():
        path = manifest.folder / name
        if not path.is_file():
            raise InputError(f"there is no {path}; {manifest.name} consists of {', '.join(manifest.handed_in())}")
        contents[name] = path.read_bytes()
        if name.endswith(".py"):
            try:
                compile(contents[name], name, "exec")
            except (SyntaxError, ValueError) as error:
                if not force:
                    raise InputError(f"{path} is no valid Python, so that no test can pass: {error}; mend it, or hand "
                                     "it in as it is with --force") from None
                print(f"note: {name} is no valid Python, so that no test can pass: {error}")
    for remark in remarks(manifest):
        print(f"note: {remark}")
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    target = manifest.folder / f"{manifest.name}.zip"
    with atomic_write(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*contents.items(), (CHECKSUMS, sums.encode())]:
            info = zipfile.ZipInfo(name)           # without the time: the same work is the same archive
            info.external_attr, info.compress_type = 0o100644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    print(f"{sums}{target} holds these {len(contents)} files: hand it in")
    return target


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
