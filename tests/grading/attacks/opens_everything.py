# Tries: to use up descriptors and the kernel's memory for pipes.
# Statuses: error
import fcntl
import os


def centre(x):
    while True:
        _, end = os.pipe()
        fcntl.fcntl(end, 1031, 1 << 20)          # F_SETPIPE_SZ
        os.set_blocking(end, False)
        os.write(end, bytes(1 << 20))
