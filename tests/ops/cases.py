"""One table of checks for every operation: its name, and how to call it on inputs of drawn shapes.

A case is a function of a `Draw`; it returns the function to check and its inputs, float64 arrays whose values keep
away from kinks. The function is called with Tensors, of float64 and float32, on every device, and with raw arrays, so
it makes no arrays of floats itself. `test_registry.py` runs the table, and fails for an operation or a gradient rule
that no case reaches.
"""
from __future__ import annotations

import numpy as np

import minidl as md
from minidl import ops
from minidl.nn import losses
from minidl.ops import recurrent

AXES = [None, 0, -1]


class Draw:
    """Shapes, choices and values, from a seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def shape(self, min_dims=0, max_dims=4):
        return tuple(self.integer(1, 4) for _ in range(self.integer(min_dims, max_dims)))

    def pair(self, min_dims=0):
        """Two shapes that broadcast with each other."""
        shape = self.shape(min_dims)
        return shape, tuple(n if self.integer(0, 1) else 1 for n in shape[self.integer(0, len(shape) - min_dims):])

    def one_of(self, choices):
        choices = list(choices)
        return choices[self.integer(0, len(choices) - 1)]

    # Values, each with its distance from where the function has no derivative
    def any(self, shape):
        return self.rng.standard_normal(shape)

    def positive(self, shape):
        return self.rng.uniform(0.3, 2.0, shape)

    def nonzero(self, shape):
        return self.rng.uniform(0.3, 2.0, shape) * self.rng.choice([-1.0, 1.0], shape)

    def distinct(self, shape):
        """Multiples of a quarter, no two the same, plus 0.1: no element is near another, 0, 1 or -1."""
        n = int(np.prod(shape))
        return (self.rng.permutation(n).reshape(shape) - n // 2) * 0.25 + 0.1

    def between(self, shape):
        """Values that are 0.1 away from all of `distinct`'s."""
        return self.rng.integers(-4, 5, shape) * 0.25

    def axis(self, ndim, none=True):
        axes = list(range(-ndim, ndim)) + [None] * none
        return self.one_of(axes)

    def axes(self, ndim):
        """An axis, a tuple of them, or None."""
        return self.one_of([*range(-ndim, ndim), None, tuple(range(ndim))[::2], (-1,), tuple(range(ndim))])

    def indices(self, n, shape):
        """Indices below n, repeated ones and negative ones among them."""
        return self.rng.integers(-n, n, shape)


# The kinds of cases -------------------------------------------------------------------------------------------------


def one(f, values="any", min_dims=0):
    """A function of one array of any shape."""
    return lambda d: (f, [getattr(d, values)(d.shape(min_dims))])


def two(f, left="any", right="any"):
    """A function of two arrays that broadcast."""
    def case(d):
        a, b = d.pair()
        return f, [getattr(d, left)(a), getattr(d, right)(b)]
    return case


def reduction(f, values="any", axes="axes", **options):
    """A reduction over an axis, several, or all, with keepdims or without."""
    def case(d):
        shape = d.shape(1)
        kwargs = {name: d.one_of(choices) for name, choices in options.items()}
        axis = getattr(d, axes)(len(shape))
        return lambda x: f(x, axis=axis, keepdims=keepdims, **kwargs), [getattr(d, values)(shape)]
    def with_keepdims(d):
        nonlocal keepdims
        keepdims = d.one_of([False, True])
        return case(d)
    keepdims = False
    return with_keepdims


def along(f, values="any"):
    """A function of an array and an axis."""
    def case(d):
        shape = d.shape(1)
        axis = d.axis(len(shape), none=False)
        return lambda x: f(x, axis), [getattr(d, values)(shape)]
    return case


def fixed(f, *shapes, values="any"):
    """A function of arrays of the given shapes."""
    return lambda d: (f, [getattr(d, values)(shape) for shape in shapes])


def spread(f):
    """A reduction that needs two elements or more to be smooth."""
    def case(d):
        shape = tuple(n + 1 for n in d.shape(1, 3))
        axis, keepdims, ddof = d.axes(len(shape)), d.one_of([False, True]), d.one_of([0, 1])
        return lambda x: f(x, axis=axis, ddof=ddof, keepdims=keepdims), [d.any(shape)]
    return case


# Cases that need more than a line -----------------------------------------------------------------------------------


