"""Assignment 1: automatic differentiation, from single rules to the gradient of a gradient.

A primitive is a function of arrays. Its rule, a vector-Jacobian product, is handed g, the gradient of some number L in
what the primitive returned, and gives back the gradients of L in its arguments. Everything is NumPy, in float64. No
function may change its arguments.
"""
# CANARY 89d7874b878df60bbc366d13fa2edf16
import numpy as np


def sum_to(g, shape):
    """Undo broadcasting: what an array of `shape` gets back when it was broadcast to g's shape.

    g: an array; shape: a tuple that broadcasts to g.shape. Returns an array of `shape` (for the shape (), a number): g
    summed over the axes that broadcasting has added in front, and (keeping the axis) over those that it has stretched
    from 1.

    >>> sum_to(np.ones((4, 2, 3)), (2, 1))
    array([[12.],
           [12.]])
    """
    # BEGIN SOLUTION task=1.1
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(i for i, size in enumerate(shape) if size == 1 and g.shape[i] != 1)
    return g.sum(axis=stretched, keepdims=True)
    # END SOLUTION


def vjp_multiply(g, a, b):
    """The rule of a * b, for a and b of one shape: the gradients in a and in b, a tuple of two arrays.

    >>> vjp_multiply(np.array([1.0, 1.0]), np.array([2.0, 3.0]), np.array([4.0, 5.0]))
    (array([4., 5.]), array([2., 3.]))
    """
    # BEGIN SOLUTION task=1.2
    return g * b, g * a
    # END SOLUTION


def vjp_matmul(g, a, b):
    """The rule of a @ b: a (n, k), b (k, m), g (n, m) -> gradients in a (n, k) and in b (k, m), a tuple.

    >>> [v.shape for v in vjp_matmul(np.ones((2, 4)), np.ones((2, 3)), np.ones((3, 4)))]
    [(2, 3), (3, 4)]
    """
    # BEGIN SOLUTION task=1.2
    return g @ b.T, a.T @ g
    # END SOLUTION


def vjp_tanh(g, x):
    """The rule of tanh(x), of any shape: the gradient in x.

    >>> vjp_tanh(np.array([2.0]), np.array([0.0]))
    array([2.])
    """
    # BEGIN SOLUTION task=1.2
    y = np.tanh(x)
    return g * (1 - y * y)
    # END SOLUTION


def vjp_logsumexp(g, x):
    """The rule of log(sum_j exp(x_ij)), row by row: x (n, m), g (n,) -> the gradient in x (n, m).

    It must be right for large numbers too: rows such as [1000, 1001] have a gradient like any other.

    >>> vjp_logsumexp(np.array([3.0]), np.array([[1000.0, 1000.0]]))
    array([[1.5, 1.5]])
    """
    # BEGIN SOLUTION task=1.2
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return g[:, None] * e / e.sum(axis=1, keepdims=True)
    # END SOLUTION


def backward_order(parents, output):
    """The nodes that a backward pass from `output` visits, in an order in which it may visit them.

    parents: for each node (numbered 0, 1, ...) the list of the nodes that it was computed from; each is smaller than
    the node itself, and one that was used twice occurs twice. output: the node to start from.

    Returns a list that begins with `output`, holds every node that leads to it once, and no other, and in which a node
    comes after all those that were computed from it. Graphs may be thousands of nodes deep: no recursion.

    >>> backward_order([[], [], [0, 1], [0], [2, 2]], 4)
    [4, 2, 1, 0]
    """
    # BEGIN SOLUTION task=2.1
    reached = {output}
    order = []
    for node in range(output, -1, -1):
        if node in reached:
            order.append(node)
            reached.update(parents[node])
    return order
    # END SOLUTION


def backward(order, parents, rules, g):
    """Run a backward pass; returns a dict, node -> the gradient in it, for every node of `order`.

    order: as `backward_order` gives it (you are handed a right one). parents: as there. rules[node](g) returns the
    gradients in the node's parents, a list as long as parents[node], from the gradient g in the node; for a node
    without parents, rules[node] is None. g: the gradient in the output, an array.

    A node that was used several times gets the sum of the gradients from all uses. Call each rule once. Change neither
    g nor an array that a rule has returned: they belong to others.

    >>> found = backward([1, 0], [[], [0, 0]], [None, lambda g: [g, g]], np.array([1.0]))       # node 1 is 0 + 0
    >>> found[1], found[0]
    (array([1.]), array([2.]))
    """
    # BEGIN SOLUTION task=2.2
    gradients = {order[0]: g}
    for node in order:
        if parents[node]:
            for parent, part in zip(parents[node], rules[node](gradients[node]), strict=True):
                gradients[parent] = gradients[parent] + part if parent in gradients else part
    return gradients
    # END SOLUTION


