# Tries: to fill the machine with threads.
# Statuses: error, memory, crashed, timeout
# Seconds: 1.5
# Without isolation: its memory's limit stops it, after thousands of threads.
import threading
import time

threading.stack_size(32768)


def centre(x):
    while True:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
