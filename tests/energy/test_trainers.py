"""Contrastive divergence against the engine, enumeration and scikit-learn; runs that are broken off and resumed."""
import itertools

import numpy as np
import pytest

import minidl as md
from minidl import InputError, optim, training
from minidl.data import Loader
from minidl.energy import (
    RBM,
    BernoulliRBM,
    BoltzmannMachine,
    ContrastiveDivergence,
    DifferenceOfStatistics,
    Gaussian,
    GibbsChains,
    Softmax,
    TemperedChains,
    exact_loss,
    log_partition,
    train,
)
from tests.standin.device import install

X = (np.random.default_rng(0).random((22, 6)) < [0.9, 0.2, 0.5, 0.5, 0.3, 0.7]).astype(np.float32)
X[:, 3] = X[:, 2]
LABELLED = np.concatenate([X[:, :4], np.eye(2, dtype=np.float32)[X[:, 4].astype(int)]], 1)


def gradients(rbm):
    return [p.grad.data.copy() for p in (rbm.W, rbm.b, rbm.c)]


def angle(one, other):
    """Between two gradients, in degrees."""
    one, other = (np.concatenate([g.ravel() for g in gs]) for gs in (one, other))
    return np.degrees(np.arccos(one @ other / np.sqrt((one @ one) * (other @ other))))


@pytest.mark.parametrize("visible, hidden, x", [
    (6, 4, X), (Gaussian(6), 4, X), ([4, Softmax(2)], 4, LABELLED), (6, Gaussian(4), X)])
@pytest.mark.parametrize("chains", [None, 5])
def test_the_update_is_the_engines_gradient_of_a_free_energy_difference(visible, hidden, x, chains):
    rbm = RBM(visible, hidden, rng=1, sd=0.2).astype("float64")
    trainer = ContrastiveDivergence(rbm, k=2, chains=chains)
    trainer(rbm, x)
    by_hand = gradients(rbm)
    rbm.zero_grad()
    difference = rbm.free_energy(md.Tensor(x.astype(float))).mean() - rbm.free_energy(md.Tensor(trainer.fantasy)).mean()
    difference.backward()
    for hand, engine in zip(by_hand, gradients(rbm), strict=True):
        assert np.allclose(hand, engine, atol=1e-10)


def test_the_exact_gradient_agrees_with_finite_differences_of_enumeration():
    rbm = RBM(6, 3, rng=1, sd=0.5).astype("float64")
    exact_loss(rbm, X.astype(float)).backward()
    for p in rbm.parameters():
        for place in itertools.islice(np.ndindex(p.shape), 6):
            kept, values = p.data[place], []
            for step in 1e-5, -1e-5:
                p.data[place] = kept + step
                values.append(rbm.free_energy(X).mean() + log_partition(rbm))
            p.data[place] = kept
            assert p.grad.data[place] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-8)


def test_the_angle_between_cd_and_the_exact_gradient_falls_as_k_grows():
    """Slide 99: "this is not following the gradient of the log likelihood"; with very many steps it is."""
    rbm = RBM(6, 3, rng=3, sd=3.0).astype("float64")
    x = np.tile(X.astype(float), (500, 1))
    exact_loss(rbm, X.astype(float)).backward()
    exact = gradients(rbm)
    angles = []
    for k in 1, 5, 100:
        ContrastiveDivergence(rbm, k=k)(rbm, x)
        angles.append(angle(gradients(rbm), exact))
    assert angles[0] > 10 and angles[2] < 2 and angles[0] > angles[1] > angles[2]


def test_centred_gradients_are_those_of_the_machine_written_with_offsets():
    """E = -(v - m) W (h - n) - b' (v - m) - c' (h - n): its parameters' step, in terms of ours (Melchior 2016)."""
    rbm = RBM(6, 4, rng=1, sd=0.2).astype("float64").set_biases(X)
    centred, plain = (ContrastiveDivergence(rbm, centred=c, rng=4) for c in (True, False))
    m, n = centred.v_offset.data.copy(), centred.h_offset.data.copy()
    assert np.allclose(m, (X.sum(0) + 1) / (len(X) + 2))
    centred(rbm, X)
    dW, db, dc = gradients(rbm)
    plain(rbm, X)
    f, p = plain.fantasy, rbm.propup(X)
    q = rbm.propup(f)
    offset_W = (f - m).T @ (q - n) / len(f) - (X - m).T @ (p - n) / len(X)
    assert np.allclose(dW, offset_W, atol=1e-7)
    assert np.allclose(db, gradients(rbm)[1] - offset_W @ n, atol=1e-7)
    assert np.allclose(dc, gradients(rbm)[2] - m @ offset_W, atol=1e-7)
    assert np.allclose(centred.v_offset.data, m + 0.01 * (X.mean(0) - m))


