"""Every operation that PyTorch also has: the same values, first and second derivatives, special points included."""
from pathlib import Path

import numpy as np
import pytest

import minidl as md
from minidl import ops
from tests.ops.cases import CONSTANTS

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
F = torch.nn.functional

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))
Y = RNG.standard_normal((3, 4))
ROW = RNG.standard_normal(4)
POSITIVE = RNG.uniform(0.2, 2.0, (3, 4))
TIES = np.array([[1.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 5.0, 2.0, 5.0]])
WITH_0 = np.array([[0.0, -1.0, 2.0, 0.0], [0.5, 0.0, -0.5, 1.0]])
LIMITS = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
CUBE = RNG.standard_normal((2, 3, 4))
REPEATED = np.array([0, 2, 0, 0])
BIG = np.array([-1e4, -500.0, -104.0, -89.0, -30.0, -1.0, 0.0, 1.0, 30.0, 89.0, 104.0, 500.0, 1e4])
BIG_ROWS = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [500.0, 499.0, -500.0], [1e4, 1e4, 1e4], [0.0, 90.0, -90.0]])


def _torch(x):
    return torch.from_numpy(np.array(x))


# name: (ours, PyTorch's, inputs)
TABLE = {
    "abs": (md.abs, torch.abs, [WITH_0]),
    "add": (md.add, torch.add, [X, ROW]),
    "arctan2": (md.arctan2, torch.arctan2, [X, Y]),
    "batch_norm": (lambda x, w, b: md.batch_norm(x, w, b)[0],
                   lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [X, ROW, ROW + 1]),
    "broadcast_to": (lambda x: md.broadcast_to(x, (2, 3, 4)), lambda x: x.expand(2, 3, 4), [X]),
    "ceil": (lambda x: md.ceil(x) * x, lambda x: torch.ceil(x) * x, [X]),
    "clip at its limits": (lambda x: md.clip(x, -1.0, 1.0), lambda x: torch.clamp(x, -1.0, 1.0), [LIMITS]),
    "clip below": (lambda x: md.clip(x, a_min=0.5), lambda x: torch.clamp(x, min=0.5), [LIMITS]),
    "clip above": (lambda x: md.clip(x, a_max=0.5), lambda x: torch.clamp(x, max=0.5), [LIMITS]),
    "concatenate": (lambda a, b: md.concatenate([a, b, a], 1), lambda a, b: torch.cat([a, b, a], 1), [X, Y]),
    "cos": (md.cos, torch.cos, [X]),
    "cosh": (md.cosh, torch.cosh, [X]),
    "cumprod": (lambda x: md.cumprod(x, 1), lambda x: torch.cumprod(x, 1), [X]),
    "cumprod with zeros": (lambda x: md.cumprod(x, 1), lambda x: torch.cumprod(x, 1), [ZEROS]),
    "cumsum": (lambda x: md.cumsum(x, 1), lambda x: torch.cumsum(x, 1), [X]),
    "diag of a vector": (lambda x: md.diag(x, 1), lambda x: torch.diag(x, 1), [ROW]),
    "diag of a matrix": (lambda x: md.diag(x, -1), lambda x: torch.diag(x, -1), [X]),
    "diagonal": (lambda x: md.diagonal(x, 1, -1, 0), lambda x: torch.diagonal(x, 1, -1, 0), [CUBE]),
    "divide": (md.divide, torch.div, [X, POSITIVE[:1]]),
    "dot": (md.dot, torch.dot, [ROW, ROW + 1]),
    "einsum of two": (lambda a, b: md.einsum("ij,kj->ik", a, b), lambda a, b: torch.einsum("ij,kj->ik", a, b), [X, Y]),
    "einsum of three": (lambda a, b, c: md.einsum("ij,kj,j->k", a, b, c),
                        lambda a, b, c: torch.einsum("ij,kj,j->k", a, b, c), [X, Y, ROW]),
    "einsum with further axes": (lambda a, b: md.einsum("...ij,jk->...ik", a, b),
                                 lambda a, b: torch.einsum("...ij,jk->...ik", a, b), [CUBE, Y.T]),
    "einsum of a diagonal": (lambda a: md.einsum("ii->i", a), lambda a: torch.einsum("ii->i", a), [X[:, :3]]),
    "elu": (md.elu, F.elu, [X]),
    "elu with alpha": (lambda x: md.elu(x, 0.3), lambda x: F.elu(x, 0.3), [X]),
    "erf": (md.erf, torch.erf, [WITH_0 * 3]),
    "erf of large numbers": (md.erf, torch.erf, [BIG]),
    "exp": (md.exp, torch.exp, [X]),
    "expand_dims": (lambda x: md.expand_dims(x, 1), lambda x: x.unsqueeze(1), [X]),
    "expm1": (md.expm1, torch.expm1, [WITH_0]),
    "expm1 near 0": (md.expm1, torch.expm1, [WITH_0 * 1e-9]),
    "flip": (lambda x: md.flip(x, (0, 1)), lambda x: torch.flip(x, (0, 1)), [X]),
    "floor": (lambda x: md.floor(x) * x, lambda x: torch.floor(x) * x, [X]),
    "floor_divide": (lambda x: md.floor_divide(x, 0.3) * x, lambda x: torch.floor(x / 0.3) * x, [X]),
    "gather with repeated indices": (lambda x: md.gather(x, REPEATED[None], 1),
                                     lambda x: torch.gather(x, 1, _torch(REPEATED)[None].expand(3, 4)), [X]),
    "gelu": (md.gelu, lambda x: F.gelu(x, approximate="tanh"), [WITH_0 * 3]),
    "gelu, exact": (lambda x: md.gelu(x, "none"), F.gelu, [WITH_0 * 3]),
    "getitem by repeated indices": (lambda x: x[REPEATED], lambda x: x[_torch(REPEATED)], [X]),
    "getitem by two index arrays": (lambda x: x[REPEATED, REPEATED + 1], lambda x: x[_torch(REPEATED), _torch(
        REPEATED + 1)], [X]),
    "getitem by a mask": (lambda x: x[X > 0], lambda x: x[_torch(X > 0)], [X]),
    "getitem by slices": (lambda x: x[1:, ::2, None], lambda x: x[1:, ::2, None], [X]),
    "hstack": (lambda a, b: md.hstack([a, b]), lambda a, b: torch.hstack([a, b]), [X, Y]),
    "hypot": (md.hypot, torch.hypot, [X, Y]),
    "leaky_relu": (md.leaky_relu, F.leaky_relu, [WITH_0]),
    "linear": (ops.linear, lambda x, W, b: F.linear(x, W.T, b), [CUBE, Y.T, RNG.standard_normal(3)]),
    "log": (md.log, torch.log, [POSITIVE]),
    "log10": (md.log10, torch.log10, [POSITIVE]),
    "log1p": (md.log1p, torch.log1p, [POSITIVE]),
    "log1p near 0": (md.log1p, torch.log1p, [WITH_0 * 1e-9]),
    "log2": (md.log2, torch.log2, [POSITIVE]),
    "log_softmax": (md.log_softmax, lambda x: torch.log_softmax(x, -1), [X]),
    "log_softmax of large logits": (md.log_softmax, lambda x: torch.log_softmax(x, -1), [BIG_ROWS]),
    "logaddexp": (md.logaddexp, torch.logaddexp, [X, Y]),
    "logsumexp": (lambda x: md.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1), [X]),
    "logsumexp of all": (lambda x: md.logsumexp(x, (0, 1), True), lambda x: torch.logsumexp(x, (0, 1), True), [X]),
    "logsumexp of large numbers": (lambda x: md.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1), [BIG_ROWS]),
    "matmul": (md.matmul, torch.matmul, [X, Y.T]),
    "matmul of vectors": (md.matmul, torch.matmul, [ROW, ROW + 1]),
    "matmul of a vector": (md.matmul, torch.matmul, [CUBE, ROW]),
    "matmul of batches": (md.matmul, torch.matmul, [CUBE[:, None], RNG.standard_normal((3, 4, 2))]),
    "max shares at ties": (lambda x: md.max(x, axis=1), lambda x: torch.amax(x, 1), [TIES]),
    "max of all": (lambda x: md.max(x), lambda x: torch.amax(x), [TIES]),
    "max over two axes": (lambda x: md.max(x, axis=(0, 2)), lambda x: torch.amax(x, (0, 2)), [CUBE.round()]),
    "maximum shares at ties": (md.maximum, torch.maximum, [TIES, TIES[:, ::-1]]),
    "mean": (lambda x: md.mean(x, axis=(0, 2)), lambda x: x.mean((0, 2)), [CUBE]),
    "min shares at ties": (lambda x: md.min(x, axis=1, keepdims=True), lambda x: torch.amin(x, 1, True), [-TIES]),
    "minimum shares at ties": (md.minimum, torch.minimum, [TIES, TIES[:, ::-1]]),
    "moments": (md.moments, lambda x: torch.stack([x.mean((0, 1)), x.var((0, 1), correction=0)]), [CUBE]),
    "moveaxis": (lambda x: md.moveaxis(x, (0, 1), (2, 0)), lambda x: torch.moveaxis(x, (0, 1), (2, 0)), [CUBE]),
    "multiply": (md.multiply, torch.mul, [X, ROW]),
    "ndtr": (md.ndtr, torch.special.ndtr, [WITH_0 * 3]),
    "negative": (md.negative, torch.neg, [X]),
    "norm": (lambda x: md.norm(x, axis=1), lambda x: torch.linalg.vector_norm(x, dim=1), [X]),
    "norm over all": (lambda x: md.norm(x), lambda x: torch.linalg.vector_norm(x), [X]),
    "outer": (md.outer, torch.outer, [ROW, ROW[:2]]),
    "pad": (lambda x: md.pad(x, ((1, 0), (0, 2)), constant_values=0.5),
            lambda x: F.pad(x, (0, 2, 1, 0), value=0.5), [X]),
    "pad by reflection": (lambda x: md.pad(x, ((0, 0), (2, 1)), "reflect"), lambda x: F.pad(x, (2, 1), "reflect"), [X]),
    "pad by the edge": (lambda x: md.pad(x, ((0, 0), (2, 5)), "edge"), lambda x: F.pad(x, (2, 5), "replicate"), [X]),
    "pad around": (lambda x: md.pad(x, ((0, 0), (2, 1)), "wrap"), lambda x: F.pad(x, (2, 1), "circular"), [X]),
    "power 0": (lambda x: x ** 0, lambda x: x ** 0, [WITH_0]),
    "power 1": (lambda x: x ** 1, lambda x: x ** 1, [WITH_0]),
    "power 2": (lambda x: x ** 2, lambda x: x ** 2, [WITH_0]),
    "power 2.0": (lambda x: x ** 2.0, lambda x: x ** 2.0, [WITH_0]),
    "power 3": (lambda x: x ** 3, lambda x: x ** 3, [WITH_0]),
    "power -1.5": (lambda x: x ** -1.5, lambda x: x ** -1.5, [POSITIVE]),
    "power of a number": (lambda x: 2.0 ** x, lambda x: 2.0 ** x, [WITH_0]),
    "power of two arrays": (md.power, torch.pow, [POSITIVE, X]),
    "prod": (lambda x: md.prod(x, axis=1), lambda x: torch.prod(x, 1), [X]),
    "prod with zeros": (lambda x: md.prod(x, axis=1), lambda x: torch.prod(x, 1), [ZEROS]),
    "prod of all with a zero": (lambda x: md.prod(x), lambda x: torch.prod(x), [ZEROS[0]]),
    "ravel": (md.ravel, torch.ravel, [X]),
    "reciprocal": (md.reciprocal, torch.reciprocal, [POSITIVE]),
    "relu, also at 0": (md.relu, torch.relu, [WITH_0]),
    "remainder": (md.remainder, torch.remainder, [X * 5, Y]),
    "repeat": (lambda x: md.repeat(x, 3, 1), lambda x: torch.repeat_interleave(x, 3, 1), [X]),
    "repeat by counts": (lambda x: md.repeat(x, [2, 0, 1], 0), lambda x: torch.repeat_interleave(
        x, torch.tensor([2, 0, 1]), 0), [X]),
    "reshape": (lambda x: x.reshape(2, -1), lambda x: x.reshape(2, -1), [X]),
    "roll": (lambda x: md.roll(x, 2), lambda x: torch.roll(x, 2), [X]),
    "roll of two axes": (lambda x: md.roll(x, (1, -2), (0, 1)), lambda x: torch.roll(x, (1, -2), (0, 1)), [X]),
    "round": (lambda x: md.round(x) * x, lambda x: torch.round(x) * x, [LIMITS * 2.5]),
    "scatter_add": (lambda x, v: md.scatter_add(x, REPEATED, v),
                    lambda x, v: x.index_add(0, _torch(REPEATED), v), [X, RNG.standard_normal((4, 4))]),
    "scale_shift": (md.scale_shift, lambda x, a, b: x * a + b, [CUBE, ROW, ROW + 1]),
    "sigmoid": (md.sigmoid, torch.sigmoid, [WITH_0 * 5]),
    "sigmoid of large numbers": (md.sigmoid, torch.sigmoid, [BIG]),
    "sign": (lambda x: md.sign(x) * x, lambda x: torch.sign(x) * x, [WITH_0]),
    "sin": (md.sin, torch.sin, [X]),
    "sinh": (md.sinh, torch.sinh, [X]),
    "softmax": (md.softmax, lambda x: torch.softmax(x, -1), [X]),
    "softmax of large logits": (md.softmax, lambda x: torch.softmax(x, -1), [BIG_ROWS]),
    "softmax along the first axis": (lambda x: md.softmax(x, 0), lambda x: torch.softmax(x, 0), [X]),
    "softplus": (md.softplus, lambda x: F.softplus(x, threshold=1e9), [WITH_0 * 5]),
    "softplus of large numbers": (md.softplus, lambda x: F.softplus(x, threshold=25), [BIG]),
    "sort": (lambda x: md.sort(x, 0), lambda x: torch.sort(x, dim=0)[0], [X]),
    "sort of ties": (lambda x: md.sort(x), lambda x: torch.sort(x, stable=True)[0], [TIES]),
    "split": (lambda x: md.split(x, [1, 3], 1)[1], lambda x: torch.tensor_split(x, (1, 3), 1)[1], [X]),
    "sqrt": (md.sqrt, torch.sqrt, [POSITIVE]),
    "square": (md.square, torch.square, [X]),
    "squeeze": (lambda x: md.squeeze(x, 1), lambda x: x.squeeze(1), [X[:, None]]),
    "stack": (lambda a, b: md.stack([a, b], 1), lambda a, b: torch.stack([a, b], 1), [X, Y]),
    "standardize": (md.standardize, lambda x, m, v, w, b: (x - m) / torch.sqrt(v + 1e-5) * w + b,
                    [X, ROW, POSITIVE[0], Y[0], Y[1]]),
    "std": (lambda x: md.std(x, axis=1), lambda x: torch.std(x, 1, correction=0), [X]),
    "std with ddof": (lambda x: md.std(x, ddof=1, keepdims=True), lambda x: torch.std(x, (0, 1), keepdim=True), [X]),
    "subtract": (md.subtract, torch.sub, [ROW, X]),
    "sum": (lambda x: md.sum(x, axis=1), lambda x: x.sum(1), [CUBE]),
    "swapaxes": (lambda x: md.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1), [CUBE]),
    "take": (lambda x: md.take(x, REPEATED, 1), lambda x: torch.index_select(x, 1, _torch(REPEATED)), [X]),
    "tan": (md.tan, torch.tan, [X]),
    "tanh": (md.tanh, torch.tanh, [X]),
    "tensordot": (lambda a, b: md.tensordot(a, b, ((2, 0), (1, 0))),
                  lambda a, b: torch.tensordot(a, b, ((2, 0), (1, 0))), [CUBE, X[:2]]),
    "tile": (lambda x: md.tile(x, (2, 1, 3)), lambda x: torch.tile(x, (2, 1, 3)), [X]),
    "trace": (md.trace, torch.trace, [X[:, :3]]),
    "transpose": (lambda x: md.transpose(x, (2, 0, 1)), lambda x: x.permute(2, 0, 1), [CUBE]),
    "tril": (lambda x: md.tril(x, -1), lambda x: torch.tril(x, -1), [CUBE]),
    "triu": (lambda x: md.triu(x, 1), lambda x: torch.triu(x, 1), [CUBE]),
    "var": (lambda x: md.var(x, axis=(0, 2)), lambda x: torch.var(x, (0, 2), correction=0), [CUBE]),
    "var with ddof": (lambda x: md.var(x, axis=0, ddof=1), lambda x: torch.var(x, 0), [X]),
    "vstack": (lambda a, b: md.vstack([a, b]), lambda a, b: torch.vstack([a, b]), [ROW, X]),
    "where": (lambda a, b: md.where(X > 0, a, b), lambda a, b: torch.where(_torch(X > 0), a, b), [X, ROW]),
}

