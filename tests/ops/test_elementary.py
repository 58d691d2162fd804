"""Rounding, angles, logarithms and the error function: NumPy's values, and derivatives at the corners."""
import math

import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor
from tests.ops.test_points import gradient
from tests.standin.device import compiling

X = np.array([-2.5, -1.5, -0.5, -0.0, 0.0, 0.25, 0.5, 1.5, 2.5, 7.0])
INF = np.inf


def second(f, *inputs):
    """The derivative of the sum of all gradients, by each input."""
    xs = [Tensor(np.array(x, "float64"), requires_grad=True) for x in inputs]
    y = f(*xs)
    gradients = md.grad(y, xs, np.ones(y.shape), create_graph=True)
    total = sum((md.sum(g) for g in gradients), sum(md.sum(md.where(md.isfinite(x), x, 0.0) * 0.0) for x in xs))
    return [g.numpy().tolist() for g in md.grad(total, xs)]


@pytest.mark.parametrize("name", ["ceil", "cosh", "floor", "isnan", "log10", "log2", "rint", "round", "sinh", "tan"])
def test_functions_of_one_array_are_numpys(name):
    f = getattr(np, name)
    for x in (np.abs(X) + 0.1 if name.startswith("log") else X, X.astype(np.float32) + 8):
        np.testing.assert_array_equal(f(Tensor(x)).numpy(), f(x))


@pytest.mark.parametrize("name", ["arctan2", "floor_divide", "fmod", "hypot", "logaddexp", "mod", "remainder"])
def test_functions_of_two_arrays_are_numpys(name):
    f, b = getattr(np, name), np.where(X == 0, 0.7, X)[::-1]
    if name == "fmod":                              # C's sign, not Python's
        with pytest.raises(TypeError, match="no counterpart"):
            f(Tensor(X), b)
        return
    np.testing.assert_array_equal(f(Tensor(X), b).numpy(), f(X, b))
    np.testing.assert_array_equal(f(X, Tensor(b)).numpy(), f(X, b))
    np.testing.assert_array_equal(f(Tensor(X), -3.0).numpy(), f(X, -3.0))


