"""k-means: the best of all partitions, inertia that never rises, no empty cluster, and what bad input is told."""
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl as md
from minidl import data
from minidl.linear import PCA, KMeans, MiniBatchKMeans
from tests.standin.device import install

BOTH = pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])


def blobs(n=300, k=5, d=4, dtype=np.float64, seed=0, apart=6.0):
    """Rows around k centres that are far apart; returns rows, centres and each row's centre."""
    rng = np.random.default_rng(seed)
    centres = apart * rng.standard_normal((k, d))
    which = rng.permutation(np.arange(n) % k)
    return (centres[which] + rng.standard_normal((n, d))).astype(dtype), centres, which


def inertia(x, labels):
    """The sum of squared distances from the clusters' means, in float64."""
    x = x.astype(np.float64)
    return sum(float(((x[labels == j] - x[labels == j].mean(0))**2).sum()) for j in np.unique(labels))


def check(fitted, x, tolerance=1e-9):
    """What holds after any fit of KMeans that has converged."""
    k = fitted.n_clusters
    sizes = np.bincount(fitted.labels_, minlength=k)
    assert len(sizes) == k and sizes.min() > 0
    assert np.allclose(fitted.shares_, sizes / len(x))
    distances = ((x[:, None].astype(np.float64) - fitted.cluster_centers_)**2).sum(2)
    scale = 1e-12 + distances.max()
    assert np.all(distances[np.arange(len(x)), fitted.labels_] <= distances.min(1) + tolerance * scale)
    assert fitted.inertia_ == pytest.approx(distances.min(1).sum(), rel=1e-5, abs=tolerance * scale * len(x))
    assert fitted.inertia_history_[-1] == pytest.approx(fitted.inertia_, rel=1e-4, abs=1e4 * tolerance * scale)
    assert np.diff(fitted.inertia_history_).max(initial=0) <= tolerance * scale * len(x)


# What is found --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n, k, seed", [(6, 2, 0), (7, 3, 1), (8, 2, 2), (5, 4, 3)])
def test_enough_starts_find_the_best_of_all_partitions(n, k, seed):
    x = np.random.default_rng(seed).standard_normal((n, 2))
    best = min(inertia(x, np.array(labels)) for labels in itertools.product(range(k), repeat=n)
               if len(set(labels)) == k)
    fitted = KMeans(k, n_init=20, tol=0).fit(x)
    assert fitted.inertia_ == pytest.approx(best) and fitted.inertia_ == pytest.approx(inertia(x, fitted.labels_))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clusters_that_are_far_apart_are_found(dtype):
    x, _, which = blobs(dtype=dtype, apart=12.0)
    fitted = KMeans(5, n_init=4).fit(x)
    check(fitted, x, 1e-6 if dtype == "float32" else 1e-9)
    pairs = {(int(a), int(b)) for a, b in zip(which, fitted.labels_, strict=True)}
    assert len(pairs) == 5                                                    # one label for each true centre
    for a, b in pairs:
        assert np.allclose(fitted.cluster_centers_[b], x[which == a].mean(0), atol=1e-5)
    assert fitted.cluster_centers_.dtype == fitted.shares_.dtype == dtype


@given(n=st.integers(1, 40), d=st.integers(1, 4), k=st.integers(1, 8), seed=st.integers(0, 500),
       adversarial=st.booleans(), whole=st.booleans())
def test_inertia_never_rises_and_no_cluster_is_empty_even_from_a_bad_start(n, d, k, seed, adversarial, whole):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 50, (n, d)).astype(np.float64) if whole else rng.standard_normal((n, d))
    k = min(k, len(np.unique(x, axis=0)))
    init = 100 + rng.standard_normal((k, d)) if adversarial else "k-means++"    # all rows are nearest to one of them
    check(KMeans(k, init=init, tol=0, rng=seed).fit(x), x)
    check(KMeans(k, init=init, max_iter=1).fit(x), x)


def test_equal_starts_part_although_all_but_one_are_empty():
    x, _, which = blobs(k=4)
    fitted = KMeans(4, init=np.zeros((4, 4))).fit(x)
    check(fitted, x)
    assert len(set(zip(which, fitted.labels_, strict=True))) == 4


