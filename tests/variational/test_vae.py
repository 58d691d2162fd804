"""The variational autoencoder: its gradients, bounds, noise, labels, likelihood, warm-up, resuming, and bad input."""
import math

import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim, training
from minidl.variational import VAE, ConvolutionalVAE, VariationalAutoencoder, WarmUp
from tests.standin.device import counting, install

RNG = np.random.default_rng(0)
X = np.random.default_rng(1).uniform(0.1, 0.9, (40, 6)).astype(np.float32)
LABELS = np.arange(40) % 3


class Loss(nn.Module):
    """The loss of a model with the same noise at each call, as a function that can be differentiated."""

    def __init__(self, model):
        self.model, self.noise = model.astype("float64"), model.stream.state_dict()

    def forward(self, *batch):
        self.model.stream.load_state_dict(self.noise)
        return self.model.loss(*batch)


def train(model, x=X, *labels, epochs=3, lr=5e-3, batch_size=10, **options):
    loader = data.Loader(x, *labels, batch_size=batch_size, rng=np.random.default_rng(1), classes=3 if labels else None)
    return training.fit(model, loader, optim.Adam(model.named_parameters(), lr=lr), epochs=epochs, progress=False,
                        **options)


@pytest.mark.parametrize("settings", [
    dict(), dict(output="linear", sd=0.5), dict(output="linear", sd=None), dict(beta=0.3), dict(k=4), dict(classes=3),
    dict(k=3, output="linear", sd=None, classes=3)], ids=str)
def test_gradients_by_the_input_and_each_parameter_are_those_of_finite_differences(settings):
    loss = Loss(VAE([6, 5, 2], rng=0, activation=nn.Tanh, **settings))
    batch = [X[:4].astype(np.float64), *([LABELS[:4]] if loss.model.classes else [])]
    names = [name for name, _ in loss.named_parameters()]
    md.gradcheck(lambda *p: nn.functional_call(loss, dict(zip(names, p, strict=True)), *batch),
                 *(p.numpy() for p in loss.parameters()), directions=1)
    md.gradcheck(lambda x: loss(x, *batch[1:]), batch[0], directions=1)


def test_gradients_of_the_convolutional_one_with_labels_are_those_of_finite_differences():
    loss = Loss(ConvolutionalVAE((4, 4, 1), (2,), code=2, classes=3, rng=0, activation=nn.Tanh))
    x, names = RNG.uniform(0.2, 0.8, (2, 4, 4, 1)), [name for name, _ in loss.named_parameters()]
    md.gradcheck(lambda *p: nn.functional_call(loss, dict(zip(names, p, strict=True)), x, LABELS[:2]),
                 *(p.numpy() for p in loss.parameters()), order=1, directions=1)


@pytest.mark.parametrize("settings", [dict(), dict(output="linear", sd=0.5)], ids=str)
def test_the_terms_are_what_slide_25_says(settings):
    """Each number of the bound written out with NumPy, from the networks' outputs and the noise."""
    model, twin = (VAE([6, 5, 2], rng=0, beta=0.25, **settings).astype("float64") for _ in range(2))
    x = X.astype(np.float64)
    mean, log_variance = (t.numpy() for t in model.posterior(x))
    z = mean + np.exp(log_variance / 2) * twin.stream.normal(mean.shape, like=mean)
    f = model.decode(z)
    log_p = (x * np.log(f) + (1 - x) * np.log(1 - f)) if model.output == "logits" else \
        -0.5 * ((x - f) / 0.5)**2 - math.log(0.5) - 0.5 * math.log(2 * math.pi)
    kl = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1)
    terms = {name: term.item() for name, term in model.terms(x).items()}
    assert terms["error"] == pytest.approx(-log_p.sum(1).mean(), rel=1e-7)       # sd is a float32's
    assert terms["kl"] == pytest.approx(kl.sum(1).mean(), rel=1e-12)
    assert terms["loss"] == pytest.approx(terms["error"] + 0.25 * terms["kl"], rel=1e-12)
    elbo = twin_of(model, twin).elbo(x).numpy()
    np.testing.assert_allclose(elbo, log_p.sum(1) - kl.sum(1), rtol=1e-7)


def twin_of(model, twin):
    """The twin whose stream has drawn nothing yet."""
    twin.load_state_dict(model.state_dict())
    twin.stream.load_state_dict(VAE([6, 5, 2], rng=0).stream.state_dict())
    return twin


