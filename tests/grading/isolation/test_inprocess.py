"""A student's code in this process: it is ended when its time is over, and a debugger can look into it."""
import io
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from minidl import cli
from minidl.grading.isolation import inprocess
from tests.grading.solved import SOLVED, checked, solve

pytestmark = pytest.mark.processes

ENDLESS = {
    "a loop": ("def centre(x):\n    while True:\n        x = x + 1\n", "flows.py:[23] in centre: "),
    "a loop that catches everything": (
        "import time\ndef centre(x):\n    while True:\n        try:\n            time.sleep(9)\n        except:\n"
        "            pass\n", "flows.py:5 in centre: time.sleep"),
    "a file": ("while True:\n    pass\n", "flows.py:[12] in <module>: "),
}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer; Ctrl-C ends a loop there")
@pytest.mark.parametrize("endless", ENDLESS)
def test_what_does_not_end_is_ended_at_its_line(work, capsys, endless):
    source, place = ENDLESS[endless]
    toml = work / "manifest.toml"
    toml.write_text(re.sub("seconds = .*", "seconds = 0.2", toml.read_text(encoding="utf-8")), encoding="utf-8")
    solve(work, source)
    said, code = checked(capsys, "a9")
    assert code == 1 and said.count("  timeout  ") == 2 and "no answer within 0.2 s" in said and re.search(place, said)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer; Ctrl-C ends a loop there")
def test_a_loop_that_nothing_stops_ends_the_check(work):
    toml = work / "manifest.toml"
    toml.write_text(re.sub("seconds = .*", "seconds = 0.2", toml.read_text(encoding="utf-8")), encoding="utf-8")
    inner = "    while True:\n        try:\n            {}\n        except:\n            pass\n"
    solve(work, f"import time\ndef f():\n{inner.format('time.sleep(9)')}def centre(x):\n{inner.format('f()')}")
    done = subprocess.run([sys.executable, "-m", "minidl.cli", "check", "a9"], capture_output=True, text=True)
    assert done.returncode == 1 and "the check ends here:\nflows.py:5 in f: time.sleep(9)" in done.stdout


@pytest.mark.parametrize("source", [SOLVED.replace("    return", "    breaks.here()\n    return"), ENDLESS[
    "a loop that catches everything"][0].replace("time.sleep(9)", "breaks.here()\n            time.sleep(9)")])
def test_ctrl_c_names_the_test_and_leaves_with_130(work, capsys, monkeypatch, source):
    monkeypatch.setattr("statistics.here", lambda: signal.raise_signal(signal.SIGINT), raising=False)
    solve(work, "import statistics as breaks\n" + source)
    said, code = checked(capsys, "a9")
    assert code == 130 and "\nso far: public: 0/2 points" in said
    assert "minidl: stopped in test_columns_have_mean_zero" in said


def test_without_a_timer_or_in_a_thread_there_is_no_limit_and_all_else_works(work, capsys, monkeypatch):
    monkeypatch.delattr(signal, "setitimer", raising=False)
    solve(work)
    assert checked(capsys, "a9")[1] == 0
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli.main(["check", "a9"])))
    thread.start()
    thread.join()
    assert codes == [0]


def debugged(work, capsys, monkeypatch, commands, *arguments):
    """As `checked`, with a debugger that reads these commands."""
    for name, stream in (("stdin", io.StringIO(commands)), ("stdout", sys.stdout)):
        monkeypatch.setattr(sys, f"__{name}__", stream)
    monkeypatch.setattr(sys, "stdin", sys.__stdin__)
    return checked(capsys, "a9", *arguments)


def test_the_debugger_opens_in_the_students_frame(work, capsys, monkeypatch):
    solve(work, SOLVED.replace("mean(", "meen("))
    said, code = debugged(work, capsys, monkeypatch, "p 'here', x.shape\nw\nu\np student\nc\nc\n", "--debug")
    assert "('here', (20, 3))" in said and "-> return x - x.meen(axis=0)" in said and "proxy.Local" in said
    assert "pluggy" not in said and "proxy.py" not in said and code == 1


def test_where_a_value_is_wrong_the_debugger_opens_in_the_test_with_the_answer(work, capsys, monkeypatch):
    solve(work, SOLVED.replace("axis=0", ""))
    said, code = debugged(work, capsys, monkeypatch, "p 'here', answer.shape, expected, x.shape\nq\n", "--debug")
    assert "('here', (3,), array([0., 0., 0.]), (20, 3))" in said and "-> check_array(y.mean(axis=0)" in said
    assert code == 130 and "so far: public: 0/2" in said


def test_the_debugger_leaves_out_what_has_not_run(work, capsys, monkeypatch):
    for source in ("", "def centre(x:\n"):
        solve(work, source)
        assert "(Pdb)" not in debugged(work, capsys, monkeypatch, "", "--debug")[0]


@pytest.mark.parametrize("statement", ["breakpoint()", "import pdb; pdb.set_trace()"])
def test_a_breakpoint_opens_the_debugger(work, capsys, monkeypatch, statement):
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)
    solve(work, SOLVED.replace("    return", f"    {statement}\n    return"))
    said, code = debugged(work, capsys, monkeypatch, "p 'here', x.shape\nc\nc\nc\n")
    assert "('here', (20, 3))" in said and code == 0
    assert debugged(work, capsys, monkeypatch, "q\n")[1] == 130


def test_a_reader_who_leaves_ends_it_quietly(work):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "minidl.cli", "check", "a9"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_threads_that_do_not_end_are_told_and_left(work, capsys, monkeypatch):
    ended, codes = threading.Event(), []
    monkeypatch.setattr(inprocess, "GRACE", 0.01)
    monkeypatch.setattr(os, "_exit", codes.append)
    inprocess.alone(lambda: threading.Thread(target=ended.wait).start() or 1)
    ended.set()
    assert codes == [1] and "note: your code started threads that do not end" in capsys.readouterr().out
    assert inprocess.alone(lambda: 0) == 0 and codes == [1]
