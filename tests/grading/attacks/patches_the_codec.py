# Tries: to send something else than arrays and numbers.
# Statuses: protocol, failed, error
import sys

codec = sys.modules["codec"]
codec.encode = lambda value: b"X" + repr(value).encode()


def centre(x):
    return x - x.mean(axis=0)


def total(x):                                # its answer cannot be read either
    return 0.0
