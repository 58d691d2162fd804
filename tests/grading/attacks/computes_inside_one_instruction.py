# Tries: to loop in C, where no Python signal handler is run.
# Statuses: timeout, memory, error
# Seconds: 0.8


def centre(x):
    return pow(7, 7**8, 10**300_000 + 1)