def test_a_lone_row_that_is_far_away_does_not_empty_its_own_cluster():
    x = np.concatenate([np.zeros((5, 1)), np.ones((5, 1)), [[100.0]]])
    fitted = KMeans(3, init=[[0.5], [80.0], [1000.0]], tol=0).fit(x)           # 80 catches one row, 1000 none
    assert np.allclose(np.sort(fitted.cluster_centers_[:, 0]), [0, 1, 100]) and fitted.inertia_ == pytest.approx(0)


def test_as_many_clusters_as_rows_leave_nothing():
    x, _, _ = blobs(n=30)
    fitted = KMeans(30).fit(x)
    check(fitted, x)
    assert fitted.inertia_ == 0 and np.array_equal(fitted.reconstruct(x), x)


def test_one_cluster_is_the_mean_as_pca_without_components_would_be():
    x, _, _ = blobs()
    fitted = KMeans(1).fit(x)
    assert np.allclose(fitted.cluster_centers_[0], x.mean(0))
    assert fitted.inertia_ == pytest.approx(inertia(x, np.zeros(len(x))))


def test_pca_with_one_component_less_is_never_worse():
    """k centres lie in a subspace of k - 1 dimensions, so that the constraint of slide 5 costs error."""
    x, _, _ = blobs(d=8, apart=1.0)
    for k in (2, 4, 7):
        left = ((PCA(k - 1).fit(x).reconstruct(x) - x)**2).sum()
        assert left <= KMeans(k, n_init=3).fit(x).inertia_


def test_more_starts_are_no_worse_and_the_best_is_kept():
    x, _, _ = blobs(k=12, apart=2.0)
    few, many = (KMeans(12, n_init=n, rng=3, tol=0).fit(x) for n in (1, 8))
    assert many.inertia_ < few.inertia_                                 # the first start is the same one
    assert many.inertia_ == pytest.approx(inertia(x, many.labels_)) == pytest.approx(many.inertia_history_[-1])


def test_candidates_make_a_good_start():
    """The start of k-means++ is within 8 (log k + 2) of the best in the mean; with candidates it is far nearer."""
    x, _, which = blobs(n=1000, k=20)
    starts = [KMeans(20, max_iter=1, rng=seed).fit(x).inertia_history_[0] for seed in range(20)]
    assert np.mean(starts) < 2.5 * inertia(x, which)
    everywhere = [KMeans(20, max_iter=1, init=x[np.random.default_rng(seed).permutation(1000)[:20]]).fit(x)
                  .inertia_history_[0] for seed in range(20)]
    assert np.mean(starts) < 0.3 * np.mean(everywhere)


def test_a_large_tolerance_and_few_rounds_end_early():
    x, _, _ = blobs(n=2000, k=12, apart=1.0)
    full = KMeans(12, tol=0, init=x[:12]).fit(x)
    assert KMeans(12, tol=0.01, init=x[:12]).fit(x).n_iter_ < full.n_iter_
    short = KMeans(12, tol=0, max_iter=3, init=x[:12]).fit(x)
    assert short.n_iter_ == 3 and short.inertia_history_ == pytest.approx(full.inertia_history_[:4])
    assert len(full.inertia_history_) == full.n_iter_ + 1


@BOTH
@pytest.mark.parametrize("offset", [0, 1e4, -3e5])
def test_float32_survives_an_offset_that_dwarfs_the_distances(estimator, offset):
    x, _, which = blobs(n=2000, dtype=np.float32)
    x = x + np.float32(offset)
    fitted = estimator(5, rng=1).fit(x)
    assert len(set(zip(which, fitted.labels_, strict=True))) == 5
    assert np.array_equal(fitted.encode(x), fitted.labels_)
    assert fitted.inertia_ == pytest.approx(inertia(x, fitted.labels_), rel=2e-3)


def test_two_pairs_far_apart_are_four_clusters():
    x = np.array([[-10000], [-9999], [10000], [10001]], np.float32)
    for estimator in (KMeans, MiniBatchKMeans):
        fitted = estimator(4).fit(x)
        assert np.array_equal(np.sort(fitted.cluster_centers_[:, 0]), x[:, 0])
        assert fitted.inertia_ == 0 and sorted(fitted.labels_) == [0, 1, 2, 3]


