# Tries: to read and write the grader's memory by the calls of a debugger.
# Statuses: failed
# Without isolation: it can, where the system lets a user's processes trace each other.
import ctypes
import os
import platform

libc = ctypes.CDLL(None)
PTRACE, READV, WRITEV, KCMP, PIDFD_OPEN = (101, 310, 311, 312, 434) if platform.machine() == "x86_64" else (
    117, 270, 271, 272, 434)


def centre(x):
    grader = os.getppid()
    for attempt in (libc.syscall(PTRACE, 16, grader, 0, 0), libc.syscall(PTRACE, 0x4206, grader, 0, 0),
                    libc.syscall(PIDFD_OPEN, grader, 0), libc.syscall(KCMP, grader, grader, 0, 0, 0)):
        if attempt >= 0:
            print("LEAK: a debugger's call")
    return x
