"""Greedy layerwise training: what each machine learns, that the bound rises, and trainings that are broken off."""
import numpy as np
import pytest

from minidl import InputError
from minidl.energy import RBM, DeepBeliefNet, Gaussian, TemperedChains, log_partition, pretrain
from tests.standin.device import install

# Two causes, each the reason of three of six bits.
CAUSES = np.random.default_rng(0).random((60, 2)) < [0.5, 0.3]
X = (np.random.default_rng(1).random((60, 6)) < 0.1 + 0.8 * CAUSES.repeat(3, 1)).astype(np.float32)
LABELS = (CAUSES @ [1, 2]).astype(int)


def numbers(net):
    return {name: value.tobytes() for name, value in net.state_dict().items()}


def trained(net=None, path=None, labels=None, **more):
    net = net or DeepBeliefNet([6, 5, 4, 3], labels=4 if labels is not None else None, rng=0)
    options = {"epochs": [2, 3, 2], "lr": 0.1, "momentum": 0.5, "weight_cost": 1e-3, "batch_size": 25, "rng": 1,
               "checkpoint": path, "progress": False} | more
    return net, pretrain(net, X, labels, **options)


@pytest.mark.parametrize("labels, more", [(None, {}), (None, {"states": True, "chains": 7, "centred": True}),
                                          (LABELS, {"states": True})], ids=["means", "states and chains", "labels"])
def test_a_training_killed_after_any_save_of_any_machine_ends_like_the_unbroken_one(labels, more, tmp_path,
                                                                                   killed_after):
    unbroken, histories = trained(labels=labels, **more)
    saves = 0
    while True:
        path = tmp_path / f"{saves}.npz"
        with killed_after(saves + 1) as died:
            trained(path=path, labels=labels, **more)
        if not died:
            break
        saves += 1
        resumed, again = trained(path=path, labels=labels, **more)
        assert numbers(resumed) == numbers(unbroken)
        assert [history.active for history in again] == [history.active for history in histories]
    assert saves >= 7                                                     # after each epoch of each machine
    assert sorted(file.name for file in tmp_path.glob("0-*")) == [f"0-layer-{i}.npz" for i in (1, 2, 3)]


def test_machines_learn_one_after_the_other_what_the_one_below_makes_of_the_data():
    net, histories = trained()
    assert [len(history.active) for history in histories] == [2, 3, 2]
    alone = DeepBeliefNet([6, 5], rng=0)
    alone.layers[0].load_state_dict(DeepBeliefNet([6, 5, 4, 3], rng=0).layers[0].state_dict())
    trained(alone, epochs=2)
    assert numbers(alone.layers[0]) == numbers(net.layers[0])
    before = numbers(net.layers[0])
    top = net.layers[1].state_dict()
    trained(net, first=1)
    assert numbers(net.layers[0]) == before
    assert not np.array_equal(net.layers[1].state_dict()["W"], top["W"])


def test_who_watches_sees_each_machine_to_its_end():
    seen = []
    trained(watch=seen.append)
    assert [(now.epoch, now.epochs) for now in seen if not now.losses] == [
        (epoch, epochs) for epochs in (2, 3, 2) for epoch in range(1, epochs + 1)]


def test_a_fresh_machine_begins_with_the_biases_of_what_it_learns_and_a_mirrored_one_as_it_was_made():
    net, _ = trained(lr=0.0, epochs=1)
    assert np.allclose(net.layers[0].propdown(np.zeros((1, 5), np.float32)), (X.sum(0) + 1) / 62, atol=1e-6)
    assert np.allclose(net.layers[1].b.data, RBM(5, 4, rng=0).set_biases(net.features(X, 1)).b.data)
    net = DeepBeliefNet([6, 5], rng=0)
    trained(net, epochs=3)
    net.add(6, mirrored=True, rng=0)
    trained(net, lr=0.0, epochs=[0, 1], first=1)
    assert np.array_equal(net.top.b.data, net.layers[0].c.data)


@pytest.mark.parametrize("states", [True, False])
def test_training_a_mirrored_machine_on_top_raises_the_bound_and_the_likelihood(states):
    """Slide 108, exactly: nothing but p(h1) changes, and it comes nearer to what Q makes of the data."""
    net = DeepBeliefNet([6, 2], rng=0, sd=0.3)
    trained(net, epochs=100, lr=1.0, momentum=0.0)
    before = net.log_likelihood(X, log_partition(net.top)).mean()
    net.add(6, mirrored=True, rng=0)
    assert net.exact_bound(X, log_partition(net.top)).mean() == pytest.approx(before, abs=1e-5)
    trained(net, epochs=[0, 100], lr=0.2, momentum=0.0, first=1, states=states, k=5)
    log_z = log_partition(net.top)
    bound, exact = net.exact_bound(X, log_z).mean(), net.log_likelihood(X, log_z).mean()
    assert before + 0.02 < bound < exact


def test_with_labels_the_top_machine_learns_to_classify():
    net, _ = trained(DeepBeliefNet([6, 8, 12], labels=4, rng=0), labels=LABELS, epochs=200, lr=1.0)
    nearest = [int(row[:3].sum() > 1.5) + 2 * int(row[3:].sum() > 1.5) for row in X]
    assert (net.predict(X) == LABELS).mean() >= (np.array(nearest) == LABELS).mean() - 0.05 > 0.85


def test_a_device_learns_layer_by_layer():
    device, net = install(), DeepBeliefNet([6, 5, 4], labels=4, rng=0)
    net.to(device)
    pretrain(net, device.put(X), LABELS, epochs=[2, 1], states=True, chains=5, batch_size=25, rng=0, progress=False)
    assert net.predict_proba(device.put(X)).shape == (60, 4)


@pytest.mark.parametrize("call, sentence", [
    (lambda: pretrain(RBM(6, 4, rng=0), X, epochs=1, rng=0), "trains a DeepBeliefNet, not a RBM"),
    (lambda: trained(epochs=[1, 2]), r"epochs is one number, or one for each of the 3 machines, not \[1, 2\]"),
    (lambda: trained(epochs=-1), "epochs is a whole number of at least 1, not -1"),
    (lambda: trained(states="yes"), "states is True or False"),
    (lambda: trained(first=3), "first is below 3, the number of machines, not 3"),
    (lambda: trained(rng=None), "rng is an int of 0 or more"),
    (lambda: trained(batch_size=0), "the batch size must be a whole number of at least 1, not 0"),
    (lambda: trained(weight_cost=-1.0), "weight_cost is a finite number of at least 0"),
    (lambda: trained(k=0), "k is a whole number of at least 1"),
    (lambda: trained(chains=TemperedChains(RBM(6, 5, rng=0), 3, betas=3, rng=0)), "make chains for it"),
    (lambda: trained(DeepBeliefNet([6, 4, 3], labels=4, rng=0), epochs=1), "labels are a whole number from 0 to 3 for"),
    (lambda: trained(labels=LABELS + 1), "a whole number from 0 to 3 for each of the 60 rows"),
    (lambda: trained(labels=LABELS[:5]), "for each of the 60 rows of x"),
    (lambda: pretrain(DeepBeliefNet([6, 4], rng=0), X[:0], epochs=1, rng=0), "the number of rows of x is"),
    (lambda: pretrain(DeepBeliefNet([6, 4], rng=0), X + 1, epochs=1, rng=0), r"probabilities in \[0, 1\]"),
    (lambda: pretrain(DeepBeliefNet([Gaussian(6), 4], rng=0), X * np.nan, epochs=1, rng=0), "not finite"),
])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
