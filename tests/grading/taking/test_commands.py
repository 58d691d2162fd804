"""What students do: their work is never overwritten, and what is wrong with it is told in sentences."""
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from minidl import cli
from minidl.errors import InputError
from minidl.grading import manifest
from minidl.grading.authoring import release, template
from minidl.grading.marking import collect, results
from minidl.grading.taking import commands
from tests.grading.solved import SOLVED, checked, solve

# Start and sync -------------------------------------------------------------------------------------------------------

def test_start_copies_what_students_get_and_nothing_of_the_instructor(work):
    assert {path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file()} == {
        "README.md", "answers.md", "flows.py", "manifest.toml", "tests/test_flows.py"}


def test_start_keeps_what_is_there_and_says_so(work, capsys):
    solve(work)
    (work / "README.md").unlink()
    capsys.readouterr()
    commands.start("a9")
    said = capsys.readouterr().out
    assert "kept as they are in a9_flows: flows.py; minidl sync a9" in said
    assert (work / "flows.py").read_text(encoding="utf-8") == SOLVED and (work / "README.md").exists()


def test_start_takes_a_folder_to_go_to_and_a_released_folder_to_come_from(work, tmp_path, monkeypatch):
    source = manifest.find("a9")
    released = release.release(source, source.instructor(), tmp_path / "released")
    monkeypatch.delenv("MINIDL_ASSIGNMENTS")
    commands.start(str(released), tmp_path / "mine" / "other")
    assert (tmp_path / "mine" / "other" / "flows.py").exists()
    with pytest.raises(InputError, match="a9 is here 2 times"):
        commands.started("a9")
    monkeypatch.chdir(tmp_path / "mine" / "other")
    assert commands.started("a9").folder == tmp_path / "mine" / "other"
    monkeypatch.chdir(released)
    with pytest.raises(InputError, match="is where a9 comes from"):
        commands.start(str(released), released)


def test_sync_replaces_statement_and_tests_and_leaves_work_alone(work, capsys):
    source = manifest.find("a9")
    commands.sync("a9")
    assert capsys.readouterr().out.splitlines()[-1] == "a9 is up to date"
    solve(work, "def other():\n    pass\n")
    (work / "answers.md").write_text("Because.", encoding="utf-8")
    (work / "tests" / "my_notes.txt").write_text("mine", encoding="utf-8")
    old = (work / "README.md").read_bytes()
    (source.folder / "README.md").write_text("# New\n", encoding="utf-8")
    (source.folder / "tests" / "drivers.py").write_text("x = 1\n", encoding="utf-8")
    commands.sync("a9")
    said = capsys.readouterr().out
    assert "changed: README.md (the one before is README.md.old)" in said and "new: tests/drivers.py" in said
    assert "your flows.py has no centre, which task 1.1 asks for" in said
    assert (work / "README.md").read_text(encoding="utf-8") == "# New\n"
    assert (work / "README.md.old").read_bytes() == old
    assert (work / "answers.md").read_text(encoding="utf-8") == "Because."
    assert (work / "flows.py").read_text(encoding="utf-8") == "def other():\n    pass\n"
    assert (work / "tests" / "my_notes.txt").exists()
    solve(work, "def broken(:\n")
    commands.sync("a9")
    assert capsys.readouterr().out == "a9 is up to date\n"        # what it lacks cannot be told


WRONG = {
    "check a99": r"a99 is not started here: neither .* nor a folder in it holds it; did you mean a9\?",
    "check a8": "a8 is not started here: .*; go to where you started it, or: minidl start a8",
    "start a99": r"no assignment 'a99'; there are .*; did you mean a9\?", "sync a8": "no assignment 'a8'",
    "submit flowers": "flowers is not started here.*; did you mean a9_flows",
    "check a9 7.7": "a9 has no task '7.7'; its tasks are 1.1$", "check a9 11": "its tasks are 1.1; did you mean 1.1",
    "check a9 1.2": "question 1.2 is read by a person; write your answer in .*answers.md",
    "check a9 centre": "centre belongs to task 1.1: minidl check a9 1.1",
    "check .": r"\. is no assignment's folder: there is no manifest.toml",
    "start nowhere/a9": "nowhere/a9 is no assignment's folder: there is no nowhere/a9/manifest.toml",
}


