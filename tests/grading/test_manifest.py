"""A manifest says what an assignment is; whatever is wrong in it is told in a sentence."""
import os
from dataclasses import replace

import pytest

from minidl.errors import InputError
from minidl.grading import manifest
from tests.grading import toy


def read(folder, text):
    (folder / "manifest.toml").write_text(text, encoding="utf-8")
    return manifest.read(folder)


def test_a_manifest_names_tasks_tests_and_points(tmp_path):
    found = manifest.read(toy.write(tmp_path))
    assert (found.name, found.module, found.points) == ("a0", "toys", 4)
    assert found.handed_in() == ("toys.py", "answers.md")
    assert [(task.id, test.name, test.points, test.hidden) for task, test in found.tests()] == [
        ("1.1", "test_double", 1, False), ("1.1", "test_double_of_a_matrix", 2, True), ("1.2", "test_stack", 1, False)]
    assert found.task("1.1").points == 3 and found.limits.seconds == 2 and found.limits.memory == 2048
    with pytest.raises(InputError, match="its tasks are 1.1, 1.2"):
        found.task("1.3")


def test_what_is_written_reads_the_same(tmp_path):
    found = manifest.read(toy.write(tmp_path))
    odd = replace(found, title='Quotes " and \\ and \u00e9\u2026\n', engine=True, files=("toys.py", "more.py"))
    for said in (found, replace(found, questions=()), odd):
        assert read(found.folder, manifest.as_toml(said)) == said


@pytest.mark.parametrize("before, after, sentence", [
    ("[[task]]", "[[tsak]]", "unknown key 'tsak'; did you mean 'task'"),
    ('id = "1.2"', 'id = "1.1"', "two task or questions are called '1.1'"),
    ('id = "q1"', 'id = "1.1"', "two task or questions are called '1.1'"),
    ('name = "test_stack"', 'name = "test_double"', "two tests are called 'test_double'"),
    ('name = "test_stack"', 'name = "stack"', "a test's name begins with test_, not 'stack'"),
    ("points = 1 }]", "points = 0 }]", "points is a number above 0, not 0"),
    (", points = 1 }]", " }]", "points is a number above 0, not missing"),
    ("seconds = 2", 'seconds = "2"', "seconds is a number above 0, not '2'"),
    ('files = ["toys.py"]', 'files = ["../toys.py"]', "a list of Python files without folders"),
    ('files = ["toys.py"]', 'files = []', "a list of Python files"),
    ('title = "Toys"', "", "the manifest needs a title"), ('title = "Toys"', "title = 3", "title is a str, not 3"),
    ("hidden = true", 'hidden = "yes"', "hidden is a bool, not 'yes'"),
    ('slides = "1"', "slides =", "cannot be read")])
def test_a_fault_is_a_sentence_that_names_the_file(tmp_path, before, after, sentence):
    assert before in toy.MANIFEST
    with pytest.raises(InputError) as refused:
        read(tmp_path, toy.MANIFEST.replace(before, after, 1))
    assert sentence in str(refused.value) and str(tmp_path / "manifest.toml") in str(refused.value)


def test_a_folder_without_manifest_is_no_assignment(tmp_path):
    with pytest.raises(InputError, match="it has no manifest.toml"):
        manifest.read(tmp_path)


def test_an_assignment_is_found_by_its_name_its_folders_name_or_its_folder(tmp_path, monkeypatch):
    folder = toy.write(tmp_path / "two")
    (tmp_path / "one").mkdir()
    monkeypatch.setenv("MINIDL_ASSIGNMENTS", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")]))
    assert manifest.find("a0").folder == manifest.find("a0_toys").folder == folder
    with pytest.raises(InputError, match="no assignment 'a00'; there are .*a0_toys"):
        manifest.find("a00")
    monkeypatch.delenv("MINIDL_ASSIGNMENTS")
    assert manifest.find(str(folder)).folder == folder
    with pytest.raises(InputError, match="no assignment 'a0'"):
        manifest.find("a0")


def test_without_any_assignment_the_places_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "folders", lambda: [tmp_path])
    with pytest.raises(InputError, match="none was found in .*MINIDL_ASSIGNMENTS"):
        manifest.find("a1")


def test_a_folder_outside_holds_the_material_or_is_it(tmp_path):
    found = manifest.read(toy.write(tmp_path))
    (tmp_path / "out" / "a0_toys").mkdir(parents=True)
    assert found.instructor() == found.folder / "instructor"
    assert found.instructor(tmp_path / "out") == found.instructor(tmp_path / "out" / "a0_toys") \
        == tmp_path / "out" / "a0_toys"
