"""Verdicts come from what ended a test in the grader's process, and of a hidden test nothing but its status is kept."""
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from minidl.grading import manifest
from minidl.grading.checks import check_array
from minidl.grading.isolation import host
from minidl.grading.isolation.stage import Isolation, Stage
from minidl.grading.marking import results, session
from minidl.grading.marking.plugin import Plan
from minidl.grading.marking.proxy import Local, Missing, Remote, Student


class Answers(Student):
    """A submission whose every function returns `value`, or raises it."""

    def __init__(self, value=None):
        super().__init__(None)
        self.value = value

    def call(self, name, *arguments):
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value

    def output(self):
        return "printed"


def run(folder, source, *, student=lambda test: Answers(), secret=(), tests=None, **options):
    """The records of a file of tests, by test, and the plugin: each test has a task of its own."""
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "test_it.py").write_text(source, encoding="utf-8")
    names = tests or [line.split("(")[0][4:] for line in source.splitlines() if line.startswith("def test_")]
    toys = manifest.Manifest(folder, "a0", "Toys", "1", ("toys.py",), tuple(
        manifest.Task(str(number), "A task", (), (manifest.Test(name, 2.0, name in secret),))
        for number, name in enumerate(names, 1)))
    result = results.Result("a0", "somebody", "", "none")
    plan = Plan(toys, result, student=student, **{"seed": b"a seed", "hidden": True, **options})
    grading = session.run(plan, [folder / "tests"], ["-p", "no:terminal"])
    return result.records, grading


ENDS = [
    (host.StudentError("ValueError", "x", ["toys.py:3 in f: g()"]), "error", "ValueError: x\ntoys.py:3 in f: g()"),
    (host.StudentError("NotImplementedError", "task 1", [], ["NotImplementedError"]), "not_attempted", "task 1"),
    (host.StudentError("MyError", "task 1", [], ["NotImplementedError"]), "not_attempted", "task 1"),
    (host.StudentError("MemoryError", "", ["a", "b"], ["MemoryError"]), "memory", "MemoryError\na\nb"),
    (host.StudentError("ModuleNotFoundError", "No module named 'torch'", [], ["ImportError"], "torch"), "blocked",
     "No module named 'torch': a submission may import the standard library and NumPy\n"
     "ModuleNotFoundError: No module named 'torch'"),
    (host.StudentError("ImportError", "my own", [], ["ImportError"]), "error", "ImportError: my own"),
    (host.StudentError("AssertionError", "mine"), "error", "AssertionError: mine"),
    (host.TimeLimit("no answer within 2 s"), "timeout", "no answer within 2 s"),
    (host.WorkerDied("the process ended by itself"), "crashed", "the process ended by itself"),
    (host.ProtocolError("no frame"), "protocol", "no frame"), (Missing("no `f`"), "missing", "no `f`"),
    (host.Infrastructure("no worker"), "infrastructure", "no worker"), (MemoryError("much"), "memory", "much"),
    *((error, "error", f"{said}\nin the test, with what came: student.f()") for error, said in (
        (NotImplementedError("of the test"), "NotImplementedError: of the test"), (SystemExit(0), "SystemExit: 0"),
        (pytest.skip.Exception("skip me"), "Skipped: skip me"),
        (pytest.xfail.Exception("as expected"), "XFailed: as expected")))]


def one_each(folder, body, values):
    """The records of a test for each value, whose function f answers it."""
    source = "".join(f"def test_{number}(student):\n    {body}\n\n" for number in range(len(values)))
    records, _ = run(folder, source, student=lambda test: Answers(values[int(test.name[5:])]))
    return list(records.values())


def test_what_ends_a_call_gives_the_status(tmp_path):
    records = one_each(tmp_path, "student.f()", [error for error, _, _ in ENDS])
    assert [(record.status, record.message) for record in records] == [tuple(end[1:]) for end in ENDS]
    assert all((record.points, record.maximum, record.output) == (0.0, 2.0, "printed") for record in records)


def test_whatever_an_answer_is_it_is_the_answers_fault(tmp_path):
    answers = [3.0, 4.0, None, "3", np.nan, [], np.ones(2)]
    records = one_each(tmp_path, "assert student.f() + 1 == 4, 'no'", answers)
    assert [record.status for record in records] == ["passed", "failed", "error", "error", "failed", "error", "error"]
    assert [record.points for record in records] == [2.0, 0, 0, 0, 0, 0, 0]
    assert records[2].message.endswith("\nin the test, with what came: assert student.f() + 1 == 4, 'no'")


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="graded on Linux and macOS only")
def test_what_a_test_computes_from_an_answer_has_a_time_limit_too(tmp_path):
    records, _ = run(tmp_path, "def test_it(student):\n    while student.f():\n        pass\n\n\n"
                               "def test_next(student):\n    assert student.f()\n",
                     student=lambda test: Answers(1), seconds=1.0)
    assert [(record.status, record.message) for record in records.values()] == [
        ("timeout", "the test was not done within 1 s"), ("passed", "")]