@BOTH
@pytest.mark.parametrize("gap", [0, 10, 1e3, 1e5])
@pytest.mark.parametrize("groups, d", [(1, 2), (2, 1), (3, 2), (4, 30)])
def test_labels_are_the_nearest_centres_however_far_apart_the_groups_are(estimator, gap, groups, d):
    rng = np.random.default_rng(groups)
    x = (gap * rng.standard_normal((groups, d))[rng.integers(0, groups, 400)]
         + rng.standard_normal((400, d))).astype(np.float32)
    fitted = estimator(9, rng=1).fit(x)
    exact = ((x[:, None].astype(np.float64) - fitted.cluster_centers_)**2).sum(2)
    assert np.array_equal(fitted.labels_, exact.argmin(1)) and np.array_equal(fitted.encode(x), fitted.labels_)
    assert np.array_equal(fitted.encode(x[7:9]), fitted.labels_[7:9])
    assert fitted.inertia_ == pytest.approx(exact.min(1).sum(), rel=1e-6)
    assert np.bincount(fitted.labels_).min() > 0
    if estimator is KMeans:
        assert np.diff(fitted.inertia_history_).max(initial=0) <= 1e-5 * fitted.inertia_history_[0]


@pytest.mark.parametrize("gap", [1e3, 1e5])
def test_clusters_within_groups_far_apart_are_found(gap):
    rng = np.random.default_rng(0)
    centres = (gap * np.array([[0, 0], [1, 0], [0, 1]])[:, None] + [[9, 9], [-9, 9], [0, -9]]).reshape(9, 2)
    which = rng.permutation(900) % 9
    x = (centres[which] + rng.standard_normal((900, 2))).astype(np.float32)
    fitted = KMeans(9, n_init=3, tol=0).fit(x)
    assert len(set(zip(which, fitted.labels_, strict=True))) == 9
    assert fitted.inertia_ == pytest.approx(inertia(x, which), rel=1e-4)
    for a, b in zip(which, fitted.labels_, strict=True):
        assert np.allclose(fitted.cluster_centers_[b], x[which == a].mean(0, dtype=float), atol=1e-7 * gap)


@pytest.mark.parametrize("offset", [1e6, 1e7])
def test_an_offset_that_rounds_the_centres_keeps_labels_and_codes_together(offset):
    """float32 has steps of 1/16 and 1 there: clusters must be of what is left of the rows, none may be empty."""
    x = (np.random.default_rng(0).standard_normal((500, 2)) * 4 + offset).astype(np.float32)
    fitted = KMeans(12).fit(x)
    assert np.array_equal(fitted.encode(x), fitted.labels_) and np.bincount(fitted.labels_, minlength=12).min() > 0
    exact = ((x[:, None].astype(np.float64) - fitted.cluster_centers_)**2).sum(2)
    assert np.array_equal(fitted.labels_, exact.argmin(1)) and fitted.inertia_ == pytest.approx(exact.min(1).sum())


def test_of_equally_near_centres_the_first_is_the_label():
    fitted = KMeans(2, init=[[0.0], [2.0]], max_iter=1).fit([[0.0], [1.0], [2.0], [3.0]])
    fitted.cluster_centers_[:] = [[0], [2]]
    assert fitted.encode(np.array([[1.0], [1.0001], [0.9999]])).tolist() == [0, 1, 0]


def test_rows_that_leave_a_cluster_leave_nothing_behind_in_its_sum():
    x = np.concatenate([np.full((3000, 3), 0.1), np.full((1, 3), 0.7)]).astype(np.float32)
    fitted = KMeans(2, init=np.array([[9, 9, 9], [0.69, 0.69, 0.69]]), tol=0).fit(x)
    assert np.allclose(np.sort(fitted.cluster_centers_[:, 0]), [0.1, 0.7], atol=1e-6)


def test_constant_features_change_nothing():
    x, _, _ = blobs()
    wide = np.concatenate([x, np.full((len(x), 2), 7.0)], axis=1)
    assert np.array_equal(KMeans(5, init=wide[:5]).fit(wide).labels_, KMeans(5, init=x[:5]).fit(x).labels_)