def test_remainder_has_the_sign_of_the_divisor_and_a_gradient_by_both():
    a, b = Tensor([7.0, -7.0, 7.0, -7.0], requires_grad=True), Tensor([3.0, 3.0, -3.0, -3.0], requires_grad=True)
    y = a % b
    assert y.numpy().tolist() == [1, 2, -2, -1]
    y.backward(np.ones(4, np.float32))
    assert a.grad.numpy().tolist() == [1] * 4 and b.grad.numpy().tolist() == [-2, 3, 3, -2]
    assert (7 % Tensor([3.0])).item() == 1 and (7 // Tensor([2.0])).item() == 3
    integers = Tensor(np.array([7, -7]))
    assert (integers % 3).numpy().tolist() == [1, 2] and (integers // 2).dtype == np.int64


@pytest.mark.parametrize("f", [md.floor, md.ceil, md.round, lambda x: x // 2.0, lambda x: 5.0 // x])
def test_steps_have_the_gradient_0_everywhere(f):
    assert gradient(f, [-1.5, 0.5, 2.0, 3.7]) == [0] * 4


def test_rounding_goes_to_the_even_neighbour():
    assert md.round(Tensor([0.5, 1.5, 2.5, -0.5, -1.5])).numpy().tolist() == [0, 2, 2, 0, -2]
    assert md.round(Tensor(np.array([0.125, -0.375])), 2).numpy().tolist() == [0.12, -0.38]
    assert md.round(Tensor(np.array([1234, 1250])), -2).numpy().tolist() == [1200, 1200]


def test_hypot_and_arctan2_are_safe_at_0_to_second_order():
    for f in (md.hypot, md.arctan2):
        assert gradient(f, [0.0], [0.0]) == [[0], [0]]
        assert np.isfinite(second(f, [0.0], [0.0])).all()
    assert gradient(md.hypot, [0.0, 3.0], [2.0, 0.0]) == [[0, 1], [1, 0]]
    assert gradient(md.arctan2, [0.0, 1.0], [2.0, 0.0]) == [[0.5, 0], [0, -1]]


def test_hypot_and_arctan2_neither_overflow_nor_vanish_in_float32():
    for size in (1e30, 1e-30):
        a, b = np.array([3 * size], np.float32), np.array([4 * size], np.float32)
        assert md.hypot(a, b)[0] == pytest.approx(5 * size, rel=1e-6)
        np.testing.assert_allclose(gradient(md.hypot, a, b, dtype="float32"), [[0.6], [0.8]], rtol=1e-6)
        np.testing.assert_allclose(gradient(md.arctan2, a, b, dtype="float32"), [[0.16 / size], [-0.12 / size]],
                                   rtol=1e-6)


def test_logaddexp_shares_its_gradient_also_among_infinities():
    a, b = [0.0, -INF, 1.0, -INF, INF], [0.0, 2.0, -INF, -INF, 1.0]
    assert md.logaddexp(np.array(a), np.array(b)).tolist() == [math.log(2), 2, 1, -INF, INF]
    assert gradient(md.logaddexp, a, b) == [[0.5, 0, 1, 0, 1], [0.5, 1, 0, 0, 0]]
    assert np.isfinite(second(md.logaddexp, a, b)).all()
    assert md.logaddexp(np.float32([1000.0]), np.float32([1000.0]))[0] == np.float32(1000 + math.log(2))


@pytest.mark.parametrize("dtype, units", [("float64", 3), ("float32", 3)])
@pytest.mark.parametrize("kernels", [False, True], ids=["numpy", "kernels"])
def test_erf_is_right_to_a_few_units_in_the_last_place(dtype, units, kernels):
    x = np.concatenate([np.linspace(-6.5, 6.5, 2001), [0.0, -0.0, 1e-30, 1.0, -1.0, 30.0, INF, -INF]]).astype(dtype)
    expected = np.array([math.erf(v) for v in x.tolist()])
    if kernels:
        with compiling() as device:
            y = md.erf(Tensor(x, device=device)).numpy()
    else:
        y = md.erf(x)
    assert y.dtype == dtype and (np.abs(y - expected) <= units * np.spacing(np.abs(expected.astype(dtype)))).all()
    assert (np.signbit(y) == np.signbit(x)).all() and np.isnan(md.erf(np.array([np.nan], dtype))).all()


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 3e-5)])
def test_ndtr_and_gelu_keep_the_small_values_on_the_left(dtype, tolerance):
    x = np.linspace(-12.0, 6.0, 181).astype(dtype)
    expected = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x.tolist()])
    np.testing.assert_allclose(md.ndtr(x), expected, rtol=tolerance)
    np.testing.assert_allclose(md.gelu(x, "none"), x * expected, rtol=tolerance, atol=1e-300)
    slope = expected + x * np.exp(-x.astype("float64") ** 2 / 2) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(gradient(lambda t: md.gelu(t, "none"), x, dtype=dtype), slope, rtol=50 * tolerance,
                               atol=tolerance)


def test_slopes_far_out_are_0_without_overflow_and_float16_keeps_its_digits():
    x = [-1e30, -50.0, 50.0, 1e30]
    for f in (md.erf, md.ndtr):
        assert gradient(f, x, dtype="float32") == [0] * 4 and second(f, x) == [[0] * 4]
    assert gradient(lambda t: md.gelu(t, "none"), x, dtype="float32") == [0, 0, 1, 1]
    half = np.linspace(-3, 3, 25).astype(np.float16)
    for f in (md.erf, md.ndtr):
        assert f(half).dtype == np.float16
        np.testing.assert_array_equal(f(half), f(half.astype(np.float32)).astype(np.float16))


def test_the_two_forms_of_gelu_are_near_each_other_and_a_third_is_refused():
    x = np.linspace(-5, 5, 101)
    assert 1e-4 < np.abs(md.gelu(x) - md.gelu(x, "none")).max() < 5e-4
    assert md.nn.GELU("none")(Tensor([1.0])).item() == pytest.approx(0.8413447, rel=1e-6)
    for f in (lambda: md.gelu(x, "sigmoid"), lambda: md.nn.GELU("sigmoid")):
        with pytest.raises(InputError, match="approximate is 'tanh' or 'none', not 'sigmoid'"):
            f()
