# Tries: an integer of a million digits.
# Statuses: error


def centre(x):
    return 10**1_000_000
