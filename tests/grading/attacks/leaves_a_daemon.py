# Tries: to leave a process behind, which outlives the grader and writes a file.
# Statuses: error, failed
import os
import time


def centre(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(64):
                try:
                    os.close(number)
                except OSError:
                    pass
            time.sleep(1000)
        os._exit(0)
    return x
