"""Deep Boltzmann machines against sums over all states; one with shared patches against the dense one that it is."""
import itertools

import numpy as np
import pytest

import minidl as md
from minidl import InputError, optim, training
from minidl.data import Loader
from minidl.energy import (
    RBM,
    ContrastiveDivergence,
    DeepBoltzmannMachine,
    GibbsChains,
    MeanFieldPCD,
    ShapeBM,
    ais,
    exact_loss,
    log_partition,
    lower_bound,
    train,
)
from tests.standin.device import install

X = (np.random.default_rng(0).random((22, 4)) < [0.9, 0.2, 0.5, 0.5]).astype(np.float32)
X[:, 3] = X[:, 2]
IMAGES = np.random.default_rng(1).integers(0, 2, (20, 9)).astype(np.float32)
NAMES = "W1", "W2", "b", "c1", "c2"


def machine(kind="dense", sd=0.7):
    """A small machine in float64 whose biases are not 0: (4, 3, 2), or 3x3 pixels in four 2x2 patches, (9, 4, 2)."""
    made = (DeepBoltzmannMachine(4, 3, 2, rng=1, sd=sd) if kind == "dense" else
            ShapeBM(3, 1, 2, patch=2, rng=1, sd=sd)).astype("float64")
    for i, p in enumerate((made.b, made.c1, made.c2)):
        p.data[...] = np.random.default_rng(i).standard_normal(p.shape) * 0.5
    return made


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def enumerated(m):
    """All states v, h1, h2 of a machine, as rows, and their probabilities by the definition; log Z."""
    D, H1, H2 = (len(p) for p in (m.b, m.c1, m.c2))
    v, h1, h2 = np.split(states(D + H1 + H2), [D, D + H1], axis=1)
    p = {name: getattr(m, name).data for name in NAMES}
    minus = (np.einsum("ni,ij,nj->n", v, dense_weights(m), h1) + np.einsum("ni,ij,nj->n", h1, p["W2"], h2)
             + v @ p["b"] + h1 @ p["c1"] + h2 @ p["c2"])
    log_z = np.log(np.exp(minus).sum())
    return v, h1, h2, np.exp(minus - log_z), log_z


def dense_weights(m, W=None):
    """W1, or W of its shape; of a ShapeBM written out pixel by pixel."""
    W = m.W1.data if W is None else W
    if not isinstance(m, ShapeBM):
        return W
    out = np.zeros((m.side**2, 4 * W.shape[1]))
    for pixels, units in places(m):
        out[pixels, units] = W
    return out


def tied(m, dense):
    """The sum over the patches of what stands in dense weights at the same place of a patch."""
    return sum(dense[pixels, units] for pixels, units in places(m)) if isinstance(m, ShapeBM) else dense


def places(m):
    """Each patch's pixels and hidden units."""
    pixels, n, k = np.arange(m.side**2).reshape(m.side, m.side), m.W1.shape[1], m.patch
    for i, (top, left) in enumerate(itertools.product((0, m.side - k), repeat=2)):
        yield pixels[top:top + k, left:left + k].ravel(), slice(n * i, n * i + n)


def of_data(kind):
    return (X if kind == "dense" else IMAGES).astype(float)


both = pytest.mark.parametrize("kind", ["dense", "shape"])


@both
def test_energies_and_sums_are_those_of_enumeration(kind):
    m, x = machine(kind), of_data(kind)
    v, h1, h2, p, log_z = enumerated(m)
    assert np.allclose(-m.energy(v, h1, h2) - log_z, np.log(p), atol=1e-10)
    assert log_partition(m.as_rbm()) == pytest.approx(log_z, abs=1e-8)
    marginal = {tuple(row): p[(v == row).all(1)].sum() for row in x}
    exact = np.array([np.log(marginal[tuple(row)]) for row in x])
    assert np.allclose(-m.free_energy(x) - log_z, exact, atol=1e-8)
    assert m.loss(x).item() == pytest.approx(-exact.mean(), abs=1e-8)


