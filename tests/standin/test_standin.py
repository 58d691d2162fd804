"""The stand-in device keeps its promises: it computes as NumPy does, shares memory as CuPy does, and counts."""
from __future__ import annotations

import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidl.backend import BACKENDS, Device, backend_of
from minidl.randomness import RandomStream
from tests.standin import list_cupy_names
from tests.standin.device import Counters, Generator, StandIn, counters, counting, install, ndarray, xp
from tests.standin.rules import NAMES

HOST = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)


@pytest.fixture
def x() -> Any:
    return xp.asarray(HOST)


# As a device of minidl ------------------------------------------------------------------------------------------------


def test_installing_twice_gives_the_same_device() -> None:
    device = install()
    assert install() == device == Device("standin")
    assert sum(backend.name == "standin" for backend in BACKENDS.values()) == 1


def test_arrays_go_to_the_device_and_back_as_copies() -> None:
    host = HOST.copy()
    x = install().put(host)
    assert type(x) is ndarray and backend_of(x).xp is xp
    host[0, 0] = 100
    back = Device("cpu").put(x)
    np.testing.assert_array_equal(back, HOST)
    back[0, 0] = 100
    np.testing.assert_array_equal(x.get(), HOST)


def test_a_random_stream_draws_on_the_device(x: Any) -> None:
    install()
    y = RandomStream(0).normal((5,), like=x)
    assert type(y) is ndarray and y.dtype == np.float32
    np.testing.assert_array_equal(y.get(), RandomStream(0).normal((5,), like=x).get())


def test_scatter_add_adds_an_index_twice_that_occurs_twice(x: Any) -> None:
    expected = HOST.copy()
    np.add.at(expected, [0, 0, 2], HOST)
    StandIn().scatter_add(x, xp.asarray([0, 0, 2]), xp.asarray(HOST))
    np.testing.assert_array_equal(x.get(), expected)


# It computes as NumPy does --------------------------------------------------------------------------------------------

# Each is called with NumPy and with the stand-in; `a` is (3, 4), `i` three integers.
COMPUTATIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "arithmetic": lambda xp, a, i: (1.0 - a) * 2 / (a + 3) ** 2 // 1 % 3,
    "reflected": lambda xp, a, i: 2 ** a - 1 / (a - 7),
    "bits": lambda xp, a, i: (i & 1) | (i << 2) ^ ~i >> 1,
    "comparisons": lambda xp, a, i: (a > 0) & (a <= 1) | (a == a.T.T) & (a != 2),
    "products": lambda xp, a, i: xp.matmul(a, a.T) @ a + xp.dot(a, a.T) @ a,
    "int with float": lambda xp, a, i: i * a[:, :3],
    "float64 from integers": lambda xp, a, i: i / 2,
    "sum": lambda xp, a, i: a.sum(),
    "mean": lambda xp, a, i: a.mean(axis=0, keepdims=True),
    "deviation": lambda xp, a, i: xp.std(a, axis=(0, 1), ddof=1),
    "greatest": lambda xp, a, i: xp.max(a, axis=1) - a.min(),
    "where greatest": lambda xp, a, i: a.argmax(axis=1),
    "cumulated": lambda xp, a, i: xp.cumsum(a, axis=1, dtype="float64"),
    "elementwise": lambda xp, a, i: xp.log1p(xp.exp(xp.tanh(a))),
    "two results": lambda xp, a, i: xp.modf(a)[0] + divmod(a, 2)[1],
    "an element": lambda xp, a, i: a[1, 2],
    "a row": lambda xp, a, i: a[-1],
    "slices": lambda xp, a, i: a[::-1, None, 1:4:2],
    "index array": lambda xp, a, i: a[i],
    "index arrays": lambda xp, a, i: a[i[:, None], i],
    "index array and slice": lambda xp, a, i: a[:, i[:2]],
    "mask": lambda xp, a, i: a[a > 0],
    "where": lambda xp, a, i: xp.where(a > 0, a, 0.5),
    "nonzero": lambda xp, a, i: xp.stack(xp.nonzero(a > 0)),
    "take": lambda xp, a, i: xp.take_along_axis(a, xp.argsort(a, axis=1), 1),
    "einsum": lambda xp, a, i: xp.einsum("ij,kj->ik", a, a),
    "tensordot": lambda xp, a, i: xp.tensordot(a, a, axes=([1], [1])),
    "eigenvalues": lambda xp, a, i: xp.linalg.eigh(a @ a.T)[0],
    "norm": lambda xp, a, i: xp.linalg.norm(a, axis=1),
    "all equal": lambda xp, a, i: xp.array_equal(a, a),
    "joined": lambda xp, a, i: xp.concatenate([a, xp.zeros_like(a)], axis=1),
    "split": lambda xp, a, i: xp.split(a, 2, axis=1)[1],
    "padded": lambda xp, a, i: xp.pad(a, 1, mode="reflect"),
    "windows": lambda xp, a, i: xp.lib.stride_tricks.sliding_window_view(a, (2, 2)),
    "made": lambda xp, a, i: xp.arange(4, dtype=a.dtype) + xp.linspace(0.0, 1.0, 4) + xp.eye(4) + xp.full(4, 2.0),
    "converted": lambda xp, a, i: a.astype("float16").view("uint16"),
    "of numbers": lambda xp, a, i: xp.sqrt(2.0) + a,
    "random": lambda xp, a, i: xp.random.default_rng(3).standard_normal((2, 2), dtype="float32"),
    "out": lambda xp, a, i: xp.add(a, 1, out=xp.empty(a.shape, dtype=a.dtype)),
}


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_results_equal_numpys_bit_for_bit(name: str, x: Any) -> None:
    i = np.array([2, 0, 1])
    expected = np.asarray(COMPUTATIONS[name](np, HOST.copy(), i))
    result = COMPUTATIONS[name](xp, x, xp.asarray(i))
    assert type(result) is ndarray
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    assert result.get().tobytes() == expected.tobytes()


