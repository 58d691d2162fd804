"""Assignment 3: a sparse autoencoder, a stack of them, and binary codes to search with.

Data are rows: x has the shape (n, d), float64. s(z) = 1 / (1 + exp(-z)) is the logistic function.
"""
# CANARY 5e3509f10e1ce24bd8c62c50ac0f5ce9
import numpy as np


def sigmoid(z):
    """The logistic function, given to you."""
    return 0.5 * np.tanh(0.5 * z) + 0.5


def kl_penalty(rho, rho_hat):
    """sum_j KL(rho || rho_hat_j), in nats, between units that fire with the shares rho (a float) and rho_hat (h,).

    KL(p || q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)). All shares lie between 0 and 1. Returns a float.
    """
    # BEGIN SOLUTION task=1.1
    return float((rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))).sum())
    # END SOLUTION


def kl_gradient(rho, rho_hat):
    """The gradient of `kl_penalty` in rho_hat: (h,)."""
    # BEGIN SOLUTION task=1.1
    return (1 - rho) / (1 - rho_hat) - rho / rho_hat
    # END SOLUTION


def sparse_cost(parameters, x, weight_decay, rho, beta):
    """The cost of a sparse autoencoder, a float:

    1/n sum_i 1/2 |y_i - x_i|^2 + weight_decay/2 (sum W1^2 + sum W2^2) + beta sum_j KL(rho || rho_hat_j)

    parameters: W1 (d, h), b1 (h,), W2 (h, d), b2 (d,), a list. a = s(x W1 + b1), y = s(a W2 + b2); rho_hat_j is the
    mean of unit j's activation a over the rows of x (n, d).
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
    """The gradients of `sparse_cost` in W1, b1, W2 and b2, a list of four arrays. Nothing that is given changes."""
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
    """For each hidden unit the input of length 1 that excites it most: W1 (d, h) -> rows (h, d). No column is 0."""
    # BEGIN SOLUTION task=1.4
    return (W1 / np.sqrt((W1 ** 2).sum(axis=0))).T
    # END SOLUTION


def layer_inputs(layers, x):
    """What each layer of a stack is trained on (slides 11-16): a list as long as `layers`.

    layers: a list of pairs W (d_i, d_i+1), b (d_i+1,), each an encoder a_i+1 = s(a_i W + b) with a_0 = x (n, d_0). The
    first is trained to reconstruct x, the second to reconstruct the first's activation, and so on.
    """
    # BEGIN SOLUTION task=2.1
    inputs = [x]
    for W, b in layers[:-1]:
        inputs.append(sigmoid(inputs[-1] @ W + b))
    return inputs
    # END SOLUTION


def pretrain(starts, x, rate, steps):
    """Train a stack layer by layer; returns its encoders, a list of pairs W, b.

    starts: for each layer the parameters to begin with, [W1, b1, W2, b2] as in `sparse_cost`. A layer is trained by
    `steps` steps of gradient descent, p <- p - rate * gradient, on the cost of an autoencoder without penalties
    (weight_decay 0, beta 0), all rows at once. When it is done, its encoder (W1, b1) is kept, its decoder dropped, and
    the next layer is trained on its activations. The starts stay as they are.
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
    """A softmax classifier's loss and its gradients in W, b and a: a tuple of a float and three arrays.

    Logits a W + b, with W (h, c), b (c,), a (n, h). The loss: the mean over the rows of -log softmax at labels (n,).
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
    """Back through the whole stack: the gradients in every encoder, a list of pairs like `encoders`.

    encoders: pairs W, b as in `layer_inputs`, all of them used. in_top (n, h): the gradient of the loss in the last
    activation, as the classifier gives it.
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
    """Codes of bits: 1 where the unit's logistic activation s(z) is above one half, else 0. (n, b) -> uint8 (n, b)."""
    # BEGIN SOLUTION task=3.1
    return (z > 0).astype(np.uint8)
    # END SOLUTION


def straight_through(g, z):
    """A threshold has no useful gradient; the straight-through estimator takes that of s(z) instead.

    g (n, b): the gradient in the bits. Returns the gradient in z (n, b).
    """
    # BEGIN SOLUTION task=3.1
    y = sigmoid(z)
    return g * y * (1 - y)
    # END SOLUTION


def pack(bits):
    """Eight bits a byte: bits (n, b) of zeros and ones, b a multiple of 8 -> uint8 (n, b / 8).

    The first of eight bits is the byte's highest: 1 0 0 0 0 0 0 1 becomes 129.
    """
    # BEGIN SOLUTION task=3.2
    return np.packbits(bits.astype(np.uint8), axis=1)
    # END SOLUTION


def hamming(queries, database):
    """How many bits differ: packed codes (q, w) and (n, w) of uint8 -> distances (q, n), whole numbers."""
    # BEGIN SOLUTION task=3.2
    return np.unpackbits(queries[:, None] ^ database, axis=2).sum(axis=2, dtype=np.int64)
    # END SOLUTION


def nearest(distances, k):
    """The k nearest of each query's row of distances (q, n): indices (q, k), nearest first, ties by index."""
    # BEGIN SOLUTION task=3.3
    return np.argsort(distances, axis=1, kind="stable")[:, :k]
    # END SOLUTION


def precision_at_k(found, labels, query_labels):
    """Which share of what was found has the query's class, averaged over the queries: a float.

    found (q, k): indices into the database, whose labels are (n,); query_labels (q,).
    """
    # BEGIN SOLUTION task=3.3
    return float((labels[found] == query_labels[:, None]).mean())
    # END SOLUTION
