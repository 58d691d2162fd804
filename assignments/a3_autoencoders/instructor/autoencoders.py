"""Assignment 3: a sparse autoencoder, a stack of them, and binary codes to search with.

Data are rows: x has the shape (n, d). Real numbers are float64, in arguments and results; bits and bytes are uint8;
labels and indices are int64, and results of integers may have any integer dtype. s(z) = 1 / (1 + exp(-z)) is the
logistic function. No function may change its arguments.
"""
# CANARY 5e3509f10e1ce24bd8c62c50ac0f5ce9
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
    # BEGIN SOLUTION task=1.1
    return float((rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))).sum())
    # END SOLUTION


def kl_gradient(rho, rho_hat):
    """The gradient of `kl_penalty` in rho_hat (h,): an array (h,).

    >>> kl_gradient(0.1, np.array([0.1, 0.5])).round(4)
    array([0. , 1.6])
    """
    # BEGIN SOLUTION task=1.1
    return (1 - rho) / (1 - rho_hat) - rho / rho_hat
    # END SOLUTION


def sparse_cost(parameters, x, weight_decay, rho, beta):
    """The cost of a sparse autoencoder: a float,

    1/n sum_i 1/2 |y_i - x_i|^2 + weight_decay/2 (sum W1^2 + sum W2^2) + beta sum_j KL(rho || rho_hat_j).

    parameters: a list, W1 (d, h), b1 (h,), W2 (h, d), b2 (d,). The data are x (n, d), the codes a = s(x W1 + b1) (n, h)
    and the reconstructions y = s(a W2 + b2) (n, d). rho_hat_j is the mean of a's column j, strictly between 0 and 1.

    >>> zeros = [np.zeros((3, 2)), np.zeros(2), np.zeros((2, 3)), np.zeros(3)]
    >>> sparse_cost(zeros, np.zeros((4, 3)), 0.0, 0.1, 0.0)              # each y is 0.5, each x is 0
    0.375
    """
    # BEGIN SOLUTION task=1.2
    W1, b1, W2, b2 = parameters
    a = sigmoid(x @ W1 + b1)
    y = sigmoid(a @ W2 + b2)
    rho_hat = a.mean(axis=0)
    divergence = rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))
    return float(0.5 * ((y - x) ** 2).sum() / len(x) + 0.5 * weight_decay * ((W1 ** 2).sum() + (W2 ** 2).sum())
                 + beta * divergence.sum())
    # END SOLUTION


def sparse_gradients(parameters, x, weight_decay, rho, beta):
    """The gradients of `sparse_cost` in W1, b1, W2 and b2: a list of four arrays, with the shapes of the parameters.

    >>> zeros = [np.zeros((3, 2)), np.zeros(2), np.zeros((2, 3)), np.zeros(3)]
    >>> sparse_gradients(zeros, np.zeros((4, 3)), 0.0, 0.1, 0.0)[3]
    array([0.125, 0.125, 0.125])
    """
    # BEGIN SOLUTION task=1.3
    W1, b1, W2, b2 = parameters
    n = len(x)
    a = sigmoid(x @ W1 + b1)
    y = sigmoid(a @ W2 + b2)
    rho_hat = a.mean(axis=0)
    in_z2 = (y - x) * y * (1 - y) / n
    in_a = in_z2 @ W2.T + beta * ((1 - rho) / (1 - rho_hat) - rho / rho_hat) / n
    in_z1 = in_a * a * (1 - a)
    return [x.T @ in_z1 + weight_decay * W1, in_z1.sum(axis=0), a.T @ in_z2 + weight_decay * W2, in_z2.sum(axis=0)]
    # END SOLUTION


def maximising_inputs(W1):
    """For each hidden unit the input of Euclidean length 1 that excites it most: W1 (d, h) -> rows (h, d).

    No column of W1 is 0.

    >>> maximising_inputs(np.array([[3.0, 0.0], [4.0, 2.0]]))
    array([[0.6, 0.8],
           [0. , 1. ]])
    """
    # BEGIN SOLUTION task=1.4
    return (W1 / np.sqrt((W1 ** 2).sum(axis=0))).T
    # END SOLUTION


def layer_inputs(layers, x):
    """What each layer of a stack is trained on (slides 11-16): a list of arrays, as long as `layers`.

    layers: a list of pairs (W, b), with W (d_i, d_i+1) and b (d_i+1,), each an encoder a_i+1 = s(a_i W + b), where a_0
    is x (n, d_0). The first layer is trained to reconstruct x, the second to reconstruct a_1, and so on: the i-th array
    is a_i (n, d_i), and the output of the last layer is not among them.

    >>> layers = [(np.zeros((3, 2)), np.zeros(2)), (np.zeros((2, 4)), np.zeros(4))]
    >>> [a.shape for a in layer_inputs(layers, np.zeros((5, 3)))]
    [(5, 3), (5, 2)]
    """
    # BEGIN SOLUTION task=2.1
    inputs = [x]
    for W, b in layers[:-1]:
        inputs.append(sigmoid(inputs[-1] @ W + b))
    return inputs
    # END SOLUTION


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
    # BEGIN SOLUTION task=2.1
    encoders = []
    for start in starts:
        W1, b1, W2, b2 = (np.array(p) for p in start)
        for _ in range(steps):
            a = sigmoid(x @ W1 + b1)
            y = sigmoid(a @ W2 + b2)
            in_z2 = (y - x) * y * (1 - y) / len(x)
            in_z1 = in_z2 @ W2.T * a * (1 - a)
            W1, b1 = W1 - rate * x.T @ in_z1, b1 - rate * in_z1.sum(axis=0)
            W2, b2 = W2 - rate * a.T @ in_z2, b2 - rate * in_z2.sum(axis=0)
        encoders.append((W1, b1))
        x = sigmoid(x @ W1 + b1)
    return encoders
    # END SOLUTION


