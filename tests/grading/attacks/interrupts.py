# Tries: to stop pytest by KeyboardInterrupt, as Ctrl-C does.
# Statuses: error


def centre(x):
    raise KeyboardInterrupt
