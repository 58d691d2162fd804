# Tries: to have its tests skipped by pytest's own exception.
# Statuses: blocked
# Without isolation: it may find pytest on the disk, and its exceptions are errors.


def centre(x):
    import pytest

    pytest.skip("not today")
