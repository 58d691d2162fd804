# Tries: to import the solution, the tests or the grader.
# Statuses: failed
# Without isolation: it gets its points, for it can read what the grader can.
import importlib
import os
import sys

sys.path += ["{INSTRUCTOR}", os.getcwd(), "/", os.path.dirname("{INSTRUCTOR}"),
             *os.environ.get("PYTHONPATH", "").split(":")]


def centre(x):
    for name in ("reference", "instructor.attacked", "solution", "minidl.grading.marking.session", "minidl.linear.pca",
                 "test_attacked", "test_attacked_hidden", "sklearn.decomposition"):
        try:
            return importlib.import_module(name).centre(x)
        except Exception:
            pass
    return x
