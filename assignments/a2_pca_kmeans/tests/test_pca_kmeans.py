"""The public tests of assignment 2."""
import numpy as np

from minidl.grading.checks import check, check_array, check_values


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
    check(components.shape == (3, 5), f"the components have shape {components.shape}, (3, 5) was expected")
    check_array(components @ components.T, np.eye(3), atol=1e-9, name="components times their transpose")
    along = (x - x.mean(axis=0)) @ components.T
    check_array(variances, along.var(axis=0, ddof=1), name="the variances")
    check(np.all(np.diff(variances) <= 0), "the variances must fall")


def test_no_other_subspace_has_a_smaller_error(student, rng):
    x = rows(rng)
    _, components, _ = check_values(student.pca_fit(x, 2), 3, "pca_fit")
    centred = x - x.mean(axis=0)
    error = ((centred - centred @ components.T @ components) ** 2).sum()
    least = np.linalg.eigvalsh(centred.T @ centred)[:3].sum()
    check_array(error, least, rtol=1e-8, name="the squared error of the reconstruction")


def test_signs_are_chosen(student, rng):
    x = rows(rng)
    for data in (x, -x, rows(rng), rows(rng)):
        _, components, _ = check_values(student.pca_fit(data, 4), 3, "pca_fit")
        largest = components[np.arange(4), np.abs(components).argmax(axis=1)]
        check(np.all(largest > 0), "the entry of greatest size in each component must be positive")


def test_the_share_of_the_variance(student, rng):
    x = rows(rng)
    variances = np.array([4.0, 1.0])
    total = ((x - x.mean(axis=0)) ** 2).sum() / (len(x) - 1)
    check_array(student.explained_variance_ratio(x, variances), variances / total, name="the shares")


def basis(rng, k=2, d=5):
    return rng.standard_normal(d), np.linalg.qr(rng.standard_normal((d, k)))[0].T


def test_codes_are_coordinates(student, rng):
    mean, components = basis(rng)
    z = rng.standard_normal((6, 2))
    x = mean + z @ components
    check_array(student.pca_encode(x, mean, components), z, atol=1e-9, name="the codes")


def test_decoding_gives_the_nearest_point_of_the_subspace(student, rng):
    mean, components = basis(rng)
    x, z = rng.standard_normal((6, 5)), rng.standard_normal((6, 2))
    check_array(student.pca_decode(z, mean, components), mean + z @ components, name="pca_decode's result")
    nearest = student.pca_decode((x - mean) @ components.T, mean, components)
    check_array((x - nearest) @ components.T, np.zeros((6, 2)), atol=1e-9, name="the residual along the subspace")


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
    expected = np.array([x[labels == j].mean(axis=0) for j in range(4)])
    check_array(student.update(x, labels, rng.random(20), 4), expected, name="the centres")


def test_lloyd_stops_where_nothing_changes(student, rng):
    x = clusters(rng)
    centres, labels, sums, updates = check_values(student.lloyd(x, x[[0, 20, 40]]), 4, "lloyd")
    check_array(labels, np.repeat([0, 1, 2], 15), name="the labels")
    check_array(centres, x.reshape(3, 15, 2).mean(axis=1), name="the centres")
    check(updates >= 1 and len(sums) == updates + 1, "there is one sum of squares more than updates")


def test_the_error_never_rises(student, rng):
    x = rng.standard_normal((60, 3))
    centres, labels, sums, _ = check_values(student.lloyd(x, x[:6]), 4, "lloyd")
    sums = np.asarray(sums, float)
    check(np.all(np.diff(sums) <= 1e-9 * sums[0]), f"the sums of squares must not rise, they are {list(sums)}")
    check_array(((x - centres[labels]) ** 2).sum(), sums[-1], rtol=1e-9, name="the last sum of squares")


def test_far_points_are_likely_centres(student, rng):
    x = np.concatenate([np.zeros((50, 2)), np.full((1, 2), 100.0)])
    for u in rng.random(5):
        centres = student.kmeans_plus_plus(x, 2, 3, np.array([u]))
        check_array(centres, np.array([[0.0, 0.0], [100.0, 100.0]]), name="the centres")


# 3: k-means as an autoencoder -----------------------------------------------------------------------------------------


def test_a_code_is_one_hot(student, rng):
    labels = rng.integers(4, size=9)
    expected = np.zeros((9, 4))
    expected[np.arange(9), labels] = 1
    check_array(student.kmeans_encode(labels, 4), expected, name="the codes")


def test_decoding_is_a_product_as_in_pca(student, rng):
    z, centres = np.eye(4)[rng.integers(4, size=9)], rng.standard_normal((4, 3))
    check_array(student.kmeans_decode(z, centres), np.array([centres[row.argmax()] for row in z]))
    soft = rng.dirichlet(np.ones(4), size=5)
    check_array(student.kmeans_decode(soft, centres), np.einsum("nk,kd->nd", soft, centres), name="of soft codes")


def test_a_sample_is_a_centre(student, rng):
    labels, centres = np.array([0, 0, 0, 1]), rng.standard_normal((2, 3))
    drawn = student.kmeans_sample(labels, centres, np.array([0.1, 0.8, 0.7]))
    check_array(drawn, centres[[0, 1, 0]], name="the samples")