# The second derivative does not exist here and the two choose differently, or PyTorch has NaN (logaddexp): the first is
# compared.
FIRST_ORDER = {
    "elu at 0": (md.elu, F.elu, [WITH_0]),
    "logsumexp with some at -inf": (lambda x: md.logsumexp(x, 0), lambda x: torch.logsumexp(x, 0),
                                    [np.array([-np.inf, 0.0, 1.0])]),
    "logaddexp of large numbers": (md.logaddexp, torch.logaddexp, [BIG, BIG[::-1]]),
    "norm at 0": (lambda x: md.norm(x, axis=1), lambda x: torch.linalg.vector_norm(x, dim=1), [ZEROS]),
    "std of a constant": (lambda x: md.std(x, axis=1), lambda x: torch.std(x, 1, correction=0), [TIES]),
    "power of a 0": (md.power, torch.pow, [np.array([0.0, 0.0, 0.0, 2.0]), np.array([0.0, 1.0, 2.0, 0.0])]),
}


def derivatives(library, f, inputs, order):
    """Value, gradients of a random projection, and gradients of a random projection of these."""
    rng = np.random.default_rng(1)
    y = f(*inputs)
    results = [y]
    total = sum_of(library, y, rng)
    for remaining in range(order, 0, -1):
        gradients = take_gradients(library, total, inputs, remaining > 1)
        results += gradients
        if remaining > 1:            # the zeros keep a gradient in the graph that would be constant
            total = sum(sum_of(library, g, rng) for g in gradients) + sum((x * 0.0).sum() for x in inputs)
    return [r.detach().numpy() for r in results]


