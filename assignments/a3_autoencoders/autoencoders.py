"""Assignment 3: a sparse autoencoder, a stack of them, and binary codes to search with.

Data are rows: x has the shape (n, d). Real numbers are float64, in arguments and results; bits and bytes are uint8;
labels and indices are int64, and results of integers may have any integer dtype. s(z) = 1 / (1 + exp(-z)) is the
logistic function. No function may change its arguments.
"""
import numpy as np


def sigmoid(z):
    """The logistic function s(z), given to you."""
    return 0.5 * np.tanh(0.5 * z) + 0.5


def slope(f, p, direction, eps=1e-5):
    """By how much f, a function from an array to a number, rises at p in a direction (like p): given to you.

    A gradient of f at p is right if (gradient * direction).sum() agrees with it to about seven digits, for random
    directions.

    >>> round(slope(lambda p: (p ** 2).sum(), np.array([1.0, 3.0]), np.array([0.5, 1.0])), 6)
    7.0
    """
    return float((f(p + eps * direction) - f(p - eps * direction)) / (2 * eps))


def kl_penalty(rho, rho_hat):
    """The sparsity penalty, sum_j KL(rho || rho_hat_j), in nats: a float.

    KL(p || q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)). rho, a float, is the share of the rows for which a unit
    should fire; rho_hat (h,) are the shares for which the units do. All lie strictly between 0 and 1.

    >>> round(kl_penalty(0.1, np.array([0.1, 0.5])), 4)
    0.3681
    """
    raise NotImplementedError("task 1.1: write kl_penalty")


def kl_gradient(rho, rho_hat):
    """The gradient of `kl_penalty` in rho_hat (h,): an array (h,).

    >>> kl_gradient(0.1, np.array([0.1, 0.5])).round(4)
    array([0. , 1.6])
    """
    raise NotImplementedError("task 1.1: write kl_gradient")


def sparse_cost(parameters, x, weight_decay, rho, beta):
    """The cost of a sparse autoencoder: a float,

    1/n sum_i 1/2 |y_i - x_i|^2 + weight_decay/2 (sum W1^2 + sum W2^2) + beta sum_j KL(rho || rho_hat_j).

    parameters: a list, W1 (d, h), b1 (h,), W2 (h, d), b2 (d,). The data are x (n, d), the codes a = s(x W1 + b1) (n, h)
    and the reconstructions y = s(a W2 + b2) (n, d). rho_hat_j is the mean of a's column j, strictly between 0 and 1.

    >>> zeros = [np.zeros((3, 2)), np.zeros(2), np.zeros((2, 3)), np.zeros(3)]
    >>> sparse_cost(zeros, np.zeros((4, 3)), 0.0, 0.1, 0.0)              # each y is 0.5, each x is 0
    0.375
    """
    raise NotImplementedError("task 1.2: write sparse_cost")


def sparse_gradients(parameters, x, weight_decay, rho, beta):
    """The gradients of `sparse_cost` in W1, b1, W2 and b2: a list of four arrays, with the shapes of the parameters.

    >>> zeros = [np.zeros((3, 2)), np.zeros(2), np.zeros((2, 3)), np.zeros(3)]
    >>> sparse_gradients(zeros, np.zeros((4, 3)), 0.0, 0.1, 0.0)[3]
    array([0.125, 0.125, 0.125])
    """
    raise NotImplementedError("task 1.3: write sparse_gradients")


def maximising_inputs(W1):
    """For each hidden unit the input of Euclidean length 1 that excites it most: W1 (d, h) -> rows (h, d).

    No column of W1 is 0.

    >>> maximising_inputs(np.array([[3.0, 0.0], [4.0, 2.0]]))
    array([[0.6, 0.8],
           [0. , 1. ]])
    """
    raise NotImplementedError("task 1.4: write maximising_inputs")


def layer_inputs(layers, x):
    """What each layer of a stack is trained on (slides 11-16): a list of arrays, as long as `layers`.

    layers: a list of pairs (W, b), with W (d_i, d_i+1) and b (d_i+1,), each an encoder a_i+1 = s(a_i W + b), where a_0
    is x (n, d_0). The first layer is trained to reconstruct x, the second to reconstruct a_1, and so on: the i-th array
    is a_i (n, d_i), and the output of the last layer is not among them.

    >>> layers = [(np.zeros((3, 2)), np.zeros(2)), (np.zeros((2, 4)), np.zeros(4))]
    >>> [a.shape for a in layer_inputs(layers, np.zeros((5, 3)))]
    [(5, 3), (5, 2)]
    """
    raise NotImplementedError("task 2.1: write layer_inputs")


