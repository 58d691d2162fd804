"""Squared error: by hand, and the very operations that lectures print."""
import numpy as np
import pytest

import minidl as md
from minidl.metrics import squared_error
from tests.standin.device import install

X = np.array([[0.0, 1.0], [2.0, 3.0]], np.float32)


def test_it_is_summed_over_an_item_and_averaged_over_the_items():
    assert squared_error(X + 1, X) == 2.0
    assert squared_error((X + [[1], [2]]).astype(np.float32), X) == (2 + 8) / 2
    assert squared_error((X + 1).reshape(2, 1, 2, 1), X.reshape(2, 1, 2, 1)) == 2.0
    assert type(squared_error(X, X)) is float


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_have_the_bits_of_the_formula_that_lectures_print(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 500, 77)).astype(dtype)
    assert squared_error(y, x) == float(((y - x)**2).sum(1).mean())


def test_it_works_on_every_device():
    device = install()
    assert squared_error(device.put(X + 1), device.put(X)) == 2.0
    with pytest.raises(md.InputError, match="squared_error: the reconstructions are on .* and x on 'cpu'; bring"):
        squared_error(device.put(X), X)


@pytest.mark.parametrize("y, x, sentence", [
    pytest.param(X[0], X, r"alike, not \(2,\) and \(2, 2\)", id="a row to broadcast"),
    pytest.param(X[:, 0], X[:, 0], r"not \(2,\) and \(2,\)", id="no rows"),
    pytest.param(X[:0], X[:0], r"not \(0, 2\) and \(0, 2\)", id="no items"),
    pytest.param(X.astype(np.uint8), X.astype(np.uint8), "not of uint8 and uint8; use", id="whole numbers")])
def test_what_has_no_difference_gets_a_sentence(y, x, sentence):
    with pytest.raises(md.InputError, match=sentence):
        squared_error(y, x)
