# Tries: nothing: it spells the function wrong.
# Statuses: missing, error


def center(x):
    return x - x.mean(axis=0)
