# Tries: to get past the filter by the numbers of the x32 system calls.
# Statuses: crashed, failed
# Without isolation: nothing filters its calls.
import ctypes

libc = ctypes.CDLL(None)


def centre(x):
    if libc.syscall(0x40000000 + 41, 2, 1, 0) >= 0:
        print("LEAK: a socket")
    return x
