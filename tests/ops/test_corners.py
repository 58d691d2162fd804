"""Where an operation's plain formula fails: tails, sums that overflow, whole numbers, rows of -inf, powers of 0."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, Tensor, nn


def test_sigmoid_is_right_in_its_lower_tail_and_bit_for_bit_by_tanh_above_it():
    x = np.linspace(-87.0, -8.01, 500)
    for shaped in (x, x.reshape(50, 10), np.asfortranarray(x.reshape(50, 10)), x[::-2]):
        shaped = shaped.astype(np.float32)
        np.testing.assert_allclose(md.sigmoid(shaped), 1 / (1 + np.exp(-shaped.astype(float))), rtol=3e-7)
    np.testing.assert_allclose(md.sigmoid(x), 1 / (1 + np.exp(-x)), rtol=1e-12)
    assert md.sigmoid(np.float32(-17)) == pytest.approx(4.139937e-08, rel=1e-6)
    for shift in (0.0, 1.0):           # with and without a tail in the same array
        x = np.random.default_rng(0).uniform(-8, 20, (30, 7)).astype(np.float32) - np.float32(shift)
        moderate = x >= -8
        assert moderate.all() == (shift == 0.0)
        np.testing.assert_array_equal(md.sigmoid(x)[moderate], (np.tanh(x * 0.5) * 0.5 + 0.5)[moderate])
    y = md.sigmoid(np.array([np.nan, -20.0, -np.inf, np.inf], np.float32))
    np.testing.assert_allclose(y, [np.nan, 2.0611537e-09, 0.0, 1.0], rtol=1e-6)
    assert md.sigmoid(np.zeros((0, 3))).shape == (0, 3)


def test_a_cross_entropy_written_by_hand_is_finite_where_the_logit_is_far_below_0():
    z = Tensor(np.array([-20.0, -60.0, -3.0], np.float32), requires_grad=True)
    loss = -md.sum(md.log(md.sigmoid(z)))
    loss.backward()
    assert loss.item() == pytest.approx(20 + 60 + 3.0485873, rel=1e-6)
    np.testing.assert_allclose(z.grad.numpy(), [-1.0, -1.0, -0.95257413], rtol=1e-6)


def test_the_gradient_of_a_soft_plus_far_below_0_is_right():
    z = Tensor(np.array([-20.0, -40.0], np.float32), requires_grad=True)
    md.sum(md.softplus(z)).backward()
    np.testing.assert_allclose(z.grad.numpy(), np.exp([-20.0, -40.0]), rtol=1e-6)


def test_a_norm_neither_overflows_nor_vanishes():
    for size in (3e38, 1e30, 1e-25, 1e-37):
        x = Tensor(np.float32(size) * np.array([[0.3, 0.0], [0.4, 0.0]], np.float32), requires_grad=True)
        y = md.norm(x)
        y.backward()
        assert y.item() == pytest.approx(size / 2, rel=1e-6)
        np.testing.assert_allclose(x.grad.numpy(), [[0.6, 0.0], [0.8, 0.0]], rtol=1e-6)
        np.testing.assert_allclose(md.norm(x.data, axis=0), [size / 2, 0.0], rtol=1e-6)
        np.testing.assert_allclose(md.norm(x.data, axis=(0,), keepdims=True), [[size / 2, 0.0]], rtol=1e-6)
    assert md.norm(np.array([np.inf, 1.0])) == np.inf and np.isnan(md.norm(np.array([np.nan, 1e30], np.float32)))
    assert md.norm(np.zeros((0, 2)), axis=0).shape == (2,) and md.norm(np.array([1e200, 1e200])) == 2**0.5 * 1e200


def test_the_norm_of_ordinary_numbers_is_bit_for_bit_the_root_of_the_sum_of_squares():
    rng = np.random.default_rng(0)
    for size in (1e-4, 1.0, 1e6):
        x = (size * rng.standard_normal((40, 9))).astype(np.float32)
        plain = np.sqrt((x * x).sum(0))
        np.testing.assert_array_equal(md.norm(x, axis=0), plain)
        x = np.concatenate([x, np.zeros((40, 1), np.float32)], 1)         # beside a column whose sum has no digits
        np.testing.assert_array_equal(md.norm(x, axis=0), [*plain, 0.0])


def test_the_deviation_of_very_small_and_very_large_data_is_right():
    for size in (1e-30, 1e30):
        x = Tensor((size * np.array([1.0, 2.0, 4.0])).astype(np.float32), requires_grad=True)
        md.std(x).backward()
        assert md.std(x).item() == pytest.approx(size * np.std([1.0, 2.0, 4.0]), rel=1e-5)
        np.testing.assert_allclose(x.grad.numpy(), [-0.356348, -0.089087, 0.445435], rtol=1e-4)


def test_a_row_of_minus_infinity_has_a_logsumexp_of_minus_infinity_and_no_gradient():
    x = Tensor(np.array([[-np.inf, -np.inf], [0.0, -np.inf], [1.0, 1.0]]), requires_grad=True)
    y = md.logsumexp(x, axis=1)
    g = md.grad(md.sum(y), x, create_graph=True)
    np.testing.assert_array_equal(y.numpy(), [-np.inf, 0.0, 1.0 + np.log(2.0)])
    np.testing.assert_allclose(g.numpy(), [[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(md.grad(md.sum(g * np.array([[1.0, 2.0]] * 3)), x).numpy(),
                               [[0.0, 0.0], [0.0, 0.0], [-0.25, 0.25]])


def test_a_power_is_right_to_second_order_where_an_exponent_is_0_or_1_and_where_the_base_is_0():
    md.gradcheck(md.power, np.array([3.0, 2.0, 0.5]), np.array([0.0, 1.0, 0.0]))
    a, b = (Tensor(np.array([value]), requires_grad=True) for value in (3.0, 0.0))
    ga, gb = md.grad(md.sum(a ** b), [a, b], create_graph=True)
    assert md.grad(md.sum(ga), b, retain_graph=True).item() == md.grad(md.sum(gb), a).item() == pytest.approx(1 / 3)
    for exponent, slope, bend in ((2.0, 0.0, 2.0), (1.0, 1.0, 0.0), (3.0, 0.0, 0.0), (0.0, 0.0, 0.0)):
        for given in (exponent, Tensor(np.array([exponent]), requires_grad=True)):
            x = Tensor(np.array([0.0]), requires_grad=True)
            g = md.grad(md.sum(x ** given), x, create_graph=True)
            assert g.item() == slope
            if g.requires_grad:
                assert md.grad(md.sum(g), x).item() == bend
            else:
                assert given == 0.0 and bend == 0.0
    x = Tensor(np.array([np.inf, 3.0]), requires_grad=True)
    md.sum(x ** Tensor(np.zeros(2), requires_grad=True)).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0.0, 0.0])


# Whole numbers and float16 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "bool"])
def test_what_is_no_whole_number_of_whole_numbers_is_float32_and_right(dtype):
    x = np.array([[3, 100, 7], [1, 0, 120]]).astype(dtype)
    wide = x.astype(float)
    e = np.exp(wide - wide.max(-1, keepdims=True))
    right = {"norm": np.linalg.norm(wide), "var": wide.var(), "std": wide.std(), "mean": wide.mean(),
             "softmax": e / e.sum(-1, keepdims=True), "logsumexp": wide.max() + np.log(np.exp(wide - wide.max()).sum()),
             "moments": np.stack([wide.mean(0), wide.var(0)]), "softplus": np.logaddexp(0, wide), "tanh": np.tanh(wide),
             "sigmoid": 1 / (1 + np.exp(-wide)), "expm1": np.expm1(np.minimum(wide, 80)), "log1p": np.log1p(wide),
             "sqrt": np.sqrt(wide), "sin": np.sin(wide), "cos": np.cos(wide)}
    for name, expected in right.items():
        y = getattr(md, name)(Tensor(np.minimum(x, 80) if name == "expm1" and dtype != "bool" else x))
        assert y.dtype == np.float32, name
        np.testing.assert_allclose(y.numpy(), expected, rtol=2e-6, atol=1e-6, err_msg=name)


def test_products_and_sums_of_whole_numbers_stay_whole_and_are_numpys():
    for dtype in ("uint8", "int8", "int32", "int64", "bool"):
        x = np.array([[100, 2, 7], [100, 3, 1]]).astype(dtype)
        for y, expected in ((md.prod(x, 0), x.prod(0)), (md.sum(x), x.sum()), (Tensor(x) + 1, x + 1)):
            assert y.dtype == expected.dtype
            np.testing.assert_array_equal(y.numpy() if isinstance(y, Tensor) else y, expected)


def test_the_spread_of_large_whole_numbers_keeps_its_digits():
    seconds = 1_700_000_000 + np.array([0, 60, 120])
    assert md.std(Tensor(seconds)).item() == pytest.approx(seconds.std())
    assert md.var(seconds).item() == pytest.approx(2400.0) and md.var(Tensor(seconds)).dtype == np.float32


def test_means_and_deviations_of_float16_do_not_overflow():
    ones = Tensor(np.ones(70_000, np.float16))
    assert md.mean(ones).item() == 1.0 and md.mean(ones).dtype == np.float16
    x = np.array([[300, 0], [900, 400]], np.float16)
    for name in ("mean", "std", "norm"):
        y = getattr(md, name)(Tensor(x))
        reference = {"mean": np.mean, "std": np.std, "norm": np.linalg.norm}[name]
        assert y.dtype == np.float16 and y.item() == pytest.approx(float(reference(x.astype(float))), rel=1e-3)
    leaf = Tensor(np.full(70_000, 2.0, np.float16), requires_grad=True)
    md.mean(leaf * leaf).backward()
    assert leaf.grad.dtype == np.float16 and np.isfinite(leaf.grad.numpy()).all()


# Arguments that are not as usual ------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, sentence", [
    (lambda x: md.prod(x, (1, 1)), "name one axis of 2 twice"),
    (lambda x: md.squeeze(x, (0, 0)), "twice"),
    (lambda x: md.expand_dims(x, (0, 0)), "twice"),
    (lambda x: md.prod(x, 1.0), "an axis is a whole number, not 1.0"),
    (lambda x: md.repeat(x, [1, -1], 0), "counts are 0 or more"),
    (lambda x: md.repeat(x, 1.5), "counts are whole numbers"),
    (lambda x: md.take(x, np.array([True, False])), r"take: indices are whole numbers, not bool; x\[mask\]"),
    (lambda x: md.gather(x, [[0.5], [1.0]], 1), "indices are arrays of whole numbers, not float64"),
    (lambda x: md.split(x, [1.5]), "indices to cut at are whole numbers"),
    (lambda x: md.pad(x, 1.5), "pad_width is a number"),
    (lambda x: md.pad(x, ()), "needs 2 pairs"),
    (lambda x: md.tile(x, 1.5), "repetitions are whole numbers"),
    (lambda x: md.one_hot([0, 1], 2.5), "the number of classes is a whole number"),
    (lambda x: md.stack([]), "this one is empty"),
    (lambda x: md.concatenate(None), "a list of arrays, not None"),
    (lambda x: md.einsum(x, [0], x, [0]), "the subscripts come first"),
    (lambda x: md.add(x, 1j), "is a complex"),
    (lambda x: md.multiply(x, np.ones(3) * 1j), "takes real numbers, not complex128"),
    (lambda x: md.exp(np.array(["a"])), "not <U1"),
    (lambda x: md.exp(np.array([None])), "not object"),
    (lambda x: x.astype(complex), "is no dtype of such"),
    (lambda x: Tensor(1.0, dtype="bogus"), "is no dtype"),
    (lambda x: Tensor(1.0, dtype=str), "is no dtype of such"),
    (lambda x: md.sum(None), "None is no array"),
    (lambda x: Tensor(np.array([1], np.uint8)) + 300, "300 out of bounds"),
    (lambda x: md.Device(3), "named by a string"),
    (lambda x: md.grad(x, 3), "it takes a Tensor"),
    (lambda x: md.gradcheck(md.square, np.ones(2), order=3), "order is 1 or 2"),
    (lambda x: md.gradcheck(md.square, np.ones(2), directions=0), "directions 1 or more"),
])
def test_odd_arguments_of_an_operation_get_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call(Tensor(np.ones((2, 3), np.float32)))


def test_lists_are_arrays_wherever_an_operation_takes_one():
    x, a = [[1.0, 2.0], [3.0, 4.0]], np.array([[1, 2], [3, 4]], np.float32)
    for y, expected in [
            (md.stack([1.0, 2.0]), [1, 2]), (md.gather(x, [[0], [1]], 1), [[1], [4]]), (md.mean(x, 0), [2, 3]),
            (md.matmul(Tensor(a), x), a @ a), (md.matmul(x, Tensor(a)), a @ a), (md.einsum("ij->ji", x), a.T),
            (md.einsum("ij,j", Tensor(a), [1.0, 2.0]), [5, 11]), (md.take(x, (0, 1), 1), a), (md.std(x), a.std()),
            (md.expand_dims(x, [0, 1]), a[None, None]), (md.outer([1.0, 2.0], [3.0]), [[3], [6]]),
            (md.pad(x, 1), np.pad(a, 1)), (md.repeat(x, np.array([2, 0]), 0), a[[0, 0]]), (md.cumsum(x), [1, 3, 6, 10]),
            (md.one_hot([1, 0], 2), [[0, 1], [1, 0]]), (md.scatter_add(x, 0, [1.0, 1.0]), [[2, 3], [3, 4]])]:
        y = y.numpy() if isinstance(y, Tensor) else y
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, expected, rtol=1e-6)
    assert float(nn.cross_entropy([[1.0, 2.0, 0.0]], [1])) == pytest.approx(0.4076059)
