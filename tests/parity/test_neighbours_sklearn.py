"""Neighbours against scikit-learn's."""
import numpy as np
import pytest

from minidl import data
from minidl.metrics import HammingIndex, nearest_neighbours

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def neighbors():
    return pytest.importorskip("sklearn.neighbors")


def test_euclidean_neighbours_of_digits_are_as_far_as_scikit_learns(neighbors):
    digits = data.load("digits").flat()
    distances, indices = nearest_neighbours(digits.x_train, digits.x_test, 10)
    expected, theirs = neighbors.NearestNeighbors(n_neighbors=10).fit(digits.x_train).kneighbors(digits.x_test)
    np.testing.assert_allclose(distances, expected, rtol=1e-5)
    alone = (np.diff(expected, axis=1) > 1e-5).all(1)                    # no two of the ten are equally far
    assert alone.mean() > 0.5 and np.array_equal(indices[alone, :9], theirs[alone, :9])


def test_hamming_neighbours_are_scikit_learns(neighbors):
    rng = np.random.default_rng(0)
    codes, queries = rng.random((500, 100)) < 0.5, rng.random((50, 100)) < 0.5
    distances, indices = HammingIndex(codes).search(queries, 10)
    peer = neighbors.NearestNeighbors(n_neighbors=10, metric="hamming", algorithm="brute").fit(codes)
    expected, _ = peer.kneighbors(queries)
    np.testing.assert_allclose(distances / 100, expected)
    np.testing.assert_array_equal((codes[indices] != queries[:, None]).sum(-1), distances)
    balls = peer.radius_neighbors(queries, 0.40, return_distance=False)
    for query, ball in zip(queries, balls, strict=True):
        assert set(HammingIndex(codes).within(query, 40)[1]) == set(ball)
