# Tries: to write into every open descriptor, the pipe of its answers among them.
# Statuses: protocol, timeout
# Seconds: 0.8
import os


def centre(x):
    for _ in range(1000):
        for number in range(64):
            try:
                os.set_blocking(number, False)
                os.write(number, b"\x00passed" * 10_000)
            except OSError:
                pass
    return x