def test_of_a_hidden_test_the_status_alone_is_kept(tmp_path):
    records, _ = run(tmp_path, "def test_it(student):\n    print('secret')\n    assert student.f() == 42, 'it is 42'\n",
                     secret=["test_it"])
    record = records["test_it"]
    assert (record.status, record.message, record.output, record.hidden) == ("failed", "", "", True)


def test_why_a_hidden_test_could_not_run_is_kept(tmp_path):
    records, _ = run(tmp_path, "def test_it(student):\n    student.f()\n", secret=["test_it"],
                     student=lambda test: Answers(host.Infrastructure("no worker")))
    assert records["test_it"].message == "no worker"


MARKS = '''
import pytest

@pytest.mark.xfail
def test_expected(student):
    assert student.f()

@pytest.mark.xfail(strict=True)
def test_unexpected(student):
    pass

@pytest.mark.skip
def test_skipped(student):
    pass

@pytest.mark.parametrize("x", [2, 1, 2])
def test_cases(student, x):
    assert x == 2, f"x is {x}"

@pytest.mark.parametrize("x", [2, 2])
def test_good_cases(student, x):
    assert x == 2

def test_bare(student):
    y = None
    assert student.f() is not y
'''


def test_marks_give_no_points_and_all_cases_must_pass(tmp_path):
    records, _ = run(tmp_path, MARKS, tests=["test_expected", "test_unexpected", "test_skipped", "test_cases",
                                             "test_good_cases", "test_bare"])
    assert {name: record.status for name, record in records.items()} == {
        "test_expected": "failed", "test_unexpected": "passed", "test_skipped": "infrastructure",
        "test_cases": "failed", "test_good_cases": "passed", "test_bare": "failed"}
    assert records["test_cases"].message.startswith("x is 1") and records["test_bare"].message


def test_the_denominator_is_the_manifests_and_strangers_give_nothing(tmp_path):
    records, grading = run(tmp_path, "def test_a(student):\n    pass\n\ndef test_b(student):\n    pass\n",
                           tests=["test_a", "test_c"])
    assert list(records) == ["test_a"] and grading.strangers == ["test_b"]


NOTES = '''
def test_a(student, rng):
    print(rng.integers(2**40))

def test_b(student, rng):
    print(rng.integers(2**40))
'''


class Quiet(Answers):
    def output(self):
        return ""


def drawn(folder, **options):
    records, _ = run(folder, NOTES, student=lambda test: Quiet(), **options)
    return [(name, record.output) for name, record in records.items()]


def test_random_numbers_follow_from_the_seed_and_the_tests_name_in_any_order(tmp_path):
    first = drawn(tmp_path)
    assert [name for name, _ in first] == ["test_a", "test_b"] and first[0][1] != first[1][1]
    assert first[0][1].strip().isdecimal()                   # what a test printed in this process is kept too
    assert drawn(tmp_path) == first and drawn(tmp_path, reverse=True) == first[::-1]
    assert drawn(tmp_path, seed=b"another")[0][1] != first[0][1]
    assert drawn(tmp_path, only=["test_b"]) == first[1:]
    assert drawn(tmp_path, hidden=False) == first


def test_hidden_tests_run_only_where_they_are_wanted(tmp_path):
    source = "def test_a(student):\n    pass\n\ndef test_b(student):\n    pass\n"
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(source, encoding="utf-8")
    toys = manifest.Manifest(tmp_path, "a0", "Toys", "1", ("toys.py",), (manifest.Task("1", "A task", (), (
        manifest.Test("test_a", 1.0, False), manifest.Test("test_b", 1.0, True))),))
    for hidden, names in ((False, ["test_a"]), (True, ["test_a", "test_b"])):
        result = results.Result("a0", "somebody", "", "none")
        session.run(Plan(toys, result, student=lambda test: Answers(), seed=b"", hidden=hidden),
                    [tmp_path / "tests"], ["-p", "no:terminal"])
        assert list(result.records) == names


def test_the_reference_is_there_for_the_grader_alone(tmp_path):
    source = "def test_it(student, reference):\n    assert reference.f(3) == 9\n"
    (tmp_path / "solution.py").write_text("def f(x):\n    return x * x\n", encoding="utf-8")
    assert run(tmp_path, source, solution=tmp_path / "solution.py")[0]["test_it"].status == "passed"
    record = run(tmp_path, source)[0]["test_it"]
    assert record.status == "infrastructure" and "a public test computes what it expects itself" in record.message
    assert "reference" not in sys.modules


def test_a_broken_file_of_tests_is_the_machines_fault(tmp_path):
    with pytest.raises(host.Infrastructure, match="pytest ended with INTERRUPTED in .*NameError: name 'nowhere'"):
        run(tmp_path, "nowhere\n\ndef test_it(student):\n    pass\n")


def test_ctrl_c_is_ctrl_c(tmp_path):
    with pytest.raises(KeyboardInterrupt, match="stopped in test_it"):
        run(tmp_path, "def test_it(student):\n    student.f()\n", student=lambda test: Answers(KeyboardInterrupt()))


