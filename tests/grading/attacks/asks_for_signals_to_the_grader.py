# Tries: to have the kernel send signals to the grader, as the owner of a file or by a timer.
# Statuses: failed, error
# Without isolation: it can end the grader so.
import ctypes
import fcntl
import os

libc = ctypes.CDLL(None)


def centre(x):
    ends = os.pipe()
    for end in ends:
        for owner in (os.getppid(), -os.getppid(), -os.getpgid(os.getppid())):
            try:
                fcntl.fcntl(end, fcntl.F_SETSIG, 9)
                fcntl.fcntl(end, fcntl.F_SETOWN, owner)
                fcntl.fcntl(end, 15, ctypes.string_at(ctypes.byref((ctypes.c_int * 2)(1, owner)), 8))
                fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)
                print("LEAK: signals were asked for")
            except OSError:
                pass
    os.write(ends[1], b"x")
    return x
