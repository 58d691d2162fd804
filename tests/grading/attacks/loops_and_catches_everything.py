# Tries: never to end, whatever is raised in it.
# Statuses: timeout
# Seconds: 0.8


def centre(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
