"""The loader: every item once an epoch, orders from the explicit generator, exact resume."""
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.data import Loader
from minidl.errors import InputError
from minidl.tensor import Tensor

X = np.arange(10, dtype=np.float32)[:, None] * [1, 10]
Y = np.arange(10) % 3


def loader(seed=0, **kwargs):
    kwargs = {"batch_size": 4, "rng": np.random.default_rng(seed), **kwargs}
    return Loader(X, Y, **kwargs)


def epoch(batches):
    return [(x.data.tolist(), y.data.tolist()) for x, y in batches]


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 40), batch_size=st.integers(1, 45), shuffle=st.booleans(), seed=st.integers(0, 5))
def test_every_item_comes_once_an_epoch_with_its_label(n, batch_size, shuffle, seed):
    x = np.arange(n, dtype=np.float32)[:, None]
    loader = Loader(x, np.arange(n), batch_size=batch_size, shuffle=shuffle, rng=np.random.default_rng(seed))
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader) == int(np.ceil(n / batch_size))
        assert all(len(x.data) == batch_size for x, _ in batches[:-1])
        seen = np.concatenate([x.data[:, 0] for x, _ in batches])
        labels = np.concatenate([y.data for _, y in batches])
        np.testing.assert_array_equal(seen, labels)
        np.testing.assert_array_equal(np.sort(seen) if shuffle else seen, np.arange(n))


def test_batches_are_tensors_of_float32_and_int64():
    x, y = next(iter(loader()))
    assert isinstance(x, Tensor) and isinstance(y, Tensor)
    assert x.data.dtype == np.float32 and y.data.dtype == np.int64 and x.data.flags.c_contiguous
    assert isinstance(next(iter(Loader(X, batch_size=3, rng=np.random.default_rng(0)))), Tensor)
    targets = next(iter(Loader(X, X / 3, batch_size=3, rng=np.random.default_rng(0))))[1]
    assert targets.data.dtype == np.float32


def test_a_batch_shares_no_memory_with_the_data():
    x, _ = next(iter(loader(shuffle=False)))
    x.data[:] = -1
    assert epoch(loader(shuffle=False))[0][0] == X[:4].tolist() and (X >= 0).all()


def test_the_order_of_an_epoch_is_drawn_from_the_generator_as_the_epoch_begins():
    rng, twin = np.random.default_rng(5), np.random.default_rng(5)
    batches = Loader(X, Y, batch_size=4, rng=rng)
    for _ in range(3):
        expected = twin.permutation(10)
        seen = np.concatenate([x.data[:, 0] for x, _ in batches])
        np.testing.assert_array_equal(seen, expected)
    assert rng.bit_generator.state == twin.bit_generator.state


def test_drop_last_leaves_out_the_incomplete_batch():
    batches = loader(drop_last=True)
    assert len(batches) == len(list(batches)) == 2
    assert all(len(x.data) == 4 for x, _ in batches)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("stop", range(7))
def test_resume_continues_bit_for_bit_from_any_batch(stop, shuffle):
    """Also where others draw from the same generator, as a model's dropout may."""
    def run(batches, rng, seen):
        for x, y in batches:
            seen.append((x.data.tolist(), y.data.tolist(), float(rng.random())))
            yield

    rng = np.random.default_rng(1)
    unbroken, whole = loader(rng=rng, shuffle=shuffle), []
    for _ in range(3):
        list(run(unbroken, rng, whole))

    rng = np.random.default_rng(1)
    broken, seen = loader(rng=rng, shuffle=shuffle), []
    steps = (step for _ in range(3) for step in run(broken, rng, seen))
    for _ in range(stop):
        next(steps)
    saved, generator = json.loads(json.dumps(broken.state_dict())), rng.bit_generator.state

    rng = np.random.default_rng(99)
    resumed = loader(rng=rng, shuffle=shuffle)
    resumed.load_state_dict(saved)
    if not shuffle:             # then the generator is not the loader's to restore
        rng.bit_generator.state = generator
    for _ in range(3):
        list(run(resumed, rng, seen))
    assert seen[:len(whole)] == whole


def test_a_state_of_other_data_is_refused():
    saved = loader().state_dict()
    with pytest.raises(InputError, match="10 items in batches of 5, the saved one had 10 in batches of 4"):
        loader(batch_size=5).load_state_dict(saved)
    with pytest.raises(InputError, match="no saved place of a loader: it has no batch_size, batches, items, now"):
        loader().load_state_dict({})
    with pytest.raises(InputError, match="shuffles differently"):
        loader(shuffle=False).load_state_dict(saved)


