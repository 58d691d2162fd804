# Tries: to lock files that every worker reads, so that others wait, or learn of it, and to use up what all share.
# Statuses: failed
# Without isolation: what the system lets the grader's user do.
import ctypes
import fcntl
import os
import platform
import struct

libc = ctypes.CDLL(None)
FOLDER = os.path.dirname(os.__file__)


def centre(x):
    file = os.open(os.__file__, os.O_RDONLY)
    lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0)
    for what, attempt in (("flock", lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)),
                          ("a lock", lambda: fcntl.fcntl(file, fcntl.F_SETLK, lock)),
                          ("a lock of a description", lambda: fcntl.fcntl(file, 37, lock)),
                          ("a lease", lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)),
                          ("a watch", lambda: fcntl.fcntl(os.open(FOLDER, 0), fcntl.F_NOTIFY, 1))):
        try:
            attempt()
        except OSError:
            continue
        print("LEAK:", what)
    context = ctypes.c_ulong()
    for room in (60_000, 128):
        if libc.syscall(0 if platform.machine() == "aarch64" else 206, room, ctypes.byref(context)) == 0:
            print("LEAK: asynchronous reading")
    return x
