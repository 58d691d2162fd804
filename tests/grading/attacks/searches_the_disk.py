# Tries: to find the solution anywhere on the disk.
# Statuses: failed, timeout
# Seconds: 0.8
# Without isolation: it can get its points, for it can read what the grader can.
import os


def centre(x):
    for top in (os.path.dirname("{INSTRUCTOR}"), "/tmp", "/root", "/home", "/work", "/srv", os.path.expanduser("~")):
        for folder, _, names in os.walk(top):
            if "attacked.py" in names and "submission" not in folder and "tests/grading" not in folder:   # its checkout
                place = {}
                with open(os.path.join(folder, "attacked.py")) as file:
                    exec(file.read(), place)
                return place["centre"](x)
    return x
