"""A Tensor feels like an array: printing, conversion, copies, operators, NumPy's own functions."""
import copy
import operator
import pickle

import numpy as np
import pytest

import minidl as md
from minidl import InputError, Parameter, Tensor
from tests.standin.device import counting, install

A = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], np.float32)


def leaf(values=A, dtype="float32"):
    return Tensor(np.array(values, dtype=dtype), requires_grad=True)


def same(t, array):
    assert isinstance(t, Tensor)
    np.testing.assert_array_equal(t.numpy(), array)
    assert t.dtype == np.asarray(array).dtype and t.shape == np.asarray(array).shape


# Facts --------------------------------------------------------------------------------------------------------------


def test_facts_are_the_arrays():
    x = leaf()
    assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 3), 2, 6, 2, np.float32)
    assert x.device == "cpu" == str(x.device.name)
    same(x.T, A.T)
    with pytest.raises(TypeError, match="no length"):
        len(Tensor(1.0))


def test_repr_shows_values_and_what_is_special():
    assert repr(Tensor([1.0, 2.5])) == "Tensor([1. , 2.5])"
    assert repr(leaf([1.0])) == "Tensor([1.], requires_grad=True)"
    assert repr(Parameter([1.0])) == "Parameter([1.], requires_grad=True)"
    assert repr(Tensor(np.arange(2))) == "Tensor([0, 1], dtype=int64)"
    assert repr(Tensor(np.zeros(1))) == "Tensor([0.], dtype=float64)"
    assert repr(md.exp(leaf([0.0]))) == "Tensor([1.], made by exp)"
    assert repr(Tensor([1.0], device=install())) == "Tensor([1.], device='standin')"
    assert repr(Tensor(2.0)) == "Tensor(2.)"


def test_repr_of_a_large_tensor_is_short_and_gives_its_shape():
    text = repr(Tensor(np.zeros((1000, 28, 28), np.float32)))
    assert "shape=(1000, 28, 28)" in text and "..." in text and len(text) < 1000


def test_rows_are_printed_below_each_other():
    first, second = repr(Tensor(A)).splitlines()
    assert first.index("[ 1.") == second.index("[ 4.")


def test_a_freed_tensor_still_prints():
    y = md.sum(leaf())
    y.backward()
    assert "requires_grad=True" in repr(y)


def test_a_number_is_formatted():
    assert f"{md.sum(leaf()):.2f}" == "5.00" and f"{Tensor([1.0])}" == "Tensor([1.])"


# Conversion ---------------------------------------------------------------------------------------------------------


def test_item_float_int_bool():
    assert Tensor([[2.5]]).item() == 2.5 and type(Tensor(2.5).item()) is float
    assert float(Tensor([2.5])) == 2.5 and int(Tensor([2.5])) == 2 and bool(Tensor(1.0)) and not bool(Tensor([0.0]))
    with pytest.raises(InputError, match=r"shape \(2, 3\); only one element is a number"):
        leaf().item()


def test_the_truth_of_many_elements_is_ambiguous():
    with pytest.raises(InputError, match=r"truth of a tensor of shape \(2, 3\) is ambiguous; use .any\(\) or .all\(\)"):
        bool(leaf() > 0)
    with pytest.raises(InputError, match="ambiguous"):
        if leaf() == leaf():
            pass


def test_numpy_shares_memory_and_asarray_too():
    x = leaf().detach()
    assert x.numpy() is x.data
    assert np.shares_memory(np.asarray(x), x.data)
    assert not np.shares_memory(np.array(x), x.data)
    assert np.asarray(x, dtype="float64").dtype == np.float64
    with pytest.raises(ValueError):
        np.asarray(x, dtype="float64", copy=False)


def test_conversion_to_numpy_from_a_device_is_explicit():
    x = Tensor(A, device=install())
    np.testing.assert_array_equal(x.numpy(), A)
    with pytest.raises(TypeError, match=r"'standin'; ask for its values with .numpy\(\)"):
        np.asarray(x)


def test_to_moves_and_gradients_find_their_way_back():
    device, x = install(), leaf()
    y = x.to(device) * 2.0
    assert y.device == device and x.to("cpu").data is x.data
    md.sum(y).backward()
    assert x.grad.device == "cpu"
    np.testing.assert_array_equal(x.grad.numpy(), np.full((2, 3), 2.0))
    with counting() as c:
        Tensor(A, device=device).to(device)
    assert c.transfers == 1


