"""What is not a student's fault costs no student points: it is named, and --resume ends with the right marks."""
import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import minidl as md
from minidl import cli
from minidl.grading.isolation import host, sandbox, stage
from minidl.grading.marking import collect, grade, reports, results, workplace
from minidl.grading.marking.plugin import verdict
from minidl.grading.marking.proxy import Remote
from tests.grading import toy
from tests.grading.marking import faults
from tests.grading.marking.test_plugin import Answers, run
from tests.processes import running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="submissions are graded on Linux and macOS")


@pytest.fixture
def place(tmp_path, monkeypatch):
    faults.hand_in(tmp_path)
    faults.alone(monkeypatch)
    return tmp_path


@pytest.fixture
def quick(place, monkeypatch):
    """As `place`, but no test is run there."""
    faults.alone(monkeypatch, faults.by_eye)
    return place


@contextmanager
def locked_by_another(out):
    """A process that has the lock of a folder of results, and is killed at the block's end."""
    out.mkdir()
    source = ("import sys, pathlib, time\nfrom minidl.grading.marking import workplace\n"
              "with workplace.locked(pathlib.Path(sys.argv[1])):\n    print(flush=True)\n    time.sleep(1000)\n")
    with running([sys.executable, "-c", source, str(out)], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        yield other


def read(place, name):
    return results.read(place / "out" / name / "result.json")


def only(wanted, real, broken):
    """A function that is broken where an argument names the wanted submission."""
    return lambda *arguments, **options: (broken if any(f"/{wanted}" in str(each) for each in arguments) else real)(
        *arguments, **options)


# The system refuses the grader something ------------------------------------------------------------------------------

def test_without_faults_all_get_their_marks(place):
    left, marks, _ = faults.graded(place)
    assert left == 0 and marks == faults.RIGHT_MARKS


@pytest.mark.parametrize("what", ["mkdtemp", "collect", "session", "result"])
def test_a_refusal_ends_one_submission_alone_and_resume_gives_its_marks(quick, monkeypatch, what):
    with monkeypatch.context() as patch:
        if what == "mkdtemp":
            real = tempfile.mkdtemp
            staged = iter([real, faults.full])
            patch.setattr(tempfile, "mkdtemp", lambda *arguments, **options: (
                next(staged) if "dir" in options else real)(*arguments, **options))
        elif what == "collect":
            patch.setattr(collect, "collect", only("bob", collect.collect, faults.full))
        elif what == "session":
            patch.setattr(grade._Run, "_session", only("bob", faults.by_eye, faults.full))
        else:
            patch.setattr(results.Result, "write", only("bob", results.Result.write, faults.full))
        left, marks, said = faults.graded(quick)
    assert left == 1 and marks.get("bob", 0.0) == 0.0 and {**marks, "bob": 1.0} == faults.RIGHT_MARKS
    assert any("bob: 0 of 4 points (3 infrastructure)" in line for line in said)
    assert faults.graded(quick, resume=True)[:2] == (0, faults.RIGHT_MARKS)


@pytest.mark.parametrize("owner, name", [(workplace.tempfile, "mkdtemp"), (reports, "write")])
def test_where_there_is_no_room_for_the_whole_it_is_said_and_resume_gives_all_marks(quick, monkeypatch, owner, name):
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, faults.full if owner is not reports else faults.refused)
        left, _, said = faults.graded(quick)
    assert left == 2 and "No space left" in said[-1]
    assert faults.graded(quick, resume=True)[:2] == (0, faults.RIGHT_MARKS)


def test_a_full_disk_is_no_reason_for_a_weaker_isolation(monkeypatch):
    for owner, name in ((sandbox, "Stage"), (host.subprocess, "Popen")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, faults.full)
            with pytest.raises(OSError, match="No space left"):
                sandbox.trouble(stage.Isolation("none"))


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
def test_a_second_grading_into_a_folder_is_told_who_writes_there_and_changes_nothing(quick):
    with locked_by_another(quick / "out") as other:
        before = sorted((quick / "out").iterdir())
        with pytest.raises(md.InputError, match=f"another grading .process {other.pid} on .*, since .* writes into"):
            faults.graded(quick)
        assert sorted((quick / "out").iterdir()) == before
    left, marks, _ = faults.graded(quick, resume=True)             # it has ended, by whatever: it holds nothing
    assert left == 0 and marks == faults.RIGHT_MARKS
    assert (quick / "out" / ".lock").read_text() == ""


# A busy neighbour -----------------------------------------------------------------------------------------------------