def pretrain(starts, x, rate, steps):
    """Train a stack layer by layer; returns its encoders, a list of pairs (W, b).

    starts: for each layer the parameters to begin with, a list W1, b1, W2, b2 as in `sparse_cost`. A layer is trained
    by `steps` steps of gradient descent on the cost of an autoencoder without penalties (weight_decay 0, beta 0; there
    is no rho then), all rows at once: p <- p - rate * gradient for each of the four, with the gradients that they have
    before the step. Then its encoder (W1, b1) is kept, its decoder dropped, and the next layer is trained on its
    activations. x (n, d).

    >>> start = [np.zeros((3, 2)), np.zeros(2), np.zeros((2, 3)), np.zeros(3)]
    >>> [(W.shape, b.shape) for W, b in pretrain([start], np.zeros((5, 3)), 0.1, 2)]
    [((3, 2), (2,))]
    """
    raise NotImplementedError("task 2.1: write pretrain")


def softmax_gradients(W, b, a, labels):
    """A softmax classifier's loss and its gradients in W, b and a: a tuple of a float and three arrays of their shapes.

    Logits a W + b (n, c), with W (h, c), b (c,), a (n, h). The loss: the mean over the rows of -log p, where p is the
    softmax of the row's logits at the row's label; labels (n,), integers from 0 to c - 1.

    >>> labels = np.array([0, 0, 0, 1])
    >>> loss, in_W, in_b, in_a = softmax_gradients(np.zeros((2, 2)), np.zeros(2), np.ones((4, 2)), labels)
    >>> round(loss, 4), in_b                                          # log 2: the classifier knows nothing
    (0.6931, array([-0.25,  0.25]))
    """
    raise NotImplementedError("task 2.2: write softmax_gradients")


def fine_tuning_gradients(encoders, x, in_top):
    """Back through the whole stack: the gradients in every encoder, a list of pairs like `encoders`, in their order.

    encoders: pairs (W, b) as in `layer_inputs`; all of them are used. x (n, d_0). in_top: the gradient of the loss in
    the last activation, of its shape, as `softmax_gradients` gives that in a: the loss is a mean over the rows, and
    in_top holds its 1/n already.

    >>> encoders = [(np.zeros((3, 2)), np.zeros(2)), (np.zeros((2, 4)), np.zeros(4))]
    >>> (in_W1, in_b1), (in_W2, in_b2) = fine_tuning_gradients(encoders, np.zeros((5, 3)), np.ones((5, 4)))
    >>> in_W1.shape, in_b2
    ((3, 2), array([1.25, 1.25, 1.25, 1.25]))
    """
    raise NotImplementedError("task 2.3: write fine_tuning_gradients")


def binarize(z):
    """Codes of bits: 1 where the logistic activation s(z) is above one half, else 0. z (n, b) -> uint8 (n, b).

    >>> binarize(np.array([[-1.5, 0.2]]))
    array([[0, 1]], dtype=uint8)
    """
    raise NotImplementedError("task 3.1: write binarize")


def straight_through(g, z):
    """A threshold has no useful gradient; the straight-through estimator takes that of s(z) instead.

    g (n, b): the gradient in the bits of z (n, b). Returns the gradient in z (n, b).

    >>> straight_through(np.array([[8.0]]), np.array([[0.0]]))
    array([[2.]])
    """
    raise NotImplementedError("task 3.1: write straight_through")


def pack(bits):
    """Eight bits a byte: bits (n, b), uint8, of zeros and ones, b a multiple of 8 -> uint8 (n, b / 8).

    The first of eight bits is the byte's highest.

    >>> pack(np.array([[1, 0, 0, 0, 0, 0, 0, 1]], np.uint8))
    array([[129]], dtype=uint8)
    """
    raise NotImplementedError("task 3.2: write pack")


def hamming(queries, database):
    """How many bits differ: packed codes (q, w) and (n, w), uint8 -> distances (q, n), integers of any dtype.

    >>> hamming(np.array([[0b1010, 0]], np.uint8), np.array([[0b1010, 0], [0b0101, 1]], np.uint8))
    array([[0, 5]])
    """
    raise NotImplementedError("task 3.2: write hamming")


def nearest(distances, k):
    """The k nearest to each query: distances (q, n) of integers -> indices (q, k), integers, k <= n.

    The nearest comes first; of two that are equally near, the one with the smaller index.

    >>> nearest(np.array([[3, 0, 2, 0]]), 3)
    array([[1, 3, 2]])
    """
    raise NotImplementedError("task 3.3: write nearest")


def precision_at_k(found, labels, query_labels):
    """Which share of what was found has the query's class, averaged over the queries: a float.

    found (q, k): indices into the database, whose labels are (n,); query_labels (q,). All are integers.

    >>> precision_at_k(np.array([[0, 2]]), np.array([7, 8, 9]), np.array([7]))
    0.5
    """
    raise NotImplementedError("task 3.3: write precision_at_k")
