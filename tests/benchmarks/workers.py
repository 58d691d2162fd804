"""Times how long a submission's worker takes to start, and a call into it: `python -m tests.benchmarks.workers`.

For each isolation that this machine has, and beside a Python that does nothing but import NumPy. What is printed are
the best of several turns: on a busy machine any other says more about what else it does. A worker should start within
60 ms of the bare Python, and a call take half a millisecond.
"""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minidl.errors import InputError
from minidl.grading.isolation import host, sandbox

TURNS, CALLS = 8, 50


def main() -> None:
    """Print a line for each isolation."""
    for name in sandbox.ORDER:
        try:
            isolation, = sandbox.choose(name)
        except InputError as error:
            print(error)
            continue
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "student.py").write_text("def f(x):\n    return x\n")
            with host.Stage(Path(folder)) as stage:
                turns = [(bare(stage), *worker(stage, isolation)) for _ in range(TURNS)]
        python, started, call = map(min, zip(*turns, strict=True))
        print(f"{name:<10}bare Python {1000 * python:5.1f} ms, worker {1000 * started:5.1f} ms, "
              f"call {1000 * call:.3f} ms")


def bare(stage: host.Stage) -> float:
    """Seconds that Python takes with NumPy alone."""
    clock = time.perf_counter()
    source = f"import sys; sys.path.append({str(stage.library)!r}); import numpy"
    subprocess.run([os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", source], check=True,
                   env={"OPENBLAS_NUM_THREADS": "1"})
    return time.perf_counter() - clock


def worker(stage: host.Stage, isolation: host.Isolation) -> tuple[float, float]:
    """Seconds until a worker has loaded a file, and those of its quickest call."""
    calls = []
    clock = time.perf_counter()
    with host.Worker(stage, isolation, host.Limits()) as worker:
        worker.load("student")
        started = time.perf_counter() - clock
        for _ in range(CALLS):
            clock = time.perf_counter()
            worker.call("student", "f", np.zeros(10))
            calls.append(time.perf_counter() - clock)
    return started, min(calls)


if __name__ == "__main__":
    main()
