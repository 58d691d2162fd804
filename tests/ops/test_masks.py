"""Masks: what combines truth values and what sums them up, as NumPy."""
import operator

import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor

A = np.array([[True, False, True], [False, False, True]])
B = np.array([True, True, False])
X = np.array([[0.0, 2.0, np.nan], [1.0, -1.0, np.inf]])


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor])
def test_masks_combine_from_both_sides(op):
    for a, b in ((A, B), (A, True), (np.array([6, 3]), np.array([5, 5])), (np.array([6, 3]), 1)):
        for left, right in ((Tensor(a), b), (a, Tensor(np.array(b))), (Tensor(a), Tensor(np.array(b)))):
            y = op(left, right)
            assert isinstance(y, Tensor) and y.dtype == np.asarray(op(a, b)).dtype and not y.requires_grad
            np.testing.assert_array_equal(y.numpy(), op(a, b))


def test_masks_invert():
    np.testing.assert_array_equal((~Tensor(A)).numpy(), ~A)
    np.testing.assert_array_equal((~Tensor(np.array([1, 2]))).numpy(), [-2, -3])


def test_masks_of_a_tensor_select():
    x = Tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = md.sum(x[(x > 0.0) & ~(x > 2.0)])
    y.backward()
    assert y.item() == 1 and x.grad.numpy().tolist() == [1, 0, 0]


@pytest.mark.parametrize("call", [lambda x: x > 0.0 & (x < 1.0), lambda x: x | True, lambda x: ~x, lambda x: x ^ x,
                                  lambda x: 0.5 & (x > 0)])
def test_numbers_with_a_point_are_no_masks(call):
    with pytest.raises(InputError, match=r"[&|~^] combines masks and integers, not float\d*; compare first, with "
                                         r"parentheses: \(x > 0\) & \(x < 1\)"):
        call(Tensor([0.5, 2.0]))


@pytest.mark.parametrize("name", ["any", "all"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_any_and_all_are_numpys(name, axis):
    f = getattr(np, name)
    for x in (A, X, A[:, :0]):
        expected = np.asarray(f(x, axis=axis))
        for y in (f(Tensor(x), axis=axis), getattr(Tensor(x), name)(axis), getattr(md, name)(Tensor(x), axis)):
            assert y.dtype == bool and y.shape == expected.shape
            np.testing.assert_array_equal(y.numpy(), expected)
        assert getattr(md, name)(Tensor(x), axis, True).shape == f(x, axis=axis, keepdims=True).shape


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
def test_logical_functions_take_numbers_too(name):
    f = getattr(np, name)
    np.testing.assert_array_equal(f(Tensor(X), B).numpy(), f(X, B))
    np.testing.assert_array_equal(np.logical_not(Tensor(X)).numpy(), np.logical_not(X))


def test_isnan_and_isfinite_tell_nan_from_infinity():
    np.testing.assert_array_equal(np.isnan(Tensor(X)).numpy(), np.isnan(X))
    np.testing.assert_array_equal(np.isfinite(Tensor(X)).numpy(), np.isfinite(X))
    assert not md.isnan(Tensor(np.array([1, 2]))).any()
