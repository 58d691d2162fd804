# Tries: True, to be taken for a verdict.
# Statuses: failed


def centre(x):
    return True
