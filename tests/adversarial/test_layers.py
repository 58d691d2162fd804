"""Layers that see more than one item at once, or no more than one, against plain twins in NumPy."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, nn
from minidl.adversarial import GAN, MinibatchDiscrimination, MinibatchStd, Virtual, VirtualBatchNorm
from tests.standin.device import install

RNG = np.random.default_rng(0)


def with_weights(layer, *weights):
    """The layer as a function of its weights, in their order, too."""
    names = [name for name, _ in layer.named_parameters()]
    return lambda x, *given: nn.functional_call(layer, dict(zip(names, given, strict=True)), x)


# Minibatch discrimination ---------------------------------------------------------------------------------------------


def discriminated(x, T, kernels):
    """Equations of section 3.2, item by item."""
    M = (x @ T).reshape(len(x), kernels, -1)
    more = [[sum(np.exp(-np.abs(M[i, b] - M[j, b]).sum()) for j in range(len(x)) if j != i)
             for b in range(kernels)] for i in range(len(x))]
    return np.concatenate([x, more], 1)


def test_minibatch_discrimination_tells_each_item_how_close_the_others_are_and_its_gradients_are_right():
    layer = MinibatchDiscrimination(4, 3, 2, rng=0).astype(np.float64)
    x = RNG.standard_normal((5, 4))
    np.testing.assert_allclose(layer(x).numpy(), discriminated(x, layer.T.numpy(), 3), atol=1e-12)
    md.gradcheck(with_weights(layer), x, layer.T.numpy(), order=2)


def test_items_that_are_all_the_same_give_themselves_away():
    layer = MinibatchDiscrimination(4, 3, 2, rng=0)
    same, others = np.ones((6, 4), np.float32), 10 * RNG.standard_normal((6, 4)).astype(np.float32)
    assert np.allclose(layer(same).numpy()[:, 4:], 5.0) and layer(others).numpy()[:, 4:].max() < 1.0


# Minibatch standard deviation -----------------------------------------------------------------------------------------


def spread(x, group):
    """Slide 72's steps, group by group: item i is in group i mod (N / size)."""
    size = group if len(x) % group == 0 else len(x)
    y = np.empty((*x.shape[:-1], x.shape[-1] + 1))
    y[..., :-1] = x
    for first in range(len(x) // size):
        members = np.arange(first, len(x), len(x) // size)
        y[members, ..., -1] = np.sqrt(x[members].var(0) + 1e-8).mean()
    return y


@pytest.mark.parametrize("shape", [(8, 5), (8, 3, 3, 2), (7, 5), (2, 3)], ids=str)
def test_minibatch_std_is_one_more_channel_that_says_how_much_the_items_of_a_group_differ(shape):
    x = RNG.standard_normal(shape)
    layer = MinibatchStd(4)
    np.testing.assert_allclose(layer(x).numpy(), spread(x, 4), atol=1e-12)
    md.gradcheck(layer, x)


def test_items_that_are_all_the_same_have_a_spread_of_nearly_zero_and_finite_gradients():
    x = md.Tensor(np.ones((4, 3)), requires_grad=True)
    y = MinibatchStd(4)(x)
    assert np.allclose(y.numpy()[:, -1], 1e-4) and np.isfinite(md.grad(y.sum(), x).numpy()).all()


# Virtual batch normalisation ------------------------------------------------------------------------------------------


def virtually_normalised(x, reference, weight, bias, eps=1e-5):
    """Each item by the mean and variance of the reference with itself as one more member."""
    y = np.empty_like(x)
    for i, item in enumerate(x):
        rows = np.concatenate([reference, item[None]]).reshape(-1, x.shape[-1])
        y[i] = (item - rows.mean(0)) / np.sqrt(rows.var(0) + eps) * weight + bias
    return y


@pytest.mark.parametrize("shape", [(4,), (3, 2, 4)], ids=str)
def test_virtual_batch_norm_normalises_by_the_reference_and_the_item_alone(shape):
    x, reference = RNG.standard_normal((3, *shape)), 2 + 3 * RNG.standard_normal((5, *shape))
    weight, bias = RNG.standard_normal((2, 4))
    net = Virtual(VirtualBatchNorm(4), reference).astype(np.float64)
    made = with_weights(net)
    right = virtually_normalised(x, reference, weight, bias)
    np.testing.assert_allclose(made(md.Tensor(x), md.Tensor(weight), md.Tensor(bias)).numpy(), right, atol=1e-12)
    md.gradcheck(made, x, weight, bias)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_what_an_item_becomes_does_not_depend_on_the_items_beside_it(mode):
    reference, x = RNG.standard_normal((6, 3)).astype(np.float32), RNG.standard_normal((4, 3)).astype(np.float32)
    layers = [nn.Linear(3, 5, rng=0), VirtualBatchNorm(5), nn.ReLU(), nn.Linear(5, 5, rng=1), VirtualBatchNorm(5)]
    net, usual = Virtual(nn.Sequential(*layers), reference), nn.Sequential(nn.Linear(3, 5, rng=0), nn.BatchNorm(5))
    getattr(net, mode)()
    assert np.allclose(net(x).numpy()[:1], net(x[:1]).numpy(), atol=1e-6)
    assert not np.allclose(usual(x).numpy()[:1], usual(x[:2]).numpy()[:1], atol=1e-2)


def test_the_reference_is_saved_with_the_network_and_follows_it_to_a_device():
    make = lambda reference: Virtual(nn.Sequential(nn.Linear(3, 5, rng=0), VirtualBatchNorm(5)), reference)
    x = RNG.standard_normal((4, 3)).astype(np.float32)
    net, other = make(RNG.standard_normal((6, 3)).astype(np.float32)), make(np.zeros((6, 3), np.float32))
    other.load_state_dict(net.state_dict())
    assert np.array_equal(other(x).numpy(), net(x).numpy())
    device = install()
    assert np.allclose(net.to(device)(md.Tensor(x).to(device)).numpy(), other(x).numpy(), atol=1e-6)


# Packs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2,), (3, 3, 2)], ids=str)
def test_a_packed_discriminator_sees_its_items_beside_each_other(shape):
    seen = []

    class Sees(nn.Module):
        def forward(self, x):
            seen.append(x.numpy().copy())
            return md.sum(x, tuple(range(1, x.ndim)))

    x = RNG.standard_normal((6, *shape))
    scores, _ = GAN(nn.Linear(2, 2, rng=0), Sees(), latent=2, pack=3, rng=0).judge((md.Tensor(x),))
    packs = np.stack([np.concatenate(list(x[i:i + 3]), -1) for i in (0, 3)])
    assert np.array_equal(seen[0], packs) and np.allclose(scores.numpy(), packs.reshape(2, -1).sum(1))


# Sentences ------------------------------------------------------------------------------------------------------------


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize("call, sentence", [
    (lambda: MinibatchDiscrimination(4, rng=0)(zeros(1, 4)), "MinibatchDiscrimination: compares the items of a batch wi"
     "th each other, which takes 2 or more, not 1"),
    (lambda: MinibatchDiscrimination(4, rng=0)(zeros(3, 5)), "expected x of shape"),
    (lambda: MinibatchDiscrimination(0, rng=0), "MinibatchDiscrimination: features"),
    (lambda: MinibatchStd()(zeros(1, 4)), "MinibatchStd: compares the items of a batch with each other"),
    (lambda: MinibatchStd(1), "MinibatchStd: group"),
    (lambda: VirtualBatchNorm(4)(zeros(3, 4)), "VirtualBatchNorm: stands within Virtual"),
    (lambda: Virtual(VirtualBatchNorm(4), zeros(1, 4)), "Virtual: compares the items of a batch with each other"),
    (lambda: Virtual(VirtualBatchNorm(4), zeros(3, 4))(zeros(3, 5)), "expected x of shape"),
    (lambda: Virtual(VirtualBatchNorm(4), zeros(3, 5))(zeros(3, 5)), "expected x of shape"),
    (lambda: GAN(nn.Linear(2, 2, rng=0), nn.Linear(4, 1, rng=0), latent=2, pack=2, rng=0).judge((zeros(3, 2),)),
     "a batch is a multiple of the pack of 2, not 3; data.Loader"),
    (lambda: GAN(nn.Linear(2, 2, rng=0), nn.Linear(2, 3, rng=0), latent=2, rng=0).judge((zeros(3, 2),)),
     "the discriminator gives one score for each of 3 items, not"),
])
def test_batches_and_sizes_that_do_not_fit_get_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
