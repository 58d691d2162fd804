# Tries: an exception that is all of them: blocked, not attempted, out of memory.
# Statuses: blocked, not_attempted, memory, error


class Everything(ImportError, NotImplementedError):
    name = "x" * 10**6


def centre(x):
    raise Everything(name="a module", path="/")
