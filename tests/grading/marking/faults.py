"""Faults that are no student's: a whole grading in this process, into which they are planted."""
import errno
import os
from pathlib import Path

from minidl.grading import manifest
from minidl.grading.isolation.stage import Isolation
from minidl.grading.marking import grade, results, session
from minidl.grading.marking.proxy import Local
from tests.grading import toy

WRONG = toy.SOLUTION.replace("return 2 * x", "return 3 * x")
RIGHT_MARKS = {"ann": 4.0, "bob": 1.0, "eve": 4.0}


def full(*_, **__):
    """A system call that finds no room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def hand_in(folder):
    """The toy assignment, two right submissions and a wrong one between them; returns the assignment's folder."""
    for name, text in (("ann", toy.SOLUTION), ("bob", WRONG), ("eve", toy.SOLUTION + "\n# mine\n")):
        (folder / "in" / name).mkdir(parents=True)
        (folder / "in" / name / "toys.py").write_text(text, encoding="utf-8")
    return toy.write(folder)


def here(run, job):
    """A session in this process."""
    found = manifest.read(Path(job["assignment"]))
    session.grade_with(job, lambda drivers: Local(Path(job["submission"]), found.module, drivers), seconds=None)
    return "pytest did not run this test"


def graded(folder, **options):
    """What came of a grading: how many are incomplete, the points of each as they are on the disk, what was said."""
    said = []
    left = grade.grade(manifest.read(folder / "a0_toys"), folder / "in", folder / "out",
                       grade.Options(**options), said.append)
    return left, marks(folder), said


def marks(folder):
    return {path.parent.name: results.read(path).points() for path in sorted((folder / "out").glob("*/result.json"))}


def alone(patch):
    """Let gradings run their sessions in this process, without a look for isolation."""
    patch.setattr(grade._Run, "_session", here)
    patch.setattr(grade.sandbox, "choose", lambda name, slots=1, **_: [Isolation("none")] * slots)
