"""The linear-Gaussian model, where all is known: log p(x) = bound + gap, and what the VAE estimates of both."""
import math

import numpy as np
import pytest

import minidl as md
from minidl import data, optim, training
from minidl.linear import PCA
from minidl.variational import VAE, LinearGaussian, kl_by_sampling
from tests.standin.device import install

RNG = np.random.default_rng(0)


def model(code=3, features=7, sd=0.4):
    rng = np.random.default_rng(2)
    return LinearGaussian(rng.standard_normal((code, features)), rng.standard_normal(features), sd)


def rows(n=20, features=7):
    return np.random.default_rng(3).standard_normal((n, features))


def linear_vae(features=7, code=3):
    """A VAE without hidden layers, in float64, and the exact model of its decoder.

    Its q is wider than the posterior: no code has a weight so large that an average says nothing.
    """
    vae = VAE([features, code], rng=5, output="linear", sd=0.6).astype("float64")
    vae.encoder[0].weight.data[:, code:] = 0.0
    return vae, LinearGaussian.of(vae)


def normal(x, mean, covariance):
    """log N(x; mean, covariance), rows x (N, d), with NumPy's own determinant and inverse."""
    r = x - mean
    square = np.einsum("ni,ij,nj->n", r, np.linalg.inv(covariance), r)
    return -0.5 * (square + np.linalg.slogdet(2 * np.pi * covariance)[1])


def test_the_likelihood_is_that_of_the_normal_distribution_with_its_covariance():
    exact, x = model(), rows()
    np.testing.assert_allclose(exact.log_likelihood(x), normal(x, exact.b, exact.W.T @ exact.W + 0.16 * np.eye(7)),
                               atol=1e-10)


def test_bayes_rule_holds_at_every_code_as_on_slide_25():
    exact, x = model(), rows()
    mean, covariance = exact.posterior(x)
    for z in RNG.standard_normal((5, 3)):
        log_p = normal(x, z @ exact.W + exact.b, 0.16 * np.eye(7))
        prior = normal(z[None], np.zeros(3), np.eye(3))
        log_posterior = normal(np.broadcast_to(z, (20, 3)), mean, covariance)
        np.testing.assert_allclose(log_p + prior - log_posterior, exact.log_likelihood(x), atol=1e-9)


def test_the_gap_of_the_bound_is_the_divergence_from_the_posterior_to_1e_8():
    exact, x = model(), rows()
    for _ in range(5):
        A = RNG.standard_normal((20, 3, 3))
        mean, covariance = RNG.standard_normal((20, 3)), A @ A.swapaxes(1, 2) + 0.1 * np.eye(3)
        np.testing.assert_allclose(exact.elbo(x, mean, covariance) + exact.gap(x, mean, covariance),
                                   exact.log_likelihood(x), atol=1e-8)
    assert (exact.gap(x, mean, covariance) > 0).all()
    np.testing.assert_allclose(exact.elbo(x, *exact.posterior(x)), exact.log_likelihood(x), atol=1e-8)


def test_the_vaes_bound_is_on_average_the_exact_one():
    vae, exact = linear_vae()
    x = rows(4)
    mean, log_variance = (t.numpy() for t in vae.posterior(x))
    bound = exact.elbo(x, mean, np.stack([np.diag(np.exp(v)) for v in log_variance]))
    with md.no_grad():
        z = vae.draw(*vae.posterior(x), k=20_000)
        log_p = vae.log_p(x, z).numpy()
    kl = md.nn.kl_unit_gaussian(mean, log_variance, "none")
    assert (abs(log_p.mean(0) - kl - bound) < 5 * log_p.std(0) / math.sqrt(20_000)).all()


def test_the_importance_weighted_bound_rises_with_k_and_stays_below_the_likelihood():
    vae, exact = linear_vae()
    x, repeats = rows(4), 200
    truth, means, errors = exact.log_likelihood(x).mean(), [], []
    for k in (1, 5, 50):
        found = [vae.log_likelihood(x, k=k, rng=seed).mean() for seed in range(repeats)]
        means.append(np.mean(found))
        errors.append(np.std(found) / math.sqrt(repeats))
    assert means[0] + 3 * errors[0] < means[1] - 3 * errors[1] < means[1] + 3 * errors[1] < means[2] - 3 * errors[2]
    assert means[2] - 3 * errors[2] < truth
    assert abs(vae.log_likelihood(x, k=100_000, rng=0).mean() - truth) < 0.05 * (truth - means[0])


