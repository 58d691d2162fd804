"""Boltzmann machines against sums that are written out, finite differences, and physics that is known exactly."""
import itertools

import numpy as np
import pytest

import minidl as md
from minidl import InputError, optim, training
from minidl.data import Loader
from minidl.energy import BoltzmannMachine, DifferenceOfStatistics, hopfield, ising, recall
from tests.standin.device import install


def machine(visible=3, hidden=2, seed=0, sd=1.0):
    made = BoltzmannMachine(visible, hidden, rng=seed, sd=sd).astype("float64")
    made.b.data[...] = np.random.default_rng(seed + 1).normal(size=visible + hidden)
    return made


def written_out(m):
    """All states of a machine and their energies, by the letter of slide 95's sum over pairs."""
    n, W, b = len(m.b), m.W.data, m.b.data
    x = np.array(list(itertools.product([0.0, 1.0], repeat=n)))
    energy = [-sum(W[i, j] * s[i] * s[j] for i in range(n) for j in range(i + 1, n)) - b @ s for s in x]
    return x, np.array(energy)


V = np.array([[0, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 0]], float)


def test_energy_partition_and_probabilities_are_the_sums_written_out():
    m = machine()
    x, energy = written_out(m)
    p = np.exp(-energy) / np.exp(-energy).sum()
    assert np.allclose(m.energy(x), energy, rtol=1e-12)
    assert m.log_partition() == pytest.approx(np.log(np.exp(-energy).sum()), abs=1e-10)
    assert np.allclose(m.probabilities(), p, atol=1e-12)
    mean, pairs = m.statistics()
    assert np.allclose(mean, p @ x) and np.allclose(pairs, np.einsum("s,si,sj->ij", p, x, x))


def test_hidden_units_are_summed_over():
    m = machine()
    x, energy = written_out(m)
    for v, free in zip(V, m.free_energy(V), strict=True):
        rows = (x[:, :3] == v).all(1)
        assert free == pytest.approx(-np.log(np.exp(-energy[rows]).sum()), abs=1e-10)
    p = np.exp(-energy)
    held = [(w := p * (x[:, :3] == v).all(1)) / w.sum() for v in V]
    mean, pairs = m.statistics(V)
    assert np.allclose(mean, np.mean(held, 0) @ x)
    assert np.allclose(pairs, np.einsum("s,si,sj->ij", np.mean(held, 0), x, x))


@pytest.mark.parametrize("hidden", [0, 2])
def test_the_gradient_of_slide_95_is_the_difference_of_statistics_the_engines_and_finite_differences(hidden):
    m = machine(hidden=hidden)
    DifferenceOfStatistics(m, exact=True)(m, V)
    by_statistics = {name: p.grad.data.copy() for name, p in m.named_parameters()}
    m.zero_grad()
    m.loss(V).backward()
    for name, p in m.named_parameters():
        assert np.allclose(p.grad.data, by_statistics[name], atol=1e-10)
        numeric, step = np.zeros(p.shape), 1e-5
        for place in np.ndindex(p.shape):
            kept = p.data[place]
            p.data[place] = kept + step
            above = m.free_energy(V).mean() + m.log_partition()
            p.data[place] = kept - step
            numeric[place] = (above - m.free_energy(V).mean() - m.log_partition()) / (2 * step)
            p.data[place] = kept
        assert np.allclose(by_statistics[name], numeric, atol=1e-8)


def test_learning_by_exact_statistics_reaches_the_moments_of_the_data():
    """At the maximum of the likelihood of a machine without hidden units, model and data agree in all x_i x_j."""
    v = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 1], [1, 0, 1], [0, 1, 0]], np.float32)
    v = np.concatenate([v, v[:3]])
    m = BoltzmannMachine(3, rng=0)
    trainer, sgd = DifferenceOfStatistics(m, exact=True), optim.SGD(m.named_parameters(), lr=1.0)

    def step(x):
        losses = trainer(m, x)
        sgd.step()
        return losses

    history = training.run(step, Loader(v, batch_size=len(v), shuffle=False), {"machine": m, "sgd": sgd}, epochs=400,
                           progress=False)
    assert history.difference[-1] < 1e-4 < history.difference[0]
    assert np.allclose(m.statistics()[1], v.T @ v / len(v), atol=1e-4)


def test_sampled_statistics_are_the_exact_ones_within_their_error():
    m = machine(sd=0.5).astype("float32")
    exact, sampled = (DifferenceOfStatistics(m, exact=e, chains=20_000, sweeps=30) for e in (True, False))
    v = np.tile(V, (5000, 1)).astype(np.float32)
    exact(m, v)
    gradients = [p.grad.data.copy() for p in m.parameters()]
    sampled(m, v)
    for p, right in zip(m.parameters(), gradients, strict=True):
        assert np.abs(p.grad.data - right).max() < 5 * 0.5 * np.sqrt(2 / 20_000)       # a bit's deviation is .5 or less