def test_with_k_codes_the_loss_is_the_bound_of_burda_and_one_code_gives_the_elbo_by_sampling():
    model, twin = (VAE([6, 5, 2], rng=0, k=5).astype("float64") for _ in range(2))
    x = X.astype(np.float64)
    mean, log_variance = (t.numpy() for t in model.posterior(x))
    noise = twin.stream.normal((5, *mean.shape), like=mean)
    z = mean + np.exp(log_variance / 2) * noise
    log_p = np.stack([-nn.binary_cross_entropy_with_logits(model.decoder(c), x, "none").numpy().sum(1) for c in z])
    log_prior, log_q = -0.5 * (z**2).sum(-1), -0.5 * (noise**2 + log_variance).sum(-1)
    weights = np.exp(log_p + log_prior - log_q)
    assert model.loss(x).item() == pytest.approx(-np.log(weights.mean(0)).mean(), rel=1e-12)


def test_noise_is_drawn_anew_in_each_iteration_and_repeats_with_the_seed():
    model, twin = VAE([6, 5, 2], rng=3), VAE([6, 5, 2], rng=3)
    losses = [model.loss(X).item() for _ in range(3)]
    assert len(set(losses)) == 3 and losses == [twin.loss(X).item() for _ in range(3)]


def test_draws_have_the_mean_and_the_deviation_that_the_encoder_gave():
    mean, log_variance = np.array([[1.0, -2.0]]), np.log([[0.25, 4.0]])
    z = VAE([6, 5, 2], rng=0).draw(md.Tensor(mean), md.Tensor(log_variance), k=20_000).numpy()[:, 0]
    sd = np.array([0.5, 2.0])
    assert (abs(z.mean(0) - mean[0]) < 5 * sd / math.sqrt(20_000)).all()
    np.testing.assert_allclose(z.std(0), sd, rtol=5 / math.sqrt(2 * 20_000))


@pytest.mark.parametrize("settings", [dict(), dict(k=3), dict(classes=3), dict(output="linear", sd=None)], ids=str)
def test_float32_stays_float32_and_agrees_with_float64(settings, only_float32):
    single = VAE([6, 5, 2], rng=0, **settings)
    y = [LABELS] * bool(single.classes)
    assert all(part.dtype == np.float32 for part in (single.loss(X, *y), single.elbo(X, *y), single.bound(X, *y, k=3)))
    assert single.log_likelihood(X, *y, k=3, rng=0).dtype == np.float32


def test_values_in_float32_are_those_of_float64_to_single_precision():
    noise = RNG.standard_normal((40, 2)).astype(np.float32)
    values = []
    for dtype in ("float32", "float64"):
        model = VAE([6, 5, 2], rng=0).astype(dtype)
        mean, log_variance = model.posterior(X.astype(dtype))
        z = mean + md.exp(log_variance * 0.5) * noise.astype(dtype)
        values.append(model.log_p(X.astype(dtype), z) - nn.kl_unit_gaussian(mean, log_variance, "none"))
    np.testing.assert_allclose(values[0].numpy(), values[1].numpy(), rtol=3e-6)


def test_the_importance_weighted_bound_is_stable_where_weights_underflow():
    """Of a thousand pixels that the decoder is sure to be 1 and that are 0, p(x | z) is about exp(-100,000)."""
    model = VAE([1000, 2], rng=0)
    model.decoder[0].weight.data[...] = 0.0
    model.decoder[0].bias.data[...] = 100.0
    x = np.zeros((3, 1000), np.float32)
    for value in (model.bound(x, k=5).numpy(), model.log_likelihood(x, k=5, rng=0)):
        assert np.isfinite(value).all() and (abs(value + 100_000) < 50).all()


@pytest.mark.parametrize("items, k", [(5, 1), (1, 50)])
def test_the_likelihood_in_pieces_is_the_one_of_all_at_once(monkeypatch, items, k):
    """Where the pieces come in the order of the noise."""
    model, x = VAE([6, 5, 2], rng=0, classes=3), X[:items]
    whole = model.log_likelihood(x, LABELS[:items], k=k, rng=0)
    monkeypatch.setattr("minidl.variational.base._PAIRS", 3)
    np.testing.assert_allclose(model.log_likelihood(x, LABELS[:items], k=k, rng=0), whole, rtol=1e-5)


def test_many_codes_take_no_more_memory_than_few():
    model, widest = VAE([6, 5, 2], rng=0), []
    model.decoder[0].register_forward_hook(lambda layer, inputs, y: widest.append(len(y.data)))
    model.log_likelihood(X[:5], k=20_000, rng=0)
    assert max(widest) <= 4096


def test_what_is_sampled_without_means_has_the_distribution_that_the_decoder_gives():
    model = VAE([6, 2], rng=0)
    model.decoder[0].weight.data[...] = 0.0
    model.decoder[0].bias.data[...] = np.log([1 / 9, 1, 9, 1, 1, 1])                    # probabilities .1 .5 .9 ...
    pixels = model.sample(4000, 0, means=False)
    assert set(np.unique(pixels)) == {0.0, 1.0}
    np.testing.assert_allclose(pixels.mean(0), [0.1, 0.5, 0.9, 0.5, 0.5, 0.5], atol=5 * 0.5 / math.sqrt(4000))
    gaussian = VAE([6, 2], rng=0, output="linear", sd=0.3)
    noise = gaussian.sample(4000, 0, means=False) - gaussian.sample(4000, 0)
    assert noise.std() == pytest.approx(0.3, rel=5 / math.sqrt(2 * noise.size))


