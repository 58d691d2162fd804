# Tries: to use up the machine's memory in small pieces.
# Statuses: memory, crashed, timeout
# Seconds: 0.8


def centre(x):
    everything = []
    while True:
        everything.append(bytearray(1 << 20))