@pytest.mark.skipif(sys.platform == "win32", reason="the paths are written with slashes")
@pytest.mark.parametrize("command", WRONG)
def test_what_is_not_started_or_not_there_is_told(work, capsys, command):
    assert cli.main(command.split()) == 2
    assert re.search(WRONG[command], capsys.readouterr().err)


def test_a_folder_or_a_file_in_it_can_be_named_instead(work, capsys, monkeypatch):
    solve(work)
    for wanted in ("a9/", "a9_flows", "a9_flows/", "./a9_flows", str(work), "a9_flows/flows.py"):
        assert cli.main(["start", wanted]) == cli.main(["sync", wanted]) == 0
        assert commands.started(wanted).folder == work
    monkeypatch.chdir(work)
    assert checked(capsys, ".")[1] == cli.main(["start", "a9"]) == cli.main(["sync", "."]) == 0
    assert not (work / "a9_flows").exists()
    monkeypatch.chdir("/")
    assert cli.main(["submit", str(work)]) == cli.main(["sync", str(work)]) == 0


def test_sync_takes_a_folder_to_come_from(work, tmp_path, capsys):
    source = manifest.find("a9")
    released = release.release(source, source.instructor(), tmp_path / "released")
    (released / "README.md").write_text("# Newer\n", encoding="utf-8")
    assert cli.main(["sync", str(released)]) == 0
    assert (work / "README.md").read_text(encoding="utf-8") == "# Newer\n"


def test_another_folders_broken_manifest_is_no_hindrance(work, capsys):
    solve(work)
    for name, text in (("a7_broken", "name ="), ("website", 'title = "no assignment"')):
        (work.parent / name).mkdir()
        (work.parent / name / "manifest.toml").write_text(text, encoding="utf-8")
    assert checked(capsys, "a9")[1] == 0
    said, code = checked(capsys, "a7")
    assert code == 2 and "manifest.toml cannot be read" in said
    assert cli.main(["status"]) == 0
    said = capsys.readouterr().out
    assert "a7   " in said and "a9   Flows: public: 2/2 points" in said


# Check ----------------------------------------------------------------------------------------------------------------

def test_a_stub_is_not_attempted_calmly(work, capsys):
    said, code = checked(capsys, "a9")
    assert code == 1 and said.count("not attempted") == 2 and "NotImplemented" not in said
    assert said.count("task 1.1: write centre") == 1 and "note: nothing is written yet: flows.py as handed out" in said
    assert "public: 0/2 points; hidden: 2 points in 1 test not run here; answers.md: 1 point, read by a person" in said


def test_check_names_the_file_its_checksum_and_the_isolation(work, capsys):
    solve(work)
    said, code = checked(capsys, "a9")
    digest = hashlib.sha256((work / "flows.py").read_bytes()).hexdigest()
    assert code == 0 and f"file: {work / 'flows.py'} (sha256 {digest[:12]})" in said
    assert "isolation: none, your own code runs in this process" in said
    assert "public: 2/2 points; hidden: 2 points in 1 test not run here" in said
    assert "  passed         test_columns_have_mean_zero" in said


def test_what_passes_all_public_tests_is_to_be_handed_in(work, capsys):
    solve(work)
    last = "all public tests pass: minidl submit a9 writes the file to hand in"
    assert checked(capsys, "a9")[0].splitlines()[-1] == last
    assert last not in checked(capsys, "a9", "1.1")[0]            # of one task: others may be left
    solve(work, SOLVED.replace("x.mean(axis=0)", "x.mean()"))
    assert last not in checked(capsys, "a9")[0]


