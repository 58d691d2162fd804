# Tries: to fill the grader's memory, disk or report with what it prints.
# Statuses: timeout
# Seconds: 0.8
import sys


def centre(x):
    while True:
        print("x" * 100_000)
        sys.stderr.write("y" * 100_000)
