"""Axes and counts: what NumPy accepts is accepted, what an array lacks is refused with a sentence."""
import numpy as np
import pytest

import minidl as md
from minidl.errors import InputError

X = np.arange(6.0, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("f", [
    lambda x: md.take(x, [0], 5), lambda x: md.take(x, [0], -5), lambda x: md.gather(x, np.zeros((2, 3), int), 5),
    lambda x: md.prod(x, 5), lambda x: md.repeat(x, 2, 5), lambda x: md.expand_dims(x, 7), lambda x: md.squeeze(x, 5),
    lambda x: md.split(x, 1, 5), lambda x: md.mean(x, 2), lambda x: md.squeeze(x[0, 0], 0),
    lambda x: md.prod(x[0, 0], 0)], ids=range(11))
def test_an_axis_that_the_array_lacks_is_refused(f):
    with pytest.raises(InputError, match="there is no axis|axis 2 is out of bounds"):
        f(md.Tensor(X))


@pytest.mark.parametrize("f", [
    lambda xp, x, one: xp.mean(x, one), lambda xp, x, one: xp.var(x, axis=one), lambda xp, x, one: xp.prod(x, one),
    lambda xp, x, one: xp.expand_dims(x, one), lambda xp, x, one: xp.repeat(x, one + one, one),
    lambda xp, x, one: xp.tile(x, one + one), lambda xp, x, one: xp.split(x, one * 3, one)[2],
    lambda xp, x, one: xp.pad(x, one), lambda xp, x, one: xp.squeeze(x[:, :1], one),
    lambda xp, x, one: xp.take(x, (0, 2), one), lambda xp, x, one: xp.cumsum(x, one)], ids=range(11))
def test_numpys_integers_are_integers(f):
    np.testing.assert_allclose(f(md, md.Tensor(X), np.int64(1)).numpy(), f(np, X, np.int64(1)), rtol=1e-6)


@pytest.mark.parametrize("values", [[True] * 3, np.full(3, 200, np.uint8)], ids=["bool", "uint8"])
def test_running_sums_of_small_integers_do_not_wrap(values):
    values = np.array(values)
    np.testing.assert_array_equal(md.cumsum(md.Tensor(values)).numpy(), np.cumsum(values))


def test_empty_batches_keep_their_meaning():
    x = md.Tensor(np.zeros((0, 2, 3), np.float32))
    assert x.flatten(1).shape == (0, 6)
    assert md.prod(md.Tensor(np.zeros((0, 3), np.float32)), axis=1).shape == (0,)
    with pytest.raises(InputError, match="nothing to reduce"):
        md.nn.binary_cross_entropy_with_logits(x, x)


def test_logsumexp_does_not_hide_a_nan():
    assert np.isnan(md.logsumexp(md.Tensor([np.nan, 1.0])).item())
    assert md.logsumexp(md.Tensor([-np.inf, -np.inf])).item() == -np.inf


def test_a_dtype_that_is_asked_for_is_given():
    i = md.Tensor(np.array([1, 2]))
    for dtype in ("float64", np.float64, np.dtype("float64")):
        assert md.astype(i, dtype).dtype == np.float64 and i.astype(dtype).dtype == np.float64


def test_einsum_refuses_a_letter_of_two_sizes():
    with pytest.raises(InputError, match="j stands for 1 and for 3"):
        md.einsum("ij,jk->ik", md.Tensor(np.ones((2, 1))), md.Tensor(np.ones((3, 2))))


def test_gelu_has_a_gradient_far_out():
    x = md.Tensor([-1e25, -1e19, 1e19, 1e25], requires_grad=True)
    assert md.grad(md.sum(md.gelu(x)), x).numpy().tolist() == [0, 0, 1, 1]
