# Tries: an array just small enough to be sent, of the wrong shape.
# Statuses: failed, error
import numpy as np


def centre(x):
    return np.zeros(1 << 22)
