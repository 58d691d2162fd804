"""`assign verify` finds every way in which an assignment could give wrong marks, and has a sentence for it.

Most tests here grade in this process; the slow ones grade as `verify` does.
"""
import hashlib
import re

import numpy as np
import pytest

from minidl import cli
from minidl.errors import InputError
from minidl.grading import manifest
from minidl.grading.authoring import build, release, template, verify
from minidl.grading.marking import results, session
from minidl.grading.marking.plugin import Plan
from minidl.grading.marking.proxy import Local


@pytest.fixture
def flows(tmp_path, monkeypatch):
    (tmp_path / "course").mkdir()
    monkeypatch.setenv("MINIDL_ASSIGNMENTS", str(tmp_path / "course"))
    return manifest.read(template.new("a9", "Flows"))


@pytest.fixture
def here(flows, monkeypatch):
    """Variants are graded in this process, in two draws."""
    monkeypatch.setattr(verify, "DRAWS", 2)

    def grade(verifier, what, variants, *, jobs, reverse=False):
        material, found = flows.instructor(verifier.instructor), {}
        for name, files in variants.items():
            folder = verifier.place / what / name
            folder.mkdir(parents=True)
            (folder / "flows.py").write_text(files["flows.py"], encoding="utf-8")
            found[name] = results.Result(flows.name, name, "", "none")
            plan = Plan(verifier.manifest, found[name], seed=what.encode(), solution=material / "flows.py", hidden=True,
                        tell=True, reverse=reverse, student=lambda test, folder=folder: Local(folder, "flows", None))
            session.run(plan, [flows.folder / "tests", material / "tests"], ["-p", "no:terminal"])
        return found

    monkeypatch.setattr(verify._Verifier, "_grade", grade)


def edit(path, before, after):
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def faults_of(flows, place, part):
    """The faults that come up with the reference, or with the stub and mutants."""
    found, material = manifest.read(flows.folder), flows.instructor()
    verifier = verify._Verifier(found, None, place, lambda line: None)
    if part == "reference":
        return list(verifier.check_reference(build.sources(found, material)))
    return [*verifier.check_stub(build.stubs(found, material)),
            *verifier.check_mutants(verify.mutants(found, material))]


def test_a_new_assignment_has_no_faults(flows, here):
    said = []
    assert verify.verify(flows, None, said.append) == []
    assert said[0].startswith("reference: 4 of 4 points in tests; slowest: ") and said[1:] == [
        "in reversed order, with another seed: 4 of 4 points in tests",
        "stub and 3 mutants are being graded ...", "stub: 0 points",
        "mutants: 3 of 3 lose exactly what they name, in 2 draws each"]


def test_one_mutant_can_be_asked_about_alone(flows, here, monkeypatch):
    said = []
    for part in ("check_reference", "check_stub"):
        monkeypatch.setattr(verify._Verifier, part, None)
    assert verify.verify(flows, None, said.append, mutant="changes its input") == []
    assert said == ["mutants: 1 of 1 lose exactly what they name, in 2 draws each"]
    with pytest.raises(InputError, match="a9 has no mutant 'changes the input'; did you mean changes its input?"):
        verify.verify(flows, None, said.append, mutant="changes the input")


def test_a_mutant_that_passes_a_test_by_luck_is_a_fault(flows, here, monkeypatch):
    name, first = "test_the_input_stays_as_it_is", []
    for draw in (1, 2):
        digest = hashlib.sha256(f"mutants-{draw}{name}".encode()).digest()
        first.append(np.random.default_rng(np.frombuffer(digest, np.uint32)).standard_normal() + 5)
    edit(flows.folder / "tests" / "test_flows.py", '    student.call_twice("centre", x)',
         f'    if x[0, 0] > {sum(first) / 2!r}:\n        student.call_twice("centre", x)')
    assert verify.DRAWS == 2
    monkeypatch.setattr(verify._Verifier, "check_reference", lambda *_: [])
    monkeypatch.setattr(verify._Verifier, "check_stub", lambda *_: [])
    assert verify.verify(flows, None, lambda line: None) == [
        f"mutant 'changes its input' passes {name} in 1 of 2 draws, which it should lose"]


