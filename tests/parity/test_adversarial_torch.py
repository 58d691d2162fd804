"""Losses, penalties and layers of adversarial nets against PyTorch's formulas and double backward, in float64."""
import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.adversarial import (
    GAN,
    Drift,
    GradientPenalty,
    MinibatchDiscrimination,
    MinibatchStd,
    Turn,
    Virtual,
    VirtualBatchNorm,
    hinge,
    least_squares,
    minimax,
    non_saturating,
    wasserstein,
)
from minidl.adversarial.game import discriminator_turn

pytestmark = pytest.mark.parity
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def theirs_of(torch):
    """Of each loss, what data, the generated and the generator pay, by PyTorch's own losses of targets."""
    F = torch.nn.functional

    def bce(target):
        return lambda s: F.binary_cross_entropy_with_logits(s, torch.full_like(s, target), reduction="none")

    def square(target):
        return lambda s: 0.5 * F.mse_loss(s, torch.full_like(s, target), reduction="none")

    return {"minimax": (minimax(), bce(1.0), bce(0.0), lambda s: -bce(0.0)(s), lambda s: -bce(1.0)(s)),
            "non-saturating": (non_saturating(), bce(1.0), bce(0.0), bce(1.0), bce(0.0)),
            "smoothed": (non_saturating(0.1), bce(0.9), bce(0.0), bce(1.0), bce(0.0)),
            "least-squares": (least_squares(), square(1.0), square(0.0), square(1.0), square(0.0)),
            "smoothed least-squares": (least_squares(0.1), square(0.9), square(0.0), square(1.0), square(0.0)),
            "wasserstein": (wasserstein(), lambda s: -s, lambda s: s, lambda s: -s, lambda s: s),
            "hinge": (hinge(), lambda s: F.relu(1 - s), lambda s: F.relu(1 + s), lambda s: -s, lambda s: s)}


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "smoothed", "least-squares", "smoothed least-squares",
                                  "wasserstein", "hinge"])
def test_losses_match_to_second_order(torch, name):
    loss, *formulas = theirs_of(torch)[name]
    x = 3 * RNG.standard_normal(20)
    for ours, theirs in zip(loss, formulas, strict=True):
        a, b = md.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, z = ours(a), theirs(b)
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=0, atol=1e-8)
        # + a^2: what is linear has a second derivative, too, to be compared
        g, = md.grad(md.sum(y + a * a), [a], create_graph=True)
        h, = torch.autograd.grad((z + b * b).sum(), [b], create_graph=True)
        np.testing.assert_allclose(g.numpy(), h.detach().numpy(), rtol=0, atol=1e-8)
        np.testing.assert_allclose(md.grad(md.sum(g), [a])[0].numpy(), torch.autograd.grad(h.sum(), [b])[0].numpy(),
                                   rtol=0, atol=1e-8)


def in_pytorchs_order(w):
    """A parameter, or its gradient, with PyTorch's order of axes."""
    if w.shape == (12, 1):
        w = w.reshape(2, 2, 3, 1)                                    # of images that were flattened, channels last
    return (w.transpose(3, 2, 0, 1).reshape(1, 12) if w.shape[-1] == 1 and w.ndim == 4 else
            w.transpose(3, 2, 0, 1) if w.ndim == 4 else w.T).copy()


def critics(torch, kind):
    """A critic and its twin with the same weights, and the shape of what it sees."""
    if kind == "dense":
        ours = nn.Sequential(nn.Linear(3, 5, rng=0), nn.LeakyReLU(0.2), nn.LayerNorm(5), nn.Linear(5, 1, rng=1))
        theirs = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.LeakyReLU(0.2), torch.nn.LayerNorm(5),
                                     torch.nn.Linear(5, 1)).double()
    else:
        ours = nn.Sequential(nn.Conv2d(2, 4, 4, stride=2, padding=1, rng=0), nn.LeakyReLU(0.2),
                             nn.Conv2d(4, 3, 3, rng=0), nn.Tanh(), nn.Flatten(), nn.Linear(12, 1, rng=1))
        theirs = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 4, 2, 1), torch.nn.LeakyReLU(0.2), torch.nn.Conv2d(4, 3, 3),
                                     torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(12, 1)).double()
    ours.astype(np.float64)
    for p, t in zip(ours.parameters(), theirs.parameters(), strict=True):
        t.data.copy_(torch.tensor(in_pytorchs_order(p.numpy())))
    return ours, theirs, (4, 3) if kind == "dense" else (4, 8, 8, 2)


