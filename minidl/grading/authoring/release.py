"""What students get of an assignment: a copy of an allow-list, looked through for whatever is the instructor's.

It fails closed: a file that it does not know, a marker, a canary, a line of a solution or the name of a hidden test
anywhere, and nothing is written.
"""
from __future__ import annotations

import ast
import dataclasses
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from minidl.errors import InputError
from minidl.grading import manifest as manifests
from minidl.grading.authoring import build, markers
from minidl.grading.manifest import Manifest

_MARKERS = ("BEGIN SOLUTION", "END SOLUTION")
_PASSED_OVER = ("instructor", "__pycache__")


def release(manifest: Manifest, instructor: Path, out: Path) -> Path:
    """Write what students get into a new folder in `out`, and return it; it is there whole or not at all.

    Raises InputError if it exists, or for any doubt about its contents.
    """
    target = out / manifest.folder.name
    if target.exists():
        raise InputError(f"{target} exists; remove it, or choose another folder")
    try:
        found = contents(manifest, instructor)
        if faults := list(faults_in_tests(manifest, instructor)):
            raise InputError("; ".join(faults))
    except InputError as error:
        raise InputError(f"nothing was released: {error}") from None
    out.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=out))
    try:
        for name, content in found.items():
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_bytes(content)
        part.chmod(0o755)
        os.replace(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return target


def clone(repository: Path, target: Path, instructor: Path | None = None) -> Path:
    """Write the repository that students may see into a new folder: one commit, without any instructor's material.

    It has what git knows of `repository` but for the folders of its assignments, which are as they are released.
    Raises InputError if `target` exists, git does not work there, an assignment cannot be released, or a file has a
    canary in it.
    """
    if target.exists():
        raise InputError(f"{target} exists; remove it, or choose another folder")
    home = repository / "assignments"
    assignments = [manifests.read(path.parent) for path in sorted(home.glob("*/manifest.toml"))]
    inside = tuple(f"assignments/{assignment.folder.name}/" for assignment in assignments)
    names = _git(repository, "ls-files", "-z").split("\0")
    found = {name: (repository / name).read_bytes() for name in names if name and not name.startswith(inside)
             and (repository / name).is_file() and not (repository / name).is_symlink()}
    for assignment in assignments:
        material = assignment.instructor(instructor)
        for secret, what in _secrets(assignment, material).items():
            if what.startswith("the canary") and (name := next(
                    (name for name in found if secret.encode() in found[name]), None)):
                raise InputError(f"nothing was written: {name} has {what}")
        if faults := list(faults_in_tests(assignment, material)):
            raise InputError(f"nothing was written: {'; '.join(faults)}")
        found |= {f"assignments/{assignment.folder.name}/{name}": content
                  for name, content in contents(assignment, material).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, content in found.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_bytes(content)
            (part / name).chmod(0o755 if os.access(repository / name, os.X_OK) else 0o644)
        part.chmod(0o755)
        _git(part, "init", "--quiet")
        _git(part, "add", "--all", "--force")
        _git(part, "-c", "user.name=minidl", "-c", "user.email=minidl@localhost", "commit", "--quiet", "--message",
             "minidl, with its assignments as students get them")
        os.replace(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return target


def _git(folder: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True,
                              encoding="utf-8").stdout
    except FileNotFoundError:
        raise InputError("there is no git on this machine, which a clone needs") from None
    except subprocess.CalledProcessError as error:
        raise InputError(f"git {arguments[0]} did not work in {folder}: {error.stderr.strip()}") from None


def contents(manifest: Manifest, instructor: Path) -> dict[str, bytes]:
    """The files that students get: names and contents. Raises InputError for any doubt about them.

    But for its tests, which `faults_in_tests` looks at.
    """
    if stale := build.outdated(manifest, instructor):
        raise InputError(f"{', '.join(stale)} is not what the solution makes of it; first: "
                         f"minidl assign build {manifest.name}")
    names = {"README.md", "manifest.toml", *manifest.handed_in()}
    found = {}
    for path in _files(manifest.folder):
        name = path.relative_to(manifest.folder).as_posix()
        test = name.startswith("tests/") and name.count("/") == 1 and (
            path.name.startswith("test_") and path.suffix == ".py" or path.name == "drivers.py")
        if path.is_symlink() or not (name in names or test):
            raise InputError(f"{path} is a link or none of the files that a release has: {', '.join(sorted(names))}, "
                             "tests/test_*.py and tests/drivers.py; move it into instructor/ or elsewhere")
        found[name] = path.read_bytes()
    if missing := names - set(found):
        raise InputError(f"{manifest.folder} has no {', '.join(sorted(missing))}")
    found["manifest.toml"] = _public_manifest(manifest).encode()
    _search(found, manifest, _secrets(manifest, instructor))
    return found


def _secrets(manifest: Manifest, instructor: Path) -> dict[str, str]:
    """What must not be in a release, without white space, and what it is. Each instructor file needs a canary."""
    found = {markers.squeezed(marker): f"the marker {marker}" for marker in _MARKERS}
    found["CANARY"] = "the word CANARY, which stands in instructor files only"
    for path in _files(instructor):
        if path.suffix in (".py", ".toml", ".md"):
            canaries, where = markers.CANARY.findall(build.read_text(path)), build.shown(manifest, path)
            if not canaries or len(canaries[0]) < 16:
                raise InputError(f"{where} has no canary, by which a copy of it is found: add the line # CANARY "
                                 f"{secrets.token_hex(16)}")
            for canary in canaries:
                if canary in found:
                    raise InputError(f"{where} has {found[canary]}; give it one of its own: # CANARY "
                                     f"{secrets.token_hex(16)}")
                found[canary] = f"the canary of {where}: {canary}"
    for name, source in build.sources(manifest, instructor).items():
        where = build.shown(manifest, instructor / name)
        found |= {line: f"a line of the solution in {where}: {written}"
                  for line, written in markers.distinctive_lines(source, where).items()}
    return found


def _search(found: dict[str, bytes], manifest: Manifest, unwanted: dict[str, str]) -> None:
    hidden = {test.name for _, test in manifest.tests() if test.hidden}
    for name, content in found.items():
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{name} is not UTF-8: {error}") from None
        if named := hidden.intersection(re.findall(r"\w+", text)):
            raise InputError(f"{name} names the hidden test {min(named)}")
        for secret, what in unwanted.items():
            if line := markers.place(secret, text):
                raise InputError(f"{name}:{line} has {what}")


def faults_in_tests(manifest: Manifest, material: Path) -> Iterator[str]:
    """Tests that the manifest does not have, or the files."""
    written = {False: test_functions(manifest.folder / "tests"), True: test_functions(material / "tests")}
    for hidden, functions in written.items():
        wanted = {test.name for _, test in manifest.tests() if test.hidden == hidden}
        where = material / "tests" if hidden else manifest.folder / "tests"
        for name in sorted(wanted - set(functions)):
            yield f"{name} is in the manifest, but not in {where}"
        for name in sorted(set(functions) - wanted):
            yield f"{name} is in {where}, but not in the manifest as a {'hidden' if hidden else 'public'} test"
    for name, fixtures in written[False].items():
        if "reference" in fixtures:
            yield f"{name} is public, and students have no reference: compute what it expects in the test"


def test_functions(folder: Path) -> dict[str, list[str]]:
    """The tests in a folder's files, with the names of their arguments. Raises InputError for one written twice."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.walk(build.parse(build.read_text(path), str(path))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                if node.name in found:
                    raise InputError(f"{path}:{node.lineno}: there is another {node.name}; rename one")
                found[node.name] = [argument.arg for argument in node.args.args]
    return found


def _public_manifest(manifest: Manifest) -> str:
    """The manifest with nothing of a hidden test but its points."""
    tasks = []
    for task in manifest.tasks:
        number = iter(range(1, 1 + len(task.tests)))
        word = "".join(c if c.isalnum() else "_" for c in task.id)
        tasks.append(dataclasses.replace(task, tests=tuple(
            dataclasses.replace(test, name=f"test_hidden_{word}_{next(number)}") if test.hidden else test
            for test in task.tests)))
    public = dataclasses.replace(manifest, tasks=tuple(tasks))
    text = manifests.as_toml(public)
    if manifests.parse(manifest.folder, tomllib.loads(text)) != public:
        raise InputError(f"the manifest of {manifest.name} cannot be written again as it is; has it odd characters?")
    return text


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder and below, but for the instructor's and caches."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    for path in sorted(folder.iterdir()):
        if path.name in _PASSED_OVER:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path
