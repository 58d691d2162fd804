"""Data sets that a machine may lack."""
import pytest

from minidl import data


def skip_without(name):
    """Skip the test, saying why, where this data set is absent."""
    if data.where(name) is None:
        pytest.skip(f"{name} is not here: minidl data list says where from, or name its folder in MINIDL_DATA")
