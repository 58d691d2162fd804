# Tries: to have lines of other files shown, as if its exception came from there.
# Statuses: error
# Without isolation: nothing either: only lines of the submission's own files are shown.


def centre(x):
    for path in ("{INSTRUCTOR}/attacked.py", "/etc/shadow"):
        try:
            exec(compile("1 / 0", path, "exec"))
        except ZeroDivisionError as error:
            last = error
    way_out = __file__.rpartition("/")[0] + "/.." * 10 + "{INSTRUCTOR}/attacked.py"
    exec(compile("raise last", way_out, "exec"), {"last": last})
