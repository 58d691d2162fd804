"""Losses and layers against PyTorch: values, first and second gradients, in float64."""
import numpy as np
import pytest

import minidl as md
from minidl import nn
from minidl.tensor import Tensor

pytestmark = pytest.mark.parity
REDUCTIONS = ["mean", "sum", "none"]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")           # here, so that the default run does not import it to collect


def derivatives(lib, loss, inputs):
    """The loss, its gradients along fixed weights, and the gradients of their weighted sum, by all inputs."""
    def weights(x):
        return lib["array"](np.random.default_rng(len(x.shape)).uniform(0.5, 1.5, tuple(x.shape)))

    y = loss(*inputs)
    first = lib["grad"]((y * weights(y)).sum(), inputs)
    # the squares of the inputs keep in the graph what the gradient does not depend on
    total = sum(((g * weights(g)).sum() for g in first), start=0.0) + sum((x * x).sum() for x in inputs)
    return [y, *first, *lib["grad"](total, inputs)]


def compare(torch, ours, theirs, arrays, rtol=1e-11, atol=1e-13):
    mine = {"array": Tensor, "grad": lambda y, xs: md.grad(y, xs, create_graph=True)}
    peer = {"array": torch.tensor, "grad": lambda y, xs: torch.autograd.grad(y, xs, create_graph=True)}
    a = derivatives(mine, ours, [Tensor(x, requires_grad=True) for x in arrays])
    b = derivatives(peer, theirs, [torch.tensor(x, requires_grad=True) for x in arrays])
    for x, y in zip(a, b, strict=True):
        assert x.shape == tuple(y.shape)
        np.testing.assert_allclose(x.numpy(), y.detach().numpy(), rtol=rtol, atol=atol)


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) * 3 for shape in shapes]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(7,), (5, 4), (2, 3, 4)])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits"])
def test_losses_of_equal_shapes_match_to_second_order(torch, name, shape, reduction):
    x, y = draw(shape, shape)
    if name.startswith("binary"):
        y = 1 / (1 + np.exp(-y))
    ours, theirs = getattr(nn, name), getattr(torch.nn.functional, name)
    compare(torch, lambda x, y: ours(x, y, reduction), lambda x, y: theirs(x, y, reduction=reduction), [x, y])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("delta", [0.3, 1.0, 4.0])
def test_huber_takes_its_delta_from_the_same_place(torch, delta, reduction):
    x, y = draw((6, 4), (6, 4))
    y[0] = x[0]                                   # no error at all: the second derivative is 1 there
    compare(torch, lambda x: nn.huber_loss(x, Tensor(y), reduction, delta=delta),
            lambda x: torch.nn.functional.huber_loss(x, torch.tensor(y), reduction=reduction, delta=delta), [x])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("rows", [(), (5,)])
