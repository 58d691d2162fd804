"""What counts as data: one door for estimators, indices and operands; what cannot pass gets a sentence."""
import operator

import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor
from minidl.linear import PCA, KMeans, LogisticPCA, MiniBatchKMeans, Whitening, principal_angles
from minidl.metrics import (
    EuclideanIndex,
    classical_mds,
    distances,
    geodesic_distances,
    hits,
    nearest_neighbours,
    pack_bits,
    precision_by_class,
    raw_length,
    squared_error,
    trustworthiness,
)

ROWS = np.random.default_rng(0).random((12, 3)).astype(np.float32)


class Frame:
    """Numbers with `__array__` and little else, as a data frame or another library's tensor."""

    def __init__(self, data):
        self.array = data

    def __array__(self, dtype=None, copy=None):
        if isinstance(self.array, Exception):
            raise self.array
        return np.asarray(self.array, dtype)


class Sparse:
    """As SciPy's sparse matrices: NumPy would make an object of it."""

    def __init__(self, data):
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim

    def toarray(self):
        raise AssertionError("not asked for")


def matrix(x):
    """As SciPy's `todense` has it; np.matrix itself warns."""
    return x.view(np.matrix)


def mapped(array, folder):
    file = np.memmap(folder / "rows", array.dtype, "w+", shape=array.shape)
    file[:] = array
    return file


TAKEN = {"matrix": matrix, "masked array without a mask": np.ma.array, "data frame": Frame,
         "list": np.ndarray.tolist, "Tensor": Tensor, "Fortran order": np.asfortranarray,
         "other order of bytes": lambda x: x.astype(x.dtype.newbyteorder()),
         "every second row of twice as many": lambda x: np.repeat(x, 2, 0)[::2]}

# What each makes of rows; where it learns, the result is a number that depends on all of them.
ENTRIES = {
    "PCA": lambda x: PCA(2).fit(x).components_, "PCA.encode": lambda x: PCA(2).fit(ROWS).encode(x),
    "PCA.decode": lambda x: PCA(3).fit(ROWS).decode(x), "Whitening": lambda x: Whitening().fit(x).matrix_,
    "Whitening.encode": lambda x: Whitening().fit(ROWS).encode(x),
    "KMeans": lambda x: KMeans(3).fit(x).cluster_centers_, "KMeans.encode": lambda x: KMeans(3).fit(ROWS).encode(x),
    "KMeans: init": lambda x: KMeans(12, init=x).fit(ROWS).cluster_centers_,
    "MiniBatchKMeans": lambda x: MiniBatchKMeans(3).fit(x).cluster_centers_,
    "LogisticPCA": lambda x: LogisticPCA(1, max_iter=2).fit(x).components_,
    "LogisticPCA.encode": lambda x: LogisticPCA(1, max_iter=2).fit(ROWS).encode(x),
    "EuclideanIndex": lambda x: EuclideanIndex(x).search(ROWS, 2)[0],
    "EuclideanIndex.search": lambda x: EuclideanIndex(ROWS).search(x, 2)[0],
    "distances": distances}


@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("entry", ENTRIES)
def test_what_numpy_can_read_is_taken_as_the_array_that_it_is(entry, kind):
    found, expected = ENTRIES[entry](TAKEN[kind](ROWS)), ENTRIES[entry](ROWS)
    found = found.numpy() if isinstance(found, Tensor) else found
    assert type(found) is np.ndarray and found.dtype == expected.dtype
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("x, sentence", [
    (np.ma.array(ROWS, mask=ROWS > 0.9), "values are masked"), (Sparse(ROWS), r"sparse Sparse.*\.toarray\(\)"),
    (Frame(RuntimeError("it requires grad. Use detach()")), r"cannot be read as an array.*Use detach\(\)"),
    (Frame(TypeError("it lies on cuda:0")), "on cuda:0"), (ROWS + 1j, "real numbers, not complex"),
    (ROWS.astype(str), "real numbers, not <U"), (ROWS.astype(object), "not object; convert them"),
    (Frame(ROWS.astype(object)), "not object"), (np.zeros((12, 3), "M8[s]"), "not datetime64"),
    ([[1, 2], [3]], "cannot be read"), ([Tensor(ROWS[0])] * 12, "md.stack"), (None, "real numbers"),
    ({}, "real numbers")])
