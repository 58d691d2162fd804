"""The hidden tests of assignment 2."""
# CANARY 1863d18c8b01b908008227ff9d176758
import numpy as np

from minidl.grading.checks import check, check_array


def test_pca_of_wide_data(student, rng, reference):
    x = rng.standard_normal((6, 30)) + 100
    answer, expected = student.pca_fit(x, 5), reference.pca_fit(x, 5)
    for value, right, name in zip(answer, expected, ("mean", "components", "variances"), strict=True):
        check_array(value, right, rtol=1e-7, atol=1e-8, name=name)


def test_pca_leaves_the_data_as_they_are(student, rng, reference):
    x = rng.standard_normal((10, 4)) + 5
    _, components, _ = student.call_twice("pca_fit", x, 2)
    check_array(np.abs(components), np.abs(reference.pca_fit(x, 2)[1]), rtol=1e-7, name="the components")


def test_the_share_of_constant_data_is_zero(student):
    shares = student.call_twice("explained_variance_ratio", np.full((8, 3), 2.5), np.zeros(2))
    check_array(shares, np.zeros(2), name="the shares of no variance")


def test_codes_and_samples_of_three_components(student, rng):
    noise, mean = rng.standard_normal((7, 3)), rng.standard_normal(5)
    components, variances = np.linalg.qr(rng.standard_normal((5, 3)))[0].T, np.array([9.0, 4.0, 0.25])
    expected = mean + sum(np.outer(noise[:, i] * variances[i] ** 0.5, components[i]) for i in range(3))
    check_array(student.call_twice("pca_sample", noise, mean, components, variances), expected, name="the samples")
    check_array(student.call_twice("pca_decode", noise * variances ** 0.5, mean, components), expected, name="decoded")
    codes = student.call_twice("pca_encode", expected, mean, components)
    check_array(codes, noise * variances ** 0.5, atol=1e-9, name="encoded")


def test_ties_go_to_the_first_and_distances_are_never_negative(student, rng):
    x = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    labels, squares = student.call_twice("assign", x, np.array([[2.0, 0.0], [0.0, 0.0], [2.0, 0.0]]))
    check_array(labels, np.array([1, 0, 0]), name="the labels")
    check_array(squares, np.array([0.0, 0.0, 1.0]), name="the squared distances")
    far = 1e7 + rng.standard_normal((50, 3))
    _, squares = student.assign(far, far[:10])
    check(np.all(np.asarray(squares) >= 0), "a squared distance is below 0")
    expected = [min(((row - centre) ** 2).sum() for centre in far[:10]) for row in far]
    check_array(squares, np.array(expected), atol=1e-3, name="the squared distances far from the origin")


def test_an_empty_cluster_moves_to_the_farthest_point(student, rng):
    x = rng.standard_normal((12, 3))
    squares = rng.random(12)
    squares[[4, 7]], squares[9] = 5.0, 3.0
    labels = np.array([1, 3] * 6)
    expected = np.zeros((6, 3))
    expected[1], expected[3] = x[::2].mean(axis=0), x[1::2].mean(axis=0)
    expected[0], expected[2], expected[4] = x[4], x[7], x[9]
    expected[5] = x[np.argsort(-squares, kind="stable")[3]]
    check_array(student.call_twice("update", x, labels, squares, 6), expected, name="the centres")


def test_lloyd_counts_its_iterations(student, rng, reference):
    x = rng.standard_normal((80, 3))
    for limit in (1, 2, 100):
        answer, expected = student.call_twice("lloyd", x, x[:7], limit), reference.lloyd(x, x[:7], limit)
        check(answer[3] == expected[3], f"with max_iter {limit} there are {expected[3]} updates, not {answer[3]}")
        check_array(np.asarray(answer[2]), np.asarray(expected[2]), rtol=1e-9, name="the sums of squares")
        check_array(answer[0], expected[0], rtol=1e-9, name="the centres")
        check_array(answer[1], expected[1], name="the labels")


def test_a_draw_is_the_place_in_the_cumulative_shares(student, rng, reference):
    x, draws = rng.standard_normal((30, 2)), rng.random(5)
    centres = student.call_twice("kmeans_plus_plus", x, 6, 4, draws)
    check_array(centres, reference.kmeans_plus_plus(x, 6, 4, draws), name="the centres")
    line = np.array([[0.0], [1.0], [2.0]])                   # shares 0, 1/5, 4/5
    for u, chosen in ((0.0, 1.0), (0.19, 1.0), (0.2, 2.0), (0.99, 2.0)):
        check_array(student.kmeans_plus_plus(line, 2, 0, np.array([u])), np.array([[0.0], [chosen]]))


def test_points_that_coincide_are_not_chosen_twice(student, rng):
    x = np.repeat(np.arange(4.0)[:, None], 5, axis=0)
    for draws in (np.zeros(3), rng.random(3), np.full(3, 1 - 1e-12)):
        centres = student.kmeans_plus_plus(x, 4, 7, draws)
        check_array(np.sort(np.asarray(centres), axis=0), np.arange(4.0)[:, None], name="the centres, sorted")


def test_codes_and_samples_of_four_clusters(student, rng):
    labels, centres = np.array([2, 0, 2, 2, 0, 3, 3, 2, 2, 2]), rng.standard_normal((4, 3))
    draws = np.array([0.0, 0.19, 0.21, 0.5, 0.79, 0.81, 0.999])
    expected = centres[[0, 0, 2, 2, 2, 3, 3]]
    check_array(student.call_twice("kmeans_sample", labels, centres, draws), expected, name="the samples")
    codes = student.call_twice("kmeans_encode", labels, 4)
    check_array(codes, (labels[:, None] == np.arange(4)).astype(float), name="the codes")
    check_array(student.call_twice("kmeans_decode", codes, centres), centres[labels], name="the reconstructions")
