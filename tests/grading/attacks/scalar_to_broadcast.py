# Tries: a single 0, which is broadcast.
# Statuses: failed


def centre(x):
    return 0.0
