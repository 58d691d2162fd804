# Tries: to end by SIGABRT.
# Statuses: crashed
import os


def centre(x):
    os.abort()
