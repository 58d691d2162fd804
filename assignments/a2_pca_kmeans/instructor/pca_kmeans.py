"""Assignment 2: PCA and k-means, two answers to slide 5's question, both as encoder, decoder and sampler.

Data are rows: x has the shape (n, d). Real numbers are float64, in arguments and results; labels are int64, and results
of integers may have any integer dtype. No function may change its arguments.
"""
# CANARY 1d13c9745076913c0139a7bff30c095d
import numpy as np


def pca_fit(x, k):
    """The k directions of greatest variance, by a singular value decomposition of the centred data.

    Returns mean (d,), components (k, d) and variances (k,): a tuple. The components are orthonormal rows, by falling
    variance; the entry of greatest size in each is positive. A variance is that of the data along the component, with
    n - 1 in the denominator. n >= 2 and k <= min(n, d).

    >>> mean, components, variances = pca_fit(np.array([[1.0, 5.0], [1.0, 9.0]]), 1)
    >>> mean, np.abs(components).round(4), variances.round(4)
    (array([1., 7.]), array([[0., 1.]]), array([8.]))
    """
    # BEGIN SOLUTION task=1.1
    mean = x.mean(axis=0)
    _, s, vt = np.linalg.svd(x - mean, full_matrices=False)
    components = vt[:k]
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(k), largest])[:, None]
    return mean, components, s[:k] ** 2 / (len(x) - 1)
    # END SOLUTION


def explained_variance_ratio(x, variances):
    """Which share of the whole variance of x (n, d) each of the variances (k,) is: (k,).

    The whole variance is the sum of the features' variances, with n - 1. If it is exactly 0, every share is 0.

    >>> explained_variance_ratio(np.array([[1.0, 5.0], [3.0, 9.0]]), np.array([9.0, 1.0]))
    array([0.9, 0.1])
    """
    # BEGIN SOLUTION task=1.2
    total = x.var(axis=0, ddof=1).sum()
    return variances / total if total > 0 else np.zeros_like(variances)
    # END SOLUTION


def pca_encode(x, mean, components):
    """The coordinates of x (n, d) in the subspace: (n, k).

    >>> pca_encode(np.array([[1.0, 9.0]]), np.array([1.0, 7.0]), np.array([[0.0, 1.0]]))
    array([[2.]])
    """
    # BEGIN SOLUTION task=1.3
    return (x - mean) @ components.T
    # END SOLUTION


def pca_decode(z, mean, components):
    """The points of the subspace with the coordinates z (n, k): (n, d).

    >>> pca_decode(np.array([[2.0]]), np.array([1.0, 7.0]), np.array([[0.0, 1.0]]))
    array([[1., 9.]])
    """
    # BEGIN SOLUTION task=1.3
    return mean + z @ components
    # END SOLUTION


def pca_sample(noise, mean, components, variances):
    """New data (n, d): codes from a Gaussian with the variances (k,), decoded.

    noise: (n, k), drawn from the standard normal distribution; it becomes the codes.

    >>> pca_sample(np.array([[-1.0]]), np.array([1.0, 7.0]), np.array([[0.0, 1.0]]), np.array([9.0]))
    array([[1., 4.]])
    """
    # BEGIN SOLUTION task=1.3
    return mean + noise * np.sqrt(variances) @ components
    # END SOLUTION


def assign(x, centres):
    """For each row of x (n, d) its nearest of the centres (k, d), and how far it is.

    Returns labels (n,), whole numbers from 0 to k-1, the smaller of two that are equally near, and squared distances
    (n,), never below 0: a tuple. Without a loop over rows; one over the centres is fine.

    >>> assign(np.array([[0.0], [5.0]]), np.array([[1.0], [3.0]]))
    (array([0, 1]), array([1., 4.]))
    """
    # BEGIN SOLUTION task=2.1
    squares = ((x[:, None, :] - centres) ** 2).sum(axis=2)
    return squares.argmin(axis=1), squares.min(axis=1)
    # END SOLUTION


def update(x, labels, squares, k):
    """The new centres (k, d): the mean of each cluster's rows.

    labels (n,) and squares (n,) are as `assign` returns them. A cluster without rows moves to the row with the largest
    square, the first if there are several; a second empty cluster to the row with the next largest, and so on, in the
    order of the clusters. n >= k. (The row is not taken from its own cluster: the next `assign` does that.)

    >>> update(np.array([[0.0], [2.0], [9.0]]), np.array([0, 0, 0]), np.array([1.0, 0.0, 5.0]), 2).round(4)
    array([[3.6667],
           [9.    ]])
    """
    # BEGIN SOLUTION task=2.2
    centres = np.zeros((k, x.shape[1]))
    farthest = iter(np.argsort(-squares, kind="stable"))
    for j in range(k):
        members = x[labels == j]
        centres[j] = members.mean(axis=0) if len(members) else x[next(farthest)]
    return centres
    # END SOLUTION


