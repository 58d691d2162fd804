"""Augmentation against plain loops, with the same draws; on the device; in the loader. tests/parity has SciPy's."""
import json
import math

import numpy as np
import pytest

from minidl import nn
from minidl.data import Loader, augmentation
from minidl.errors import InputError
from tests.standin.device import counting, install

IMAGES = np.random.default_rng(0).uniform(0.1, 1, (6, 5, 7, 2)).astype(np.float32)
CHANGES = {
    "shift": lambda x, rng: augmentation.shift(x, rng, pixels=2),
    "rotate": lambda x, rng: augmentation.rotate(x, rng, degrees=30),
    "flip": augmentation.flip,
    "noise": lambda x, rng: augmentation.noise(x, rng, sd=0.3),
}
every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def rng(seed=3):
    return np.random.default_rng(seed)


# Each change ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [0, 1, 3, 9])
def test_shift_moves_each_image_by_whole_pixels_and_lets_zeros_in(pixels):
    moved, offsets = augmentation.shift(IMAGES, rng(), pixels=pixels), rng().integers(0, 2 * pixels + 1, (2, 6))
    n, h, w, c = IMAGES.shape
    expected = np.zeros_like(IMAGES)
    for k, down, right in zip(range(n), *(pixels - offsets), strict=True):
        for i in range(h):
            for j in range(w):
                if 0 <= i - down < h and 0 <= j - right < w:
                    expected[k, i, j] = IMAGES[k, i - down, j - right]
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize("down, right", [(0, 0), (2, -1), (-1, 3), (5, 0), (-9, 9)])
def test_shift_by_moves_all_images_alike_and_lets_zeros_in(down, right):
    expected = np.zeros_like(IMAGES)
    for i, j in np.ndindex(5, 7):
        if 0 <= i - down < 5 and 0 <= j - right < 7:
            expected[:, i, j] = IMAGES[:, i - down, j - right]
    np.testing.assert_array_equal(augmentation.shift_by(IMAGES, down, right), expected)


def test_shift_draws_every_offset_up_to_its_pixels_equally_often():
    x = np.zeros((4000, 5, 5, 1), np.float32)
    x[:, 2, 2] = 1.0                                     # the middle pixel tells where its image went
    counts = augmentation.shift(x, rng(), pixels=2)[..., 0].sum(0)
    assert counts.sum() == 4000
    assert np.abs(counts - 160).max() < 5 * math.sqrt(160)


def bilinear(image, row, column):
    """The image (H, W, C) between its pixels; what lies outside counts as 0."""
    i, j = math.floor(row), math.floor(column)
    at = lambda i, j: image[i, j] if 0 <= i < image.shape[0] and 0 <= j < image.shape[1] else 0.0
    v, u = row - i, column - j
    return ((1 - v) * ((1 - u) * at(i, j) + u * at(i, j + 1)) + v * ((1 - u) * at(i + 1, j) + u * at(i + 1, j + 1)))


@pytest.mark.parametrize("degrees", [10, 90, 400])
def test_rotate_reads_each_pixel_between_four_of_the_turned_image(degrees):
    x = IMAGES.astype(np.float64)
    turned, angles = augmentation.rotate(x, rng(), degrees=degrees), rng().uniform(-degrees, degrees, 6)
    n, h, w, _ = x.shape
    for k in range(n):
        cos, sin = math.cos(math.radians(angles[k])), math.sin(math.radians(angles[k]))
        for i in range(h):
            for j in range(w):
                down, right = i - (h - 1) / 2, j - (w - 1) / 2
                row, column = cos * down + sin * right + (h - 1) / 2, cos * right - sin * down + (w - 1) / 2
                np.testing.assert_allclose(turned[k, i, j], bilinear(x[k], row, column), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3])
def test_rotate_by_right_angles_is_numpys_rot90_anticlockwise(turns):
    square = IMAGES[:, :, :5]
    turned = augmentation.rotate_by(square, 90.0 * turns)
    np.testing.assert_allclose(turned, np.rot90(square, turns, axes=(1, 2)), atol=2e-6)


def test_rotate_by_turns_each_image_by_its_own_angle_as_rotate_does():
    angles = rng().uniform(-50, 50, 6)
    turned = augmentation.rotate_by(IMAGES, angles)
    np.testing.assert_array_equal(turned, augmentation.rotate(IMAGES, rng(), degrees=50))
    np.testing.assert_array_equal(augmentation.rotate_by(IMAGES[:1], angles[0]), turned[:1])
    np.testing.assert_array_equal(augmentation.rotate_by(IMAGES, 0.0), IMAGES)