def test_the_gradient_of_astype_comes_back_in_the_original_dtype():
    x = leaf()
    y = x.astype("float64")
    assert y.dtype == np.float64
    md.sum(y * y).backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad.numpy(), 2 * A)


# Copies -------------------------------------------------------------------------------------------------------------


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("make", [
    leaf, lambda: Parameter(A, name="W"), lambda: Tensor(np.arange(3)), lambda: md.exp(leaf()),
    lambda: leaf(A, "float64"), lambda: Parameter(A, requires_grad=False), lambda: Tensor(A, device=install())],
    ids=["leaf", "parameter", "integers", "result", "float64", "frozen parameter", "on a device"])
def test_copies_are_leaves_of_the_same_kind_values_and_settings(way, make):
    x = make()
    y = COPIES[way](x)
    assert type(y) is type(x) and y.recipe is None and y.grad is None
    assert (y.requires_grad, y.name, y.dtype, y.device) == (x.requires_grad, x.name, x.dtype, x.device)
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    assert (y.data is x.data) == (way == "copy")


def test_deepcopy_and_pickle_keep_sharing():
    x = leaf()
    for way in ("deepcopy", "pickle"):
        a, b = COPIES[way]([x, x])
        assert a is b


# Containers ---------------------------------------------------------------------------------------------------------


def test_iteration_gives_rows_with_gradients():
    x = leaf()
    rows = list(x)
    assert len(rows) == 2
    same(rows[1], A[1])
    md.sum(rows[1] * 2.0).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[0, 0, 0], [2, 2, 2]])
    a, b = x
    same(a, A[0])


def test_in_looks_at_the_values():
    x = leaf()
    assert 3.0 in x and 7.0 not in x and Tensor(3.0) in x and np.float32(-6) in x


def test_the_hash_is_the_identity_and_serves_in_dictionaries_and_sets():
    x, y = leaf(), leaf()
    names = {x: "x", y: "y"}
    assert names[x] == "x" and names[y] == "y" and len({x, y, x}) == 2 and hash(x) != hash(y)


def test_setitem_raises_a_sentence():
    with pytest.raises(TypeError, match=r"not changed in place.*md.where or md.scatter_add.*x.data\[\.\.\.\]"):
        leaf()[0] = 1.0


def test_in_place_operators_make_a_new_tensor():
    x = y = leaf()
    y += 1.0
    y *= 2.0
    assert y is not x
    same(x, A)
    same(y, (A + 1) * 2)


@pytest.mark.parametrize("key", [
    0, -1, (1, 2), slice(1), (slice(None), -1), None, ..., (..., 0), [1, 0, 1], np.array([1, 0]),
    np.array([True, False]), A > 0, (np.array([0, 1]), np.array([2, 0])), ([0, 1], slice(None, None, 2)), np.int64(1),
    np.array([], int)], ids=str)
def test_indexing_is_numpys(key):
    same(leaf()[key], A[key])


def test_tensors_are_keys():
    x = leaf()
    same(x[Tensor(np.array([1, 1]))], A[[1, 1]])
    same(x[x > 0.0], A[A > 0])
    same(x[:, Tensor(np.array([2]))], A[:, [2]])


# Operators ----------------------------------------------------------------------------------------------------------


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
OTHERS = [2.0, 3, np.float32(2), np.array([1.0, 2.0, 0.5], np.float32), np.array([[2.0], [3.0]], np.float32)]


@pytest.mark.parametrize("other", OTHERS, ids=["float", "int", "scalar", "row", "column"])
@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_every_operator_works_from_both_sides_with_numbers_arrays_and_tensors(op, other):
    positive = np.abs(A)
    x = leaf(positive)
    for given in (other, Tensor(other) if isinstance(other, np.ndarray) else other):
        for left, right, expected in [(x, given, op(positive, other)), (given, x, op(other, positive))]:
            y = op(left, right)
            assert isinstance(y, Tensor) and y.requires_grad and y.dtype == np.float32
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)
            x.grad = None
            md.sum(y).backward()
            assert x.grad.dtype == np.float32 and np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow])
def test_lists_stand_on_either_side(op):
    x = leaf([1.0, 2.0])
    np.testing.assert_allclose(op(x, [3.0, 2.0]).numpy(), op(np.array([1.0, 2.0]), [3.0, 2.0]))
    np.testing.assert_allclose(op([3.0, 2.0], x).numpy(), op([3.0, 2.0], np.array([1.0, 2.0])))


