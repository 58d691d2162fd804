"""Every operation and every gradient rule, for drawn shapes: `cases.py` is the table, here is what each must keep."""
import functools
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import minidl as md
from minidl import ops
from tests.ops.cases import CASES, CONSTANTS, HELPERS, INTERNAL, REORDERED, WITHIN_NN, Draw
from tests.standin.device import install

WHERE = "add a case to CASES in tests/ops/cases.py (or, if its result is a constant for every gradient, to CONSTANTS)"
TABLE = [pytest.param(case, id=f"{name}-{i}") for name, cases in CASES.items() for i, case in enumerate(cases)]


@functools.cache
def primitives():
    """Every Primitive of every module of the package, by its full name."""
    found = {}
    for info in pkgutil.walk_packages(md.__path__, "minidl."):
        if not info.name.endswith("__main__"):
            for value in vars(importlib.import_module(info.name)).values():
                if isinstance(value, md.Primitive):
                    found[f"{value.__module__}.{value.__name__}"] = value
    return found


def drawn(case, times):
    """The case on that many drawn shapes."""
    return (case(Draw(seed)) for seed in range(times))


def run(f, inputs, dtype, device="cpu", weights=None):
    """f's value and the gradients of a random projection of it, as NumPy arrays; and the leaves."""
    leaves = [md.Tensor(x.astype(dtype), requires_grad=True, device=device) for x in inputs]
    y = f(*leaves)
    weights = np.random.default_rng(0).standard_normal(y.shape) if weights is None else weights
    y.backward(md.Tensor(weights.astype(dtype), device=device))
    return y.numpy(), [None if x.grad is None else x.grad.numpy() for x in leaves], leaves


# Nothing is left out ------------------------------------------------------------------------------------------------


def test_every_public_operation_has_a_case():
    missing = {*ops.__all__, *written_in_ops()} - INTERNAL - set(CASES) - CONSTANTS - HELPERS
    assert not missing, f"{sorted(missing)}: {WHERE}"
    unknown = set(CASES) - {name for names in map(dir, map(importlib.import_module, modules_of_primitives()))
                            for name in names}
    assert not unknown, f"{sorted(unknown)} have cases but are no operations: delete them from tests/ops/cases.py"


def written_in_ops():
    """The public functions and primitives that the files of minidl/ops/ define."""
    return {name for info in pkgutil.iter_modules(ops.__path__, "minidl.ops.")
            for name, value in vars(importlib.import_module(info.name)).items()
            if callable(value) and not isinstance(value, type) and not name.startswith("_")
            and getattr(value, "__module__", "") == info.name}


def test_every_public_operation_is_exported():
    missing = written_in_ops() - set(ops.__all__) - INTERNAL - WITHIN_NN
    assert not missing, f"{sorted(missing)}: import it in minidl/ops/__init__.py, or list it in tests/ops/cases.py"
    assert INTERNAL | WITHIN_NN <= written_in_ops() - set(ops.__all__), "listed in cases.py for no reason"
    hidden = {name for name, op in primitives().items() if not op.__name__.startswith("_")
              and op.__name__ not in ops.__all__}
    assert not hidden, f"{sorted(hidden)}: a primitive of a file's own has a name with an underscore"
    assert {"nn", "np", "sys", "operators"}.isdisjoint(ops.__all__) and set(ops.__all__) <= set(md.__all__)


def test_no_room_of_the_package_hides_an_operation():
    primitives()                                   # imports every module, and each becomes an attribute of its package
    hidden = [name for name in ops.__all__ if getattr(md, name) is not getattr(ops, name)]
    assert not hidden, f"md.{hidden} are no longer the operations of minidl.ops, modules of the same name hide them"


def modules_of_primitives():
    return {"minidl.ops", *(name.rsplit(".", 1)[0] for name in primitives())}


def test_every_gradient_rule_is_reached_by_a_case(monkeypatch):
    """A primitive added anywhere in minidl fails here until a case reaches each of its rules."""
    reached = set()

    def counted(key, rule):
        @functools.wraps(rule)
        def call(*args, **kwargs):
            reached.add(key)
            return rule(*args, **kwargs)
        return call

    expected = set()
    for name, op in primitives().items():
        if not op.differentiable:
            continue
        assert op.__name__ not in CONSTANTS, f"{name} has rules, so it is no constant: {WHERE}"
        keys = [(name, i) for i in sorted(op.array_arguments)]
        rules = list(op.rules)
        for key in keys:
            rules[key[1]] = counted(key, rules[key[1]])
        monkeypatch.setattr(op, "rules", rules)
        for other in ("joint", "into"):
            if getattr(op, other):
                keys.append((name, other))
                monkeypatch.setattr(op, other, counted((name, other), getattr(op, other)))
        expected.update(keys)
    for case in (case for cases in CASES.values() for case in cases):
        for f, inputs in drawn(case, 12):
            run(f, inputs, "float64")
            leaves = [md.Tensor(x, requires_grad=True) for x in inputs]
            md.sum(md.square(f(*leaves))).backward(create_graph=True)       # rules that only rules call: `_scattered`
            sum(md.sum(x.grad * x.grad) for x in leaves if x.grad is not None).backward()
    missing = sorted({f"{name}, rule {rule}" for name, rule in expected - reached})
    assert not missing, f"no case reaches {missing}: {WHERE}"