def test_an_operation_of_arrays_without_axes_gives_an_array(x: Any) -> None:
    total = x.sum()
    for result in (total, total + 1, -total, xp.exp(total), total.astype("float64"), x[0, 0], xp.allclose(x, x)):
        assert type(result) is ndarray and result.shape == ()


def test_python_numbers_are_weak_and_numpys_are_not(x: Any) -> None:
    assert (x * 2.0).dtype == (x.sum() * 2.0).dtype == np.float32
    assert (x * np.float64(2)).dtype == np.float64
    assert (np.float32(2) * x).dtype == np.float32


def test_in_place_operators_and_out_write_where_they_should(x: Any) -> None:
    before, total = x, x.sum()
    alias, expected = total, HOST.sum() + 1
    x *= 2
    total += 1
    assert x is before and total is alias and float(alias) == expected
    y = xp.empty_like(x)
    assert xp.exp(x, out=y) is y and x.sum(out=total) is total
    np.testing.assert_array_equal(y.get(), np.exp(HOST * 2))


def test_views_share_memory_and_say_whose_it_is(x: Any) -> None:
    views = [x.reshape(-1), x.T, x[1], x[1:, ::2], x[2, 3], x.ravel(), x.swapaxes(0, 1), xp.expand_dims(x, 0), x.mT]
    assert x.base is None
    for view in views:
        assert view.base is not None and xp.shares_memory(view, x)
    x[...] = 7.0
    assert all(bool((view == 7.0).all()) for view in views)
    assert x.flags.c_contiguous and x.flags["F_CONTIGUOUS"] is False and x.T.flags.f_contiguous


def test_what_needs_no_conversion_is_the_array_itself(x: Any) -> None:
    assert xp.asarray(x) is x and x.astype(x.dtype, copy=False) is x
    assert xp.array(x) is not x and not xp.shares_memory(xp.array(x), x)


def test_a_foreign_operand_on_the_right_answers_as_it_does_for_a_cupy_array(x: Any) -> None:
    class Reflected:
        __array_ufunc__ = None

        def __radd__(self, other: Any) -> str:
            return "reflected"

    class Dispatched:
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any) -> str:
            return f"dispatched {ufunc.__name__}"

    class Deaf:
        def __radd__(self, other: Any) -> str:
            return "never asked"

    assert x + Reflected() == "reflected"
    assert x / Dispatched() == "dispatched divide" and (x < Dispatched()) == "dispatched less"
    for mistake in (lambda: x + Deaf(), lambda: x == Dispatched(), lambda: x.__iadd__(Dispatched())):
        with pytest.raises(TypeError):
            mistake()


def test_arrays_are_pickled_by_way_of_the_host(x: Any) -> None:
    again = pickle.loads(pickle.dumps(x))
    assert type(again) is ndarray
    np.testing.assert_array_equal(again.get(), HOST)


# It counts ------------------------------------------------------------------------------------------------------------

WAITING: dict[str, Callable[[Any], Any]] = {
    "bool": lambda x: bool(x[0, 0] > 0),
    "if": lambda x: 1 if x.any() else 0,
    "float": lambda x: float(x.sum()),
    "int": lambda x: int(x.sum()),
    "item": lambda x: x.sum().item(),
    "get": lambda x: x.get(),
    "asnumpy": lambda x: xp.asnumpy(x),
    "tolist": lambda x: x.tolist(),
    "repr": lambda x: repr(x),
    "print": lambda x: f"{x}",
    "format": lambda x: f"{x.sum():.2f}",
    "nonzero": lambda x: x.nonzero(),
    "xp.nonzero": lambda x: xp.nonzero(x),
    "flatnonzero": lambda x: xp.flatnonzero(x),
    "where of a condition": lambda x: xp.where(x > 0),
    "unique": lambda x: xp.unique(x),
    "bincount": lambda x: xp.bincount((x > 0).astype("int32").ravel()),
    "mask": lambda x: x[x > 0],
    "mask assigned": lambda x: x.__setitem__(x > 0, 0.0),
    "mask added": lambda x: xp.add.at(x, x > 0, 1.0),
    "synchronize": lambda x: install().synchronize(),
}


@pytest.mark.parametrize("name", WAITING)
def test_each_wait_for_the_device_is_counted_once(name: str, x: Any) -> None:
    with counting() as c:
        WAITING[name](x)
    assert c.synchronisations == 1 == sum(c.waited_for.values())


