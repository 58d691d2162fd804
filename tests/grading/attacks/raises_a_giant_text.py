# Tries: to fill the report with its exception's text.
# Statuses: error


def centre(x):
    raise ValueError("x" * 10**8)
