"""Normalisation and reparametrisation against PyTorch: values, running statistics, first and second gradients."""
import copy

import numpy as np
import pytest

import minidl as md
from minidl import nn
from minidl.tensor import Tensor

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
T, F = torch.nn, torch.nn.functional
RNG = np.random.default_rng(0)
SHAPES = [(7, 6), (4, 5, 6), (3, 4, 2, 6)]
MODES = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])


def draw(*shape):
    return RNG.standard_normal(shape) * 1.5 + 0.5


def channels_first(x):
    return x.movedim(-1, 1)


def weights(shape):
    return np.random.default_rng(len(shape)).uniform(0.5, 1.5, tuple(shape))


def derivatives(y, leaves, grad, tensor):
    """y, the gradients of a weighted sum of its sine, and those of the sum of their squares."""
    sine = md.sin(y) if isinstance(y, Tensor) else torch.sin(y)
    first = grad((sine * tensor(weights(y.shape))).sum(), leaves, create_graph=True)
    second = grad(sum((g * g).sum() for g in first), leaves)
    return [t.numpy() if isinstance(t, Tensor) else t.detach().numpy() for t in (y, *first, *second)]


def compare(mine, peer, forms=None, rtol=1e-9):
    """Both are (y, leaves); `forms` bring PyTorch's gradients by its leaves into the shape of ours."""
    forms = forms or [lambda g: g] * len(mine[1])
    a = derivatives(*mine, md.grad, Tensor)
    b = derivatives(*peer, torch.autograd.grad, torch.tensor)
    for x, y, form in zip(a, b, [lambda y: y, *forms, *forms], strict=True):
        np.testing.assert_allclose(x, form(y), rtol=rtol, atol=rtol * np.abs(y).max())


def leaf(array):
    return Tensor(np.array(array), requires_grad=True)


def torch_leaf(array):
    return torch.tensor(np.array(array), requires_grad=True)


# Layers -------------------------------------------------------------------------------------------------------------


def batch_norms(channels, **options):
    """Ours and PyTorch's with the same parameters and running statistics of the same data."""
    ours, theirs = nn.BatchNorm(channels, **options).astype("float64"), T.BatchNorm1d(channels, **options).double()
    values = [draw(channels) for _ in ours.parameters()]
    data = draw(9, channels)
    with torch.no_grad():
        for p, q, value in zip(ours.parameters(), theirs.parameters(), values, strict=True):
            p.data[...] = value
            q.copy_(torch.tensor(value))
        ours(Tensor(data))
        theirs(torch.tensor(data))
    return ours, theirs