@pytest.mark.slow
def test_a_new_assignment_has_no_faults_when_graded_as_submissions_are(flows, capsys):
    assert cli.main(["assign", "verify", "a9"]) == 0
    assert capsys.readouterr().out.endswith("no faults\n")


@pytest.mark.slow
def test_an_endless_mutant_is_lost_by_its_time_limit(flows, tmp_path):
    mutants = flows.instructor() / "mutants.toml"
    edit(mutants, 'by = "return x - mean * (abs(mean - 5) < 3)"', 'by = "while True: pass"')
    edit(flows.folder / "manifest.toml", "seconds = 10", "seconds = 4")
    assert {fault.split(" (")[0] for fault in faults_of(flows, tmp_path, "others")} == {
        f"mutant 'takes a mean of 5 for granted' loses {name}, which it does not name"
        for name in ("test_columns_have_mean_zero", "test_the_input_stays_as_it_is")}


def test_a_reference_that_fails_a_test_is_a_fault(flows, here, tmp_path):
    edit(flows.folder / "tests" / "test_flows.py", "np.zeros(3)", "np.ones(3)")
    fault, = faults_of(flows, tmp_path, "reference")
    assert fault.startswith("the reference does not pass test_columns_have_mean_zero: failed (the mean of centre(x)")
    edit(flows.instructor() / "flows.py", "return x - mean", "return x - meen")
    fault, = faults_of(flows, tmp_path / "again", "reference")
    assert fault.startswith("the reference does not pass test_columns_have_mean_zero and 2 more: error (NameError")


def test_nothing_is_run_before_the_files_are_right_and_no_mutant_before_the_solution(flows, here, monkeypatch):
    said = []
    monkeypatch.setattr(verify._Verifier, "check_mutants", None)
    edit(flows.folder / "tests" / "test_flows.py", "np.zeros(3)", "np.ones(3)")
    assert len(verify.verify(flows, None, said.append)) == 1
    assert said[-1] == "stub and mutants were not graded yet: mend these first"
    monkeypatch.setattr(verify._Verifier, "check_reference", None)
    edit(flows.instructor() / "mutants.toml", LOSES, 'loses = ["test_more"]')
    edit(flows.folder / "flows.py", "raise", "return")
    faults = verify.verify(flows, None, said.append)
    assert said[-1] == "nothing was graded yet: mend these first"
    assert ["is not what the solution makes of it" in faults[0], "is to lose test_more" in faults[1]] == [True, True]


@pytest.mark.parametrize("before, after, sentence", [
    ("[3.0, 6.0]]))", "[3.0, 8.0]]))", "instructor/flows.py:9: the example centre(np.array([[1.0, 2.0], [3.0, 8.0]])) "
     "gives array([[-1., -3.], [ 1., 3.]]), not array([[-1., -2.], [ 1., 2.]])"),
    (">>> centre", ">>> center", "instructor/flows.py:9: the example center(np.array([[1.0, 2.0], [3.0, 6.0]])) gives "
     "NameError: name 'center' is not defined, not array([[-1., -2.], [ 1., 2.]])"),
    ("import numpy", "import nunpy", "instructor/flows.py cannot be loaded: ModuleNotFoundError: No module named "
     "'nunpy'")])
def test_an_example_that_does_not_hold_is_a_fault(flows, monkeypatch, before, after, sentence):
    monkeypatch.setattr(verify._Verifier, "check_mutants", None)
    edit(flows.instructor() / "flows.py", before, after)
    build.build(flows, flows.instructor())
    fault, = verify.verify(flows, None, lambda line: None)
    assert fault.startswith(sentence)


