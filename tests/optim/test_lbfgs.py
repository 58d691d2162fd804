"""L-BFGS: what theory promises, its line search, its state, and `training.fit` with it. tests/parity has the peers."""
import gc
import math

import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim, training
from minidl.errors import InputError
from minidl.optim.line_search import Point, strong_wolfe
from tests.standin.device import counting, install


def rosenbrock(x):
    return md.sum(100.0 * (x[1:] - x[:-1]**2)**2 + (1.0 - x[:-1])**2)


def closure_of(optimizer, loss, seen=None):
    """PyTorch's closure; `seen` collects the losses."""
    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        if seen is not None:
            seen.append(value.item())
        return value
    return closure


def minimised(f, start, **settings):
    p = nn.Parameter(np.array(start, np.float64))
    optimizer = optim.LBFGS([p], **settings)
    seen = []
    optimizer.step(closure_of(optimizer, lambda: f(p), seen))
    return p.numpy(), seen


# What it promises -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 5, 9])
def test_a_quadratic_function_is_minimised_in_as_many_steps_as_it_has_variables(n):
    """With exact line searches the steps are those of conjugate gradients (Nocedal & Wright, theorem 6.4)."""
    rng = np.random.default_rng(n)
    q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A, b = q * np.geomspace(1, 20, n) @ q.T, rng.standard_normal(n)
    p = nn.Parameter(np.zeros(n))
    optimizer = optim.LBFGS([p], max_iter=1, tolerance_change=0)

    def exact(at, start, t, **limits):
        return at(-start.slope / (at(1.0).slope - start.slope)), 1          # the slope is linear in t

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minidl.optim.lbfgs.strong_wolfe", exact)
        for _ in range(n):
            optimizer.step(closure_of(optimizer, lambda: 0.5 * md.sum(p * (A @ p)) - md.sum(b * p)))
    np.testing.assert_allclose(p.numpy(), np.linalg.solve(A, b), rtol=1e-9)


@pytest.mark.parametrize("n", [2, 6])
def test_rosenbrocks_valley_is_followed_to_its_end(n):
    x, seen = minimised(rosenbrock, np.linspace(-1.2, 1, n), max_iter=200, tolerance_change=1e-14)
    np.testing.assert_allclose(x, 1, atol=1e-6)
    assert len(seen) < 40 * n


def test_the_direction_is_that_of_the_dense_inverse_hessian():
    """The two-loop recursion against the BFGS formula for the matrix itself (Nocedal & Wright, equation 6.17)."""
    rng = np.random.default_rng(0)
    p = nn.Parameter(np.zeros(5))
    optimizer = optim.LBFGS([p], history_size=3)
    pairs = [(s, s * rng.uniform(0.5, 2, 5)) for s in rng.standard_normal((4, 5))]          # s'y > 0
    for s, y in pairs:
        optimizer._store(s, y)
    s, y = pairs[-1]
    H = np.eye(5) * (s @ y) / (y @ y)
    for s, y in pairs[1:]:                                                                   # the last three
        V = np.eye(5) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    g = rng.standard_normal(5)
    np.testing.assert_allclose(optimizer._direction(g), -H @ g, rtol=1e-12)


