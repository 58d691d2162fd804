# Tries: to read the solution's source where it lies, and to run it.
# Statuses: failed
# Without isolation: it gets its points, for it can read what the grader can.
import os


def centre(x):
    for folder in ("{INSTRUCTOR}", "instructor", "../instructor", "/proc/self/cwd/instructor"):
        try:
            with open(os.path.join(folder, "attacked.py")) as file:
                print(source := file.read())
            place = {}
            exec(source, place)
            return place["centre"](x)
        except OSError:
            pass
    return x
