"""A folder of submissions is graded whole: every one gets its marks, whatever the others do, and may be resumed."""
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

import minidl as md
from minidl.grading import manifest
from minidl.grading.marking import grade, results
from tests.grading import toy
from tests.processes import mentioned, running, wait_until

pytestmark = [pytest.mark.processes,
              pytest.mark.skipif(sys.platform == "win32", reason="submissions are graded on Linux and macOS")]

SUBMISSIONS = {
    "alice": toy.SOLUTION,
    "bob": toy.SOLUTION.replace("return 2 * x", "return 3 * x"),
    "carol": toy.SOLUTION.replace("return 2 * x", "raise NotImplementedError('task 1.1: Double')"),
    "dave": toy.SOLUTION.replace("def double", "def duoble"),
    "erin": "def double(x:\n",
    "frank": None,                                            # a folder without the file
    "grace": "import torch\n" + toy.SOLUTION,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the toy assignment and some submissions."""
    folder = tmp_path_factory.mktemp("grading")
    toy.write(folder)
    for name, text in SUBMISSIONS.items():
        (folder / "in" / name).mkdir(parents=True)
        if text is not None:
            (folder / "in" / name / "toys.py").write_text(text)
    for name in ("bob", "carol"):
        (folder / "few" / name).mkdir(parents=True)
        (folder / "few" / name / "toys.py").write_text(SUBMISSIONS[name])
    (folder / "in" / "alice" / "answers.md").write_text("# q1\nBecause.")
    (folder / "in" / "zed.zip").write_bytes(b"no archive")
    return folder


@pytest.fixture(scope="module")
def graded(place):
    """The results of all, what was said, and how many were incomplete."""
    said = []
    incomplete = run(place, "out", submissions="in", say=said.append)
    return {path.parent.name: results.read(path) for path in (place / "out").glob("*/result.json")}, said, incomplete


def run(place, out, say=lambda line: None, submissions="few", **options):
    """Grade, with two at a time."""
    return grade.grade(manifest.read(place / "a0_toys"), place / submissions, place / out,
                       grade.Options(**{"jobs": 2, **options}), say)


def statuses(result):
    return [record.status for record in result.records.values()]


def test_each_submission_gets_its_status_and_points(graded):
    found, said, incomplete = graded
    assert incomplete == 0 and sum(line.startswith("[") for line in said) == len(found) == 8
    assert {name: (result.points(), statuses(result)) for name, result in found.items()} == {
        "alice": (4.0, ["passed"] * 3), "bob": (1.0, ["failed", "failed", "passed"]),
        "carol": (1.0, ["not_attempted", "not_attempted", "passed"]), "dave": (1.0, ["missing", "missing", "passed"]),
        "erin": (0.0, ["error"] * 3), "frank": (0.0, ["missing"] * 3), "grace": (0.0, ["blocked"] * 3),
        "zed": (0.0, ["missing"] * 3)}
    assert "did you mean `duoble`" in found["dave"].records["test_double"].message
    assert "toys.py:1" in found["erin"].records["test_double"].message
    assert found["frank"].problem == "there is no toys.py" and "cannot be read" in found["zed"].problem


def test_answers_lie_beside_the_result_for_whoever_reads_them(graded, place):
    assert (place / "out" / "alice" / "answers.md").read_text() == "# q1\nBecause."
    assert not (place / "out" / "bob" / "answers.md").exists()
    assert graded[0]["bob"].problem == "no answers.md was handed in"
    assert not graded[0]["alice"].problem


def test_of_hidden_tests_nothing_is_kept_but_the_status(graded):
    for result in graded[0].values():
        record = result.records["test_double_of_a_matrix"]
        assert record.hidden and record.message == record.output == ""


@pytest.mark.slow
def test_a_second_grading_gives_the_same_but_for_times(graded, place):
    run(place, "again", secret=place / "out" / "secret")
    for name in ("bob", "carol"):
        assert timeless(place / "again" / name) == timeless(place / "out" / name)


def timeless(folder):
    table = json.loads((folder / "result.json").read_text())
    for record in table["records"].values():
        del record["seconds"]
    return table


@pytest.mark.slow
def test_resume_grades_only_what_is_missing_or_has_changed(graded, place, monkeypatch):
    asked = []
    session = grade._Run._session

    def noting(self, job):
        asked.append(json.dumps(job))
        return session(self, job)

    monkeypatch.setattr(grade._Run, "_session", noting)
    bob = place / "out" / "bob" / "result.json"
    result = results.read(bob)
    result.records["test_stack"].status = "infrastructure"
    result.write(bob)
    (place / "out" / "erin" / "result.json").write_text('{"half')
    (place / "in" / "frank" / "toys.py").write_text(toy.SOLUTION)
    before = timeless(place / "out" / "alice")
    assert run(place, "out", submissions="in", resume=True) == 0
    assert len(asked) == 1 + 3 and timeless(place / "out" / "alice") == before
    assert statuses(results.read(bob)) == ["failed", "failed", "passed"]
    assert results.read(place / "out" / "frank" / "result.json").points() == 4.0


@pytest.mark.slow
def test_one_task_can_be_graded_again_alone(graded, place):
    path = place / "again" / "carol" / "result.json"
    result = results.read(path)
    for record in result.records.values():
        record.status = "timeout"
    result.write(path)
    assert run(place, "again", task="1.2") == 0
    assert sorted(statuses(results.read(path))) == ["passed", "timeout", "timeout"]


@pytest.mark.parametrize("options, sentence", [
    ({"task": "9"}, "no task '9'; its tasks are 1.1, 1.2"), ({"jobs": 0}, "--jobs is 1 or more"),
    ({"task": "q1"}, "q1 is a question, which a person marks"), ({"out": "few/out"}, "would be taken for a submission"),
    ({"instructor": "elsewhere"}, "needs the instructor's solution")])
def test_what_cannot_be_graded_gets_a_sentence_at_once(place, options, sentence, tmp_path):
    options = {key: tmp_path if key == "instructor" else value for key, value in options.items()}
    with pytest.raises(md.InputError, match=sentence):
        run(place, **{"out": "nothing", **options})


@pytest.mark.slow
def test_a_task_alone_in_a_new_folder_is_no_fault_of_the_machine(place):
    said = []
    assert run(place, "one", task="1.2", say=said.append) == 0
    assert said[-2] == "only task 1.2 was graded; without --task, and with --resume, all are"
    rows = (place / "one" / "gradebook.csv").read_text().splitlines()
    assert [row.split(",")[8].strip('"') for row in rows] == ["complete", "no", "no"]


@pytest.mark.slow
def test_marks_by_hand_stay_until_others_are_given(graded, place, tmp_path):
    by_hand, said = tmp_path / "marks.toml", []
    by_hand.write_text("[submission.bob]\npoints = { q1 = 2 }\n")
    (place / "few" / "zoe.tar.gz").write_bytes(b"")
    run(place, "hand", overrides=by_hand, say=said.append)
    assert "not graded, no folder, .zip or .py file: zoe.tar.gz" in said
    for again in (None, place / "hand" / "overrides.toml"):
        run(place, "hand", resume=True, overrides=again)
        assert '\n"bob","3","6","0","1","2",' in (place / "hand" / "gradebook.csv").read_text()
    (place / "few" / "zoe.tar.gz").unlink()


@pytest.mark.slow
def test_ctrl_c_ends_it_soon_and_resume_goes_on(tmp_path):
    toml = toy.write(tmp_path) / "manifest.toml"
    toml.write_text(toml.read_text().replace("seconds = 2", "seconds = 1000"))
    files = [tmp_path / "loops" / f"s{i}" / "toys.py" for i in range(9)]
    for path in files:
        path.parent.mkdir(parents=True)
        path.write_text("import time\ntime.sleep(1000)\n" if path is not files[0] else toy.SOLUTION)
    command = [sys.executable, "-m", "minidl.cli", "grade", str(toml.parent), str(tmp_path / "loops"), "--out",
               str(tmp_path / "stopped")]
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert any("[1/9]" in line for line in iter(process.stdout.readline, ""))
        process.send_signal(signal.SIGINT)
        told = process.communicate()[1]          # the others would take hours
    assert process.returncode == 130 and "minidl: stopped: 1 of 9 are graded; go on with --resume" in told
    for path in files:
        path.write_text(toy.SOLUTION)
    assert run(tmp_path, "stopped", submissions="loops", resume=True, jobs=4) == 0
    assert results.read(tmp_path / "stopped" / "s8" / "result.json").points() == 4.0


@pytest.mark.slow
def test_a_session_that_dies_is_infrastructure_and_no_zero(place, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert run(place, "broken", isolation="none") == 2 and not (place / "broken" / "bob").exists()
    assert run(place, "broken", isolation="none", control=False) == 2
    assert statuses(results.read(place / "broken" / "bob" / "result.json")) == ["infrastructure"] * 3
    monkeypatch.undo()
    assert run(place, "broken", resume=True) == 0
    assert results.read(place / "broken" / "bob" / "result.json").points() == 1.0


@pytest.mark.slow
def test_a_grader_killed_at_any_moment_leaves_valid_results_and_resumes_to_the_same(graded, place):
    """Fifty times."""
    dice = random.Random(0)
    wanted = {name: timeless(place / "out" / name) for name in ("bob", "carol")}
    secret = (place / "out" / "secret").read_text()
    command = [sys.executable, "-m", "minidl.cli", "grade", str(place / "a0_toys"), str(place / "few"), "--jobs", "2",
               "--resume", "--out", str(place / "killed")]
    out = place / "killed"
    out.mkdir()
    (out / "secret").write_text(secret)
    for _ in range(50):
        with running(command, stdout=subprocess.DEVNULL, start_new_session=True):
            time.sleep(dice.uniform(0.2, 2.0))               # wherever it is then
        for path in out.glob("*/result.json"):
            result = results.read(path)
            assert set(statuses(result)) <= {"passed", "failed", "not_attempted"}
            if dice.random() < 0.5:
                os.remove(path)                              # so that there is something left to grade
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
    assert {name: timeless(out / name) for name in wanted} == wanted
    assert wait_until(lambda: not mentioned(str(out)))