def power_by_number(d):
    exponent = d.one_of([3, 2, 1, 0, -1, 0.5, 2.5, -1.5, 2.0])
    return lambda x: md.power(x, exponent), [d.positive(d.shape())]


def integer_power_of_any_sign(d):
    exponent = d.one_of([2, 3, 2.0])
    return lambda x: x ** exponent, [d.nonzero(d.shape())]


def clip(d):
    low, high = d.one_of([(-0.5, 0.5), (None, 0.25), (-0.25, None), (0.0, 1.0)])
    return lambda x: md.clip(x, low, high), [d.distinct(d.shape())]


def where(d):
    a, b = d.pair()
    mask = d.any(np.broadcast_shapes(a, b))
    return lambda m, a, b: md.where(m > 0.0, a, b), [mask * 10, d.any(a), d.any(b)]


def where_number(d):
    return lambda x: md.where(x > 0.0, x, 2.0) * md.where(x > 0.0, 3.0, x), [d.nonzero(d.shape())]


def index_basic(d):
    shape = d.shape(2, 4)
    key = d.one_of([0, -1, slice(1, None), slice(None, None, -1), (slice(None, None, 2), -1), None, Ellipsis,
                    (Ellipsis, 0), (None, slice(0, 1), None), (0, Ellipsis, None), np.int64(0), slice(0, 0)])
    return lambda x: x[key], [d.any(shape)]


def index_advanced(d):
    shape = d.shape(2, 3)
    rows, columns = d.indices(shape[0], (3,)), d.indices(shape[1], (3,))
    key = d.one_of([rows, list(map(int, rows)), (rows, columns), (slice(None), columns), (rows, 0),
                    (rows[:, None], columns), (Ellipsis, [0, 0]), (None, rows), d.any(shape) > 0,
                    d.any(shape[:1]) > 0, (slice(None), d.any(shape[1:2]) > 0)])
    return lambda x: ops.getitem(x, key), [d.any(shape)]


def slices_of_one_array(d):
    shape = d.shape(1, 3)
    rows = [0] * shape[0]
    return lambda x: md.sum(ops.getitem(x, rows) * x) + md.sum(x[1:]) * md.sum(x[:1] * x[0]), [d.any(shape)]


def scatter_add(d):
    shape = d.shape(1, 3)
    rows = d.indices(shape[0], (5,))
    key, values = d.one_of([(rows, (5, *shape[1:])), (rows, shape[1:]), (0, shape[1:]), (slice(None), (1,)),
                            (list(map(int, rows)), ())])
    return lambda x, v: md.scatter_add(x, key, v), [d.any(shape), d.any(values)]


def take(d):
    shape = d.shape(1, 3)
    axis = d.axis(len(shape))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    indices = d.indices(n, d.shape(1, 2))
    return lambda x: md.take(x, indices, axis), [d.any(shape)]


def gather(d):
    shape = d.shape(1, 3)
    axis = d.axis(len(shape), none=False)
    wide = list(shape)
    wide[axis] = d.integer(1, 3)
    indices = d.indices(shape[axis], wide)
    # the indices travel with the array, as labels do
    return lambda x: md.gather(x, indices_like(x, indices), axis), [d.any(shape)]


def indices_like(x, indices):
    """Integers on x's device; a Tensor for a Tensor."""
    if isinstance(x, md.Tensor):
        return md.Tensor(indices, device=x.device)
    return indices


def matmul(d):
    n, k, m = (d.integer(1, 3) for _ in range(3))
    left, right = d.one_of([((k,), (k,)), ((n, k), (k,)), ((k,), (k, m)), ((n, k), (k, m)), ((2, n, k), (k, m)),
                            ((n, k), (2, k, m)), ((2, n, k), (2, k, m)), ((3, 1, n, k), (2, k, m)), ((2, n, k), (k,)),
                            ((k,), (2, k, m)), ((1, n, k), (2, k, m))])
    return lambda a, b: a @ b, [d.any(left), d.any(right)]


def linear(d):
    n, k, m = (d.integer(1, 3) for _ in range(3))
    x = d.one_of([(n, k), (2, n, k), (2, 1, n, k)])
    if d.one_of([True, False]):
        return ops.linear, [d.any(x), d.any((k, m)), d.any((m,))]
    return ops.linear, [d.any(x), d.any((k, m))]