def sum_of(library, y, rng):
    weights = rng.standard_normal(y.shape).astype(str(y.dtype).split(".")[-1])
    return (y * (torch.from_numpy(weights) if library is torch else weights)).sum()


def take_gradients(library, total, inputs, create_graph):
    if library is torch:
        return torch.autograd.grad(total, inputs, create_graph=create_graph)
    return md.grad(total, inputs, create_graph=create_graph)


def compare(ours, theirs, inputs, order, dtype="float64", rtol=1e-10, atol=1e-12):
    inputs = [np.array(x, dtype) for x in inputs]
    mine = derivatives(md, ours, [md.Tensor(x, requires_grad=True) for x in inputs], order)
    peers = derivatives(torch, theirs, [torch.from_numpy(x.copy()).requires_grad_() for x in inputs], order)
    names = ["the value"] + [f"{n} derivative by input {i}" for n in ("first", "second") for i in range(len(inputs))]
    for name, a, b in zip(names, mine, peers, strict=False):
        assert a.dtype == b.dtype and np.isfinite(b).all(), name
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("name", TABLE)
def test_values_first_and_second_derivatives_are_pytorchs(name):
    compare(*TABLE[name], order=2)


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_values_and_gradients_at_singular_points_are_pytorchs(name):
    compare(*FIRST_ORDER[name], order=1)


