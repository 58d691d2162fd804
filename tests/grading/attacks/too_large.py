# Tries: an array of a gigabyte, most of it never touched.
# Statuses: error
import numpy as np


def centre(x):
    return np.broadcast_to(np.zeros(1), (1 << 27,))
