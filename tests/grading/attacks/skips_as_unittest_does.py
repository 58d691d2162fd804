# Tries: to have its tests skipped.
# Statuses: error
import unittest


def centre(x):
    raise unittest.SkipTest("not today")
