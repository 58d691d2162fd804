# Tries: to show in its output what is no business of a submission.
# Statuses: failed
# Without isolation: it can read what the grader can.
import os


def centre(x):
    for path in ("/etc/shadow", "/root/.ssh/id_rsa", "/root/.bash_history", "/root/.netrc", "{INSTRUCTOR}/attacked.py",
                 "{INSTRUCTOR}/tests/test_attacked_hidden.py", os.path.expanduser("~/.bashrc")):
        try:
            with open(path) as file:
                print("LEAK:", file.read())
        except OSError:
            pass
    return x
