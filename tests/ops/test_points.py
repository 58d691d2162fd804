"""Special points, where drawn values never fall: ties, limits, zeros, very large numbers; and values in closed form."""
import math

import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor


def gradient(f, *inputs, dtype="float64"):
    xs = [Tensor(np.array(x, dtype), requires_grad=True) for x in inputs]
    y = f(*xs)
    y.backward(np.ones(y.shape))
    gradients = [x.grad.numpy().tolist() for x in xs]
    return gradients[0] if len(xs) == 1 else gradients


@pytest.mark.parametrize("f, inputs, expected", [
    (md.max, [[1.0, 3.0, 3.0]], [0, 0.5, 0.5]),
    (md.min, [[2.0, 2.0, 2.0, 5.0]], [1 / 3, 1 / 3, 1 / 3, 0]),
    (lambda x: md.max(x, axis=0), [[[1.0, 2.0], [1.0, 0.0]]], [[0.5, 1], [0.5, 0]]),
    (md.maximum, [[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]], [[0.5, 0, 1], [0.5, 1, 0]]),
    (md.minimum, [[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]], [[0.5, 1, 0], [0.5, 0, 1]]),
    (lambda x: md.maximum(x, 0.0), [[0.0, 1.0, -1.0]], [0.5, 1, 0]),
], ids=["max", "min", "max along an axis", "maximum", "minimum", "maximum with a number"])
def test_at_ties_extrema_share_the_gradient(f, inputs, expected):
    assert gradient(f, *inputs) == expected


@pytest.mark.parametrize("f, expected", [
    (md.relu, 0.0), (md.leaky_relu, 0.01), (lambda x: md.leaky_relu(x, negative_slope=0.2), 0.2),
    (lambda x: md.elu(x, 0.5), 0.5), (md.abs, 0.0), (md.sign, 0.0), (md.norm, 0.0), (md.gelu, 0.5),
    (md.sigmoid, 0.25), (md.softplus, 0.5)])
def test_slopes_at_0(f, expected):
    assert gradient(f, [0.0]) == [expected]


def test_the_gradient_of_clip_passes_at_its_limits():
    assert gradient(lambda x: md.clip(x, -1.0, 1.0), [-1.5, -1.0, 0.0, 1.0, 1.5]) == [0, 1, 1, 1, 0]


def test_norm_and_std_are_safe_where_they_are_0_to_second_order():
    for f in (lambda x: md.norm(x, axis=1), lambda x: md.std(x, axis=1)):
        x = Tensor(np.ones((2, 3)) if f(Tensor(np.ones((1, 3)))).item() == 0 else np.zeros((2, 3)), requires_grad=True)
        g = md.grad(md.sum(f(x)), x, create_graph=True)
        assert not g.numpy().any()
        assert np.isfinite(md.grad(md.sum(md.square(g)), x).numpy()).all()


@pytest.mark.parametrize("exponent, expected", [(0, 0.0), (0.0, 0.0), (1, 1.0), (2, 0.0), (2.0, 0.0), (3, 0.0)])
def test_powers_at_base_0(exponent, expected):
    assert gradient(lambda x: x ** exponent, [0.0]) == [expected]
    x = Tensor(np.zeros(1), requires_grad=True)
    g = md.grad(md.sum(x ** exponent + x), x, create_graph=True)
    assert md.grad(md.sum(g + x), x).item() == 1 + (2.0 if exponent == 2 else 0.0)
    assert gradient(md.power, [0.0], [float(exponent)]) == [[expected], [0.0]]


def test_the_gradient_by_an_exponent_is_exact_in_float64():
    (g,) = gradient(lambda x: 3.0 ** x, [2.0])
    assert math.isclose(g, 9 * math.log(3), rel_tol=1e-14)
    x = Tensor(np.array([2.0]), requires_grad=True)
    second = md.grad(md.grad(md.sum(3.0 ** x), x, create_graph=True), x).item()
    assert math.isclose(second, 9 * math.log(3) ** 2, rel_tol=1e-14)


def test_products_with_zeros_have_gradients_to_second_order():
    assert gradient(md.prod, [0.0, 2.0, 3.0]) == [6, 0, 0]
    assert gradient(md.prod, [0.0, 0.0, 3.0]) == [0, 0, 0]
    x = Tensor(np.array([0.0, 0.0, 3.0]), requires_grad=True)
    g = md.grad(md.prod(x), x, create_graph=True)
    assert md.grad(g[0], x).numpy().tolist() == [0, 3, 0]


BIG = np.array([-1e4, -104.0, -89.0, 0.0, 89.0, 104.0, 1e4], np.float32)


