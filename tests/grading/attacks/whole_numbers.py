# Tries: integers, all zero.
# Statuses: failed
import numpy as np


def centre(x):
    return np.zeros(x.shape, int)