LARGE = ["softplus of large numbers", "sigmoid of large numbers", "logsumexp of large numbers",
         "log_softmax of large logits", "softmax of large logits", "elu", "gelu", "tanh"]


@pytest.mark.parametrize("name", LARGE)
def test_large_numbers_in_float32_neither_overflow_nor_become_nan(name):
    ours, theirs, inputs = TABLE[name]
    if inputs[0] is not BIG_ROWS:
        inputs = [BIG + 0.1]                     # 0.1: elu's second derivative has a jump at 0
    compare(ours, theirs, inputs, order=2, dtype="float32", rtol=1e-5, atol=2e-7)


def test_infinite_slopes_are_pytorchs():
    for ours, theirs, point in [(md.sqrt, torch.sqrt, 0.0), (md.log, torch.log, 0.0)]:
        x, t = md.Tensor(np.array([point]), requires_grad=True), torch.tensor([point], requires_grad=True)
        with np.errstate(divide="ignore"):
            ours(x).backward()
        theirs(t).backward()
        assert x.grad.item() == t.grad.item() == np.inf


def test_every_operation_is_compared():
    """An operation is left out here only if PyTorch has none like it."""
    compared = {name.replace(",", " ").split()[0] for name in (*TABLE, *FIRST_ORDER)}
    constants = CONSTANTS | {"argsort"}
    peerless = {"astype", "to_device", "one_hot", "check_labels", "sum_to"}
    others = "".join(Path(__file__).with_name(f"test_{room}_torch.py").read_text(encoding="utf-8")
                     for room in ("convolution", "pooling"))
    left = set(ops.__all__) - compared - constants - peerless
    assert {name for name in left if f"md.{name}" not in others} == set()