def test_cross_entropy_with_labels_matches_to_second_order(torch, rows, reduction):
    z, = draw((*rows, 4))
    labels = np.random.default_rng(1).integers(0, 4, rows)
    compare(torch, lambda z: nn.cross_entropy(z, labels, reduction),
            lambda z: torch.nn.functional.cross_entropy(z, torch.tensor(labels), reduction=reduction), [z])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_over_the_last_axis_is_pytorchs_over_the_second(torch, reduction):
    z, = draw((3, 5, 4))
    labels = np.random.default_rng(1).integers(0, 4, (3, 5))
    compare(torch, lambda z: nn.cross_entropy(z, labels, reduction),
            lambda z: torch.nn.functional.cross_entropy(z.movedim(-1, 1), torch.tensor(labels), reduction=reduction),
            [z])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_with_distributions_matches_to_second_order(torch, reduction):
    z, p = draw((6, 4), (6, 4))
    p = np.exp(p) / np.exp(p).sum(-1, keepdims=True)
    compare(torch, lambda z, p: nn.cross_entropy(z, p, reduction),
            lambda z, p: torch.nn.functional.cross_entropy(z, p, reduction=reduction), [z, p])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_hinge_is_pytorchs_margin_loss_written_out(torch, reduction):
    s, = draw((6, 4))
    sign = np.where(np.random.default_rng(1).random((6, 4)) < 0.5, -1.0, 1.0)
    reduce = {"mean": lambda v: v.mean(), "sum": lambda v: v.sum(), "none": lambda v: v}[reduction]
    compare(torch, lambda s: nn.hinge_loss(s, Tensor(sign), reduction),
            lambda s: reduce(torch.relu(1 - torch.tensor(sign) * s)), [s])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_divergences_of_gaussians_are_those_of_torch_distributions(torch, reduction):
    reduce = {"mean": lambda v: v.mean(), "sum": lambda v: v.sum(), "none": lambda v: v}[reduction]
    normal = lambda mean, log_variance: torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    divergence = torch.distributions.kl_divergence
    compare(torch, lambda m, v: nn.kl_unit_gaussian(m, v, reduction),
            lambda m, v: reduce(divergence(normal(m, v), torch.distributions.Normal(0.0, 1.0)).sum(-1)),
            draw((5, 3), (5, 3)), rtol=1e-9)
    compare(torch, lambda m, v, n, w: nn.kl_gaussians(m, v, n, w, reduction),
            lambda m, v, n, w: reduce(divergence(normal(m, v), normal(n, w)).sum(-1)),
            draw((5, 3), (5, 3), (5, 3), (5, 3), seed=2), rtol=1e-9)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_extreme_float32_logits_give_pytorchs_values_and_gradients(torch, reduction):
    z = np.array([[1e4, -1e4, 30.0], [-1e4, 1e4, -30.0], [88.0, -104.0, 0.0]], np.float32)
    target = np.array([[0, 1, 1], [1, 0, 0], [1, 0, 1]], np.float32)
    for ours, theirs, y in [
        (nn.binary_cross_entropy_with_logits, torch.nn.functional.binary_cross_entropy_with_logits, target),
        (nn.cross_entropy, torch.nn.functional.cross_entropy, np.array([1, 2, 0])),
    ]:
        a, b = Tensor(z, requires_grad=True), torch.tensor(z, requires_grad=True)
        mine, peer = ours(a, Tensor(y), reduction), theirs(b, torch.tensor(y), reduction=reduction)
        md.sum(mine).backward()
        peer.sum().backward()
        # PyTorch's own loses 9e-14 at a logit of -30 for a target of 0
        np.testing.assert_allclose(mine.numpy(), peer.detach().numpy(), rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_a_network_of_every_layer_matches_in_its_output_and_gradients(torch):
    ours = nn.Sequential(nn.Linear(6, 5, rng=0), nn.ReLU(), nn.Linear(5, 5, rng=1), nn.LeakyReLU(0.2),
                         nn.Linear(5, 5, bias=False, rng=2), nn.ELU(0.7), nn.Linear(5, 5, rng=3), nn.Softplus(),
                         nn.Linear(5, 4, rng=4), nn.GELU(), nn.Sigmoid(), nn.Tanh(), nn.Softmax()).astype(np.float64)
    T = torch.nn
    theirs = T.Sequential(T.Linear(6, 5), T.ReLU(), T.Linear(5, 5), T.LeakyReLU(0.2), T.Linear(5, 5, bias=False),
                          T.ELU(0.7), T.Linear(5, 5), T.Softplus(), T.Linear(5, 4), T.GELU(approximate="tanh"),
                          T.Sigmoid(), T.Tanh(), T.Softmax(-1)).double()
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            assert name == other
            p.data[...] = p.data + 0.1 * rng.standard_normal(p.shape)        # biases too
            q.copy_(torch.tensor(p.numpy().T.copy()))
    x = rng.standard_normal((7, 6))
    y, z = ours(x), theirs(torch.tensor(x))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12)
    weights = rng.standard_normal((7, 4))
    md.sum(y * weights).backward()
    (z * torch.tensor(weights)).sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy().T, q.grad.numpy(), rtol=1e-9, atol=1e-14)
