"""Hostile submissions gain nothing, on every isolation that this machine has.

Each file of `attacks/` is handed in as `attacked.py`, with an honest function `total` behind it. Its first lines say:

    # Tries: what it is up to.
    # Statuses: those that its two tests of `centre` may come to
    # Beside it: those that the test of `total` may come to, if not passed
    # Seconds: the limit of a call, where it is to be reached soon
    # Without isolation: what happens, where only isolation can stop it; such a file is not run without

`FILES` and `LINKS` in it are handed in beside it; {INSTRUCTOR} stands for the folder of the reference.
"""
import ast
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

import pytest

from minidl.grading import manifest
from minidl.grading.isolation import host, sandbox
from minidl.grading.marking import results, session
from tests.grading import isolations

HERE = Path(__file__).parent
ATTACKS = sorted((HERE / "attacks").glob("*.py"))
# Those that reach for the system, and those that only answer, raise, print or take their time.
_REACHING = re.compile(r"^ *(import|from) (os|ctypes|fcntl|mmap|multiprocessing|resource|signal|socket|subprocess|"
                       r"threading|time)\b|^# Without isolation", re.MULTILINE)
SYSTEM = [path for path in ATTACKS if _REACHING.search(path.read_text(encoding="utf-8"))]
ANSWERS = [path for path in ATTACKS if path not in SYSTEM]
# One of each kind, for the default run.
SOME = ["exits_in_call", "nan_everywhere", "kills_the_grader", "forges_frames", "reads_the_reference",
        "conftest_in_submission"]
MARKER = "minidl-attack"                         # begins the name of every file that an attack writes
PLACES = [folder for folder in ("/tmp", "/var/tmp", "/dev/shm", "/", str(Path.home()), os.getcwd())
          if os.access(folder, os.R_OK)]
SECRET = "5ec2e7" * 8
HONEST = "\n\n\ndef total(x):\n    return float(x.sum())\n"
pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform != "linux", reason="isolation needs Linux")]


@pytest.fixture
def place():
    with a_place() as folder:
        yield folder


@contextmanager
def a_place():
    """A folder that workers of other users can pass through; all temporary files lie in it."""
    with tempfile.TemporaryDirectory(prefix="minidl-test-") as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        folder.chmod(0o711)
        shutil.copytree(HERE / "attacked", folder / "assignment")
        (folder / "assignment").chmod(0o700)
        (folder / "temporary").mkdir(0o711)
        patch.setattr(tempfile, "tempdir", str(folder / "temporary"))
        yield folder


def header(text):
    """What the first lines of an attack say, by their words before the colon."""
    lines = re.match(r"(# .*\n)+", text)[0].replace("\n#  ", "").splitlines()
    return dict(line[2:].split(": ", 1) for line in lines if not line.startswith("# -*-"))


def hand_in(text, place):
    """Write a submission: the attack with the honest function behind it, and what belongs to it."""
    text = text.replace("{INSTRUCTOR}", str(place / "assignment" / "instructor"))
    folder = place / "submission"
    folder.mkdir()
    (folder / "attacked.py").write_text(text + HONEST, encoding="utf-8")
    for what in ("FILES", "LINKS"):
        found = re.search(rf"^{what} = (\{{.*?^\}})", text, re.MULTILINE | re.DOTALL)
        for name, content in ast.literal_eval(found[1]).items() if found else ():
            (folder / name).parent.mkdir(exist_ok=True, parents=True)
            (folder / name).symlink_to(content) if what == "LINKS" else (folder / name).write_text(content)
    return folder


def grade(submission, isolation, place):
    """The result, as it is on the disk."""
    path = place / "result.json"
    results.Result("attacked", "mallory", "d1", isolation.name).write(path)
    tests = [test.name for _, test in manifest.read(place / "assignment").tests()]
    session.grade({"assignment": str(place / "assignment"), "instructor": str(place / "assignment" / "instructor"),
                   "submission": str(submission), "result": str(path), "notes": str(place / "notes.json"),
                   "isolation": isolation.name, "uid": isolation.uid, "cores": [], "secret": SECRET, "tests": tests,
                   "alone": True, "reverse": False, "tell": False})
    return results.read(path)


def digest(folder):
    """Of all names and contents below a folder; what Python compiles there does not count."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix != ".pyc"}


def survivors(place, isolation):
    """Processes of workers: by the user they have, or by the folders in their environment or command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                if str(place).encode() in told or entry.stat().st_uid == isolation.uid:
                    found.append((entry.name, told))
            except OSError:
                continue
    return found


