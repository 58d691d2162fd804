"""The autograder: untrusted code runs in processes of its own and returns data; verdicts are made elsewhere.

`manifest.py` and `checks.py` are shared; `isolation` runs a submission, `marking` makes verdicts and marks of it, and
of these two `taking`, which is the students' side, and `authoring`, which is the instructors', make use.
"""
