"""Times training steps side by side: `python -m tests.benchmarks [--json FILE] [--rounds N]`.

Each peer runs in a process of its own on one thread: minidl, the bare matrix products of the step, and PyTorch where
it is installed. They take turns, round by round, and what is printed are medians of the rounds' ratios: a busy machine
slows all alike.
"""
import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minidl.files import atomic_write
from tests.benchmarks.cases import CASES


def bare_products(products: list[tuple[int, int, int]]) -> Callable[[], Any]:
    """The step's matrix products alone, into arrays that exist already."""
    rng = np.random.default_rng(0)
    arrays = [(rng.random((m, k), np.float32), rng.random((k, n), np.float32), np.empty((m, n), np.float32))
              for m, k, n in products]

    def step() -> None:
        for a, b, out in arrays:
            np.matmul(a, b, out=out)

    return step


def step_of(peer: str, title: str) -> Callable[[], Any]:
    """The case's step as this peer does it, in a process where nobody else's library is loaded."""
    kind, d, p, products = CASES[title]()
    if peer == "products":
        return bare_products(products)
    if peer == "minidl":
        from tests.benchmarks.peer import Minidl

        return getattr(Minidl(1), kind)(d, p)
    import torch

    from tests.benchmarks import torch_steps

    torch.set_num_threads(1)
    return getattr(torch_steps, kind)(d, p)


def work(peer: str, title: str) -> None:
    """A worker: for each line of input, print the seconds that a step takes (the mean over 50 ms)."""
    step = step_of(peer, title)
    for _ in range(3):
        step()
    start = time.perf_counter()
    step()
    repeats = max(1, int(0.05 / (time.perf_counter() - start)))
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(repeats):
            step()
        print((time.perf_counter() - start) / repeats, flush=True)


def measure(peers: list[str], title: str, rounds: int) -> dict[str, list[float]]:
    """Seconds a step, for each peer and round."""
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    workers = {peer: subprocess.Popen([sys.executable, "-m", "tests.benchmarks", "--worker", peer, title], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | one_thread)
               for peer in peers}
    times: dict[str, list[float]] = {peer: [] for peer in peers}
    for turn in range(rounds + 1):
        for peer, worker in workers.items():
            assert worker.stdin and worker.stdout
            print(file=worker.stdin, flush=True)
            seconds = float(worker.stdout.readline())
            if turn:                                 # the first round only settles the workers
                times[peer].append(seconds)
    for worker in workers.values():
        worker.communicate()
    return times


def ratio(times: dict[str, list[float]], name: str, other: str) -> float | None:
    """The median of the rounds' ratios."""
    if other not in times:
        return None
    return statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks",
                                     description="Time training steps side by side, on one thread each.")
    parser.add_argument("--json", metavar="FILE", help="write all times and ratios there")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--worker", nargs=2, metavar=("PEER", "CASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(*arguments.worker)
    results = []
    print(f"{'':32}{'ms':>9}{'of PyTorch':>12}{'of products':>13}")
    for title, make in CASES.items():
        peers = ["minidl"] + ["products"] * bool(make()[3]) + ["torch"] * bool(importlib.util.find_spec("torch"))
        times = measure(peers, title, arguments.rounds)
        row = {"case": title, "ms": 1e3 * statistics.median(times["minidl"]), "times": times,
               "of_torch": ratio(times, "minidl", "torch"), "of_products": ratio(times, "minidl", "products")}
        results.append(row)
        cells = (f"{value:.2f}" if value else "-" for value in (row["of_torch"], row["of_products"]))
        print("{:32}{:9.2f}{:>12}{:>13}".format(title, row["ms"], *cells), flush=True)
    if arguments.json:
        with atomic_write(arguments.json, "w") as file:
            json.dump({"python": platform.python_version(), "numpy": np.__version__, "cases": results}, file, indent=1)


main()
