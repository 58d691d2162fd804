# Tries: not to be ended with the grader, and to sleep for a year.
# Statuses: timeout
# Seconds: 0.8
# Without isolation: a sleeping process can stay if the grader is killed in that moment.
import ctypes
import time

libc = ctypes.CDLL(None)


def centre(x):
    if libc.prctl(1, 0, 0, 0, 0) == 0:           # PR_SET_PDEATHSIG
        print("LEAK: it would stay")
    time.sleep(365 * 86400)
