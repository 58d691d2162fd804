"""The denoising autoencoder: what the noise is, when there is none, that it is undone, and that a run resumes."""
import math

import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim, training
from minidl.autoencoders import DeepAutoencoder, DenoisingAutoencoder
from tests.standin.device import counting, install

X = np.random.default_rng(0).uniform(0.2, 0.8, (500, 12)).astype(np.float32)
KINDS = ["masking", "gaussian", "salt-and-pepper"]


def denoiser(corruption="masking", amount=0.3, **settings):
    return DenoisingAutoencoder([12, 20], rng=0, corruption=corruption, amount=amount, **settings)


def test_masking_puts_a_share_to_0_and_salt_and_pepper_half_of_it_to_1():
    error = 5 * math.sqrt(0.3 * 0.7 / X.size)                            # five standard errors
    masked = denoiser().corrupt(X)
    assert abs((masked == 0).mean() - 0.3) < error and np.array_equal(masked[masked != 0], X[masked != 0])
    spoilt = denoiser("salt-and-pepper").corrupt(X)
    assert abs((spoilt == 0).mean() - 0.15) < error and abs((spoilt == 1).mean() - 0.15) < error
    kept = (spoilt != 0) & (spoilt != 1)
    assert np.array_equal(spoilt[kept], X[kept])


def test_gaussian_noise_has_the_deviation_that_was_asked_for():
    noise = denoiser("gaussian", amount=2.0).corrupt(X) - X
    assert abs(noise.mean()) < 5 * 2 / math.sqrt(X.size)
    assert noise.std() == pytest.approx(2.0, abs=5 * 2 / math.sqrt(2 * X.size))


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_drawn_anew_repeats_with_the_seed_and_keeps_the_kind_of_its_input(kind, only_float32):
    model, twin = denoiser(kind), denoiser(kind)
    first, second = model.corrupt(X), model.corrupt(X)
    assert type(first) is np.ndarray and not np.array_equal(first, second)
    assert np.array_equal(twin.corrupt(md.Tensor(X)).numpy(), first)
    assert first.dtype == np.float32 and denoiser(kind).corrupt(X.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_compares_what_is_made_of_the_noisy_input_with_the_clean_one(kind):
    model, twin = denoiser(kind), denoiser(kind)
    noisy = twin.corrupt(X)
    expected = ((model(md.Tensor(noisy)).numpy() - X)**2).sum(1).mean()
    assert model.loss(md.Tensor(X)).item() == pytest.approx(expected, rel=1e-5)


def test_in_evaluation_nothing_is_damaged():
    model = denoiser().eval()
    assert model.loss(md.Tensor(X)).item() == pytest.approx(((model.reconstruct(X) - X)**2).sum(1).mean(), rel=1e-5)


def test_no_noise_is_the_plain_autoencoder():
    plain = DeepAutoencoder([12, 20], rng=0)
    for kind in KINDS:
        assert denoiser(kind, amount=0).loss(md.Tensor(X)).item() == plain.loss(md.Tensor(X)).item()


def test_a_code_wider_than_the_input_learns_to_denoise_and_not_to_copy():
    rng = np.random.default_rng(3)
    x = (rng.standard_normal((600, 2)) @ rng.standard_normal((2, 12))).astype(np.float32)      # a plane
    model = denoiser("gaussian", amount=1.0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    training.fit(model, data.Loader(x[:500], batch_size=50, rng=rng), optimizer, epochs=40,
                 progress=False)
    clean = x[500:]
    noisy = model.corrupt(clean)
    assert ((model.reconstruct(noisy) - clean)**2).mean() < 0.4 * ((noisy - clean)**2).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_resumes_bit_for_bit_with_its_noise(kind, tmp_path):
    def train(epochs, path):
        model = denoiser(kind)
        loader = data.Loader(X, batch_size=100, rng=np.random.default_rng(1))
        training.fit(model, loader, optim.Adam(model.named_parameters()), epochs=epochs,
                     checkpoint=path, progress=False)
        return model.state_dict() | {"drawn later": model.corrupt(X)}

    unbroken = train(3, tmp_path / "unbroken.npz")
    train(2, tmp_path / "run.npz")
    resumed = train(3, tmp_path / "run.npz")
    assert all(np.array_equal(unbroken[name], resumed[name], equal_nan=True) for name in unbroken)


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_device_noise_is_drawn_there_and_nothing_waits(kind):
    model = denoiser(kind).to(install())
    x, optimizer = md.Tensor(X, device="standin"), optim.Adam(model.parameters())
    model.loss(x)                                              # the device's generator is made at the first use
    with counting() as c:
        for _ in range(3):
            optimizer.zero_grad()
            model.loss(x).backward()
            optimizer.step()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for


def test_the_form_is_a_deep_autoencoders():
    model = DenoisingAutoencoder([12, 9, 4], rng=0, tied=True, output="logits", code_activation=nn.Sigmoid)
    assert "DenoisingAutoencoder(12-9-4, output='logits', tied)" in repr(model) and model.sample.__self__ is model
    assert 0 < model.encode(X).min() and model.encode(X).max() < 1


@pytest.mark.parametrize("settings, sentence", [
    (dict(corruption="blur"), "masking, gaussian, salt-and-pepper, not 'blur'"), (dict(amount=1.0), "share from 0"),
    (dict(amount=-0.1), "share from 0 to below 1, not -0.1"), (dict(amount=math.nan), "share"),
    (dict(corruption="gaussian", amount=-1), "deviation of 0 or more, not -1")])
def test_bad_settings_get_a_sentence(settings, sentence):
    with pytest.raises(md.InputError, match=sentence):
        denoiser(**settings)
