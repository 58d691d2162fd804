"""Sparsity: the penalties' values and gradients, and which numbers KSparse keeps."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl as md
from minidl import nn
from tests.standin.device import counting, install


def test_the_kl_penalty_is_the_divergence_of_each_units_mean_from_rho(only_float32):
    a = np.array([[0.1, 0.9], [0.3, 0.5]], np.float32)                           # means 0.2 and 0.7
    expected = sum(0.05 * math.log(0.05 / m) + 0.95 * math.log(0.95 / (1 - m)) for m in (0.2, 0.7))
    assert nn.kl_sparsity(md.Tensor(a), 0.05).item() == pytest.approx(expected, rel=1e-6)
    assert nn.kl_sparsity(md.Tensor(a.reshape(2, 1, 1, 2)), 0.05).item() == pytest.approx(expected, rel=1e-6)


@settings(max_examples=40)
@given(rho=st.floats(0.01, 0.99), other=st.floats(0.01, 0.99))
def test_the_kl_penalty_is_zero_at_rho_and_positive_elsewhere(rho, other):
    assert abs(nn.kl_sparsity(md.Tensor(np.full((3, 2), rho)), rho).item()) < 1e-12
    assert nn.kl_sparsity(md.Tensor(np.full((3, 2), other)), rho).item() > -1e-12


def test_units_that_are_always_off_or_always_on_have_a_finite_penalty_and_gradient():
    a = md.Tensor(np.array([[0.0, 1.0, 0.5]] * 4, np.float32), requires_grad=True)
    penalty = nn.kl_sparsity(a, 0.1)
    penalty.backward()
    assert math.isfinite(penalty.item()) and np.isfinite(a.grad.numpy()).all() and penalty.item() > 10


def test_the_l1_penalty_is_the_sum_over_units_averaged_over_the_items(only_float32):
    a = np.array([[1.0, -2.0], [0.5, 0.0]], np.float32)
    assert nn.l1_sparsity(md.Tensor(a)).item() == pytest.approx((3.0 + 0.5) / 2)
    assert nn.l1_sparsity(md.Tensor(a.reshape(1, 2, 1, 2))).item() == pytest.approx((3.0 + 0.5) / 2)


@pytest.mark.parametrize("f", [lambda a: nn.kl_sparsity(md.sigmoid(a), 0.1), lambda a: nn.l1_sparsity(a),
                               lambda a: nn.KSparse(2)(a)**3])
def test_gradients_are_right_to_second_order(f):
    md.gradcheck(f, np.random.default_rng(0).standard_normal((4, 5)) + 0.2)


def test_ksparse_keeps_the_largest_of_each_row_and_their_gradients(only_float32):
    x = md.Tensor([[3.0, -1.0, 2.0, 0.5], [-4.0, -2.0, -3.0, -1.0]], requires_grad=True)
    y = nn.KSparse(2)(x)
    assert y.numpy().tolist() == [[3, 0, 2, 0], [0, -2, 0, -1]]
    md.sum(y * md.Tensor([[1.0, 2.0, 3.0, 4.0]] * 2)).backward()
    assert x.grad.numpy().tolist() == [[1, 0, 3, 0], [0, 2, 0, 4]]


@settings(max_examples=40)
@given(rows=st.lists(st.lists(st.integers(1, 3), min_size=6, max_size=6), min_size=1, max_size=5), k=st.integers(1, 6))
def test_of_equal_numbers_the_first_are_kept_so_that_there_are_always_k(rows, k):
    x = np.array(rows, np.float32)
    y = nn.KSparse(k)(x)
    assert ((y != 0).sum(1) == k).all()
    for row, kept in zip(x, y, strict=True):
        expected = sorted(range(6), key=lambda i: (-row[i], i))[:k]
        assert sorted(np.flatnonzero(kept)) == sorted(expected)


def test_the_device_gives_the_same_without_waiting():
    x = np.random.default_rng(0).random((5, 2, 7), dtype=np.float32)
    t = md.Tensor(x, device=install(), requires_grad=True)
    with counting() as c:
        y = nn.KSparse(3)(t)
        (nn.kl_sparsity(t, 0.1) + nn.l1_sparsity(y)).backward()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    np.testing.assert_array_equal(y.numpy(), nn.KSparse(3)(x))


@pytest.mark.parametrize("rho", [0.0, 1.0, -0.1, math.nan])
def test_a_rho_that_is_no_fraction_gets_a_sentence(rho):
    with pytest.raises(md.InputError, match="between 0 and 1, not"):
        nn.kl_sparsity(md.Tensor([[0.5]]), rho)


def test_a_k_that_does_not_fit_gets_a_sentence():
    with pytest.raises(md.InputError, match="k is 1 or more, not 0"):
        nn.KSparse(0)
    with pytest.raises(md.InputError, match=r"KSparse\(4\) at 1: there are no 4 largest of 3 numbers"):
        nn.Sequential(nn.Linear(2, 3, rng=0), nn.KSparse(4))(np.zeros((2, 2), np.float32))
