# Tries: to take forever to be described: a deep traceback of lines that are not there, and many causes.
# Statuses: error
import sys

sys.setrecursionlimit(30_000)


def _deep(n):
    exec(compile("\n" * (n % 50) + "deep(n)" if n else "1 / 0", __file__, "exec"), {"deep": _deep, "n": n - 1})


def centre(x):
    error = None
    for _ in range(5000):
        try:
            raise ValueError from error
        except ValueError as other:
            error = other
    try:
        _deep(200)
    except ZeroDivisionError as other:
        raise other from error
