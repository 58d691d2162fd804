"""The sparse autoencoder: UFLDL's cost and gradient, its filters, its penalties, and that it finds edges."""
import math

import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim, training
from minidl.autoencoders import SparseAutoencoder
from minidl.linear import PCA
from minidl.metrics.filters import gabor_fit, orientation_selectivity
from tests.standin.device import install


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def in_float64(model):
    model.astype(np.float64)
    for p in model.parameters():
        p.data += np.random.default_rng(1).uniform(-0.1, 0.1, p.shape)           # biases too
    return model


def by_hand(model, x):
    """The cost of the lecture notes, unit by unit and image by image."""
    (W1, b1), (W2, b2) = ((part[0].weight.numpy(), part[0].bias.numpy()) for part in (model.encoder, model.decoder))
    h = 1 / (1 + np.exp(-(x @ W1 + b1)))
    y = 1 / (1 + np.exp(-(h @ W2 + b2)))
    squares = np.mean([0.5 * np.linalg.norm(a - b)**2 for a, b in zip(x, y, strict=True)])
    decay = model.weight_decay / 2 * ((W1**2).sum() + (W2**2).sum())
    rho, means = model.rho, h.mean(0)
    kl = sum(rho * math.log(rho / m) + (1 - rho) * math.log((1 - rho) / (1 - m)) for m in means)
    return squares + decay + model.beta * kl


def test_the_cost_is_that_of_the_lecture_notes(rng):
    model = in_float64(SparseAutoencoder(6, 4, rng=0, rho=0.05, beta=2.0, weight_decay=0.01))
    x = rng.random((9, 6))
    assert model.loss(md.Tensor(x)).item() == pytest.approx(by_hand(model, x), rel=1e-12)


def test_its_gradient_is_the_numerical_one(rng):
    """The exercise's check: |analytic - numeric| / |analytic + numeric| below 1e-9, over all parameters."""
    model, x = in_float64(SparseAutoencoder(8, 5, rng=0)), md.Tensor(rng.random((10, 8)))
    analytic, numeric = [], []
    for p, g in zip(model.parameters(), md.grad(model.loss(x), model.parameters()), strict=True):
        for i in np.ndindex(p.shape):
            value, step = p.data[i], 1e-4
            p.data[i] = value + step
            above = model.loss(x).item()
            p.data[i] = value - step
            below = model.loss(x).item()
            p.data[i] = value
            analytic.append(g.numpy()[i])
            numeric.append((above - below) / (2 * step))
    a, n = np.array(analytic), np.array(numeric)
    assert np.linalg.norm(a - n) / np.linalg.norm(a + n) < 1e-9


@pytest.mark.parametrize("settings", [dict(), dict(penalty="l1", beta=0.1), dict(penalty="k-sparse", k=2),
                                      dict(output="linear"), dict(weight_decay=0.0)])
def test_every_cost_can_be_differentiated_twice(settings, rng):
    model = in_float64(SparseAutoencoder(5, 4, rng=0, **settings))
    md.gradcheck(lambda x: model.loss(x), rng.random((6, 5)))


def test_training_stays_in_float32(rng, only_float32):
    x = rng.random((20, 6), dtype=np.float32)
    for settings in (dict(), dict(penalty="l1"), dict(penalty="k-sparse", k=2)):
        model = SparseAutoencoder(6, 5, rng=0, **settings)
        training.fit(model, data.Loader(x, batch_size=20, shuffle=False),
                     optim.LBFGS(model.parameters(), max_iter=2), epochs=1, progress=False)
        assert model.reconstruct(x).dtype == model.maximising_inputs().dtype == np.float32


def test_weights_start_within_the_exercises_limits():
    model = SparseAutoencoder(64, 25, rng=0)
    r = math.sqrt(6 / (64 + 25 + 1))
    for part in (model.encoder, model.decoder):
        size = np.abs(part[0].weight.numpy())
        assert 0.98 * r < size.max() <= r and not part[0].bias.numpy().any()


