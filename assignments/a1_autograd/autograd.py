"""Assignment 1: automatic differentiation, from single rules to the gradient of a gradient.

A primitive is a function of arrays. Its rule, a vector-Jacobian product, is handed g, the gradient of some number L in
what the primitive returned, and gives back the gradients of L in its arguments. Everything is NumPy, in float64. No
function may change its arguments.
"""
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
    raise NotImplementedError("task 1.1: write sum_to")


def vjp_multiply(g, a, b):
    """The rule of a * b, for a and b of one shape: the gradients in a and in b, a tuple of two arrays.

    >>> vjp_multiply(np.array([1.0, 1.0]), np.array([2.0, 3.0]), np.array([4.0, 5.0]))
    (array([4., 5.]), array([2., 3.]))
    """
    raise NotImplementedError("task 1.2: write vjp_multiply")


def vjp_matmul(g, a, b):
    """The rule of a @ b: a (n, k), b (k, m), g (n, m) -> gradients in a (n, k) and in b (k, m), a tuple.

    >>> [v.shape for v in vjp_matmul(np.ones((2, 4)), np.ones((2, 3)), np.ones((3, 4)))]
    [(2, 3), (3, 4)]
    """
    raise NotImplementedError("task 1.2: write vjp_matmul")


def vjp_tanh(g, x):
    """The rule of tanh(x), of any shape: the gradient in x.

    >>> vjp_tanh(np.array([2.0]), np.array([0.0]))
    array([2.])
    """
    raise NotImplementedError("task 1.2: write vjp_tanh")


def vjp_logsumexp(g, x):
    """The rule of log(sum_j exp(x_ij)), row by row: x (n, m), g (n,) -> the gradient in x (n, m).

    It must be right for large numbers too: rows such as [1000, 1001] have a gradient like any other.

    >>> vjp_logsumexp(np.array([3.0]), np.array([[1000.0, 1000.0]]))
    array([[1.5, 1.5]])
    """
    raise NotImplementedError("task 1.2: write vjp_logsumexp")


def backward_order(parents, output):
    """The nodes that a backward pass from `output` visits, in an order in which it may visit them.

    parents: for each node (numbered 0, 1, ...) the list of the nodes that it was computed from; each is smaller than
    the node itself, and one that was used twice occurs twice. output: the node to start from.

    Returns a list that begins with `output`, holds every node that leads to it once, and no other, and in which a node
    comes after all those that were computed from it. Graphs may be thousands of nodes deep: no recursion.

    >>> backward_order([[], [], [0, 1], [0], [2, 2]], 4)
    [4, 2, 1, 0]
    """
    raise NotImplementedError("task 2.1: write backward_order")


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
    raise NotImplementedError("task 2.2: write backward")


def numerical_gradient(f, x, eps=1e-5):
    """The gradient of f, a function from an array to a number, at x, by central differences; an array like x.

    (f(x + eps e_i) - f(x - eps e_i)) / (2 eps) for each entry i of x, whatever x's shape. x stays as it is.

    >>> numerical_gradient(lambda x: (x ** 2).sum(), np.array([1.0, 3.0])).round(6)
    array([2., 6.])
    """
    raise NotImplementedError("task 3.1: write numerical_gradient")


def check_gradient(numerical, gradient, tolerance=1e-6):
    """Compare a gradient with a numerical one: the place of the worst entry, or None if all are right.

    An entry's error is |gradient - numerical| / max(1, |numerical|), and it is right if that is at most `tolerance`. If
    any is wrong, return the index (a tuple of ints) of the one with the largest error, the first if there are several.
    A NaN in the gradient is wrong, and worse than any number.

    >>> check_gradient(np.array([1.0, 2.0]), np.array([1.0, 2.1]))
    (1,)
    """
    raise NotImplementedError("task 3.2: write check_gradient")


def vjp_of_vjp_tanh(gg, g, x):
    """The rule of tanh's rule: that is a primitive too, with the arguments g and x and the value g * (1 - tanh(x)^2).

    gg: the gradient in that value. Returns the gradients in g and in x, a tuple of two arrays.

    >>> [v.round(3) for v in vjp_of_vjp_tanh(np.array([1.0]), np.array([2.0]), np.array([0.5]))]
    [array([0.786]), array([-1.454])]
    """
    raise NotImplementedError("task 4.1: write vjp_of_vjp_tanh")


def vjp_of_vjp_matmul(gg, g, a, b):
    """The rule of matmul's rule, of its first value ga = g @ b.T alone, a function of g and b.

    gg: the gradient in ga, (n, k). a: (n, k), b: (k, m), g: (n, m). Returns the gradients in g, a and b, a tuple of
    three arrays of their shapes; that in a, on which ga does not depend, is all zeros.

    >>> [v.shape for v in vjp_of_vjp_matmul(np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 3)), np.ones((3, 4)))]
    [(2, 4), (2, 3), (3, 4)]
    """
    raise NotImplementedError("task 4.1: write vjp_of_vjp_matmul")


def gradient_penalty(W, v, x):
    """The gradient penalty of a small critic, and its gradients in the critic's weights.

    The critic: f(x_i) = v . tanh(x_i W), with W (d, h), v (h,), x (n, d). Its gradient in its input: g_i, (d,). The
    penalty: mean_i (|g_i| - 1)^2, with the Euclidean norm (slide 62: it keeps a Wasserstein GAN's critic 1-Lipschitz).

    Returns the penalty (a float) and its gradients in W (d, h) and in v (h,), a tuple of three. No g_i is 0.

    >>> gradient_penalty(np.array([[1.0]]), np.array([3.0]), np.array([[0.0]]))
    (4.0, array([[12.]]), array([4.]))
    """
    raise NotImplementedError("task 4.2: write gradient_penalty")
