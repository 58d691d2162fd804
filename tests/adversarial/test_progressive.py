"""Networks that grow: what they make the moment after a growth, how a layer fades in, and each trick of the paper."""
import numpy as np
import pytest

import minidl as md
from minidl import InputError, data, nn, optim
from minidl.adversarial import (
    GradientPenalty,
    MinibatchDiscrimination,
    MinibatchStd,
    ProgressiveGAN,
    Tricks,
    train,
)
from minidl.adversarial.game import Turn
from minidl.adversarial.losses import wasserstein
from tests.standin.device import install

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((8, 3)).astype(np.float32)


def grown(times=1, *, alpha=None, dtype=np.float32, widths=(4, 3, 2), **options):
    gan = ProgressiveGAN(latent=3, widths=widths, rng=0, **options).astype(dtype)
    for _ in range(times):
        gan.grow()
    if alpha is not None:
        gan.fade(alpha)
    return gan


def doubled(x):
    return np.repeat(np.repeat(x, 2, 1), 2, 2)


def halved(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def scores(gan, x):
    with md.no_grad():
        return gan.judge((md.Tensor(x),))[0].numpy()


@pytest.mark.parametrize("times", [0, 1])
def test_the_moment_it_grows_its_images_and_its_critics_scores_are_those_from_before(times):
    gan = grown(times, alpha=1.0)
    before, x = gan.decode(Z), RNG.uniform(-1, 1, (8, 8 << times, 8 << times, 1)).astype(np.float32)
    wanted = scores(gan, halved(x))
    gan.grow()
    assert gan.alpha == 0.0 and gan.size == 8 << times
    np.testing.assert_allclose(gan.decode(Z), doubled(before), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(scores(gan, x), wanted, rtol=1e-5, atol=1e-6)


def test_while_it_fades_in_the_newest_layer_counts_for_alpha_in_the_images_and_in_the_data():
    gan = grown(1, dtype=np.float64)
    ends = {}
    for alpha in (0.0, 1.0):
        gan.fade(alpha)
        ends[alpha] = gan.decode(Z.astype(np.float64))
    x = RNG.uniform(-1, 1, (3, 8, 8, 1))
    assert np.abs(ends[1.0] - ends[0.0]).max() > 0.1
    gan.fade(0.25)
    np.testing.assert_allclose(gan.decode(Z.astype(np.float64)), 0.75 * ends[0.0] + 0.25 * ends[1.0], atol=1e-12)
    np.testing.assert_allclose(gan.real((md.Tensor(x),))[0].numpy(), 0.75 * doubled(halved(x)) + 0.25 * x, atol=1e-12)
    gan.fade(1.0)
    np.testing.assert_array_equal(gan.real((md.Tensor(x),))[0].numpy(), x)


@pytest.mark.parametrize("tricks", [Tricks(), Tricks(minibatch="discrimination", pixel_norm=False)])
def test_the_critics_whole_cost_has_the_derivatives_of_finite_differences(tricks):
    """Through a layer that fades in, the deviation of the batch, equalised rates and the penalty's second order."""
    gan = grown(1, alpha=0.4, dtype=np.float64, widths=(3, 2), tricks=tricks)
    real, fake = (md.Tensor(RNG.uniform(-1, 1, (4, 8, 8, 1))) for _ in range(2))

    def cost():
        turn = Turn(gan, wasserstein(), (real,), Z, (real,), (fake,))
        turn.real_scores, turn.fake_scores = gan.judge((real,))[0], gan.judge((fake,))[0]
        return md.mean(turn.fake_scores) - md.mean(turn.real_scores) + GradientPenalty(10.0, rng=3).discriminator(turn)

    cost().backward()
    parameters = gan.discriminator.parameters()
    direction = [RNG.standard_normal(p.shape) for p in parameters]
    slope = sum((p.grad.numpy() * d).sum() for p, d in zip(parameters, direction, strict=True))
    step, values = 1e-6, []
    for sign in (1, -2):
        for p, d in zip(parameters, direction, strict=True):
            p.data[...] += sign * step * d
        values.append(cost().item())
    assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6)


def test_each_trick_is_switched_on_alone():
    def layers(network, kind):
        return sum(isinstance(layer, kind) for _, layer in network.named_modules())

    full, bare = grown(), grown(tricks=Tricks(equalized=False, pixel_norm=False, minibatch="none"))
    for network in (full.generator, full.discriminator):
        weighted = layers(network, nn.Linear) + layers(network, nn.Conv2d)
        assert layers(network, nn.EqualizedLR) == weighted > 0
    assert layers(full.generator, nn.PixelNorm) == 5                # the noise, and behind each but the last layer
    assert layers(full.discriminator, MinibatchStd) == 1 and not layers(full, nn.BatchNorm)
    assert not any(layers(bare, kind) for kind in (nn.EqualizedLR, nn.PixelNorm, MinibatchStd, MinibatchDiscrimination))
    old = grown(tricks=Tricks(minibatch="discrimination", pixel_norm=False, batch_norm=True))
    assert layers(old.discriminator, MinibatchDiscrimination) == 1
    assert layers(old.generator, nn.BatchNorm) == 4 and layers(old.discriminator, nn.GroupNorm) == 3


@pytest.mark.parametrize("equalized", [True, False])
def test_features_keep_their_size_from_layer_to_layer(equalized):
    """He's weights, equalised or not; the zeros around the maps take a share. N(0, 0.02) would leave 1e-6 of it."""
    gan = ProgressiveGAN(latent=64, widths=(64, 64, 64), rng=1,
                         tricks=Tricks(equalized=equalized, pixel_norm=False))
    gan.grow()
    gan.grow()
    gan.fade(1.0)
    assert 0.2 < gan.sample(200, 0).std() < 2.0


def test_a_state_of_a_larger_gan_grows_this_one_alpha_included():
    larger, fresh = grown(2, alpha=0.3), grown(0)
    fresh.load_state_dict(larger.state_dict())
    assert fresh.size == 16 and fresh.alpha == larger.alpha
    np.testing.assert_array_equal(fresh.decode(Z), larger.decode(Z))
    with pytest.raises(InputError, match="this state is of another model"):
        grown(0, widths=(4, 3)).load_state_dict(larger.state_dict())


def test_it_plays_on_the_strict_device():
    device, x = install(), RNG.uniform(-1, 1, (8, 16, 16, 1)).astype(np.float32)
    gan = grown(1, alpha=0.5).to(device)
    gan.grow()
    gan.fade(0.5)
    adams = [optim.Adam(p) for p in (gan.generator_parameters(), gan.discriminator.parameters())]
    history = train(gan, data.Loader(x, batch_size=4, rng=0, device=device), *adams, epochs=1, loss="wasserstein",
                    extras=[GradientPenalty(rng=0)], progress=False)
    assert np.isfinite(history["discriminator"]).all() and gan.sample(2, 0).shape == (2, 16, 16, 1)


def test_wrong_use_gets_a_sentence():
    gan = grown(2)
    with pytest.raises(InputError, match=r"images are 16x16, and widths \(4, 3, 2\) say no more; give one more width"):
        gan.grow()
    with pytest.raises(InputError, match=r"grown to images \(16, 16, 1\), and the data are \(8, 8, 1\)"):
        gan.check_data((np.zeros((2, 8, 8, 1), np.float32),))
    with pytest.raises(InputError, match="batch_norm takes the place of pixel_norm"):
        Tricks(batch_norm=True)