def test_no_configuration_of_the_tests_folder_has_a_say(tmp_path, monkeypatch):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "conftest.py").write_text("raise SystemExit('read')\n", encoding="utf-8")
    (tmp_path / "tests" / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n", encoding="utf-8")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--nonsense")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    assert run(tmp_path, "def test_it(student):\n    pass\n")[0]["test_it"].status == "passed"


SUBMISSION = '''
import sys


def right(x):
    return x + 1


def wrong(x):
    return inner(x)


def inner(x):
    return x.nowhere


def later(x):
    raise NotImplementedError("task 2: write later")


def leaves(x):
    sys.exit(3)


def doubts(x):
    assert x is None, "x must be None"


def imports(x):
    import no_such_module


class Stack:
    def push(self, x):
        raise IndexError(f"full: {x}")
'''
CALLS = "".join(f"def test_{name}(student):\n    assert student.{name}(1) == 2, 'not 2'\n\n" for name in (
    "right", "wrong", "later", "leaves", "doubts", "imports", "rigth"))
CALLS += "def test_driven(student):\n    student.drive('push', 5)\n"


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="workers run on Linux and macOS")
def test_check_and_grading_say_the_same(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "toys.py").write_text(SUBMISSION, encoding="utf-8")
    drivers = tmp_path / "drivers.py"
    drivers.write_text("def push(module, x):\n    return module.Stack().push(x)\n", encoding="utf-8")
    local, _ = run(tmp_path, CALLS, student=lambda test: Local(mine, "toys", drivers))
    with Stage(mine) as stage, host.Workers(stage, Isolation("none"), host.Limits(), 8) as workers:
        remote, _ = run(tmp_path, CALLS, student=lambda test: Remote(workers, "toys", drivers))
    said = {name: (record.status, record.message) for name, record in local.items()}
    graded = {name: (record.status, record.message) for name, record in remote.items()}
    driven = said.pop("test_driven"), graded.pop("test_driven")
    assert said == graded
    assert [status for status, _ in said.values()] == [
        "passed", "error", "not_attempted", "error", "error", "blocked", "missing"]
    assert said["test_wrong"][1] == ("AttributeError: 'int' object has no attribute 'nowhere'\n"
                                     "toys.py:10 in wrong: return inner(x)\ntoys.py:14 in inner: return x.nowhere")
    assert said["test_rigth"][1] == "no `rigth`; did you mean `right`? In toys.py it must be called `rigth`"
    for status, message in driven:
        assert status == "error" and message.startswith("IndexError: full: 5\n")
        assert message.endswith('toys.py:35 in push: raise IndexError(f"full: {x}")')


def test_arguments_are_copied_and_looked_at_after_the_call(tmp_path):
    (tmp_path / "toys.py").write_text("def f(x):\n    x += 1\n    return x\n", encoding="utf-8")
    student, x = Local(Path(tmp_path), "toys", None), np.zeros(3)
    assert student.f(x).tolist() == [1, 1, 1] and x.tolist() == [0, 0, 0]
    assert student.call_and_look("f", x)[1][0].tolist() == [1, 1, 1] and x.tolist() == [0, 0, 0]


def test_a_function_that_changes_its_arguments_or_its_mind_is_found_out(tmp_path):
    (tmp_path / "toys.py").write_text("count = []\n\ndef pure(x, more):\n    return x + len(more['b'])\n\n"
                                      "def changing(x, more):\n    more['b'].append(1)\n    return x\n\n"
                                      "def doubting(x, more):\n    count.append(1)\n    return x + len(count)\n",
                                      encoding="utf-8")
    student, x = Local(Path(tmp_path), "toys", None), np.array([0.0, np.nan])
    check_array(student.call_twice("pure", x, {"b": [1, 2]}), x + 2)
    with pytest.raises(AssertionError, match="changing changes its arguments; work on a copy"):
        student.call_twice("changing", x, {"b": []})
    with pytest.raises(AssertionError, match="doubting gives another answer when it is called again"):
        student.call_twice("doubting", x, {"b": []})


def test_a_driver_that_cannot_use_what_it_got_does_not_point_at_itself_first(tmp_path):
    (tmp_path / "tests").mkdir()
    drivers = tmp_path / "tests" / "drivers.py"
    drivers.write_text("def fitted(module):\n    return module.fit().mean\n", encoding="utf-8")
    (tmp_path / "toys.py").write_text("def fit():\n    3.0\n", encoding="utf-8")
    grading, _ = run(tmp_path, "def test_a(student):\n    assert student.drive('fitted') == 3\n",
                     student=lambda test: Local(tmp_path, "toys", drivers))
    record = grading["test_a"]
    assert record.status == "error" and record.message.splitlines() == [
        "what your code returned cannot be used (is a `return` missing?): 'NoneType' object has no attribute 'mean'",
        "in the test's drivers.py:2 in fitted: return module.fit().mean"]
    (tmp_path / "toys.py").write_text("def fit():\n    return None + 1\n", encoding="utf-8")
    grading, _ = run(tmp_path, "def test_a(student):\n    assert student.drive('fitted') == 3\n",
                     student=lambda test: Local(tmp_path, "toys", drivers))
    assert grading["test_a"].message.startswith("TypeError:") and "toys.py:2 in fit" in grading["test_a"].message