def timeouts(run, job, *, names=("bob", "ann"), always=False):
    """A session in which tests of these run out of time, unless they are alone."""
    came = faults.by_eye(run, job)
    path = Path(job["result"])
    result = results.read(path)
    for record in result.records.values():
        if result.submission in names and record.test in job["tests"] and (always or not job["alone"]):
            record.status, record.points, record.doubt = "timeout", 0.0, "" if job["alone"] else "alone"
    result.write(path)
    return came


def test_who_ran_out_of_time_beside_others_gets_a_second_run_alone(quick, monkeypatch):
    monkeypatch.setattr(grade._Run, "_session", timeouts)
    left, marks, said = faults.graded(quick)
    assert left == 0 and marks == faults.RIGHT_MARKS
    assert [line for line in said if line.startswith("once more, alone: ") and "ann: 4 of 4 points (3 passed)" in line]


def test_who_runs_out_of_time_alone_too_has_run_out_of_time(quick, monkeypatch):
    monkeypatch.setattr(grade._Run, "_session", lambda run, job: timeouts(run, job, names=["bob"], always=True))
    left, marks, _ = faults.graded(quick)
    assert left == 0 and marks == {**faults.RIGHT_MARKS, "bob": 0.0}
    assert {record.status for record in read(quick, "bob").records.values()} == {"timeout"}


def test_a_time_limit_that_was_not_tried_again_is_graded_again_by_resume(quick, monkeypatch):
    monkeypatch.setattr(grade._Run, "_session", timeouts)
    with monkeypatch.context() as patch:
        patch.setattr(grade._Run, "settle", faults.full)           # whatever ends the grader there
        left, _, said = faults.graded(quick)
    assert left == 2 and "No space left" in said[-1]
    monkeypatch.setattr(grade._Run, "_session", faults.by_eye)
    assert faults.graded(quick, resume=True)[:2] == (0, faults.RIGHT_MARKS)


@pytest.mark.parametrize("error, doubt", [
    (host.TimeLimit("no answer within 2 s"), "alone"), (host.WorkerDied("it ended by itself (SIGKILL)"), "alone"),
    (host.WorkerDied("it ended by itself (SIGSEGV)"), ""), (host.StudentError("ValueError", "x"), ""),
    (TypeError("what came has no len()"), "test"), (AssertionError("2 came"), ""), (MemoryError(), "")])
def test_what_may_have_come_of_something_else_is_doubted(tmp_path, error, doubt):
    for alone in (False, True):
        records, _ = run(tmp_path, "def test_it(student):\n    student.f()\n", student=lambda test: Answers(error),
                         alone=alone)
        assert records["test_it"].doubt == (doubt if doubt != "alone" or not alone else "")


def test_each_slot_has_cores_of_its_own_while_there_are_enough(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 2, 5}, raising=False)
    assert workplace.cores(1) == [[1, 2, 5]] and workplace.cores(2) == [[1, 5], [2]]
    assert workplace.cores(4) == [[1], [2], [5], [1]]
    monkeypatch.delattr(os, "sched_getaffinity")
    assert workplace.cores(2) == [[], []]


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no such call")
def test_a_worker_runs_on_its_core_alone_and_starts_few_threads(tmp_path):
    core = max(os.sched_getaffinity(0))
    (tmp_path / "toys.py").write_text("import os\n\n\ndef cores():\n    return list(os.sched_getaffinity(0))\n")
    with stage.Stage(tmp_path) as place, host.Workers(place, stage.Isolation("none"), host.Limits(), 1, [core]) as some:
        with some.take() as worker:
            worker.load("toys")
            assert worker.call("toys", "cores") == [core]
    assert host.Limits().processes <= 32


# The tests, the drivers and the reference -----------------------------------------------------------------------------

def plant(place, name, before, after):
    path = place / "a0_toys" / name
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


PLANTED = {
    "a reference that raises": ("instructor/toys.py", "return 2 * x", "return 2 * xx", "name 'xx' is not defined"),
    "a reference that returns nothing": ("instructor/toys.py", "return 2 * x", "2 * x", "is None"),
    "a reference that is wrong": ("instructor/toys.py", "return 2 * x", "return 3 * x", "values differ"),
    "a name in a hidden test": ("instructor/tests/test_hidden.py", "reference.double(", "refrence.double(",
                                "name 'refrence' is not defined"),
    "a function that the reference lacks": ("instructor/tests/test_hidden.py", "reference.double(", "reference.dubble(",
                                            "no attribute 'dubble'"),
    "a wrong expectation": ("tests/test_toys.py", "2 * x)", "5 * x)", "values differ"),
    "a driver's name": ("tests/test_toys.py", '"push_and_pop"', '"push_then_pop"', "push_then_pop"),
    "a driver that raises": ("tests/drivers.py", "stack.push(x)", "stack.pusch(x)", "no attribute 'pusch'"),
    "a hidden test that is skipped": ("instructor/tests/test_hidden.py", "def test_d", "import pytest\n\n\n"
                                      "@pytest.mark.skip\ndef test_d", "cannot be run, not even for the reference"),
    "a fixture that is not there": ("tests/test_toys.py", "student, rng", "student, rgn", "there is no fixture 'rgn'"),
    "a test that is not there": ("manifest.toml", "test_stack", "test_of_a_stack", "pytest did not run this test"),
}
SOME = ["a reference that raises", "a name in a hidden test", "a fixture that is not there"]