def test_a_slow_test_is_a_fault(flows, here, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "SHARE", -1.0)             # of which every test takes more, in however short a time
    faults = faults_of(flows, tmp_path, "reference")
    assert len(faults) == 3 and all("more than a quarter of its limit of 10 s" in fault for fault in faults)


ORDER = '''

seen = []


def test_columns_have_mean_zero(student, rng):
    seen.append(1)


def test_the_input_stays_as_it_is(student, rng):
    assert seen
'''


def test_tests_that_need_their_order_are_faults(flows, here, tmp_path):
    path = flows.folder / "tests" / "test_flows.py"
    path.write_text(ORDER, encoding="utf-8")
    edit(path, "seen = []", "import sys\nseen = sys.__dict__.setdefault('seen_by_the_test', [])")
    edit(path, "assert seen", "assert seen\n    seen.clear()")
    fault, = faults_of(flows, tmp_path, "reference")
    assert fault.startswith("test_the_input_stays_as_it_is depends on the order of the tests or on its random numbers: "
                            "passed, then failed in reversed order and with another seed (")


def test_a_test_that_hangs_on_its_random_numbers_is_a_fault(flows, here, tmp_path):
    edit(flows.folder / "tests" / "test_flows.py", "    student.call_twice(",
         "    with open(__file__ + '.drawn', 'a+') as file:\n        file.write(f'{x[0, 0]} ')\n        file.seek(0)\n"
         "        assert len(set(file.read().split())) == 1\n    student.call_twice(")
    fault, = faults_of(flows, tmp_path, "reference")
    assert fault.startswith("test_the_input_stays_as_it_is depends on the order of the tests or on its random numbers")


def test_a_stub_that_does_more_than_nothing_is_a_fault(flows, here, tmp_path):
    edit(flows.folder / "tests" / "test_flows.py", "    student.call_twice(\"centre\", x)", "    pass")
    faults = faults_of(flows, tmp_path, "others")
    assert "with the stub, test_the_input_stays_as_it_is ends with passed, not with not_attempted" in faults
    assert "mutant 'changes its input' passes test_the_input_stays_as_it_is, which it should lose" in faults


def test_a_mutant_that_loses_more_than_it_names_is_a_fault(flows, here, tmp_path):
    edit(flows.instructor() / "mutants.toml", ', "test_large_offsets"]', "]")
    assert faults_of(flows, tmp_path, "others")[-1].startswith(
        "mutant 'one mean for all columns' loses test_large_offsets, which it does not name (the answer: 150 of 150")


LOSES = 'loses = ["test_the_input_stays_as_it_is"]'
FILES = {
    "a test that the manifest lacks": (
        "tests/test_flows.py", "def test_columns", "def test_more(student):\n    pass\n\n\ndef test_columns",
        "test_more is in .*tests, but not in the manifest as a public test"),
    "a test that only the manifest has": (
        "manifest.toml", "test_large_offsets", "test_large", "test_large is in the manifest, but not in"),
    "a hidden test among the public ones": (
        "manifest.toml", "zero\", points = 1", "zero\", points = 1, hidden = true",
        "test_columns_have_mean_zero is in .*tests, but not in the manifest as a public test"),
    "a public test with the reference": (
        "tests/test_flows.py", "zero(student, rng)", "zero(student, rng, reference)",
        "test_columns_have_mean_zero is public, and students have no reference"),
    "too few mutants": (
        "instructor/mutants.toml", '[[mutant]]\nname = "changes', '[[other]]\nname = "changes',
        "task 1.1 has 2 mutants; at least 3"),
    "a test that no mutant loses": (
        "instructor/mutants.toml", LOSES, "loses = []",
        "no mutant loses test_the_input_stays_as_it_is: nothing shows that it can fail"),
    "a mutant that loses nothing": (
        "instructor/mutants.toml", LOSES, "loses = []", "mutant 'changes its input' names no test that it loses"),
    "a mutant of another task's test": (
        "instructor/mutants.toml", LOSES, LOSES.replace("]", ', "test_of_2_1"]'),
        "is to lose test_of_2_1, which is no test of a9$"),
    "a mutant of a test with a typing error": (
        "instructor/mutants.toml", LOSES, 'loses = ["test_the_input_stays_as_is"]',
        "which is no test of a9; did you mean test_the_input_stays_as_it_is?"),
}


