# -*- coding: klingon -*-
# Tries: to make the reader of its text fail.
# Statuses: error
# Beside it: error


def centre(x):
    return x
