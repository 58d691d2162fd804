"""Jacobians, Hessians, and Hessians times vectors, of functions whose derivatives are known in closed form."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor
from tests.standin.device import install

RNG = np.random.default_rng(0)
A, X, V = RNG.standard_normal((3, 4)), RNG.standard_normal(4), RNG.standard_normal(4)
SQUARE = A.T @ A


def quartic(x):
    """|A x|^4 / 4, with gradient |A x|^2 A'A x and Hessian |A x|^2 A'A + 2 A'A x x' A'A."""
    return md.square(md.sum(md.square(md.matmul(A, x)))) * 0.25


QUARTICS = (X @ SQUARE @ X) * SQUARE + 2 * np.outer(SQUARE @ X, SQUARE @ X)


def test_the_jacobian_of_a_linear_function_is_its_matrix():
    J = md.jacobian(lambda x: md.matmul(A, x), X)
    np.testing.assert_allclose(J.numpy(), A, rtol=1e-14)
    assert not J.requires_grad


def test_a_jacobian_has_the_shape_of_the_result_and_then_that_of_the_argument():
    x = RNG.standard_normal((2, 3))
    J = md.jacobian(lambda x: md.outer(x[0], x[1]), x).numpy()
    assert J.shape == (3, 3, 2, 3)
    np.testing.assert_allclose(J[1, 2, 0], [0, x[1, 2], 0])
    np.testing.assert_allclose(J[1, 2, 1], [0, 0, x[0, 1]])
    assert md.jacobian(lambda x: md.sum(x), x).shape == (2, 3)
    assert md.jacobian(lambda x: x[:0], x).shape == (0, 3, 2, 3)


def test_hessian_and_its_product_with_a_vector_are_right():
    np.testing.assert_allclose(md.hessian(quartic, X).numpy(), QUARTICS, rtol=1e-12)
    np.testing.assert_allclose(md.hvp(quartic, X, V).numpy(), QUARTICS @ V, rtol=1e-12)
    np.testing.assert_allclose(md.jacobian(lambda x: md.jacobian(quartic, x, create_graph=True), X).numpy(), QUARTICS,
                               rtol=1e-12)


def test_what_a_function_does_not_depend_on_has_zeros():
    x = Tensor(X, requires_grad=True)
    for f in (lambda t: md.sum(t[:2] * 3.0), lambda t: md.sum(x * x), lambda t: Tensor(np.float64(2.0))):
        assert not md.hessian(f, X).numpy().any() and md.hvp(f, X, V).numpy().tolist() == [0] * 4
    assert md.jacobian(lambda t: t[:2] * 3.0, X).numpy().tolist() == [[3, 0, 0, 0], [0, 3, 0, 0]]


def test_recorded_derivatives_can_be_differentiated_again_also_by_other_tensors():
    w, x = Tensor(V, requires_grad=True), Tensor(X, requires_grad=True)
    f = lambda x: md.sum(w * x ** 3)
    for trace in (lambda: md.trace(md.hessian(f, x, create_graph=True)),
                  lambda: md.sum(md.hvp(f, x, np.ones(4), create_graph=True)),
                  lambda: md.sum(md.jacobian(lambda x: md.jacobian(f, x, create_graph=True), x, create_graph=True))):
        by_w, by_x = md.grad(trace(), [w, x])
        np.testing.assert_allclose(by_w.numpy(), 6 * X)
        np.testing.assert_allclose(by_x.numpy(), 6 * V)
    assert w.grad is None and x.grad is None


def test_float32_stays_float32_on_every_device():
    for device in ("cpu", install()):
        x = Tensor(X.astype(np.float32), device=device)
        f = lambda x: md.sum(md.sin(x) * x)
        for result in (md.hessian(f, x), md.hvp(f, x, x), md.jacobian(md.sin, x)):
            assert result.dtype == np.float32 and result.device == x.device
    assert md.jacobian(md.sin, [1, 2]).dtype == np.float32


@pytest.mark.parametrize("call, sentence", [
    (lambda: md.hessian(md.sin, X), r"hessian: f\(x\) has shape \(4,\), and a Hessian is that of a number"),
    (lambda: md.hvp(md.sum, X, V[:2]), r"hvp: v has shape \(2,\), x \(4,\); they must be equal"),
    (lambda: md.jacobian(lambda x: [x, x], X), "jacobian: f gives a list, not a Tensor"),
    (lambda: md.jacobian(md.sin, np.array([1, 2])), "only floating-point tensors have gradients, this one is int64"),
    (md.no_grad()(lambda: md.hessian(md.sum, X)), r"hessian: nothing is recorded within no_grad\(\)"),
])
def test_what_does_not_fit_raises_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
