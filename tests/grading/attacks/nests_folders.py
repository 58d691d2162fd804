# Tries: to leave a folder behind that is nested too deep to be removed.
# Statuses: failed, error
# Without isolation: some of it may stay in the temporary folder.
import os


def centre(x):
    os.chdir(os.environ["TMPDIR"])
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    return x
