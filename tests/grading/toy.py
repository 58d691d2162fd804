"""A toy assignment, written into a folder: two tasks, a hidden test, a driver, a question."""
from pathlib import Path

MANIFEST = """\
name = "a0"
title = "Toys"
slides = "1"
files = ["toys.py"]

[limits]
seconds = 2

[[task]]
id = "1.1"
title = "Double"
functions = ["double"]
test = [{ name = "test_double", points = 1 }, { name = "test_double_of_a_matrix", points = 2, hidden = true }]

[[task]]
id = "1.2"
title = "A stack"
functions = ["Stack.push", "Stack.pop"]
test = [{ name = "test_stack", points = 1 }]

[[question]]
id = "q1"
title = "Why?"
points = 2
"""

PUBLIC = """\
from minidl.grading.checks import check_array


def test_double(student, rng):
    x = rng.standard_normal(5)
    check_array(student.double(x), 2 * x)


def test_stack(student):
    assert student.drive("push_and_pop", 5) == 5
"""

HIDDEN = """\
from minidl.grading.checks import check_array


def test_double_of_a_matrix(student, rng, reference):
    x = rng.standard_normal((3, 5))
    check_array(student.double(x), reference.double(x))
"""

DRIVERS = """\
def push_and_pop(module, x):
    stack = module.Stack()
    stack.push(x)
    return stack.pop()
"""

SOLUTION = '''\
"""Toys."""


def double(x):
    """Twice x, of any shape."""
    # BEGIN SOLUTION task=1.1
    return 2 * x
    # END SOLUTION


class Stack:
    """The last in is the first out."""

    def __init__(self):
        self.items = []

    def push(self, x):
        """Put x on top."""
        # BEGIN SOLUTION task=1.2
        self.items.append(x)
        # END SOLUTION

    def pop(self):
        """Take the top away, and return it."""
        # BEGIN SOLUTION task=1.2
        return self.items.pop()
        # END SOLUTION
'''


def write(folder: Path) -> Path:
    """Write the assignment into a folder of its own below `folder`, and return that."""
    files = {"manifest.toml": MANIFEST, "tests/test_toys.py": PUBLIC, "tests/drivers.py": DRIVERS,
             "instructor/toys.py": SOLUTION, "instructor/tests/test_hidden.py": HIDDEN}
    for name, text in files.items():
        path = folder / "a0_toys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "a0_toys"
