"""Euclidean neighbours: exact against float64, whatever the rows' mean, on every device."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl as md
from minidl.metrics import EuclideanIndex, nearest_neighbours
from tests.standin.device import counting, install


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def in_float64(database, queries, k):
    distances = np.sqrt(((queries[:, None].astype(float) - database.astype(float))**2).sum(-1))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, 1), order


@settings(max_examples=40)
@given(n=st.integers(1, 50), q=st.integers(0, 6), d=st.integers(1, 20), k=st.integers(1, 10),
       dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 1000))
def test_the_nearest_are_found_nearest_first(n, q, d, k, dtype, seed):
    rng, k = np.random.default_rng(seed), min(k, n)
    database, queries = rng.standard_normal((n, d)).astype(dtype), rng.standard_normal((q, d)).astype(dtype)
    distances, indices = nearest_neighbours(database, queries, k)
    expected, order = in_float64(database, queries, k)
    assert distances.dtype == dtype and distances.shape == indices.shape == (q, k)
    assert np.allclose(distances, expected, rtol=1e-6, atol=1e-12)
    assert np.array_equal(indices, order)


def test_a_row_is_its_own_nearest_at_a_distance_of_exactly_zero():
    x = np.random.default_rng(0).random((2000, 30), dtype=np.float32) + 5            # several blocks of queries
    distances, indices = nearest_neighbours(x, x, 2)
    assert np.array_equal(indices[:, 0], np.arange(2000))
    assert (distances[:, 0] == 0).all() and (distances[:, 1] > 0).all()


def test_float32_survives_a_mean_that_dwarfs_the_differences():
    rng = np.random.default_rng(0)
    database, queries = (rng.standard_normal((n, 8)).astype(np.float32) + np.float32(3e4) for n in (200, 30))
    distances, indices = nearest_neighbours(database, queries, 3)
    expected, order = in_float64(database, queries, 3)
    assert np.array_equal(indices, order) and np.allclose(distances, expected, rtol=1e-3)


@pytest.mark.parametrize("gap", [0, 10, 1e3, 1e5])
@pytest.mark.parametrize("groups", [1, 2, 7])
@pytest.mark.parametrize("d", [1, 2, 30])
def test_groups_far_apart_have_no_wrong_neighbour(gap, groups, d, rng):
    """Distances are of the order of 1, squares of gap^2: what float32 makes of these is no guide."""
    centres = gap * rng.standard_normal((groups, d))
    database, queries = ((centres[rng.integers(0, groups, n)] + rng.standard_normal((n, d))).astype(np.float32)
                         for n in (150, 60))
    for q in (queries, database):
        distances, indices = nearest_neighbours(database, q, 6)
        expected, order = in_float64(database, q, 6)
        assert np.array_equal(indices, order)
        assert np.allclose(distances, expected, rtol=1e-6)


def test_eight_rows_around_two_places():
    around = np.array([[0, 0], [1, 0], [0, 1.5], [2, 2]])
    x = np.concatenate([around + 2000, around - 2000]).astype(np.float32)
    distances, indices = nearest_neighbours(x, x, 2)
    assert indices.tolist() == [[0, 1], [1, 0], [2, 0], [3, 2], [4, 5], [5, 4], [6, 4], [7, 6]]
    assert np.allclose(distances[:, 1], np.tile([1, 1, 1.5, 4.25**0.5], 2), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-25, 1e-20, 1e18])
def test_numbers_whose_squares_float32_hardly_holds(scale, rng):
    x = (scale * rng.standard_normal((50, 4))).astype(np.float32)
    distances, indices = nearest_neighbours(x, x, 4)
    expected, order = in_float64(x, x, 4)
    assert np.array_equal(indices, order) and np.allclose(distances, expected, rtol=1e-6)


def test_an_outlier_among_rows_or_queries_changes_nothing_for_the_others(rng):
    x, q = (rng.standard_normal((n, 5)).astype(np.float32) for n in (100, 20))
    expected = in_float64(x, q, 3)[1]
    x, q = np.concatenate([x, np.full((1, 5), 3e6, np.float32)]), np.concatenate([q, np.full((1, 5), 4e6, np.float32)])
    indices = nearest_neighbours(x, q, 3)[1]
    assert np.array_equal(indices[:-1], expected) and np.array_equal(indices, in_float64(x, q, 3)[1])


def test_equally_near_rows_come_by_their_index():
    x = np.repeat(np.arange(4.0, dtype=np.float32), 30)[:, None]
    assert np.array_equal(nearest_neighbours(x, x[:1], 50)[1], [np.arange(50)])


def test_images_of_whole_numbers_become_float32_and_are_left_alone():
    x = np.random.default_rng(0).integers(0, 256, (20, 6), dtype=np.uint8)
    before = x.copy()
    distances, _ = EuclideanIndex(x).search(x[:3], 2)
    assert distances.dtype == np.float32 and np.array_equal(x, before)


def test_a_device_finds_the_same_and_keeps_the_rows():
    rng, device = np.random.default_rng(0), install()
    database, queries = rng.random((40, 5), dtype=np.float32), rng.random((7, 5), dtype=np.float32)
    index = EuclideanIndex(device.put(database))
    there = device.put(queries)
    with counting() as c:
        distances, indices = index.search(md.Tensor(there), 3)
    assert c.transfers == 1, c.waited_for                        # whether the queries are finite
    expected = nearest_neighbours(database, queries, 3)
    assert np.array_equal(indices.get(), expected[1]) and np.allclose(distances.get(), expected[0], rtol=1e-6)
    with pytest.raises(md.InputError, match="x is on 'cpu'"):
        index.search(queries, 3)


@pytest.mark.parametrize("database, queries, k, sentence", [
    (np.zeros((5, 3)), np.zeros((2, 3)), 6, "6 neighbours of 5 images; k is from 1 to 5"),
    (np.zeros((5, 3)), np.zeros((2, 3)), 0, "0 neighbours"),
    (np.zeros((5, 3)), np.zeros((2, 4)), 1, r"rows of 3 numbers, x has shape \(2, 4\)"),
    (np.zeros((5, 3, 3, 1)), np.zeros((2, 9)), 1, "images become rows"),
    (np.zeros((0, 3)), np.zeros((2, 3)), 1, "empty"),
    (np.full((5, 3), np.nan), np.zeros((2, 3)), 1, "database holds values that are not finite"),
    (np.full((5, 3), 1e30, np.float32), np.zeros((2, 3)), 1, "not finite"),
    (np.zeros((5, 3)), np.full((2, 3), np.inf), 1, "queries hold values that are not finite"),
    (np.zeros((5, 3), np.float32), np.full((2, 3), 1e30, np.float32), 1, "so large that their squares are not")])
def test_what_cannot_be_compared_gets_a_sentence(database, queries, k, sentence):
    with pytest.raises(md.InputError, match=sentence):
        nearest_neighbours(database, queries, k)
