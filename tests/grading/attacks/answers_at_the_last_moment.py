# Tries: to take the grader's time with calls that end just before their limit.
# Statuses: failed, timeout
# Seconds: 0.8
import time


def centre(x):
    time.sleep(0.7)
    return x
