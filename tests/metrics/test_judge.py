"""Judges: trained by one command, the same each time, kept with their checksum, and other people's plugged in."""
from dataclasses import replace

import numpy as np
import pytest

import minidl as md
from minidl import InputError, data, nn, training
from minidl.metrics import Judge, classifier, classifier_score, judge, load_judge, save_judge, train_judge
from tests.standin.device import install

RNG = np.random.default_rng(0)
DIGITS = data.load("digits")
FEW = replace(DIGITS, x_train=DIGITS.x_train[:200], y_train=DIGITS.y_train[:200])
IMAGES = RNG.random((7, 8, 8, 1), np.float32)


@pytest.fixture(scope="module")
def trained():
    return train_judge(FEW, epochs=2, progress=False)


def test_one_command_trains_a_judge_and_writes_it_with_its_accuracy_and_checksum(tmp_path, capsys):
    path = tmp_path / "judge.npz"
    assert judge.main(["digits", "--out", str(path), "--epochs", "3"]) == 0
    found = load_judge(path)
    assert f"{found}\nin {path}" in capsys.readouterr().out
    right = (found.log_probabilities(DIGITS.x_test).argmax(1) == DIGITS.y_test).mean()
    assert found.accuracy == right > 0.9
    assert str(found) == f"a classifier of digits, right on {100 * right:.2f} % of its test images, weights " \
                         f"{found.checksum}"


def test_the_same_seed_gives_the_same_weights_and_another_one_others(trained):
    again, other = (train_judge(FEW, epochs=2, rng=seed, progress=False) for seed in (0, 1))
    assert again.checksum == trained.checksum != other.checksum and len(other.checksum) == 12
    assert np.array_equal(again.features(IMAGES), trained.features(IMAGES))


def test_features_are_the_layer_before_the_last_and_probabilities_add_up_whatever_the_block(trained, monkeypatch):
    layers = trained.classifier
    with md.no_grad():
        logits = layers(md.Tensor(IMAGES)).numpy().astype(np.float64)
        features = layers[:-1](md.Tensor(IMAGES)).numpy()
    monkeypatch.setattr("minidl.metrics.classifier.BATCH", 3)
    assert np.allclose(trained.features(IMAGES), features, atol=1e-5) and features.shape == (7, 64)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.allclose(trained.probabilities(IMAGES), expected, atol=1e-6)
    assert np.allclose(trained.probabilities(IMAGES).sum(1), 1, atol=1e-12)
    assert trained.log_probabilities(IMAGES).dtype == np.float64
    assert np.isfinite(Judge(lambda x: 1e4 * logits[:3], features=len, name="sure").log_probabilities(IMAGES[:3])).all()


def test_a_judge_that_was_written_comes_back_and_a_changed_file_is_refused(trained, tmp_path):
    path = save_judge(tmp_path / "judge.npz", trained)
    found = load_judge(path)
    assert str(found) == str(trained) and np.array_equal(found.features(IMAGES), trained.features(IMAGES))
    assert load_judge(save_judge(tmp_path / "again.npz", found)).checksum == found.checksum
    state = trained.state_dict()
    state["network"]["7.bias"][0] += 1e-3
    training.save(path, {"judge": type("Part", (), {"state_dict": lambda self: state,
                                                    "load_state_dict": lambda self, state: None})()})
    with pytest.raises(InputError, match=r"holds no judge \(InputError: its weights have the checksum"):
        load_judge(path)


def test_somebody_elses_network_is_plugged_in_as_a_function_of_arrays():
    weights = RNG.random((64, 10))
    judge = Judge(lambda x: x.reshape(len(x), -1) @ weights, features=lambda x: x[:, :2, :2], name="theirs")
    assert judge.features(IMAGES).shape == (7, 4) and str(judge) == "theirs" and judge.checksum == ""
    assert classifier_score(judge.probabilities(md.Tensor(IMAGES))).mean >= 1.0
    with pytest.raises(InputError, match="takes a judge that train_judge made"):
        save_judge("somewhere.npz", judge)


def test_a_judge_on_a_device_says_the_same_of_images_from_anywhere(trained):
    device, network = install(), classifier.network((8, 8, 1), 10, rng=1)
    network.load_state_dict(trained.classifier.state_dict())
    there = Judge(network.to(device), name="there")
    assert there.checksum == trained.checksum
    for images in (IMAGES, device.put(IMAGES)):
        for verb in ("features", "probabilities"):
            found = device.backend.to_host(getattr(there, verb)(images))
            assert np.allclose(found, getattr(trained, verb)(IMAGES), atol=1e-6)
            assert np.allclose(getattr(trained, verb)(device.put(IMAGES)), found, atol=1e-6)


@pytest.mark.parametrize("call, sentence", [
    (lambda: Judge(nn.ReLU(), name="a"), "an nn.Sequential needs no features="),
    (lambda: Judge(len, name=3, features=len), "name is a text"),
    (lambda: Judge(len, name="a", features=len).features(np.ones(3)), "takes images"),
    (lambda: train_judge("freyfaces"), "freyfaces"), (lambda: train_judge("digits", epochs=0), "epochs"),
    (lambda: train_judge(DIGITS.flat()), r"images \(H, W, C\) whose sides are multiples of 4, not"),
    (lambda: load_judge("nowhere.npz"), "there is no checkpoint nowhere.npz")])
def test_what_does_not_fit_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_the_command_says_what_is_wrong(capsys, tmp_path):
    assert judge.main(["nothing", "--out", str(tmp_path / "x.npz")]) == 2
    assert capsys.readouterr().err.startswith("minidl: ")