def test_centred_learning_does_not_depend_on_which_of_two_values_is_called_1():
    """A machine and its mirror image (v -> 1 - v), with mirrored chains, take mirrored steps."""
    rbm = RBM(6, 3, rng=1, sd=0.5).astype("float64")
    mirror = RBM(6, 3, rng=1).astype("float64")
    mirror.W.data[...], mirror.b.data[...] = -rbm.W.data, -rbm.b.data
    mirror.c.data[...] = rbm.c.data + rbm.W.data.sum(0)
    x = X.astype(float)
    assert np.allclose(rbm.propup(x), mirror.propup(1 - x))

    class Held:
        def __init__(self, v):
            self.v = v

        def advance(self, machine, k=1):
            return self.v, machine.propup(self.v)

    v = np.random.default_rng(1).integers(0, 2, (9, 6)).astype(float)
    one, other = (ContrastiveDivergence(r, chains=Held(w), centred=True) for r, w in ((rbm, v), (mirror, 1 - v)))
    other.v_offset.data = 1 - one.v_offset.data
    other.h_offset.data = one.h_offset.data.copy()
    one(rbm, x)
    other(mirror, 1 - x)
    assert np.allclose(rbm.W.grad.data, -mirror.W.grad.data, atol=1e-12)
    assert np.allclose(mirror.c.grad.data, rbm.c.grad.data + rbm.W.grad.data.sum(0), atol=1e-12)


def test_sparsity_adds_the_gradient_of_a_cross_entropy_with_the_target():
    rbm = RBM(6, 4, rng=1, sd=0.2).astype("float64")
    plain, sparse = ContrastiveDivergence(rbm, rng=4), ContrastiveDivergence(rbm, sparsity=(0.1, 0.5), rng=4)
    plain(rbm, X)
    before = gradients(rbm)
    sparse(rbm, X)
    excess = 0.5 * (rbm.propup(X).mean(0) - 0.1)
    assert np.allclose(gradients(rbm)[2] - before[2], excess) and np.allclose(gradients(rbm)[1], before[1])
    assert np.allclose(gradients(rbm)[0] - before[0], np.outer(X.mean(0), excess))


def test_a_ragged_last_batch_keeps_its_chains():
    rbm = RBM(6, 4, rng=1)
    trainer = ContrastiveDivergence(rbm, chains=7)
    for rows in X[:10], X[10:20], X[20:]:
        h = trainer.chains.h.data
        trainer(rbm, rows)
        again = GibbsChains(rbm, 7, rng=0)
        again.h.data = h
        assert trainer.chains.v.shape == (7, 6) and trainer.fantasy is trainer.chains.v.data
    fixed = np.ones((21, 6), np.float32)                    # all-ones rows, the last alone: biases may only rise
    rbm = RBM(6, 4, rng=1)
    train(rbm, Loader(fixed, batch_size=10, rng=0), optim.SGD(rbm.named_parameters(), lr=0.1),
          ContrastiveDivergence(rbm, chains=10), epochs=3, progress=False)
    assert (rbm.b.data > 0).all()


def machine_and_trainer(kind, rng):
    if kind == "boltzmann":
        machine = BoltzmannMachine(6, 2, rng=rng)
        return machine, DifferenceOfStatistics(machine, chains=5, sweeps=2, rng=rng)
    machine = RBM(6, 4, rng=rng)
    chains = {"cd": None, "pcd": 5, "tempered": None}[kind]
    if kind == "tempered":
        chains = TemperedChains(machine, 3, betas=3, rng=rng)
    return machine, ContrastiveDivergence(machine, chains=chains, centred=True, rng=rng)


class Job:
    def __init__(self, kind):
        rng = np.random.default_rng(5)
        self.machine, self.trainer = machine_and_trainer(kind, rng)
        self.sgd = optim.SGD(self.machine.named_parameters(), lr=0.1, momentum=0.5, weight_decay=1e-3)
        self.schedule = optim.LinearLR(self.sgd, 1.0, 0.0, total_iters=12)
        self.loader = Loader(X, batch_size=6, rng=rng)

    def __call__(self, path=None, **more):
        return train(self.machine, self.loader, self.sgd, self.trainer, epochs=3, schedule=self.schedule,
                     checkpoint=path, progress=False, **more)

    def numbers(self):
        return {f"{i}.{name}": value.tobytes() for i, part in enumerate((self.machine, self.trainer, self.sgd))
                for name, value in part.state_dict().items()}


@pytest.mark.parametrize("kind", ["cd", "pcd", "tempered", "boltzmann"])
def test_a_run_killed_after_any_save_and_resumed_equals_the_unbroken_one_bit_for_bit(kind, tmp_path, killed_after):
    unbroken = Job(kind)
    history = unbroken()
    for n in 1, 3, 4, 6, 11:
        with killed_after(n) as died:
            Job(kind)(tmp_path / f"{n}.npz", checkpoint_every=1)
        assert died
        resumed = Job(kind)
        again = resumed(tmp_path / f"{n}.npz", checkpoint_every=1)
        assert resumed.numbers() == unbroken.numbers()
        assert all(again[name] == history[name] for name in history if name != "seconds")


