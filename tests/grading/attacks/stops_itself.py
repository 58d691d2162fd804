# Tries: to be stopped, so that the grader waits forever.
# Statuses: timeout
# Seconds: 0.8
import os
import signal


def centre(x):
    os.kill(os.getpid(), signal.SIGSTOP)
