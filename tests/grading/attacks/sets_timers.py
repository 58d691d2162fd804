# Tries: to be interrupted in the middle of sending an answer.
# Statuses: failed, crashed, protocol, error, timeout
# Seconds: 0.8
import signal


def _again(*_):
    raise RuntimeError("a timer")


def centre(x):
    signal.signal(signal.SIGALRM, _again)
    signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)
    return x
