"""Deep belief nets against sums over all states: their distribution, slide 108's bound, and what they unroll into."""
import itertools

import numpy as np
import pytest

import minidl as md
from minidl import InputError
from minidl.energy import DeepBeliefNet, Gaussian, Softmax, ais, log_likelihood, log_partition
from tests.standin.device import install


def bits(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def net_of(*sizes, labels=None, seed=0, sd=1.0):
    net, rng = DeepBeliefNet(sizes, labels=labels, rng=seed, sd=sd).astype("float64"), np.random.default_rng(seed)
    for rbm in net.layers:
        for p in rbm.b, rbm.c:
            p.data[...] = rng.normal(size=p.shape)
    return net


def log_bernoulli(field, s):
    """log of the product over units: fields and states (..., n) -> (...)."""
    return (s * field - np.log1p(np.exp(field))).sum(-1)


def enumerated(net, untied=False):
    """Of a net v-h1-h2-h3 of binary units: log P(v, h1, h2) and log Q(h1, h2 | v), each (2^D, 2^H1, 2^H2)."""
    one, two, top = net.layers
    v, h1, h2 = (bits(rbm.visible.size) for rbm in net.layers)
    top_states = bits(top.hidden.size)
    energy = h2 @ top.b.data[:, None] + top_states @ top.c.data + h2 @ top.W.data @ top_states.T      # less E
    log_top = np.log(np.exp(energy).sum(1)) - np.log(np.exp(energy).sum())
    log_p = (log_bernoulli(h1 @ one.W.data.T + one.b.data, v[:, None])[:, :, None]
             + log_bernoulli(h2 @ two.W.data.T + two.b.data, h1[:, None])[None] + log_top)
    up = [(way.W.data, way.c.data) for way in (net.recognition if untied else net.layers[:2])]
    log_q = (log_bernoulli((v @ up[0][0] + up[0][1])[:, None], h1)[:, :, None]
             + log_bernoulli((h1 @ up[1][0] + up[1][1])[:, None], h2)[None])
    return log_p, log_q


def test_likelihood_and_bound_are_sums_over_all_states_also_with_a_way_up_of_its_own():
    net = net_of(4, 3, 2, 3)
    log_z = log_partition(net.top)
    for untied in False, True:
        if untied:
            net.untie()
            rng = np.random.default_rng(3)
            for way in net.recognition:
                way.W.data[...], way.c.data[...] = rng.normal(size=way.W.shape), rng.normal(size=way.c.shape)
        log_p, log_q = enumerated(net, untied)
        exact = np.log(np.exp(log_p).sum((1, 2)))
        bound = (np.exp(log_q) * (log_p - log_q)).sum((1, 2))
        assert np.exp(exact).sum() == pytest.approx(1, abs=1e-10)
        assert np.allclose(net.log_likelihood(bits(4), log_z), exact, atol=1e-10)
        assert np.allclose(net.exact_bound(bits(4), log_z), bound, atol=1e-10)
        assert (bound < exact - 1e-3).all()
        means = [net.lower_bound(np.tile(bits(4), (500, 1)), log_z, draws=2, rng=seed).reshape(500, 16).mean(0)
                 for seed in range(4)]
        assert np.allclose(np.mean(means, 0), bound, atol=0.1)


def test_of_one_machine_and_of_a_mirrored_one_on_top_the_bound_is_the_likelihood():
    """Slide 106's complementary prior: Q is then the true posterior, whatever is drawn from it."""
    net = net_of(4, 3)
    log_z = log_partition(net.top)
    exact = log_likelihood(net.top, bits(4), log_z)
    assert np.allclose(net.lower_bound(bits(4), log_z, rng=0), exact, atol=1e-12)
    assert np.allclose(net.exact_bound(bits(4), log_z), exact, atol=1e-12)
    for hidden in 4, 3:
        net.add(hidden, mirrored=True, rng=0)
        assert log_partition(net.top) == pytest.approx(log_z, abs=1e-10)
        assert np.allclose(net.lower_bound(bits(4), log_z, draws=1, rng=0), exact, atol=1e-8)
        assert np.allclose(net.exact_bound(bits(4), log_z), exact, atol=1e-8)
        assert np.allclose(net.log_likelihood(bits(4), log_z), exact, atol=1e-8)


def test_an_estimated_log_z_does_and_one_not_to_be_believed_is_refused():
    net = net_of(4, 3, 4)
    estimate = ais(net.top, betas=100, chains=100, rng=0)
    assert np.allclose(net.lower_bound(bits(4), estimate, rng=0),
                       net.lower_bound(bits(4), estimate.log_z, rng=0), atol=1e-12)
    with pytest.raises(InputError, match="not to be believed"):
        net.lower_bound(bits(4), estimate._replace(effective_sample_size=2.0), rng=0)


@pytest.mark.parametrize("sizes", [(4, 3), (4, 3, 2, 3)], ids=str)
def test_samples_have_the_distribution_of_enumeration(sizes):
    net = net_of(*sizes, sd=0.7)
    p = np.exp(net.log_likelihood(bits(4), log_partition(net.top)))
    means = net.sample(20_000, 0, steps=30)
    rows = np.random.default_rng(1).random(means.shape) < means
    seen = np.bincount((rows @ 2**np.arange(3, -1, -1)).astype(int), minlength=16) / len(rows)
    assert np.abs(seen - p).max() < 5 * np.sqrt(p.max() / len(rows))


def test_samples_of_a_label_have_the_distribution_given_it():
    net = net_of(3, 2, 3, labels=3, sd=0.7)
    h1, k = np.repeat(bits(2), 3, 0), np.tile(np.eye(3), (4, 1))
    weights = np.exp(-net.top.free_energy(np.concatenate([h1, k], 1))).reshape(4, 3)
    v_means = 1 / (1 + np.exp(-net.layers[0].down(bits(2))))
    for label in range(3):
        wanted = weights[:, label] / weights[:, label].sum() @ v_means
        assert np.allclose(net.sample(10_000, 0, steps=12, label=label).mean(0), wanted, atol=0.02)
    assert np.allclose(net.sample(10_000, 0, steps=12).mean(0), weights.sum(1) / weights.sum() @ v_means, atol=0.02)
    up = 1 / (1 + np.exp(-net.layers[0].up(bits(3))))
    scores = [-net.top.free_energy(np.concatenate([up, np.tile(row, (8, 1))], 1)) for row in np.eye(3)]
    assert np.allclose(net.predict_proba(bits(3)), np.exp(scores).T / np.exp(scores).sum(0)[:, None], atol=1e-10)
    assert np.array_equal(net.predict(bits(3)), np.argmax(scores, 0))


@pytest.mark.parametrize("sizes", [(5, 4, 3), (Gaussian(5), 4, Gaussian(3)), (5, 4, 3, Gaussian(2))], ids=str)
@pytest.mark.parametrize("untied", [False, True])
def test_the_autoencoder_reconstructs_as_the_net_does(sizes, untied):
    net, x = net_of(*sizes), np.random.default_rng(0).random((7, 5))
    if untied:
        net.untie()
        net.recognition[0].W.data += 0.3
    model = net.autoencoder()
    assert model.sizes == [5, *(rbm.hidden.size for rbm in net.layers)]
    assert np.allclose(model.encode(x), net.encode(x), atol=1e-12)
    assert np.allclose(model.reconstruct(x), net.reconstruct(x), atol=1e-12)
    before = net.encode(x).copy()
    for p in model.parameters():
        p.data += 1.0
    assert np.array_equal(net.encode(x), before)                           # the weights were copies


@pytest.mark.parametrize("labels", [None, 3])
def test_the_classifiers_hidden_layers_are_those_of_the_net(labels):
    net, x = net_of(5, 4, 3, labels=labels), np.random.default_rng(0).random((7, 5))
    network = net.classifier(6, rng=0)
    seen = [layer for _, layer in network.children()]
    h = md.Tensor(x)
    for layer in seen[:2]:
        h = layer(h)
    assert np.allclose(h.numpy(), net.features(x, 1), atol=1e-12)
    for layer in seen[2:4]:
        h = layer(h)
    top = net.top.W.data[:4]                                               # without the label unit's
    assert np.allclose(h.numpy(), 1 / (1 + np.exp(-(net.features(x, 1) @ top + net.top.c.data))), atol=1e-12)
    assert network(md.Tensor(x)).shape == (7, 6) and network(md.Tensor(x)).dtype == np.float64


def test_features_go_up_by_means_and_states_up_and_down_by_draws():
    net, x = net_of(5, 4, 3), np.random.default_rng(0).random((1500, 5))
    assert net.features(x, 0) is x or np.array_equal(net.features(x, 0), x)
    assert np.allclose(net.features(x), net.top.propup(net.layers[0].propup(x)), atol=1e-12)
    states = net.draw_up(np.tile(x[:1], (20_000, 1)), md.RandomStream(0))
    assert [s.shape for s in states] == [(20_000, 5), (20_000, 4)]
    assert np.allclose(states[1].mean(0), net.layers[0].propup(x[:1])[0], atol=0.02)
    v, h1 = net.draw_down(np.tile([[1.0, 0.0, 1.0, 1.0]], (3, 1)), md.RandomStream(0))
    assert np.allclose(v, net.layers[0].propdown(h1)) and h1.shape == (3, 4)


def test_a_device_answers_as_the_host_does():
    device, (here, there) = install(), (net_of(4, 3, 2, 3), net_of(4, 3, 2, 3))
    there.to(device)
    host = lambda x: md.Tensor(x).numpy()
    x, log_z = device.put(bits(4)), log_partition(here.top)
    assert np.allclose(host(there.exact_bound(x, log_z)), here.exact_bound(bits(4), log_z))
    assert np.allclose(host(there.log_likelihood(x, log_z)), here.log_likelihood(bits(4), log_z))
    assert there.lower_bound(x, log_z, rng=0).shape == (16,)
    assert np.allclose(host(there.sample(5, 0, steps=3)), here.sample(5, 0, steps=3))
    there.untie()
    assert np.allclose(host(there.autoencoder().reconstruct(x)), here.autoencoder().reconstruct(bits(4)))
    assert there.classifier(3, rng=0)(md.Tensor(x)).shape == (16, 3)
    assert there.add(2, rng=0).device == device
    labelled = net_of(4, 3, 2, labels=2).to(device)
    assert np.allclose(host(labelled.predict_proba(x)), net_of(4, 3, 2, labels=2).predict_proba(bits(4)))
    assert np.allclose(host(labelled.sample(5, 0, steps=3, label=1)),
                       net_of(4, 3, 2, labels=2).sample(5, 0, steps=3, label=1))


@pytest.mark.parametrize("call, sentence", [
    (lambda: DeepBeliefNet([4], rng=0), "sizes are the visible units, then each layer's"),
    (lambda: DeepBeliefNet([4, Gaussian(3), 2], rng=0), r"between the first and the last layer are binary, not Gaussi"),
    (lambda: DeepBeliefNet([4, 3], labels=2, rng=0), "labels stand beside a hidden layer, so there are three"),
    (lambda: DeepBeliefNet([4, 3, 2], labels=1, rng=0), "labels is a whole number of at least 2, not 1"),
    (lambda: net_of(4, 3, 2, labels=2).add(4, rng=0), "on top of binary hidden units without labels, not of labels"),
    (lambda: net_of(4, Gaussian(3)).add(4, rng=0), r"without labels, not of Gaussian\(3\)"),
    (lambda: net_of(4, 3).add(5, mirrored=True, rng=0), "has as many hidden ones, not 5"),
    (lambda: net_of(4, 3, 2).features(bits(4), 3), "this net's code is its layer 2, not 3"),
    (lambda: net_of(4, 3, 2).features(bits(3)), "takes rows of 4 numbers"),
    (lambda: net_of(4, 3, 2).sample(1, 0, label=0), "label is one of the net's 0 classes, not 0"),
    (lambda: net_of(4, 3, 2).predict(bits(4)), "this net has no labels"),
    (lambda: net_of(4, 3, 2, labels=2).lower_bound(bits(4), 0.0, rng=0), "is of nets without labels"),
    (lambda: net_of(4, 3, 2, labels=2).exact_bound(bits(4), 0.0), "is of nets without labels"),
    (lambda: net_of(4, 3, 2).lower_bound(bits(4) - 1, 0.0, rng=0), r"probabilities in \[0, 1\]"),
    (lambda: net_of(4, 3, 2).lower_bound(bits(4), np.zeros(2), rng=0), "log_z is a number or what ais has estimated"),
    (lambda: net_of(4, 40, 2).log_likelihood(bits(4), 0.0), r"40 units have 2\^40 states"),
    (lambda: net_of(4, 9, 9, 2).exact_bound(bits(4), 0.0), "18 units have"),
    (lambda: net_of(4, 3, 2, labels=2).autoencoder(), "without labels, of binary and Gaussian units, not of Deep"),
    (lambda: net_of(4, 3, Softmax(2)).autoencoder(), r"not of DeepBeliefNet\(4-3-Softmax\(2\)\)"),
])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
