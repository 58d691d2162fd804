# Tries: to send something else than arrays and numbers.
# Statuses: protocol
# Beside it: protocol
import sys

codec = sys.modules["codec"]
codec.encode = lambda value: b"X" + repr(value).encode()


def centre(x):
    return x - x.mean(axis=0)
