# Tries: to keep its process from ending.
# Statuses: failed
import atexit
import threading
import time


class Stays:
    def __del__(self):
        time.sleep(1000)


stays = Stays()
atexit.register(time.sleep, 1000)


def centre(x):
    threading.Thread(target=time.sleep, args=(1000,)).start()
    return x