def numerical_gradient(f, x, eps=1e-5):
    """The gradient of f, a function from an array to a number, at x, by central differences; an array like x.

    (f(x + eps e_i) - f(x - eps e_i)) / (2 eps) for each entry i of x, whatever x's shape. x stays as it is.

    >>> numerical_gradient(lambda x: (x ** 2).sum(), np.array([1.0, 3.0])).round(6)
    array([2., 6.])
    """
    # BEGIN SOLUTION task=3.1
    x = np.array(x, dtype=float)
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        before = x[i]
        x[i] = before + eps
        above = f(x)
        x[i] = before - eps
        below = f(x)
        x[i] = before
        gradient[i] = (above - below) / (2 * eps)
    return gradient
    # END SOLUTION


def check_gradient(numerical, gradient, tolerance=1e-6):
    """Compare a gradient with a numerical one: the place of the worst entry, or None if all are right.

    An entry's error is |gradient - numerical| / max(1, |numerical|), and it is right if that is at most `tolerance`. If
    any is wrong, return the index (a tuple of ints) of the one with the largest error, the first if there are several.
    A NaN in the gradient is wrong, and worse than any number.

    >>> check_gradient(np.array([1.0, 2.0]), np.array([1.0, 2.1]))
    (1,)
    """
    # BEGIN SOLUTION task=3.2
    error = np.abs(gradient - numerical) / np.maximum(1, np.abs(numerical))
    error = np.where(np.isnan(error), np.inf, error)
    if (error <= tolerance).all():
        return None
    return tuple(int(i) for i in np.unravel_index(np.argmax(error), error.shape))
    # END SOLUTION


def vjp_of_vjp_tanh(gg, g, x):
    """The rule of tanh's rule: that is a primitive too, with the arguments g and x and the value g * (1 - tanh(x)^2).

    gg: the gradient in that value. Returns the gradients in g and in x, a tuple of two arrays.

    >>> [v.round(3) for v in vjp_of_vjp_tanh(np.array([1.0]), np.array([2.0]), np.array([0.5]))]
    [array([0.786]), array([-1.454])]
    """
    # BEGIN SOLUTION task=4.1
    y = np.tanh(x)
    return gg * (1 - y * y), gg * g * -2 * y * (1 - y * y)
    # END SOLUTION


def vjp_of_vjp_matmul(gg, g, a, b):
    """The rule of matmul's rule, of its first value ga = g @ b.T alone, a function of g and b.

    gg: the gradient in ga, (n, k). a: (n, k), b: (k, m), g: (n, m). Returns the gradients in g, a and b, a tuple of
    three arrays of their shapes; that in a, on which ga does not depend, is all zeros.

    >>> [v.shape for v in vjp_of_vjp_matmul(np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 3)), np.ones((3, 4)))]
    [(2, 4), (2, 3), (3, 4)]
    """
    # BEGIN SOLUTION task=4.1
    return gg @ b, np.zeros_like(a), gg.T @ g
    # END SOLUTION


def gradient_penalty(W, v, x):
    """The gradient penalty of a small critic, and its gradients in the critic's weights.

    The critic: f(x_i) = v . tanh(x_i W), with W (d, h), v (h,), x (n, d). Its gradient in its input: g_i, (d,). The
    penalty: mean_i (|g_i| - 1)^2, with the Euclidean norm (slide 62: it keeps a Wasserstein GAN's critic 1-Lipschitz).

    Returns the penalty (a float) and its gradients in W (d, h) and in v (h,), a tuple of three. No g_i is 0.

    >>> gradient_penalty(np.array([[1.0]]), np.array([3.0]), np.array([[0.0]]))
    (4.0, array([[12.]]), array([4.]))
    """
    # BEGIN SOLUTION task=4.2
    n = len(x)
    y = np.tanh(x @ W)                               # (n, h)
    slope = 1 - y * y
    g = (v * slope) @ W.T                            # (n, d)
    norm = np.sqrt((g * g).sum(axis=1))
    penalty = float(np.mean((norm - 1) ** 2))
    # Back through the gradient's own computation.
    gg = (2 / n * (norm - 1) / norm)[:, None] * g    # (n, d)
    into_slope = gg @ W * v                          # (n, h)
    in_v = (gg @ W * slope).sum(axis=0)
    into_z = into_slope * -2 * y * slope
    in_W = gg.T @ (v * slope) + x.T @ into_z
    return penalty, in_W, in_v
    # END SOLUTION
