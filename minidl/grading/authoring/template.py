"""A new assignment: `minidl assign new a9 "Topic"` writes a small one that works, to be rewritten."""
from __future__ import annotations

import re
import secrets
from pathlib import Path

from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.grading import manifest
from minidl.grading.authoring import build

_FILES = {
    "manifest.toml": '''\
name = "{name}"
title = "{title}"
slides = "1-2"
files = ["{module}.py"]                # what students hand in; the first is tested

[limits]
seconds = 10                           # for one call
memory = 2048                          # MiB

[[task]]
id = "1.1"
title = "Centred data"
functions = ["centre"]
test = [
  {{ name = "test_columns_have_mean_zero", points = 1 }},
  {{ name = "test_the_input_stays_as_it_is", points = 1 }},
  {{ name = "test_large_offsets", points = 2, hidden = true }},
]

[[question]]
id = "1.2"
title = "Why is data centred before PCA?"
points = 1
''',
    "README.md": '''\
# {title}

Slides 1-2. You write `{module}.py`; NumPy is all that it needs.

<!-- points -->
<!-- /points -->

Start with `minidl start {name}`, see how far you are with `minidl check {name}`, hand in the file that
`minidl submit {name}` writes. The command is there after `python -m pip install -e .` in the folder of minidl's source.
Where this assignment did not come with it, name the folder that you got: `minidl start Downloads/{folder}`.

## 1.1 Centred data

Write `centre(x)`: the data without their mean,

    y[n, d] = x[n, d] - mean over n of x[n, d]

Your function must leave `x` as it is.

*Hint:* which axis are the examples on?

## 1.2 Why is data centred before PCA?

Answer in `answers.md`, in two or three sentences.
''',
    "tests/test_{module}.py": '''\
"""What your functions promise. Each test draws its data from `rng`, and computes what it expects itself."""
import numpy as np

from minidl.grading.checks import check_array, check_shape


def test_columns_have_mean_zero(student, rng):
    x = rng.standard_normal((20, 3)) + 5
    y = student.centre(x)
    check_shape(y, (20, 3), name="centre(x)")
    check_array(y.mean(axis=0), np.zeros(3), name="the mean of centre(x)")


def test_the_input_stays_as_it_is(student, rng):
    x = rng.standard_normal((20, 3)) + 5
    student.call_twice("centre", x)
''',
    "instructor/{module}.py": '''\
# CANARY {canary}
"""{title}: data without their mean."""
import numpy as np


def centre(x: np.ndarray) -> np.ndarray:
    """The data without the mean of each column: (N, D) -> (N, D).

    >>> centre(np.array([[1.0, 2.0], [3.0, 6.0]]))
    array([[-1., -2.],
           [ 1.,  2.]])
    """
    # BEGIN SOLUTION task=1.1
    mean = x.mean(axis=0, keepdims=True)
    return x - mean
    # END SOLUTION
''',
    "instructor/tests/test_{module}_hidden.py": '''\
# CANARY {canary}
from minidl.grading.checks import check_array


def test_large_offsets(student, rng, reference):
    x = rng.standard_normal((30, 5)) + 1e3 * rng.standard_normal(5)
    check_array(student.centre(x), reference.centre(x), rtol=1e-9)
''',
    "instructor/mutants.toml": '''\
# CANARY {canary}
# Wrong solutions: in the solution, `replace` becomes `by`, and exactly the tests in `loses` must fail.

[[mutant]]
name = "one mean for all columns"
task = "1.1"
replace = "x.mean(axis=0, keepdims=True)"
by = "x.mean()"
loses = ["test_columns_have_mean_zero", "test_large_offsets"]

[[mutant]]
name = "changes its input"
task = "1.1"
replace = "return x - mean"
by = "x -= mean\\n    return x"
loses = ["test_the_input_stays_as_it_is"]

[[mutant]]
name = "takes a mean of 5 for granted"
task = "1.1"
replace = "return x - mean"
by = "return x - mean * (abs(mean - 5) < 3)"
loses = ["test_large_offsets"]
''',
}


def new(name: str, title: str) -> Path:
    """Write a new assignment into the first folder of assignments, and return its own.

    Raises InputError for a name that is not like a9, for one that exists, and where there is no such folder.
    """
    if not re.fullmatch(r"a\d+", name):
        raise InputError(f"an assignment is called a and a number, such as a9, not {name!r}")
    topic = re.sub(r"\W+", "_", title.lower(), flags=re.ASCII).strip("_")
    if not re.match("[a-z]", topic) or not title.isprintable() or '"' in title or "\\" in title:
        raise InputError(f"{title!r} gives no name for a file; a title begins with a letter and has no quotes, such as "
                         "\"Normalizing flows\"")
    home = next((folder for folder in manifest.folders() if folder.is_dir()), None)
    if home is None:
        raise InputError(f"there is no folder {' or '.join(map(str, manifest.folders()))} for assignments; make one, "
                         "or name one in MINIDL_ASSIGNMENTS")
    if taken := [folder.name for folder in home.iterdir() if folder.name.partition("_")[0] == name]:
        raise InputError(f"{home} has {taken[0]} already; choose another name")
    folder = home / f"{name}_{topic}"
    for path, text in _FILES.items():
        with atomic_write(folder / path.format(module=topic), "w") as file:
            file.write(text.format(name=name, title=title, module=topic, folder=folder.name,
                                   canary=secrets.token_hex(16)))
    made = manifest.read(folder)
    build.build(made, made.instructor())
    return folder
