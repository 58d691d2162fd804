# Tries: to have its failure taken for the grader's own, which is never a zero, or for a skipped test.
# Statuses: error
count = 0


class Infrastructure(Exception):
    __module__ = "minidl.grading.isolation.host"


class Skipped(BaseException):
    __module__ = "_pytest.outcomes"


def centre(x):
    raise (Infrastructure if len(x) % 2 else Skipped)("a fault of the machine")