def test_a_value_that_no_test_can_look_at_is_named_with_the_function_that_returned_it(work, capsys):
    for value, what in (("{1.0}", "a value of type set"), ("[x, {1.0}]", "a list with a value of type set"),
                        ("(v for v in x)", "a value of type generator"), ("x + 0j", "an array of complex128"),
                        ("{1: x}", "a dict with a key of type int")):
        solve(work, SOLVED.replace("x - x.mean(axis=0)", value))
        said, _ = checked(capsys, "a9")
        assert re.search(f"centre returned {what}; .* expected", said), said


def test_check_takes_one_task_and_works_within_the_folder(work, capsys, monkeypatch):
    solve(work)
    monkeypatch.chdir(work)
    said, code = checked(capsys, "a9", "1.1")
    assert code == 0 and "public: 2/2" in said and "answers.md" not in said
    assert checked(capsys, "1.1") == (said, code) and "public: 2/2" in checked(capsys)[0]


def test_a_wrong_value_is_a_sentence_with_what_was_printed(work, capsys):
    solve(work, SOLVED.replace("axis=0", "").replace("    return", "    print('shape', x.shape)\n    return"))
    said, code = checked(capsys, "a9")
    assert code == 1 and "failed         test_columns_have_mean_zero" in said and "public: 1/2" in said
    assert "the mean of centre(x): 3 of 3 values differ, first at [0]" in said
    assert "it printed:\n                 shape (20, 3)\n" in said and said.count("it printed") == 1


