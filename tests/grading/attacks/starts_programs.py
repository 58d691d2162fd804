# Tries: to start programs, by every door to them.
# Statuses: failed, error
# Without isolation: they run, and are ended with it.
import ctypes
import os
import subprocess

libc = ctypes.CDLL(None)


def centre(x):
    for attempt in (lambda: subprocess.Popen(["sleep", "1000"], start_new_session=True),
                    lambda: os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}), lambda: os.popen("sleep 1000"),
                    lambda: os.execv("/bin/sleep", ["sleep", "1000"])):
        try:
            attempt()
            print("LEAK: a program was started")
        except OSError:
            pass
    libc.system(b"sleep 1000 &")
    return x
