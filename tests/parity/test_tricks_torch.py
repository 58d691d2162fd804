"""Label smoothing, averages of weights and decay of chosen parameters against PyTorch, rotation against SciPy."""
import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.data import augmentation
from minidl.tensor import Tensor

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")              # here, so that the default run does not import it to collect


def to_second_order(grad, loss, z, weights):
    """The loss, its gradient, and the gradient of a weighted sum of that."""
    y = loss(z)
    first, = grad(y.sum(), [z])
    second, = grad((first * weights).sum(), [z])
    return y, first, second


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize("targets", ["labels", "distributions"])
def test_label_smoothing_matches_to_second_order(torch, targets, smoothing, reduction):
    rng = np.random.default_rng(0)
    z, weights = rng.standard_normal((2, 6, 4))
    target = rng.integers(0, 4, 6) if targets == "labels" else rng.dirichlet(np.ones(4), 6)
    ours = to_second_order(lambda y, xs: md.grad(y, xs, create_graph=True), lambda z: nn.cross_entropy(
        z, Tensor(target), reduction, label_smoothing=smoothing), Tensor(z, requires_grad=True), Tensor(weights))
    theirs = to_second_order(lambda y, xs: torch.autograd.grad(y, xs, create_graph=True), lambda z: (
        torch.nn.functional.cross_entropy(z, torch.tensor(target), reduction=reduction, label_smoothing=smoothing)),
        torch.tensor(z, requires_grad=True), torch.tensor(weights))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("decay", [0.9, 0.99])
def test_the_average_is_pytorchs_averaged_model_with_the_same_decays(torch, decay):
    """Its first update copies the model, so that both begin with the second."""
    ours, theirs = nn.Linear(4, 3, rng=0).astype(np.float64), torch.nn.Linear(4, 3).double()
    ours.weight.data[...] = theirs.weight.detach().numpy().T
    ours.bias.data[...] = theirs.bias.detach().numpy()
    ema = optim.EMA(ours, decay=decay)
    average = torch.optim.swa_utils.AveragedModel(theirs, avg_fn=lambda a, p, n: a + (p - a) * (
        1 - min(decay, (1 + float(n - 1)) / (10 + float(n - 1)))))
    average.update_parameters(theirs)
    rng = np.random.default_rng(0)
    for _ in range(150):
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            p.data[...] = rng.standard_normal(p.shape)
            with torch.no_grad():
                q.copy_(torch.tensor(p.numpy().T.copy()))
        ema.update()
        average.update_parameters(theirs)
    with ema.applied():
        for p, q in zip(ours.parameters(), average.module.parameters(), strict=True):
            np.testing.assert_allclose(p.numpy().T, q.detach().numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_weight_decay_of_chosen_parameters_is_pytorchs_of_two_groups(torch, name):
    rng = np.random.default_rng(0)
    starts = [rng.standard_normal(shape) for shape in ((3, 4), (4,), (4, 2), (2,))]
    mine = [nn.Parameter(a.copy()) for a in starts]
    peer = [torch.nn.Parameter(torch.tensor(a)) for a in starts]
    ours = getattr(optim, name)(mine, lr=0.05, weight_decay=lambda name, p: 0.2 if p.ndim > 1 else 0.0)
    theirs = getattr(torch.optim, name)([{"params": peer[::2], "weight_decay": 0.2},
                                         {"params": peer[1::2], "weight_decay": 0.0}], lr=0.05)
    for _ in range(10):
        for p, q in zip(mine, peer, strict=True):
            g = rng.standard_normal(p.shape)
            p.grad, q.grad = Tensor(g), torch.tensor(g)
        ours.step()
        theirs.step()
    for p, q in zip(mine, peer, strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("degrees", [5, 30, 180])
def test_rotation_is_scipys_with_zeros_around(degrees):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = np.random.default_rng(0).uniform(0, 1, (8, 9, 12, 3))
    turned = augmentation.rotate(x, np.random.default_rng(1), degrees=degrees)
    for image, result, angle in zip(x, turned, np.random.default_rng(1).uniform(-degrees, degrees, 8), strict=True):
        expected = ndimage.rotate(image, angle, axes=(1, 0), reshape=False, order=1, mode="grid-constant")
        np.testing.assert_allclose(result, expected, atol=1e-9)