@pytest.mark.parametrize("op", COMPARISONS, ids=lambda op: op.__name__)
def test_comparisons_are_elementwise_tensors_of_truth_values(op):
    x = leaf()
    for other in (1.0, A[0], Tensor(A[:, ::-1].copy())):
        array = other.data if isinstance(other, Tensor) else other
        same(op(x, other), op(A, array))
        same(op(other, x), op(array, A))
        assert not op(x, other).requires_grad


def test_matmul_from_both_sides():
    x = leaf()
    np.testing.assert_allclose((x @ A.T).numpy(), A @ A.T)
    np.testing.assert_allclose((A.T @ x).numpy(), A.T @ A)
    np.testing.assert_allclose((x @ Tensor(A[0])).numpy(), A @ A[0])
    md.sum(A.T @ x).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.broadcast_to(A.sum(1)[:, None], (2, 3)))


def test_unary_operators():
    x = leaf()
    same(-x, -A)
    same(abs(x), abs(A))
    assert +x is x


@pytest.mark.parametrize("call", [
    lambda x: x.reshape(3, 2), lambda x: x.reshape((3, -1)), lambda x: x.reshape([6]), lambda x: x.reshape(-1),
    lambda x: x.transpose(), lambda x: x.transpose(1, 0), lambda x: x.transpose((1, 0)), lambda x: x.swapaxes(0, 1),
    lambda x: x.flatten(), lambda x: x.sum(), lambda x: x.sum(0), lambda x: x.sum(axis=1, keepdims=True),
    lambda x: x.max(axis=0), lambda x: x.min(), lambda x: x.prod(axis=-1), lambda x: x.cumsum(1), lambda x: x.cumsum(),
    lambda x: x.argmax(1), lambda x: x.argmin(), lambda x: x.clip(-1, 2), lambda x: x.clip(None, 0.0),
    lambda x: x[:, :1].squeeze(), lambda x: x[:, :1].squeeze(1), lambda x: x.T, lambda x: x.ravel(),
    lambda x: x.any(), lambda x: x.all(axis=1), lambda x: x.argsort(), lambda x: x.argsort(axis=None),
    lambda x: x.cumprod(1), lambda x: x.round(), lambda x: x.diagonal(1), lambda x: x.dot(A.T)])
def test_methods_are_numpys(call):
    same(call(leaf()), np.asarray(call(A)))


@pytest.mark.parametrize("call", [
    lambda x: x.mean(), lambda x: x.mean(axis=0), lambda x: x.var(), lambda x: x.var(1, ddof=1), lambda x: x.std(),
    lambda x: x.std(axis=0, ddof=1, keepdims=True)])
def test_statistics_are_numpys(call):
    np.testing.assert_allclose(call(leaf()).numpy(), call(A), rtol=1e-6)


@pytest.mark.parametrize("name", ["exp", "tanh", "log", "sqrt"])
def test_elementwise_methods_are_numpys(name):
    np.testing.assert_allclose(getattr(leaf(np.abs(A)), name)().numpy(), getattr(np, name)(np.abs(A)), rtol=1e-6)


def test_flatten_keeps_the_batch():
    assert leaf(np.zeros((5, 2, 3))).flatten(1).shape == (5, 6)


# NumPy's functions --------------------------------------------------------------------------------------------------


def row(x):
    return A[0].astype(x.dtype)