def test_zoom_spreads_an_image_about_its_centre():
    x = np.zeros((2, 9, 9, 1))
    x[:, 4, 6] = x[:, 1, 4] = 1.0
    larger, smaller = augmentation.rotate_by(x, 0.0, zoom=[2.0, 0.5])[..., 0]
    assert larger[4, 8] == 1.0 and larger[4, 7] == 0.5 and larger[:, 4].max() == 0.0       # 3 above is 6 above: outside
    assert smaller[4, 5] == 1.0 and smaller.sum() < 2.5


def test_flip_mirrors_each_image_left_to_right_or_leaves_it():
    n = 2000
    x = np.tile(IMAGES[:1], (n, 1, 1, 1))
    y = augmentation.flip(x, rng())
    mirrored = (y == IMAGES[0, :, ::-1]).all((1, 2, 3))
    assert (mirrored | (y == IMAGES[0]).all((1, 2, 3))).all()
    assert abs(mirrored.sum() - n / 2) < 5 * math.sqrt(n / 4)
    np.testing.assert_array_equal(mirrored, rng().random(n) < 0.5)


def test_noise_is_normal_with_its_deviation():
    x = np.ones((100, 20, 20, 1), np.float32)
    added = augmentation.noise(x, rng(), sd=np.float64(0.25)) - 1.0
    assert added.dtype == np.float32
    np.testing.assert_allclose(added, 0.25 * rng().standard_normal(x.shape, dtype=np.float32), atol=1e-6)
    assert augmentation.noise(x[:, 0, 0], rng(), sd=0.1).shape == (100, 1)       # not for images alone


def test_mixup_mixes_each_example_and_its_target_with_another_ones_in_the_same_shares():
    targets = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    x, y = augmentation.mixup(IMAGES, targets, rng(), alpha=0.4)
    twin = rng()
    share, partner = twin.beta(0.4, 0.4), twin.permutation(6)
    assert 0 < share < 1 and (partner != np.arange(6)).any()
    np.testing.assert_allclose(x, share * IMAGES + (1 - share) * IMAGES[partner], rtol=1e-6)
    np.testing.assert_allclose(y, share * targets + (1 - share) * targets[partner], rtol=1e-6)
    assert x.dtype == y.dtype == np.float32
    np.testing.assert_allclose(y.sum(1), 1.0, rtol=1e-6)


# All of them ---------------------------------------------------------------------------------------------------------


@every_change
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_change_keeps_shape_and_dtype_and_leaves_the_batch_as_it_was(change, dtype):
    x = IMAGES.astype(dtype)
    before = x.copy()
    y = change(x, rng())
    assert y.shape == x.shape and y.dtype == dtype and y.flags.c_contiguous and not np.shares_memory(x, y)
    np.testing.assert_array_equal(x, before)
    assert not np.array_equal(x, y)


@every_change
def test_a_change_is_drawn_anew_each_time_and_for_each_image_and_the_same_from_the_same_seed(change):
    x = np.tile(IMAGES[:1], (40, 1, 1, 1))
    generator = rng()
    first, second = change(x, generator), change(x, generator)
    np.testing.assert_array_equal(first, change(x, rng()))
    assert not np.array_equal(first, second) and len(np.unique(first.reshape(40, -1), axis=0)) > 1


@pytest.mark.parametrize("change", [*CHANGES.values(), lambda x, rng: augmentation.mixup(x, x, rng, alpha=0.4)[1]],
                         ids=[*CHANGES, "mixup"])
def test_on_a_device_it_gives_numpys_values_there_and_waits_for_nothing(change):
    x = install().put(IMAGES)
    with counting() as c:
        y = change(x, rng())
    assert c.synchronisations == 0, c.waited_for
    np.testing.assert_array_equal(y.get(), change(IMAGES, rng()))


@pytest.mark.parametrize("change", [CHANGES[name] for name in ("shift", "rotate", "flip")] + [
    lambda x, rng: augmentation.shift_by(x, 1, -2),
    lambda x, rng: augmentation.rotate_by(x, 10.0)])
