# Tries: to fill the machine with processes.
# Statuses: error, failed
import os
import time


def centre(x):
    for _ in range(200):                         # enough to be seen, few enough for a machine where it succeeds
        if os.fork() == 0:
            os.setsid()
            time.sleep(1000)
    return x
