# Tries: to mark its tests as expected failures, by attributes that pytest looks at.
# Statuses: error
pytestmark = ["skip", "xfail"]
__test__ = False


def centre(x):
    raise AssertionError("[XPASS(strict)]")


centre.pytestmark = pytestmark
centre.__unittest_skip__ = centre.__unittest_expecting_failure__ = True