@pytest.mark.parametrize("fault", [fault if fault in SOME else pytest.param(fault, marks=pytest.mark.slow)
                                   for fault in PLANTED])
def test_a_fault_in_what_instructors_wrote_stops_it_before_anybody_is_graded(place, fault):
    name, before, after, sentence = PLANTED[fault]
    plant(place, name, before, after)
    try:
        left, marks, said = faults.graded(place)
    except md.InputError as error:
        left, marks, said = 2, {}, [str(error)]
    assert left and marks == {} and not (place / "out" / "gradebook.csv").exists()
    assert "nothing was graded" in said[-1] and sentence in said[-1]
    plant(place, name, after, before)
    assert faults.graded(place, resume=True)[:2] == (0, faults.RIGHT_MARKS)


@pytest.mark.parametrize("fault", ["x = rng.standard_normal((3, 5))\n    if {}: nowhere",
                                   "x = rng.standard_normal((3, 5))\n    if {}: raise OSError('no room')"])
def test_a_fault_that_only_some_random_numbers_bring_up_is_news_for_the_operator_and_no_mark(place, fault):
    (place / "secret").write_text("12" * 32)
    seed, name = bytes.fromhex("12" * 32), b"test_double_of_a_matrix"
    digest = collect.collect(place / "in" / "ann", ["toys.py"]).digest.encode()
    drawn = np.random.default_rng(np.frombuffer(hashlib.sha256(seed + digest + name).digest(), np.uint32)).normal()
    draw, planted = "x = rng.standard_normal((3, 5))", fault.format(f"abs(x[0, 0] - {drawn!r}) < 1e-9")
    plant(place, "instructor/tests/test_hidden.py", draw, planted)
    left, marks, _ = faults.graded(place, secret=place / "secret")
    assert left == 1 and marks == {**faults.RIGHT_MARKS, "ann": 2.0}
    assert read(place, "ann").records["test_double_of_a_matrix"].status == "infrastructure"
    told = (place / "out" / "operator.md").read_text().partition("## Why tests failed")[0]
    assert "ann, test_double_of_a_matrix (hidden): infrastructure" in told and "test_hidden.py:6" in told
    assert not [path for path in (place / "out" / "ann").iterdir() if "nowhere" in path.read_text()]
    plant(place, "instructor/tests/test_hidden.py", planted, draw)
    assert faults.graded(place, secret=place / "secret", resume=True)[:2] == (0, faults.RIGHT_MARKS)


def test_an_answer_on_which_a_test_breaks_off_is_the_answers_fault(place):
    path = place / "in" / "bob" / "toys.py"
    path.write_text(path.read_text().replace("3 * x", "{}"))
    plant(place, "tests/test_toys.py", "student.double(x)", "student.double(x)[:5]")
    left, marks, _ = faults.graded(place)
    assert left == 0 and marks == faults.RIGHT_MARKS and read(place, "bob").records["test_double"].status == "error"


def test_why_a_hidden_test_failed_is_told_the_operator_alone(place):
    faults.graded(place)
    told = (place / "out" / "operator.md").read_text()
    assert "- bob, test_double_of_a_matrix (hidden): failed\n\n      the answer: 15 of 15 values differ" in told
    assert all("15 of 15" not in path.read_text() for path in (place / "out" / "bob").iterdir())
    (place / "in" / "bob" / "toys.py").write_text(toy.SOLUTION)
    faults.graded(place, resume=True)
    assert "bob" not in (place / "out" / "operator.md").read_text()


def test_the_command_leaves_with_the_code_of_what_happened(place, capsys):
    command = ["grade", str(place / "a0_toys"), str(place / "in"), "--out", str(place / "out")]
    assert cli.main(command) == 0 and "operator.md there" in capsys.readouterr().out
    plant(place, "instructor/toys.py", "return 2 * x", "return 3 * x")
    assert cli.main(command) == 2 and "the reference itself does not pass test_double" in capsys.readouterr().err
    plant(place, "instructor/toys.py", "return 3 * x", "return 2 * x")
    plant(place, "tests/test_toys.py", "def test_stack(student", "def test_stack(student, nobody")
    assert cli.main([*command, "--task", "1.2"]) == 3 and "go on with --resume" in capsys.readouterr().err
