"""What is not a student's fault costs no student points: it is named, and --resume ends with the right marks."""
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import pytest

import minidl as md
from minidl.grading.isolation import host, stage
from minidl.grading.marking import collect, grade, results
from minidl.grading.marking.plugin import verdict
from minidl.grading.marking.proxy import Remote
from tests.grading.marking import faults
from tests.processes import running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="submissions are graded on Linux and macOS")


@pytest.fixture
def place(tmp_path, monkeypatch):
    faults.hand_in(tmp_path)
    faults.alone(monkeypatch)
    return tmp_path


@contextmanager
def locked_by_another(out):
    """A process that has the lock of a folder of results, and is killed at the block's end."""
    out.mkdir()
    source = ("import sys, pathlib, time\nfrom minidl.grading.marking import workplace\n"
              "with workplace.locked(pathlib.Path(sys.argv[1])):\n    print(flush=True)\n    time.sleep(1000)\n")
    with running([sys.executable, "-c", source, str(out)], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        yield other


def only(wanted, real, broken):
    """A function that is broken where an argument names the wanted submission."""
    return lambda *arguments, **options: (broken if any(f"/{wanted}" in str(each) for each in arguments) else real)(
        *arguments, **options)


# The system refuses the grader something ------------------------------------------------------------------------------

def test_without_faults_all_get_their_marks(place):
    left, marks, _ = faults.graded(place)
    assert left == 0 and marks == faults.RIGHT_MARKS


@pytest.mark.parametrize("what", ["mkdtemp", "collect", "session", "result"])
def test_a_refusal_ends_one_submission_alone_and_resume_gives_its_marks(place, monkeypatch, what):
    with monkeypatch.context() as patch:
        if what == "mkdtemp":
            real = tempfile.mkdtemp
            staged = iter([real, faults.full, real])
            patch.setattr(tempfile, "mkdtemp", lambda *arguments, **options: (
                next(staged) if "dir" in options else real)(*arguments, **options))
        elif what == "collect":
            patch.setattr(collect, "collect", only("bob", collect.collect, faults.full))
        elif what == "session":
            patch.setattr(grade._Run, "_session", only("bob", faults.here, faults.full))
        else:
            patch.setattr(results.Result, "write", only("bob", results.Result.write, faults.full))
        left, marks, said = faults.graded(place)
    assert left == 1 and marks.get("bob", 0.0) == 0.0 and {**marks, "bob": 1.0} == faults.RIGHT_MARKS
    assert any("bob: 0 of 4 points (3 infrastructure)" in line for line in said)
    assert faults.graded(place, resume=True)[:2] == (0, faults.RIGHT_MARKS)


def test_whatever_keeps_a_worker_from_starting_is_the_machines_fault(tmp_path, monkeypatch):
    with stage.Stage(tmp_path) as place:
        for owner, name in ((tempfile, "mkdtemp"), (host.subprocess, "Popen"), (host, "readable")):
            for error in (faults.full, lambda *_, **__: [][0]):
                with monkeypatch.context() as patch:
                    patch.setattr(owner, name, error)
                    with pytest.raises(host.Infrastructure, match="no worker could be started.*(No space|index)"):
                        host.Worker(place, stage.Isolation("none"), host.Limits())


def test_a_stage_for_which_there_is_no_room_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(stage.shutil, "copyfile", faults.full)
    with pytest.raises(OSError, match="No space"):
        stage.Stage(tmp_path)
    assert not list((tmp_path / "temporary").iterdir())


def test_what_the_system_refuses_a_test_is_no_answers_fault():
    with pytest.raises(OSError) as refused:
        faults.full()
    assert verdict(refused.value)[0] == "infrastructure"


def test_a_file_that_was_handed_in_and_is_gone_is_not_missing(tmp_path):
    (tmp_path / "toys.py").write_text("")
    with stage.Stage(tmp_path) as place, host.Workers(place, stage.Isolation("none"), host.Limits(), 1) as workers:
        (place.submission / "toys.py").unlink()
        with pytest.raises(host.Infrastructure, match="toys.py was handed in, and is gone"):
            Remote(workers, "toys", None).double(1)


# Two gradings ---------------------------------------------------------------------------------------------------------

@pytest.mark.processes
def test_a_second_grading_into_a_folder_is_told_who_writes_there_and_changes_nothing(place):
    with locked_by_another(place / "out") as other:
        before = sorted((place / "out").iterdir())
        with pytest.raises(md.InputError, match=f"another grading .process {other.pid} on .*, since .* writes into"):
            faults.graded(place)
        assert sorted((place / "out").iterdir()) == before
    left, marks, _ = faults.graded(place, resume=True)             # it has ended, by whatever: it holds nothing
    assert left == 0 and marks == faults.RIGHT_MARKS
    assert (place / "out" / ".lock").read_text() == ""