FAULTS = {
    "an exception, with its lines": (SOLVED.replace("mean(", "meen("), [
        "AttributeError: 'numpy.ndarray' object has no attribute 'meen'",
        "flows.py:6 in centre: return x - x.meen(axis=0)", "(as above)"]),
    "a failed assertion of its own": (SOLVED.replace("    return", "    assert x.ndim == 3\n    return"), [
        "error          test_columns", "AssertionError", "flows.py:6 in centre: assert x.ndim == 3"]),
    "a changed argument": (SOLVED.replace("return x - x", "x -= x").replace("x -= x.mean(axis=0)",
                                                                          "x -= x.mean(axis=0)\n    return x"), [
        "failed         test_the_input_stays_as_it_is", "centre changes its arguments; work on a copy",
        "note: centre changes its arguments; they are its caller's"]),
    "a missing return": (SOLVED.replace("return ", ""), [
        "failed         test_columns_have_mean_zero", "centre(x) is None (is a `return` missing?), an array of"]),
    "a misspelt function": (SOLVED.replace("centre", "center"), [
        "no `centre`; did you mean `center`? In flows.py it must be called `centre`"]),
    "an endless recursion": (SOLVED.replace("x - x", "centre(x) - x"), [
        "RecursionError", "return centre(x) - x.mean(axis=0)\n                 (and the same 7 more times)"]),
    "input": ("n = input('n? ')\n" + SOLVED, ["EOFError: EOF when reading a line", "flows.py:1 in <module>"]),
    "a flood": ("print('y' * 10**6, flush=True)\n" + SOLVED.replace("axis=0", ""), [
        "it printed:\n                 " + "y" * 200 + " ...\n"]),
    "a warning": (SOLVED.replace("x - x", "np.log(x - 100) - x"), ["RuntimeWarning: invalid value encountered in log"]),
    "tabs and spaces": ("def f():\n\tx = 1\n        return x\n", ["TabError: inconsistent use of tabs and spaces"]),
    "another's byte order mark and ends of lines": ("\ufeff" + SOLVED.replace("\n", "\r\n"), ["public: 2/2"]),
    "a syntax error": ("def centre(x:\n", ["SyntaxError: '(' was never closed (flows.py, line 1)"]),
    "an exit": ("import sys\nsys.exit(0)\n", ["SystemExit: 0", "flows.py:2 in <module>: sys.exit(0)"]),
    "an import that is not installed": ("import no_such_module\n" + SOLVED, [
        "note: flows.py:1 imports no_such_module, which is not there when it is graded", "blocked        test_colum"]),
    "minidl, which solves tasks": ("from minidl.linear import PCA\n" + SOLVED, [
        "note: flows.py:1 imports minidl, which is not there when it is graded: only Python's own modules and flows, "
        "numpy are", "public: 2/2"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_a_student_writes_gets_a_sentence(work, capsys, fault):
    source, sentences = FAULTS[fault]
    (work / "flows.py").write_bytes(source.encode())
    said, code = checked(capsys, "a9")
    assert [sentence for sentence in sentences if sentence not in said] == []
    assert code == int("public: 2/2" not in said)


def test_what_no_test_gets_past_is_told_once_more_at_the_end(work, capsys):
    tests = tuple(manifest.Test(f"test_{i}", 1.0, False) for i in range(7))
    many = replace(manifest.read(work), tasks=(manifest.Task("1", "Many", ("centre",), tests),))
    for status, message, told in (("error", "SyntaxError: here", 2), ("not_attempted", "task 1: write centre", 1),
                                  ("passed", "", 0)):
        result, printer = results.Result("a9", "", "", "none"), commands._Printer(many, None)
        for test in tests:
            result.add(results.Record(test.name, "1", status, 0.0, 1.0, False, message))
            printer.show(result)
        printer.end(result)
        said = capsys.readouterr().out
        assert ("all 7 tests: " in said) == (status == "error")
        assert not message or said.count(message) == told


def test_a_wrong_encoding_and_a_missing_file_are_told(work, capsys):
    (work / "flows.py").write_bytes(b'x = "\xe9"\n')
    said, code = checked(capsys, "a9")
    assert code == 1 and "'utf-8' codec can't decode byte 0xe9" in said
    assert "note: flows.py is not saved as UTF-8 (line 1); save it as UTF-8 in your editor" in said
    (work / "flows.py").unlink()
    said, code = checked(capsys, "a9")
    assert code == 1 and "flows.py (not there)" in said and "missing        test_columns_have_mean_zero" in said


def test_a_file_named_as_a_library_changes_nothing_and_is_told(work, capsys):
    solve(work)
    (work / "numpy.py").write_text("raise SystemExit('not this one')\n", encoding="utf-8")
    said, code = checked(capsys, "a9")
    assert code == 0 and "note: numpy.py has the name of a library, and is never imported" in said


def test_a_test_with_parameters_is_told_once(work, capsys):
    path = work / "tests" / "test_flows.py"
    text = path.read_text(encoding="utf-8")
    for before, after in (("rng):\n", "rng, n):\n"), ("(20, 3)", "(n, 3)"),
                          ("import numpy", "import pytest\nimport numpy"),
                          ("\n\n\ndef ", "\n\n\n@pytest.mark.parametrize('n', [20, 30])\ndef ")):
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    solve(work)
    said, code = checked(capsys, "a9")
    assert code == 0 and said.count("passed  ") == 2 and "public: 2/2" in said
    solve(work, SOLVED.replace("return ", "assert len(x) == 20\n    return "))
    said, code = checked(capsys, "a9")
    assert code == 1 and "public: 0/2" in said and said.count("flows.py:6 in centre: assert len(x) == 20") == 1


def test_tests_that_were_removed_are_told(work, capsys):
    solve(work)
    tests = work / "tests" / "test_flows.py"
    text = tests.read_text(encoding="utf-8")
    tests.write_text(text.replace("test_columns_have_mean_zero", "test_columns"), encoding="utf-8")
    said, code = checked(capsys, "a9")
    assert code == 1 and "test_columns_have_mean_zero is not in tests/; minidl sync a9" in said and "1/2" in said


def test_tests_that_are_broken_are_told(work, capsys):
    (work / "tests" / "test_flows.py").write_text("def broken(:\n", encoding="utf-8")
    said, code = checked(capsys, "a9")
    assert code == 2 and "SyntaxError" in said and "minidl sync a9 brings the tests as they were" in said


def test_a_students_module_is_fresh_in_each_test(work, capsys):
    solve(work, SOLVED.replace("    return", "    calls.append(1)\n    assert len(calls) <= 2\n    return")
          .replace("def", "calls = []\n\n\ndef"))
    assert checked(capsys, "a9")[1] == 0


def test_a_change_within_a_second_is_seen(work, capsys):
    solve(work)
    os.utime(work / "flows.py", (1e9, 1e9))
    assert checked(capsys, "a9")[1] == 0
    solve(work, SOLVED.replace("x - x", "x + x"))
    os.utime(work / "flows.py", (1e9, 1e9))
    assert checked(capsys, "a9")[1] == 1


# Status and submit ----------------------------------------------------------------------------------------------------

def test_status_shows_every_started_assignment(work, capsys):
    template.new("a10", "Mixtures")
    commands.start("a10")
    solve(work)
    capsys.readouterr()
    assert cli.main(["status"]) == 0
    said = capsys.readouterr().out
    assert "a10  Mixtures: public: 0/2 points" in said and "a9   Flows: public: 2/2 points" in said
    assert "     1.1  not attempted  Centred data" in said and "     1.1  passed         Centred data" in said


def test_status_where_nothing_is_started_says_how_to_begin(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["status"]) == 2 and "begin with minidl start a1" in capsys.readouterr().err


def test_submit_writes_files_and_checksums_which_the_grader_reads(work, capsys):
    solve(work)
    target = commands.submit("a9")
    first = target.read_bytes()
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["flows.py", "answers.md", "checksums.txt"]
        assert archive.read("flows.py").decode() == SOLVED
        sums = dict(reversed(line.split("  ")) for line in archive.read("checksums.txt").decode().splitlines())
        assert sums == {name: hashlib.sha256((work / name).read_bytes()).hexdigest()
                        for name in ("flows.py", "answers.md")}
    assert collect.collect(target, ["flows.py"]).files == {"flows.py": SOLVED.encode()}
    assert str(target) in capsys.readouterr().out and commands.submit("a9").read_bytes() == first


def test_submit_says_what_is_left_and_how_many_points_there_are(work, capsys):
    capsys.readouterr()
    assert cli.main(["submit", "a9"]) == 0
    said = capsys.readouterr().out
    assert "note: nothing is written yet: flows.py as handed out" in said
    assert "note: answers.md has nothing below the heading of 1.2 yet" in said
    assert "public: 0/2 points; hidden: 2 points" in said and "minidl check a9 says what the public tests" in said
    solve(work)
    with open(work / "answers.md", "a", encoding="utf-8") as answers:
        answers.write("Because.\n")
    assert cli.main(["submit", "a9"]) == 0
    said = capsys.readouterr().out
    assert "note" not in said and "public: 2/2 points" in said and "minidl check" not in said


def test_submit_refuses_what_cannot_pass_unless_it_is_told_to(work, capsys):
    solve(work, "import no_such_module\n" + SOLVED)
    assert cli.main(["submit", "a9"]) == 0
    assert "note: flows.py:1 imports no_such_module, which is not there when it is graded" in capsys.readouterr().out
    (work / "a9.zip").unlink()
    solve(work, "def centre(x:\n")
    assert cli.main(["submit", "a9"]) == 2
    assert "is no valid Python, so that no test can pass" in capsys.readouterr().err and not (work / "a9.zip").exists()
    assert cli.main(["submit", "a9", "--force"]) == 0 and (work / "a9.zip").exists()
    (work / "answers.md").unlink()
    with pytest.raises(InputError, match="a9 consists of flows.py, answers.md"):
        commands.submit("a9", force=True)


def test_the_command_line_starts_without_pytest(work):
    program = "import sys; from minidl import cli; cli.main(sys.argv[1:]); print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, "start", "a9"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr
