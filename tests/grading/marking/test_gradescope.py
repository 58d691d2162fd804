"""The archive for Gradescope holds all that grading needs, and its script writes Gradescope's results."""
import json
import os
import subprocess
import sys
import zipfile

import pytest

from minidl import cli
from minidl.errors import InputError
from minidl.grading import manifest
from minidl.grading.marking import gradescope
from tests.grading import isolations, toy


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A folder as Gradescope has it, with this Python as its environment."""
    folder = tmp_path_factory.mktemp("gradescope")
    toy.write(folder)
    path = gradescope.archive(manifest.read(folder / "a0_toys"), folder / "archive.zip")
    with zipfile.ZipFile(path) as file:
        file.extractall(folder / "source")
        modes = {info.filename: info.external_attr >> 16 for info in file.infolist()}
    assert modes["setup.sh"] == modes["run_autograder"] == 0o100755
    (folder / "venv" / "bin").mkdir(parents=True)
    (folder / "venv" / "bin" / "python").symlink_to(sys.executable)
    return folder


def test_the_archive_holds_the_package_the_assignment_and_the_solution_and_no_caches(unpacked):
    files = {path.relative_to(unpacked / "source").as_posix() for path in (unpacked / "source").rglob("*")}
    assert {"minidl/grading/isolation/worker.py", "minidl/cli.py", "assignments/a0_toys/manifest.toml", "secret",
            "assignments/a0_toys/instructor/tests/test_hidden.py"} <= files
    assert not any("__pycache__" in name for name in files)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Gradescope's machines run Linux")
def test_the_script_grades_a_submission_in_a_sandbox(unpacked):
    if isolations.named("auto").name == "none":
        pytest.skip("this machine has no isolation, which the script asks for")
    (unpacked / "submission").mkdir()
    (unpacked / "submission" / "toys.py").write_text(toy.SOLUTION.replace("2 * x", "3 * x"))
    done = subprocess.run(["bash", str(unpacked / "source" / "run_autograder")], text=True, capture_output=True,
                          env={**os.environ, "AUTOGRADER": str(unpacked), "PYTHONPATH": ""})
    table = json.loads((unpacked / "results" / "results.json").read_text())
    assert table["score"] == 1.0 and [test["score"] for test in table["tests"]] == [0.0, 0.0, 1.0], done.stderr


def test_the_command_writes_it(tmp_path, monkeypatch, capsys):
    toy.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gradescope", str(tmp_path / "a0_toys")]) == 0
    assert capsys.readouterr().out.strip() == "a0-gradescope.zip" and (tmp_path / "a0-gradescope.zip").exists()


def test_an_archive_written_anew_keeps_its_secret_and_nothing_else_is_overwritten(tmp_path):
    toys, path, secrets = manifest.read(toy.write(tmp_path)), tmp_path / "archive.zip", []
    for _ in range(2):
        with zipfile.ZipFile(gradescope.archive(toys, path)) as file:
            secrets.append(file.read("secret"))
    assert secrets[0] == secrets[1]
    path.write_text("mine")
    with pytest.raises(InputError, match="no archive of minidl gradescope"):
        gradescope.archive(toys, path)
    assert path.read_text() == "mine"
