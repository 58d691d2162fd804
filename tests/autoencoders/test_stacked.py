"""The stacked autoencoder: each layer learns from the one below, and the whole becomes a classifier."""
import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim, training
from minidl.autoencoders import StackedAutoencoder
from tests.standin.device import install


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def a_little_training(layer, target, checkpoint=None):
    return training.fit(layer, data.Loader(target, batch_size=len(target), shuffle=False),
                        optim.LBFGS(layer.parameters(), max_iter=3), epochs=2, progress=False, checkpoint=checkpoint)


def test_the_second_layer_is_trained_to_reconstruct_the_first_ones_trained_activation_and_not_x(rng):
    x = rng.random((40, 6), dtype=np.float32)
    model = StackedAutoencoder([6, 5, 4, 3], rng=0)
    untrained = model.features(x, 1)
    targets = []

    def fit_layer(layer, target):
        targets.append(target.copy())
        return a_little_training(layer, target)

    histories = model.pretrain(x, fit_layer)
    np.testing.assert_array_equal(targets[0], x)
    weights = model.layers[0].encoder[0]
    a = 1 / (1 + np.exp(-(x @ weights.weight.numpy() + weights.bias.numpy())))
    np.testing.assert_allclose(targets[1], a, atol=1e-6)
    np.testing.assert_array_equal(targets[1], model.layers[0].encode(x))
    np.testing.assert_array_equal(targets[2], model.layers[1].encode(targets[1]))
    assert not np.allclose(targets[1], untrained, atol=1e-2) and len(histories) == 3
    assert all(history.loss[1] < history.loss[0] for history in histories)


def test_pretraining_one_layer_leaves_the_others_as_they_were(rng):
    model = StackedAutoencoder([6, 5, 4], rng=0)
    before = model.state_dict()
    a_little_training(model.layers[0], rng.random((40, 6), dtype=np.float32))
    changed = {name for name, value in model.state_dict().items() if not np.array_equal(value, before[name], True)}
    assert changed == {"encoder.0.0.weight", "encoder.0.0.bias", "decoder.1.0.weight", "decoder.1.0.bias"}


def test_the_four_verbs_go_through_all_layers_and_back(rng):
    x = rng.random((30, 6), dtype=np.float32)
    model = StackedAutoencoder([6, 5, 3], rng=0)
    first, second = model.layers
    code = model.encode(x)
    np.testing.assert_array_equal(code, second.encode(first.encode(x)))
    np.testing.assert_array_equal(model.decode(code), first.decode(second.decode(code)))
    np.testing.assert_array_equal(model.reconstruct(x), model.decode(code))
    np.testing.assert_array_equal(model.features(x), code)
    np.testing.assert_array_equal(model.features(x, 1), first.encode(x))
    model.remember_codes(x)
    assert model.sample(4, 0).shape == (4, 6) and 0 <= model.sample(4, 0).min() <= model.sample(4, 0).max() <= 1


def test_fine_tuning_the_network_changes_the_model_itself(rng):
    x, y = rng.random((60, 6), dtype=np.float32), rng.integers(0, 3, 60)
    model, classifier = StackedAutoencoder([6, 5, 4], rng=0), nn.Linear(4, 3, rng=0)
    network = model.network(classifier)
    logits = network(md.Tensor(x)).numpy()
    np.testing.assert_array_equal(logits, classifier(md.Tensor(model.features(x))).numpy())
    before = model.features(x)
    training.fit(network, data.Loader(x, y, batch_size=20, rng=rng, classes=3),
                 optim.Adam(network.parameters(), lr=0.01), loss=lambda network, x, y: nn.cross_entropy(network(x), y),
                 epochs=2, progress=False)
    assert not np.allclose(model.features(x), before) and len(network.parameters()) == 6


def test_an_interrupted_pretraining_goes_on_where_it_stopped(rng, tmp_path):
    x = rng.random((40, 6), dtype=np.float32)

    def fitted(model, stop_at=None):
        def fit_layer(layer, target):
            number = model.layers.index(layer) + 1
            if number == stop_at:
                raise KeyboardInterrupt
            return a_little_training(layer, target, tmp_path / f"{stop_at is not None}-{number}.npz")
        model.pretrain(x, fit_layer)
        return model

    unbroken = fitted(StackedAutoencoder([6, 5, 4], rng=0))
    with pytest.raises(KeyboardInterrupt):
        fitted(StackedAutoencoder([6, 5, 4], rng=0), stop_at=2)
    resumed = fitted(StackedAutoencoder([6, 5, 4], rng=0), stop_at=3)
    np.testing.assert_array_equal(unbroken.features(x), resumed.features(x))


def test_a_model_on_a_device_is_pretrained_with_rows_from_the_host(rng):
    x = rng.random((20, 6), dtype=np.float32)
    here, there = StackedAutoencoder([6, 4, 3], rng=0), StackedAutoencoder([6, 4, 3], rng=0)
    there.to(install())
    for model, rows in ((here, x), (there, install().put(x))):
        targets = []
        model.pretrain(rows, lambda layer, target, targets=targets: targets.append(target))
        assert [type(target) for target in targets] == [np.ndarray] * 2
    np.testing.assert_array_equal(here.features(x), md.Tensor(there.features(install().put(x))).numpy())


def test_settings_reach_every_layer_and_the_repr_names_the_sizes():
    model = StackedAutoencoder([6, 5, 4], rng=0, rho=0.2, beta=0.5, penalty="l1", output="linear")
    assert [(layer.rho, layer.beta, layer.penalty) for layer in model.layers] == [(0.2, 0.5, "l1")] * 2
    assert "StackedAutoencoder(6-5-4, penalty='l1')" in repr(model)


@pytest.mark.parametrize("x, sentence", [
    (np.zeros((50, 7), np.float32), r"expected rows of 6 numbers, x has shape \(50, 7\)"),
    (np.zeros(6, np.float32), "expected rows of 6 numbers"),
    (np.zeros((4, 6), np.float32), "4 rows are fewer than the 5 units of a layer"),
    (np.full((50, 6), np.nan, np.float32), "values that are not finite")])
def test_data_that_do_not_fit_get_a_sentence_before_anything_is_trained(x, sentence):
    def fit_layer(layer, target):
        raise AssertionError("trained")

    with pytest.raises(md.InputError, match=sentence):
        StackedAutoencoder([6, 5, 4], rng=0).pretrain(x, fit_layer)


def test_sizes_without_a_layer_get_a_sentence():
    with pytest.raises(md.InputError, match=r"such as \[784, 196, 196\], not \[5\]"):
        StackedAutoencoder([5], rng=0)
    with pytest.raises(md.InputError, match="between 0 and 1"):
        StackedAutoencoder([5, 4], rng=0, rho=2.0)