def einsum(d):
    sizes = dict(zip("bijkl", (d.integer(1, 3) for _ in range(5)), strict=True))
    spec = d.one_of(["bi,ij->bj", "ij->ji", "ij->", "ij,ij->", "bij,bjk->bik", "i,j->ij", "ij,j", "bi,ij,jk->bk",
                     "ijk->ik", "i,i,i->i", "ij,kl->il", "b,->b", "ij,kj->ik", "ii", "ii->i", "iji->j", "iij,jj->i",
                     "...i,ij->...j", "i...,i...", "...i->...", "...,...->...", "...ii->i...", "i...j,...j->..."])
    terms = spec.split("->")[0].split(",")
    wide = d.shape(0, 2)

    def shape_of(term):
        """'...' is a part of `wide`, or of size one."""
        named, further = [(sizes[c],) for c in term if c != "."], wide[d.integer(0, len(wide)):]
        further = tuple(n if d.integer(0, 1) else 1 for n in further)
        named.insert(term.index("...") if "..." in term else 0, further if "..." in term else ())
        return tuple(n for part in named for n in part)

    return (lambda *xs: md.einsum(spec, *xs)), [d.any(shape_of(term)) for term in terms]


def reshape(d):
    shape = d.shape()
    n = int(np.prod(shape))
    to = d.one_of([-1, (n,), (1, n), (-1, 1), [n, 1, 1], shape[::-1]])
    return lambda x: md.reshape(x, to), [d.any(shape)]


def transpose(d):
    shape = d.shape()
    order = [int(i) for i in d.rng.permutation(len(shape))]
    axes = d.one_of([None, order, tuple(i - len(shape) for i in order)])
    return lambda x: md.transpose(x, axes), [d.any(shape)]


def swapaxes(d):
    shape = d.shape(1)
    i, j = (d.axis(len(shape), none=False) for _ in range(2))
    return lambda x: md.swapaxes(x, i, j), [d.any(shape)]


def expand_dims(d):
    shape = d.shape(1, 3)
    axis = d.one_of([0, -1, 1, (0, 2), (-1, 0)])
    return lambda x: md.expand_dims(x, axis), [d.any(shape)]


def squeeze(d):
    shape = (1, *d.shape(0, 2), 1)
    axis = d.one_of([None, 0, -1, (0, -1)])
    return lambda x: md.squeeze(x, axis), [d.any(shape)]


def several(f):
    def case(d):
        shape = d.shape(1, 3)
        axis = d.axis(len(shape), none=False)
        return lambda *xs: f(xs, axis), [d.any(shape) for _ in range(d.integer(1, 3))]
    return case


def joined(f):
    def case(d):
        shape = d.shape(0, 3)
        return lambda *xs: f(xs), [d.any(shape) for _ in range(d.integer(1, 3))]
    return case


def concatenate_unequal(d):
    shape = d.shape(1, 3)
    axis = d.axis(len(shape), none=False)
    longer = list(shape)
    longer[axis] += 2
    return lambda a, b: md.concatenate([a, b, a], axis), [d.any(shape), d.any(longer)]


def split(d):
    shape = list(d.shape(1, 3))
    axis = d.axis(len(shape), none=False)
    shape[axis] = 4
    cuts = d.one_of([2, 4, 1, [1], [1, 3]])

    def f(x):
        parts = md.split(x, cuts, axis)
        return md.concatenate([part * (i + 1.0) for i, part in enumerate(parts)], axis) * x
    return f, [d.any(shape)]


def pad(d):
    shape = d.shape(1, 3)
    width = d.one_of([1, (0, 2), tuple((i, 1) for i in range(len(shape)))])
    return lambda x: md.pad(x, width, constant_values=0.5), [d.any(shape)]


def border(d):
    shape, mode = d.shape(1, 3), d.one_of(["edge", "reflect", "symmetric", "wrap"])
    width = d.one_of([1, (0, 2), (5, 0), 4, tuple((i, 1) for i in range(len(shape)))])
    return lambda x: md.pad(x, width, mode), [d.any(shape)]