def test_no_input_of_norm_one_makes_a_unit_more_active_than_its_maximising_input(rng):
    model = SparseAutoencoder(10, 4, rng=0)
    best = model.maximising_inputs()
    assert best.shape == (4, 10) and np.allclose(np.linalg.norm(best, axis=1), 1, atol=1e-6)
    others = rng.standard_normal((2000, 10), dtype=np.float32)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert (model.encode(others).max(0) <= np.diag(model.encode(best)) + 1e-6).all()
    model.encoder[0].weight.data[...] = 0
    assert not model.maximising_inputs().any()


def test_a_k_sparse_code_has_k_numbers(rng):
    model = SparseAutoencoder(10, 8, rng=0, penalty="k-sparse", k=3)
    assert ((model.encode(rng.random((50, 10), dtype=np.float32)) != 0).sum(1) == 3).all()


def test_the_device_gives_numpys_values(rng):
    x = rng.random((30, 6), dtype=np.float32)
    for settings in (dict(), dict(penalty="l1"), dict(penalty="k-sparse", k=2)):
        here, there = SparseAutoencoder(6, 4, rng=0, **settings), SparseAutoencoder(6, 4, rng=0, **settings)
        there.to(install())
        t = md.Tensor(x, device=install())
        assert here.loss(md.Tensor(x)).item() == there.loss(t).item()
        np.testing.assert_array_equal(here.maximising_inputs(), md.Tensor(there.maximising_inputs()).numpy())
        np.testing.assert_array_equal(here.reconstruct(x), md.Tensor(there.reconstruct(t.data)).numpy())


def test_nan_in_the_data_stops_the_training_with_a_sentence(rng):
    x = rng.random((20, 6), dtype=np.float32)
    x[3, 2] = np.nan
    model = SparseAutoencoder(6, 4, rng=0)
    before = model.state_dict()
    with pytest.raises(FloatingPointError, match="the loss became nan in epoch 1"):
        training.fit(model, data.Loader(x, batch_size=20, shuffle=False),
                     optim.LBFGS(model.parameters()), epochs=1, progress=False)
    np.testing.assert_array_equal(model.state_dict()["encoder.0.weight"], before["encoder.0.weight"])


@pytest.mark.parametrize("settings, sentence", [
    (dict(rho=0.0), "between 0 and 1, not 0.0"), (dict(rho=1.5), "between 0 and 1"), (dict(beta=-1.0), "0 or more"),
    (dict(penalty="l2"), "'kl', 'l1' or 'k-sparse'"), (dict(output="logits"), "'sigmoid' or 'linear'"),
    (dict(penalty="k-sparse"), "k is None"), (dict(k=2), "belongs to it alone"),
    (dict(penalty="k-sparse", k=5), "how many of the 4 hidden units"), (dict(penalty="k-sparse", k=0), "k is 0")])
def test_bad_settings_get_a_sentence(settings, sentence):
    with pytest.raises(md.InputError, match=sentence):
        SparseAutoencoder(6, 4, rng=0, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_on_natural_patches_the_filters_become_edges(seed):
    x = data.load("patches").flat().x_train
    model = SparseAutoencoder(64, 25, rng=seed)
    untrained = model.maximising_inputs().reshape(-1, 8, 8)
    training.fit(model, data.Loader(x, batch_size=len(x), shuffle=False),
                 optim.LBFGS(model.parameters()), epochs=20, progress=False)
    filters, components = model.maximising_inputs().reshape(-1, 8, 8), PCA(25).fit(x).components_.reshape(-1, 8, 8)
    assert model.loss(md.Tensor(x)).item() < 0.50
    assert np.all(np.abs(model.encode(x).mean(0) - 0.01) < 0.002)
    for measure in (orientation_selectivity, gabor_fit):
        assert np.median(measure(filters)) > np.median(measure(components)) + 0.1 > np.median(measure(untrained)) + 0.2


def test_nn_has_the_parts():
    assert isinstance(SparseAutoencoder(3, 2, rng=0, penalty="k-sparse", k=1).encoder[1], nn.KSparse)