def test_with_the_exact_posterior_one_code_says_the_likelihood_without_any_noise():
    """Where the columns of W are orthogonal the posterior has independent numbers, which an encoder can say."""
    vae = VAE([7, 3], rng=0, output="linear", sd=0.6).astype("float64")
    vae.decoder[0].weight.data[...] = np.linalg.qr(RNG.standard_normal((7, 3)))[0].T * [[3.0], [2.0], [1.0]]
    exact, x = LinearGaussian.of(vae), rows()
    means, covariance = exact.posterior(np.eye(7))
    encoder = vae.encoder[0]
    encoder.weight.data[:, :3], encoder.weight.data[:, 3:] = means - exact.posterior(np.zeros((1, 7)))[0], 0.0
    encoder.bias.data[:3] = exact.posterior(np.zeros((1, 7)))[0][0]
    encoder.bias.data[3:] = np.log(np.diag(covariance))
    for k in (1, 7):
        np.testing.assert_allclose(vae.log_likelihood(x, k=k, rng=0), exact.log_likelihood(x), atol=1e-8)


def test_the_closed_form_of_the_divergence_is_what_sampling_says_and_a_gradcheck_passes():
    mean, log_variance = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 3))
    found, error = kl_by_sampling(mean, log_variance, n=20_000, rng=0)
    closed = md.nn.kl_unit_gaussian(mean, log_variance, "none")
    assert (abs(found - closed) < 4 * error).all() and (error < 0.1).all()
    md.gradcheck(lambda m, v: md.nn.kl_unit_gaussian(m, v, "none"), mean, log_variance)


def test_the_fit_is_where_the_likelihood_has_its_maximum():
    x = rows(200) * [3, 2, 1.5, 1, 1, 1, 1]
    best = LinearGaussian.fit(x, 2)
    highest = best.log_likelihood(x).mean()
    for _ in range(20):
        W, b = (a + 0.05 * RNG.standard_normal(a.shape) for a in (best.W, best.b))
        assert LinearGaussian(W, b, best.sd * math.exp(0.05 * RNG.standard_normal())).log_likelihood(x).mean() < highest
    covariance = np.cov(x.T, ddof=0)
    modelled = best.W.T @ best.W + best.sd**2 * np.eye(7)
    assert np.trace(modelled) == pytest.approx(np.trace(covariance))
    np.testing.assert_allclose(np.linalg.eigvalsh(modelled)[-2:], np.linalg.eigvalsh(covariance)[-2:])


def test_a_linear_vae_finds_probabilistic_pca():
    """Lucas et al. 2019: its bound has no other maxima; trained, it has PCA's subspace and nearly the likelihood."""
    x = (rows(300, 6) * [2, 1.5, 0.3, 0.3, 0.3, 0.3]).astype(np.float32)
    vae = VAE([6, 2], rng=0, output="linear", sd=None)
    optimizer = optim.Adam(vae.parameters(), lr=5e-2)
    loader = data.Loader(x, batch_size=150, rng=0)
    training.fit(vae, loader, optimizer, epochs=200, progress=False,
                 schedule=optim.CosineAnnealingLR(optimizer, T_max=400))
    found, best = (m.log_likelihood(x.astype(m.W.dtype)).mean() for m in (LinearGaussian.of(vae),
                                                                          LinearGaussian.fit(x, 2)))
    assert best - 0.05 < found <= best + 1e-4
    axes = PCA(2).fit(x).components_
    learned = np.linalg.qr(vae.decoder[0].weight.numpy().T)[0]
    assert np.linalg.svd(axes @ learned)[1].min() > 0.99


def test_a_device_gives_the_same():
    device, x = install(), rows()
    here = model()
    there = LinearGaussian(device.put(here.W), device.put(here.b), here.sd)
    q = RNG.standard_normal((20, 3)), np.eye(3)
    for ours, right in ((there.log_likelihood(device.put(x)), here.log_likelihood(x)),
                        (there.elbo(device.put(x), *map(device.put, q)), here.elbo(x, *q)),
                        (there.gap(device.put(x), *map(device.put, q)), here.gap(x, *q))):
        np.testing.assert_allclose(md.Tensor(ours).numpy(), right)


@pytest.mark.parametrize("call, sentence", [
    (lambda: LinearGaussian(np.ones(3), np.ones(3), 1.0), r"W is an array of floats \(code, features\)"),
    (lambda: LinearGaussian(np.ones((2, 3)), np.ones(2), 1.0), r"not float64 \(2, 3\) and \(2,\)"),
    (lambda: LinearGaussian(np.ones((2, 3)), np.ones(3), 0.0), "sd is a finite number above 0"),
    (lambda: model().log_likelihood(np.ones((2, 3))), r"LinearGaussian.log_likelihood: .* rows of 7 numbers"),
    (lambda: model().log_likelihood(np.full((2, 7), np.nan)), "not finite"),
    (lambda: LinearGaussian.fit(rows(), 7), "a code of 7 numbers leaves no noise in 7 features"),
    (lambda: LinearGaussian.of(VAE([7, 3], rng=0)), "whose decoder is one Linear layer, of output 'linear'"),
    (lambda: LinearGaussian.of(VAE([7, 4, 3], rng=0, output="linear")), "whose decoder is one Linear layer")])
def test_what_does_not_fit_gets_a_sentence(call, sentence):
    with pytest.raises(md.InputError, match=sentence):
        call()