@pytest.mark.parametrize("entry", ENTRIES)
def test_what_is_no_table_of_real_numbers_gets_a_sentence(entry, x, sentence):
    with pytest.raises(InputError, match=sentence):
        ENTRIES[entry](x)


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry != "PCA.decode"])
def test_a_missing_or_infinite_value_gets_a_sentence(entry, hole):
    with pytest.raises(InputError, match="finite"):
        ENTRIES[entry](np.where(np.arange(36).reshape(12, 3) == 7, np.float32(hole), ROWS))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "uint64", ">i4", ">i8", "f8", ">f8", "longdouble"])
def test_numbers_beyond_2_to_the_24_keep_their_digits(dtype):
    x = (20_000_000 + np.random.default_rng(0).integers(0, 3, (500, 3))).astype(dtype)
    exact = x.astype(float)
    assert np.allclose(PCA(2).fit(x).explained_variance_, np.linalg.eigvalsh(np.cov(exact.T))[:0:-1])
    assert np.array_equal(np.sort(KMeans(3).fit(x[:, :1]).cluster_centers_[:, 0]), 20_000_000.0 + np.arange(3))
    found, rows = nearest_neighbours((20_000_000 + np.arange(4)[:, None]).astype(dtype),
                                     np.array([[20_000_001]], dtype), 2)
    assert found.tolist() == [[0, 1]] and rows.tolist() == [[1, 0]]
    assert np.allclose(np.cov(Whitening().fit(x).encode(x).T), np.eye(3))


def test_times_in_a_list_have_the_variance_that_they_have():
    variance = PCA(1).fit([[1_700_000_000], [1_700_000_060], [1_700_000_030]]).explained_variance_
    assert variance == pytest.approx([900], rel=1e-12)


@pytest.mark.parametrize("x, dtype", [
    (np.array([[1], [2**24]]), "float32"), (np.array([[1], [2**24 + 1]]), "float64"),
    (np.array([[-2**40], [2]]), "float64"),
    (np.array([[1], [250]], np.uint8), "float32"), (np.array([[True], [False]]), "float32"),
    (np.array([[1], [2]], np.float16), "float32"), (np.array([[1], [2]], ">f4"), "float32"),
    ([[1.5], [2.5]], "float32"), ([[1.5], [2.0**25]], "float64"), (np.array([[1], [2**63]], np.uint64), "float64")])
def test_float32_serves_where_it_has_room(x, dtype):
    assert PCA(1).fit(x).mean_.dtype == KMeans(2).fit(x).cluster_centers_.dtype == dtype
    assert EuclideanIndex(x).search(x, 1)[0].dtype == dtype


def test_labels_and_codes_of_other_kinds():
    km = KMeans(3).fit(ROWS)
    assert np.array_equal(km.decode(Frame(np.array([2, 0]))), km.cluster_centers_[[2, 0]])
    with pytest.raises(InputError, match="KMeans.decode: 1 of these values are masked"):
        km.decode(np.ma.array([0, 1], mask=[0, 1]))
    assert np.array_equal(pack_bits(matrix(np.array([[1, 0]]))), pack_bits([[1, 0]]))
    assert hits([[0, 1]], [3, 4], [4]).tolist() == [[False, True]]
    assert raw_length([[0.0, 1.0]], levels=2).total == 2
    assert np.allclose(principal_angles(np.array([[1, 0, 0]]), [[1, 1, 0]]), 45)
    assert precision_by_class([[0], [1]], [0.2, 0.7], np.array([0.2, 0.9])) == {0.2: 1.0, 0.9: 0.0}
    assert precision_by_class([[0], [1]], [1, 2], [1, 2]) == {1: 1.0, 2: 1.0}


@pytest.mark.parametrize("call", [
    lambda: PCA(2, power_iterations=1.5), lambda: PCA(True), lambda: KMeans(3, tol="0"), lambda: KMeans(3, tol=np.inf),
    lambda: Whitening(eps=None), lambda: LogisticPCA(1, ridge="1"), lambda: LogisticPCA(1, tol=np.nan),
    lambda: PCA(2).fit(ROWS).sample(2.5, 0), lambda: KMeans(2).fit(ROWS).sample(-1, 0),
    lambda: LogisticPCA(1, max_iter=1).fit(ROWS).sample("3", 0), lambda: nearest_neighbours(ROWS, ROWS, 2.5),
    lambda: nearest_neighbours(ROWS, ROWS, True), lambda: geodesic_distances(ROWS, neighbors=2.5),
    lambda: classical_mds(distances(ROWS), 1.5), lambda: trustworthiness(ROWS, ROWS, neighbors="5"),
    lambda: squared_error([[1.0]], [[1.0], [2.0]])])