@BOTH
def test_a_fit_repeats_bit_for_bit_and_leaves_data_and_start_alone(estimator):
    x, _, _ = blobs(dtype=np.float32)
    before, init = x.copy(), x[:5].copy()
    a, b = (estimator(5, rng=3).fit(x) for _ in range(2))
    assert np.array_equal(a.cluster_centers_, b.cluster_centers_) and a.inertia_history_ == b.inertia_history_
    estimator(5, init=init).fit(x + 1000)
    estimator(5, init=init).fit(x)
    assert np.array_equal(x, before) and np.array_equal(init, x[:5])


# Mini-batches ---------------------------------------------------------------------------------------------------------


def test_a_step_moves_each_centre_as_sculleys_algorithm_does_row_by_row():
    x, _, _ = blobs(n=60)
    fitted = MiniBatchKMeans(3, batch_size=20, max_iter=2, init=x[:3], rng=5).fit(x)
    centres, counts, rng = x[:3].copy(), np.zeros(3), np.random.default_rng(5)
    for _ in range(2):
        order = rng.permutation(60)
        for batch in (x[order[i:i + 20]] for i in range(0, 60, 20)):
            nearest = ((batch[:, None] - centres)**2).sum(2).argmin(1)
            for row, j in zip(batch, nearest, strict=True):                    # lines 7 to 12 of his algorithm 1
                counts[j] += 1
                centres[j] = (1 - 1 / counts[j]) * centres[j] + row / counts[j]
    assert np.allclose(fitted.cluster_centers_, centres) and len(fitted.inertia_history_) == 6 + 1


def test_small_batches_come_near_to_what_all_rows_find():
    x, _, which = blobs(n=3000, k=8)
    small = MiniBatchKMeans(8, batch_size=100, rng=1).fit(x)
    assert small.inertia_ < 1.02 * inertia(x, which)
    assert np.array_equal(small.labels_, small.encode(x)) and np.bincount(small.labels_).min() > 0
    assert small.inertia_history_[-1] == small.inertia_
    assert np.mean(small.inertia_history_[-20:-1]) == pytest.approx(small.inertia_, rel=0.1)


def test_a_centre_that_no_batch_has_come_near_is_moved_to_where_rows_are():
    x, _, which = blobs(n=1000, k=4)
    fitted = MiniBatchKMeans(4, batch_size=100, init=np.full((4, 4), 500.0)).fit(x)
    assert fitted.inertia_ < 2 * inertia(x, which) < 0.1 * inertia(x, 0 * which)


# The four verbs -------------------------------------------------------------------------------------------------------


@BOTH
def test_a_code_is_a_label_and_its_decoding_the_centre(estimator):
    x, _, _ = blobs()
    fitted = estimator(5).fit(x)
    assert np.array_equal(fitted.encode(x), fitted.labels_)
    assert np.array_equal(fitted.decode([4, 0]), fitted.cluster_centers_[[4, 0]])
    assert np.array_equal(fitted.reconstruct(x), fitted.cluster_centers_[fitted.labels_])
    assert np.array_equal(fitted.encode(fitted.cluster_centers_), np.arange(5))
    assert np.array_equal(fitted.encode(md.Tensor(x[:3])), fitted.labels_[:3])
    assert fitted.encode(x[:2].astype(np.float32)).shape == (2,) and len(fitted.encode(x[:0])) == 0


def test_samples_are_centres_as_often_as_the_data_have_them():
    x = np.repeat([[0.0], [1.0], [5.0]], [100, 300, 600], axis=0)
    drawn = KMeans(3).fit(x).sample(20_000, rng=1)
    values, counts = np.unique(drawn, return_counts=True)
    assert np.array_equal(values, [0, 1, 5]) and np.allclose(counts / 20_000, [0.1, 0.3, 0.6], atol=0.015)
    assert np.array_equal(drawn, KMeans(3).fit(x).sample(20_000, rng=1))


@BOTH
@pytest.mark.parametrize("offset", [0, 1000])
def test_the_stand_in_device_finds_the_same(estimator, offset):
    device = install()
    x, _, _ = blobs(n=1500, dtype=np.float32)
    x += np.float32(offset)
    for init in ("k-means++", np.full((5, 4), 9.0, np.float32)):
        here, there = estimator(5, init=init).fit(x), estimator(5, init=init).fit(device.put(x))
        assert np.array_equal(there.cluster_centers_.get(), here.cluster_centers_)
        assert there.inertia_ == here.inertia_ and there.inertia_history_ == here.inertia_history_
        assert np.array_equal(there.encode(device.put(x)).get(), here.labels_)
        assert np.array_equal(there.sample(7, 0).get(), here.sample(7, 0))
    with pytest.raises(md.InputError, match="x is on 'cpu', what was learned on 'standin'"):
        there.encode(x)
    with pytest.raises(md.InputError, match="'cpu'"):
        there.decode(np.array([1]))


