"""The engine's promises, one test each."""
import gc
import sys
import weakref

import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor, ops
from minidl import tensor as engine
from tests.standin.device import install

RNG = np.random.default_rng(0)


def leaf(values, dtype="float32"):
    return Tensor(np.array(values, dtype=dtype), requires_grad=True)


def values(t):
    return t.numpy().tolist()


def live_tensors():
    # Not isinstance, which asks each object for its class: some of PyTorch's, where it is imported, warn then.
    return sum(issubclass(type(o), Tensor) for o in gc.get_objects())


@pytest.fixture
def no_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def counted(rule_calls, name, *rules):
    """y = x * 1, whose rule notes its call."""
    def rule(g, y, x):
        rule_calls.append(name)
        return g * 1.0

    def identity(xp, x):
        return x * 1.0
    return md.custom(rule)(identity)


# Order and depth ----------------------------------------------------------------------------------------------------


def test_a_chain_of_5000_operations_has_first_and_second_derivatives_without_recursion():
    x = leaf(1.0, "float64")
    y = x
    for _ in range(5000):
        y = y * 1.0001
    y = y * y
    (g,) = md.grad(y, [x], create_graph=True)
    (gg,) = md.grad(g, [x])
    slope = 1.0001 ** 5000
    np.testing.assert_allclose([g.item(), gg.item()], [2 * slope**2, 2 * slope**2], rtol=1e-9)
    del y, g
    assert gg.item() > 0


def test_a_deep_graph_that_is_never_walked_can_be_dropped():
    y = leaf(1.0)
    for _ in range(200_000):
        y = y + 1.0
    del y


@pytest.mark.slow
def test_a_graph_of_a_million_nodes_gives_its_memory_back(no_gc):
    def walk(n):
        x = leaf(np.ones(4))
        y = x
        for _ in range(n):
            y = y + x
        y.sum().backward()
        return x.grad.numpy()[0]

    walk(1000)
    device = md.Device("cpu")
    memory, blocks = device.memory().used, sys.getallocatedblocks()
    assert walk(1_000_000) == 1_000_001
    assert sys.getallocatedblocks() - blocks < 10_000         # Python keeps some freed tuples for later
    assert device.memory().used - memory < 200e6              # the graph itself takes about 700 MB


def test_a_diamond_is_walked_once_however_often_it_is_doubled():
    calls = []
    same = counted(calls, "same")
    x = leaf(1.0)
    y = x
    for _ in range(60):                                        # 2 ** 60 paths
        y = same(y)
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60 and len(calls) == 60


# Memory -------------------------------------------------------------------------------------------------------------


def test_a_training_loop_without_the_garbage_collector_leaves_no_tensors_behind(no_gc):
    W, b = md.Parameter(RNG.standard_normal((4, 3)) * 0.1), md.Parameter(np.zeros(3))
    x, target = Tensor(RNG.standard_normal((8, 4))), Tensor(RNG.standard_normal((8, 3)))

    def step():
        W.grad = b.grad = None
        loss = md.mean(md.square(md.tanh(ops.linear(x, W, b)) - target))
        loss.backward()
        for p in (W, b):
            p.data -= 0.1 * p.grad.data
        return loss.item()

    first = step()
    tensors, objects = live_tensors(), len(gc.get_objects())
    for _ in range(300):
        last = step()
    assert last < first
    assert live_tensors() == tensors
    assert len(gc.get_objects()) - objects < 10


@pytest.mark.parametrize("way", ["dropped", "backward", "create_graph", "grad", "grad of grad", "backward of grad",
                                 "no path"])
def test_reference_counting_alone_frees_the_graph(no_gc, way):
    x, z = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    before = live_tensors()
    h = md.exp(x * z)
    parts = md.split(md.concatenate([h, h]), 2)
    y = md.sum(parts[0] * parts[1] + h.reshape(2, 1).T)
    watched = [weakref.ref(t) for t in (h, parts[0], y)]
    if way == "backward":
        y.backward()
    elif way == "create_graph":
        y.backward(create_graph=True)
        x.grad = z.grad = None
    elif way == "grad":
        md.grad(y, [x, z])
    elif way == "grad of grad":
        md.grad(md.sum(md.grad(y, x, create_graph=True)), z)
    elif way == "backward of grad":
        md.sum(md.square(md.grad(y, x, create_graph=True))).backward()
    elif way == "no path":
        with pytest.raises(InputError, match=r"xs\[1\]"):
            md.grad(y, [x, leaf(1.0)])
    del h, parts, y
    assert [w() for w in watched] == [None] * 3
    x.grad = z.grad = None
    assert live_tensors() == before


