# Tries: the right numbers as text.
# Statuses: error


def centre(x):
    return (x - x.mean(axis=0)).astype(str)