FUNCTIONS = {
    "too short a step": (lambda t: (t - 7.0)**2, 1e-3), "too long a step": (lambda t: (t - 0.01)**2, 30.0),
    "waves": (lambda t: 0.1 * t**2 - t - md.sin(3.0 * t), 4.0), "a wall": (lambda t: t - 2.0 * md.log(t + 0.01), 5.0),
    "undefined beyond 3": (lambda t: (t - 2.0)**2 + 0.0 * md.sqrt(3.0 - t), 10.0),
    "no end": (lambda t: md.exp(-t), 0.1),
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_line_search_ends_where_the_wolfe_conditions_hold(name):
    f, t = FUNCTIONS[name]

    def at(t):
        x = md.Tensor(np.array(t), requires_grad=True)
        y = f(x)
        y.backward()
        return Point(t, y.item(), x.grad.item(), None)

    start = at(0.0)
    assert start.slope < 0
    end, count = strong_wolfe(at, start, t, evaluations=25, narrowest=1e-9)
    assert end.loss <= start.loss + 1e-4 * end.t * start.slope and abs(end.slope) <= 0.9 * abs(start.slope)
    assert 0 < end.t and count < 15


def test_losses_fall_from_step_to_step():
    p = nn.Parameter(np.array([-1.2, 1.0]))
    optimizer = optim.LBFGS([p], max_iter=1, max_eval=20)
    losses = [optimizer.step(closure_of(optimizer, lambda: rosenbrock(p))).item() for _ in range(25)]
    assert all(a > b for a, b in zip(losses, losses[1:], strict=False))


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("settings", [{"max_iter": 1}, {"max_iter": 2}, {"max_iter": 20, "max_eval": 2}], ids=str)
def test_calls_of_two_evaluations_reach_the_minimum(n, settings):
    """The first trial from Rosenbrock's start is too far: a call that found nothing lower makes the next try nearer."""
    p = nn.Parameter(np.linspace(-1.2, 1.0, n))
    optimizer = optim.LBFGS([p], **settings, tolerance_change=0)
    losses = [optimizer.step(closure_of(optimizer, lambda: rosenbrock(p))).item() for _ in range(150)]
    assert all(a >= b for a, b in zip(losses, losses[1:], strict=False))
    np.testing.assert_allclose(p.numpy(), 1.0, atol=1e-5)


def test_a_run_that_is_resumed_before_its_first_move_goes_on_as_an_unbroken_one():
    def calls(optimizer, p, n):
        for _ in range(n):
            optimizer.step(closure_of(optimizer, lambda: rosenbrock(p)))
        return p.numpy().tolist()

    p, q = (nn.Parameter(np.array([-1.2, 1.0])) for _ in "pq")
    a, b = optim.LBFGS([p], max_iter=1), optim.LBFGS([q], max_iter=1)
    assert calls(a, p, 1) == [-1.2, 1.0]
    b.load_state_dict(a.state_dict())
    assert calls(a, p, 9) == calls(b, q, 9) != [-1.2, 1.0]


def test_evaluations_and_steps_are_limited():
    assert len(minimised(rosenbrock, [-1.2, 1.0], max_iter=50, max_eval=7)[1]) == 7
    assert len(minimised(rosenbrock, [-1.2, 1.0], max_iter=50)[1]) <= 62
    assert len(minimised(rosenbrock, [1.0, 1.0])[1]) == 1                              # no gradient: no step
    x, seen = minimised(lambda p: md.sum(p * p), [3.0], lr=0.25, line_search=None, max_iter=1)
    assert len(seen) == 2 and x == 3.0 - 0.25 / 6.0 * 6.0                              # at first lr / |g|, at most lr


def test_a_loss_that_is_not_finite_moves_nothing():
    p = nn.Parameter(np.array([1.0, 2.0]))
    optimizer = optim.LBFGS([p])
    assert math.isnan(optimizer.step(closure_of(optimizer, lambda: md.sum(p) * math.nan)).item())
    assert p.numpy().tolist() == [1.0, 2.0]


def test_parameters_without_a_gradient_stay(only_float32):
    free, other, frozen = (nn.Parameter([3.0, -2.0]) for _ in range(3))
    frozen.requires_grad = False
    optimizer = optim.LBFGS([free, other, frozen])
    optimizer.step(closure_of(optimizer, lambda: md.sum((free - 1.0)**2 * md.Tensor([1.0, 5.0])) + md.sum(frozen)))
    np.testing.assert_allclose(free.numpy(), 1, atol=1e-5)
    assert other.numpy().tolist() == frozen.numpy().tolist() == [3.0, -2.0] and free.dtype == np.float32


# Within training.fit --------------------------------------------------------------------------------------------------


def classifier(device="cpu"):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4), dtype=np.float32)
    y = (x @ rng.standard_normal((4, 3)) + 0.5 * rng.standard_normal((60, 3))).argmax(1)
    model = nn.Linear(4, 3, rng=0)
    model.to(device)
    loader = data.Loader(x, y, batch_size=60, shuffle=False, classes=3, device=device)
    return model, loader


