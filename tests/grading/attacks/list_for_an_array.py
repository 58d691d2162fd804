# Tries: nested lists of the right numbers, where an array was asked for.
# Statuses: failed


def centre(x):
    return (x - x.mean(axis=0)).tolist()