def test_backward_frees_the_graph_while_its_result_is_still_held(no_gc):
    x = leaf([1.0, 2.0])
    h = md.exp(x)
    watched = weakref.ref(h)
    y = md.sum(h * 2)
    del h
    assert watched() is not None
    y.backward()
    assert watched() is None


def test_a_second_backward_names_retain_graph():
    x = leaf([1.0, 2.0])
    y = md.sum(x * x)
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        md.grad(y, x)


def test_retain_graph_walks_twice_and_doubles_the_gradient():
    x = leaf([1.0, 2.0])
    y = md.sum(x * x)
    y.backward(retain_graph=True)
    y.backward()
    assert values(x.grad) == [4, 8]
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_create_graph_retains_the_graph_unless_told_otherwise():
    x = leaf([1.0, 2.0])
    y = md.sum(x * x)
    md.grad(y, x, create_graph=True)
    md.grad(y, x, create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_grad_frees_only_the_paths_that_it_walked():
    x, z = leaf([2.0]), leaf([3.0])
    h = z * 2
    y = md.sum(x * x * h)
    md.grad(y, x)
    md.sum(h).backward()
    assert values(z.grad) == [2]


# Gradients belong to their leaf -------------------------------------------------------------------------------------


def test_gradients_accumulate_over_backward_passes():
    x = leaf([1.0, 2.0])
    for _ in range(3):
        md.sum(x * 2).backward()
    assert values(x.grad) == [6, 6]


def test_accumulating_keeps_a_gradient_in_its_own_array():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    md.sum(x + w).backward()
    first, array = x.grad, x.grad.data
    md.sum(x + w).backward()
    assert x.grad is first and x.grad.data is array and values(w.grad) == [2, 2]


def test_a_gradient_in_place_accumulates_into_no_other_leaf():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    later = a * 3                                    # older than the sum: its gradient arrives second
    md.sum((a + b) + later).backward()
    assert values(a.grad) == [4, 4] and values(b.grad) == [1, 1]


SHARING = {
    "x + x": lambda x, w: x + x,
    "x + w": lambda x, w: x + w,
    "x - w": lambda x, w: x - w,
    "reshape": lambda x, w: x.reshape(6) * 1.0 + w.reshape(6),
    "only reshape": lambda x, w: x.reshape(3, 2),
    "transpose": lambda x, w: x.T + w.T,
    "broadcast": lambda x, w: md.broadcast_to(x, (4, 2, 3)) + w,
    "slice": lambda x, w: x[:, 1:] + w[:, :2],
    "whole slice": lambda x, w: x[:] + w[...],
    "concatenate": lambda x, w: md.concatenate([x, w, x]),
    "stack": lambda x, w: md.stack([x, w]),
    "flip": lambda x, w: md.flip(x) + md.roll(w, 1),
    "expand": lambda x, w: x[None] + w[:, None][:, 0],
    "where": lambda x, w: md.where(x > 0, x, w),
    "linear": lambda x, w: ops.linear(x, w.T),
    "einsum": lambda x, w: md.einsum("ij,ij->ij", x, w),
    "sum": lambda x, w: md.sum(x) + md.sum(w, axis=0),
    "astype": lambda x, w: x.astype("float32") + w.astype("float64").astype("float32"),
    "pad": lambda x, w: md.pad(x, 1) + md.pad(w, 1),
}


@pytest.mark.parametrize("create_graph", [False, True], ids=["plain", "create_graph"])
@pytest.mark.parametrize("name", SHARING)
def test_a_gradient_is_contiguous_writable_and_shared_with_nobody(name, create_graph):
    x, w = (leaf(RNG.standard_normal((2, 3))) for _ in range(2))
    y = SHARING[name](x, w)
    seed = np.ones(y.shape, np.float32)
    y.backward(Tensor(seed), create_graph=create_graph)
    arrays = [t.grad.data for t in (x, w) if t.grad is not None]
    for i, g in enumerate(arrays):
        assert g.flags.c_contiguous and g.flags.writeable and g.shape == (2, 3)
        for other in [seed, x.data, w.data, y.data, *arrays[:i]]:
            assert not np.shares_memory(g, other)


def test_a_gradient_is_contiguous_though_its_rule_made_another_order():
    doubled = md.custom(lambda g, y, x: np.array(g * 2.0, order="F"))(lambda xp, x: x * 2.0)
    x = leaf(np.ones((2, 3)))
    md.sum(doubled(x)).backward()
    assert x.grad.data.flags.c_contiguous


def test_gradients_from_grad_share_no_memory_with_each_other():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    h = x + w
    y = md.sum(h)
    arrays = [g.data for g in md.grad(y, [h, x, w, y])]
    for i, g in enumerate(arrays):
        assert g.flags.c_contiguous and g.flags.writeable
        assert not any(np.shares_memory(g, other) for other in arrays[:i])


def test_after_create_graph_a_plain_backward_adds_to_the_gradient():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    md.sum(x + w).backward(create_graph=True)
    md.sum(x * 2).backward()
    assert values(x.grad) == [3, 3] and values(w.grad) == [1, 1]


def test_the_callers_gradient_is_copied():
    for create_graph in (False, True):
        x, seed = leaf([1.0, 2.0]), np.ones(2, np.float32)
        x.backward(seed, create_graph=create_graph)
        md.sum(x * 5).backward()
        assert seed.tolist() == [1, 1] and values(x.grad) == [6, 6]


def test_a_tensors_gradient_by_itself_is_the_callers_gradient_in_an_array_of_its_own():
    for y in (leaf([1.0, 2.0]), leaf([1.0, 2.0]) * 1.0):
        seed = np.array([3.0, 4.0], np.float32)
        g = md.grad(y, y, seed)
        assert values(g) == [3, 4] and not np.shares_memory(g.data, seed)


def test_the_callers_gradient_takes_the_tensors_dtype():
    for create_graph in (False, True):
        x = leaf([1.0, 2.0])
        (x * 3).backward(np.ones(2), create_graph=create_graph)
        assert x.grad.dtype == np.float32


def test_a_gradient_of_another_shape_raises_a_sentence():
    with pytest.raises(InputError, match=r"gradient has shape \(3,\), the tensor \(2,\)"):
        (leaf([1.0, 2.0]) * 2).backward(np.ones(3))


# grad ---------------------------------------------------------------------------------------------------------------


def test_grad_walks_only_the_paths_to_xs():
    calls = []
    x, w = leaf(2.0), leaf(3.0)
    h = counted(calls, "of x")(x)
    k = counted(calls, "of w")(counted(calls, "of w")(w))
    y = counted(calls, "shared")(h * k)
    g = md.grad(y, x, retain_graph=True)
    assert g.item() == 3 and sorted(calls) == ["of x", "shared"]
    calls.clear()
    md.grad(y, h, retain_graph=True)
    assert calls == ["shared"]                                # it stops at the target
    calls.clear()
    y.backward()
    assert sorted(calls) == ["of w", "of w", "of x", "shared"]


def test_grad_asks_a_joint_rule_only_for_the_gradients_on_the_path():
    asked = []

    def joint(g, y, wanted, a, b):
        asked.append(wanted)
        return [g * b, g * a]

    product = md.custom(joint=joint)(lambda xp, a, b: a * b)
    a, b = leaf([2.0]), leaf([3.0])
    assert values(md.grad(md.sum(product(a, b)), b)) == [2]
    md.sum(product(a, b)).backward()
    md.sum(product(a, 5.0)).backward()
    assert asked == [[1], [0, 1], [0]]


def test_grad_touches_no_grad():
    x, w = leaf([1.0]), leaf([2.0])
    h = x * w
    md.grad(md.sum(h * h), [x, h])
    assert x.grad is w.grad is h.grad is None


def test_grad_by_intermediate_tensors_and_by_the_tensor_itself():
    x = leaf([1.0, 2.0])
    h = x * 3
    y = md.sum(h * h)
    gh, gx, gy = md.grad(y, [h, x, y])
    assert values(gh) == [6, 12] and values(gx) == [18, 36] and gy.item() == 1
    assert values(md.grad(md.sum(x), x)) == [1, 1]


def test_grad_returns_a_tensor_for_a_tensor_and_a_list_for_a_list():
    x = leaf([1.0])
    y = md.sum(x)
    assert isinstance(md.grad(y, x, retain_graph=True), Tensor)
    assert isinstance(md.grad(y, (x,)), list)


def test_grad_does_not_look_at_what_is_older_than_xs():
    """As a critic's gradient by points that were mixed from a generator's freed graph."""
    w = leaf([2.0])
    h = w * 3
    md.sum(h).backward()
    x = leaf([5.0])
    assert values(md.grad(md.sum(h * x), x)) == [6]


def test_grad_by_what_y_does_not_depend_on_raises_a_sentence_and_leaves_the_graph_whole():
    x, z = leaf([1.0]), leaf([2.0, 3.0])
    y = md.sum(x * x)
    with pytest.raises(InputError, match=r"does not depend on xs\[1\] \(shape \(2,\), requires_grad=True\)"):
        md.grad(y, [x, z])
    with pytest.raises(InputError, match=r"xs\[0\]"):
        md.grad(y, z)
    assert values(md.grad(y, x)) == [2]


def test_grad_by_nothing_is_an_empty_list():
    assert md.grad(md.sum(leaf([1.0])), []) == []


# What is recorded ---------------------------------------------------------------------------------------------------


def test_no_grad_records_nothing_as_a_context_and_as_a_decorator():
    x = leaf([1.0])

    @md.no_grad()
    def doubled():
        return x * 2

    for _ in range(2):
        assert not doubled().requires_grad
    with md.no_grad():
        with md.no_grad():
            pass
        assert not (x * 2).requires_grad
        with pytest.raises(ZeroDivisionError), md.no_grad():
            raise ZeroDivisionError
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad and (x * 2).recipe is not None


def test_a_plain_backward_records_nothing_and_create_graph_does_even_within_no_grad():
    x = leaf([2.0])
    y = md.sum(x * x * x)
    assert md.grad(y, x, retain_graph=True).recipe is None
    with md.no_grad():
        g = md.grad(y, x, create_graph=True)
    assert g.requires_grad and values(md.grad(g, x)) == [12]


def penalty_of(x, w, *, before=lambda: None, between=lambda: None):
    """The gradient by w of (d/dx sum(x^2 exp(x w)))^2, and what is done before the recording and after it."""
    before()
    y = md.sum(x * x * md.exp(x * w))
    between()
    g = md.grad(y, x, create_graph=True)
    return md.sum(g * g)


def test_freezing_counts_when_it_is_recorded_also_for_second_order():
    x, w = leaf([1.5, -0.5]), leaf([0.3, 0.7])
    expected = md.grad(penalty_of(x, w), w).numpy()

    def freeze():
        w.requires_grad = False

    def thaw():
        w.requires_grad = True

    np.testing.assert_allclose(md.grad(penalty_of(x, w, between=freeze), w).numpy(), expected, rtol=1e-6)
    with pytest.raises(InputError, match="does not depend on"):
        md.grad(penalty_of(x, w, before=freeze, between=thaw), w)
    thaw()
    np.testing.assert_array_equal(md.grad(penalty_of(x, w), w).numpy(), expected)


def test_grad_by_what_was_frozen_when_it_was_recorded_raises():
    x, w = leaf([2.0]), leaf([3.0])
    w.requires_grad = False
    y = md.sum(x * w)
    w.requires_grad = True
    with pytest.raises(InputError, match=r"does not depend on xs\[0\]"):
        md.grad(y, w)
    y.backward()
    assert w.grad is None and values(x.grad) == [3]


def test_detach_has_the_same_array_and_no_history():
    x = leaf([2.0])
    d = (x * 3).detach()
    assert not d.requires_grad and d.recipe is None
    assert x.detach().data is x.data
    assert values(md.grad(md.sum(x * d), x)) == [6]


def test_what_depends_on_no_leaf_keeps_no_history():
    y = Tensor([1.0]) * Tensor([2.0])
    assert y.recipe is None and not y.requires_grad
    with pytest.raises(InputError, match="requires_grad=True"):
        y.backward()


def test_leaves_that_require_no_gradient_get_none():
    x, c = leaf([1.0]), Tensor([5.0])
    md.sum(x * c).backward()
    assert c.grad is None and values(x.grad) == [5]


def test_backward_from_more_than_a_scalar_raises_a_sentence():
    with pytest.raises(InputError, match=r"shape \(2,\); reduce it with .sum\(\) or .mean\(\)"):
        (leaf([1.0, 2.0]) * 2).backward()


def test_one_element_of_any_shape_counts_as_a_scalar():
    x = leaf([[3.0]])
    (x * x).backward()
    assert values(x.grad) == [[6]]


# Types --------------------------------------------------------------------------------------------------------------


def test_lists_and_numbers_become_float32_and_arrays_keep_their_dtype():
    assert Tensor([1, 2]).dtype == Tensor(1).dtype == Tensor([[1.5]]).dtype == np.float32
    for dtype in ("float64", "float32", "int64", "uint8", "bool"):
        array = np.zeros(2, dtype)
        assert Tensor(array).dtype == dtype and Tensor(array).data is array


def test_what_is_no_array_of_numbers_raises_a_sentence():
    for bad in (["a"], [[1], [1, 2]], None, np.array([1j]), np.array(["x"]), {"a": 1}):
        with pytest.raises(InputError, match="number"):
            Tensor(bad)


def test_integers_cannot_require_a_gradient():
    with pytest.raises(InputError, match=r"int64.*\.astype\('float32'\)"):
        Tensor(np.arange(3), requires_grad=True)


def test_integers_made_from_floats_require_no_gradient():
    x = leaf([1.5, 2.5])
    assert not x.astype("int64").requires_grad and not x.astype(bool).requires_grad


def test_mixing_float_dtypes_raises_a_sentence():
    x, y = leaf([1.0]), leaf([1.0], "float64")
    for mix in (lambda: x + y, lambda: y * x, lambda: x + y.data, lambda: y.data / x, lambda: md.where(x > 0, x, y),
                lambda: md.concatenate([x, y]), lambda: md.matmul(x, y), lambda: md.maximum(x, np.ones(1))):
        with pytest.raises(InputError, match="float32 and float64 are mixed; convert one with .astype"):
            mix()


@pytest.mark.parametrize("f", [
    lambda x, c: x * c, lambda x, c: c * x, lambda x, c: x + c, lambda x, c: c - x, lambda x, c: x / c,
    lambda x, c: c / x, lambda x, c: x ** c, lambda x, c: c ** x, lambda x, c: md.maximum(x, c),
    lambda x, c: md.minimum(c, x), lambda x, c: md.clip(x, -c, c), lambda x, c: md.where(x > c, x, c),
    lambda x, c: md.leaky_relu(x, negative_slope=c), lambda x, c: md.elu(x, c), lambda x, c: md.power(x, b=c),
    lambda x, c: md.pad(x, 1, constant_values=c), lambda x, c: md.leaky_relu(x, c)])
@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), 0.5, np.array([1.5, 0.5])[1], 1, np.int64(1)],
                         ids=["float64", "float32", "float", "element", "int", "int64"])
