# Tries: to count as not attempted.
# Statuses: not_attempted


def centre(x):
    raise NotImplementedError("task 1")