def test_an_argument_that_is_no_such_number_gets_a_sentence(call):
    with pytest.raises(InputError):
        call()


# Operands -------------------------------------------------------------------------------------------------------------

MATRIX = np.array([[1, 2], [3, 4]], np.float32)


# A masked array computes itself with whatever stands on its right, and so does a matrix's power.
OPERANDS = [(kind, left, op) for kind in (matrix, Frame, np.ma.array, np.ndarray.tolist) for left in (False, True)
            for op in (operator.mul, operator.add, operator.truediv, operator.pow)
            if not left or kind is not np.ma.array and (kind, op) != (matrix, operator.pow)]


@pytest.mark.parametrize("kind, left, op", OPERANDS)
def test_an_operand_of_another_kind_counts_as_the_array_that_it_is(kind, left, op):
    x, plain = (Tensor(MATRIX.T + 1, requires_grad=True) for _ in range(2))
    y, expected = (op(other, t) if left else op(t, other) for t, other in ((x, kind(MATRIX)), (plain, MATRIX)))
    assert isinstance(y, Tensor) and y.dtype == np.float32 and np.array_equal(y.numpy(), expected.numpy())
    md.sum(y).backward()
    md.sum(expected).backward()
    assert x.grad.dtype == np.float32 and np.array_equal(x.grad.numpy(), plain.grad.numpy())


def test_an_array_of_another_dtype_is_never_mixed_silently(tmp_path):
    x = Tensor(MATRIX, requires_grad=True)
    wide = MATRIX.astype(float)
    for other in (matrix(wide), mapped(wide, tmp_path), np.ma.array(wide)):
        with pytest.raises(InputError, match="float32 and float64 are mixed"):
            x * other


def test_masked_values_are_never_used():
    x, holed = Tensor(MATRIX), np.ma.array(MATRIX, mask=MATRIX == 3)
    for call in (lambda: x + holed, lambda: md.sum(holed), lambda: Tensor(holed),
                 lambda: md.where(x > 2, x, holed)):
        with pytest.raises(InputError, match="1 of these values are masked"):
            call()
    y = holed + x                                          # this addition is NumPy's, and the mask is kept
    assert y.mask.tolist() == [[False, False], [True, False]] and y[0, 1] == 4
    with pytest.raises(InputError, match="constant of this tensor"):
        holed + Tensor(MATRIX, requires_grad=True)


def test_a_sparse_operand_gets_a_sentence():
    for call in (lambda x, s: x * s, lambda x, s: s + x, lambda x, s: md.matmul(x, s), lambda x, s: Tensor(s)):
        with pytest.raises(InputError, match=r"\.toarray\(\)"):
            call(Tensor(MATRIX), Sparse(MATRIX))


# Gradients that NumPy would lose --------------------------------------------------------------------------------------

LOSING = {"array": lambda x, y: np.array([x, y]), "r_": lambda x, y: np.r_[x, y], "c_": lambda x, y: np.c_[x, y],
          "mean of a list": lambda x, y: np.mean([x, y]), "sin of a list": lambda x, y: np.sin([x, y]),
          "norm of a list": lambda x, y: np.linalg.norm([x, y]), "asarray": lambda x, y: np.asarray(x),
          "float64": lambda x, y: np.asarray(x, float), "array * list": lambda x, y: np.ones(3, "f") * [x, y]}


@pytest.mark.parametrize("how", LOSING)
def test_numpy_makes_no_constant_of_a_tensor_that_needs_its_gradient(how):
    x, y = (md.Parameter(np.arange(3.0, dtype=np.float32)) for _ in "ab")
    for a, b in ((x, y), (x * 2.0, y), (Tensor(x.data), y) if how != "asarray" and how != "float64" else (x, x)):
        with pytest.raises(InputError, match=r"md.stack.*x.numpy\(\) or x.detach\(\)"):
            LOSING[how](a, b)


@pytest.mark.parametrize("how", LOSING)
def test_numpy_reads_constants_and_whatever_is_not_recorded(how):
    values = np.arange(3.0, dtype=np.float32)
    expected = LOSING[how](values, values)
    x = md.Parameter(values)
    assert np.array_equal(LOSING[how](Tensor(values), x.detach()), expected)
    assert np.array_equal(LOSING[how](x.numpy(), x.numpy()), expected)
    with md.no_grad():
        assert np.array_equal(LOSING[how](x, x), expected)