@pytest.mark.parametrize("fault", FILES)
def test_faults_in_the_files_are_told(flows, fault):
    name, before, after, sentence = FILES[fault]
    edit(flows.folder / name, before, after)
    found, material = manifest.read(flows.folder), flows.instructor()
    faults = [*release.faults_in_tests(found, material),
              *verify._faults_in_mutants(found, verify.mutants(found, material))]
    assert any(re.search(sentence, fault) for fault in faults), faults


def test_what_a_release_would_refuse_is_a_fault_too(flows, monkeypatch):
    for part in ("check_reference", "check_stub", "check_mutants"):
        monkeypatch.setattr(verify._Verifier, part, lambda *arguments: [])
    edit(flows.folder / "README.md", "Your function", "BEGIN SOLUTION. Your function")
    fault, = verify.verify(flows, None, lambda line: None)
    assert re.search("README.md:.* has the marker BEGIN SOLUTION", fault)


@pytest.mark.parametrize("before, after, sentence", [
    ('replace = "x.mean(axis=0, keepdims=True)"', 'replace = "nowhere"', "'nowhere' does not stand in the solution;"),
    ('replace = "x.mean(axis=0, keepdims=True)"', 'replace = "mean = x.mean(axis=0)"',
     "the line most like it is flows.py:14: 'mean = x.mean(axis=0, keepdims=True)'; exactly one place"),
    ('replace = "x.mean(axis=0, keepdims=True)"', 'replace = "mean"',
     "'mean' stands 5 times in the solution: flows.py:2, flows.py:7, flows.py:14, flows.py:14, ...; exactly one place"),
    ('by = "x.mean()"', 'by = "x.mean("', "mutant 'one mean for all columns' is no valid Python"),
    ('by = "x.mean()"', "", "mutant 'one mean for all columns' has no by"),
    ('by = "x.mean()"', 'by = "x.mean()"\nlooses = []', "has an unknown key 'looses'; did you mean loses?"),
    ('by = "x.mean()"', "by = 3", "needs the strings"), ('task = "1.1"', 'task = "4.4"', "a9 has no task '4.4'"),
    ('name = "changes', "name = changes", "mutants.toml cannot be read")])
def test_mutants_that_cannot_be_made_are_refused(flows, before, after, sentence):
    edit(flows.instructor() / "mutants.toml", before, after)
    with pytest.raises(InputError) as refused:
        verify.mutants(flows, flows.instructor())
    assert sentence in str(refused.value)


def test_tests_of_one_name_are_refused(flows):
    path = flows.folder / "tests" / "test_flows.py"
    path.with_name("test_again.py").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(InputError, match="there is another test_columns_have_mean_zero"):
        release.test_functions(flows.folder / "tests")


@pytest.mark.slow
def test_instructor_material_may_lie_outside(flows, tmp_path):
    (flows.folder / "instructor").rename(tmp_path / "a9_flows")
    with pytest.raises(InputError, match="there is no"):
        verify.verify(flows, None, lambda line: None)
    assert verify.verify(flows, tmp_path, lambda line: None) == []


def test_verify_leaves_with_1_for_faults(flows, capsys, monkeypatch):
    monkeypatch.setattr(verify, "verify", lambda manifest, instructor, say, mutant: ["this is wrong", "that too"])
    assert cli.main(["assign", "verify", "a9"]) == 1
    assert capsys.readouterr().out == "fault: this is wrong\nfault: that too\n2 faults\n"
