"""The deep autoencoder: its form, its verbs, its losses, and that it becomes PCA when it is linear."""
import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim, training
from minidl.autoencoders import DeepAutoencoder, start_centred
from minidl.linear import PCA
from minidl.tuning import one_core
from tests.sets import skip_without
from tests.standin.device import install


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_decoder_mirrors_the_encoder():
    model = DeepAutoencoder([64, 128, 32, 10], rng=0)
    shapes = [p.shape for p in model.parameters() if p.ndim == 2]
    assert shapes == [(64, 128), (128, 32), (32, 10), (10, 32), (32, 128), (128, 64)]
    assert [type(layer).__name__ for layer in model.encoder] == ["Linear", "ELU", "Linear", "ELU", "Linear"]
    assert "64-128-32-10" in repr(model)


@pytest.mark.parametrize("output", ["linear", "logits"])
def test_verbs_compose_and_take_arrays_or_tensors(output, rng):
    model = DeepAutoencoder([12, 8, 3], rng=0, output=output)
    x = rng.random((5000, 12), dtype=np.float32)               # more than one block of rows
    code = model.encode(x)
    assert type(code) is np.ndarray and code.shape == (5000, 3) and code.dtype == np.float32
    y = model.reconstruct(x)
    assert np.allclose(y, model.decode(code), atol=1e-6)
    recorded = model.reconstruct(md.Tensor(x))
    assert recorded.requires_grad and np.allclose(recorded.numpy(), y, atol=1e-6)
    raw = model(md.Tensor(x)).numpy()
    assert np.allclose(y, raw if output == "linear" else 1 / (1 + np.exp(-raw)), atol=1e-6)
    assert model.encode(x[:0]).shape == (0, 3)


def test_losses_are_per_image(rng):
    x = rng.random((7, 12), dtype=np.float32)
    linear = DeepAutoencoder([12, 3], rng=0)
    assert linear.loss(md.Tensor(x)).item() == pytest.approx(((linear.reconstruct(x) - x)**2).sum(1).mean(), rel=1e-5)
    logits = DeepAutoencoder([12, 3], rng=0, output="logits")
    p = logits.reconstruct(x).astype(np.float64)
    entropy = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(1).mean()
    assert logits.loss(md.Tensor(x)).item() == pytest.approx(entropy, rel=1e-5)


def test_samples_are_decoded_from_the_gaussian_of_the_training_codes(rng):
    model = DeepAutoencoder([6, 2], rng=0)
    with pytest.raises(md.InputError, match="remember_codes"):
        model.sample(3, 0)
    x = rng.standard_normal((4000, 6), dtype=np.float32) * [3, 1, 1, 1, 1, 0.1] + 2
    x = x.astype(np.float32)
    model.remember_codes(x)
    drawn = model.sample(100_000, rng=1)
    reconstructed = model.reconstruct(x)                       # a linear decoder: the same mean and covariance
    assert drawn.dtype == np.float32 and drawn.shape == (100_000, 6)
    assert np.allclose(drawn.mean(0), reconstructed.mean(0), atol=0.1)
    assert np.allclose(np.cov(drawn.T), np.cov(reconstructed.T), atol=0.03 * np.cov(reconstructed.T).max())
    assert np.array_equal(drawn[:5], model.sample(100_000, rng=1)[:5])
    other = DeepAutoencoder([6, 2], rng=5)
    other.load_state_dict(model.state_dict())                  # the Gaussian is part of the state
    assert np.array_equal(other.sample(4, 2), model.sample(4, 2))


