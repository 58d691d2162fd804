# Tries: to use up the machine's memory in one piece.
# Statuses: memory
import numpy as np


def centre(x):
    return np.ones(1 << 40)
