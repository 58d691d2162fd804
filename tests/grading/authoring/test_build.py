"""The stub and the table of points follow from the instructor's solution, and no line of it is in the stub."""

import pytest

from minidl.errors import InputError
from minidl.grading import manifest
from minidl.grading.authoring import build, markers, template
from tests.grading import toy


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
    ("task=1.1", "task=1.7", "instructor/toys.py:6: a0 has no task '1.7'"),
    ("task=1.1", 'task="1.1"', "instructor/toys.py:6: a marker names its task without quotes: task=1.1"),
    ("task=1.2", "task=1.1", "task 1.2 has no '# BEGIN SOLUTION task=1.2'"),
    ("return 2 * x", "return 2 *", "instructor/toys.py is no valid Python: line 7: invalid syntax"),
    ('    """Twice x, of any shape."""\n', "", "double needs a docstring"),
    ("def push", "def psuh", "the stub has no Stack.push, which the manifest names"),
    ("self.items = []", "self.items = []\n        # self.items.append(x)",
     "the stub would show it, in line 14: self.items.append(x)")])
def test_a_solution_from_which_no_stub_comes_is_refused_by_line(toys, before, after, sentence):
    assert before in toy.SOLUTION
    (toys.instructor() / "toys.py").write_text(toy.SOLUTION.replace(before, after), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        build.build(toys, toys.instructor())
    assert sentence in str(refused.value) and not (toys.folder / "toys.py").exists()


def test_a_stub_that_is_no_python_is_refused(toys):
    source = "if True:\n    # BEGIN SOLUTION task=1.1\n    import math\n    # END SOLUTION\n"
    with pytest.raises(InputError, match="the stub of toys.py is no valid Python: line 1: expected an indented block"):
        stub_of(toys, source)


@pytest.mark.parametrize("markers, line, column", [
    ("# BEGIN SOLUTION task=1.1\n    return 2 * x\n    # END SOLUTION", 6, 1),
    ("    # BEGIN SOLUTION task=1.1\n    return 2 * x\n# END SOLUTION", 8, 1),
    ("      # BEGIN SOLUTION task=1.1\n    return 2 * x\n    # END SOLUTION", 6, 7)])
def test_a_marker_in_another_column_than_its_solution_is_refused(toys, markers, line, column):
    source = toy.SOLUTION.replace("    # BEGIN SOLUTION task=1.1\n    return 2 * x\n    # END SOLUTION", markers)
    with pytest.raises(InputError, match=f"toys.py:{line}: a marker begins in the column .*, 5, not in {column}"):
        stub_of(toys, source)


def test_a_stub_that_raises_when_it_is_imported_is_refused(toys):
    with pytest.raises(InputError, match="has a raise outside of functions"):
        stub_of(toys, toy.SOLUTION + "\n\nif Stack:\n    raise NotImplementedError\n")


@pytest.mark.parametrize("typed", ["# BEGIN SOLUTON task=1.2", "# begin solution task=1.2", "#BEGIN SOLUTION task=1.2",
                                   "# END SOLUTON", "# end of it  # End Solution", "# BEGIN-SOLUTIONS"])
def test_a_comment_that_is_almost_a_marker_is_refused(toys, typed):
    source = toy.SOLUTION.replace("self.items = []", f"self.items = []\n        {typed}")
    with pytest.raises(InputError, match=r"toys.py:16: a marker is a line '# BEGIN SOLUTION task=2.1'"):
        stub_of(toys, source)


@pytest.mark.parametrize("comment", ["# begin with the solution", "# end", "# the end solution", "# Solution"])
def test_other_comments_are_no_markers(toys, comment):
    source = toy.SOLUTION.replace("self.items = []", f"self.items = []\n        {comment}")
    assert f"        {comment}\n" in stub_of(toys, source)


def write_solution(toys, text, *, functions='["Stack.push", "Stack.pop"]'):
    (toys.instructor() / "toys.py").write_text(text, encoding="utf-8")
    path = toys.folder / "manifest.toml"
    path.write_text(toy.MANIFEST.replace('["Stack.push", "Stack.pop"]', functions), encoding="utf-8")
    return manifest.read(toys.folder)


def test_every_function_and_method_that_a_task_names_is_marked(toys):
    pop = "        # BEGIN SOLUTION task=1.2\n        return self.items.pop()\n        # END SOLUTION\n"
    unmarked = toy.SOLUTION.replace(pop, "        return self.items.pop()\n")
    with pytest.raises(InputError, match="task 1.2: in Stack.pop nothing is marked, so that students would get it"):
        build.build(write_solution(toys, unmarked), toys.instructor())
    one_by_one = write_solution(toys, unmarked, functions='["Stack.push"]')
    assert "toys.py" in build.build(one_by_one, toys.instructor())
    with pytest.raises(InputError, match=r"task 1.2: in Stack.__init__ nothing is marked.* one by one in the manifest"):
        build.build(write_solution(toys, toy.SOLUTION, functions='["Stack"]'), toys.instructor())


def test_a_method_of_a_class_that_a_task_names_needs_a_docstring(toys):
    init = "    def __init__(self):\n        self.items = []\n\n"
    source = toy.SOLUTION.replace(init, "").replace('        """Put x on top."""\n', "")
    with pytest.raises(InputError, match="task 1.2: Stack.push needs a docstring"):
        build.build(write_solution(toys, source, functions='["Stack"]'), toys.instructor())


def test_a_function_with_a_solution_is_named_by_its_task(toys):
    with pytest.raises(InputError, match=r"instructor/toys.py:25: Stack.pop has a solution of task 1.2; add it to"):
        build.build(write_solution(toys, toy.SOLUTION, functions='["Stack.push"]'), toys.instructor())


def test_a_solution_of_short_lines_alone_may_not_stand_elsewhere(toys):
    for line in ("return [x, x]", "return 2*x"):
        source = toy.SOLUTION.replace("return 2 * x", line).replace('"""Toys."""', f'"""Toys: {line}."""')
        with pytest.raises(InputError, match=r"the stub would show it, in line 1: return"):
            stub_of(toys, source)


def test_a_missing_solution_and_a_statement_without_table_are_told(toys):
    (toys.folder / "README.md").write_text("# Toys\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no lines <!-- points -->"):
        build.build(toys, toys.instructor())
    with pytest.raises(InputError, match=r"there is no folder .*elsewhere.a0_toys with .* say --instructor DIR"):
        build.build(toys, toys.instructor(toys.folder.parent / "elsewhere"))


def test_a_new_assignment_is_whole_and_its_canaries_are_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDL_ASSIGNMENTS", str(tmp_path))
    folders = [template.new("a9", "Normalizing flows"), template.new("a10", "GAN: a game, 2 players")]
    assert [folder.name for folder in folders] == ["a9_normalizing_flows", "a10_gan_a_game_2_players"]
    canaries = []
    for folder in folders:
        found = manifest.read(folder)
        assert build.outdated(found, found.instructor()) == []
        canaries += [markers.CANARY.findall(path.read_text()) for path in (folder / "instructor").rglob("*.*")]
    assert len(canaries) == 6 == len({canary for canary, in canaries})
    for name, title, sentence in (("a9", "Again", "has a9_normalizing_flows already"), ("b9", "x", "called a and"),
                                  ("a11", "3 GANs", "gives no name for a file")):
        with pytest.raises(InputError, match=sentence):
            template.new(name, title)
