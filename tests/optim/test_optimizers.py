"""Optimisers: their papers' equations, the flat buffer they share, their state. tests/parity compares with PyTorch."""
import copy
import gc
import math

import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.errors import InputError
from minidl.tensor import Tensor
from tests.standin.device import counting, install

OPTIMIZERS = {
    "SGD": lambda params, **more: optim.SGD(params, **{"lr": 0.1, **more}),
    "momentum": lambda params, **more: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, **more}),
    "Nesterov": lambda params, **more: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, "nesterov": True, **more}),
    "Adagrad": lambda params, **more: optim.Adagrad(params, **{"lr": 0.1, **more}),
    "RMSprop": lambda params, **more: optim.RMSprop(params, **{"lr": 0.01, **more}),
    "RMSprop with momentum": lambda params, **more: optim.RMSprop(params, **{"lr": 0.01, "momentum": 0.5, **more}),
    "Adam": lambda params, **more: optim.Adam(params, **{"lr": 0.01, **more}),
    "AdamW": lambda params, **more: optim.AdamW(params, **{"lr": 0.01, **more}),
    "AMSGrad": lambda params, **more: optim.Adam(params, **{"lr": 0.01, "amsgrad": True, **more}),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def parameters(*shapes, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    return [nn.Parameter(rng.standard_normal(shape).astype(dtype)) for shape in shapes]


def give_gradients(params, seed):
    rng = np.random.default_rng(seed)
    for p in params:
        p.grad = Tensor(rng.standard_normal(p.shape).astype(p.dtype), device=p.device)


def steps(optimizer, params, seeds):
    for seed in seeds:
        give_gradients(params, seed)
        optimizer.step()


def values(params):
    return [p.numpy().tolist() for p in params]


def state_of(optimizer):
    return {name: a.tolist() for name, a in optimizer.state_dict().items()}


# The equations -------------------------------------------------------------------------------------------------------


def by_hand(name, p, g, state, t, lr, w):
    """One step as the paper writes it, on plain float64 arrays."""
    if name == "AdamW":
        p = p - lr * w * p
    else:
        g = g + w * p
    if name == "SGD":
        return p - lr * g
    if name in ("momentum", "Nesterov"):
        v = state["v"] = 0.9 * state.get("v", 0.0) + g
        return p - lr * (g + 0.9 * v if name == "Nesterov" else v)
    if name == "Adagrad":
        G = state["G"] = state.get("G", 0.0) + g**2
        return p - lr * g / (np.sqrt(G) + 1e-10)
    if name.startswith("RMSprop"):
        v = state["v"] = 0.99 * state.get("v", 0.0) + 0.01 * g**2
        b = state["b"] = (0.5 if "momentum" in name else 0.0) * state.get("b", 0.0) + g / (np.sqrt(v) + 1e-8)
        return p - lr * b
    m = state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    v = state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g**2
    if name == "AMSGrad":
        v = state["largest v"] = np.maximum(state.get("largest v", 0.0), v)
    return p - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


@pytest.mark.parametrize("w", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_step_is_that_of_the_paper(name, w):
    """Also for a parameter of several blocks, which is no multiple of a block, and for one without axes."""
    params = parameters((), (3, 4), (40_001,), dtype=np.float64)
    optimizer = OPTIMIZERS[name](params, weight_decay=w)
    expected, state = [p.numpy().copy() for p in params], [{} for _ in params]
    for t in range(1, 6):
        give_gradients(params, seed=t)
        optimizer.step()
        for i, p in enumerate(params):
            expected[i] = by_hand(name, expected[i], p.grad.numpy(), state[i], t, optimizer.lr, w)
            np.testing.assert_allclose(p.numpy(), expected[i], rtol=1e-12, atol=1e-14)


@every_optimizer
def test_float32_follows_float64(make, only_float32):
    narrow, wide = parameters((30, 7)), parameters((30, 7))
    wide[0].data = wide[0].data.astype(np.float64)
    a, b = make(narrow), make(wide)
    for seed in range(20):
        give_gradients(narrow, seed)
        wide[0].grad = Tensor(narrow[0].grad.numpy().astype(np.float64))
        a.step()
        b.step()
    assert narrow[0].dtype == np.float32
    np.testing.assert_allclose(narrow[0].numpy(), wide[0].numpy(), rtol=1e-4, atol=1e-5)


@every_optimizer
def test_the_first_step_goes_downhill_and_many_reach_the_minimum(make):
    p = nn.Parameter([3.0, -2.0])
    optimizer = make([p], lr=0.05, weight_decay=0.0)
    target, errors = Tensor([1.0, 1.0]), []
    for _ in range(400):
        optimizer.zero_grad()
        loss = nn.mse_loss(p, target)
        loss.backward()
        optimizer.step()
        errors.append(loss.item())
    assert errors[1] < errors[0] and errors[-1] < 0.3 * errors[0]


@every_optimizer
def test_a_step_leaves_the_gradient_as_it_is(make):
    params = parameters((5, 3), (20_000,))
    optimizer = make(params, weight_decay=0.1)
    for seed in range(2):
        give_gradients(params, seed)
        before = [p.grad.numpy().copy() for p in params]
        arrays = [p.grad.data for p in params]
        optimizer.step()
        for p, values, array in zip(params, before, arrays, strict=True):
            assert p.grad.data is array
            np.testing.assert_array_equal(array, values)


@every_optimizer
def test_a_gradient_may_lie_in_memory_as_it_likes(make):
    plain, turned = parameters((40, 30)), parameters((40, 30))
    a, b = make(plain), make(turned)
    give_gradients(plain, 0)
    turned[0].grad = Tensor(np.asfortranarray(plain[0].grad.numpy()))
    a.step()
    b.step()
    np.testing.assert_array_equal(plain[0].numpy(), turned[0].numpy())


def test_a_gradient_of_another_shape_is_refused():
    p, = parameters((3, 2))
    with pytest.raises(InputError, match=r"the gradient has shape \(2, 3\), its tensor \(3, 2\)"):
        p.grad = Tensor(np.zeros((2, 3), np.float32))
    optimizer = optim.SGD([("w", p)])
    p.grad = np.zeros((3, 2))
    p.data = np.zeros((2, 3), np.float32)                  # as a network that grows does it
    with pytest.raises(InputError, match=r"the gradient of w has shape \(3, 2\), the parameter \(2, 3\)"):
        optimizer.step()


@every_optimizer
def test_a_parameter_without_gradient_keeps_its_value_its_state_and_its_step_count(make):
    """So that, after its pause, it goes on as if the others' steps had not been."""
    together, alone = parameters((4,), (3,)), parameters((4,), (3,))
    a, b = make(together), make(alone)
    give_gradients(together, 0)
    give_gradients(alone, 0)
    a.step()
    b.step()
    for seed in (5, 6):
        give_gradients(together[:1], seed)
        together[1].grad = None
        before = values(together[1:])
        a.step()
        assert values(together[1:]) == before
    for params, optimizer in ((together, a), (alone, b)):
        give_gradients(params[1:], 9)
        params[0].grad = None
        optimizer.step()
    assert values(together[1:]) == values(alone[1:])


def test_a_frozen_parameter_is_left_even_if_it_has_a_gradient():
    params = parameters((4,), (3,))
    optimizer = optim.AdamW(params, weight_decay=0.5)
    params[0].requires_grad = False
    before = values(params)
    steps(optimizer, params, range(2))
    assert values(params)[0] == before[0] and values(params)[1] != before[1]


def test_zero_grad_forgets_all_gradients():
    params = parameters((4,), (3,))
    optimizer = optim.SGD(params)
    give_gradients(params, 0)
    optimizer.zero_grad()
    assert [p.grad for p in params] == [None, None]


# The flat buffer -----------------------------------------------------------------------------------------------------


def test_all_parameters_become_views_of_one_array_with_their_values_kept():
    params = parameters((4, 3), (), (7,))
    before = values(params)
    optimizer = optim.Adam(params)
    flat = params[0].data.base
    assert flat.size == 20 and all(p.data.base is flat for p in params)
    assert values(params) == before
    steps(optimizer, params, range(1))
    assert all(p.data.base is flat for p in params)


@every_optimizer
def test_a_replaced_array_is_taken_up_with_the_state_kept(make):
    params, twins = parameters((40, 5), (3,)), parameters((40, 5), (3,))
    a, b = make(params), make(twins)
    steps(a, params, range(3))
    steps(b, twins, range(3))
    params[0].data = params[0].data.copy()                  # as a user who assigns instead of writing into it
    steps(a, params, range(3, 6))
    steps(b, twins, range(3, 6))
    assert values(params) == values(twins) and state_of(a) == state_of(b)
    assert params[0].data.base is params[1].data.base is not None


@every_optimizer
def test_a_model_that_moves_to_a_device_and_back_goes_on_as_if_it_had_stayed(make):
    device, model = install(), nn.Linear(6, 3, rng=0)
    twin = copy.deepcopy(model)
    a, b = make(model.named_parameters()), make(twin.named_parameters())
    for place, seeds in (("cpu", range(3)), (device, range(3, 6)), ("cpu", range(6, 8))):
        model.to(place)
        steps(a, model.parameters(), seeds)
        steps(b, twin.parameters(), seeds)
        assert all(p.device == place for p in model.parameters())
        assert values(model.parameters()) == values(twin.parameters()) and state_of(a) == state_of(b)


@every_optimizer
def test_a_model_that_turns_to_float64_keeps_its_state(make):
    model = nn.Linear(6, 3, rng=0)
    optimizer = make(model.named_parameters())
    steps(optimizer, model.parameters(), range(3))
    before = state_of(optimizer)
    model.astype(np.float64)
    assert state_of(optimizer) == before
    steps(optimizer, model.parameters(), range(3, 5))
    assert all(p.dtype == np.float64 for p in model.parameters())
    assert optimizer.state_dict()["steps/weight"] == 5
    arrays = [a for name, a in optimizer.state_dict().items() if not name.startswith(("steps", "lr"))]
    assert all(a.dtype == np.float64 for a in arrays)


def test_a_parameter_that_has_grown_starts_with_a_fresh_state():
    grown, new = parameters((4,)), parameters((6,), seed=1)
    a, b = optim.Adam(grown, lr=0.1), optim.Adam(new, lr=0.1)
    steps(a, grown, range(5))
    grown[0].data = new[0].numpy().copy()
    steps(a, grown, range(2))
    steps(b, new, range(2))
    assert values(grown) == values(new) and state_of(a) == state_of(b)


@every_optimizer
def test_added_parameters_leave_the_state_of_the_others(make):
    old, twin, new = parameters((20, 3)), parameters((20, 3)), parameters((5,), (2,), seed=3)
    a, b = make(old), make(twin)
    steps(a, old, range(3))
    steps(b, twin, range(3))
    a.add(new)
    assert list(a.params) == ["0", "1", "2"]
    assert state_of(a) == state_of(b) | {k: v for k, v in state_of(a).items() if k.endswith(("/1", "/2"))}
    fresh, before = make(parameters((5,), (2,), seed=3)), values(new)
    steps(a, old, range(3, 5))
    steps(b, twin, range(3, 5))
    assert values(old) == values(twin) and values(new) == before
    steps(a, new, range(2))
    steps(fresh, list(fresh.params.values()), range(2))
    assert values(new) == values(fresh.params.values())     # the bias correction counts their own steps


def test_a_refused_addition_changes_nothing():
    params, twins = parameters((3,)), parameters((3,))
    a, b = optim.Adam(params), optim.Adam(twins)
    other, = parameters((2,), dtype=np.float64)
    with pytest.raises(InputError, match="parameter extra is float64 on cpu, the first one float32 on cpu"):
        a.add([("extra", other)])
    steps(a, params, range(2))
    steps(b, twins, range(2))
    assert values(params) == values(twins) and list(a.params) == ["0"]
    optim.Adam([other])                                      # and it is free for another


def test_an_optimiser_made_again_takes_over_and_a_step_of_the_old_one_is_refused():
    params, twins = parameters((3,), (2,)), parameters((3,), (2,))
    old = optim.SGD([("w", params[0])])
    steps(old, params[:1], range(1))
    twins[0].data = params[0].data.copy()
    new, fresh = optim.Adam(params, lr=0.1), optim.Adam(twins, lr=0.1)
    steps(new, params, range(2))
    steps(fresh, twins, range(2))
    before = values(params)
    give_gradients(params, seed=5)
    with pytest.raises(InputError, match=r"SGD: parameter w \(shape \(3,\)\) now belongs to a newer Adam"):
        old.step()
    assert values(params) == values(twins) == before
    assert params[0].data.base is params[1].data.base            # nor has it moved what it does not own
    old.state_dict()
    steps(new, params, range(5, 6))
    steps(fresh, twins, range(5, 6))
    assert values(params) == values(twins)


def test_an_optimiser_made_again_can_go_on_from_the_old_ones_state():
    params, twins = parameters((3,), (2,)), parameters((3,), (2,))
    old, unbroken = optim.Adam(params), optim.Adam(twins)
    steps(old, params, range(3))
    steps(unbroken, twins, range(3))
    new = optim.Adam(params)
    new.load_state_dict(old.state_dict())
    steps(new, params, range(3, 5))
    steps(unbroken, twins, range(3, 5))
    assert values(params) == values(twins) and state_of(new) == state_of(unbroken)


def test_when_the_newer_optimiser_is_gone_the_older_one_goes_on():
    params = parameters((3,))
    old = optim.SGD(params, lr=0.5)
    newer = optim.SGD(params)
    before = params[0].numpy().copy()
    del newer                                                # no reference cycle: it is gone at once
    give_gradients(params, seed=0)
    old.step()
    np.testing.assert_array_equal(params[0].numpy(), before - np.float32(0.5) * params[0].grad.numpy())


def test_a_closure_is_not_called_by_an_optimiser_that_owns_nothing_any_more():
    params = parameters((3,))
    for make in (optim.SGD, optim.LBFGS):
        old, new = make(params), optim.SGD(params)
        with pytest.raises(InputError, match="now belongs to a newer SGD"):
            old.step(lambda: pytest.fail("called"))
        assert new.params["0"] is params[0]


def test_a_failed_construction_does_not_own_its_parameters():
    good, bad = parameters((3,))[0], parameters((3,), dtype=np.float64)[0]
    with pytest.raises(InputError, match="float64"):
        optim.SGD([good, bad])
    gc.collect()
    optim.SGD([good])


def test_what_cannot_be_optimised_is_refused_in_a_sentence():
    p, = parameters((3,))
    with pytest.raises(InputError, match="SGD: there are no parameters to optimise"):
        optim.SGD([])
    with pytest.raises(InputError, match="parameter 1 was given twice"):
        optim.SGD([p, p])
    with pytest.raises(InputError, match="parameter again was given twice"):
        optim.SGD([p]).add([("again", p)])
    with pytest.raises(InputError, match="two parameters are named w; name them apart"):
        optim.SGD([("w", p), ("w", nn.Parameter([1.0]))])
    with pytest.raises(InputError, match="parameter 0 is no leaf Tensor"):
        optim.SGD([p * 2.0])
    with pytest.raises(InputError, match="parameter 0 is no leaf Tensor"):
        optim.SGD([("0", np.zeros(3))])
    with pytest.raises(InputError, match="parameter 1 is float32 on standin, the first one float32 on cpu"):
        optim.SGD([p, nn.Parameter([1.0], device=install())])


@pytest.mark.parametrize("make, words", [
    (lambda p: optim.SGD(p, lr=-1.0), "lr is 0 or more, not -1.0"),
    (lambda p: optim.SGD(p, lr=math.nan), "lr is 0 or more, not nan"),
    (lambda p: optim.SGD(p, weight_decay=-0.1), "weight_decay is 0 or more, not -0.1"),
    (lambda p: optim.SGD(p, momentum=1.0), r"momentum lies in \[0, 1\), not 1.0"),
    (lambda p: optim.SGD(p, momentum=-0.5), r"momentum lies in \[0, 1\), not -0.5"),
    (lambda p: optim.SGD(p, nesterov=True), "nesterov needs a momentum above 0"),
    (lambda p: optim.Adagrad(p, eps=-1e-8), "eps is 0 or more, not -1e-08"),
    (lambda p: optim.RMSprop(p, alpha=1.0), r"alpha lies in \[0, 1\), not 1.0"),
    (lambda p: optim.Adam(p, betas=(1.0, 0.9)), r"betas\[0\] lies in \[0, 1\), not 1.0"),
    (lambda p: optim.Adam(p, betas=(0.9, -0.1)), r"betas\[1\] lies in \[0, 1\), not -0.1"),
    (lambda p: optim.AdamW(p, eps=-1.0), "eps is 0 or more, not -1.0"),
])
def test_a_hyper_parameter_out_of_its_range_is_refused_in_a_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make(parameters((3,)))


def test_the_literatures_spelling_is_the_same_class():
    assert optim.RMSProp is optim.RMSprop


# The state -----------------------------------------------------------------------------------------------------------


@every_optimizer
def test_a_restored_state_goes_on_bit_for_bit(make):
    params, twins = parameters((50, 4), ()), parameters((50, 4), ())
    a, b = make(params), make(twins, lr=0.7)
    steps(a, params, range(5))
    a.lr *= 0.5                                              # as a schedule does
    saved = a.state_dict()
    for p, q in zip(params, twins, strict=True):
        q.data[...] = p.data
    steps(a, params, range(5, 9))                            # the saved state is a copy
    b.load_state_dict(saved)
    steps(b, twins, range(5, 9))
    assert values(params) == values(twins) and state_of(a) == state_of(b) and b.lr == a.lr


@pytest.mark.parametrize("where", ["device", "float64"])
@every_optimizer
def test_a_state_is_restored_where_the_model_has_moved_before(make, where):
    model, twin = nn.Linear(4, 3, rng=0), nn.Linear(4, 3, rng=0)
    a, b = make(model.named_parameters()), make(twin.named_parameters())
    for m in (model, twin):
        m.to(install()) if where == "device" else m.astype(np.float64)
    steps(a, model.parameters(), range(3))
    twin.load_state_dict(model.state_dict())
    b.load_state_dict(a.state_dict())                        # before b's first step, which would find the move
    steps(a, model.parameters(), range(3, 5))
    steps(b, twin.parameters(), range(3, 5))
    assert values(model.parameters()) == values(twin.parameters())


@pytest.mark.parametrize("other", [
    lambda: optim.SGD(parameters((3,), (2,)), momentum=0.5),
    lambda: optim.Adam(parameters((3,))),
    lambda: optim.Adam(parameters((3,), (4,))),
    lambda: optim.Adam([("a", parameters((3,))[0]), ("b", parameters((2,))[0])]),
])
def test_the_state_of_another_optimiser_is_refused_and_changes_nothing(other):
    params = parameters((3,), (2,))
    optimizer, foreign = optim.Adam(params), other()
    steps(optimizer, params, range(2))
    before = state_of(optimizer)
    with pytest.raises(InputError, match="not the state of Adam over these parameters, .*: .* differs"):
        optimizer.load_state_dict(foreign.state_dict())
    assert state_of(optimizer) == before


@pytest.mark.parametrize("change", [
    {"lr": np.asarray("fast")}, {"lr": np.asarray(-1.0)}, {"lr": np.asarray(np.nan)}, {"first_lr": np.asarray(-1.0)},
    {"second_moment/1": np.array(["a", "b"])}, {"steps/1": np.asarray(None)}], ids=lambda change: next(iter(change)))
def test_a_damaged_state_is_refused_and_changes_nothing(change):
    params = parameters((3,), (2,))
    optimizer = optim.Adam(params)
    steps(optimizer, params, range(2))
    before = state_of(optimizer)
    other = parameters((3,), (2,))
    foreign = optim.Adam(other, lr=0.5)
    steps(foreign, other, range(1))
    with pytest.raises(InputError):
        optimizer.load_state_dict(foreign.state_dict() | change)
    assert state_of(optimizer) == before and optimizer.first_lr is None


def test_a_new_rule_needs_only_its_update():
    class SignDescent(optim.Optimizer):
        def update(self, xp, p, g, scratch, t):
            p -= self.lr * xp.sign(g)

    p = nn.Parameter([1.0, 2.0])
    optimizer = SignDescent([p], lr=0.5)
    md.sum(p * p).backward()
    optimizer.step()
    assert p.numpy().tolist() == [0.5, 1.5]


@every_optimizer
def test_on_a_device_a_large_parameter_takes_no_more_launches_than_a_small_one(make):
    launches = []
    for size in (5, 100_000):
        p = nn.Parameter(np.ones(size, np.float32), device=install())
        optimizer = make([p])
        give_gradients([p], 0)
        with counting() as c:
            optimizer.step()
        launches.append(c.launches)
    assert launches[0] == launches[1] > 0


@every_optimizer
def test_the_device_gives_numpys_values_without_waiting(make):
    here, there = parameters((40, 5), (20_000,)), parameters((40, 5), (20_000,))
    for p in there:
        p.data = install().put(p.data)
    a, b = make(here, weight_decay=0.01), make(there, weight_decay=0.01)
    steps(a, here, range(3))
    for seed in range(3):
        give_gradients(there, seed)
        with counting() as c:
            b.step()
        assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    assert values(here) == values(there)


# Gradients written by hand ------------------------------------------------------------------------------------------


def test_a_gradient_may_be_an_array_of_any_dtype_or_a_list_and_is_copied():
    p, = parameters((2, 3))
    for value in (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), [[0, 1, 2], [3, 4, 5]],
                  np.arange(6, dtype=np.float32).reshape(2, 3)):
        p.grad = value
        assert isinstance(p.grad, Tensor) and p.grad.dtype == np.float32 and p.grad.data.flags.c_contiguous
        np.testing.assert_array_equal(p.grad.numpy(), np.arange(6).reshape(2, 3))
        assert not np.shares_memory(p.grad.data, value)
    p.grad = value
    md.sum(p * 2.0).backward()
    np.testing.assert_array_equal(p.grad.numpy(), np.arange(6).reshape(2, 3) + 2)
    np.testing.assert_array_equal(value, np.arange(6).reshape(2, 3))
    p.grad = g = Tensor(np.ones((2, 3), np.float32))
    assert p.grad is g
    p.grad = None
    assert p.grad is None


@pytest.mark.parametrize("value, reason", [
    (np.ones((3, 2)), r"the gradient has shape \(3, 2\), its tensor \(2, 3\)"), (1.0, "has shape"),
    ("abc", "truth values"), ([[1j] * 3] * 2, "truth values")])
def test_what_is_no_gradient_of_a_tensor_is_refused_where_it_is_assigned(value, reason):
    p, = parameters((2, 3))
    with pytest.raises(InputError, match=reason):
        p.grad = value
    assert p.grad is None


@every_optimizer
def test_steps_clipping_and_noise_take_gradients_written_by_hand(make):
    by_hand, usual = parameters((4,), (3, 2)), parameters((4,), (3, 2))
    for a, b in zip(by_hand, usual, strict=True):
        b.data[...] = a.data
        a.grad = np.full(a.shape, 3.0)
        b.grad = Tensor(np.full(b.shape, 3.0, np.float32))
    for params in (by_hand, usual):
        optimizer = make(params)
        optim.clip_grad_norm_(params, 1.0)
        optim.clip_grad_value_(params, 0.2)
        optim.GradientNoise(0.01, rng=0)(params)
        optimizer.step()
    for a, b in zip(by_hand, usual, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_a_gradient_on_another_device_is_refused_where_it_is_assigned():
    p = Tensor(np.ones(2, np.float32), requires_grad=True, device=install())
    with pytest.raises(InputError, match="the gradient is on 'cpu', its tensor on '"):
        p.grad = np.ones(2)


@pytest.mark.parametrize("call", [
    lambda p: optim.SGD([p], math.nan), lambda p: optim.SGD([p], math.inf), lambda p: optim.SGD([p], -0.1),
    lambda p: optim.SGD([p], "0.1"), lambda p: optim.SGD([p], weight_decay=math.nan), lambda p: optim.SGD({"w": p}),
    lambda p: optim.SGD(["w"]), lambda p: optim.Adam([p], betas=(0.9, 0.99, 0.999)),
    lambda p: optim.Adam([p], betas=0.9), lambda p: optim.Adam([p], eps=math.inf),
    lambda p: optim.LBFGS([p], max_iter=1.5),
    lambda p: optim.LBFGS([p], tolerance_grad=math.nan), lambda p: optim.StepLR(optim.SGD([p]), 1.5),
    lambda p: optim.StepLR(optim.SGD([p]), 1, gamma=-1), lambda p: optim.ExponentialLR(optim.SGD([p]), math.nan),
    lambda p: optim.CosineAnnealingLR(optim.SGD([p]), 5, eta_min=-1), lambda p: optim.LinearLR(optim.SGD([p]), -0.5),
    lambda p: optim.ReduceLROnPlateau(optim.SGD([p]), patience=math.nan), lambda p: optim.EMA(optim.SGD([p])),
    lambda p: optim.clip_grad_norm_(nn.Linear(2, 2, rng=0), 1.0), lambda p: optim.clip_grad_norm_([p], math.nan),
    lambda p: optim.clip_grad_value_([p.data], 1.0), lambda p: optim.GradientNoise(math.inf, rng=0),
    lambda p: optim.GradientNoise(rng=0)(p), lambda p: nn.l1_penalty(nn.Linear(2, 2, rng=0))])
def test_odd_arguments_of_optimisers_get_a_sentence(call):
    p, = parameters((2,))
    with pytest.raises(InputError):
        call(p)


def test_an_infinite_max_norm_measures_and_clips_nothing():
    p, = parameters((2,))
    p.grad = [3.0, 4.0]
    assert optim.clip_grad_norm_([p], math.inf).item() == 5.0 and p.grad.numpy().tolist() == [3.0, 4.0]


def test_clipping_keeps_the_direction_of_gradients_whose_squares_overflow():
    p, q = parameters((2,), (1,))
    p.grad, q.grad = [3e30, 0.0], [4e30]
    assert optim.clip_grad_norm_([p, q], 1.0).item() == pytest.approx(5e30)
    np.testing.assert_allclose([*p.grad.numpy(), *q.grad.numpy()], [0.6, 0.0, 0.8], rtol=1e-6)
