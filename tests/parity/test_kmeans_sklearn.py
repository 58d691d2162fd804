"""k-means from the same start: scikit-learn's centres, labels, inertia and number of rounds."""
import warnings

import numpy as np
import pytest

from minidl import data
from minidl.linear import KMeans, MiniBatchKMeans

cluster = pytest.importorskip("sklearn.cluster")
pytestmark = pytest.mark.parity

# Pixels of few values put rows at the same distance from two centres, and rounding decides: noise prevents that.
DIGITS = data.load("digits").flat().x_train + 0.02 * np.random.default_rng(2).standard_normal((1437, 64))


def rows(name, dtype):
    rng = np.random.default_rng(0)
    x = {"digits": DIGITS, "blobs": rng.standard_normal((500, 3)) + 5 * rng.integers(0, 4, (500, 1)),
         "offset": DIGITS * 16 + 1e4}[name]
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, k", [("digits", 10), ("blobs", 4), ("offset", 10), ("digits", 60)])
@pytest.mark.parametrize("tol", [0, 1e-4, 1e-2])
def test_lloyd_from_the_same_start_goes_the_same_way(name, k, tol, dtype):
    x = rows(name, dtype)
    init = x[np.random.default_rng(1).permutation(len(x))[:k]]
    ours = KMeans(k, init=init, tol=tol).fit(x)
    peer = cluster.KMeans(k, init=init, n_init=1, tol=tol, algorithm="lloyd").fit(x)
    tolerance = 2e-4 if dtype == "float32" else 1e-9
    assert ours.n_iter_ == peer.n_iter_
    assert ours.inertia_ == pytest.approx(peer.inertia_, rel=1e-3 if name == "offset" else 1e-5)
    assert np.allclose(ours.cluster_centers_, peer.cluster_centers_, rtol=tolerance, atol=tolerance)
    assert np.array_equal(ours.labels_, peer.labels_) and np.array_equal(ours.encode(x), peer.labels_)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_few_rounds_end_where_scikit_learns_do(rounds):
    x = rows("digits", np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")              # that it has not converged
        peer = cluster.KMeans(10, init=x[:10], n_init=1, max_iter=rounds, tol=0, algorithm="lloyd").fit(x)
    ours = KMeans(10, init=x[:10], max_iter=rounds, tol=0).fit(x)
    assert ours.n_iter_ == peer.n_iter_ == rounds and ours.inertia_ == pytest.approx(peer.inertia_)
    assert np.allclose(ours.cluster_centers_, peer.cluster_centers_) and np.array_equal(ours.labels_, peer.labels_)


def test_starts_by_k_means_plus_plus_are_as_good_as_scikit_learns():
    x = rows("digits", np.float64)
    ours = [KMeans(10, max_iter=1, rng=seed).fit(x).inertia_history_[0] for seed in range(30)]
    theirs = []
    for seed in range(30):
        start, _ = cluster.kmeans_plusplus(x, 10, random_state=seed)
        theirs.append(((x[:, None] - start)**2).sum(2).min(1).sum())
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=3 * np.std(theirs) / np.mean(theirs) / 30**0.5)


def test_mini_batches_move_the_centres_as_scikit_learns_do():
    """A batch of all rows, so that the order of the rows does not matter."""
    x = rows("digits", np.float64)
    ours = MiniBatchKMeans(10, batch_size=len(x), max_iter=7, init=x[:10]).fit(x)
    peer = cluster.MiniBatchKMeans(10, init=x[:10], n_init=1, reassignment_ratio=0)
    for _ in range(7):
        peer.partial_fit(x)
    assert np.allclose(ours.cluster_centers_, peer.cluster_centers_)
