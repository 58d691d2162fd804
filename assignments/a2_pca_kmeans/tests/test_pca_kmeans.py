"""The public tests of assignment 2."""
import numpy as np

from minidl.grading.checks import check, check_array, check_shape, check_values


def rows(rng, n=40, d=5):
    """Data with a mean, and with different variances along slanted directions."""
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return rng.standard_normal((n, d)) * np.linspace(3, 0.5, d) @ turn + 10 * rng.standard_normal(d)


def clusters(rng, k=3, d=2, each=15):
    """Points around k centres that are far apart."""
    centres = 20 * np.linalg.qr(rng.standard_normal((max(k, d), d)))[0][:k] + np.arange(k)[:, None] * 30
    return (centres[:, None] + rng.standard_normal((k, each, d))).reshape(-1, d)


# 1: PCA ---------------------------------------------------------------------------------------------------------------


def test_components_are_orthonormal_and_of_falling_variance(student, rng):
    x = rows(rng)
    mean, components, variances = check_values(student.pca_fit(x, 3), 3, "pca_fit")
    check_array(mean, x.mean(axis=0), name="the mean")
    check_shape(components, (3, 5), name="the array of components")
    check_array(components @ components.T, np.eye(3), atol=1e-9, name="components times their transpose")
    check_array(variances, np.diag(components @ np.cov(x.T) @ components.T), name="the variances")
    check(np.all(np.diff(variances) <= 0), f"the variances do not fall, they are {variances.round(4).tolist()}")


def test_no_other_subspace_has_a_smaller_error(student, rng):
    x = rows(rng)
    _, components, _ = check_values(student.pca_fit(x, 2), 3, "pca_fit")
    check_shape(components, (2, 5), name="the array of components")
    covariance = np.cov(x.T)
    lost = np.trace(covariance) - np.trace(components @ covariance @ components.T)
    check_array(lost, np.linalg.eigvalsh(covariance)[:3].sum(), rtol=1e-8, name="the variance that two components lose")


def test_signs_are_chosen(student, rng):
    x = rows(rng)
    for data in (x, -x, rows(rng), rows(rng)):
        _, components, _ = check_values(student.pca_fit(data, 4), 3, "pca_fit")
        check_shape(components, (4, 5), name="the array of components")
        check_array((components ** 2).sum(axis=1), np.ones(4), name="the squared lengths of the components")
        largest = components[np.arange(4), np.abs(components).argmax(axis=1)]
        check(np.all(largest > 0), f"the entry of greatest size in component {largest.argmin()} is {largest.min():.4g};"
              " a positive one is wanted")


def test_the_share_of_the_variance(student, rng):
    x = 10 * rng.standard_normal(3) + [[0, 0, 5], [2, 4, 5]]                        # variances 2, 8 and 0
    shares = student.explained_variance_ratio(x, np.array([6.0, 1.0]))
    check_shape(shares, (2,), name="the array of shares")
    check(not np.allclose(shares, [6 / 7, 1 / 7]), "your shares are of the two variances given; those of all of x's "
          "are wanted")
    check(not np.allclose(shares, [1.2, 0.2]), "your features' variances have n in the denominator; n - 1 is wanted")
    check_array(shares, np.array([0.6, 0.1]), name="the shares")


def basis(rng, k=2, d=5):
    return rng.standard_normal(d), np.linalg.qr(rng.standard_normal((d, k)))[0].T


def test_codes_are_coordinates(student, rng):
    mean, components = basis(rng)
    beside = np.linalg.svd(components)[2][-1]                                       # orthogonal to the subspace
    x = np.array([mean, mean + 2 * components[0], mean - 3 * components[1] + beside])
    check_array(student.pca_encode(x, mean, components), np.array([[0.0, 0], [2, 0], [0, -3]]), atol=1e-9,
                name="the codes")


def test_decoding_gives_the_points_with_these_coordinates(student, rng):
    mean, components = basis(rng)
    points = student.pca_decode(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, -3.0]]), mean, components)
    check_array(points, np.array([mean, mean + 2 * components[0], mean - 3 * components[1]]),
                name="the array of points with the coordinates (0, 0), (2, 0) and (0, -3)")


def test_a_sample_is_the_noise_scaled_and_decoded(student, rng):
    mean, components = basis(rng)
    drawn = student.pca_sample(np.array([[1.0, 0.0], [0.0, -2.0]]), mean, components, np.array([9.0, 0.25]))
    check_array(drawn, mean + np.array([3 * components[0], -components[1]]), name="the samples")


