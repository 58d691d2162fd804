"""Assignment 3: a sparse autoencoder, a stack of them, and binary codes to search with.

Data are rows: x has the shape (n, d), float64. s(z) = 1 / (1 + exp(-z)) is the logistic function.
"""
import numpy as np


def sigmoid(z):
    """The logistic function, given to you."""
    return 0.5 * np.tanh(0.5 * z) + 0.5


def kl_penalty(rho, rho_hat):
    """sum_j KL(rho || rho_hat_j), in nats, between units that fire with the shares rho (a float) and rho_hat (h,).

    KL(p || q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)). All shares lie between 0 and 1. Returns a float.
    """
    raise NotImplementedError("task 1.1: write kl_penalty")


def kl_gradient(rho, rho_hat):
    """The gradient of `kl_penalty` in rho_hat: (h,)."""
    raise NotImplementedError("task 1.1: write kl_gradient")


def sparse_cost(parameters, x, weight_decay, rho, beta):
    """The cost of a sparse autoencoder, a float:

    1/n sum_i 1/2 |y_i - x_i|^2 + weight_decay/2 (sum W1^2 + sum W2^2) + beta sum_j KL(rho || rho_hat_j)

    parameters: W1 (d, h), b1 (h,), W2 (h, d), b2 (d,), a list. a = s(x W1 + b1), y = s(a W2 + b2); rho_hat_j is the
    mean of unit j's activation a over the rows of x (n, d).
    """
    raise NotImplementedError("task 1.2: write sparse_cost")


def sparse_gradients(parameters, x, weight_decay, rho, beta):
    """The gradients of `sparse_cost` in W1, b1, W2 and b2, a list of four arrays. Nothing that is given changes."""
    raise NotImplementedError("task 1.3: write sparse_gradients")


def maximising_inputs(W1):
    """For each hidden unit the input of length 1 that excites it most: W1 (d, h) -> rows (h, d). No column is 0."""
    raise NotImplementedError("task 1.4: write maximising_inputs")


def layer_inputs(layers, x):
    """What each layer of a stack is trained on (slides 11-16): a list as long as `layers`.

    layers: a list of pairs W (d_i, d_i+1), b (d_i+1,), each an encoder a_i+1 = s(a_i W + b) with a_0 = x (n, d_0). The
    first is trained to reconstruct x, the second to reconstruct the first's activation, and so on.
    """
    raise NotImplementedError("task 2.1: write layer_inputs")


def pretrain(starts, x, rate, steps):
    """Train a stack layer by layer; returns its encoders, a list of pairs W, b.

    starts: for each layer the parameters to begin with, [W1, b1, W2, b2] as in `sparse_cost`. A layer is trained by
    `steps` steps of gradient descent, p <- p - rate * gradient, on the cost of an autoencoder without penalties
    (weight_decay 0, beta 0), all rows at once. When it is done, its encoder (W1, b1) is kept, its decoder dropped, and
    the next layer is trained on its activations. The starts stay as they are.
    """
    raise NotImplementedError("task 2.1: write pretrain")


def softmax_gradients(W, b, a, labels):
    """A softmax classifier's loss and its gradients in W, b and a: a tuple of a float and three arrays.

    Logits a W + b, with W (h, c), b (c,), a (n, h). The loss: the mean over the rows of -log softmax at labels (n,).
    """
    raise NotImplementedError("task 2.2: write softmax_gradients")


def fine_tuning_gradients(encoders, x, in_top):
    """Back through the whole stack: the gradients in every encoder, a list of pairs like `encoders`.

    encoders: pairs W, b as in `layer_inputs`, all of them used. in_top (n, h): the gradient of the loss in the last
    activation, as the classifier gives it.
    """
    raise NotImplementedError("task 2.3: write fine_tuning_gradients")


def binarize(z):
    """Codes of bits: 1 where the unit's logistic activation s(z) is above one half, else 0. (n, b) -> uint8 (n, b)."""
    raise NotImplementedError("task 3.1: write binarize")


def straight_through(g, z):
    """A threshold has no useful gradient; the straight-through estimator takes that of s(z) instead.

    g (n, b): the gradient in the bits. Returns the gradient in z (n, b).
    """
    raise NotImplementedError("task 3.1: write straight_through")


def pack(bits):
    """Eight bits a byte: bits (n, b) of zeros and ones, b a multiple of 8 -> uint8 (n, b / 8).

    The first of eight bits is the byte's highest: 1 0 0 0 0 0 0 1 becomes 129.
    """
    raise NotImplementedError("task 3.2: write pack")


def hamming(queries, database):
    """How many bits differ: packed codes (q, w) and (n, w) of uint8 -> distances (q, n), whole numbers."""
    raise NotImplementedError("task 3.2: write hamming")


def nearest(distances, k):
    """The k nearest of each query's row of distances (q, n): indices (q, k), nearest first, ties by index."""
    raise NotImplementedError("task 3.3: write nearest")


def precision_at_k(found, labels, query_labels):
    """Which share of what was found has the query's class, averaged over the queries: a float.

    found (q, k): indices into the database, whose labels are (n,); query_labels (q,).
    """
    raise NotImplementedError("task 3.3: write precision_at_k")
