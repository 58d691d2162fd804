# Tries: to carry a hidden test's input into a later test, whose output is shown; the order of tests may be any.
# Statuses: failed
# Without isolation: it can leave files for another test, or for another submission.
import ctypes
import os

NAMES = [os.path.join(folder, "minidl-attack-hidden") for folder in (
    "/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/dev/mqueue", ".", os.path.dirname(__file__), os.environ["TMPDIR"])]
libc = ctypes.CDLL(None)


def centre(x):
    for name in NAMES:
        try:
            with open(name) as file:
                print("LEAK:", file.read())
        except OSError:
            pass
        try:
            with open(name, "w") as file:
                file.write(repr(x))
            os.mkdir(name + "-folder")
        except OSError:
            pass
    queue = libc.msgget(0x4d444c, 0o1666)
    shared = libc.shmget(0x4d444c, 4096, 0o1666)
    if queue >= 0 or shared >= 0:
        print("LEAK: a queue or shared memory")
    return x