def lloyd(x, centres, max_iter=100):
    """Lloyd's algorithm from the given centres (k, d): assign, update, until no label changes.

    Returns centres (k, d), labels (n,), the sum of squares of each assignment (a list of floats) and the number of
    updates, an int: a tuple. The centres are those to which the labels belong. It stops after an assignment whose
    labels equal those before, or after max_iter updates and one more assignment: either way there is one sum more than
    updates.

    >>> lloyd(np.array([[0.0], [2.0], [9.0]]), np.array([[0.0], [9.0]]))
    (array([[1.],
           [9.]]), array([0, 0, 1]), [4.0, 2.0], 1)
    """
    # BEGIN SOLUTION task=2.3
    def nearest():
        squares = ((x[:, None, :] - centres) ** 2).sum(axis=2)
        return squares.argmin(axis=1), squares.min(axis=1)

    labels, squares = nearest()
    sums = [float(squares.sum())]
    updates = 0
    while updates < max_iter:
        updates += 1
        farthest = iter(np.argsort(-squares, kind="stable"))
        centres = np.array([x[labels == j].mean(axis=0) if (labels == j).any() else x[next(farthest)]
                            for j in range(len(centres))])
        before = labels
        labels, squares = nearest()
        sums.append(float(squares.sum()))
        if np.array_equal(labels, before):
            break
    return centres, labels, sums, updates
    # END SOLUTION


def kmeans_plus_plus(x, k, first, draws):
    """k rows of x (n, d) as starting centres (k, d), far apart (Arthur & Vassilvitskii 2007).

    The first centre is row `first`. Each next one is a row drawn with a probability in proportion to its squared
    distance from the nearest centre so far: with the cumulative shares c (n,), of which the last is exactly 1, and the
    number u = draws[i], uniform in [0, 1), the first row whose c exceeds u. draws: (k - 1,). x has at least k different
    rows.

    >>> kmeans_plus_plus(np.array([[0.0], [1.0], [3.0]]), 2, 0, np.array([0.5]))       # c is 0, 0.1, 1
    array([[0.],
           [3.]])
    """
    # BEGIN SOLUTION task=2.4
    centres = [x[first]]
    squares = ((x - x[first]) ** 2).sum(axis=1)
    for u in draws:
        shares = np.cumsum(squares)
        shares = shares / shares[-1]
        chosen = int(np.searchsorted(shares, u, side="right"))
        centres.append(x[chosen])
        squares = np.minimum(squares, ((x - x[chosen]) ** 2).sum(axis=1))
    return np.array(centres)
    # END SOLUTION


def kmeans_encode(labels, k):
    """Labels (n,) as codes (n, k) of floats: 1.0 at the label, 0.0 elsewhere. Slide 5: k-means' constraint on z.

    >>> kmeans_encode(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    # BEGIN SOLUTION task=3.1
    return np.eye(k)[labels]
    # END SOLUTION


def kmeans_decode(z, centres):
    """The reconstructions (n, d) of codes z (n, k), with centres (k, d).

    >>> kmeans_decode(np.array([[0.5, 0.5]]), np.array([[1.0, 4.0], [3.0, 0.0]]))
    array([[2., 2.]])
    """
    # BEGIN SOLUTION task=3.1
    return z @ centres
    # END SOLUTION


def kmeans_sample(labels, centres, draws):
    """New data (len(draws), d): each draw, uniform in [0, 1), picks a centre, in the shares that the labels have.

    labels: (n,), of the training data. With the cumulative shares of clusters 0, 1, ..., it is the first whose
    cumulative share exceeds the draw.

    >>> kmeans_sample(np.array([0, 0, 0, 1]), np.array([[5.0], [6.0]]), np.array([0.7, 0.8]))
    array([[5.],
           [6.]])
    """
    # BEGIN SOLUTION task=3.1
    shares = np.bincount(labels, minlength=len(centres)) / len(labels)
    return centres[np.searchsorted(np.cumsum(shares), draws, side="right")]
    # END SOLUTION
