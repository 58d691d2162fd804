"""Ways along a manifold against SciPy's Dijkstra, trustworthiness and Isomap against scikit-learn."""
import numpy as np
import pytest

from minidl import data
from minidl.metrics import classical_mds, geodesic_distances, trustworthiness

pytestmark = pytest.mark.parity
ROLL, PLACE = data.swiss_roll(250, rng=np.random.default_rng(0), noise=0.2)


@pytest.fixture(scope="module")
def neighbours():
    return pytest.importorskip("sklearn.neighbors")


@pytest.mark.parametrize("k", [5, 8, 30])
def test_ways_are_scipys_shortest_paths(neighbours, k):
    csgraph = pytest.importorskip("scipy.sparse.csgraph")
    graph = neighbours.kneighbors_graph(ROLL.astype(np.float64), k, mode="distance")
    expected = csgraph.shortest_path(graph, method="D", directed=False)
    np.testing.assert_allclose(geodesic_distances(ROLL, neighbors=k), expected, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 10, 100])
def test_trust_is_scikit_learns(neighbours, k):
    manifold = pytest.importorskip("sklearn.manifold")
    code = np.random.default_rng(1).normal(size=(250, 2)) + ROLL[:, :2]
    expected = manifold.trustworthiness(ROLL.astype(np.float64), code, n_neighbors=k)
    assert trustworthiness(ROLL, code, neighbors=k) == pytest.approx(expected, rel=1e-12)


def test_scaling_of_ways_is_scikit_learns_isomap(neighbours):
    manifold = pytest.importorskip("sklearn.manifold")
    theirs = manifold.Isomap(n_neighbors=8, n_components=2).fit_transform(ROLL.astype(np.float64))
    ours = classical_mds(geodesic_distances(ROLL, neighbors=8), 2)
    np.testing.assert_allclose(ours * np.sign((ours * theirs).sum(0)), theirs, atol=1e-6 * np.abs(theirs).max())