def test_every_primitive_without_rules_is_listed_as_a_constant():
    constants = {op.__name__ for op in primitives().values() if not op.differentiable}
    assert constants - CONSTANTS == set(), f"no gradient rules: give them, or {WHERE}"
    assert CONSTANTS - constants == set(), "listed as constants in tests/ops/cases.py, but there are no such primitives"


@pytest.mark.parametrize("name", sorted(name for name in CONSTANTS if not name.startswith("_")))
def test_constants_are_numpys_and_require_no_gradient(name):
    op, reference = getattr(ops, name), getattr(np, name)
    x = np.array([[1.0, -2.0, 3.0], [0.0, 5.0, 3.0]])
    if name in {"bitwise_and", "bitwise_or", "bitwise_xor", "invert"}:
        x = x > 1.0
    args = [x] if len(inspect.signature(op).parameters) != 2 or name.startswith("arg") else [x, x[:, ::-1].copy()]
    y = op(*(md.Tensor(a, requires_grad=a.dtype != bool) for a in args))
    assert not y.requires_grad
    np.testing.assert_array_equal(y.numpy(), reference(*args))
    assert y.dtype == np.asarray(reference(*args)).dtype


# What each operation must keep --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", TABLE)
def test_gradients_are_right_to_second_order(case):
    for f, inputs in drawn(case, 12):
        md.gradcheck(f, *inputs, directions=1)


@pytest.mark.parametrize("case", TABLE)
def test_float32_stays_float32_and_is_near_float64(case):
    for f, inputs in drawn(case, 6):
        y64, grads64, _ = run(f, inputs, "float64")
        y32, grads32, _ = run(f, inputs, "float32")
        for a32, a64 in zip([y32, *grads32], [y64, *grads64], strict=True):
            if a64 is not None:
                assert a32.dtype == np.float32 and a64.dtype == np.float64 and a32.shape == a64.shape
                np.testing.assert_allclose(a32, a64, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("case", TABLE)
def test_second_order_of_float32_stays_float32(case):
    for f, inputs in drawn(case, 6):
        leaves = [md.Tensor(x.astype("float32"), requires_grad=True) for x in inputs]
        y = md.sum(f(*leaves))
        y.backward(create_graph=True)
        total = md.sum(leaves[0] * 0.0)
        for x in leaves:
            if x.grad is not None:
                assert x.grad.dtype == np.float32
                total = total + md.sum(x.grad * x.grad)
        for g in md.grad(total, leaves[:1]):
            assert g.dtype == np.float32 and np.isfinite(g.numpy()).all()


@pytest.mark.parametrize("case", TABLE)
def test_gradients_are_contiguous_writable_and_shared_with_nobody(case):
    for f, inputs in drawn(case, 6):
        leaves = [md.Tensor(x, requires_grad=True) for x in inputs]
        y = f(*leaves)
        seed = np.ones(y.shape)
        y.backward(seed)
        grads = [x.grad.data for x in leaves if x.grad is not None]
        assert grads
        for i, g in enumerate(grads):
            assert g.flags.c_contiguous and g.flags.writeable
            for other in [seed, y.data, *(x.data for x in leaves), *grads[:i]]:
                assert not np.shares_memory(g, other)


@pytest.mark.parametrize("case", TABLE)
def test_the_stand_in_device_equals_numpy_exactly(case):
    for f, inputs in drawn(case, 6):
        device, weights = install(), None
        if any(case in CASES[name] for name in REORDERED):
            inputs = [np.round(x * 4) / 4 for x in inputs]
            weights = np.round(np.random.default_rng(0).standard_normal(f(*inputs).shape) * 4) / 4
        here, there = (run(f, inputs, "float32", where, weights) for where in ("cpu", device))
        np.testing.assert_array_equal(there[0], here[0])
        for a, b in zip(there[1], here[1], strict=True):
            np.testing.assert_array_equal(a, b)
        for x in there[2]:
            assert x.grad is None or x.grad.device == device


@pytest.mark.parametrize("case", TABLE)
def test_called_with_arrays_it_returns_the_same_array(case):
    for f, inputs in drawn(case, 4):
        expected = f(*map(md.Tensor, inputs)).numpy()
        y = f(*inputs)
        assert isinstance(y, np.ndarray | np.generic)
        np.testing.assert_array_equal(y, expected)