def test_a_learned_deviation_becomes_that_of_the_residuals():
    x = (0.3 * RNG.standard_normal((400, 6)) + 2).astype(np.float32)
    model = VAE([6, 1], rng=0, output="linear", sd=None)
    train(model, x, epochs=60, lr=4e-2, batch_size=100)
    residual = np.sqrt(((x - model.reconstruct(x))**2).mean())
    assert math.exp(0.5 * model.log_variance.item()) == pytest.approx(residual, rel=0.1)
    assert residual == pytest.approx(0.3, rel=0.1)


def test_what_a_conditional_model_makes_depends_on_the_label_that_it_is_given():
    """Of images that show their label and noise, the code learns the noise and the label the rest."""
    x = (0.8 * np.eye(3, 6)[LABELS] + 0.1).astype(np.float32)
    model = VAE([6, 8, 1], rng=0, classes=3)
    train(model, x, LABELS, epochs=80, lr=1e-2)
    for y in range(3):
        drawn = model.sample(20, 0, y)
        assert (drawn[:, :3].argmax(1) == y).all()
    assert (model.sample(3, 0, [2, 0, 1])[:, :3].argmax(1) == [2, 0, 1]).all()
    assert np.array_equal(model.sample(3, 0, 1), model.sample(3, 0, np.ones(3, int)))
    assert np.allclose(model.reconstruct(x, LABELS), model.decode(model.encode(x, LABELS), LABELS))


def test_labels_of_a_convolutional_model_are_channels_and_numbers_of_the_code():
    model = ConvolutionalVAE((8, 8, 1), (3, 4), code=2, classes=3, rng=0)
    x = RNG.random((5, 8, 8, 1), np.float32)
    assert model.encoder[0].weight.shape[2] == 1 + 3 and model.decoder[0].weight.shape[0] == 2 + 3
    assert model.reconstruct(x, 1).shape == x.shape and model.log_likelihood(x, 1, k=3, rng=0).shape == (5,)
    assert not np.allclose(model.reconstruct(x, 1), model.reconstruct(x, 2))


def test_a_warm_up_grows_with_the_batches_of_training_and_stands_in_evaluation():
    beta = WarmUp(4, beta=2.0)
    assert [float(beta()[0]) for _ in range(6)] == [0, 0.5, 1, 1.5, 2, 2]
    assert beta.eval()()[0] == 2 and beta.batches.numpy() == 6
    model = VAE([6, 5, 2], rng=0, beta=WarmUp(4))
    terms = [model.terms(X) for _ in range(3)]
    np.testing.assert_allclose([((t["loss"] - t["error"]) / t["kl"]).item() for t in terms], [0, 0.25, 0.5], atol=1e-5)


@pytest.mark.parametrize("settings", [dict(beta=WarmUp), dict(k=3), dict(classes=3), dict(output="linear", sd=None)],
                         ids=["warm-up", "k", "labels", "sd"])
def test_a_run_resumes_bit_for_bit(settings, tmp_path):
    def run(epochs, path):
        made = {name: value(30) if value is WarmUp else value for name, value in settings.items()}
        model = VAE([6, 5, 2], rng=0, **made)
        y = [LABELS] * bool(model.classes)
        history = train(model, X, *y, epochs=epochs, checkpoint=path)
        return model.state_dict() | {"noise": model.draw(*model.posterior(X, *y)).numpy(), "loss": history["loss"]}

    unbroken = run(5, tmp_path / "unbroken.npz")
    run(2, tmp_path / "run.npz")
    resumed = run(5, tmp_path / "run.npz")
    assert all(np.array_equal(unbroken[name], resumed[name]) for name in unbroken)
    assert ("beta.batches" in unbroken) == ("beta" in settings)


@pytest.mark.parametrize("settings", [dict(), dict(k=3), dict(classes=3, beta=WarmUp), dict(output="linear", sd=None)],
                         ids=["plain", "k", "labels and warm-up", "sd"])
def test_training_on_a_device_does_not_wait_for_it(settings):
    made = {name: value(30) if value is WarmUp else value for name, value in settings.items()}
    model = VAE([6, 5, 2], rng=0, **made).to(install())
    x, optimizer = md.Tensor(X, device="standin"), optim.Adam(model.parameters())
    y = [md.Tensor(LABELS, device="standin")] * bool(model.classes)
    model.loss(x, *y)                                          # the device's generator is made at the first use
    with counting() as c:
        for _ in range(3):
            optimizer.zero_grad()
            model.loss(x, *y).backward()
            optimizer.step()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for


