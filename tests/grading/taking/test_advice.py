"""Notes tell what the tests may not show."""
import os
from dataclasses import replace

from minidl.grading import manifest
from minidl.grading.taking import advice
from tests.grading.solved import solve


def test_only_a_newer_copy_is_told_or_one_that_is_alone(work):
    solve(work)
    assert list(advice.remarks(manifest.read(work))) == []
    for name in ("flows.py~", "flows (1).py", "old_flows.py", ".flows.py.swp"):
        (work / name).write_text("", encoding="utf-8")
        os.utime(work / name, (1e9, 1e9))
    assert list(advice.remarks(manifest.read(work))) == []
    os.utime(work / "flows.py", (5e8, 5e8))
    os.utime(work / "flows.py~", (4e8, 4e8))
    assert list(advice.remarks(manifest.read(work))) == [
        f"{name} is newer than flows.py, which alone is tested and handed in" for name in ("flows (1).py",
                                                                                            "old_flows.py")]
    (work / "flows.py").unlink()
    assert "there is flows (1).py, but only flows.py is tested and handed in; rename it if you meant that" in list(
        advice.remarks(manifest.read(work)))


def test_of_what_is_not_written_the_wanted_tasks_functions_are_told(tmp_path):
    tasks = tuple(manifest.Task(name, "", functions, ()) for name, functions in (
        ("1.1", ("f", "g")), ("1.2", ("Box.open", "h", "k"))))
    toys = manifest.Manifest(tmp_path, "a0", "Toys", "1", ("toys.py",), tasks)
    (tmp_path / "toys.py").write_text(
        "h = k = len\n\ndef f():\n    'F.'\n    raise NotImplementedError\n\nclass Box:\n    def open(self):\n"
        "        raise NotImplementedError('task 1.2')\n", encoding="utf-8")
    assert list(advice.remarks(toys)) == ["not written yet: f (1.1), Box.open (1.2)", "not in toys.py: g (1.1)"]
    assert list(advice.remarks(toys, "1.2")) == ["not written yet: Box.open"]
    whole = replace(toys, tasks=(manifest.Task("1.2", "", ("Box", "h"), ()),))
    assert list(advice.remarks(whole)) == ["not written yet: Box (1.2)"]
    (tmp_path / "toys.py").write_text("def broken(:\n", encoding="utf-8")
    assert list(advice.remarks(toys)) == []


def test_a_raise_that_was_left_below_a_finished_body_is_called_by_its_line(work):
    body = "def centre(x):\n    \"\"\"Centred.\"\"\"\n    y = x - x.mean(axis=0)\n"
    left = '    raise NotImplementedError("task 1.1: write centre")\n'
    solve(work, body + left)
    assert list(advice.remarks(manifest.read(work))) == [
        "flows.py:4 still raises NotImplementedError: delete that line, or centre counts as not written"]
    for harmless in (body + "    return y\n" + left, body + "    if not y.size:\n    " + left + "    return y\n"):
        solve(work, harmless)
        assert list(advice.remarks(manifest.read(work))) == []
