"""Sorting, borders, triangles, diagonals, sums over named axes: NumPy's values and conventions."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor
from tests.ops.test_points import gradient
from tests.standin.device import install

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 4))
M = RNG.standard_normal((3, 5))
TIES = np.array([[2.0, 1.0, 2.0, np.nan, 1.0], [0.0, -0.0, 5.0, 5.0, -1.0]])


def same(f, *arrays, **kwargs):
    """Our operation and NumPy's function of the same name, called with Tensors, give NumPy's values."""
    expected = f(*arrays, **kwargs)
    for function in (f, getattr(md, f.__name__)):
        y = function(*(Tensor(a) if isinstance(a, np.ndarray) else a for a in arrays), **kwargs)
        assert isinstance(y, Tensor) and y.dtype == expected.dtype and y.shape == expected.shape
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_sorting_is_numpys_and_stable_with_nan_last(axis):
    for x in (TIES, X, np.array([[3, 1], [2, 2]])):
        same(np.sort, x, axis=axis)
        order = np.argsort(Tensor(x), axis=axis)
        np.testing.assert_array_equal(order.numpy(), np.argsort(x, axis=axis, kind="stable"))
        np.testing.assert_array_equal(md.argsort(Tensor(x, device=install()), axis).numpy(), order.numpy())
    assert np.sort(Tensor(TIES), kind="stable").shape == TIES.shape == np.sort(Tensor(TIES), stable=True).shape


def test_equal_elements_have_their_own_gradients():
    assert gradient(lambda x: md.sort(x) * np.array([1.0, 2.0, 3.0, 4.0]), [2.0, 1.0, 2.0, 1.0]) == [3, 1, 4, 2]


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("width", [1, (0, 2), ((2, 1), (0, 0), (1, 7)), 0, ((0, 0), (9, 12), (0, 0))], ids=str)
def test_borders_are_numpys_also_when_wider_than_the_array(mode, width):
    same(np.pad, X, width, mode=mode)
    same(np.pad, X[:, :1], width, mode=mode)


def test_a_border_adds_the_gradient_to_where_it_came_from():
    assert gradient(lambda x: md.pad(x, (2, 1), "reflect"), [1.0, 2.0, 3.0]) == [1, 3, 2]
    assert gradient(lambda x: md.pad(x, (2, 1), "edge"), [1.0, 2.0, 3.0]) == [3, 1, 2]
    assert gradient(lambda x: md.pad(x, (2, 1), "wrap"), [1.0, 2.0, 3.0]) == [2, 2, 2]


@pytest.mark.parametrize("k", [-6, -1, 0, 2, 6])
def test_triangles_and_diagonals_are_numpys(k):
    for f in (np.tril, np.triu):
        same(f, M, k)
        same(f, X, k=k)
    same(np.diag, M, k)
    same(np.diag, M[0], k)
    for x in (M, X):
        same(np.diagonal, x, k)
        same(np.trace, x, k)
    same(np.diagonal, X, k, -1, 0)
    same(np.trace, X, k, 1, 2)
    np.testing.assert_array_equal(np.linalg.diagonal(Tensor(X)).numpy(), np.linalg.diagonal(X))
    np.testing.assert_array_equal(np.linalg.trace(Tensor(X)).numpy(), np.linalg.trace(X))


def test_a_matrix_with_an_infinite_diagonal_is_0_elsewhere():
    assert md.diag(Tensor([np.inf, np.nan]))[0].numpy().tolist() == [np.inf, 0]


@pytest.mark.parametrize("a, b", [((3, 5), (5,)), ((5,), (5,)), ((3, 5), (5, 2)), ((2, 3, 5), (4, 5, 2)), ((), (3, 2)),
                                  ((5,), (4, 5, 2)), ((2, 3, 5), (5,))])
def test_dot_is_numpys(a, b):
    same(np.dot, RNG.standard_normal(a), RNG.standard_normal(b))


@pytest.mark.parametrize("a, b, axes", [
    ((2, 3, 4), (3, 4, 5), 2), ((2, 3), (3, 2), 1), ((2,), (3, 1), 0), ((2, 3, 4), (4, 2), ((0, -1), (1, 0))),
    ((2, 3), (4, 2), (0, 1)), ((2, 3), (4, 3), ([1], [1])), ((0, 3), (3, 2), 1), ((2, 0), (0, 3), 1)])
def test_tensordot_is_numpys(a, b, axes):
    same(np.tensordot, RNG.standard_normal(a), RNG.standard_normal(b), axes=axes)


@pytest.mark.parametrize("spec, shapes", [
    ("ii", [(4, 4)]), ("ii->i", [(4, 4)]), ("iij->ji", [(3, 3, 2)]), ("iii->i", [(3, 3, 3)]), ("ii,i", [(3, 3), (3,)]),
    ("...ij,...jk", [(2, 3, 4), (4, 5)]), ("...ij,...jk->...ik", [(7, 1, 3, 4), (2, 4, 5)]), ("i...->...", [(3, 2, 2)]),
    ("...,...", [(2, 1), (3,)]), ("...ii->...i", [(2, 3, 3)]), ("i...j->j...", [(3, 2, 4)]), ("...->...", [()]),
    ("b...,b...->b", [(2, 3), (2, 3)]), ("... i , i ->...", [(2, 3), (3,)]), ("zia,a", [(2, 3, 4), (4,)])])
def test_einsum_is_numpys_with_further_axes_and_repeated_letters(spec, shapes):
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    if spec == "b...,b...->b":                    # NumPy, too, wants them in the result
        with pytest.raises(InputError, match="the result needs the axes of '...' as well"):
            md.einsum(spec, *map(Tensor, arrays))
        return
    same(np.einsum, spec, *arrays)


@pytest.mark.parametrize("x", [X, M[0], np.array(2.0), np.zeros((0, 3))], ids=["cube", "vector", "number", "empty"])
def test_joining_and_moving_axes_are_numpys(x):
    same(np.ravel, x)
    assert Tensor(x).ravel().shape == (x.size,)
    for name in ("vstack", "hstack"):
        expected = getattr(np, name)([x, x])
        for f in (getattr(np, name), getattr(md, name)):
            np.testing.assert_array_equal(f([Tensor(x), Tensor(x)]).numpy(), expected)


@pytest.mark.parametrize("source, destination", [(0, -1), (-1, 0), ((0, 1), (2, 0)), ([2, 0], [0, 1]), (1, 1),
                                                 ((), ())])
def test_moveaxis_is_numpys(source, destination):
    same(np.moveaxis, X, source, destination)


@pytest.mark.parametrize("values", [[[2.0, 0.0, 3.0], [0.0, 0.0, 5.0]], [[1.0, -2.0, 3.0]], np.zeros((0, 3))], ids=str)
def test_running_products_are_numpys_also_of_zeros_and_small_integers(values):
    x = np.array(values)
    for axis in (None, 0, 1):
        same(np.cumprod, x, axis=axis)
        same(np.cumprod, (x * 50).astype(np.uint8), axis=axis)
        np.testing.assert_array_equal(Tensor(x).cumprod(axis).numpy(), np.cumprod(x, axis))
    same(np.cumprod, x > 0, axis=1)


def test_running_products_with_zeros_have_gradients_to_second_order():
    assert gradient(md.cumprod, [2.0, 0.0, 3.0]) == [1, 8, 0]
    assert gradient(md.cumprod, [0.0, 0.0, 3.0]) == [1, 0, 0]
    x = Tensor(np.array([0.0, 0.0, 3.0]), requires_grad=True)
    g = md.grad(md.cumprod(x)[2], x, create_graph=True)
    assert md.grad(g[0], x).numpy().tolist() == [0, 3, 0]


@pytest.mark.parametrize("name", ["cumprod", "diag", "diagonal", "dot", "hstack", "moveaxis", "ravel", "sort",
                                  "tensordot", "trace", "tril", "vstack"])
def test_lists_are_float32_arrays(name):
    more = {"moveaxis": (0, 1), "dot": ([1.0, 2.0],), "tensordot": ([1.0, 2.0], 1)}.get(name, ())
    y = getattr(md, name)([[3.0, 1.0], [2.0, 4.0]], *more)
    np.testing.assert_array_equal(y, getattr(np, name)([[3.0, 1.0], [2.0, 4.0]], *more))
    assert y.dtype == np.float32


@pytest.mark.parametrize("call, sentence", [
    (lambda x: md.sort(x, 2), "there is no axis 2 in an array of 2 axes"),
    (lambda x: md.argsort(md.sum(x)), "there is no axis -1 in an array of 0 axes"),
    (lambda x: md.cumprod(x, 2), "there is no axis 2"),
    (lambda x: md.pad(x, 1, "mirror"), "mode is one of 'constant', 'edge', 'reflect', .*, 'wrap', not 'mirror'"),
    (lambda x: md.pad(x, 1, 0.5), "not 0.5; a constant is given by name, constant_values=1.0"),
    (lambda x: md.pad(x, 1, "edge", constant_values=1.0), "constant_values belong to mode='constant', not to 'edge'"),
    (lambda x: md.pad(x[:0], 1, "wrap"), r"no elements along axis 0: its shape is \(0, 4\)"),
    (lambda x: md.diagonal(x, 0, 1, -1), "name one axis of 2 twice"),
    (lambda x: md.trace(x[0]), "there is no axis 1 in an array of 1 axes"),
    (lambda x: md.diag(x[None]), r"x has shape \(1, 3, 4\); a vector or a matrix will do"),
    (lambda x: md.moveaxis(x, (0, 0), (0, 1)), "name one axis of 2 twice"),
    (lambda x: md.moveaxis(x, 0, (0, 1)), "name a place for each axis"),
    (lambda x: md.tensordot(x, x, 1), r"a of shape \(3, 4\) over its axes \(1,\) does not fit b of shape \(3, 4\)"),
    (lambda x: md.tensordot(x, x, 3), "there is no axis -3"),
    (lambda x: md.dot(x, x), "inner sizes 4 and 3 differ"),
    (lambda x: md.einsum("ij->ijk", x), "those of the result occur in an operand"),
    (lambda x: md.einsum("ij->ii", x), "once in the result"),
    (lambda x: md.einsum("ij->...ij", x), "'...' is for further axes"),
    (lambda x: md.einsum("i.j", x), "each index is one letter"),
    (lambda x: md.einsum("ii", x), "i stands for 3 and for 4"),
    (lambda x: md.einsum("...ijk", x), "names 3 axes, the operand has shape"),
    (lambda x: md.einsum("...i,...i", x, x[:2]), "'...i,...i': ... stands for 3 and for 2"),
])
def test_what_does_not_fit_raises_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call(Tensor(np.zeros((3, 4), np.float32)))
