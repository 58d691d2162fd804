"""Directed nets against sums over all of their states; explaining away, complementary priors, and slide 109's nets."""
import itertools

import numpy as np
import pytest

import minidl as md
from minidl import InputError, optim, training
from minidl.data import Loader
from minidl.energy import RBM, DeepBeliefNet, Gaussian, SigmoidBeliefNet, log_likelihood, log_partition, narrow_net
from minidl.energy.belief_net import tied_net
from tests.standin.device import install


def bits(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def net_of(*sizes, seed=0):
    net, rng = SigmoidBeliefNet(sizes, rng=seed, sd=1.5).astype("float64"), np.random.default_rng(seed)
    for b in net.b:
        b.data[...] = rng.normal(size=b.shape)
    return net


def machine(D, H, seed=0, sd=0.8):
    rbm, rng = RBM(D, H, rng=seed, sd=sd).astype("float64"), np.random.default_rng(seed)
    for p in rbm.b, rbm.c:
        p.data[...] = rng.normal(size=p.shape)
    return rbm


def joint(net):
    """P of every state of all layers together, by multiplying the units' probabilities, and the states."""
    s = bits(sum(net.sizes))
    layers = np.split(s, np.cumsum(net.sizes)[:-1], axis=1)
    p = np.ones(len(s))
    for depth, rows in enumerate(layers):
        field = np.zeros_like(rows) + net.b[depth].data
        if depth + 1 < len(layers):
            field += layers[depth + 1] @ net.W[depth].data.T
        on = 1 / (1 + np.exp(-field))
        p *= np.where(rows == 1, on, 1 - on).prod(1)
    return p, layers


@pytest.mark.parametrize("sizes", [(3, 2), (2, 3, 2), (3, 2, 1, 3)], ids=str)
def test_marginals_and_posteriors_are_sums_over_all_states(sizes):
    net = net_of(*sizes)
    p, layers = joint(net)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert np.allclose(net.log_joint(*layers), np.log(p), atol=1e-10)
    for depth, rows in enumerate(layers):
        place = (rows @ 2**np.arange(sizes[depth] - 1, -1, -1)).astype(int)
        assert np.allclose(np.exp(net.log_marginal(depth)), np.bincount(place, p), atol=1e-10)
    v = bits(sizes[0])
    by_v = p.reshape(len(v), -1)
    assert np.allclose(net.log_likelihood(v), np.log(by_v.sum(1)), atol=1e-10)
    assert np.allclose(net.posterior(v), by_v / by_v.sum(1, keepdims=True), atol=1e-10)
    assert np.allclose(net.encode(v), net.posterior(v) @ bits(sum(sizes[1:]))[:, -sizes[-1]:], atol=1e-10)


def test_more_rows_than_a_block_have_the_likelihood_of_each():
    net, v = net_of(3, 2), np.tile(bits(3), (20, 1))
    assert np.array_equal(net.log_likelihood(v), np.tile(net.log_likelihood(bits(3)), 20))


def test_draws_have_the_distribution_of_enumeration():
    net = net_of(2, 3, 2)
    p, _ = joint(net)
    drawn = np.concatenate(net.draw(40_000, 0), 1)
    seen = np.bincount((drawn @ 2**np.arange(6, -1, -1)).astype(int), minlength=128) / len(drawn)
    assert np.abs(seen - p).max() < 5 * np.sqrt(p.max() / len(drawn))
    assert np.abs(net.sample(40_000, 0).mean(0) - bits(2).T @ np.exp(net.log_marginal())).max() < 0.01


def test_the_gradient_of_the_loss_agrees_with_finite_differences():
    net, v = net_of(3, 2, 2), bits(3)[[1, 1, 4, 7]]
    net.loss(v).backward()
    for p in net.parameters():
        for place in np.ndindex(p.shape):
            kept, values = p.data[place], []
            for step in 1e-5, -1e-5:
                p.data[place] = kept + step
                values.append(-net.log_likelihood(v).mean())
            p.data[place] = kept
            assert p.grad.data[place] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-8)


def test_it_learns_a_distribution_by_the_exact_gradient():
    v = np.repeat(bits(3)[[0, 3, 5, 6]], 8, 0)                              # even parity: no two bits know of it
    net = SigmoidBeliefNet([3, 4], rng=0, sd=1.0)
    training.fit(net, Loader(v, batch_size=32, shuffle=False), optim.Adam(net.parameters(), lr=0.1), epochs=300,
                 progress=False)
    assert net.loss(v).item() < np.log(4) + 0.05


def test_independent_causes_are_not_so_once_their_effect_is_seen():
    """Slide 105's example, in closed form: an effect with the bias -20 and two causes with -10, the weights 20."""
    net = SigmoidBeliefNet([1, 2], rng=0, sd=0.0).astype("float64")
    net.W[0].data[...], net.b[0].data[...], net.b[1].data[...] = 20.0, -20.0, -10.0
    a, none, half, all_of_it = 1 / (1 + np.exp(10)), 1 / (1 + np.exp(20)), 0.5, 1 / (1 + np.exp(-20))
    weights = np.array([(1 - a)**2 * none, a * (1 - a) * half, a * (1 - a) * half, a * a * all_of_it])
    p = net.posterior(np.ones((1, 1)))[0]
    assert np.allclose(p, weights / weights.sum(), atol=1e-12)
    assert np.allclose(np.exp(net.log_marginal(1)), [(1 - a)**2, a * (1 - a), a * (1 - a), a * a], atol=1e-12)
    assert p[3] / (p[1] + p[3]) < 1e-4 < 0.4 < p[2] + p[3]                  # P(A | B, C) and P(A | C)