def test_a_seed_gives_the_same_model():
    a, b, c = (DeepAutoencoder([8, 5, 2], rng=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(p.data, q.data) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not np.array_equal(a.parameters()[0].data, c.parameters()[0].data)


def test_a_linear_autoencoder_learns_the_subspace_of_pca(rng):
    x = (rng.standard_normal((400, 8)) * [4, 3, 1, .5, .5, .5, .5, .5]).astype(np.float32)
    x -= x.mean(0)
    model = DeepAutoencoder([8, 2], rng=0)
    loader = data.Loader(x, batch_size=400, rng=rng)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    training.fit(model, loader, optimizer, epochs=600,
                 schedule=optim.CosineAnnealingLR(optimizer, T_max=600), progress=False)
    pca = PCA(2).fit(x)
    basis = np.linalg.qr(model.decoder[0].weight.numpy().T)[0]         # columns span the decoder's subspace
    angles = np.arccos(np.clip(np.linalg.svd(pca.components_ @ basis)[1], -1, 1))
    assert np.degrees(angles.max()) < 1
    assert model.loss(md.Tensor(x)).item() == pytest.approx(((pca.reconstruct(x) - x)**2).sum(1).mean(), rel=0.01)


@pytest.mark.parametrize("arguments, sentence", [
    (dict(sizes=[10]), "sizes are"), (dict(sizes=[10, 0]), "1 or more"), (dict(sizes=[]), "sizes are"),
    (dict(sizes=[10, 2], output="sigmoid"), "'linear' or 'logits'")])
def test_bad_settings_get_a_sentence(arguments, sentence):
    with pytest.raises(md.InputError, match=sentence):
        DeepAutoencoder(**arguments, rng=0)


def test_rows_of_another_width_get_a_sentence():
    model = DeepAutoencoder([10, 4, 2], rng=0)
    with pytest.raises(md.InputError, match=r"encode: expected rows of 10 numbers.*not \(3, 9\)"):
        model.reconstruct(np.zeros((3, 9), np.float32))
    with pytest.raises(md.InputError, match=r"decode: expected rows of 2 numbers"):
        model.decode(np.zeros((3, 10), np.float32))
    with pytest.raises(md.InputError, match="2 or more rows"):
        model.remember_codes(np.zeros((1, 10), np.float32))


def test_another_activation_can_be_chosen():
    assert isinstance(DeepAutoencoder([4, 3, 2], rng=0, activation=nn.Tanh).encoder[1], nn.Tanh)


# Where a network starts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["linear", "logits"])
@pytest.mark.parametrize("tied", [False, True])
def test_a_centred_start_gives_each_unit_inputs_of_mean_0_and_the_data_s_mean_at_the_end(output, tied, rng):
    x = rng.uniform(0.2, 0.9, (300, 12)).astype(np.float32)
    model = DeepAutoencoder([12, 9, 7, 3], rng=0, activation=nn.Sigmoid, output=output, tied=tied)
    start_centred(model, x)
    h, layers = md.Tensor(x), [*model.encoder, *model.decoder]
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        h = layer(h)
        if isinstance(layer, nn.Linear) and after:
            assert h.numpy().std(0).mean() == pytest.approx(2 if isinstance(after, nn.Sigmoid) else 1, rel=1e-4)
        if not isinstance(layer, nn.Sigmoid) and after:
            assert np.allclose(h.numpy().mean(0), 0, atol=1e-5)
    end = x.mean(0) if output == "linear" else np.log(x.mean(0) / (1 - x.mean(0)))
    assert np.allclose(h.numpy().mean(0), end, atol=1e-5)
    there = DeepAutoencoder([12, 9, 7, 3], rng=0, activation=nn.Sigmoid, output=output, tied=tied).to(install())
    start_centred(there, md.Tensor(x, device="standin").data)
    assert all(np.allclose(p.numpy(), q.numpy(), atol=1e-6) for p, q in zip(there.parameters(), model.parameters(),
                                                                           strict=True))


def test_constant_inputs_leave_a_centred_start_finite():
    model = DeepAutoencoder([4, 3, 2], rng=0, activation=nn.Sigmoid, output="logits")
    start_centred(model, np.zeros((5, 4), np.float32))
    assert all(np.isfinite(p.numpy()).all() for p in model.parameters())


@pytest.mark.slow
def test_a_deep_logistic_network_gives_the_mean_image_unless_it_starts_centred():
    digits = data.load("digits").flat()

    def error(reconstruction):
        return float(((reconstruction - digits.x_test)**2).sum(1).mean())

    errors = []
    for start in (lambda model, x: None, start_centred):
        model = DeepAutoencoder([64, 128, 96, 64, 10], rng=0, activation=nn.Sigmoid)
        start(model, digits.x_train[:256])
        loader = data.Loader(digits.x_train, batch_size=64, rng=np.random.default_rng(0))
        training.fit(model, loader, optim.AdamW(model.parameters(), lr=4e-3), epochs=5,
                     progress=False)
        errors.append(error(model.reconstruct(digits.x_test)))
    assert errors[0] > 0.95 * error(digits.x_train.mean(0)) and errors[1] < 0.6 * errors[0]


@pytest.mark.slow
def test_the_papers_logistic_network_passes_logistic_pca_without_pretraining():
    """784-1000-500-250-30 on MNIST; the paper reports 8.01 for its logistic PCA with 30 components."""
    skip_without("mnist")
    mnist, rng = data.load("mnist").flat(), np.random.default_rng(0)
    model = DeepAutoencoder([784, 1000, 500, 250, 30], output="logits", activation=nn.Sigmoid, rng=rng)
    start_centred(model, mnist.x_train[:1000])
    loader = data.Loader(mnist.x_train, batch_size=128, rng=rng)
    optimizer = optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.99))
    with one_core():
        training.fit(model, loader, optimizer, epochs=3, progress=False,
                     schedule=optim.CosineAnnealingLR(optimizer, T_max=3 * len(loader)))
    assert ((model.reconstruct(mnist.x_test) - mnist.x_test)**2).sum(1).mean() < 8.01


@pytest.mark.parametrize("device", ["cpu", "stand-in"])
def test_pixels_of_0_to_255_are_refused_where_the_output_is_logits(device):
    device = install() if device == "stand-in" else device
    pixels = np.arange(32, dtype=np.float32).reshape(4, 8) * 8
    model = DeepAutoencoder([8, 4, 2], output="logits", rng=0).to(device)
    with pytest.raises(md.InputError, match=r"targets are probabilities in \[0, 1\], these go from 0 to 248; .*/ 255"):
        model.loss(md.Tensor(pixels, device=device))
    model.loss(md.Tensor(pixels / 255, device=device)).backward()
    DeepAutoencoder([8, 4, 2], output="linear", rng=0).to(device).loss(md.Tensor(pixels, device=device))
