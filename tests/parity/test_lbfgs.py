"""L-BFGS against PyTorch's, step by step, and against the minimum that SciPy finds."""
import numpy as np
import pytest

import minidl as md
from minidl import nn, optim

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1]**2)**2 + (1.0 - x[:-1])**2).sum()


def closure_of(optimizer, loss):
    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value
    return closure


@pytest.mark.parametrize("n, history_size, line_search, lr", [
    (2, 10, "strong_wolfe", 1.0), (5, 3, "strong_wolfe", 1.0), (20, 6, "strong_wolfe", 0.5), (4, 5, None, 1e-3)])
def test_the_first_steps_are_pytorchs(torch, n, history_size, line_search, lr):
    start = np.random.default_rng(n).standard_normal(n)
    p, q = nn.Parameter(start.copy()), torch.nn.Parameter(torch.tensor(start))
    a = optim.LBFGS([p], lr, max_iter=1, max_eval=25, history_size=history_size, line_search=line_search)
    b = torch.optim.LBFGS([q], lr, max_iter=1, max_eval=25, history_size=history_size, line_search_fn=line_search)
    first, second = closure_of(a, lambda: rosenbrock(p)), closure_of(b, lambda: rosenbrock(q))
    for _ in range(25):
        assert a.step(first).item() == pytest.approx(b.step(second).item(), rel=1e-9)
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-8, atol=1e-9)


def test_one_call_of_many_steps_is_pytorchs(torch):
    start = np.random.default_rng(0).standard_normal(6)
    p, q = nn.Parameter(start.copy()), torch.nn.Parameter(torch.tensor(start))
    a, b = optim.LBFGS([p]), torch.optim.LBFGS([q], history_size=10, line_search_fn="strong_wolfe")
    for _ in range(2):                                        # 20 steps with up to 25 evaluations, by default
        a.step(closure_of(a, lambda: rosenbrock(p)))
        b.step(closure_of(b, lambda: rosenbrock(q)))
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-8)


def test_a_logistic_regression_ends_at_scipys_minimum():
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 6))
    y = (x @ rng.standard_normal((6, 4)) + rng.standard_normal((200, 4))).argmax(1)
    model = nn.Linear(6, 4, rng=0).astype(np.float64)

    def loss():
        return nn.cross_entropy(model(md.Tensor(x)), md.Tensor(y)) + 0.01 * md.sum(md.square(model.weight))

    optimizer = optim.LBFGS(model.parameters(), max_iter=200, tolerance_change=1e-13)
    optimizer.step(closure_of(optimizer, loss))
    found, weights = loss().item(), model.weight.numpy().copy()

    def value_and_gradient(flat):
        model.weight.data[...], model.bias.data[...] = flat[:24].reshape(6, 4), flat[24:]
        gradients = md.grad(value := loss(), model.parameters())
        return value.item(), np.concatenate([g.numpy().ravel() for g in gradients])

    peer = optimize.minimize(value_and_gradient, np.zeros(28), jac=True, method="L-BFGS-B",
                             options={"ftol": 1e-15, "gtol": 1e-8})
    assert found == pytest.approx(peer.fun, abs=1e-10)
    np.testing.assert_allclose(weights.ravel(), peer.x[:24], atol=1e-5)
