"""Settings of the process: they apply, twice as well as once, and change no result."""
import subprocess
import sys

import numpy as np
import pytest

import minidl as md
from minidl import tuning

PROGRAM = """
import ctypes, gc, sys
import numpy as np
import minidl as md
{before}
assert md.tune() is None and md.tune() is None
assert gc.isenabled() and gc.get_threshold() == (100_000, 20, 20) and gc.get_freeze_count() > 1000
x = md.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
md.sum(x * x).backward()
print(x.grad.numpy().tolist())
"""


def run(before=""):
    """In a process of its own, for it affects the whole process."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(before=before)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_tune_applies_may_be_called_twice_and_changes_no_result():
    assert run() == "[[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]"


@pytest.mark.parametrize("before", [
    "sys.platform = 'darwin'",
    "ctypes.CDLL = lambda name: object()                   # a C library without mallopt",
    "def none(name): raise OSError('no library')\nctypes.CDLL = none",
])
def test_tune_does_what_it_can_where_malloc_cannot_be_set(before):
    assert run(before) == "[[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_freed_arrays_are_kept_for_the_next_step():
    """A loop over 8 MiB temporaries takes new pages from the system each time, and after tune() nearly none."""
    program = ("import resource, numpy as np, minidl as md\n"
               "def faults():\n"
               "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
               "    for _ in range(20): np.ones(2**20)\n"
               "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
               "first = faults(); md.tune(); faults(); print(first, faults())")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    if before < 100:
        pytest.skip("this system's malloc keeps large arrays anyway")
    assert after < before / 10


def test_the_public_name_is_the_function():
    assert md.tune is tuning.tune


def test_one_core_gives_the_threads_back():
    get, set_to = tuning._thread_functions()
    before = get()
    set_to(2)
    try:
        with tuning.one_core():
            assert get() == 1
            assert np.allclose(np.eye(300) @ np.eye(300), np.eye(300))
        assert get() in (1, 2)                                 # 1 where there is no OpenBLAS, or one core
    finally:
        set_to(before)
