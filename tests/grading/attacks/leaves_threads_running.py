# Tries: to go on after its answer, and to change the grader's next request.
# Statuses: failed, protocol, error, crashed
# Beside it: passed, protocol, error, crashed
import gc
import threading


def _spoil():
    while True:
        for thing in gc.get_objects():
            if type(thing) is dict and "arguments" in thing:
                thing["value"] = "passed"


def centre(x):
    threading.Thread(target=_spoil).start()
    return x
