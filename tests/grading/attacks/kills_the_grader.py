# Tries: to end, stop or interrupt the grader, and to find whom else it could.
# Statuses: failed
# Without isolation: it ends the grader.
import ctypes
import os
import signal

libc = ctypes.CDLL(None)


def centre(x):
    grader = os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGSTOP, signal.SIGKILL):
        for attempt in (lambda: os.kill(grader, number), lambda: os.kill(-grader, number), lambda: os.kill(0, 0),
                        lambda: os.kill(-1, 0), lambda: os.kill(1, 0)):          # 0 asks whether one could
            try:
                attempt()
                print("LEAK: a signal was sent")
            except OSError:
                pass
        for call in (200, 234, 129, 297, 424):   # tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal
            libc.syscall(call, grader, grader, number, 0)
            libc.syscall(call, grader, number, 0, 0)
    return x
