"""VAE-GAN: who pays for what, and a run that resumes."""
import numpy as np
import pytest

import minidl as md
from minidl import data, nn, ops, optim
from minidl.adversarial import GAN, VAEGAN, Similarity, Turn, minimax, train
from tests.standin.device import install

X = np.random.default_rng(0).uniform(-1, 1, (12, 6))


def model(latent=3):
    return VAEGAN(nn.mlp([6, 8, 2 * latent], rng=0), nn.mlp([3, 8, 6], rng=1, output_activation=nn.Tanh),
                  nn.mlp([6, 7, 1], rng=2), latent=3, rng=3)


def costs(gan, weight, prior):
    """Similarity's cost, and its parts by formula: the distance of the features, and the divergence."""
    turn = Turn(gan, minimax(), (X,), gan.noise(12), (X,), ())
    turn.fake = gan.fake((X,), turn.z)
    with gan.discriminator.frozen():
        cost = Similarity(weight, prior=prior).generator(turn)
    made, drawn, mean, log_variance = (part.numpy() for part in turn.fake)
    features = lambda x: nn.Sequential(*list(gan.discriminator)[:-1])(x).numpy()
    distance = 0.5 * ((features(made[12:]) - features(X))**2).sum(1).mean()
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(1).mean()
    assert made.shape == (24, 6) and drawn.shape == (12, 3)
    return cost, distance, divergence


def test_similarity_is_the_distance_of_features_and_the_divergence():
    cost, distance, divergence = costs(model().astype(np.float64), 0.3, 0.7)
    assert cost.item() == pytest.approx(distance + 0.3 * distance + 0.7 * divergence, rel=1e-12)


def test_encoder_and_decoder_pay_their_own_shares_of_it():
    """The encoder's gradient is that of distance and divergence, by finite differences; the decoder's is `weight`'s."""
    gradients = {}
    for weight in 0.0, 1.0, 2.0:
        gan = model().astype(np.float64)
        cost, *_ = costs(gan, weight, 0.7)
        cost.backward()
        assert all(p.grad is None for p in gan.discriminator.parameters())
        gradients[weight] = [[np.zeros(p.shape) if p.grad is None else p.grad.numpy().copy() for p in part.parameters()]
                             for part in (gan.encoder, gan.generator)]
    for a, b in zip(gradients[0.0][0], gradients[2.0][0], strict=True):
        np.testing.assert_array_equal(a, b)
    for none, once, twice in zip(*(gradients[weight][1] for weight in gradients), strict=True):
        assert not none.any() and once.any()
        np.testing.assert_allclose(twice, 2 * once, rtol=1e-10)
    probe, step = gradients[0.0][0][0], 1e-6
    for place in [(0, 0), (3, 5), (5, 1)]:
        slope = []
        for move in step, -step:
            gan = model().astype(np.float64)                        # its noise begins anew
            gan.encoder.parameters()[0].data[place] += move
            slope.append(costs(gan, 0.0, 0.7)[0].item())
        assert probe[place] == pytest.approx((slope[0] - slope[1]) / (2 * step), rel=1e-5)


def test_the_games_loss_does_not_reach_the_encoder():
    gan = model()
    scores, _ = gan.judge(gan.fake((X.astype(np.float32),), gan.noise(12)))
    ops.mean(scores).backward()
    assert scores.shape == (24,)
    assert all(p.grad is None for p in gan.encoder.parameters())
    assert all(p.grad is not None for p in gan.generator.parameters())


def run(epochs, checkpoint=None, device="cpu"):
    gan = model().to(device)
    adam = [optim.Adam(params, lr=1e-2) for params in (gan.generator_parameters(), gan.discriminator.parameters())]
    train(gan, data.Loader(X.astype(np.float32), batch_size=5, rng=0, device=device), *adam, epochs=epochs,
          extras=[Similarity(1.0, prior=0.1)], progress=False, checkpoint=checkpoint)
    return gan


def test_a_run_that_resumes_ends_like_the_unbroken_one_bit_for_bit(tmp_path):
    run(2, tmp_path / "half.npz")
    resumed, unbroken = run(4, tmp_path / "half.npz").state_dict(), run(4).state_dict()
    assert all(np.array_equal(resumed[name], unbroken[name]) for name in unbroken)


def test_it_trains_on_the_strict_device():
    before, after = model().state_dict(), run(2, device=install()).state_dict()
    assert all(np.isfinite(a).all() and not np.array_equal(a, before[name]) for name, a in after.items())


def test_it_learns_to_reconstruct_and_its_codes_fall_in_line_with_the_noise():
    before, after, x = model(), run(60), X.astype(np.float32)
    error = lambda gan: ((gan.reconstruct(x) - x)**2).mean()
    assert error(after) < 0.8 * error(before)
    assert np.array_equal(after.encode(x), after.posterior(x)[0].numpy())


def test_bad_input_is_refused_in_a_sentence():
    gan = model()
    plain = GAN(gan.generator, gan.discriminator, latent=3, rng=0)
    turn = Turn(plain, minimax(), (X,), plain.noise(12), (X,), ())
    x = X.astype(np.float32)
    for call in (lambda: VAEGAN(None, gan.generator, gan.discriminator, latent=3, rng=0),
                 lambda: model(latent=4).encode(x),
                 lambda: Similarity(-1.0), lambda: Similarity().generator(turn)):
        with pytest.raises(md.InputError, match="VAEGAN|Similarity"):
            call()