def softmax_gradients(W, b, a, labels):
    """A softmax classifier's loss and its gradients in W, b and a: a tuple of a float and three arrays of their shapes.

    Logits a W + b (n, c), with W (h, c), b (c,), a (n, h). The loss: the mean over the rows of -log p, where p is the
    softmax of the row's logits at the row's label; labels (n,), integers from 0 to c - 1.

    >>> labels = np.array([0, 0, 0, 1])
    >>> loss, in_W, in_b, in_a = softmax_gradients(np.zeros((2, 2)), np.zeros(2), np.ones((4, 2)), labels)
    >>> round(loss, 4), in_b                                          # log 2: the classifier knows nothing
    (0.6931, array([-0.25,  0.25]))
    """
    # BEGIN SOLUTION task=2.2
    n = len(a)
    logits = a @ W + b
    logits = logits - logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    in_logits = np.exp(log_p)
    in_logits[np.arange(n), labels] -= 1
    in_logits /= n
    return float(-log_p[np.arange(n), labels].mean()), a.T @ in_logits, in_logits.sum(axis=0), in_logits @ W.T
    # END SOLUTION


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
    # BEGIN SOLUTION task=2.3
    activations = [x]
    for W, b in encoders:
        activations.append(sigmoid(activations[-1] @ W + b))
    gradients = []
    g = in_top
    for (W, _), a, y in zip(encoders[::-1], activations[-2::-1], activations[:0:-1], strict=True):
        in_z = g * y * (1 - y)
        gradients.insert(0, (a.T @ in_z, in_z.sum(axis=0)))
        g = in_z @ W.T
    return gradients
    # END SOLUTION


def binarize(z):
    """Codes of bits: 1 where the logistic activation s(z) is above one half, else 0. z (n, b) -> uint8 (n, b).

    >>> binarize(np.array([[-1.5, 0.2]]))
    array([[0, 1]], dtype=uint8)
    """
    # BEGIN SOLUTION task=3.1
    return (z > 0).astype(np.uint8)
    # END SOLUTION


def straight_through(g, z):
    """A threshold has no useful gradient; the straight-through estimator takes that of s(z) instead.

    g (n, b): the gradient in the bits of z (n, b). Returns the gradient in z (n, b).

    >>> straight_through(np.array([[8.0]]), np.array([[0.0]]))
    array([[2.]])
    """
    # BEGIN SOLUTION task=3.1
    y = sigmoid(z)
    return g * y * (1 - y)
    # END SOLUTION


def pack(bits):
    """Eight bits a byte: bits (n, b), uint8, of zeros and ones, b a multiple of 8 -> uint8 (n, b / 8).

    The first of eight bits is the byte's highest.

    >>> pack(np.array([[1, 0, 0, 0, 0, 0, 0, 1]], np.uint8))
    array([[129]], dtype=uint8)
    """
    # BEGIN SOLUTION task=3.2
    return np.packbits(bits.astype(np.uint8), axis=1)
    # END SOLUTION


def hamming(queries, database):
    """How many bits differ: packed codes (q, w) and (n, w), uint8 -> distances (q, n), integers of any dtype.

    >>> hamming(np.array([[0b1010, 0]], np.uint8), np.array([[0b1010, 0], [0b0101, 1]], np.uint8))
    array([[0, 5]])
    """
    # BEGIN SOLUTION task=3.2
    return np.unpackbits(queries[:, None] ^ database, axis=2).sum(axis=2, dtype=np.int64)
    # END SOLUTION


def nearest(distances, k):
    """The k nearest to each query: distances (q, n) of integers -> indices (q, k), integers, k <= n.

    The nearest comes first; of two that are equally near, the one with the smaller index.

    >>> nearest(np.array([[3, 0, 2, 0]]), 3)
    array([[1, 3, 2]])
    """
    # BEGIN SOLUTION task=3.3
    return np.argsort(distances, axis=1, kind="stable")[:, :k]
    # END SOLUTION


def precision_at_k(found, labels, query_labels):
    """Which share of what was found has the query's class, averaged over the queries: a float.

    found (q, k): indices into the database, whose labels are (n,); query_labels (q,). All are integers.

    >>> precision_at_k(np.array([[0, 2]]), np.array([7, 8, 9]), np.array([7]))
    0.5
    """
    # BEGIN SOLUTION task=3.3
    return float((labels[found] == query_labels[:, None]).mean())
    # END SOLUTION
