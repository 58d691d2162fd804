"""What students get is an allow-list, and nothing at all if anything of the instructor's is in it."""
import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from minidl import cli
from minidl.errors import InputError
from minidl.grading import manifest
from minidl.grading.authoring import build, markers, release, template

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def flows(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDL_ASSIGNMENTS", str(tmp_path))
    return manifest.read(template.new("a9", "Flows"))


def add(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_release_holds_what_students_need_and_no_more(flows, tmp_path):
    (flows.folder / "tests" / "drivers.py").write_text("def drive(module):\n    return 1\n", encoding="utf-8")
    (flows.folder / "tests" / "__pycache__").mkdir()
    target = release.release(flows, flows.instructor(), tmp_path / "out")
    assert target == tmp_path / "out" / "a9_flows"
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == {
        "README.md", "answers.md", "flows.py", "manifest.toml", "tests/drivers.py", "tests/test_flows.py"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a9_flows"]


def test_of_hidden_tests_only_number_and_points_are_released(flows, tmp_path):
    target = release.release(flows, flows.instructor(), tmp_path / "out")
    assert "large_offsets" not in (target / "manifest.toml").read_text(encoding="utf-8")
    public = manifest.read(target)
    assert public.points == flows.points and public.task("1.1").points == flows.task("1.1").points
    assert [(test.name, test.points) for _, test in public.tests() if test.hidden] == [("test_hidden_1_1_1", 2)]


LEAKS = {
    "a marker in the statement": ("README.md", "\n# BEGIN SOLUTION task=1.1\n", "the marker BEGIN SOLUTION"),
    "a line of the solution": ("README.md", "\n    mean=x.mean( axis=0, keepdims=True )\n", "a line of the solution in "
                               "instructor/flows.py: mean = x.mean(axis=0, keepdims=True)"),
    "a solution within a test": ("tests/test_flows.py", "\n# mean = x.mean(axis=0, keepdims=True)  # hm\n",
                                 "a line of the solution"),
    "a word of instructor files": ("README.md", "\nCANARY\n", "has the word CANARY, which stands in instructor files"),
    "a test that the manifest lacks": ("tests/test_flows.py", "\n\ndef test_more(student):\n    pass\n",
                                       "test_more is in"),
    "a hidden test's name": ("README.md", "\nSee `test_large_offsets`.\n", "names the hidden test test_large_offsets"),
    "a file that nobody knows": ("tests/notes.txt", "", "none of the files that a release has"),
    "a copy of the solution": ("solution.py", "", "none of the files that a release has"),
    "an edited stub": ("flows.py", "\nx = 1\n", "flows.py is not what the solution makes of it"),
    "bytes that are no text": ("tests/test_more.py", "\udcff", "tests/test_more.py is not UTF-8"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_any_doubt_releases_nothing(flows, tmp_path, leak):
    name, text, sentence = LEAKS[leak]
    path = flows.folder / name
    before = path.read_bytes() if path.exists() else b""
    path.write_bytes(before + text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as refused:
        release.release(flows, flows.instructor(), tmp_path / "out")
    assert str(refused.value).startswith("nothing was released: ") and sentence in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_canary_is_found_and_no_instructor_file_goes_without(flows, tmp_path):
    hidden = next((flows.instructor() / "tests").iterdir())
    canary, = markers.CANARY.findall(hidden.read_text(encoding="utf-8"))
    add(flows.folder / "tests" / "test_flows.py", f"# {canary}\n")
    with pytest.raises(InputError, match=f"the canary of instructor/tests/{hidden.name}: {canary}"):
        release.release(flows, flows.instructor(), tmp_path / "out")
    hidden.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no canary.*: add the line # CANARY [0-9a-f]{32}$"):
        release.release(flows, flows.instructor(), tmp_path / "out")
    hidden.write_text((flows.instructor() / "flows.py").read_text(encoding="utf-8").partition("\n")[0] + "\n")
    with pytest.raises(InputError, match="test_flows_hidden.py has the canary of instructor/flows.py: .* its own"):
        release.release(flows, flows.instructor(), tmp_path / "out")


def test_a_hidden_test_that_is_not_said_to_be_one_is_not_released_by_name(flows, tmp_path):
    path = flows.folder / "manifest.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(", hidden = true", ""), encoding="utf-8")
    found = manifest.read(flows.folder)
    build.build(found, found.instructor())
    with pytest.raises(InputError, match="test_large_offsets is in the manifest, but not in .*tests"):
        release.release(found, found.instructor(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_solution_of_one_short_line_is_found_in_a_public_test(flows, tmp_path):
    solution = flows.instructor() / "flows.py"
    solution.write_text(solution.read_text(encoding="utf-8").replace(
        "    mean = x.mean(axis=0, keepdims=True)\n    return x - mean\n", "    return x @ W + b\n"))
    add(flows.folder / "tests" / "test_flows.py", "\n\ndef layer(x, W, b):\n    return x@W + b\n")
    with pytest.raises(InputError, match=r"tests/test_flows.py:20 has a line of .*: return x @ W \+ b"):
        release.release(flows, flows.instructor(), tmp_path / "out")


def test_links_are_refused(flows, tmp_path):
    try:
        (flows.folder / "tests" / "test_link.py").symlink_to(flows.instructor() / "flows.py")
    except OSError:
        pytest.skip("no links can be made here")
    with pytest.raises(InputError, match="is a link"):
        release.release(flows, flows.instructor(), tmp_path / "out")


def test_a_missing_file_and_an_earlier_release_are_refused(flows, tmp_path):
    release.release(flows, flows.instructor(), tmp_path / "out")
    with pytest.raises(InputError, match="exists; remove it"):
        release.release(flows, flows.instructor(), tmp_path / "out")
    with pytest.raises(InputError, match="there is no folder .* say --instructor DIR"):
        release.release(flows, flows.instructor(tmp_path / "elsewhere"), tmp_path / "new")


def test_a_copy_that_breaks_off_leaves_nothing(flows, tmp_path, monkeypatch):
    def broken(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release.os, "replace", broken)
    with pytest.raises(OSError, match="No space"):
        release.release(flows, flows.instructor(), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_the_command_line_makes_builds_and_releases(flows, tmp_path, capsys):
    assert cli.main(["assign", "new", "a10", "Mixtures of Gaussians"]) == 0
    assert "a10_mixtures_of_gaussians: rewrite it" in capsys.readouterr().out
    assert cli.main(["assign", "build", "a10", "--check"]) == 0 and capsys.readouterr().out == "a10: up to date\n"
    add(tmp_path / "a10_mixtures_of_gaussians" / "mixtures_of_gaussians.py", "x = 1\n")
    assert cli.main(["assign", "build", "a10", "--check"]) == 1
    assert capsys.readouterr().out == "a10: mixtures_of_gaussians.py out of date\n"
    assert cli.main(["assign", "release", "a10", str(tmp_path / "out")]) == 2 and not (tmp_path / "out").exists()
    assert cli.main(["assign", "build", "a10"]) == 0
    capsys.readouterr()
    assert cli.main(["assign", "release", "a10", str(tmp_path / "out")]) == 0
    assert Path(capsys.readouterr().out.strip()) == tmp_path / "out" / "a10_mixtures_of_gaussians"
    assert cli.main(["assign", "build", "a11"]) == 2 and "no assignment 'a11'" in capsys.readouterr().err
    assert cli.main(["assign", "new", "a10", "Again"]) == 2 and "already" in capsys.readouterr().err


def test_no_wheel_holds_assignments():
    packages = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    assert 'find_packages(include=["minidl", "minidl.*"])' in packages and "assignments" not in packages
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    assert "assignments" not in str(dict(setup["options.package_data"])) and not (REPOSITORY / "MANIFEST.in").exists()
    assert "include_package_data" not in setup["options"]


@pytest.fixture
def repository(flows, tmp_path):
    """A repository with the assignment, a program, and an untracked file."""
    home = tmp_path / "repository"
    (home / "assignments").mkdir(parents=True)
    flows.folder.rename(home / "assignments" / "a9_flows")
    (home / "README.md").write_text("minidl\n")
    (home / "run").write_text("#!/bin/sh\n")
    (home / "run").chmod(0o755)
    for arguments in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", "-C", str(home), *arguments], check=True)
    (home / "notes.txt").write_text("mine")
    return home


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_the_clone_for_students_has_one_commit_and_nothing_of_the_instructors(repository, tmp_path):
    target = release.clone(repository, tmp_path / "students")
    names = subprocess.run(["git", "-C", str(target), "ls-tree", "-r", "--name-only", "HEAD"], text=True,
                           capture_output=True, check=True).stdout.split()
    assert set(names) == {"README.md", "run", *(f"assignments/a9_flows/{name}" for name in (
        "README.md", "answers.md", "flows.py", "manifest.toml", "tests/test_flows.py"))}
    assert os.access(target / "run", os.X_OK) and not os.access(target / "README.md", os.X_OK)
    assert "large_offsets" not in (target / "assignments" / "a9_flows" / "manifest.toml").read_text()
    with pytest.raises(InputError, match="students exists; remove it"):
        release.clone(repository, target)
    solution = (repository / "assignments" / "a9_flows" / "instructor" / "flows.py").read_text()
    (repository / "README.md").write_text(solution)
    with pytest.raises(InputError, match="nothing was written: README.md has the canary of instructor/flows.py"):
        release.clone(repository, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_a_clone_needs_a_repository(tmp_path):
    with pytest.raises(InputError, match="git ls-files did not work in"):
        release.clone(tmp_path, tmp_path / "students")


def test_a_release_is_of_one_assignment_or_a_clone(capsys):
    for arguments in (["a9"], [], ["a9", "out", "--clone", "x"], ["a9", "--clone", "x"]):
        assert cli.main(["assign", "release", *arguments]) == 2
        assert "give an assignment and a folder" in capsys.readouterr().err
