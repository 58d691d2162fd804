# Tries: to find the secret and the expected values in the grader's memory, environment and open files.
# Statuses: failed
# Without isolation: it can read and change the grader's memory.
import glob
import os
import re


def centre(x):
    grader = os.getppid()
    for name in ("environ", "cmdline", "maps", "stat", "stack", "syscall", "auxv", "fd/0", "fd/3", "root/etc/shadow",
                 "cwd/x"):
        for who in (grader, 1):
            try:
                file = os.open(f"/proc/{who}/{name}", os.O_RDONLY | os.O_NONBLOCK)
                print(*re.findall(rb"5ec2e7[0-9a-f]*|CANARY[^\n]*", os.read(file, 1 << 20)))
            except OSError:
                pass
    for name in glob.glob(f"/proc/{grader}/fd/*") + glob.glob(f"/proc/{grader}/task/*/mem") + [f"/proc/{grader}/mem"]:
        try:
            os.open(name, os.O_RDWR | os.O_NONBLOCK)
            print("LEAK: opened", name)
        except OSError:
            pass
    return x
