"""The stub and the table of points follow from the instructor's solution, and no line of it is in the stub."""
from pathlib import Path

import pytest

from minidl.errors import InputError
from minidl.grading import build, manifest, template
from tests.grading import toy

REPOSITORY = Path(__file__).resolve().parents[2] / "assignments"


@pytest.fixture
def toys(tmp_path):
    """The toy assignment with a statement."""
    folder = toy.write(tmp_path)
    (folder / "README.md").write_text(f"# Toys\n\n{build.BEGIN}\nold\n{build.END}\n\nBye.\n", encoding="utf-8")
    return manifest.read(folder)


def stub_of(toys, source):
    return build.stub(toys, source, "toys.py")


def test_build_writes_stub_table_and_answers_and_then_nothing_more(toys):
    material = toys.instructor()
    assert build.outdated(toys, material) == ["toys.py", "README.md", "answers.md"]
    assert not (toys.folder / "toys.py").exists()
    assert build.build(toys, material) == ["toys.py", "README.md", "answers.md"]
    assert build.build(toys, material) == build.outdated(toys, material) == []
    (toys.folder / "toys.py").write_text("edited\n", encoding="utf-8")
    assert build.outdated(toys, material) == ["toys.py"]


def test_in_the_stub_each_solution_is_a_raise_that_names_task_and_function(toys):
    text = stub_of(toys, toy.SOLUTION)
    assert '    """Twice x, of any shape."""\n    raise NotImplementedError("task 1.1: write double")\n' in text
    assert '        raise NotImplementedError("task 1.2: write Stack.pop")\n' in text
    assert "SOLUTION" not in text and "return 2 * x" not in text and "self.items.append(x)" not in text
    assert "self.items = []" in text                                 # what was given
    names = {}
    exec(compile(text, "toys.py", "exec"), names)
    with pytest.raises(NotImplementedError, match="task 1.2: write Stack.push"):
        names["Stack"]().push(1)


def test_a_solution_may_stand_within_a_function_and_be_nested(toys):
    source = ("def double(x):\n    '''Twice.'''\n    if x is None:\n        # BEGIN SOLUTION task=1.1\n"
              "        y = [\n            1]\n        # END SOLUTION\n    return x\n")
    assert stub_of(toys, source) == ("def double(x):\n    '''Twice.'''\n    if x is None:\n"
                                     '        raise NotImplementedError("task 1.1: write double")\n    return x\n')


def test_helpers_of_the_solution_leave_no_trace(toys):
    source = ("# CANARY 0123456789abcdef\nimport numpy as np\n\n\n# BEGIN SOLUTION task=1.1\ndef helper(x):\n"
              "    return np.add(x, x)\n# END SOLUTION\n\n\ndef double(x):\n    '''Twice.'''\n    return None\n")
    assert stub_of(toys, source) == "import numpy as np\n\n\ndef double(x):\n    '''Twice.'''\n    return None\n"


def test_the_table_counts_public_and_hidden_points(toys):
    build.build(toys, toys.instructor())
    assert (toys.folder / "README.md").read_text(encoding="utf-8") == (
        "# Toys\n\n<!-- points -->\n| task | | public | hidden | points |\n|---|---|---|---|---:|\n"
        "| 1.1 | Double | 1 in 1 test | 2 in 1 test | 3 |\n| 1.2 | A stack | 1 in 1 test | - | 1 |\n"
        "| q1 | Why? | | read by a person | 2 |\n| | **all** | 2 in 2 tests | 2 in 1 test | **6** |\n"
        "<!-- /points -->\n\nBye.\n")
    assert "## q1 Why? (2 points)" in (toys.folder / "answers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("before, after, sentence", [
    ("    # END SOLUTION\n\n\nclass", "\n\nclass", "toys.py:18: a solution begins within that of line 6"),
    ("    # BEGIN SOLUTION task=1.1\n", "", "toys.py:7: no solution ends here"),
    ("    return 2 * x\n", "", "toys.py:7: a solution is empty"),
    ("# BEGIN SOLUTION task=1.1", "# BEGIN SOLUTION 1.1", "toys.py:6: a marker is a line"),
    ("task=1.1", "task=1.7", "a0 has no task '1.7'"),
    ("task=1.2", "task=1.1", "task 1.2 has no '# BEGIN SOLUTION task=1.2'"),
    ("return 2 * x", "return 2 *", "toys.py is no valid Python"),
    ('    """Twice x, of any shape."""\n', "", "double needs a docstring"),
    ("def push", "def psuh", "the stub has no Stack.push, which the manifest names"),
    ("self.items = []", "self.items = []\n        # self.items.append(x)", "the stub would show it")])
def test_a_solution_from_which_no_stub_comes_is_refused_by_line(toys, before, after, sentence):
    assert before in toy.SOLUTION
    (toys.instructor() / "toys.py").write_text(toy.SOLUTION.replace(before, after), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        build.build(toys, toys.instructor())
    assert sentence in str(refused.value) and not (toys.folder / "toys.py").exists()


def test_a_stub_that_is_no_python_is_refused(toys):
    source = toy.SOLUTION.replace("    # BEGIN SOLUTION task=1.1\n", "  # BEGIN SOLUTION task=1.1\n")
    with pytest.raises(InputError, match="the stub of toys.py is no valid Python"):
        stub_of(toys, source)


def test_a_missing_solution_and_a_statement_without_table_are_told(toys):
    (toys.folder / "README.md").write_text("# Toys\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no lines <!-- points -->"):
        build.build(toys, toys.instructor())
    with pytest.raises(InputError, match=r"there is no .*elsewhere.a0_toys.toys\.py"):
        build.build(toys, toys.instructor(toys.folder.parent / "elsewhere"))


def test_a_new_assignment_is_whole_and_its_canaries_are_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDL_ASSIGNMENTS", str(tmp_path))
    folders = [template.new("a9", "Normalizing flows"), template.new("a10", "GAN: a game, 2 players")]
    assert [folder.name for folder in folders] == ["a9_normalizing_flows", "a10_gan_a_game_2_players"]
    canaries = []
    for folder in folders:
        found = manifest.read(folder)
        assert build.outdated(found, found.instructor()) == []
        canaries += [build.CANARY.findall(path.read_text()) for path in (folder / "instructor").rglob("*.*")]
    assert len(canaries) == 6 == len({canary for canary, in canaries})
    for name, title, sentence in (("a9", "Again", "has a9_normalizing_flows already"), ("b9", "x", "called a and"),
                                  ("a11", "3 GANs", "gives no name for a file")):
        with pytest.raises(InputError, match=sentence):
            template.new(name, title)


@pytest.mark.parametrize("folder", sorted(path.parent for path in REPOSITORY.glob("*/manifest.toml")),
                         ids=lambda path: path.name)
def test_stub_and_table_of_every_assignment_are_up_to_date(folder):
    found = manifest.read(folder)
    assert build.outdated(found, found.instructor()) == [], f"minidl assign build {found.name}"
