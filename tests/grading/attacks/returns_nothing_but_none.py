# Tries: nothing: it forgets to return.
# Statuses: failed


def centre(x):
    x - x.mean(axis=0)
