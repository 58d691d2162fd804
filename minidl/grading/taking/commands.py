"""What a student does: start an assignment, check it, see how far all are, get a new statement, hand it in.

Plain files and this process alone, so that it works wherever Python does.
"""
from __future__ import annotations

import hashlib
import itertools
import os
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading import manifest as manifests
from minidl.grading.isolation.host import Infrastructure
from minidl.grading.manifest import ANSWERS, Manifest, Task, in_points
from minidl.grading.marking.proxy import Local, Noted
from minidl.grading.marking.results import Record, Result
from minidl.grading.taking import advice

CHECKSUMS = "checksums.txt"            # in a submission, as sha256sum writes them
_SHOWN_LINES, _SHOWN_LETTERS = 12, 200   # of a failure's message, and of what was printed


# Start and sync -------------------------------------------------------------------------------------------------------

def start(wanted: str, folder: Path | None = None) -> None:
    """Copy an assignment into a folder of its own, ./aN_topic if no other is given; what is there already is kept."""
    given = _folder(wanted)
    if given is None:
        source = manifests.find(_name(wanted))
    elif any(given.samefile(there) for _, there in _all_started()):
        source = _origin(given)
    else:
        source = manifests.read(given)
    begun = [there for name, there in _all_started() if name == source.name]
    folder = _own_folder(source, folder or (begun[0] if begun else Path(source.folder.name)))
    shown = folder.relative_to(Path.cwd()) if folder.parent == Path.cwd() else folder
    kept = []
    for name in delivered(source):
        target = folder / name
        if not target.exists():
            _copy(source.folder / name, target)
        elif target.read_bytes() != (source.folder / name).read_bytes():
            kept.append(name)
    if kept:
        print(f"kept as they are in {shown}: {', '.join(kept)}; minidl sync {source.name} gets a new statement and "
              "new tests")
    slides = "slide" if source.slides.isdecimal() else "slides"
    print(f"{source.name}, {source.title} ({slides} {source.slides}), is in {shown}: read README.md, write "
          f"{source.files[0]}, then: minidl check {source.name}")


def sync(wanted: str) -> None:
    """Bring a started assignment's statement and tests up to date; the student's own files are not touched.

    A file that is replaced stays beside the new one, with .old after its name.
    """
    source, folder = _both(wanted)
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
    names = [advice.defined(folder / name) for name in source.files]
    for task in source.tasks:
        for function in task.functions:
            if None not in names and not any(function.partition(".")[0] in found for found in names if found):
                print(f"your {source.files[0]} has no {function}, which task {task.id} asks for: copy its beginning "
                      f"from {source.folder / source.files[0]}")


def _both(wanted: str) -> tuple[Manifest, Path]:
    """Where an assignment comes from, and the folder where it was started; a path may name either."""
    given = _folder(wanted)
    if given is None:
        source = manifests.find(_name(wanted))
        return source, _own_folder(source, started(source.name).folder)
    name = manifests.read(given).name
    others = [there for known, there in _all_started() if known == name and not given.samefile(there)]
    if not others:
        source = _origin(given)
        return source, _own_folder(source, given)
    return manifests.read(given), others[0] if len(others) == 1 else started(name).folder


def _origin(started: Path) -> Manifest:
    """Where the assignment that was started in a folder comes from; that folder itself where nothing else is known."""
    manifest = manifests.read(started)
    try:
        return manifests.find(manifest.name)
    except InputError:
        return manifest


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
    """The started assignment of this name, in the current folder or one below it, or that of a path.

    Raises InputError if there is none.
    """
    name = _name(wanted)
    found = [folder for known, folder in _all_started() if name in (known, folder.name)]
    if not found and (folder := _folder(wanted)):
        found = [folder]
    if not found:
        here = [each for known, folder in _all_started() for each in (known, folder.name)]
        raise InputError(f"{name} is not started here: neither {Path.cwd()} nor a folder in it holds it" + (
            manifests.nearest(name, here) or f"; go to where you started it, or: minidl start {name}"))
    if len(found) > 1:
        raise InputError(f"{name} is here {len(found)} times, in {' and '.join(map(str, found))}; go into the one "
                         "that you mean")
    return manifests.read(found[0])


def _name(wanted: str) -> str:
    name = wanted.rstrip("/\\")                  # which a shell has completed
    if _folder(wanted) is None and (os.sep in name or "/" in wanted and os.path.isdir(wanted) or not name.strip(".")):
        raise InputError(f"{wanted} is no assignment's folder: there is no {Path(wanted) / 'manifest.toml'}")
    return name