def test_a_device_estimates_the_likelihood_of_what_is_on_it():
    device = install()
    here, there = VAE([6, 5, 2], rng=0, classes=3), VAE([6, 5, 2], rng=0, classes=3)
    for model in here, there:                                  # whose codes are drawn from the prior: none weighs much
        model.encoder[-1].weight.data[...] = 0.0
    there.to(device)
    found = there.log_likelihood(device.put(X), device.put(LABELS), k=300, rng=0)
    assert type(found) is type(device.put(X))
    np.testing.assert_allclose(md.Tensor(found).numpy(), here.log_likelihood(X, LABELS, k=300, rng=0), atol=0.2)


def test_training_by_name_has_a_history_of_the_terms_and_learns():
    model = VAE([6, 8, 2], rng=0)
    history = train(model, (X > 0.5).astype(np.float32), epochs=20, loss=VAE.terms)
    np.testing.assert_allclose(history["loss"], np.add(history["error"], history["kl"]), rtol=1e-5)
    assert history["loss"][-1] < history["loss"][0] and "VAE(6-8-2, output='logits')" in repr(model)


@pytest.mark.parametrize("make, sentence", [
    (lambda: VAE([6], rng=0), r"such as \[784, 400, 20\], each 1 or more; not \[6\]"),
    (lambda: VAE([6, 0], rng=0), "each 1 or more"), (lambda: VAE("65", rng=0), "sizes are"),
    (lambda: VAE([6, 2], rng=0, output="sigmoid"), "'linear' or 'logits'"),
    (lambda: VAE([6, 2], rng=0, output="linear", sd=0.0), "sd is a finite number above 0, not 0.0"),
    (lambda: VAE([6, 2], rng=0, beta=-1), "beta is a finite number of at least 0"),
    (lambda: VAE([6, 2], rng=0, beta=0.5, k=5), "bound of k = 5 codes has no KL divergence to be weighed"),
    (lambda: VAE([6, 2], rng=0, beta=WarmUp(3), k=5), "no KL divergence to be weighed"),
    (lambda: VAE([6, 2], rng=0, k=0), "k, the number of codes, is a whole number of at least 1"),
    (lambda: VAE([6, 2], rng=0, classes=2.0), "classes is a whole number of at least 0, not 2.0"),
    (lambda: WarmUp(0), "steps is a whole number of at least 1, not 0"), (lambda: WarmUp(3, beta=-1), "beta"),
    (lambda: ConvolutionalVAE((30, 28, 1), code=2, rng=0), "ConvolutionalVAE: 2 stages .* does not divide 30x28"),
    (lambda: VAE([6, 2], rng=0).loss(2 * X), r"targets are probabilities in \[0, 1\]"),
    (lambda: VAE([6, 2], rng=0).loss(X, LABELS), "knows no labels; make it with classes=10"),
    (lambda: VAE([6, 2], rng=0).sample(3, 0, 1), "knows no labels"),
    (lambda: VAE([6, 2], rng=0, classes=3).loss(X), "learned 3 classes apart; say which"),
    (lambda: VAE([6, 2], rng=0, classes=3).sample(3, 0), "say which, y=labels"),
    (lambda: VAE([6, 2], rng=0, classes=3).loss(X, LABELS + 1), "integers from 0 to 2; the one at index 2 is 3"),
    (lambda: VAE([6, 2], rng=0, classes=3).loss(X, LABELS[:9]), r"40 items have labels of shape \(40,\), or .*\(9,\)"),
    (lambda: VAE([6, 2], rng=0).log_likelihood(X, k=0, rng=0), "k, the number of codes"),
    (lambda: VAE([6, 2], rng=0).sample(-1, 0), "n, the number of items, is a whole number of at least 0, not -1"),
    (lambda: VariationalAutoencoder(nn.mlp([6, 2], rng=0), nn.mlp([2, 6], rng=0), input_shape=[6], code=2, rng=0
                                    ).loss(X), r"encoder gives \(40, 2\) for 40 items; for a code of 2 .*\(40, 4\)"),
    (lambda: VariationalAutoencoder(nn.mlp([6, 4], rng=0), nn.mlp([2, 5], rng=0), input_shape=[6], code=2, rng=0
                                    ).loss(X), r"decoder gives items of \(5,\), the data are of \(6,\); make it"),
    (lambda: VariationalAutoencoder(nn.mlp([6, 4], rng=0), nn.mlp([3, 6], rng=0), input_shape=[6], code=2, rng=0
                                    ).loss(X), r"Linear\(3, 6\) at 0: expected x .* got \(40, 2\)")])
def test_bad_settings_and_what_does_not_fit_get_a_sentence(make, sentence):
    with pytest.raises(md.InputError, match=sentence):
        make()
