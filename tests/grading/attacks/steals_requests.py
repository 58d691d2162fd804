# Tries: to read the next requests itself, so that nothing answers them.
# Statuses: timeout, protocol, failed, crashed
# Seconds: 0.8
import os
import threading


def _steal():
    while True:
        for number in range(3, 16):
            try:
                os.set_blocking(number, False)
                os.read(number, 1 << 16)
            except OSError:
                pass


def centre(x):
    threading.Thread(target=_steal, daemon=True).start()
    return x