# Bad input ------------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("arguments, sentence", [
    (dict(n_clusters=0), "n_clusters is a whole number of at least 1, not 0"), (dict(n_clusters=2.5), "whole number"),
    (dict(n_clusters=2, n_init=0), "n_init"), (dict(n_clusters=2, max_iter=0), "max_iter"),
    (dict(n_clusters=2, init="random"), "'k-means..' or an array of 2 centres, not 'random'"),
    (dict(n_clusters=2, init=np.eye(2), n_init=3), "all 3 starts would begin at the same")])
def test_bad_settings_are_told_at_once(estimator, arguments, sentence):
    with pytest.raises(md.InputError, match=sentence):
        estimator(**arguments)


def test_bad_settings_of_one_kind_only():
    with pytest.raises(md.InputError, match="tol is a finite number of at least 0, not -1"):
        KMeans(2, tol=-1)
    with pytest.raises(md.InputError, match="MiniBatchKMeans: batch_size"):
        MiniBatchKMeans(2, batch_size=0)


HOLE = np.where(np.arange(50).reshape(10, 5) == 7, np.nan, 1.0)


@BOTH
@pytest.mark.parametrize("x, sentence", [
    (np.zeros((3, 2)), "4 clusters need at least 4 rows.*n_clusters up to 3"), (np.zeros(10), r"not \(10,\)"),
    (np.zeros((10, 2, 2)), "reshape"), (np.zeros((9, 0)), r"\(9, 0\)"),
    (HOLE, "not finite"), (np.where(np.isnan(HOLE), np.inf, HOLE), "not finite"),
    (np.full((10, 2), 1e30, np.float32), "so large that their squares are not"),
    (np.repeat(np.eye(3), 4, axis=0), "n_clusters is 4, but only 3 of the rows differ.*at most 3"),
    (np.full((10, 3), 2.5, np.float32), "only 1 of the rows differ by more than float32 can tell")])
def test_bad_data_get_a_sentence(estimator, x, sentence):
    with pytest.raises(md.InputError, match=sentence):
        estimator(4).fit(x)


@BOTH
@pytest.mark.parametrize("init, sentence", [
    (np.zeros((3, 3)), r"init has shape \(3, 3\); 2 centres of 3 features are \(2, 3\)"),
    (np.zeros((2, 2)), "features"), (5, r"init has shape \(\)"),
    (np.array([[0, 0, np.nan], [1, 1, 1]]), "init holds values that are not finite")])
def test_a_start_of_another_kind_gets_a_sentence(estimator, init, sentence):
    with pytest.raises(md.InputError, match=sentence):
        estimator(2, init=init).fit(blobs(d=3)[0])


@BOTH
def test_verbs_say_what_they_need(estimator):
    model, name = estimator(5), estimator.__name__
    for call in (lambda: model.encode(np.zeros((1, 4))), lambda: model.decode([0]), lambda: model.sample(1, 0)):
        with pytest.raises(md.InputError, match=f"this {name} has learned nothing yet; call fit"):
            call()
    model.fit(blobs()[0])
    with pytest.raises(md.InputError, match=rf"{name}.encode: this {name} takes rows of 4 numbers, x has .*\(1, 3\)"):
        model.encode(np.zeros((1, 3)))
    for labels, sentence in (([0, 5], "labels go from 0 to 4, these from 0 to 5"), ([-1], "from -1 to -1"),
                             ([0.5], "whole number for each row"), ([[1]], r"not int64 \(1, 1\)"), (3, "not int")):
        with pytest.raises(md.InputError, match=sentence):
            model.decode(labels)


# Real data ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_clusters_of_mnist_have_the_inertia_that_is_known():
    try:
        x = data.load("mnist").flat().x_train
    except md.InputError as error:
        pytest.skip(str(error))
    found = [KMeans(10, tol=0, rng=seed).fit(x).inertia_ for seed in range(5)]
    assert min(found) <= 2.3535e6 and np.median(found) <= 2.360e6, found