@MODES
@pytest.mark.parametrize("affine", [True, False], ids=["affine", "plain"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_matches_to_second_order(shape, affine, training):
    ours, theirs = batch_norms(6, affine=affine, eps=1e-3)
    x = draw(*shape)
    a, b = leaf(x), torch_leaf(x)
    # one view as rows: PyTorch's three classes are one function
    y = theirs.train(training)(b.reshape(-1, 6)).reshape(shape)
    compare((ours.train(training)(a), [a, *ours.parameters()]), (y, [b, *theirs.parameters()]))


@pytest.mark.parametrize("kind, shape", list(zip([T.BatchNorm1d, T.BatchNorm1d, T.BatchNorm2d], SHAPES, strict=True)))
def test_running_statistics_and_evaluation_match_pytorchs_layer_of_each_rank(kind, shape):
    ours, theirs = nn.BatchNorm(6, momentum=0.3).astype("float64"), kind(6, momentum=0.3).double()
    for _ in range(3):
        x = draw(*shape)
        ours(Tensor(x))
        theirs(channels_first(torch.tensor(x)))
    np.testing.assert_allclose(ours.running_mean.numpy(), theirs.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.running_var.numpy(), theirs.running_var.numpy(), rtol=1e-12)
    x = draw(*shape)
    expected = theirs.eval()(channels_first(torch.tensor(x))).movedim(1, -1)
    np.testing.assert_allclose(ours.eval()(Tensor(x)).numpy(), expected.detach().numpy(), rtol=1e-11)


@pytest.mark.parametrize("name", ["LayerNorm", "GroupNorm", "GroupNorm of one", "InstanceNorm", "PixelNorm"])
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_layers_without_batch_match_to_second_order(shape, name):
    last = lambda f, **options: lambda x, w, b: f(channels_first(x), weight=w, bias=b, **options).movedim(1, -1)
    ours, theirs = {
        "LayerNorm": (nn.LayerNorm(6), lambda x, w, b: F.layer_norm(x, (6,), w, b)),
        "GroupNorm": (nn.GroupNorm(3, 6, eps=1e-3), last(F.group_norm, num_groups=3, eps=1e-3)),
        "GroupNorm of one": (nn.GroupNorm(1, 6), last(F.group_norm, num_groups=1)),
        "InstanceNorm": (nn.InstanceNorm(6, affine=True), last(F.instance_norm)),
        "PixelNorm": (nn.PixelNorm(), lambda x: x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-8)),
    }[name]
    ours.astype("float64")
    x, values = draw(*shape), [draw(6) for _ in ours.parameters()]
    for p, value in zip(ours.parameters(), values, strict=True):
        p.data[...] = value
    a, others = leaf(x), [torch_leaf(value) for value in (x, *values)]
    compare((ours(a), [a, *ours.parameters()]), (theirs(*others), others))


# The gradient penalty -----------------------------------------------------------------------------------------------


def critics(images):
    """A critic with batch normalisation, ours and PyTorch's with the same parameters in double precision."""
    if images:
        ours = nn.Sequential(nn.Conv2d(2, 5, 3, rng=0, stride=2), nn.LeakyReLU(0.2), nn.Conv2d(5, 6, 2, rng=1),
                             nn.BatchNorm(6), nn.LeakyReLU(0.2), nn.Conv2d(6, 1, 2, rng=2))
        theirs = T.Sequential(T.Conv2d(2, 5, 3, stride=2), T.LeakyReLU(0.2), T.Conv2d(5, 6, 2), T.BatchNorm2d(6),
                              T.LeakyReLU(0.2), T.Conv2d(6, 1, 2))
    else:
        ours = nn.Sequential(nn.Linear(5, 7, rng=0), nn.BatchNorm(7), nn.LeakyReLU(0.2), nn.Linear(7, 6, rng=1),
                             nn.BatchNorm(6), nn.Tanh(), nn.Linear(6, 1, rng=2))
        theirs = T.Sequential(T.Linear(5, 7), T.BatchNorm1d(7), T.LeakyReLU(0.2), T.Linear(7, 6), T.BatchNorm1d(6),
                              T.Tanh(), T.Linear(6, 1))
    ours.astype("float64")
    with torch.no_grad():
        for p, q in zip(ours.parameters(), theirs.double().parameters(), strict=True):
            p.data[...] = p.numpy() + 0.3 * RNG.standard_normal(p.shape)
            q.copy_(torch.tensor(peer_form(p.numpy())))
    return ours, theirs


def peer_form(weight):
    """(in, out) -> (out, in) and (KH, KW, in, out) -> (out, in, KH, KW)."""
    return np.ascontiguousarray(weight.transpose(3, 2, 0, 1) if weight.ndim == 4 else weight.T)


def our_form(weight):
    """The inverse of `peer_form`."""
    return weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T


@MODES
@pytest.mark.parametrize("images", [False, True], ids=["dense", "images"])
def test_gradient_penalty_through_batch_norm_matches_torch_to_second_order(images, training):
    ours, theirs = critics(images)
    first = lambda x: channels_first(x) if images else x
    warm, x = draw(*(8, 7, 7, 2) if images else (8, 5)), draw(*(6, 7, 7, 2) if images else (6, 5))
    ours(Tensor(warm))
    theirs(first(torch.tensor(warm)))
    a, b = leaf(x), torch_leaf(x)

    g = md.grad(md.sum(ours.train(training)(a)), a, create_graph=True)
    penalty = md.mean((md.norm(g.reshape(6, -1), axis=1) - 1.0) ** 2)
    h, = torch.autograd.grad(theirs.train(training)(first(b)).sum(), b, create_graph=True)
    other = ((h.reshape(6, -1).norm(dim=1) - 1.0) ** 2).mean()
    np.testing.assert_allclose(g.numpy(), h.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(penalty.item(), other.item(), rtol=1e-10)

    penalty.backward()
    other.backward()
    scale = max(np.abs(found(p)).max() for p in ours.parameters())
    assert scale > 0.01
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(peer_form(found(p)), found(q), rtol=1e-8, atol=1e-11 * scale, err_msg=name)
    np.testing.assert_allclose(found(a), found(b), rtol=1e-8, atol=1e-11 * scale)


def found(leaf):
    """The gradient; zeros where the penalty does not depend on the leaf, which either of the two may leave None."""
    return np.zeros(tuple(leaf.shape)) if leaf.grad is None else leaf.grad.numpy()


# Reparametrisation --------------------------------------------------------------------------------------------------


KINDS = {                # ours, PyTorch's, the axis of the outputs in PyTorch's weight
    "Linear": (lambda: nn.Linear(4, 3, rng=0), lambda: T.Linear(4, 3), 0),
    "Conv2d": (lambda: nn.Conv2d(4, 3, (2, 3), rng=0), lambda: T.Conv2d(4, 3, (2, 3)), 0),
    "Conv2d in groups": (lambda: nn.Conv2d(4, 6, 2, rng=0, groups=2), lambda: T.Conv2d(4, 6, 2, groups=2), 0),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 3, 3, rng=0, stride=2),
                        lambda: T.ConvTranspose2d(4, 3, 3, stride=2), 1),
}


