"""Faults that are no student's: a whole grading in this process, into which they are planted."""
import errno
import os
import sys
from pathlib import Path

from minidl.errors import InputError
from minidl.grading import manifest
from minidl.grading.isolation.stage import Isolation
from minidl.grading.marking import grade, results, session
from minidl.grading.marking.proxy import Local
from tests.grading import toy

WRONG = toy.SOLUTION.replace("return 2 * x", "return 3 * x")
RIGHT_MARKS = {"ann": 4.0, "bob": 1.0}


def full(*_, **__):
    """A system call that finds no room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refused(*_, **__):
    """What `atomic_write` makes of it."""
    raise InputError(f"cannot write it: {os.strerror(errno.ENOSPC)}")


def hand_in(folder):
    """The toy assignment, a right submission and a wrong one; returns the assignment's folder."""
    for name, text in (("ann", toy.SOLUTION), ("bob", WRONG)):
        (folder / "in" / name).mkdir(parents=True)
        (folder / "in" / name / "toys.py").write_text(text, encoding="utf-8")
    return toy.write(folder)


def here(run, job):
    """A session in this process."""
    found, before = manifest.read(Path(job["assignment"])), set(sys.modules)
    session.grade_with(job, lambda drivers: Local(Path(job["submission"]), found.module, drivers), seconds=None)
    for name in set(sys.modules) - before:       # else pytest would not read the tests again
        del sys.modules[name]
    return "pytest did not run this test"


def by_eye(run, job):
    """A session that runs nothing, for tests of what is around it: it looks for the right line."""
    result, text = results.read(Path(job["result"])), Path(job["submission"], "toys.py").read_text(encoding="utf-8")
    for task, test in manifest.read(Path(job["assignment"])).tests():
        if test.name in job["tests"]:
            passed = task.id == "1.2" or "return 2 * x" in text
            result.add(results.Record(test.name, task.id, "passed" if passed else "failed", test.points * passed,
                                      test.points, test.hidden))
    result.write(Path(job["result"]))
    return ""


def graded(folder, **options):
    """What came of a grading: how many are incomplete, the points of each as they are on the disk, what was said."""
    said = []
    left = grade.grade(manifest.read(folder / "a0_toys"), folder / "in", folder / "out",
                       grade.Options(**options), said.append)
    return left, marks(folder), said


def marks(folder):
    return {path.parent.name: results.read(path).points() for path in sorted((folder / "out").glob("*/result.json"))}


def alone(patch, session=here):
    """Let gradings run their sessions so, without a look for isolation."""
    patch.setattr(grade._Run, "_session", session)
    patch.setattr(sys, "dont_write_bytecode", True)
    patch.setattr(grade.sandbox, "choose", lambda name, slots=1, **_: [Isolation("none")] * slots)
