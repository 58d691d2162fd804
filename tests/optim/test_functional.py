"""Steps as functions: the numbers of the steps in place, and gradients through several of them."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor, nn, optim
from tests.optim.test_optimizers import OPTIMIZERS, parameters, state_of, steps, values
from tests.standin.device import install

every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight_decay", [0.0, lambda name, p: 0.1 * p.ndim])
@pytest.mark.parametrize("device", ["cpu", "standin"])
def test_steps_as_functions_are_the_steps_in_place_bit_for_bit(make, dtype, weight_decay, device):
    home, shapes = install() if device == "standin" else device, [(3, 4), (5,), ()]
    params = parameters(*shapes, dtype=dtype)
    for p in params:
        p.data = home.put(p.data) if device == "standin" else p.data
    optimizer = make([(f"p{i}", p) for i, p in enumerate(params)], weight_decay=weight_decay)
    steps(optimizer, params, [1, 2])                         # a state that is not zeros
    before, state_before = values(params), state_of(optimizer)
    rng = np.random.default_rng(3)
    gradients = [[None if t == 1 and i == 1 else Tensor(rng.standard_normal(shape).astype(dtype), device=home)
                  for i, shape in enumerate(shapes)] for t in range(3)]
    after, state = dict(optimizer.params), None
    for g in gradients:
        after, state = optim.stepped(optimizer, after, g, state)
    assert (values(params), state_of(optimizer)) == (before, state_before)
    for g in gradients:
        for p, one in zip(params, g, strict=True):
            p.grad = one
        optimizer.step()
    for (name, p), t in zip(optimizer.params.items(), after.values(), strict=True):
        assert t.dtype == dtype and t.device == p.device
        np.testing.assert_array_equal(t.numpy(), p.numpy(), err_msg=name)
    saved = optimizer.state_dict()
    for name, (count, arrays) in state.items():
        assert count == saved[f"steps/{name}"]
        for key, a in zip(optimizer.state_names, arrays, strict=True):
            np.testing.assert_array_equal(a.numpy(), saved[f"{key}/{name}"])


@every_optimizer
@pytest.mark.parametrize("k", [1, 3])
def test_gradients_through_steps_are_those_of_finite_differences_to_second_order(make, k):
    """Of the parameters at the start, and of a target in the loss of the inner steps."""
    rng = np.random.default_rng(0)
    start, target = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    optimizer = make([("w", nn.Parameter(np.zeros((2, 3))))], weight_decay=0.1)
    if hasattr(optimizer, "eps"):
        optimizer.eps = 0.05                                 # the root is curved less

    def after(w, target):
        params, state = {"w": w}, None
        for _ in range(k):
            loss = md.sum(md.softplus(params["w"] - target) * params["w"])
            params, state = optim.stepped(optimizer, params, [md.grad(loss, params["w"], create_graph=True)], state)
        return md.square(params["w"])

    md.gradcheck(after, start, target)


def test_unrolled_gradient_descent_on_a_parabola_shrinks_by_a_power():
    optimizer, w = optim.SGD([("w", nn.Parameter(np.zeros(1)))], lr=0.1), Tensor(np.array([2.0]), requires_grad=True)
    params, state = {"w": w}, None
    for _ in range(5):
        g = md.grad(md.sum(md.square(params["w"])) * 1.5, params["w"], create_graph=True)
        params, state = optim.stepped(optimizer, params, {"w": g}, state)
    assert params["w"].item() == pytest.approx(2 * 0.7**5) and md.grad(params["w"], w).item() == pytest.approx(0.7**5)


@every_optimizer
def test_where_gradients_were_always_0_there_is_no_nan(make):
    w = Tensor(np.array([1.0, -1.0]), requires_grad=True)
    optimizer = make([("w", nn.Parameter(np.zeros(2)))])
    params, state = {"w": w}, None
    for _ in range(2):                                       # a unit that is never active
        g = md.grad(md.sum(md.square(md.relu(params["w"]))), params["w"], create_graph=True)
        params, state = optim.stepped(optimizer, params, [g], state)
    assert np.isfinite(md.grad(md.sum(params["w"]), w).numpy()).all()


def test_a_network_is_trained_within_a_computation():
    """The loss after two steps of Adam, by a scale of the data: against finite differences."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.Tanh(), nn.Linear(4, 1, rng=rng)).astype(np.float64)
    x, before = rng.standard_normal((5, 3)), net.state_dict()
    optimizer = optim.Adam(net.named_parameters(), lr=0.1, eps=0.05)

    def loss_after(scale):
        params, state = dict(net.named_parameters()), None
        for _ in range(2):
            loss = md.mean(md.square(nn.functional_call(net, params, x * scale) - 1.0))
            g = md.grad(loss, list(params.values()), create_graph=True)
            params, state = optim.stepped(optimizer, params, g, state)
        return md.mean(md.square(nn.functional_call(net, params, x) - 1.0))

    md.gradcheck(loss_after, np.array(1.3))
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())


class Other(optim.SGD):
    def update(self, xp, p, g, *rest):
        p -= g


@pytest.mark.parametrize("call, sentence", [
    (lambda o, w: optim.stepped(o, {"v": w}, [w]), r"v is not among the parameters of this SGD; they have"),
    (lambda o, w: optim.stepped(o, {"w": w}, {"v": w}), "v is not among the parameters"),
    (lambda o, w: optim.stepped(o, {"w": w}, [w, w]), "there are 1 parameters and 2 gradients"),
    (lambda o, w: optim.stepped(o, {"w": w}, [w[:1]]), r"the gradient of w has shape \(1,\), the parameter \(2,\)"),
    (lambda o, w: optim.stepped(Other([w]), {"0": w}, [w]), "Other has no step as a function; SGD, Adagrad, RMSprop"),
])
def test_what_does_not_fit_raises_a_sentence(call, sentence):
    w = nn.Parameter(np.zeros(2))
    with pytest.raises(InputError, match=sentence):
        call(optim.SGD([("w", w)]), w)