@pytest.mark.parametrize("kind", ["dense", "convolutional"])
@pytest.mark.parametrize("options", [{}, {"at": "real", "target": 0.0}, {"at": "fake", "one_sided": True}], ids=str)
def test_the_penaltys_gradients_are_those_of_pytorchs_double_backward(torch, kind, options):
    ours, theirs, shape = critics(torch, kind)
    real, fake = RNG.standard_normal((2, *shape))
    gan = GAN(nn.Linear(2, 3, rng=0), ours, latent=2, rng=0)
    penalty, share = GradientPenalty(7.0, rng=3, **options), md.RandomStream(3).uniform((4,), real)
    cost = penalty.discriminator(Turn(gan, wasserstein(), (), real, (real,), (fake,)))
    cost.backward()

    share = {"between": share, "real": np.ones(4), "fake": np.zeros(4)}[options.get("at", "between")]
    share = share.reshape(-1, *[1] * (real.ndim - 1))
    points = share * real + (1 - share) * fake
    channels_first = (lambda a: a.transpose(0, 3, 1, 2)) if real.ndim == 4 else (lambda a: a)
    x = torch.tensor(channels_first(points).copy(), requires_grad=True)
    slope, = torch.autograd.grad(theirs(x).sum(), x, create_graph=True)
    size = slope.flatten(1).norm(dim=1) - options.get("target", 1.0)
    right = 7.0 * ((size.clamp(min=0) if options.get("one_sided") else size)**2).mean()
    expected = torch.autograd.grad(right, list(theirs.parameters()), allow_unused=True)

    assert cost.item() == pytest.approx(right.item(), abs=1e-8)
    for p, t in zip(ours.parameters(), expected, strict=True):
        assert (p.grad is None) is (t is None)                       # the last bias has no part in it
        if t is not None:
            np.testing.assert_allclose(in_pytorchs_order(p.grad.numpy()), t.numpy(), rtol=0, atol=1e-8)


def growing_critic():
    """A critic as progressive growing has it, in float64: equalised convolutions, and how much a group differs."""
    rng = np.random.default_rng(0)
    equal = lambda layer, **gain: nn.EqualizedLR(layer, rng=rng, **gain)
    return nn.Sequential(
        equal(nn.Conv2d(2, 4, 1, rng=rng)), nn.LeakyReLU(0.2), equal(nn.Conv2d(4, 4, 3, padding=1, rng=rng)),
        nn.LeakyReLU(0.2), nn.AvgPool2d(2), MinibatchStd(4), equal(nn.Conv2d(5, 6, 3, padding=1, rng=rng)),
        nn.LeakyReLU(0.2), nn.Flatten(), equal(nn.Linear(6 * 2 * 2, 5, rng=rng)), nn.LeakyReLU(0.2),
        equal(nn.Linear(5, 1, rng=rng), gain=1.0)).astype(np.float64)