@pytest.mark.parametrize("x", [IMAGES.reshape(6, -1), IMAGES[..., 0], (IMAGES * 255).astype(np.uint8)],
                         ids=["rows", "no channels", "bytes"])
def test_what_is_no_batch_of_images_is_refused_in_a_sentence(change, x):
    with pytest.raises(InputError, match=r"x is \w+ of shape \(.*\); it takes floats of shape \(N, H, W, C\)"):
        change(x, rng())


@pytest.mark.parametrize("change", [*CHANGES.values(), lambda x, rng: augmentation.rotate_by(x, 10.0)],
                         ids=[*CHANGES, "rotate_by"])
@pytest.mark.parametrize("shape", [(0, 5, 7, 2), (3, 5, 7, 0)])
def test_a_batch_of_nothing_stays_as_it_is(change, shape):
    x = np.zeros(shape, np.float32)
    assert change(x, rng()).shape == shape and change(x, rng()).dtype == np.float32


@pytest.mark.parametrize("call, words", [
    (lambda: augmentation.shift(IMAGES, rng(), pixels=-1), "shift: pixels is a whole number of at least 0, not -1"),
    (lambda: augmentation.shift(IMAGES, rng(), pixels=1.5), "shift: pixels is a whole number of at least 0, not 1.5"),
    (lambda: augmentation.rotate(IMAGES, rng(), degrees=-5), "rotate: degrees is a finite number of at .*, not -5"),
    (lambda: augmentation.rotate(IMAGES, rng(), degrees=np.nan), "rotate: degrees is a finite .*, not nan"),
    (lambda: augmentation.rotate(IMAGES, rng(), degrees="5"), "rotate: degrees is a finite .*, not '5'"),
    (lambda: augmentation.noise(IMAGES, rng(), sd=-0.1), "noise: the standard deviation sd is a finite .*, not -0.1"),
    (lambda: augmentation.noise(IMAGES, rng(), sd=np.inf), "noise: the standard deviation sd is a finite .*, not inf"),
    (lambda: augmentation.noise(IMAGES.astype(np.float16), rng(), sd=1.0), "noise: x is float16; it takes float32"),
    (lambda: augmentation.noise(IMAGES.astype(">f4"), rng(), sd=1.0), "noise: x is >f4; it takes float32"),
    (lambda: augmentation.noise(np.arange(3), rng(), sd=1.0), "noise: x is int64; it takes float32"),
    (lambda: augmentation.flip(IMAGES, None), "flip: rng is an int of 0 or more"),
    (lambda: augmentation.rotate_by(IMAGES, "ten"), "rotate_by: takes real numbers"),
    (lambda: augmentation.rotate_by(IMAGES, 0.0, zoom=np.inf), "finite degrees and a zoom above 0"),
    (lambda: augmentation.rotate_by(IMAGES, np.zeros(5)), r"6 images take .* degrees has shape \(5,\)"),
    (lambda: augmentation.rotate_by(IMAGES, 0.0, zoom=0.0), "a zoom above 0.* the least 0"),
    (lambda: augmentation.rotate_by(IMAGES, np.nan), "finite degrees"),
    (lambda: augmentation.mixup(IMAGES, IMAGES, rng(), alpha=0.0), "mixup: alpha is a finite number above 0, not 0.0"),
    (lambda: augmentation.mixup(IMAGES, IMAGES, rng(), alpha=np.inf), "mixup: alpha is .* above 0, not inf"),
    (lambda: augmentation.mixup(IMAGES, np.arange(6), rng(), alpha=1.0), "turn labels into rows by md.one_hot"),
    (lambda: augmentation.mixup(IMAGES, IMAGES[:5], rng(), alpha=1.0), "one for each x"),
])
def test_an_argument_that_makes_no_sense_is_refused_in_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()


# In the loader -------------------------------------------------------------------------------------------------------

LABELS = np.array([0, 2, 1, 1, 0, 2])


def loader(seed=0, **kwargs):
    return Loader(IMAGES, LABELS, **{"batch_size": 4, "rng": rng(seed), "classes": 3, **kwargs})


def test_the_loader_hands_out_augmented_batches_and_keeps_its_data():
    twin = rng(0)
    batches = loader(augment=CHANGES["rotate"])
    for _ in range(2):
        order = twin.permutation(6)
        for (x, y), index in zip(batches, (order[:4], order[4:]), strict=True):
            np.testing.assert_array_equal(x.numpy(), CHANGES["rotate"](IMAGES[index], twin))
            np.testing.assert_array_equal(y.numpy(), LABELS[index])
    assert batches.rng.bit_generator.state == twin.bit_generator.state