def test_numbers_of_any_type_leave_float32_as_it_is(f, number):
    x = leaf([0.3, 2.0, 0.7])
    y = f(x, number)
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape), retain_graph=True)
    assert x.grad.dtype == np.float32
    g = md.grad(md.sum(y), x, create_graph=True)
    assert g.dtype == np.float32
    np.testing.assert_allclose(g.numpy(), x.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("f", [
    lambda x, c: x * c, lambda x, c: c + x, lambda x, c: c / x, lambda x, c: x ** c, lambda x, c: md.maximum(x, c),
    lambda x, c: md.where(x > 1, x, c)])
@pytest.mark.parametrize("constant", [[1.0, 2.0], [1, 2], np.array([1, 2]), Tensor(np.array([1, 2]))],
                         ids=["list", "list of int", "int64", "integer tensor"])
def test_lists_and_integers_beside_a_float32_tensor_become_float32(f, constant):
    x = leaf([0.5, 3.0])
    y = f(x, constant)
    assert y.dtype == np.float32
    y.backward(np.ones(2), retain_graph=True)
    assert x.grad.dtype == np.float32
    g = md.grad(md.sum(y), x, create_graph=True)              # the rule now works on the list as it was given
    assert g.dtype == np.float32
    np.testing.assert_allclose(g.numpy(), x.grad.numpy(), rtol=1e-6)


def test_scalars_of_reductions_stay_float32_through_a_whole_chain(only_float32):
    x = leaf([1.0, 2.0])
    y = md.sum(x) * 2 + md.mean(x) / 3 - md.std(x) ** 2 + 1.0 / md.norm(x) + 2.0 ** md.max(x)
    y.backward(create_graph=True)
    md.sum(md.square(x.grad)).backward()
    assert x.grad.dtype == y.dtype == np.float32


def test_the_guard_against_float64_catches_one(only_float32):
    with pytest.raises(AssertionError, match="astype made a float64"):
        leaf([1.0]).astype("float64")

    @md.custom(lambda g, y, x: g * np.ones(1))
    def widened(xp, x):
        return x + 0.0
    with pytest.raises(TypeError, match="turned float32 into float64"):
        widened(leaf([1.0])).backward()


# One buffer for many slices -----------------------------------------------------------------------------------------


def test_slices_of_one_packed_array_cost_one_buffer(monkeypatch):
    buffers = []
    make = engine._writable_buffer
    monkeypatch.setattr(engine, "_writable_buffer", lambda *args: buffers.append(1) or make(*args))
    x = leaf(np.ones((1000, 4)))
    packed = x * 2
    md.sum(md.concatenate([part * i for i, part in enumerate(md.split(packed, 1000))])).backward()
    assert len(buffers) == 1
    np.testing.assert_array_equal(x.grad.numpy(), 2 * np.arange(1000)[:, None] * np.ones(4))


@pytest.mark.parametrize("shape", [(), (2,)])
def test_slices_and_whole_uses_of_one_array_add_up_in_any_order(shape):
    x = leaf(np.full(shape, 2.0))
    for wrap in (lambda x: x, lambda x: x * 1.0):
        for order in range(3):
            x.grad = None
            h = wrap(x)
            uses = [lambda h: h[None][0] * 5.0, lambda h: h * 2, lambda h: h * 3]
            parts = [use(h) for use in uses[order:] + uses[:order]]
            md.sum(parts[0] + parts[1] + parts[2]).backward()
            np.testing.assert_array_equal(x.grad.numpy(), np.full(shape, 10.0))


# Primitives ---------------------------------------------------------------------------------------------------------


def test_called_with_arrays_a_primitive_returns_an_array():
    x = np.array([1.0, 2.0], np.float32)
    y = md.exp(x)
    assert type(y) is np.ndarray and y.dtype == np.float32
    assert isinstance(md.exp(Tensor(x)), Tensor)


@pytest.mark.parametrize("call", [
    lambda a, b: md.multiply(a=a, b=b), lambda a, b: md.multiply(a, b=b),
    lambda a, b: md.where(a=a, b=b, condition=a > 9), lambda a, b: md.matmul(a=a, b=b),
    lambda a, b: md.sum(x=b, keepdims=True), lambda a, b: md.max(axis=1, x=b),
    lambda a, b: md.leaky_relu(negative_slope=0.5, x=b), lambda a, b: md.clip(x=b, a_max=1.0),
    lambda a, b: ops.linear(x=a, W=b)], ids=range(9))
def test_tensors_may_be_passed_by_keyword(call):
    a, b = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf([[5.0, -6.0], [7.0, -8.0]])
    y = call(a, b)
    expected = call(a.data, b.data)
    np.testing.assert_array_equal(y.numpy(), expected)
    y.backward(np.ones(y.shape))
    assert b.grad is not None and np.any(b.grad.numpy())


def test_a_custom_operation_in_ten_lines_passes_gradcheck():
    @md.custom(lambda g, y, x, w: g * w * md.cos(x * w), lambda g, y, x, w: g * x * md.cos(x * w))
    def wave(xp, x, w):
        return xp.sin(x * w)

    md.gradcheck(wave, RNG.standard_normal((2, 3)), RNG.standard_normal(3))
    assert wave.name == "wave" and "wave" in repr(wave)


def test_a_wrong_custom_rule_is_caught_with_both_values_and_its_index():
    @md.custom(lambda g, y, x: g * np.array([2.0, 2.5]) * x)
    def bent(xp, x):
        return x * x

    with pytest.raises(AssertionError) as caught:
        md.gradcheck(bent, np.array([3.0, 4.0]))
    message = str(caught.value)
    assert "bent" in message and "input 0 at index (1,)" in message
    assert "the rule gives" in message and "finite difference" in message


def test_a_joint_rule_passes_gradcheck_and_agrees_with_separate_rules():
    product = md.custom(joint=lambda g, y, wanted, a, b: [g * b, g * a])(lambda xp, a, b: a * b)
    a, b = RNG.standard_normal((2, 3)), RNG.standard_normal(3)
    md.gradcheck(product, a, b)
    together, apart = [leaf(a), leaf(b)], [leaf(a), leaf(b)]
    product(*together).backward(np.ones((2, 3)))
    md.multiply(*apart).backward(np.ones((2, 3)))
    for t, s in zip(together, apart, strict=True):
        np.testing.assert_array_equal(t.grad.numpy(), s.grad.numpy())


def test_a_joint_rule_may_return_one_array_for_two_arguments():
    def joint(g, y, wanted, a, b):
        same = g * 1.0
        return [same, same]

    added = md.custom(joint=joint)(lambda xp, a, b: a + b)
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    older = a * 3
    md.sum(added(a, b) + older).backward()
    assert values(a.grad) == [4, 4] and values(b.grad) == [1, 1]
    assert not np.shares_memory(a.grad.data, b.grad.data)


def test_into_is_for_the_first_argument_alone():
    def into(buffer, g, x, w):
        buffer[:1] += g * w

    first = md.custom(None, lambda g, y, x, w: g * x[:1], into=into)(lambda xp, x, w: x[:1] * w)
    x, w = leaf([2.0, 3.0]), leaf([5.0])
    first(x, w).backward()
    assert values(x.grad) == [5, 0] and values(w.grad) == [2]


def test_an_argument_without_a_rule_raises_a_sentence():
    scaled = md.custom(lambda g, y, x, w: g * w)(lambda xp, x, w: x * w)
    x, w = leaf([2.0]), leaf([3.0])
    with pytest.raises(InputError, match="argument 1 has no gradient rule.*detach"):
        scaled(x, w).backward()
    scaled(x, w.detach()).backward()
    assert values(x.grad) == [3]


def test_errors_name_the_operation_and_the_shapes():
    with pytest.raises(InputError, match=r"add: float32\[2\], float32\[3\]"):
        leaf([1.0, 2.0]) + leaf([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match=r"matmul: \(128, 784\) @ \(1000, 500\): inner sizes 784 and 1000 differ"):
        md.matmul(leaf(np.ones((128, 784))), leaf(np.ones((1000, 500))))
    with pytest.raises(InputError, match=r"getitem.*out of bounds"):
        leaf([1.0, 2.0])[5]


def test_mixing_devices_raises_a_sentence():
    x, y = leaf([1.0]), Tensor([1.0], device=install())
    for mix in (lambda: x + y, lambda: y * x, lambda: md.where(x > 0, x, y), lambda: md.concatenate([y, x]),
                lambda: y + x.data):
        with pytest.raises(InputError, match="different devices, cpu and standin; bring them together with .to"):
            mix()
    assert values((x.to("standin") + y).to("cpu")) == [2]


@pytest.mark.parametrize("f", [
    lambda x, c: c * x, lambda x, c: x / c, lambda x, c: x @ c, lambda x, c: md.matmul(c, x),
    lambda x, c: md.einsum("ij,jk->ik", c, x), lambda x, c: md.maximum(c, x), lambda x, c: md.power(x, c),
    lambda x, c: md.where(x > 1.0, c, x), lambda x, c: md.concatenate([c, x]), lambda x, c: ops.linear(c, x)],
    ids=["times", "divide", "right product", "left product", "einsum", "maximum", "power", "where", "concatenate",
         "linear"])
@pytest.mark.parametrize("place", ["cpu", "standin"])
def test_raw_arrays_are_constants_to_second_order_on_every_device(f, place):
    device = md.Device(place) if place == "cpu" else install()
    values = RNG.uniform(0.5, 2.0, (3, 3)).astype("float32")
    x, c = Tensor(values, requires_grad=True, device=device), device.put(values.T + np.float32(0.5))
    y = md.sum(md.square(f(x, c)))
    g = md.grad(y, x, create_graph=True)
    second = md.grad(md.sum(md.square(g)), x).numpy()
    as_tensor = md.sum(md.square(f(x, Tensor(c))))
    expected = md.grad(md.sum(md.square(md.grad(as_tensor, x, create_graph=True))), x).numpy()
    assert g.device == place
    np.testing.assert_array_equal(second, expected)


def test_a_leaf_may_get_a_new_array_of_the_same_values_between_forward_and_create_graph():
    """As when an optimiser moves its parameters into one buffer."""
    x = leaf([2.0], "float64")
    y = md.sum(x * x * x)
    x.data = x.data.copy()
    g = md.grad(y, x, create_graph=True)
    assert values(md.grad(md.sum(g), x)) == [12]


def test_broadcasting_over_an_empty_batch_has_gradients():
    w = leaf([1.0, 2.0, 3.0])
    md.sum(Tensor(np.zeros((0, 3), np.float32)) + w).backward()
    assert values(w.grad) == [0, 0, 0]
    e = leaf(np.zeros((0,)))
    md.sum(Tensor(np.zeros((2, 0), np.float32)) * e).backward()
    assert e.grad.shape == (0,)


# Higher orders ------------------------------------------------------------------------------------------------------


def test_in_create_graph_mode_grad_is_recorded():
    x = leaf([2.0])
    md.sum(x * x * x).backward(create_graph=True)
    assert x.grad.requires_grad and values(x.grad) == [12]
    assert values(md.grad(md.sum(x.grad), x)) == [12]


def test_gradients_accumulate_in_create_graph_mode_as_a_recorded_sum():
    x = leaf([2.0])
    md.sum(x * x * x).backward(create_graph=True)
    md.sum(x * x).backward(create_graph=True)
    assert values(x.grad) == [16]
    assert values(md.grad(md.sum(x.grad), x)) == [14]


def test_the_hessian_of_a_quadratic_is_its_matrix():
    A = RNG.standard_normal((4, 4))
    x = leaf(RNG.standard_normal(4), "float64")
    g = md.grad(0.5 * (x @ Tensor(A) @ x), x, create_graph=True)
    hessian = [md.grad(g[i], x, retain_graph=True).numpy() for i in range(4)]
    np.testing.assert_allclose(hessian, (A + A.T) / 2, rtol=1e-12)


def test_derivatives_of_x_to_the_fourth_of_every_order():
    for write in (lambda x: x ** 4, lambda x: x * x * x * x, lambda x: md.square(md.square(x)),
                  lambda x: md.exp(md.log(x) * 4)):
        y = x = leaf(1.5, "float64")
        y = write(x)
        orders = []
        for _ in range(4):
            y = md.grad(y, x, create_graph=True)
            orders.append(y.item())
        np.testing.assert_allclose(orders, [4 * 1.5**3, 12 * 1.5**2, 24 * 1.5, 24], rtol=1e-10)


def test_the_gradient_penalty_of_a_linear_critic_matches_its_closed_form():
    """WGAN-GP: of D(x) = x w the penalty is (|w| - 1)^2, its gradient 2 (|w| - 1) w / |w| (slide 60's loss)."""
    w = leaf(RNG.standard_normal(5), "float64")
    x = leaf(RNG.standard_normal((8, 5)), "float64")
    g = md.grad(md.sum(x @ w), x, create_graph=True)
    penalty = md.mean((md.norm(g, axis=1) - 1.0) ** 2)
    length = np.linalg.norm(w.numpy())
    np.testing.assert_allclose(penalty.item(), (length - 1) ** 2)
    penalty.backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * (length - 1) * w.numpy() / length)
    assert x.grad is None or not np.any(x.grad.numpy())


def test_the_gradient_penalty_of_a_two_layer_critic_matches_finite_differences():
    x = RNG.standard_normal((4, 3))

    def penalty(W, v):
        points = leaf(x, "float64")
        score = md.sum(md.tanh(points @ W) @ v)
        g = md.grad(score, points, create_graph=True)
        return md.mean((md.norm(g, axis=1) - 1.0) ** 2)

    md.gradcheck(penalty, RNG.standard_normal((3, 6)), RNG.standard_normal(6))


def test_a_rule_that_updates_its_temporary_in_place_leaves_the_graph_intact():
    x = leaf([0.3, -0.7], "float64")
    y = md.tanh(x)
    before = y.numpy().copy()
    md.grad(md.sum(y), x, retain_graph=True)
    md.grad(md.sum(y), x, create_graph=True)
    np.testing.assert_array_equal(y.numpy(), before)
    assert not any(name in vars(Tensor) or hasattr(Tensor, name) for name in ("__iadd__", "__imul__", "__isub__"))


def test_the_walk_keeps_gradients_by_number_though_equality_is_elementwise():
    x = leaf([1.0, 1.0])
    same = leaf([1.0, 1.0])
    gx, gs = md.grad(md.sum(x * 2 + same * 3), [x, same])
    assert values(gx) == [2, 2] and values(gs) == [3, 3]


def test_a_gradient_by_an_inner_tensor_leaves_that_tensors_history_alone():
    x = leaf([2.0, 3.0])
    h = x * x
    gh = md.grad(md.sum(h * 3), h)
    h.backward(gh)
    assert values(x.grad) == [12, 18]

    h = x * x
    md.grad(md.sum(h * 5), h)
    assert values(md.grad(md.sum(h * 3), x)) == [12, 18]

    h = x * x
    md.sum(h).backward()
    assert values(md.grad(md.sum(h * 3), h)) == [3, 3]


@pytest.mark.parametrize("rule, given", [(lambda g, y, x: None, "NoneType"), (lambda g, y, x: md.sum(g), r"\(\)"),
                                         (lambda g, y, x: g[:1], r"\(1,\)")], ids=["None", "sum", "part"])
def test_a_rule_of_the_wrong_shape_is_named(rule, given):
    doubled = md.custom(rule)(lambda xp, x: x * 2)
    with pytest.raises(InputError, match=f"the gradient rule of argument 0 gave {given}, its argument has shape"):
        md.sum(doubled(leaf([1.0, 2.0]))).backward()