def its_twin(torch, parameters):
    """The same in PyTorch: a function of x (N, H, W, C) and of our parameters, in our order of axes."""
    F = torch.nn.functional
    leaky = lambda x: F.leaky_relu(x, 0.2)

    def conv(x, w, b):
        fan_in = w[..., 0].numel()
        return F.conv2d(x, w.permute(3, 2, 0, 1) * (2 / fan_in)**0.5, b, padding=w.shape[0] // 2)

    def score(x):
        w = list(parameters)
        x = leaky(conv(leaky(conv(x.permute(0, 3, 1, 2), *w[:2])), *w[2:4]))
        x = F.avg_pool2d(x, 2)
        n, _, height, width = x.shape
        groups = x.reshape(4, n // 4, -1)
        spread = ((groups - groups.mean(0))**2).mean(0).add(1e-8).sqrt().mean(1)
        x = torch.cat([x, spread.repeat(4).reshape(n, 1, 1, 1).expand(n, 1, height, width)], 1)
        x = leaky(conv(x, *w[4:6])).permute(0, 2, 3, 1).flatten(1)
        x = leaky(x @ (w[6] * (2 / len(w[6]))**0.5) + w[7])
        return (x @ (w[8] * (1 / len(w[8]))**0.5) + w[9])[:, 0]
    return score


def test_whole_critic_steps_through_deviation_and_equalised_rates_are_pytorchs_to_second_order(torch):
    ours = growing_critic()
    parameters = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in ours.parameters()]
    theirs = its_twin(torch, parameters)
    gan = GAN(nn.Linear(2, 3, rng=0), ours, latent=2, rng=0)
    adam = optim.Adam(ours.parameters(), lr=0.01, betas=(0.0, 0.99), eps=1e-8)
    peer = torch.optim.Adam(parameters, lr=0.01, betas=(0.0, 0.99), eps=1e-8)
    extras, shares = [GradientPenalty(10.0, rng=3), Drift(1e-3)], md.RandomStream(3)
    for step in range(3):
        real, fake = RNG.standard_normal((2, 8, 4, 4, 2))
        share = shares.uniform((8,), real).reshape(-1, 1, 1, 1)
        x, y = torch.tensor(real), torch.tensor(fake)
        points = torch.tensor(share * real + (1 - share) * fake, requires_grad=True)
        slope, = torch.autograd.grad(theirs(points).sum(), points, create_graph=True)
        of_data = theirs(x)
        cost = theirs(y).mean() - of_data.mean()
        peer.zero_grad()
        (cost + 10 * ((slope.flatten(1).norm(dim=1) - 1)**2).mean() + 1e-3 * (of_data**2).mean()).backward()

        said = discriminator_turn(gan, wasserstein(), (real,), real, (fake,), adam, extras)
        assert float(said["discriminator"]) == pytest.approx(cost.item(), rel=1e-9)
        for p, q in zip(ours.parameters(), parameters, strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-9, err_msg=f"step {step}")
        peer.step()
        for p, q in zip(ours.parameters(), parameters, strict=True):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=0, atol=1e-5)


def compared(torch, ours, theirs, *arrays):
    """Values, gradients and the gradients of their weighted sum."""
    a, b = [md.Tensor(x, requires_grad=True) for x in arrays], [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(*a), theirs(*b)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=0, atol=1e-8)
    weights = [RNG.standard_normal(x.shape) for x in arrays]
    g = md.grad(md.sum(y * y), a, create_graph=True)
    h = torch.autograd.grad((z * z).sum(), b, create_graph=True)
    second = md.grad(sum((md.sum(part * w) for part, w in zip(g, weights, strict=True)), md.Tensor(np.zeros(()))), a)
    right = torch.autograd.grad(sum((part * torch.tensor(w)).sum() for part, w in zip(h, weights, strict=True)), b)
    for ours, theirs in zip([*g, *second], [*h, *right], strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-8)


def test_minibatch_discrimination_matches_to_second_order(torch):
    layer = MinibatchDiscrimination(4, 3, 2, rng=0).astype(np.float64)

    def theirs(x, T):
        M = (x @ T).view(len(x), 3, 2)
        apart = (M[:, None] - M[None]).abs().sum(-1)
        return torch.cat([x, torch.exp(-apart).sum(1) - 1], 1)

    compared(torch, lambda x, T: nn.functional_call(layer, {"T": T}, x), theirs, RNG.standard_normal((5, 4)),
             layer.T.numpy())


def test_minibatch_std_matches_to_second_order(torch):
    def theirs(x):                            # the published code, (N, C, H, W) there: y[group, N / group, ...]
        n, h, w, c = x.shape
        y = x.view(4, n // 4, h, w, c)
        deviation = (((y - y.mean(0, keepdim=True))**2).mean(0) + 1e-8).sqrt().mean((1, 2, 3))
        return torch.cat([x, deviation.repeat(4).view(n, 1, 1, 1).expand(n, h, w, 1)], -1)

    compared(torch, MinibatchStd(4), theirs, RNG.standard_normal((8, 2, 3, 2)))


def test_virtual_batch_norm_matches_to_second_order(torch):
    reference = RNG.standard_normal((6, 2, 2, 3))
    net = Virtual(VirtualBatchNorm(3), reference).astype(np.float64)

    def theirs(x, weight, bias):              # an item's own batch: the reference and itself
        return torch.stack([torch.nn.functional.batch_norm(
            torch.cat([torch.tensor(reference), item[None]]).permute(0, 3, 1, 2), None, None, weight, bias,
            training=True).permute(0, 2, 3, 1)[-1] for item in x])

    compared(torch, lambda x, w, b: nn.functional_call(net, {"network.weight": w, "network.bias": b}, x), theirs,
             RNG.standard_normal((3, 2, 2, 3)), *RNG.standard_normal((2, 3)))