def test_with_mixup_labels_become_rows_that_cross_entropy_takes():
    twin = rng(0)
    batches = loader(augment=augmentation.flip, mixup=0.3)
    order = twin.permutation(6)
    for (x, y), index in zip(batches, (order[:4], order[4:]), strict=True):
        images, rows = augmentation.mixup(augmentation.flip(IMAGES[index], twin), np.eye(3, dtype=np.float32)[
            LABELS[index]], twin, alpha=0.3)
        np.testing.assert_array_equal(x.numpy(), images)
        np.testing.assert_array_equal(y.numpy(), rows)
        assert nn.cross_entropy(y, y).item() > 0
    numbers = Loader(IMAGES, IMAGES[:, 0, 0], batch_size=4, rng=rng(0), mixup=0.3)
    assert next(iter(numbers))[1].shape == (4, 2)                    # targets of numbers are mixed as they are


VARIANTS = [{"augment": CHANGES["shift"]}, {"augment": CHANGES["noise"], "shuffle": False}, {"mixup": 0.2},
            {"augment": CHANGES["rotate"], "mixup": 0.4, "shuffle": False, "drop_last": True}]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stop", range(5))
def test_resume_continues_bit_for_bit_from_any_batch(variant, stop):
    def batches(loader, epochs=3):
        return ((x.numpy().tolist(), y.numpy().tolist()) for _ in range(epochs) for x, y in loader)

    whole = list(batches(loader(**variant)))
    broken = loader(**variant)
    seen = [batch for _, batch in zip(range(stop), batches(broken), strict=False)]
    resumed = loader(seed=99, **variant)
    resumed.load_state_dict(json.loads(json.dumps(broken.state_dict())))
    seen += list(batches(resumed))
    assert len(whole) >= 3 and seen[:len(whole)] == whole[:len(seen)]


def test_the_loader_gives_the_same_batches_on_a_device_without_waiting():
    both = {"augment": CHANGES["rotate"], "mixup": 0.3}
    there = loader(device=install(), **both)
    with counting() as c:
        batches = list(there)
    assert c.synchronisations == 0, c.waited_for
    for (x, y), (u, v) in zip(batches, loader(**both), strict=True):
        np.testing.assert_array_equal(x.numpy(), u.numpy())
        np.testing.assert_array_equal(y.numpy(), v.numpy())


def test_an_augmentation_that_makes_float64_still_gives_float32():
    x, _ = next(iter(loader(augment=lambda x, rng: x + rng.normal(size=x.shape))))
    assert x.dtype == np.float32


@pytest.mark.parametrize("arguments, words", [
    ({"augment": augmentation.flip, "shuffle": False, "rng": None}, "Loader: rng is an int of 0 or more, .* not None"),
    ({"mixup": 0.2, "shuffle": False, "rng": None}, "Loader: rng is an int of 0 or more, .* not None"),
    ({"mixup": 0.2, "classes": None}, "say how many classes there are"),
    ({"mixup": 0.0}, "Loader: mixup, an alpha, is a finite number above 0, not 0.0"),
    ({"mixup": np.inf}, "Loader: mixup, an alpha, is a finite number above 0, not inf"),
    ({"mixup": "0.2"}, "Loader: mixup, an alpha, is a finite number above 0, not '0.2'"),
    ({"augment": "flip"}, "augment is a function of a batch and a Generator, not 'flip'"),
])
def test_a_loader_without_what_augmentation_needs_says_so(arguments, words):
    with pytest.raises(InputError, match=words):
        loader(**arguments)


def test_mixup_without_targets_is_refused():
    with pytest.raises(InputError, match="mixes targets too; there are none, y is not given"):
        Loader(IMAGES, batch_size=4, rng=rng(), mixup=0.2)


@pytest.mark.parametrize("augment, words", [
    (lambda x, rng: None, r"a batch of shape \(4, 5, 7, 2\) and returned NoneType"),
    (lambda x, rng: x[:2], r"returned ndarray\(2, 5, 7, 2\)"),
])
def test_an_augmentation_that_returns_no_batch_is_named(augment, words):
    with pytest.raises(InputError, match=words):
        next(iter(loader(augment=augment)))
