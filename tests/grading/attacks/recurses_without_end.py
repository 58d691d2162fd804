# Tries: to overflow the stack, with Python's own limit lifted.
# Statuses: crashed, memory, error, timeout
# Seconds: 0.8
import sys

sys.setrecursionlimit(10**9)


def centre(x):
    return [centre(x)]
