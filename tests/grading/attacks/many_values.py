# Tries: a list of ten million numbers.
# Statuses: error, memory, timeout


def centre(x):
    return [0.0] * 10**7