def test_gibbs_sampling_draws_each_state_as_often_as_its_probability_says():
    m, n = machine(2, 1), 40_000
    x = m.gibbs(np.zeros((n, 3)), 30, rng=0)
    counts = np.bincount((x @ [4, 2, 1]).astype(int), minlength=8)
    p = m.probabilities()
    assert (((counts - n * p)**2 / (n * p)).sum()) < 24.3                    # chi-squared, 7 degrees: once in 1000
    assert np.array_equal(m.sample(5, 3), m.sample(5, np.random.default_rng(3)))


def test_clamped_units_stay_and_the_others_follow_the_conditional():
    m, n = machine(), 40_000
    x = m.gibbs(np.tile([0.0, 1.0, 1.0, 0.0, 0.0], (n, 1)), 30, rng=0, clamp=3)
    assert (x[:, :3] == [0, 1, 1]).all()
    assert np.abs(x.mean(0) - m.statistics(V[:1])[0]).max() < 5 * 0.5 / np.sqrt(n)


def test_the_partition_function_of_an_ising_torus_is_that_of_its_spins():
    temperature, field = 2.0, 0.3
    m = ising((3, 4), temperature, field=field).astype("float64")
    s = 2.0 * np.array(list(itertools.product([0, 1], repeat=12))) - 1.0
    grid = s.reshape(-1, 3, 4)
    energy = -sum((grid * np.roll(grid, -1, axis)).sum((1, 2)) for axis in (1, 2)) - field * s.sum(1)
    p = np.exp(-energy / temperature)
    assert np.allclose(m.probabilities(), p / p.sum(), atol=1e-8)


def test_a_machine_moves_to_a_device_and_draws_there():
    m, device = machine().astype("float32"), install()
    energy, mean = m.energy(m.sample(6, 0, sweeps=0)[:, [0, 1, 2, 0, 1]]), m.statistics()[0]
    there = machine().astype("float32").to(device)
    x = there.gibbs(device.put(np.zeros((4, 5), np.float32)), 3, rng=0)
    assert type(x) is type(there.b.data) and there.sample(2, 0, sweeps=2).shape == (2, 3)
    assert there.log_partition() == pytest.approx(m.log_partition(), rel=1e-6) and len(energy) == 6
    assert np.allclose(md.Tensor(there.statistics()[0]).numpy(), mean, atol=1e-6)
    trainer = DifferenceOfStatistics(there, chains=4)
    trainer.to(device)
    assert set(trainer(there, device.put(V.astype(np.float32)))) == {"difference"}


def test_a_hopfield_net_recalls_its_patterns_from_damaged_ones_and_its_energy_never_rises():
    rng = np.random.default_rng(0)
    patterns = (rng.random((5, 100)) < 0.5).astype(np.float32)
    m = hopfield(patterns)
    damaged = np.abs(patterns - (rng.random(patterns.shape) < 0.1))
    assert np.array_equal(recall(m, damaged), patterns)
    x = rng.integers(0, 2, (20, 100)).astype(np.float32)
    energies = [m.energy(x)]
    for _ in range(5):
        x = recall(m, x, sweeps=1)
        energies.append(m.energy(x))
    assert (np.diff(energies, axis=0) <= 1e-4).all()


@pytest.mark.parametrize("call, sentence", [
    (lambda: BoltzmannMachine(0, rng=0), "visible is a whole number of at least 1, not 0"),
    (lambda: BoltzmannMachine(3, rng=None), "rng is an int of 0 or more"),
    (lambda: BoltzmannMachine(60, rng=0).log_partition(), r"60 units have 2\^60 states, which would take about .* y"),
    (lambda: machine().free_energy(V[:, :2]), r"takes rows of 3 numbers, x has shape \(4, 2\)"),
    (lambda: machine().free_energy(2 * V), r"probabilities in \[0, 1\], these go from 0 to 2"),
    (lambda: machine().free_energy(V * np.nan), r"probabilities in \[0, 1\]"),
    (lambda: DifferenceOfStatistics(machine())(machine(4), np.zeros((2, 4))), "its chains have 5 units and this mach"),
    (lambda: ising((2, 5), 1.0), "a side is a whole number of at least 3"),
    (lambda: ising((4, 4), 0.0), "temperature is a finite number above 0"),
    (lambda: hopfield([1.0, 0.0]), "patterns are rows of two or more zeros and ones"),
])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
