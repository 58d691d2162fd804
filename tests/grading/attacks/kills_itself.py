# Tries: to end by SIGKILL, as if the machine had run out of memory.
# Statuses: crashed
import os
import signal


def centre(x):
    os.kill(os.getpid(), signal.SIGKILL)