NUMPYS = {
    "exp": lambda x: np.exp(x),
    "tanh": lambda x: np.tanh(x),
    "abs": lambda x: np.abs(x),
    "absolute": lambda x: np.absolute(x),
    "square": lambda x: np.square(x),
    "sign": lambda x: np.sign(x) * x,
    "negative": lambda x: np.negative(x),
    "add": lambda x: np.add(row(x), x),
    "subtract": lambda x: np.subtract(x, row(x)),
    "divide": lambda x: np.divide(row(x), x),
    "true_divide": lambda x: np.true_divide(x, 2.0),
    "matmul": lambda x: np.matmul(row(x), x.T),
    "maximum": lambda x: np.maximum(x, 0.5),
    "power": lambda x: np.power(x, 2),
    "concatenate": lambda x: np.concatenate([x, x], axis=1),
    "stack": lambda x: np.stack([x, x]),
    "split": lambda x: np.split(x, 3, axis=1)[1],
    "mean": lambda x: np.mean(x, axis=0),
    "sum": lambda x: np.sum(x, axis=1, keepdims=True),
    "sum of all": lambda x: np.sum(x),
    "max": lambda x: np.max(x, axis=1),
    "amax": lambda x: np.amax(x),
    "amin": lambda x: np.amin(x, 0),
    "var": lambda x: np.var(x, axis=0, ddof=1),
    "std": lambda x: np.std(x),
    "prod": lambda x: np.prod(x),
    "where": lambda x: np.where(A > 0, x, 0.0),
    "clip": lambda x: np.clip(x, -1.5, 2.5),
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "transpose": lambda x: np.transpose(x, (1, 0)),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "squeeze": lambda x: np.squeeze(x[:1]),
    "flip": lambda x: np.flip(x, 1),
    "roll": lambda x: np.roll(x, 1),
    "tile": lambda x: np.tile(x, (2, 1)),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "pad": lambda x: np.pad(x, 1),
    "cumsum": lambda x: np.cumsum(x, 1),
    "take": lambda x: np.take(x, [0, 2], 1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [1]]), 1),
    "einsum": lambda x: np.einsum("ij,j->i", x, row(x)),
    "outer": lambda x: np.outer(x, row(x)),
    "broadcast_to": lambda x: np.broadcast_to(x, (4, 2, 3)),
    "norm": lambda x: np.linalg.norm(x, axis=1),
    "arctan2": lambda x: np.arctan2(row(x), x),
    "mod": lambda x: np.mod(x, 2.3) * x,
    "floor": lambda x: np.floor(x + 0.5) * x,
    "around": lambda x: np.around(x, 1) * x,
    "logaddexp": lambda x: np.logaddexp(x, row(x)),
    "hypot": lambda x: np.hypot(x, 2.0),
    "cumprod": lambda x: np.cumprod(x, axis=1),
    "sort": lambda x: np.sort(x, axis=0),
    "tril": lambda x: np.tril(x),
    "diagonal": lambda x: np.diagonal(x, 1),
    "trace": lambda x: np.trace(x),
    "dot": lambda x: np.dot(row(x), x.T),
    "tensordot": lambda x: np.tensordot(x, row(x), 1),
    "vstack": lambda x: np.vstack([row(x), x]),
    "hstack": lambda x: np.hstack((x, x)),
    "ravel": lambda x: np.ravel(x),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "pad with a mode": lambda x: np.pad(x, 1, mode="reflect"),
}


@pytest.mark.parametrize("name", NUMPYS)
def test_numpys_functions_take_tensors_and_are_differentiable(name):
    f = NUMPYS[name]
    y = f(leaf())
    expected = f(A)
    assert isinstance(y, Tensor) and y.requires_grad and y.shape == np.shape(expected)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5)
    md.gradcheck(f, A, order=1)


def test_numpys_facts_know_tensors():
    x = leaf()
    assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 0), np.size(x, axis=1)) == ((2, 3), 2, 6, 2, 3)
    same(np.argmax(x, axis=1), np.argmax(A, axis=1))
    same(np.isfinite(x), np.isfinite(A))
    same(np.less(A, x), np.less(A, A))


@pytest.mark.parametrize("call", [
    lambda x: np.partition(x, 1), lambda x: np.median(x), lambda x: np.arctan(x), lambda x: np.linalg.svd(x),
    lambda x: np.heaviside(x, x), lambda x: np.unique(x)])
def test_unknown_functions_of_numpy_say_what_to_do(call):
    with pytest.raises(TypeError, match=r"np\.\w+ has no counterpart for Tensors; .*x\.numpy\(\)"):
        call(leaf())


@pytest.mark.parametrize("call", [
    lambda x: np.add(x, x, out=np.zeros((2, 3))), lambda x: np.add.reduce(x), lambda x: np.multiply.outer(x, x)])
def test_forms_of_ufuncs_that_tensors_lack_say_what_to_do(call):
    with pytest.raises(TypeError, match=r"x\.numpy\(\)"):
        call(leaf())


@pytest.mark.parametrize("call", [
    lambda x: np.linalg.norm(x, 1), lambda x: np.linalg.norm(x, ord=1), lambda x: np.linalg.norm(x, np.inf),
    lambda x: np.pad(x, 1, "linear_ramp"), lambda x: np.pad(x, 1, "reflect", reflect_type="odd"),
    lambda x: np.sum(x, dtype="float64"), lambda x: np.mean(x, 0, "float64"), lambda x: np.sum(x, where=A > 0),
    lambda x: np.exp(x, where=A > 0)])
def test_arguments_of_numpys_that_mean_something_else_are_refused(call):
    with pytest.raises((TypeError, InputError)):
        call(leaf())
