# Tries: one row of zeros for all, which is broadcast.
# Statuses: failed
import numpy as np


def centre(x):
    return np.zeros((1, x.shape[1]))
