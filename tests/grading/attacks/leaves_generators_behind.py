# Tries: to confuse what runs the call by StopIteration and GeneratorExit.
# Statuses: error


def centre(x):
    raise StopIteration(x - x.mean(axis=0)) from GeneratorExit()
