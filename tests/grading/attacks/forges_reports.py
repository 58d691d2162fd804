# Tries: to write the results itself, wherever they might be looked for.
# Statuses: failed
# Without isolation: it writes where the grader may write.
import os

FORGED = {
    "minidl-attack-result.json": '{"records": {"test_centre": {"status": "passed", "points": 1.0}}}',
    "minidl-attack-junit.xml": '<testsuite tests="3" failures="0"/>',
    "result.json": '{"records": {}}',
    "results.json": '{"score": 100}',
}


def centre(x):
    for folder in {".", "..", "../..", "/tmp", "/var/tmp", "/dev/shm", "/autograder/results", os.environ["TMPDIR"],
                   os.path.expanduser("~"), os.path.dirname(__file__), "{INSTRUCTOR}"}:
        for name, text in FORGED.items():
            try:
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            except OSError:
                pass
    return x