def pair(kind):
    """Our layer and PyTorch's with the same weight, and the axis of the outputs in PyTorch's."""
    ours, theirs, axis = (KINDS[kind][0]().astype("float64"), KINDS[kind][1]().double(), KINDS[kind][2])
    with torch.no_grad():
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            p.data[...] = draw(*p.shape)
            q.copy_(torch.tensor(peer_form(p.numpy())))
    return ours, theirs, axis


def apply(peer, x):
    return peer(x) if x.ndim == 2 else peer(channels_first(x)).movedim(1, -1)


def inputs(kind):
    x = draw(5, 4) if kind == "Linear" else draw(2, 5, 6, 4)
    return leaf(x), torch_leaf(x)


same = lambda g: g


@pytest.mark.parametrize("kind", KINDS)
def test_weight_norm_matches_to_second_order(kind):
    layer, peer, axis = pair(kind)
    ours = nn.WeightNorm(layer)
    wrapped = T.utils.parametrizations.weight_norm(copy.deepcopy(peer), dim=axis)
    initial = wrapped.parametrizations.weight.original0.detach().numpy()
    np.testing.assert_allclose(ours.gain.numpy(), initial.reshape(-1), rtol=1e-12)
    ours.gain.data[...] = draw(*ours.gain.shape)
    # written out, because the second derivative of PyTorch's own fails its gradgradcheck for dim=0
    others = [i for i in range(peer.weight.ndim) if i != axis]
    gain = torch_leaf(ours.gain.numpy())
    lengths = torch.linalg.vector_norm(peer.weight, dim=others, keepdim=True)
    weight = peer.weight * gain.reshape(lengths.shape) / lengths
    a, b = inputs(kind)
    theirs = lambda x: torch.func.functional_call(peer, {"weight": weight}, x)
    compare((ours(a), [a, ours.gain, layer.weight, layer.bias]), (apply(theirs, b), [b, gain, peer.weight, peer.bias]),
            [same, same, our_form, same])


@MODES
@pytest.mark.parametrize("kind", KINDS)
def test_spectral_norm_matches_to_second_order(kind, training):
    layer, peer, axis = pair(kind)
    ours, theirs = nn.SpectralNorm(layer, rng=0), T.utils.spectral_norm(peer, dim=axis)
    u, v = draw(*ours.u.shape), draw(*ours.v.shape)            # far from the singular vectors
    ours.u.data, ours.v.data = u / np.linalg.norm(u), v / np.linalg.norm(v)
    theirs.weight_u.copy_(torch.tensor(ours.u.numpy()))
    theirs.weight_v.copy_(torch.tensor(inputs_in_pytorchs_order(ours.v.numpy(), layer.weight.shape)))
    ours.train(training)
    theirs.train(training)
    a, b = inputs(kind)
    compare((ours(a), [a, layer.weight, layer.bias]), (apply(theirs, b), [b, theirs.weight_orig, theirs.bias]),
            [same, our_form, same])
    np.testing.assert_allclose(ours.u.numpy(), theirs.weight_u.numpy(), rtol=1e-9)
    np.testing.assert_allclose(inputs_in_pytorchs_order(ours.v.numpy(), layer.weight.shape), theirs.weight_v.numpy(),
                               rtol=1e-9)


def inputs_in_pytorchs_order(v, shape):
    """A vector over (KH, KW, C) as one over (C, KH, KW)."""
    return v if len(shape) == 2 else v.reshape(*shape[:2], -1).transpose(2, 0, 1).reshape(-1)
