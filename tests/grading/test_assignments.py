"""The assignments that come with minidl: right solutions get all points, wrong ones lose what they must.

In this process; `minidl assign verify` proves the same in workers, in minutes.
"""
from pathlib import Path

import pytest

from minidl.grading import manifest
from minidl.grading.authoring import build, release, verify
from minidl.grading.marking import results, session
from minidl.grading.marking.plugin import Plan
from minidl.grading.marking.proxy import Local

FOLDERS = sorted(path.parent for path in (Path(__file__).resolve().parents[2] / "assignments").glob("*/manifest.toml")
                 if (path.parent / "instructor").is_dir())           # students' clones have none
pytestmark = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def grade(assignment, files, place, seed):
    """The records of a submission, by test."""
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    material = assignment.instructor()
    plan = Plan(assignment, results.Result(assignment.name, "somebody", "", "none"), hidden=True, seed=seed,
                solution=material / assignment.files[0], student=lambda test: Local(
                    place, assignment.module, manifest.drivers(assignment.folder / "tests", material if test.hidden else
                                                               None), seconds=assignment.limits.seconds))
    session.run(plan, [assignment.folder / "tests", material / "tests"], ["-p", "no:terminal"])
    assert set(plan.result.records) == {test.name for _, test in assignment.tests()}
    return plan.result.records


def lost(records):
    return {name for name, record in records.items() if record.status != "passed"}


def test_what_students_get_follows_from_the_solution_and_shows_nothing_of_it(folder):
    found = manifest.read(folder)
    assert build.outdated(found, found.instructor()) == [], f"minidl assign build {found.name}"
    assert {"README.md", "manifest.toml", *found.handed_in()} < set(release.contents(found, found.instructor()))
    assert list(release.faults_in_tests(found, found.instructor())) == []
    statement = (folder / "README.md").read_text(encoding="utf-8")
    for command in ("start", "check", "submit"):
        assert f"minidl {command} {found.name} " in statement
    assert "pip install" in statement and f"minidl start Downloads/{folder.name}`" in statement


def test_the_solution_gets_all_points_and_the_stub_attempts_nothing(folder, tmp_path):
    found = manifest.read(folder)
    records = grade(found, build.sources(found, found.instructor()), tmp_path / "solution", b"1")
    assert lost(records) == set(), [record.message for record in records.values() if record.status != "passed"]
    records = grade(found, build.stubs(found, found.instructor()), tmp_path / "stub", b"1")
    assert {record.status for record in records.values()} == {"not_attempted"}


@pytest.mark.slow
def test_the_examples_in_the_solution_are_right(folder):
    found = manifest.read(folder)
    assert list(verify.faults_in_examples(found, found.instructor())) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [b"1", b"2", b"3"])
def test_every_mutant_loses_exactly_what_it_names_whatever_is_drawn(folder, tmp_path, seed):
    found = manifest.read(folder)
    wrong = verify.mutants(found, found.instructor())
    assert all(sum(mutant.task == task.id for mutant in wrong) >= verify.MUTANTS for task in found.tasks)
    for number, mutant in enumerate(wrong):
        assert lost(grade(found, mutant.files, tmp_path / str(number), seed)) == mutant.loses, mutant.name
