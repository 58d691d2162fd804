# Tries: to be handed in as links: to the reference, to a folder that never ends, to devices and to the password file.
# Statuses: blocked
LINKS = {
    "solution.py": "{INSTRUCTOR}/attacked.py",
    "instructor": "{INSTRUCTOR}",
    "endless": ".",
    "zeros": "/dev/zero",
    "passwords": "/etc/passwd",
    "nowhere": "/nonexistent",
}


def centre(x):
    import solution

    return solution.centre(x)
