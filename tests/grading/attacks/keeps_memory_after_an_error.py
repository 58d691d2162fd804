# Tries: to leave no memory for describing its MemoryError.
# Statuses: memory, crashed, timeout, error
everything = []


def centre(x):
    size = 1 << 28
    while size:
        try:
            everything.append(bytearray(size))
        except MemoryError:
            size //= 2
    raise MemoryError