@pytest.mark.parametrize("f, expected", [
    (md.softplus, np.maximum(BIG, 0) + [0, 0, 0, np.log(2), 0, 0, 0]),
    (md.sigmoid, [0, 0, 0, 0.5, 1, 1, 1]),
    (md.tanh, [-1, -1, -1, 0, 1, 1, 1]),
    (md.elu, [-1, -1, -1, 0, 89, 104, 1e4]),
    (md.gelu, [0, 0, 0, 0, 89, 104, 1e4]),
    (md.softmax, [0, 0, 0, 0, 0, 0, 1]),
    (md.log_softmax, BIG - 1e4),
    (lambda x: md.logsumexp(x), 1e4),
], ids=["softplus", "sigmoid", "tanh", "elu", "gelu", "softmax", "log_softmax", "logsumexp"])
def test_large_numbers_neither_overflow_nor_become_nan_in_float32(f, expected, only_float32):
    x = Tensor(BIG, requires_grad=True)
    y = f(x)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6, atol=1e-30)
    g = md.grad(md.sum(y), x, create_graph=True)
    assert np.isfinite(g.numpy()).all()
    assert np.isfinite(md.grad(md.sum(md.square(g)), x).numpy()).all()


@pytest.mark.parametrize("f, reference", [
    (md.sigmoid, lambda x: 1 / (1 + math.exp(-x))), (md.softplus, lambda x: math.log1p(math.exp(x))),
    (md.elu, lambda x: x if x > 0 else math.expm1(x)), (md.relu, lambda x: max(x, 0.0)),
    (md.leaky_relu, lambda x: x if x > 0 else 0.01 * x), (md.expm1, math.expm1), (md.log1p, math.log1p),
    (md.reciprocal, lambda x: 1 / x),
    (md.gelu, lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))])
def test_values_in_closed_form(f, reference):
    x = np.array([-0.9, -0.3, -1e-9, 1e-9, 0.2, 3.0, 7.0])
    np.testing.assert_allclose(f(x), [reference(v) for v in x], rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("ddof", [0, 1])
def test_var_and_std_take_ddof_as_numpy_does(axis, ddof):
    x = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_allclose(md.var(x, axis, ddof=ddof), x.var(axis, ddof=ddof))
    np.testing.assert_allclose(md.std(x, axis, ddof=ddof), x.std(axis, ddof=ddof))


def test_reductions_of_nothing_raise_a_sentence():
    for f in (md.mean, md.var, md.std, md.prod):
        with pytest.raises(InputError, match=r"nothing to (reduce|multiply) in an array of shape \(0, 3\)"):
            f(Tensor(np.zeros((0, 3))))
    with pytest.raises(InputError, match="the variance of 1 values with ddof=1 is not defined"):
        md.var(Tensor([1.0]), ddof=1)


def test_repeated_indices_add_their_gradients():
    assert gradient(lambda x: x[[0, 0, 2, -1]], [1.0, 2.0, 3.0]) == [2, 0, 2]
    x = md.scatter_add(np.zeros(3), [1, 1, 2], np.array([1.0, 2.0, 3.0]))
    assert np.asarray(x).tolist() == [0, 3, 3]


def test_one_hot_checks_its_labels():
    rows = md.one_hot(np.array([2, 0]), 3)
    assert rows.numpy().tolist() == [[0, 0, 1], [1, 0, 0]] and rows.dtype == np.float32
    with pytest.raises(InputError, match="from 0 to 2; the one at index 1 is 3"):
        md.one_hot(np.array([0, 3]), 3)
    with pytest.raises(InputError, match="not float64; use .astype"):
        md.one_hot(np.array([0.0]), 3)


@pytest.mark.parametrize("call, sentence", [
    (lambda x: md.split(x, 2), "3 elements along axis 0 do not divide into 2 equal sections"),
    (lambda x: md.squeeze(x, 1), r"axis 1 of shape \(3, 4\) has size 4, not 1"),
    (lambda x: md.pad(x, ((1, 1),)), r"needs 2 pairs of widths of 0 or more"),
    (lambda x: md.pad(x, -1), "widths of 0 or more"),
    (lambda x: md.repeat(x, [1, 2], 0), "2 counts for 3 elements along axis 0"),
    (lambda x: md.einsum("ij->ii", x), "once in the result"),
    (lambda x: md.einsum("ijk->i", x), r"'ijk' names 3 axes, the operand has shape \(3, 4\)"),
    (lambda x: md.einsum("ij,jk->ik", x), "names 2 operands, 1 were given"),
    (lambda x: x @ x, r"matmul: \(3, 4\) @ \(3, 4\): inner sizes 4 and 3 differ"),
    (lambda x: md.matmul(x, 2.0), "at least one axis; . multiplies by a number"),
    (lambda x: x.reshape(5, -1), r"reshape: float32\[3, 4\]"),
    (lambda x: md.concatenate([x, x[:, 1:]]), r"concatenate: float32\[3, 4\], float32\[3, 3\]"),
    (lambda x: md.gather(x, np.array([0]), 0), "the indices have 1 axes, the array 2"),
])
def test_what_does_not_fit_raises_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call(Tensor(np.zeros((3, 4), np.float32)))