def test_computing_without_looking_never_waits(x: Any) -> None:
    i, y = xp.asarray([0, 1, 2]), xp.ones((4, 5), dtype="float32")
    with counting() as c:
        h = xp.maximum(x @ y, 0)
        h -= h.max(axis=1, keepdims=True)
        loss = -xp.log(xp.exp(h).mean(axis=1))[i].sum()
        x[i] = xp.where(x > 0, x, loss)
        xp.add.at(x, (i, i), 1.0)
        Generator(0).random((3, 4), dtype=x.dtype)
        len(x), x.shape, x.T.reshape(-1), xp.count_nonzero(x), xp.allclose(x, x), xp.linalg.svd(x), list(x)
    assert (c.synchronisations, c.transfers) == (0, 0)


def test_transfers_are_counted_both_ways(x: Any) -> None:
    with counting() as c:
        y = StandIn().from_host(HOST)
    assert (c.transfers, c.synchronisations, c.launches) == (1, 0, 0)
    with counting() as c:
        StandIn().to_host(y)
    assert (c.transfers, c.synchronisations, c.launches) == (1, 1, 0)
    with counting() as c:
        xp.asarray([1.0, 2.0]), x[[0, 1]]
    assert c.transfers == 2


def test_calls_are_counted_as_launches_and_views_are_not(x: Any) -> None:
    with counting() as c:
        x.T, x[0], x[1, 2], x[::2], x.reshape(-1), xp.expand_dims(x, 0), xp.split(x, 3), xp.broadcast_to(x, (2, 3, 4))
        xp.empty(3), x.shape, xp.result_type(x, 1.0), xp.asarray(x)
    assert c.launches == 0
    for call in (lambda: x + 1, lambda: x.__iadd__(1), lambda: xp.exp(x), lambda: xp.exp(x, out=x), lambda: x.sum(),
                 lambda: xp.zeros(3), lambda: x.T.reshape(-1), lambda: x.copy(), lambda: xp.concatenate([x, x]),
                 lambda: x[xp.asarray([0])], lambda: x.__setitem__(0, 1.0), lambda: x.fill(0.0), lambda: x.clip(0, 1),
                 lambda: Generator(0).random(3), lambda: xp.linalg.norm(x), lambda: xp.add.at(x, 0, 1.0)):
        with counting() as c:
            call()
        assert c.launches == 1


def test_counts_nest_and_the_global_ones_can_be_reset(x: Any) -> None:
    counters.reset()
    with counting() as outer:
        x.sum()
        with counting() as inner:
            float(x.sum())
    x.sum()
    assert (inner.launches, outer.launches, counters.launches) == (1, 2, 3)
    assert outer.waited_for == inner.waited_for == {"float()": 1}
    assert StandIn().counters is counters
    counters.reset()
    assert counters == Counters()


# The committed list ---------------------------------------------------------------------------------------------------


def test_the_committed_list_is_what_the_installed_cupy_has() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed", exc_type=ImportError)
    versions = {"cupy": cupy.__version__, "numpy": np.__version__}
    if versions != NAMES["versions"]:
        pytest.skip(f"the list is of {NAMES['versions']}, installed is {versions}")
    assert list_cupy_names.list_names() == NAMES


def test_the_stand_in_has_no_name_that_cupy_lacks() -> None:
    operators = {"__array__", "__array_ufunc__", "__array_function__", "__array_priority__", "__contains__", "__copy__",
                 "__deepcopy__", "__reduce__", "__repr__", "__str__"}
    own = {name for name in vars(ndarray) if name not in vars(type("Plain", (), {"__slots__": ()}))}
    own -= operators | {"__getattr__", "__firstlineno__", "__static_attributes__", "__annotations__"}
    assert own - set(NAMES["ndarray"]) - set(NAMES["ndarray operators"]) - {"__hash__", "__init__"} == set()
    assert {name for name in vars(xp) if not name.startswith("_")} <= set(NAMES["cupy"])


def test_the_installed_cupy_treats_foreign_operands_as_the_stand_in_does() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed", exc_type=ImportError)

    class Dispatched:
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any) -> str:
            return f"dispatched {ufunc.__name__}"

    try:
        # An array over memory that is never touched: enough for the part of CuPy that decides who answers.
        memory = cupy.cuda.MemoryPointer(cupy.cuda.UnownedMemory(4096, 12, None, 0), 0)
        x = cupy.ndarray((3,), dtype="float32", memptr=memory)
    except Exception as error:
        pytest.skip(f"this CuPy makes no array here: {error}")
    ours = xp.zeros(3, dtype="float32")
    for name in ("add", "sub", "mul", "truediv", "pow", "matmul", "lt", "ge", "and_"):
        apply = getattr(operator, name)
        assert apply(x, Dispatched()) == apply(ours, Dispatched()), name
    for array in (x, ours):
        with pytest.raises(TypeError):
            hash(array)
        with pytest.raises(TypeError):
            round(array)
        with pytest.raises(TypeError):
            operator.index(array)