@pytest.mark.parametrize("D, H", [(4, 3), (3, 4)])
def test_a_deep_tied_net_approaches_the_machine_as_fast_as_its_chain_mixes(D, H):
    """Slide 106: the error falls by the second eigenvalue of the machine's Gibbs chain, for each two layers."""
    rbm = machine(D, H, sd=2.0)
    p = np.exp(log_likelihood(rbm, bits(D), log_partition(rbm)))
    off = [np.abs(np.exp(tied_net(rbm, depth).log_marginal()) - p).sum() / 2 for depth in range(0, 61, 2)[1:]]
    h_of_v, v_of_h = rbm.propup(bits(D)), rbm.propdown(bits(H))
    up = np.exp(np.log(h_of_v) @ bits(H).T + np.log(1 - h_of_v) @ (1 - bits(H)).T)
    down = np.exp(np.log(v_of_h) @ bits(D).T + np.log(1 - v_of_h) @ (1 - bits(D)).T)
    second = np.sort(np.abs(np.linalg.eigvals(up @ down)))[-2]
    assert 0.3 < second < 0.9 and off[-1] < 1e-4
    middle = next(i for i, error in enumerate(off) if error < 1e-4)
    assert off[middle + 3] / off[middle + 2] == pytest.approx(second, rel=0.01)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_tied_net_whose_top_is_the_machine_is_the_machine(depth):
    rbm = machine(4, 3)
    net = DeepBeliefNet([4, 3], rng=0)
    net.layers = [rbm]
    for i in range(depth):
        net.add([4, 3][i % 2], mirrored=True, rng=0)
    log_z = log_partition(rbm)
    assert np.allclose(net.log_likelihood(bits(4), log_z), log_likelihood(rbm, bits(4), log_z), atol=1e-8)
    assert np.allclose(net.exact_bound(bits(4), log_z), log_likelihood(rbm, bits(4), log_z), atol=1e-8)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_deep_narrow_nets_have_any_distribution(n):
    rng = np.random.default_rng(n)
    zeros = np.eye(2**n)[[0, -1]]
    for p in [*rng.dirichlet(np.ones(2**n), 3), *rng.dirichlet(np.full(2**n, 0.1), 3), *zeros, zeros.mean(0)]:
        net = narrow_net(p)
        assert net.sizes == [n] + [n + 1] * (2**n - 1)
        assert np.abs(np.exp(net.log_marginal()) - p).sum() / 2 < 1e-10
    loose = [np.abs(np.exp(narrow_net(p, strength=s).log_marginal()) - p).sum() / 2 for s in (5.0, 10.0, 15.0)]
    assert loose[1] / loose[0] < 0.02 and loose[2] / loose[1] < 0.02        # exp(-5) = .007


def test_a_device_has_the_states_and_sums_of_the_host():
    device, (here, there) = install(), (net_of(3, 2, 2), net_of(3, 2, 2))
    there.to(device)
    host = lambda x: md.Tensor(x).numpy()
    v = device.put(bits(3))
    for one, other in zip(here.draw(9, 0), there.draw(9, 0), strict=True):
        assert np.array_equal(one, host(other))
    assert np.allclose(here.log_marginal(1), host(there.log_marginal(1)))
    assert np.allclose(here.posterior(bits(3)), host(there.posterior(v)))
    assert there.loss(v).item() == pytest.approx(here.loss(bits(3)).item())
    assert np.allclose(host(tied_net(machine(3, 2).to(device), 3).log_marginal()),
                       tied_net(machine(3, 2), 3).log_marginal())


@pytest.mark.parametrize("call, sentence", [
    (lambda: SigmoidBeliefNet([3], rng=0), r"sizes are the visible units, then .* such as \[1, 2\], not \[3\]"),
    (lambda: SigmoidBeliefNet([3, 0], rng=0), "a number of units is a whole number of at least 1, not 0"),
    (lambda: SigmoidBeliefNet([3, 2], rng=None), "rng is an int of 0 or more"),
    (lambda: net_of(3, 2).log_joint(bits(3)), "this net has 2 layers, not 1"),
    (lambda: net_of(3, 2).log_joint(bits(3), bits(2)), r"as many of each, not \[8, 4\]"),
    (lambda: net_of(3, 2).log_likelihood(bits(3) + 1), r"probabilities in \[0, 1\]"),
    (lambda: net_of(3, 2).log_likelihood(bits(2)), "takes rows of 3 numbers"),
    (lambda: net_of(3, 2).log_marginal(2), "depth is below 2, not 2"),
    (lambda: net_of(3, 40).log_likelihood(bits(3)), r"40 units have 2\^40 states, which would take"),
    (lambda: net_of(3, 9, 9).log_marginal(), "18 units have"),
    (lambda: net_of(3, 9, 9).posterior(bits(3)), "18 units have"),
    (lambda: tied_net(RBM(Gaussian(3), 2, rng=0), 2), r"of binary units, not of Gaussian\(3\) and Bernoulli\(2\)"),
    (lambda: narrow_net([0.5, 0.4, 0.1]), "probabilities of 2, 4, 8, .* which sum to 1, not"),
    (lambda: narrow_net([0.5, 0.4]), "which sum to 1, not"),
    (lambda: narrow_net([0.5, 0.5], strength=0.0), "strength is a finite number above 0"),
])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