def test_a_checkpoint_of_another_machine_gets_a_sentence(tmp_path):
    Job("pcd")(tmp_path / "run.npz")
    with pytest.raises(InputError, match="checkpoint .* does not fit"):
        Job("cd")(tmp_path / "run.npz")


@pytest.mark.parametrize("kind", ["cd", "pcd", "tempered"])
def test_a_device_learns(kind):
    device = install()
    rbm = RBM(6, 4, rng=0).to(device)
    chains = {"cd": None, "pcd": 5, "tempered": TemperedChains(rbm, 3, betas=3, rng=0)}[kind]
    history = train(rbm, Loader(X, batch_size=6, rng=0, device=device), optim.SGD(rbm.named_parameters(), lr=0.1),
                    ContrastiveDivergence(rbm, chains=chains, centred=True, sparsity=(0.1, 0.1)), epochs=2,
                    progress=False)
    assert len(history.active) == 2


# The estimator -------------------------------------------------------------------------------------------------------

def test_pcd_learns_a_distribution_and_ends_near_the_best_that_enumeration_finds():
    """Of data in which two units are alike, likelihood comes near that of gradient descent on the exact one."""
    x = np.repeat(X, 20, 0)
    estimator = BernoulliRBM(4, n_iter=300, batch_size=44, learning_rate=0.5, rng=0).fit(x)
    best = RBM(6, 4, rng=0, sd=0.1).set_biases(x)
    training.fit(best, Loader(x, batch_size=len(x), shuffle=False), optim.Adam(best.parameters(), lr=0.05), epochs=400,
                 loss=exact_loss, progress=False)
    found, bound, independent = (exact_loss(r, x).item() for r in (estimator.machine_, best,
                                                                   RBM(6, 4, rng=0, sd=0.0).set_biases(x)))
    assert bound - 1e-3 < found < bound + 0.4 * (independent - bound)


def test_fit_resumes_and_partial_fit_goes_on_with_its_chains(tmp_path):
    fit = BernoulliRBM(4, n_iter=3, batch_size=6).fit(X)
    BernoulliRBM(4, n_iter=3, batch_size=6).fit(X, checkpoint=tmp_path / "a.npz")
    again = BernoulliRBM(4, n_iter=3, batch_size=6).fit(X, checkpoint=tmp_path / "a.npz")
    assert np.array_equal(fit.components_, again.components_)
    online = BernoulliRBM(4)
    for rows in X[:10], X[10:20], X[20:]:
        online.partial_fit(rows)
    assert online.components_.shape == (4, 6) and online.h_samples_.shape == (100, 4) and online.n_features_in_ == 6
    assert online.transform(X).shape == (22, 4) and online.gibbs(X, 0).shape == X.shape
    before = online.components_.copy()
    assert not np.array_equal(online.partial_fit(X).components_, before)


@pytest.mark.parity
def test_scikit_learns_weights_are_taken_and_given():
    theirs = pytest.importorskip("sklearn.neural_network").BernoulliRBM(4, n_iter=3, batch_size=11, random_state=0)
    theirs.fit(X.astype(float))
    ours = BernoulliRBM.like(theirs)
    assert np.allclose(ours.transform(X.astype(float)), theirs.transform(X), atol=1e-12)
    assert np.allclose(ours.machine_.free_energy(X.astype(float)), theirs._free_energy(X), atol=1e-10)
    given = ours.give(type(theirs)(4))
    assert np.array_equal(given.transform(X), theirs.transform(X))


@pytest.mark.parametrize("call, sentence", [
    (lambda: ContrastiveDivergence(RBM(6, 4, rng=0), k=0), "k is a whole number of at least 1, not 0"),
    (lambda: ContrastiveDivergence(RBM(6, 4, rng=0), sparsity=0.1), "sparsity is a target between 0 and 1 and its co"),
    (lambda: ContrastiveDivergence(RBM(6, 4, rng=0))(RBM(6, 4, rng=0), X[:, :5]), "takes rows of 6 numbers"),
    (lambda: ContrastiveDivergence(RBM(6, 4, rng=0))(RBM(6, 4, rng=0), X * np.nan), r"probabilities in \[0, 1\]"),
    (lambda: BernoulliRBM(4).transform(X), "this BernoulliRBM has learned nothing yet"),
    (lambda: BernoulliRBM(4).fit(X + 1), r"probabilities in \[0, 1\], these go from 1 to 2"),
    (lambda: BernoulliRBM(4).fit(X[:0]), "there are no rows"),
    (lambda: BernoulliRBM(4, rng=None), "rng is an int of 0 or more"),
    (lambda: BernoulliRBM(4, chains=None).fit(X).h_samples_, "with chains=None no chains persist"),
    (lambda: BernoulliRBM.like(np.ones(3)), "a fitted BernoulliRBM has components_"),
])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
