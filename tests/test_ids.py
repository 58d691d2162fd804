"""The names of parametrised cases say what a case is."""
import functools

import numpy as np
import pytest

from tests.ids import LONGEST, pytest_make_parametrize_id


@pytest.mark.parametrize("value, name", [
    pytest.param(lambda x: x + 1, "x + 1", id="lambda"),
    pytest.param({"a": lambda: [1], "b": np.zeros((2, 3))}, "a=[1], b=float64[2, 3]", id="dict"),
    pytest.param([(lambda: (1 if len("é") else 2)), (lambda: 3)], "(1 if len('é') else 2, 3)", id="two lambdas"),
    pytest.param((np.zeros, "text", 2.0, None), "(zeros, text, 2.0, None)", id="tuple"),
    pytest.param(object(), "object", id="object"),
    pytest.param(functools.partial(int, base=2), "functools.partial(<class 'int'>, base=2)", id="partial"),
    pytest.param(ValueError("no"), "ValueError('no')", id="error")])
def test_a_case_is_named_after_what_stands_in_the_file(value, name):
    assert pytest_make_parametrize_id(value) == name


def test_a_long_name_is_cut_and_what_pytest_can_name_is_left_to_it():
    assert pytest_make_parametrize_id("x" * 61) == "x" * (LONGEST - 3) + "..."
    assert all(pytest_make_parametrize_id(value) is None for value in (None, 3, 0.5, True, "text", int))


def test_no_name_changes_from_run_to_run(request):
    """As one with an object's address in it does, which several processes cannot share out between them."""
    assert [item.nodeid for item in request.session.items if " at 0x" in item.nodeid] == []
