# Tries: to fill the disk, or its table of files.
# Statuses: error, failed, timeout
# Without isolation: its own files are removed, those in other places are not.
import os

import numpy


def centre(x):
    packages = os.path.join(os.path.dirname(os.__file__), "site-packages")
    for folder in (os.environ["TMPDIR"], ".", "/tmp", "/dev/shm", "/var/tmp", "/", os.path.dirname(__file__), "/dev",
                   packages, os.path.dirname(os.path.dirname(numpy.__file__)), "/usr", "/etc", "/run", "/proc/self"):
        for i in range(200):
            try:
                with open(os.path.join(folder, f"minidl-attack-{i}"), "wb") as file:
                    file.write(bytes(1 << 16))
                print("LEAK: written in", folder)
            except OSError:
                break
    return x
