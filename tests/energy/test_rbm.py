"""Restricted machines of every kind of units, against sums over all their states and slide 96's formulas."""
import itertools

import numpy as np
import pytest

import minidl as md
from minidl import InputError
from minidl.energy import RBM, BoltzmannMachine, Gaussian, GibbsChains, Softmax, TemperedChains, complete
from minidl.energy.units import Bernoulli, Joint
from minidl.randomness import RandomStream
from tests.standin.device import install


def made(visible, hidden, seed=0, sd=1.0):
    rbm, rng = RBM(visible, hidden, rng=seed, sd=sd).astype("float64"), np.random.default_rng(seed + 1)
    for p in rbm.b, rbm.c:
        p.data[...] = rng.normal(size=p.shape)
    return rbm


def bits(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def counts(n, total):
    return np.array([c for c in itertools.product(range(total + 1), repeat=n) if sum(c) == total], float)


V, H = bits(4), bits(3)


def test_the_energy_is_slide_96s_and_that_of_a_boltzmann_machine_without_weights_within_a_layer():
    rbm, whole = made(4, 3), BoltzmannMachine(4, 3, rng=0).astype("float64")
    whole.W.data[...] = 0
    whole.W.data[:4, 4:], whole.b.data[...] = rbm.W.data, np.concatenate([rbm.b.data, rbm.c.data])
    v, h = np.repeat(V, 8, 0), np.tile(H, (16, 1))
    assert np.allclose(rbm.energy(v, h), whole.energy(np.concatenate([v, h], 1)), atol=1e-12)
    assert np.allclose(rbm.free_energy(V), whole.free_energy(V), atol=1e-10)


KINDS = {"binary": (4, V), "label": ([2, Softmax(3)], np.array([[*v, *k] for v in bits(2) for k in np.eye(3)])),
         "replicated label": ([1, Softmax(3, replicas=2)], np.array([[*v, *k] for v in bits(1) for k in counts(3, 2)]))}
kinds = pytest.mark.parametrize("visible, v", KINDS.values(), ids=KINDS)


@kinds
def test_free_energy_and_conditionals_are_the_sums_over_all_states(visible, v):
    rbm = made(visible, 3)
    ways = np.exp(-np.broadcast_to(rbm.visible.own(v), len(v)))
    energy = rbm.energy(np.repeat(v, 8, 0), np.tile(H, (len(v), 1))).reshape(len(v), 8)
    p = np.exp(-energy)
    assert np.allclose(rbm.free_energy(v), -np.log(p.sum(1)), atol=1e-10)
    assert np.allclose(rbm.propup(v), p @ H / p.sum(1, keepdims=True), atol=1e-10)
    assert np.allclose(rbm.propdown(H), (p.T @ v) / p.sum(0)[:, None], atol=1e-10)
    given = np.log((ways[:, None] * np.exp(v @ rbm.down(H).T)).sum(0))
    assert np.allclose(rbm.visible.log_partition(rbm.down(H)), given, atol=1e-10)
    assert np.allclose(rbm.hidden.rise(rbm.up(v), 0.3, 0.4),
                       rbm.hidden.log_partition(0.4 * rbm.up(v)) - rbm.hidden.log_partition(0.3 * rbm.up(v)))


def test_replicas_are_so_many_units_with_the_same_weights():
    """The counts of r units drawn apart: the sum over r single units' states gives the same numbers."""
    field = np.array([0.3, -1.0, 0.5])
    total = sum(np.exp(sum(field[i] for i in which)) for which in itertools.product(range(3), repeat=4))
    units = Softmax(3, replicas=4)
    states = counts(3, 4)
    assert units.log_partition(field) == pytest.approx(np.log(total), abs=1e-12)
    assert np.log(np.exp(states @ field - units.own(states)).sum()) == pytest.approx(np.log(total), abs=1e-12)


def test_gaussian_units_free_energy_is_the_integral():
    rbm = made(Gaussian(1), 2, sd=0.5)
    v, step = np.linspace(-12, 12, 24_001)[:, None], 1e-3
    h = bits(2)
    weights = np.exp(-rbm.energy(np.repeat(v, 4, 0), np.tile(h, (len(v), 1))).reshape(-1, 4))
    assert np.log(weights.sum() * step) == pytest.approx(
        np.log(np.exp(rbm.visible.log_partition(rbm.down(h)) + h @ rbm.c.data).sum()), abs=1e-8)
    assert np.log(np.exp(-rbm.free_energy(v)).sum() * step) == pytest.approx(np.log(weights.sum() * step), abs=1e-8)
    assert np.allclose(rbm.propdown(h)[:, 0], (weights * v).sum(0) / weights.sum(0), atol=1e-8)
    turned = RBM(2, Gaussian(1), rng=0).astype("float64")
    turned.W.data[...], turned.b.data[...], turned.c.data[...] = rbm.W.data.T, rbm.c.data, rbm.b.data
    assert np.allclose(turned.free_energy(h), -np.log(weights.sum(0) * step), atol=1e-8)


def test_one_row_is_encoded_as_among_others():
    x = np.random.default_rng(0).normal(size=(5, 3))
    rbm = made(Gaussian(3), 4)
    assert np.allclose(rbm.encode(x)[2:3], rbm.encode(x[2:3]), rtol=1e-12)


@pytest.mark.parametrize("visible, hidden", [(5, 4), (Gaussian(5), 4), ([3, Softmax(2)], 4), (5, Gaussian(4))], ids=str)
def test_free_energys_gradients_agree_with_finite_differences(visible, hidden):
    rbm = made(visible, hidden, sd=0.3)
    v = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 1, 0]], float)
    tensors = [p.data.copy() for p in (rbm.W, rbm.b, rbm.c)]

    def free(W, b, c):
        rbm.W, rbm.b, rbm.c = W, b, c
        return rbm.free_energy(md.Tensor(v)).mean()

    md.gradcheck(free, *tensors, order=2)


