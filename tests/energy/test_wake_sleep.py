"""Wake-sleep against the engine's gradients and enumeration; what it climbs; runs that are broken off and resumed."""
import itertools

import numpy as np
import pytest

import minidl as md
from minidl import InputError, optim
from minidl.data import Loader
from minidl.energy import RBM, DeepBeliefNet, Gaussian, WakeSleep, log_partition, pretrain, train
from tests.standin.device import counting, install

X = (np.random.default_rng(0).random((22, 6)) < [0.9, 0.2, 0.5, 0.5, 0.3, 0.7]).astype(np.float32)
X[:, 3], X[:, 4] = X[:, 2], 1 - X[:, 2]
LABELLED = np.concatenate([X, np.eye(3, dtype=np.float32)[np.arange(22) % 3]], 1)


def untied(sizes, labels=None, sd=0.7):
    """A net whose recognition weights are others than its machines'."""
    net = DeepBeliefNet(sizes, labels=labels, rng=1, sd=sd).astype("float64")
    net.untie()
    rng = np.random.default_rng(2)
    for p in net.parameters():
        p.data += 0.3 * rng.standard_normal(p.shape)
    return net


def gradients(net):
    return {name: p.grad.numpy().copy() for name, p in net.named_parameters() if p.grad is not None}


def bits(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def log_p(net, states):
    """log p(below | above) of the layers under the top machine, summed, recorded: states -> (N,)."""
    return sum(rbm.visible.log_prob(rbm.down(md.Tensor(above)), md.Tensor(below))
               for rbm, below, above in zip(net.layers, states, states[1:], strict=False))


def log_q(net, states):
    """log q(above | below), in the same way."""
    return sum(rbm.hidden.log_prob(way.up(md.Tensor(below)), md.Tensor(above))
               for rbm, way, below, above in zip(net.layers, net.recognition, states, states[1:], strict=False))


@pytest.mark.parametrize("sizes, labels", [([6, 4, 3], None), ([6, 5, 4, 3], 3), ([Gaussian(6), 4, 3], None)], ids=str)
@pytest.mark.parametrize("chains", [None, 5])
def test_each_gradient_is_the_engines_of_the_log_probability_it_follows(sizes, labels, chains):
    net, x = untied(sizes, labels), LABELLED if labels else X
    trainer = WakeSleep(net, k=2, chains=chains)
    trainer(net, x)
    by_hand = gradients(net)
    net.zero_grad()
    (-log_p(net, trainer.awake).mean() - log_q(net, trainer.asleep).mean()
     + net.top.free_energy(md.Tensor(np.concatenate([trainer.awake[-1], x[:, 6:]], 1))).mean()
     - net.top.free_energy(md.Tensor(trainer.top.fantasy)).mean()).backward()
    engine = gradients(net)
    unused = {f"layers.{i}.c" for i in range(len(net.layers) - 1)}
    assert by_hand.keys() == engine.keys() == {name for name, _ in net.named_parameters()} - unused
    for name in engine:
        assert np.allclose(by_hand[name], engine[name], rtol=0, atol=1e-10), name
    assert all(np.isin(states, (0, 1)).all() for states in trainer.asleep[1:])


def test_states_rise_from_the_data_and_fall_from_the_ends_of_the_chains():
    net = untied([6, 5, 4, 3], 3)
    trainer = WakeSleep(net, k=2)
    trainer(net, LABELLED)
    assert np.array_equal(trainer.awake[0], X) and [s.shape for s in trainer.awake] == [(22, 6), (22, 5), (22, 4)]
    assert np.array_equal(trainer.asleep[-1], trainer.top.fantasy[:, :4])
    assert [s.shape for s in trainer.asleep] == [(22, 6), (22, 5), (22, 4)]


def averaged(net, trainer, x, calls=60):
    """The mean of each gradient over so many calls, and its standard error."""
    drawn = []
    for _ in range(calls):
        trainer(net, x)
        drawn.append(gradients(net))
    return {name: (np.mean([g[name] for g in drawn], 0), np.std([g[name] for g in drawn], 0, ddof=1) / calls**0.5)
            for name in drawn[0]}


def agree(net, found, names):
    assert names
    for name in names:
        mean, error = found[name]
        exact = dict(net.named_parameters())[name].grad.numpy()
        assert (abs(mean - exact) < 5 * error).all() and error.max() < 0.1 * abs(exact).max(), name


def test_awake_the_way_down_follows_the_bounds_exact_gradient():
    """That of E_Q[log p(x, h)], a sum over all states of two hidden layers."""
    net, x = untied([4, 3, 2, 2]), X[:1, :4].astype(float)
    found = averaged(net, WakeSleep(net, rng=3), np.tile(x, (400, 1)))
    h1, h2 = (np.repeat(bits(3), 4, 0), np.tile(bits(2), (8, 1)))
    states = [np.tile(x, (32, 1)), h1, h2]
    Q = np.exp(log_q(net, states).numpy())
    assert Q.sum() == pytest.approx(1)
    net.zero_grad()
    (-md.sum(log_p(net, states) * Q)).backward()
    agree(net, found, ["layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b"])


def test_asleep_the_way_up_follows_the_exact_gradient_over_all_dreams():
    """That of E_p[log q(h | x)], a sum over all states of all layers, where the chains are draws from the machine."""
    net = untied([3, 2, 2, 2], 2)
    top = np.concatenate([np.repeat(bits(2), 2, 0), np.tile(np.eye(2), (4, 1))], 1)
    p = np.exp(-net.top.free_energy(top) - log_partition(net.top))
    assert p.sum() == pytest.approx(1)
    rng = np.random.default_rng(0)

    class Exact:
        def advance(self, rbm, k=1):
            v = top[rng.choice(8, 400, p=p)]
            return v, rbm.propup(v)

    found = averaged(net, WakeSleep(net, chains=Exact(), rng=3), LABELLED[:, [0, 1, 2, 6, 7]][LABELLED[:, 8] == 0])
    places = list(itertools.product(range(8), range(4), range(8)))
    states = [all_of[[place[i] for place in places]] for i, all_of in enumerate((bits(3), bits(2), top[:, :2]))]
    P = np.exp(log_p(net, states).numpy()) * p[[place[2] for place in places]]
    assert P.sum() == pytest.approx(1)
    net.zero_grad()
    (-md.sum(log_q(net, states) * P)).backward()
    agree(net, found, ["recognition.0.W", "recognition.0.c", "recognition.1.W", "recognition.1.c"])


def exact_bound_and_likelihood(net, x):
    """Slide 108's bound and log P, summed over the states of the one layer between: the means of rows x."""
    h, z = bits(net.layers[0].hidden.size), log_partition(net.top)
    ratios, Q = [], []
    for row in x.astype(float):
        states = [np.tile(row, (len(h), 1)), h]
        Q.append(log_q(net, states).numpy())
        ratios.append(log_p(net, states).numpy() - net.top.free_energy(h) - z - Q[-1])
    Q, ratios = np.array(Q), np.array(ratios)
    return (np.exp(Q) * ratios).sum(1).mean(), np.log(np.exp(Q + ratios).sum(1)).mean()


def test_the_bound_of_a_greedily_trained_net_rises_and_stays_below_the_likelihood():
    net = DeepBeliefNet([6, 4, 3], rng=0).astype("float64")
    pretrain(net, X.astype(float), epochs=30, lr=0.2, batch_size=11, rng=0, progress=False)
    net.untie()
    before, _ = exact_bound_and_likelihood(net, X)
    train(net, Loader(np.tile(X, (5, 1)).astype(float), batch_size=22, rng=0),
          optim.SGD(net.named_parameters(), lr=0.2), WakeSleep(net, k=5), epochs=80, progress=False)
    after, likelihood = exact_bound_and_likelihood(net, X)
    assert before + 0.2 < after < likelihood < 0
    drawn = net.lower_bound(np.repeat(X, 50, 0).astype(float), log_partition(net.top), draws=20, rng=0)
    assert drawn.mean() == pytest.approx(after, abs=5 * drawn.std() / len(drawn)**0.5)


class Job:
    def __init__(self, chains=None, labels=3):
        rng = np.random.default_rng(5)
        self.net = DeepBeliefNet([6, 5, 4, 3], labels=labels, rng=rng)
        self.net.untie()
        self.trainer = WakeSleep(self.net, chains=chains, rng=rng)
        self.sgd = optim.SGD(self.net.named_parameters(), lr=0.1, momentum=0.5, weight_decay=1e-3)
        self.schedule = optim.LinearLR(self.sgd, 1.0, 0.0, total_iters=12)
        self.loader = Loader(LABELLED if labels else X, batch_size=6, rng=rng)

    def __call__(self, path=None, **more):
        return train(self.net, self.loader, self.sgd, self.trainer, epochs=3, schedule=self.schedule,
                     checkpoint=path, progress=False, **more)

    def numbers(self):
        return {f"{i}.{name}": value.tobytes() for i, part in enumerate((self.net, self.trainer, self.sgd))
                for name, value in part.state_dict().items()}


@pytest.mark.parametrize("chains", [None, 5])
def test_a_run_killed_after_any_save_and_resumed_equals_the_unbroken_one_bit_for_bit(chains, tmp_path, killed_after):
    unbroken = Job(chains)
    history = unbroken()
    for n in 2, 5, 11:
        with killed_after(n) as died:
            Job(chains)(tmp_path / f"{n}.npz", checkpoint_every=1)
        assert died
        resumed = Job(chains)
        again = resumed(tmp_path / f"{n}.npz", checkpoint_every=1)
        assert resumed.numbers() == unbroken.numbers()
        assert all(again[name] == history[name] for name in history if name != "seconds")


def test_a_checkpoint_of_another_net_gets_a_sentence(tmp_path):
    Job()(tmp_path / "run.npz")
    with pytest.raises(InputError, match="checkpoint .* does not fit"):
        Job(labels=None)(tmp_path / "run.npz")


@pytest.mark.parametrize("chains", [None, 5])
def test_a_device_learns_without_waiting(chains):
    device = install()
    net = DeepBeliefNet([6, 5, 4, 3], labels=3, rng=0).to(device)
    net.untie()
    trainer = WakeSleep(net, chains=chains)
    x, before = device.put(LABELLED), net.recognition[0].W.numpy().copy()
    trainer(net, x)
    with counting() as counted:
        trainer(net, x)
    assert counted.synchronisations == 0, counted.waited_for
    optim.SGD(net.named_parameters(), lr=0.1).step()
    assert not np.array_equal(net.recognition[0].W.numpy(), before)


def test_a_single_machine_learns_as_by_contrastive_divergence():
    net = DeepBeliefNet([6, 4], rng=0)
    losses = WakeSleep(net)(net, X)
    assert losses["wake"] == losses["sleep"] == 0 and set(gradients(net)) == {"layers.0.W", "layers.0.b", "layers.0.c"}


def tied():
    return DeepBeliefNet([6, 4, 3], labels=2, rng=0)


@pytest.mark.parametrize("call, sentence", [
    (lambda: WakeSleep(RBM(6, 4, rng=0)), "WakeSleep: trains a DeepBeliefNet, not a RBM"),
    (lambda: WakeSleep(tied()), "the way up needs weights of its own; call net.untie()"),
    (lambda: WakeSleep(untied([6, 4, 3]))(tied(), X), "the way up needs weights of its own"),
    (lambda: WakeSleep(untied([6, 4, 3]), k=0), "k is a whole number of at least 1, not 0"),
    (lambda: WakeSleep(untied([6, 4, 3], 3))(untied([6, 4, 3], 3), X), r"takes rows of 9 numbers.*\(22, 6\)"),
    (lambda: WakeSleep(untied([6, 4, 3], 3))(untied([6, 4, 3], 3), LABELLED * 0.5), r"md.one_hot\(labels, 3\)"),
    (lambda: WakeSleep(untied([6, 4, 3]))(untied([6, 4, 3]), X * 3), r"probabilities in \[0, 1\]"),
    (lambda: WakeSleep(untied([6, 4, 3]))(untied([6, 4, 3]), X[:0]), "there are no rows to learn from"),
    (lambda: WakeSleep(untied([6, 4, 3]), chains=5)(untied([6, 4, 2]), X), "make chains for it"),
])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
