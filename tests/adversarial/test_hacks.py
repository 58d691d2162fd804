"""The hacks of slide 44 against formulas, and unrolling against finite differences of the unrolled game."""
import copy

import numpy as np
import pytest

import minidl as md
from minidl import InputError, data, nn, optim
from minidl.adversarial import GAN, FeatureMatching, HistoricalAveraging, Turn, Unrolled, non_saturating, train

RNG = np.random.default_rng(0)


def small_gan(**options):
    return GAN(nn.mlp([2, 6, 3], rng=1), nn.mlp([3 * options.get("pack", 1), 6, 1], rng=2), latent=2, rng=0, **options)


def a_turn(gan, real, z, loss=None):
    return Turn(gan, loss or non_saturating(), (real,), z, (real,), gan.fake((real,), z))


# Feature matching -----------------------------------------------------------------------------------------------------


def test_feature_matching_pays_for_the_distance_of_the_features_means_and_for_nothing_else():
    gan = small_gan().astype(np.float64)
    real, z = RNG.standard_normal((8, 3)), RNG.standard_normal((8, 2))
    turn = a_turn(gan, real, z)
    body = lambda x: gan.discriminator[1](gan.discriminator[0](md.Tensor(x))).numpy()
    right = 0.5 * ((body(real).mean(0) - body(turn.fake[0].numpy()).mean(0))**2).sum()
    cost = FeatureMatching(0.5).generator(turn)
    assert cost.item() == pytest.approx(right, rel=1e-12) and FeatureMatching.replaces

    weights = [p.numpy() for p in gan.generator.parameters()]
    names = [name for name, _ in gan.generator.named_parameters()]

    def paid(*given):
        made = nn.functional_call(gan.generator, dict(zip(names, given, strict=True)), z)
        return FeatureMatching(0.5).generator(Turn(gan, non_saturating(), (real,), z, (real,), (made,)))

    md.gradcheck(paid, *weights, order=1)


def test_a_generator_that_matches_features_follows_their_gradient_alone():
    steps = {}
    for loss in "minimax", "wasserstein":
        gan = small_gan()
        sgd = [optim.SGD(p, lr=0.1) for p in (gan.generator_parameters(), gan.discriminator.parameters())]
        sgd[1].lr = 0.0
        before = [p.numpy().copy() for p in gan.generator.parameters()]
        train(gan, data.Loader(RNG.random((8, 3)) * 0 + 0.3, batch_size=8, rng=0), *sgd, epochs=1, loss=loss,
              extras=[FeatureMatching()], progress=False)
        steps[loss] = [p.numpy() - b for p, b in zip(gan.generator.parameters(), before, strict=True)]
    for a, b in zip(*steps.values(), strict=True):
        assert np.abs(a).max() > 1e-4 and np.allclose(a, b, atol=1e-7)


# Historical averaging -------------------------------------------------------------------------------------------------


def test_historical_averaging_pays_for_the_distance_to_the_mean_of_all_past_parameters():
    gan, extra = small_gan().astype(np.float64), HistoricalAveraging(0.3)
    turn = a_turn(gan, RNG.standard_normal((4, 3)), RNG.standard_normal((4, 2)))
    for pay, params in ((extra.discriminator, gan.discriminator.parameters()),
                        (extra.generator, gan.generator_parameters())):
        past = []
        for _ in range(4):
            cost = pay(turn)
            if past:
                right = sum(((p.numpy() - np.mean([old[i] for old in past], 0))**2).sum()
                            for i, p in enumerate(params))
                assert cost.item() == pytest.approx(0.3 * right, rel=1e-12)
                gradient = md.grad(cost, params[0]).numpy()
                assert np.allclose(gradient, 0.6 * (params[0].numpy() - np.mean([old[0] for old in past], 0)))
            else:
                assert cost is None
            past.append([p.numpy().copy() for p in params])
            for p in params:
                p.data += RNG.standard_normal(p.shape)


# Unrolling ------------------------------------------------------------------------------------------------------------


def unrolled_cost(gan, optimizer, loss, real, z, steps):
    """The generator's cost after so many real steps of a copy's optimiser: no gradient goes through them."""
    gan, optimizer = copy.deepcopy((gan, optimizer))
    fake = gan.generator(md.Tensor(z)).detach()
    for _ in range(steps):
        optimizer.zero_grad()
        cost = md.mean(loss.real(gan.judge((real,))[0])) + md.mean(loss.fake(gan.judge((fake,))[0]))
        cost.backward()
        optimizer.step()
    return md.mean(loss.fool(gan.judge((fake,))[0])).item()


@pytest.mark.parametrize("pack", [1, 2])
@pytest.mark.parametrize("make, steps", [(lambda p: optim.SGD(p, lr=0.3, momentum=0.5), 3),
                                         (lambda p: optim.Adam(p, lr=0.05, betas=(0.5, 0.9)), 2)], ids=["SGD", "Adam"])
def test_the_unrolled_gradient_agrees_with_finite_differences_through_the_discriminators_real_steps(make, steps, pack):
    gan, loss = small_gan(pack=pack).astype(np.float64), non_saturating(0.1)
    optimizer = make(gan.discriminator.parameters())
    real, z = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 2))
    for _ in range(2):                                            # it has a state
        optimizer.zero_grad()
        md.mean(loss.real(gan.judge((RNG.standard_normal((6, 3)),))[0])).backward()
        optimizer.step()
    before = gan.state_dict()
    turn = a_turn(gan, real, z, loss)
    params = Unrolled(steps).opponent(turn, optimizer)
    cost = md.mean(loss.fool(gan.judge(turn.fake, params)[0]))
    assert cost.item() == pytest.approx(unrolled_cost(gan, optimizer, loss, real, z, steps), abs=1e-12)
    gradients = md.grad(cost, gan.generator_parameters())
    assert all(np.array_equal(value, before[name]) for name, value in gan.state_dict().items())
    for p, gradient in zip(gan.generator_parameters(), gradients, strict=True):
        for place in list(np.ndindex(p.shape))[::4]:
            value, costs = p.data[place], []
            for move in 1e-5, -1e-5:
                p.data[place] = value + move
                costs.append(unrolled_cost(gan, optimizer, loss, real, z, steps))
            p.data[place] = value
            assert gradient.numpy()[place] == pytest.approx((costs[0] - costs[1]) / 2e-5, abs=1e-7)


def test_an_optimiser_without_a_step_as_a_function_gets_a_sentence():
    gan = small_gan()
    turn = a_turn(gan, RNG.random((4, 3)).astype(np.float32), RNG.random((4, 2)).astype(np.float32))
    with pytest.raises(InputError, match="stepped: LBFGS has no step as a function"):
        Unrolled(1).opponent(turn, optim.LBFGS(gan.discriminator.parameters()))


@pytest.mark.parametrize("make, sentence", [
    (lambda: FeatureMatching(-1.0), "FeatureMatching: weight"),
    (lambda: HistoricalAveraging(-1.0), "HistoricalAveraging: weight"), (lambda: Unrolled(0), "Unrolled: steps"),
    (lambda: GAN(nn.Linear(2, 3, rng=0), nn.RNN(3, 1, rng=0), latent=2, rng=0).features((np.zeros((2, 3)),)),
     "features are those before the last layer of an nn.Sequential, or of a method `features`; a RNN has neither")])
def test_bad_numbers_get_a_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