def _folder(path: str) -> Path | None:
    """The folder of an assignment that a path names, or that of a file in it."""
    folder = Path(os.path.abspath(Path(path).expanduser()))
    folder = folder.parent if os.path.isfile(folder) else folder
    return folder if os.path.isfile(folder / "manifest.toml") else None


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

    With `debug`, a debugger opens where a test failed. Raises InputError if the assignment is not started here or has
    no such task, KeyboardInterrupt after Ctrl-C.
    """
    here = _folder(".")
    if here and not task and wanted in [each.id for each in manifests.read(here).tasks]:
        wanted, task = ".", wanted               # minidl check 3.2
    manifest = started(wanted)
    if task:
        _known(manifest, task)
    print(f"{manifest.name} {manifest.title}")
    for path in (manifest.folder / name for name in manifest.files):
        print(f"file: {path} " + (f"(sha256 {_sha256(path)[:12]})" if path.is_file() else "(not there)"))
    print("isolation: none, your own code runs in this process")
    printer = _Printer(manifest, task)
    try:
        result = run(manifest, task, debug=debug, printer=printer)
    except KeyboardInterrupt:
        print(f"\nso far: {_points(manifest, task, printer.points)}")
        raise
    printer.end(result)
    public = [test for t, test in manifest.tests() if task in (None, t.id) and not test.hidden]
    return int(any(test.name not in result.records or result.records[test.name].status != "passed" for test in public))


def _known(manifest: Manifest, task: str) -> None:
    if any(question.id == task for question in manifest.questions):
        raise InputError(f"question {task} is read by a person; write your answer in {manifest.folder / ANSWERS}")
    for each in manifest.tasks:
        if task in each.functions:
            raise InputError(f"{task} belongs to task {each.id}: minidl check {manifest.name} {each.id}")
    manifest.task(task)


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
        print(f"{manifest.name:<5}{manifest.title}: {_points(manifest, None, result.points())}")
        for task in manifest.tasks:
            print(f"     {task.id:<5}{_public_status(task, result):<15}{task.title}", flush=True)


def run(manifest: Manifest, task: str | None = None, *, debug: bool = False, printer: _Printer | None = None) -> Result:
    """The outcome of the public tests, of one task or of all, in this process."""
    # Here, since these load pytest, which other commands can do without.
    from minidl.grading.marking import session
    from minidl.grading.marking.plugin import Plan

    drivers = manifest.folder / "tests" / "drivers.py"
    path = manifest.folder / manifest.files[0]
    result = Result(manifest.name, manifest.folder.name, _sha256(path) if path.is_file() else "", "none")
    printer = printer or _Printer(manifest, task, quiet=True)
    plan = Plan(manifest, result, seed=b"check", only=_names(manifest, task), report=printer.show,
                student=lambda test: Local(manifest.folder, manifest.module, drivers, seconds=manifest.limits.seconds,
                                           debug=debug, noted=printer.noted))
    # The student's output is kept by `Local`, and pytest's debugger needs its terminal. A warning is output.
    options = [f"-p{name}" for name in ("no:terminal", "no:debugging", "no:warnings")] + ["-s"]
    if debug:
        options.append("-pminidl.grading.taking.debugger")
    else:
        os.environ.setdefault("MPLBACKEND", "Agg")       # a window would wait for being closed
    try:
        session.run(plan, [manifest.folder / "tests"], options)
    except Infrastructure as error:
        raise InputError(f"{error}; minidl sync {manifest.name} brings the tests as they were") from None
    except KeyboardInterrupt:
        if printer.broken:
            raise printer.broken from None
        raise
    return result


def _names(manifest: Manifest, task: str | None) -> list[str]:
    return [test.name for each, test in manifest.tests() if task in (None, each.id)]


class _Printer:
    """Prints each test as it ends, below its task."""

    def __init__(self, manifest: Manifest, only: str | None, *, quiet: bool = False) -> None:
        self.manifest, self.only, self.quiet = manifest, only, quiet
        self.points = 0.0
        self.task, self.message = "", ""
        self.shown = ("", "")
        self.broken: BrokenPipeError | None = None
        self.noted = Noted()

    def show(self, result: Result) -> None:
        """Print the newest record."""
        self.points = result.points()
        try:
            if not self.quiet:
                self._show(list(result.records.values())[-1])
        except BrokenPipeError as error:         # `minidl check a3 | head`; Ctrl-C is how pytest is ended
            self.broken = error
            raise KeyboardInterrupt from None

    def _show(self, record: Record) -> None:
        if (record.test, record.status) == self.shown:       # another case of a test with parameters
            return
        self.shown = record.test, record.status
        if record.task != self.task:
            self.task = record.task
            task = self.manifest.task(self.task)
            print(f"\n{task.id} {task.title}")
        same = record.message == self.message and record.status not in ("passed", "not_attempted")
        print(f"  {record.status.replace('_', ' '):<15}{record.test}{' (as above)' * same}")
        if record.message and record.message != self.message:
            self.message = record.message
            _print_lines(record.message)
        if record.status not in ("passed", "not_attempted") and record.output.strip():
            print(f"{'':<17}it printed:")
            _print_lines(record.output)
        sys.stdout.flush()

    def end(self, result: Result) -> None:
        """Print what was not run, what tests do not show, and the points."""
        for task, test in self.manifest.tests():
            if self.only in (None, task.id) and not test.hidden and test.name not in result.records:
                print(f"\n{test.name} is not in tests/; minidl sync {self.manifest.name} brings it back")
        print()
        ends = {(record.status, record.message) for record in result.records.values()}
        if len(ends) == 1 and len(result.records) > 5 and not {"passed", "not_attempted"} & set(next(iter(ends))):
            print(f"all {len(result.records)} tests: {next(iter(ends))[1]}")     # it has scrolled away
        for remark in advice.remarks(self.manifest, self.only):
            print(f"note: {remark}")
        for name in sorted(self.noted.changed):
            print(f"note: {name} changes its arguments; they are its caller's, work on a copy")
        print(_points(self.manifest, self.only, self.points))
        if self.only is None and self.points == _most(self.manifest, None):
            print(f"all public tests pass: minidl submit {self.manifest.name} writes the file to hand in")


def _print_lines(text: str) -> None:
    lines = []
    for line, same in itertools.groupby(text.strip().splitlines()):
        count = len(list(same))
        lines.append(line if len(line) <= _SHOWN_LETTERS else f"{line[:_SHOWN_LETTERS]} ...")
        if count > 1:
            lines.append(f"(and the same {count - 1} more time{'s' * (count > 2)})")
    for line in lines[:_SHOWN_LINES]:
        print(textwrap.indent(line, " " * 17))
    if len(lines) > _SHOWN_LINES:
        print(f"{'':<17}... and {len(lines) - _SHOWN_LINES} more lines")


def _points(manifest: Manifest, only: str | None, points: float) -> str:
    """`public: 7/9 points; hidden: 11 points in 5 tests not run here`."""
    tests = [test for task, test in manifest.tests() if only in (None, task.id)]
    hidden = [test.points for test in tests if test.hidden]
    said = f"public: {points:g}/{_most(manifest, only):g} points"
    if hidden:
        said += f"; hidden: {in_points(sum(hidden))} in {len(hidden)} test{'s' * (len(hidden) > 1)} not run here"
    if manifest.questions and only is None:
        said += f"; {ANSWERS}: {in_points(sum(question.points for question in manifest.questions))}, read by a person"
    return said


def _most(manifest: Manifest, only: str | None) -> float:
    """All points of public tests."""
    return sum(test.points for task, test in manifest.tests() if only in (None, task.id) and not test.hidden)


def _public_status(task: Task, result: Result) -> str:
    records = [result.records[test.name] for test in task.tests if test.name in result.records]
    found = {record.status for record in records} or {"hidden"}
    return (found.pop() if len(found) == 1 else "partial" if "passed" in found else "failed").replace("_", " ")


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
            raise InputError(f"there is no {path}; {manifest.name} consists of {', '.join(manifest.handed_in())}; "
                             f"minidl start {manifest.name} brings it back as it was handed out")
        contents[name] = path.read_bytes()
        if name.endswith(".py"):
            try:
                compile(contents[name], name, "exec")
            except (SyntaxError, ValueError) as error:
                if not force:
                    raise InputError(f"{path} is no valid Python, so that no test can pass: {error}; mend it, or hand "
                                     "it in as it is with --force") from None
                print(f"note: {name} is no valid Python, so that no test can pass: {error}")
    for remark in advice.remarks(manifest):
        print(f"note: {remark}")
    if empty := advice.unanswered(manifest):
        print(f"note: {ANSWERS} has nothing below the heading of {' and '.join(empty)} yet")
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    target = manifest.folder / f"{manifest.name}.zip"
    with atomic_write(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*contents.items(), (CHECKSUMS, sums.encode())]:
            info = zipfile.ZipInfo(name)           # without the time: the same work is the same archive
            info.external_attr, info.compress_type = 0o100644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    print(f"{sums}{target} holds these {len(contents)} files: hand it in")
    points = run(manifest).points()
    print(_points(manifest, None, points))
    if points < _most(manifest, None):
        print(f"minidl check {manifest.name} says what the public tests found; hand in again after any change")
    return target


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