def outcome(path, name):
    """What came of one attack, as data: it is also called in other processes, whose `assert` tells nothing."""
    isolation, text = isolations.named(name), path.read_text(encoding="utf-8")
    says = header(text)
    with a_place() as place:
        submission = hand_in(text, place)
        if "Seconds" in says:
            settings = place / "assignment" / "manifest.toml"
            settings.write_text(settings.read_text().replace("seconds = 4", f"seconds = {says['Seconds']}"))
        before, children = digest(place / "assignment") | digest(submission), host._children()
        result = grade(submission, isolation, place)
        return {"records": result.records, "told": (place / "result.json").read_text(),
                "changed": before.items() ^ (digest(place / "assignment") | digest(submission)).items(),
                "left": [*map(str, (place / "temporary").iterdir()), *(
                    entry for folder in PLACES for entry in os.listdir(folder) if entry.startswith(MARKER))],
                "survivors": survivors(place, isolation) + sorted(set(host._children()) - set(children))}


def is_held_off(path, came):
    """Check all that was promised."""
    says = header(path.read_text(encoding="utf-8"))
    honest = came["records"].pop("test_total")
    assert honest.status in says.get("Beside it", "passed").split(", ")
    assert honest.points == (1.0 if honest.status == "passed" else 0.0)
    assert set(came["records"]) == {"test_centre", "test_centre_hidden"}
    for record in came["records"].values():
        assert (record.points, record.status) in [(0.0, status) for status in says["Statuses"].split(", ")], record
    hidden = came["records"]["test_centre_hidden"]
    assert (hidden.message, hidden.output) == ("", "")
    told = came["told"]
    assert [word for word in ("CANARY", SECRET, "LEAK") if word in told] == [] and len(told) < 20_000
    json.loads(told)
    assert (came["changed"], came["left"], came["survivors"]) == (set(), [], [])


@pytest.mark.parametrize("name", SOME)
def test_an_attack_gains_nothing(name):
    if isolations.named("auto").name == "none":
        pytest.skip("this machine has no isolation")
    path = HERE / "attacks" / f"{name}.py"
    is_held_off(path, outcome(path, "auto"))


@pytest.fixture(scope="module")
def outcomes(request):
    """The outcome of an attack on an isolation; all that will be asked for are found meanwhile, by two processes."""
    asked = [(item.callspec.params["path"], item.callspec.params["name"]) for item in request.session.items
             if item.path == request.path and "outcomes" in item.fixturenames]
    usable = set()
    for name in {name for _, name in asked}:     # before the processes: what starts a worker may end its other children
        with suppress(pytest.skip.Exception):
            isolations.named(name)
            usable.add(name)
    pool = ProcessPoolExecutor(2, get_context("spawn"))
    waiting = {key: pool.submit(outcome, *key) for key in asked if key[1] in usable}
    yield lambda path, name: waiting[path, name].result()
    pool.shutdown(cancel_futures=True)


def cases(paths, *names):
    return pytest.mark.parametrize(("path", "name"), [
        pytest.param(path, name, id=f"{path.stem}-{name}") for name in names for path in paths])


@pytest.mark.slow
@cases(SYSTEM, "bwrap", "landlock", "uid")
def test_an_attack_on_the_system_gains_nothing_on_any_isolation(path, name, outcomes):
    isolations.named(name)
    is_held_off(path, outcomes(path, name))


@pytest.mark.slow
@cases(ANSWERS, "auto")
def test_an_answer_that_deceives_gains_nothing(path, name, outcomes):
    """On one isolation: what it meets is the same on all, the pipe, the codec and the tests."""
    isolations.named(name)
    is_held_off(path, outcomes(path, name))


@pytest.mark.slow
@cases(ANSWERS[::4], "none")
def test_an_answer_that_deceives_gains_nothing_without_isolation(path, name, outcomes):
    is_held_off(path, outcomes(path, name))


@pytest.mark.parametrize("name", ["auto", *(pytest.param(name, marks=pytest.mark.slow) for name in sandbox.ORDER)])
def test_the_solution_gets_all_points_and_the_stub_none(name, place):
    isolation = isolations.named(name)
    assert grade(place / "assignment" / "instructor", isolation, place).points() == 4.0

    stub = place / "stub"
    stub.mkdir()
    (stub / "attacked.py").write_text("def centre(x):\n    raise NotImplementedError('task 1: centre')\n\n\n"
                                      "def total(x):\n    raise NotImplementedError('task 2: total')\n")
    result = grade(stub, isolation, place)
    assert result.points() == 0.0
    assert {record.status for record in result.records.values()} == {"not_attempted"}


def test_the_corpus_is_large_and_every_file_says_what_it_tries():
    assert len(ATTACKS) >= 100
    for path in ATTACKS:
        says = header(path.read_text(encoding="utf-8"))
        assert {"Tries", "Statuses"} <= set(says) <= {"Tries", "Statuses", "Beside it", "Seconds",
                                                      "Without isolation"}, path
        for statuses in (says["Statuses"], says.get("Beside it", "passed")):
            assert set(statuses.split(", ")) <= set(results.STATUSES) - {"infrastructure"}, path
        assert "passed" not in says["Statuses"]
        # Never to be imported here by a pytest that collects tests.
        assert not path.stem.startswith("test_") and not path.stem.endswith("_test") and path.stem != "conftest"
    assert {path.stem for path in ATTACKS} >= set(SOME)
    assert manifest.read(HERE / "attacked").points == 4.0