@pytest.mark.parametrize(("arguments", "sentence"), [
    ({"x": X[:0]}, "nothing to load"),
    ({"x": X, "y": Y[:9]}, "x has 10 items, y has 9"),
    ({"x": X, "batch_size": 0}, "batch size must be a whole number of at least 1, not 0"),
    ({"x": X, "batch_size": 2.5}, "batch size must be a whole number"),
    ({"x": X, "batch_size": 11, "drop_last": True}, "10 items do not fill one batch of 11"),
    ({"x": X, "y": np.array([0, 1, 2, 7, 9, 0, 0, 0, 0, 0]), "classes": 3}, r"label y\[3\] is 7; with 3 classes"),
    ({"x": X, "y": np.array([0] * 9 + [-1]), "classes": 3}, r"label y\[9\] is -1"),
    ({"x": X, "y": Y / 2, "classes": 3}, "each label y is a whole number from 0 to 2, not float64"),
    ({"x": X, "classes": 3}, "no labels"),
    ({"x": X, "y": Y[:, None], "classes": 10}, r"labels are whole numbers of shape \(10,\), y is .* \(10, 1\)"),
    ({"x": np.full((10, 3), 4), "tokens": 4}, r"token x\[0, 0\] is 4; with 4 tokens they are 0 to 3"),
    ({"x": np.zeros((10, 3), int), "y": Y, "tokens": 4, "classes": 3, "mixup": 0.2}, "tokens .* cannot be mixed"),
    ({"x": np.zeros((10, 3)), "tokens": 4}, "each token x is a whole number from 0 to 3, not float64"),
    ({"x": X, "rng": None}, "Loader: rng is an int of 0 or more, .* not None"),
    ({"x": np.array(["a", "b"])}, "Loader: x is an array of numbers, not one of <U1"),
    ({"x": None}, "Loader: x is an array of numbers, not NoneType"),
    ({"x": X, "y": Y, "classes": 3.0}, "Loader: classes is a whole number of at least 1, not 3.0"),
    ({"x": X, "y": Y, "classes": 0}, "Loader: classes is a whole number of at least 1, not 0"),
    ({"x": np.zeros((10, 3), int), "tokens": 2.5}, "Loader: tokens is a whole number of at least 1, not 2.5"),
    ({"x": X, "y": np.full(10, 2**63, np.uint64)}, "y holds 9223372036854775808, and labels are int64"),
    ({"x": np.ma.masked_less(X, X.mean())}, r"x has masked values, .* x.filled"),
    ({"x": X, "y": np.ma.masked_equal(Y, Y[0])}, r"y has masked values"),
    ({"x": X, "device": "abacus"}, "no device 'abacus'"),
])
def test_bad_arguments_get_a_sentence(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        Loader(**{"batch_size": 4, "rng": np.random.default_rng(0), **arguments})


class Hostile:
    """An array that cannot be had, as a Tensor of PyTorch that needs a gradient."""

    def __array__(self, *_, **__):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def test_what_gives_no_array_is_refused_with_its_own_reason():
    with pytest.raises(InputError, match="x, a Hostile, is no array of numbers .*requires grad"):
        Loader(Hostile(), batch_size=4, rng=0)


def test_large_labels_and_an_array_whose_mask_hides_nothing_are_taken_as_they_are():
    y = np.arange(4, dtype=np.uint64) + np.uint64(2**63 - 4)
    _, labels = next(iter(Loader(np.ma.array(np.ones((4, 1)), mask=False), y, batch_size=4, shuffle=False)))
    assert labels.numpy().tolist() == [2**63 - 4, 2**63 - 3, 2**63 - 2, 2**63 - 1]


def test_tokens_stay_whole_numbers_and_may_have_a_label_each():
    x = np.arange(12).reshape(4, 3)
    loader = Loader(x, x % 5, batch_size=2, shuffle=False, tokens=12, classes=5)
    ids, labels = next(iter(loader))
    assert ids.dtype == labels.dtype == np.int64
    np.testing.assert_array_equal(ids.numpy(), x[:2])
    np.testing.assert_array_equal(labels.numpy(), x[:2] % 5)


def test_tokens_that_are_augmented_stay_whole_numbers():
    loader = Loader(np.arange(12).reshape(4, 3), batch_size=4, tokens=12, augment=lambda x, rng: x[:, ::-1],
                    shuffle=False, rng=np.random.default_rng(0))
    x, = loader
    assert x.dtype == np.int64 and x.numpy()[0].tolist() == [2, 1, 0]


def test_a_pass_that_has_handed_out_nothing_yet_begins_again_in_the_same_order():
    loader = Loader(X, batch_size=3, rng=np.random.default_rng(0))
    begun = iter(loader)
    state = loader.state_dict()
    first = [x.numpy() for x in begun]
    loader.load_state_dict(state)
    for a, b in zip(first, loader, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