def test_float32_has_float32s_precision_for_many_units():
    rbm = RBM(784, 500, rng=0, sd=0.05)
    v = (np.random.default_rng(0).random((20, 784)) < 0.2).astype(np.float32)
    exact = RBM(784, 500, rng=0, sd=0.05).astype("float64").free_energy(v.astype(np.float64))
    assert np.allclose(rbm.free_energy(v), exact, rtol=3e-6)
    assert np.allclose(rbm.free_energy(md.Tensor(v)).data, exact, rtol=3e-6)
    far = np.array([[-200.0, 0.0, 200.0, 88.0]], np.float32)
    assert np.allclose(Bernoulli(4).log_partition(far), 288 + np.log(2), rtol=1e-6)


def drawn(draw, n, p):
    counted = np.unique(draw, axis=0, return_counts=True)[1]
    return ((counted - n * p)**2 / (n * p)).sum()


@pytest.mark.parametrize("chains", ["gibbs", "tempered"])
def test_chains_draw_each_state_as_often_as_its_probability_says(chains):
    rbm, n = made(3, 2, sd=1.5), 30_000
    v = bits(3)
    p = np.exp(-rbm.free_energy(v))
    made_of = GibbsChains(rbm, n, rng=0) if chains == "gibbs" else TemperedChains(rbm, n, betas=3, rng=0)
    states, means = made_of.advance(rbm, 40)
    assert drawn(states, n, p / p.sum()) < 24.3                                # chi-squared, 7 degrees: once in 1000
    assert np.allclose(means, rbm.propup(states))
    if chains == "tempered":
        assert 0.1 < made_of.swapped < 1
        hot = np.unique(made_of.v.data[0], axis=0, return_counts=True)[1]      # beta 0: fair coins
        assert ((hot - n / 8)**2 / (n / 8)).sum() < 24.3


def test_tempering_crosses_a_wall_that_gibbs_sampling_does_not():
    """Two valleys far apart, all zeros and all ones, as likely: chains that begin in one must find the other."""
    rbm = RBM(12, 1, rng=0).astype("float64")
    rbm.W.data[...], rbm.b.data[...], rbm.c.data[...] = 12.0, -6.0, -72.0
    plain = GibbsChains(rbm, v=np.zeros((200, 12)), rng=0)
    assert plain.advance(rbm, 100)[0].mean() < 0.05
    tempered = TemperedChains(rbm, 200, betas=15, rng=0)
    tempered.v.data[...] = 0
    assert abs(tempered.advance(rbm, 400)[0].mean() - 0.5) < 0.15


def test_softmax_units_are_drawn_with_their_probabilities():
    p, n = np.array([0.1, 0.6, 0.3]), 30_000
    one = Softmax(3).draw(np.tile(p, (n, 1)), RandomStream(0))
    assert set(one.sum(1)) == {1.0} and ((one.sum(0) - n * p)**2 / (n * p)).sum() < 13.8        # 2 degrees
    several = Softmax(3, replicas=5).draw(np.tile(5 * p, (n, 1)), RandomStream(0))
    assert set(several.sum(1)) == {5.0} and np.abs(several.mean(0) - 5 * p).max() < 5 * np.sqrt(5 * 0.25 / n)