def remainder(d):
    """Quotients that keep away from whole numbers, of both signs."""
    a, b = d.pair()
    divisor = d.nonzero(b)
    quotient = d.rng.integers(-3, 3, np.broadcast_shapes(a, b)) + d.rng.uniform(0.2, 0.8, np.broadcast_shapes(a, b))
    return md.remainder, [quotient * divisor, divisor]


def rounding(f):
    """A step function, times its argument so that something depends on it; away from its steps."""
    return lambda d: (lambda x: f(x) * x, [d.distinct(d.shape()) + 0.03])


def sort(d):
    shape = d.shape(1)
    axis = d.axis(len(shape))
    return lambda x: md.sort(x, axis), [d.distinct(shape)]


def triangle(f, min_dims=2, max_dims=4):
    def case(d):
        shape, k = d.shape(min_dims, max_dims), d.integer(-2, 2)
        return lambda x: f(x, k), [d.any(shape)]
    return case


def diagonals(f):
    def case(d):
        shape, offset = d.shape(2), d.integer(-1, 1)
        first = d.axis(len(shape), none=False)
        second = (first + d.integer(1, len(shape) - 1)) % len(shape)
        return lambda x: f(x, offset, first, second), [d.any(shape)]
    return case


def moveaxis(d):
    shape = d.shape(2, 4)
    source, destination = d.one_of([(0, -1), (-1, 0), ((0, 1), (-1, 0)), ([1, 0], [0, -1])])
    return lambda x: md.moveaxis(x, source, destination), [d.any(shape)]


def dot(d):
    n, k, m = (d.integer(1, 3) for _ in range(3))
    left, right = d.one_of([((k,), (k,)), ((n, k), (k,)), ((n, k), (k, m)), ((2, n, k), (3, k, m)), ((2, n, k), (k,)),
                            ((k,), (2, k, m)), ((), (k,)), ((n, k), ())])
    return md.dot, [d.any(left), d.any(right)]


def tensordot(d):
    n, k, m = (d.integer(1, 3) for _ in range(3))
    left, right, axes = d.one_of([((n, k, m), (k, m, 2), 2), ((n, k), (k, m), 1), ((n,), (m, k), 0),
                                  ((n, k, m), (m, 2, n), ((0, -1), (2, 0))), ((k, n), (m, k), (0, 1)),
                                  ((n, k), (n, k), 2)])
    return lambda a, b: md.tensordot(a, b, axes), [d.any(left), d.any(right)]


def conv1d(d):
    options = {"stride": d.one_of([1, 2]), "padding": d.one_of([0, 2]), "dilation": d.one_of([1, 2]),
               "groups": d.one_of([1, 2])}
    c, groups = d.one_of([1, 2]), options["groups"]
    o = d.integer(1, 2) * groups
    inputs = [d.any((2, d.integer(5, 7), c * groups)), d.any((d.integer(1, 3), c, o)), d.any((o,))]
    return (lambda *xs: md.conv1d(*xs, **options)), inputs[:d.integer(2, 3)]


def interpolate(d):
    size = d.integer(1, 5), d.integer(1, 5)
    return lambda x: md.interpolate(x, size), [d.any(d.shape(4, 4))]


def flip(d):
    shape = d.shape(1)
    axis = d.axes(len(shape))
    return lambda x: md.flip(x, axis), [d.any(shape)]


def roll(d):
    shape = d.shape(2, 3)
    shift, axis = d.one_of([(1, None), (-2, 0), (3, -1), ((1, -1), (0, 1))])
    return lambda x: md.roll(x, shift, axis), [d.any(shape)]


def tile(d):
    shape = d.shape(0, 3)
    reps = d.one_of([2, (2,), (1, 2), (2, 1, 1, 2)])
    return lambda x: md.tile(x, reps), [d.any(shape)]


def repeat(d):
    shape = d.shape(1, 3)
    axis = d.axis(len(shape))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    repeats = d.one_of([2, 1, [int(i) for i in d.rng.integers(0, 3, n - 1)] + [1]])
    return lambda x: md.repeat(x, repeats, axis), [d.any(shape)]


def broadcast_to(d):
    shape, _ = d.pair()
    to = (2, *(3 if n == 1 else n for n in shape))
    return lambda x: md.broadcast_to(x, to), [d.any(shape)]


def sum_to(d):
    shape, _ = d.pair()
    wide = (2, *(3 if n == 1 else n for n in shape))
    return lambda x: md.sum_to(x, shape), [d.any(wide)]