def loss_of(model, x, y):
    return nn.cross_entropy(model(x), y) + 0.01 * md.sum(md.square(model.weight))


def trained(epochs, device="cpu", **settings):
    model, loader = classifier(device)
    optimizer = optim.LBFGS(model.named_parameters(), max_iter=3, history_size=4)
    history = training.fit(model, loader, optimizer, loss=loss_of, epochs=epochs, progress=False, **settings)
    return model, history, optimizer


def test_a_resumed_training_equals_an_unbroken_one_bit_for_bit(tmp_path):
    model, history, optimizer = trained(7)
    trained(3, checkpoint=tmp_path / "run.npz")
    resumed, continued, other = trained(7, checkpoint=tmp_path / "run.npz")
    assert history.loss == continued.loss and optimizer._pairs == other._pairs > 4
    for p, q in zip(model.parameters(), resumed.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_the_device_gives_numpys_values_and_waits_once_an_evaluation_and_twice_a_step():
    here, there = trained(3)[0], trained(3, install())[0]
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    model, loader = classifier(install())
    optimizer = optim.LBFGS(model.named_parameters(), max_iter=4)
    x, y = next(iter(loader))
    evaluations = []

    def closure():
        optimizer.zero_grad()
        value = loss_of(model, x, y)
        value.backward()
        evaluations.append(1)
        return value

    optimizer.step(closure)
    del evaluations[:]
    with counting() as c:
        optimizer.step(closure)
    assert len(evaluations) >= 5 and c.synchronisations == len(evaluations) + 2 * 4, c.waited_for


def test_first_order_optimisers_take_a_closure_as_well():
    p = nn.Parameter([2.0])
    optimizer = optim.SGD([p], lr=0.25)
    assert optimizer.step(closure_of(optimizer, lambda: md.sum(p * p))).item() == 4.0 and p.numpy() == 1.0
    assert optimizer.step() is None and p.numpy() == 0.0                               # with the gradient as it was


def test_parameters_that_are_converted_or_added_later_keep_the_history():
    model, _, optimizer = trained(2)
    before = optimizer.state_dict()
    model.astype(np.float64)
    more = nn.Parameter(np.array([3.0]))
    optimizer.add([("more", more)])
    after = optimizer.state_dict()
    assert after["pairs"] == before["pairs"] > 0 and after["s0/weight"].dtype == np.float64 and not after["s0/more"]
    np.testing.assert_array_equal(before["s0/weight"], after["s0/weight"])
    x, y = (md.Tensor(a) for a in (np.eye(4), np.array([0, 1, 2, 0])))
    closure = closure_of(optimizer, lambda: loss_of(model, x, y) + md.sum(md.square(more - 1.0)))
    first = optimizer.step(closure).item()
    assert optimizer.step(closure).item() < first and abs(more.numpy() - 1) < 1


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, sentence", [
    (dict(max_iter=0), "max_iter is a whole number of 1 or more, not 0"),
    (dict(history_size=0), "history_size is a whole number of 1 or more"),
    (dict(max_eval=1), "max_eval is a whole number of 2 or more"),
    (dict(line_search="armijo"), "'strong_wolfe' or None, not 'armijo'"), (dict(lr=-1.0), "lr is 0 or more")])
def test_settings_out_of_range_get_a_sentence(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        optim.LBFGS([nn.Parameter([1.0])], **arguments)


def test_a_step_without_a_closure_gets_a_sentence():
    with pytest.raises(InputError, match=r"step\(closure\), where closure\(\) forgets the gradients"):
        optim.LBFGS([nn.Parameter([1.0])]).step()


def test_the_state_of_another_history_is_refused():
    p = nn.Parameter([1.0])
    state = optim.LBFGS([p], history_size=3).state_dict()
    gc.collect()
    with pytest.raises(InputError, match="not the state of LBFGS"):
        optim.LBFGS([p], history_size=4).load_state_dict(state)