def test_biases_of_data_give_the_means_of_data():
    x = np.concatenate([bits(2), np.eye(4)], 1)[:, [0, 1, 2, 3, 4, 5]][:4].repeat(1000, 0)
    rbm = RBM([2, Softmax(4)], 3, rng=0, sd=0.0).set_biases(x)
    assert np.allclose(rbm.propdown(np.zeros((1, 3)))[0], x.mean(0), atol=1e-3)


def test_completion_draws_the_unknown_from_their_conditional_distribution():
    rbm, n = made(4, 3), 20_000
    p = np.exp(-rbm.free_energy(V))
    held = p * (V[:, :2] == [1, 0]).all(1)
    known = np.array([True, True, False, False])
    filled = complete(rbm, np.tile([1.0, 0.0, 9.0, np.nan], (n, 1)), known, steps=40, rng=0)
    assert (filled[:, :2] == [1, 0]).all()
    assert np.allclose(filled.mean(0), held @ V / held.sum(), atol=5 * 0.5 / np.sqrt(n))


@pytest.mark.parametrize("replicas", [1, 2])
def test_classification_by_free_energy_is_bayes_rule_over_all_states(replicas):
    rbm = made([3, Softmax(3, replicas)], 2)
    x = bits(3)
    labelled = [np.concatenate([x, np.tile(replicas * k, (8, 1))], 1) for k in np.eye(3)]
    p = np.exp(-np.stack([rbm.free_energy(rows) for rows in labelled], 1))
    assert np.allclose(rbm.predict_proba(x), p / p.sum(1, keepdims=True), atol=1e-10)
    assert np.array_equal(rbm.predict(x), p.argmax(1))


def test_a_device_samples_and_completes():
    device, known = install(), np.arange(5) < 3
    rbm = RBM([3, Softmax(2)], 4, rng=0, sd=1.0)
    x = np.array([[0, 1, 1, 0, 1], [1, 0, 1, 1, 0]], np.float32)
    here = rbm.sample(3, 0, steps=5), rbm.free_energy(x), rbm.predict_proba(x[:, :3])
    rbm.to(device)
    there = rbm.sample(3, 0, steps=5), rbm.free_energy(device.put(x)), rbm.predict_proba(device.put(x[:, :3]))
    for a, b in zip(here, there, strict=True):
        assert type(b) is type(rbm.b.data) and np.allclose(a, md.Tensor(b).numpy(), atol=1e-5)
    filled = complete(rbm, device.put(x), known, steps=4, rng=0)
    assert np.array_equal(md.Tensor(filled).numpy()[:, :3], x[:, :3])
    for chains in GibbsChains(rbm, 3, rng=0), TemperedChains(rbm, 3, betas=[0.2, 0.5, 1.0], rng=0):
        v, p = chains.advance(rbm, 2)
        assert type(v) is type(p) is type(rbm.b.data) and v.shape == (3, 5) and p.shape == (3, 4)
    assert rbm.set_biases(device.put(x)).b.shape == (5,)


@pytest.mark.parametrize("call, sentence", [
    (lambda: RBM(0, 3, rng=0), "a number of units is a whole number of at least 1, not 0"),
    (lambda: RBM(3, 3, rng=None), "rng is an int of 0 or more"),
    (lambda: Joint(3), "takes units, as Joint"),
    (lambda: made(4, 3).free_energy(V[:, :3]), r"takes rows of 4 numbers, x has shape \(16, 3\)"),
    (lambda: made(4, 3).set_biases(V - 1), r"probabilities in \[0, 1\], these go from -1 to 0"),
    (lambda: made(4, 3).set_biases(V * np.nan), r"probabilities in \[0, 1\]"),
    (lambda: made(Gaussian(4), 3).set_biases(V + np.inf), "not finite"),
    (lambda: made([2, Softmax(2)], 3).set_biases(V), "counts that sum to 1 in each row"),
    (lambda: made(4, 3).predict_proba(V), "a machine that classifies has label units"),
    (lambda: GibbsChains(made(4, 3), 5, rng=0).advance(made(4, 2)), "its chains have 4 visible and 3 hidden units, th"),
    (lambda: TemperedChains(made(4, 3), betas=[0.0, 0.5], rng=0), "that rise from 0 or more to 1"),
    (lambda: complete(made(4, 3), V, [True], rng=0), r"known is true or false for each of the 4 numbers"),
])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
