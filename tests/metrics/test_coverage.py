"""Precision, recall and copies, against what is counted out pair by pair."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl as md
from minidl import InputError
from minidl.metrics import EuclideanIndex, memorisation, precision_recall
from tests.standin.device import install

RNG = np.random.default_rng(0)


def apart(a, b):
    return np.sqrt(((a[:, None].astype(np.float64) - b[None].astype(np.float64))**2).sum(-1)).astype(a.dtype)


def counted(real, generated, k):
    """Precision and recall as section 2 of the paper writes them."""
    radius = lambda x: np.sort(apart(x, x) + np.diag(np.full(len(x), -1.0, x.dtype)), 1)[:, k]      # itself is first
    return ((apart(generated, real) <= radius(real)).any(1).mean(),
            (apart(real, generated) <= radius(generated)).any(1).mean())


@settings(max_examples=40)
@given(n=st.integers(5, 60), m=st.integers(5, 60), d=st.integers(1, 6), k=st.integers(1, 4), grid=st.booleans(),
       offset=st.sampled_from([0, 1, 3000]), dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 1000))
def test_both_are_those_of_all_pairs_also_where_rows_repeat_and_distances_tie(n, m, d, k, grid, offset, dtype, seed):
    rng = np.random.default_rng(seed)
    draw = (lambda n: rng.integers(0, 3, (n, d))) if grid else (lambda n: rng.standard_normal((n, d)))
    real, generated = ((draw(n) + offset).astype(dtype) for n in (n, m))
    generated[:2] = real[:2]
    assert precision_recall(real, generated, k=k) == pytest.approx(counted(real, generated, k))


@pytest.mark.parametrize("repeats", [1, 9])
def test_a_set_against_itself_has_all_of_both_however_often_rows_repeat(repeats):
    x = np.repeat(RNG.random((100, 7), np.float32), repeats, 0)
    assert precision_recall(x, x) == (1.0, 1.0)
    assert precision_recall(x, RNG.permutation(x)) == (1.0, 1.0)


def test_one_image_of_each_kind_is_precise_and_reaches_nothing_but_itself():
    real = RNG.standard_normal((500, 4)).astype(np.float32)
    same = np.tile(real[:5], (100, 1))
    assert precision_recall(real, same) == (1.0, 5 / 500)
    assert precision_recall(real, real + 100) == (0.0, 0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gap", [0, 1e3])
def test_a_ball_holds_its_rim_exactly(gap, dtype):
    """Radii that are distances: each is the rim of one ball at least."""
    draw = lambda n: RNG.integers(-32, 32, (n, 5)) / 16 + gap * RNG.integers(0, 2, (n, 1))       # squares are exact
    x, q = draw(200).astype(dtype), draw(90).astype(dtype)
    index, far = EuclideanIndex(x), apart(q, x)
    nearest, which = index.search(q, 1)
    radii = np.zeros(200, dtype)
    radii[which[:, 0]] = nearest[:, 0]
    reached = index.reaches(q, radii)
    assert reached.tolist() == (far <= radii).any(1).tolist() and 0 < reached.sum() < 90
    assert index.reaches(q, np.full(200, far.max())).all() and not index.reaches(q, np.zeros(200)).any()
    assert index.reaches(x, np.zeros(200)).all() and index.reaches(q[:0], radii).shape == (0,)


def test_copies_are_found_and_new_images_are_not_taken_for_them():
    train, held_out, new = (RNG.standard_normal((n, 5)).astype(np.float32) for n in (2000, 1000, 1000))
    found = memorisation(train, held_out, new)
    chance = np.sqrt(1 / 12 * (1 / 1000 + 1 / 1000))                      # of a Mann-Whitney statistic
    assert found.nearer == pytest.approx(0.5, abs=4 * chance) and found.ratio == pytest.approx(1, abs=0.1)
    assert found.share == pytest.approx(0.01, abs=4 * np.sqrt(0.01 * 2 / 1000))
    copies = np.concatenate([new[:600], train[:400] + np.float32(1e-4)])
    found = memorisation(train, held_out, copies)
    assert found.share == pytest.approx(0.4, abs=0.02) and (found.nearest[600:] == np.arange(400)).all()
    assert memorisation(train, held_out, train[:50])[:3] == (1.0, 1.0, 0.0)
    assert memorisation(train, held_out, new + 50)[:2] == (0.0, 0.0)


def test_of_distances_that_are_known_each_number_is_exact():
    train = np.zeros((1, 1))
    held_out = np.arange(1, 201)[:, None]                                    # at 1, 2, ..., 200
    found = memorisation(train, held_out, np.array([[2.0], [3.0], [50.0], [300.0]]))
    assert found.share == 1 / 4                                              # 2 is nearer than all but one of 200
    assert found.nearer == pytest.approx(np.mean([198.5, 197.5, 150.5, 0]) / 200)
    assert found.ratio == pytest.approx(26.5 / 100.5) and found.distances.tolist() == [2, 3, 50, 300]


def test_on_a_device_the_numbers_are_the_same():
    device = install()
    real, held_out, generated = (RNG.standard_normal((n, 4)).astype(np.float32) for n in (150, 120, 60))
    assert precision_recall(device.put(real), device.put(generated)) == precision_recall(md.Tensor(real), generated)
    found, there = memorisation(real, held_out, generated), memorisation(*map(device.put, (real, held_out, generated)))
    assert found[:3] == there[:3] and np.array_equal(found.nearest, there.nearest)


@pytest.mark.parametrize("call, sentence", [
    (lambda: precision_recall(np.ones((9, 2)), np.ones((9, 3))), "real and generated are rows of one length"),
    (lambda: precision_recall(np.ones((9, 2)), np.ones((3, 2))), "a set takes 4 rows or more, not 9 and 3"),
    (lambda: precision_recall(np.ones((9, 2)), np.ones((9, 2)), k=0), "k is a whole number of at least 1"),
    (lambda: memorisation(np.ones((9, 2)), np.ones((99, 2)), np.ones((9, 2))), "100 held-out images or more, not 99"),
    (lambda: memorisation(np.ones((9, 2)), np.ones((100, 3)), np.ones((9, 2))), "train and held_out are rows of one"),
    (lambda: memorisation(np.ones((9, 2)), np.ones((100, 2)), np.ones((0, 2))), "train and generated are rows of one"),
    (lambda: precision_recall(np.full((9, 2), np.nan), np.ones((9, 2))), "not finite"),
    (lambda: precision_recall(install().put(np.ones((9, 2))), np.ones((9, 2))), "real is on 'standin', generated on"),
    (lambda: EuclideanIndex(np.ones((9, 2))).reaches(np.ones((9, 2)), np.ones(8)), "9 rows have a finite radius"),
    (lambda: EuclideanIndex(np.ones((9, 2))).reaches(np.ones((9, 2)), np.full(9, -1)), "radius of at least 0")])
def test_what_does_not_fit_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