# 2: k-means -----------------------------------------------------------------------------------------------------------


def test_each_point_goes_to_its_nearest_centre(student, rng):
    x, centres = rng.standard_normal((30, 4)), rng.standard_normal((5, 4))
    labels, squares = check_values(student.assign(x, centres), 2, "assign")
    table = np.array([[((a - b) ** 2).sum() for b in centres] for a in x])
    check_array(labels, table.argmin(axis=1), name="the labels")
    check_array(squares, table.min(axis=1), name="the squared distances")


def test_centres_are_the_means_of_their_points(student, rng):
    x, labels = rng.standard_normal((20, 3)), np.arange(20) % 4
    expected = x.reshape(5, 4, 3).mean(axis=0)
    check_array(student.update(x, labels, rng.random(20), 4), expected, name="the centres")


def test_empty_clusters_move_to_the_worst_served_rows(student, rng):
    x, squares = rng.standard_normal((5, 3)), np.array([1.0, 7.0, 0.0, 9.0, 2.0])
    centres = student.update(x, np.ones(5, np.int64), squares, 3)
    check_shape(centres, (3, 3), name="the array of centres with two empty clusters")
    check(not np.array_equal(centres[0], centres[2]), "two empty clusters have moved to the same place")
    check_array(centres, np.array([x[3], x.mean(axis=0), x[1]]), name="the centres, where cluster 0 and 2 are empty")


def test_lloyd_stops_where_nothing_changes(student, rng):
    x = clusters(rng)
    centres, labels, sums, updates = check_values(student.lloyd(x, x[[0, 20, 40]]), 4, "lloyd")
    check_array(labels, np.repeat([0, 1, 2], 15), name="the labels")
    check_array(centres, x.reshape(3, 15, 2).mean(axis=1), name="the centres")
    check(len(sums) == updates + 1, f"you returned {len(sums)} sums of squares for {updates} updates; one more than "
          "updates is wanted")
    check(updates == 1, f"the first update changes no label here: 1 update was expected, {updates} came")


def test_the_error_never_rises(student, rng):
    x = rng.standard_normal((60, 3))
    centres, labels, sums, _ = check_values(student.lloyd(x, x[:6]), 4, "lloyd")
    check_shape(centres, (6, 3), name="the array of centres")
    sums = np.asarray(sums, float)
    nearest = ((x[:, None] - x[:6]) ** 2).sum(axis=2).min(axis=1)
    check_array(sums[0], nearest.sum(), name="the first sum of squares, to the centres that were given")
    check(np.all(np.diff(sums) <= 1e-9 * sums[0]), f"the sums of squares rise, they are {sums.tolist()}")
    check_array(((x - centres[labels]) ** 2).sum(), sums[-1], rtol=1e-9, name="the last sum of squares")


def test_far_points_are_likely_centres(student, rng):
    x = np.concatenate([np.zeros((50, 2)), np.full((1, 2), 100.0)])
    for u in rng.random(5):
        centres = student.kmeans_plus_plus(x, 2, 3, np.array([u]))
        check_array(centres, np.array([[0.0, 0.0], [100.0, 100.0]]), name="the centres")


# 3: k-means as an autoencoder -----------------------------------------------------------------------------------------


def test_a_code_is_one_hot(student, rng):
    expected = np.array([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    check_array(student.kmeans_encode(np.array([2, 0, 1, 2]), 4), expected, name="the codes of the labels 2, 0, 1, 2")


def test_decoding_is_a_product_as_in_pca(student, rng):
    z, centres = np.eye(4)[rng.integers(4, size=9)], rng.standard_normal((4, 3))
    check_array(student.kmeans_decode(z, centres), np.array([centres[row.argmax()] for row in z]),
                name="the reconstructions of one-hot codes")
    halves = np.array([[0.5, 0, 0.5, 0], [0, 0.25, 0, 0.75]])
    expected = np.array([(centres[0] + centres[2]) / 2, (centres[1] + 3 * centres[3]) / 4])
    check_array(student.kmeans_decode(halves, centres), expected, name="the reconstructions of codes between centres")


def test_a_sample_is_a_centre(student, rng):
    labels, centres = np.array([0, 0, 0, 1]), rng.standard_normal((2, 3))
    drawn = student.kmeans_sample(labels, centres, np.array([0.1, 0.8, 0.7]))
    check_array(drawn, centres[[0, 1, 0]], name="the samples")