@both
def test_conditionals_are_those_of_enumeration(kind):
    m = machine(kind)
    v, h1, h2, p, _ = enumerated(m)
    rbm = m.as_rbm()
    here = (h1 == h1[len(h1) // 3]).all(1)
    expected = np.concatenate([p[here] @ v[here], p[here] @ h2[here]]) / p[here].sum()
    assert np.allclose(rbm.propdown(h1[here][:1])[0], expected, atol=1e-8)
    assert np.allclose(m.decode(h1[here][:1])[0], expected[:v.shape[1]], atol=1e-8)
    here = (np.concatenate([v, h2], 1) == np.concatenate([v, h2], 1)[len(v) // 3]).all(1)
    assert np.allclose(rbm.propup(np.concatenate([v, h2], 1)[here][:1])[0], p[here] @ h1[here] / p[here].sum(),
                       atol=1e-8)


@both
def test_folded_it_is_a_restricted_machine_with_the_weights_of_both_layers(kind):
    m = machine(kind)
    folded, plain = m.as_rbm(), RBM(len(m.b) + len(m.c2), len(m.c1), rng=0).astype("float64")
    plain.W.data[...] = np.concatenate([dense_weights(m), m.W2.data.T])
    plain.b.data[...], plain.c.data[...] = np.concatenate([m.b.data, m.c2.data]), m.c1.data
    x = np.random.default_rng(2).random((6, len(plain.b)))
    h = np.random.default_rng(3).random((6, len(plain.c)))
    for ask in ("up", x), ("down", h), ("free_energy", x):
        assert np.allclose(getattr(folded, ask[0])(ask[1]), getattr(plain, ask[0])(ask[1]), atol=1e-12)
    assert np.allclose(folded.W.data, plain.W.data) and np.allclose(folded.energy(x, h), plain.energy(x, h))
    assert log_partition(folded) == pytest.approx(log_partition(plain), abs=1e-10)
    assert exact_loss(folded, x).item() == pytest.approx(exact_loss(plain, x).item(), abs=1e-10)
    one, other = (ais(r, betas=20, chains=30, rng=3).log_z for r in (folded, plain))
    assert one == pytest.approx(other, abs=1e-6)


def test_a_machine_of_shared_patches_is_the_dense_one_whose_weights_are_written_out():
    shape = ShapeBM(7, 3, 2, patch=4, rng=0, sd=0.5).astype("float64")
    dense = DeepBoltzmannMachine(49, 12, 2, rng=5, sd=0.5).astype("float64")
    dense.load_state_dict(shape.state_dict() | {"W1": dense_weights(shape)})
    x = np.random.default_rng(0).integers(0, 2, (5, 49)).astype(float)
    for one, other in zip(shape.mean_field(x), dense.mean_field(x), strict=True):
        assert np.allclose(one, other, atol=1e-12)
    assert np.allclose(shape.reconstruct(x), dense.reconstruct(x))
    assert np.array_equal(shape.sample(3, 0, steps=20).round(6), dense.sample(3, 0, steps=20).round(6))
    for m in shape, dense:
        MeanFieldPCD(m, chains=6, centred=False, rng=1)(m, x)
    assert np.allclose(shape.W1.grad.data, tied(shape, dense.W1.grad.data), atol=1e-10)
    for name in NAMES[1:]:
        assert np.allclose(getattr(shape, name).grad.data, getattr(dense, name).grad.data, atol=1e-10), name


@both
def test_mean_field_never_lowers_the_bound_which_stays_below_the_truth_and_meets_it_where_layers_are_independent(kind):
    m, x = machine(kind, sd=1.5), of_data(kind)
    log_z = log_partition(m.as_rbm())
    exact = -m.free_energy(x) - log_z
    bounds = [lower_bound(m, x, log_z, rounds=rounds) for rounds in (1, 2, 5, 50)]
    assert (np.diff(bounds, axis=0) > -1e-12).all() and (bounds[0] < bounds[-1]).any()
    assert (bounds[-1] < exact).all()
    m.W2.data[...] = 0.0
    log_z = log_partition(m.as_rbm())
    assert np.allclose(lower_bound(m, x, log_z), -m.free_energy(x) - log_z, atol=1e-8)


# Learning ------------------------------------------------------------------------------------------------------------


def gradients(m):
    return [getattr(m, name).grad.data.copy() for name in NAMES]


class Held:
    """Chains that stand still."""

    def __init__(self, x):
        self.x = x

    def advance(self, rbm, k=1):
        return self.x, rbm.propup(self.x)


@both
def test_gradients_are_the_engines_of_mean_field_energy_less_free_energy_of_the_chains(kind):
    m, x = machine(kind), of_data(kind)
    chains = np.random.default_rng(4).integers(0, 2, (9, len(m.b) + len(m.c2))).astype(float)
    MeanFieldPCD(m, chains=Held(chains), centred=False)(m, x)
    by_hand = gradients(m)
    m.zero_grad()
    p1, p2 = (md.Tensor(p) for p in m.mean_field(x, rounds=5))
    (m.energy(md.Tensor(x), p1, p2).mean() - m.as_rbm().free_energy(md.Tensor(chains)).mean()).backward()
    for hand, engine in zip(by_hand, gradients(m), strict=True):
        assert np.allclose(hand, engine, atol=1e-10)


@both
def test_with_the_exact_posterior_and_all_states_in_place_of_chains_gradients_are_those_of_the_likelihood(
        kind, monkeypatch):
    """The difference is linear in what hidden units and chains have: states weighed by their probability are enough."""
    m, v = machine(kind), of_data(kind)[:1]
    all_v, all_h1, all_h2, p, _ = enumerated(m)

    sides, which = np.unique(np.concatenate([all_v, all_h2], 1), axis=0, return_inverse=True)
    chains = Held(sides[:1])
    trainer = MeanFieldPCD(m, chains=chains, centred=False)

    def written(h1, h2, side):
        monkeypatch.setattr(m, "mean_field", lambda v, rounds: (h1[None], h2[None]))
        chains.x = side[None]
        trainer(m, v)
        return gradients(m)

    total = [-g for g in written(all_h1[0], all_h2[0], sides[0])]
    given = (all_v == v).all(1)
    for h1, h2, weight in zip(all_h1[given], all_h2[given], p[given] / p[given].sum(), strict=True):
        total = [t + weight * g for t, g in zip(total, written(h1, h2, sides[0]), strict=True)]
    for side, weight in zip(sides, np.bincount(which.ravel(), p), strict=True):
        total = [t + weight * g for t, g in zip(total, written(all_h1[0], all_h2[0], side), strict=True)]
    m.zero_grad()
    monkeypatch.undo()
    m.loss(v).backward()
    for sampled, exact in zip(total, gradients(m), strict=True):
        assert np.allclose(sampled, exact, atol=1e-8)


def test_the_exact_gradient_agrees_with_finite_differences():
    m, x = machine("shape"), of_data("shape")
    m.loss(x).backward()
    for p in m.parameters():
        for place in itertools.islice(np.ndindex(p.shape), 4):
            kept, values = p.data[place], []
            for step in 1e-5, -1e-5:
                p.data[place] = kept + step
                values.append(m.free_energy(x).mean() + log_partition(m.as_rbm()))
            p.data[place] = kept
            assert p.grad.data[place] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-8)


@both
def test_centred_gradients_are_those_of_the_machine_written_with_offsets(kind):
    """E = -(v - m) W1 (h1 - n1) - (h1 - n1) W2 (h2 - n2) - biases: its parameters' step, in terms of ours."""
    m, x = machine(kind), of_data(kind)
    chains = np.random.default_rng(4).integers(0, 2, (9, len(m.b) + len(m.c2))).astype(float)
    centred, plain = (MeanFieldPCD(m, chains=Held(chains), centred=c) for c in (True, False))
    m0, n1, n2 = (offset.data.copy() for offset in centred.offsets)
    plain(m, x)
    _, _, *biases = gradients(m)                             # the offsets change only what the weights get
    centred(m, x)
    dW1, dW2, db, dc1, dc2 = gradients(m)
    (p1, p2), f, s = m.mean_field(x, rounds=5), *np.split(chains, [len(m.b)], axis=1)
    q1 = m.as_rbm().propup(chains)
    assert np.allclose(dW1, tied(m, (f - m0).T @ (q1 - n1) / 9 - (x - m0).T @ (p1 - n1) / len(x)), atol=1e-10)
    assert np.allclose(dW2, (q1 - n1).T @ (s - n2) / 9 - (p1 - n1).T @ (p2 - n2) / len(x), atol=1e-10)
    step = dense_weights(m, dW1)
    for gradient, expected in zip((db, dc1, dc2), (biases[0] - step @ n1, biases[1] - m0 @ step - dW2 @ n2,
                                                   biases[2] - n1 @ dW2), strict=True):
        assert np.allclose(gradient, expected, atol=1e-10)
    for offset, before, mean in zip(centred.offsets, (m0, n1, n2), (x, p1, p2), strict=True):
        assert np.allclose(offset.data, before + 0.01 * (mean.mean(0) - before))


class Job:
    def __init__(self, kind):
        rng = np.random.default_rng(5)
        self.machine = machine(kind).astype("float32")
        self.trainer = MeanFieldPCD(self.machine, chains=5, k=2, rng=rng)
        self.sgd = optim.SGD(self.machine.named_parameters(), lr=0.1, momentum=0.5)
        self.schedule = optim.LinearLR(self.sgd, 1.0, 0.0, total_iters=12)
        self.loader = Loader(of_data(kind).astype("float32"), batch_size=6, rng=rng)

    def __call__(self, path=None, **more):
        return train(self.machine, self.loader, self.sgd, self.trainer, epochs=3, schedule=self.schedule,
                     checkpoint=path, progress=False, **more)

    def numbers(self):
        return {f"{i}.{name}": value.tobytes() for i, part in enumerate((self.machine, self.trainer, self.sgd))
                for name, value in part.state_dict().items()}


@both
def test_a_run_killed_after_any_save_and_resumed_equals_the_unbroken_one_bit_for_bit(kind, tmp_path, killed_after):
    unbroken = Job(kind)
    history = unbroken()
    for n in 1, 4, 6, 11:
        with killed_after(n) as died:
            Job(kind)(tmp_path / f"{n}.npz", checkpoint_every=1)
        assert died
        resumed = Job(kind)
        again = resumed(tmp_path / f"{n}.npz", checkpoint_every=1)
        assert resumed.numbers() == unbroken.numbers() and again["active"] == history["active"]


def test_a_checkpoint_of_another_machine_gets_a_sentence(tmp_path):
    Job("dense")(tmp_path / "run.npz")
    with pytest.raises(InputError, match="checkpoint .* does not fit"):
        Job("shape")(tmp_path / "run.npz")


def test_it_learns_a_distribution_nearly_as_well_as_the_exact_gradient_does():
    x = np.repeat(X, 20, 0)
    learned = DeepBoltzmannMachine(4, 3, 2, rng=0).set_biases(x)
    sgd = optim.SGD(learned.named_parameters(), lr=0.3)
    train(learned, Loader(x, batch_size=44, rng=0), sgd, MeanFieldPCD(learned, chains=100, rng=0), epochs=100,
          schedule=optim.LinearLR(sgd, 1.0, 0.0, total_iters=1000), progress=False)
    best = DeepBoltzmannMachine(4, 3, 2, rng=0, sd=0.5).set_biases(x)
    training.fit(best, Loader(x, batch_size=len(x), shuffle=False), optim.Adam(best.parameters(), lr=0.05), epochs=200,
                 progress=False)
    found, bound, independent = (m.loss(x).item() for m in (
        learned, best, DeepBoltzmannMachine(4, 3, 2, rng=0, sd=0.0).set_biases(x)))
    assert bound - 1e-3 < found < bound + 0.3 * (independent - bound)


# Samples and completion ----------------------------------------------------------------------------------------------


@both
def test_chains_have_the_distribution_of_enumeration(kind):
    m = machine(kind)
    v, _, h2, p, _ = enumerated(m)
    chains = GibbsChains(m.as_rbm(), 4000, rng=0)
    chains.advance(m.as_rbm(), 30)
    assert np.allclose(chains.v.data.mean(0), p @ np.concatenate([v, h2], 1), atol=0.035)
    assert np.allclose(m.sample(4000, 1, steps=30).mean(0), p @ v, atol=0.035)


@both
def test_a_completion_is_the_mean_given_what_is_known(kind):
    m, x = machine(kind), of_data(kind)[:2]
    v, _, _, p, _ = enumerated(m)
    known = np.arange(len(m.b)) < 2
    filled = m.complete(np.repeat(x, 300, 0), known, steps=60, rng=0).reshape(2, 300, -1)
    for row, answer in zip(x, filled, strict=True):
        given = (v[:, known] == row[known]).all(1)
        assert np.array_equal(answer[:, known], np.repeat(row[None, known], 300, 0))
        assert np.allclose(answer.mean(0), p[given] @ v[given] / p[given].sum(), atol=0.02)
    every = np.broadcast_to(known, x.shape)
    assert np.array_equal(m.complete(x, every, steps=4, rng=0), m.complete(x, known, steps=4, rng=0))


@both
def test_a_device_learns_samples_and_completes(kind):
    device, x = install(), of_data(kind).astype("float32")
    m = machine(kind).astype("float32").to(device)
    history = train(m, Loader(x, batch_size=6, rng=0, device=device), optim.SGD(m.named_parameters(), lr=0.1),
                    MeanFieldPCD(m, chains=5, rng=0), epochs=2, progress=False)
    assert len(history.active) == 2
    there = device.put(x)
    for known in np.arange(len(m.b)) < 2, device.put(np.arange(len(m.b)) < 2):
        assert type(m.complete(there, known, steps=4, rng=0)) is type(there)
    log_z = log_partition(m.as_rbm())
    assert float((lower_bound(m, there, log_z) + m.free_energy(there)).max()) + log_z < 1e-4


@pytest.mark.parametrize("call, sentence", [
    (lambda: ShapeBM(32, 3, 2, patch=15, rng=0), "cover an image of 32 x 32 and overlap if patch is at least 16 and"),
    (lambda: ShapeBM(32, 3, 2, patch=32, rng=0), "below 32, not 32"),
    (lambda: DeepBoltzmannMachine(4, 20, 2, rng=0).free_energy(X), r"20 units have 2\^20 states, which would take"),
    (lambda: DeepBoltzmannMachine(4, 3, 2, rng=0).encode(X[:, :3]), "takes rows of 4 numbers"),
    (lambda: DeepBoltzmannMachine(4, 3, 2, rng=0).encode(X * 255), r"probabilities in \[0, 1\]"),
    (lambda: DeepBoltzmannMachine(4, 3, 2, rng=0).energy(X, X[:, :3], X[:3, :2]), "as many states each, not 22, 22"),
    (lambda: DeepBoltzmannMachine(4, 3, 2, rng=0).complete(X, [True] * 3, rng=0), "known is true or false for each of"),
    (lambda: MeanFieldPCD(RBM(4, 3, rng=0)), "takes a DeepBoltzmannMachine or a ShapeBM, not a RBM"),
    (lambda: MeanFieldPCD(machine())(machine(), X[:0]), "no rows to learn from"),
    (lambda: MeanFieldPCD(machine())(machine("shape"), IMAGES), "its chains have 6 visible and 3 hidden units"),
    (lambda: GibbsChains(machine(), 3, rng=0), "takes an RBM, not a DeepBoltzmannMachine"),
    (lambda: machine().as_rbm().set_biases(X), "a DeepBoltzmannMachine, folded; set the biases of that"),
    (lambda: ContrastiveDivergence(machine().as_rbm()), "a DeepBoltzmannMachine, folded; MeanFieldPCD trains that"),
    (lambda: lower_bound(machine(), X, X), "log_z is a number"),
])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