def bce(d):
    shape = d.shape(1, 3)
    reduction = d.one_of(["mean", "sum", "none"])
    f = lambda z, t: losses.binary_cross_entropy_with_logits(z, t, reduction)
    return f, [d.any(shape), d.positive(shape) / 2]


def pooling(f, values="any"):
    def case(d):
        kernel = (d.integer(1, 3), d.integer(1, 3))
        stride = d.one_of([None, 1, 2, (2, 1)])
        padding = tuple(d.integer(0, n // 2) for n in kernel)
        shape = (d.integer(1, 2), d.integer(kernel[0], 5), d.integer(kernel[1], 5), d.integer(1, 2))
        ceil_mode = d.one_of([False, True])
        return lambda x: f(x, kernel, stride, padding, ceil_mode=ceil_mode), [getattr(d, values)(shape)]
    return case


def max_unpool2d(d):
    """Squared maxima, so that the second derivative is not 0, to where they were, or to one place of all windows."""
    kernel = (d.integer(1, 3), d.integer(1, 3))
    stride, padding = d.one_of([None, 1, (2, 1)]), tuple(d.integer(0, n // 2) for n in kernel)
    shape = (d.integer(1, 2), d.integer(kernel[0], 5), d.integer(kernel[1], 5), d.integer(1, 2))
    place = d.one_of([None, kernel[0] * kernel[1] - 1])

    def f(x):
        y, indices = md.max_pool2d(x, kernel, stride, padding, return_indices=True)
        indices = indices if place is None else place
        return md.max_unpool2d(y * y, indices, kernel, stride, padding, shape[1:3])
    return f, [d.distinct(shape)]


def upsample(d):
    scale, mode = d.one_of([1, 2, (3, 1), (1, 2)]), d.one_of(["nearest", "bilinear"])
    return lambda x: md.upsample(x, scale, mode), [d.any(d.shape(4, 4))]


def _window(d):
    """An image size, a kernel that fits, the options, and the numbers of channels of a group."""
    options = {"stride": d.one_of([1, 2, (2, 1)]), "padding": d.one_of([0, 1, (0, 2)]),
               "dilation": d.one_of([1, 1, (1, 2)]), "groups": d.one_of([1, 1, 2])}
    return (d.integer(3, 5), d.integer(5, 6)), (d.integer(1, 3), d.integer(1, 3)), options, d.one_of([1, 2, 5])


def conv2d(d):
    size, kernel, options, c = _window(d)
    groups = options["groups"]
    o = d.integer(1, 2) * groups
    inputs = [d.any((2, *size, c * groups)), d.any((*kernel, c, o)), d.any((o,))]
    return (lambda *xs: md.conv2d(*xs, **options)), inputs[:d.integer(2, 3)]


def conv_transpose2d(d):
    size, kernel, options, c = _window(d)
    kernel, groups = tuple(k + 2 for k in kernel), options["groups"]
    o = d.integer(1, 2) * groups
    inputs = [d.any((2, *size, o)), d.any((*kernel, c, o)), d.any((c * groups,))]
    return (lambda *xs: md.conv_transpose2d(*xs, **options)), inputs[:d.integer(2, 3)]


def batch_norm(d):
    shape = (d.integer(1, 3), d.integer(2, 4), d.integer(1, 4))
    channels = shape[-1:]
    inputs = [d.any(shape), d.any(channels), d.any(channels)][:d.integer(1, 3)]
    return lambda x, *wb: md.batch_norm(x, *wb, eps=0.1)[0], inputs


def standardize(d):
    shape = d.shape(1)
    channels = [d.any(shape[-1:]) for _ in range(d.integer(0, 2))]
    return lambda *xs: md.standardize(*xs), [d.any(shape), d.any(shape[-1:]), d.positive(shape[-1:]), *channels]


def scale_shift(d):
    shape = d.shape(1)
    channels = shape[-1:]
    inputs = [d.any(shape), d.any(channels), d.any(channels), d.any(shape), d.any(channels)]
    return md.scale_shift, inputs[:d.one_of([2, 3, 5])]


def recurrence(f, states, gates, hidden_biases=0):
    def case(d):
        batch, steps, features, size = d.integer(1, 3), d.integer(1, 4), d.integer(1, 3), d.integer(1, 3)
        masked = d.one_of([False, True])

        def states_of(x, *others):
            y, last = f(x, *others, x[:, :, 0] > 0.0 if masked else None)
            return md.concatenate([md.reshape(s, -1) for s in (y, *last)])

        weights = [(features, gates * size), (size, gates * size), (gates * size,), *[(size,)] * hidden_biases]
        inputs = [d.nonzero((batch, steps, features))]            # the sign is the mask
        return states_of, inputs + [d.any(shape) for shape in [*[(batch, size)] * states, *weights]]
    return case


def there_and_back(x):
    return md.astype(md.astype(x, "float64") * 2.0, x.dtype)


# The table: every name of `minidl.ops`, and whatever other primitive there is ---------------------------------------

CASES = {
    "abs": [one(md.abs, "nonzero")],
    "add": [two(md.add), one(lambda x: x + x), one(lambda x: 2.0 + x)],
    "arctan2": [two(md.arctan2, "nonzero", "nonzero")],
    "astype": [one(there_and_back)],
    "avg_pool2d": [pooling(md.avg_pool2d)],
    "batch_norm": [batch_norm],
    "binary_cross_entropy_with_logits": [bce],
    "broadcast_to": [broadcast_to],
    "ceil": [rounding(md.ceil)],
    "clip": [clip],
    "concatenate": [several(md.concatenate), concatenate_unequal],
    "conv1d": [conv1d],
    "conv2d": [conv2d],
    "conv_transpose2d": [conv_transpose2d],
    "cos": [one(md.cos)],
    "cosh": [one(md.cosh)],
    "cumprod": [along(md.cumprod), one(md.cumprod)],
    "cumsum": [along(md.cumsum), one(md.cumsum)],
    "diag": [triangle(md.diag, 1, 2)],
    "diagonal": [diagonals(md.diagonal)],
    "divide": [two(md.divide, "any", "nonzero"), one(lambda x: 2.0 / x, "nonzero")],
    "dot": [dot],
    "einsum": [einsum],
    "elu": [one(md.elu, "nonzero"), one(lambda x: md.elu(x, 0.5), "nonzero")],
    "erf": [one(md.erf), one(lambda x: md.erf(x * 4.0))],
    "exp": [one(md.exp)],
    "expand_dims": [expand_dims],
    "expm1": [one(md.expm1)],
    "flip": [flip],
    "floor": [rounding(md.floor)],
    "floor_divide": [rounding(lambda x: x // 0.5), rounding(lambda x: (x * 0.0 + 3.2) // (x * 0.0 + 1.1))],
    "gather": [gather],
    "gelu": [one(md.gelu), one(lambda x: md.gelu(x, "none"))],
    "getitem": [index_basic, index_advanced, slices_of_one_array],
    "gru": [recurrence(recurrent.gru, 1, 3, hidden_biases=1)],
    "hstack": [joined(md.hstack)],
    "hypot": [two(md.hypot, "nonzero", "nonzero")],
    "interpolate": [interpolate],
    "leaky_relu": [one(md.leaky_relu, "nonzero"), one(lambda x: md.leaky_relu(x, negative_slope=0.2), "nonzero")],
    "linear": [linear],
    "log": [one(md.log, "positive")],
    "log10": [one(md.log10, "positive")],
    "log1p": [one(md.log1p, "positive")],
    "log2": [one(md.log2, "positive")],
    "log_softmax": [along(md.log_softmax), one(lambda x: md.log_softmax(x) * md.log_softmax(x), min_dims=1)],
    "logaddexp": [two(md.logaddexp), one(lambda x: md.logaddexp(x, 0.5))],
    "logsumexp": [reduction(md.logsumexp)],
    "lstm": [recurrence(recurrent.lstm, 2, 4)],
    "matmul": [matmul],
    "max": [reduction(md.max, "distinct")],
    "max_pool2d": [pooling(md.max_pool2d, "distinct")],
    "max_unpool2d": [max_unpool2d],
    "maximum": [two(md.maximum, "distinct", "between"), one(lambda x: md.maximum(x, 0.0), "nonzero"),
                one(lambda x: md.maximum(0.0, x) * x, "nonzero")],
    "mean": [reduction(md.mean)],
    "min": [reduction(md.min, "distinct")],
    "minimum": [two(md.minimum, "distinct", "between"), one(lambda x: md.minimum(0.0, x) * x, "nonzero")],
    "moments": [one(md.moments, min_dims=1)],
    "moveaxis": [moveaxis],
    "multiply": [two(md.multiply), one(lambda x: x * x * x), one(lambda x: 3 * x)],
    "ndtr": [one(md.ndtr), one(lambda x: md.ndtr(x * 3.0))],
    "negative": [one(md.negative)],
    "norm": [reduction(md.norm, "nonzero")],
    "outer": [lambda d: (md.outer, [d.any(d.shape(1, 1)), d.any(d.shape(1, 1))])],
    "pad": [pad, border],
    "power": [power_by_number, integer_power_of_any_sign, two(md.power, "positive", "any"),
              one(lambda x: 2.0 ** x)],
    "prod": [reduction(md.prod)],
    "ravel": [one(md.ravel)],
    "reciprocal": [one(md.reciprocal, "nonzero")],
    "relu": [one(md.relu, "nonzero")],
    "remainder": [remainder, one(lambda x: x % 7.0, "positive"), one(lambda x: 2.5 % (x + 3.0), "positive")],
    "repeat": [repeat],
    "reshape": [reshape],
    "rnn": [recurrence(recurrent.rnn, 1, 1)],
    "roll": [roll],
    "round": [rounding(md.round), rounding(lambda x: md.round(x, 1))],
    "scale_shift": [scale_shift],
    "scatter_add": [scatter_add],
    "sigmoid": [one(md.sigmoid)],
    "sign": [one(lambda x: md.sign(x) * x, "nonzero")],
    "sin": [one(md.sin)],
    "sinh": [one(md.sinh)],
    "softmax": [along(md.softmax)],
    "softplus": [one(md.softplus)],
    "sort": [sort],
    "split": [split],
    "sqrt": [one(md.sqrt, "positive")],
    "square": [one(md.square)],
    "squeeze": [squeeze],
    "stack": [several(md.stack)],
    "standardize": [standardize],
    "std": [spread(md.std)],
    "subtract": [two(md.subtract), one(lambda x: 1.0 - x)],
    "sum": [reduction(md.sum)],
    "sum_to": [sum_to],
    "swapaxes": [swapaxes],
    "take": [take],
    "tan": [one(lambda x: md.tan(x * 0.3))],
    "tanh": [one(md.tanh)],
    "tensordot": [tensordot],
    "tile": [tile],
    "to_device": [one(lambda x: md.to_device(x, md.Device("cpu")))],
    "trace": [diagonals(md.trace)],
    "transpose": [transpose],
    "tril": [triangle(md.tril)],
    "triu": [triangle(md.triu)],
    "upsample": [upsample],
    "var": [spread(md.var)],
    "vstack": [joined(md.vstack)],
    "where": [where, where_number],
}

# Primitives without rules: comparisons, selections and masks, whose results are constants for every gradient.
CONSTANTS = {"all", "any", "argmax", "argmin", "bitwise_and", "bitwise_or", "bitwise_xor", "equal", "greater",
             "greater_equal", "invert", "isfinite", "isnan", "less", "less_equal", "logical_and", "logical_not",
             "logical_or", "logical_xor", "not_equal", "_argsort", "_between", "_first_maxima", "_interpolation",
             "_leaky_slope", "_lstm_run", "_masked", "_quotient", "_share", "_shares", "_sign",
             "_ties"}

# Operations that add up in another order on a device: equal where every sum is exact.
REORDERED = {"conv1d", "conv2d", "conv_transpose2d", "getitem", "repeat", "scatter_add", "take"}

# Public functions that make no gradient.
HELPERS = {"argsort", "check_labels", "one_hot"}

# What `minidl/ops/` has for its own files and for `minidl/nn/`, and does not export.
INTERNAL = {"axes_of", "check_approximate", "check_axes", "check_axis", "check_bias", "check_fit", "check_images",
            "check_scale_factor", "check_slope", "check_window", "computed_wide", "convolve", "convolve_transposed",
            "correlate", "count", "far_from_0", "filter_for", "floating", "geometry_of", "index_array",
            "log1p_of_fraction", "operand", "pair_of", "several", "whole_numbers"}
WITHIN_NN = {"gru", "linear", "lstm", "rnn"}               # operations that nn's layers are the way to
