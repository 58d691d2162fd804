# Tries: complex numbers, which have no order.
# Statuses: error


def centre(x):
    return (x - x.mean(axis=0)) * 1j
