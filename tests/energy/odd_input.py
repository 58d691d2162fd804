"""Machines of energy in the table of `test_odd_input`: for each public name, functions of one odd value."""
import warnings

import numpy as np

from minidl import data, energy, optim

ROWS = np.random.default_rng(0).random((12, 3)).astype(np.float32)
BITS = (ROWS > 0.5).astype(np.uint8)


def machine(kind=energy.RBM):
    return kind(3, 2, rng=0)


def two_layers():
    return energy.DeepBoltzmannMachine(3, 2, 2, rng=0)


def belief_net(labels=None):
    net = energy.DeepBeliefNet([3, 4, 2], labels=labels, rng=0)
    net.untie()
    return net


def learned():
    return energy.BernoulliRBM(2, n_iter=1, rng=0).fit(BITS)


def believing(estimate):
    """Without the method's word, a RuntimeWarning, that few chains carry an estimate."""
    def call(a):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "annealed importance sampling", RuntimeWarning)
            return estimate(a)
    return call


def trained(epochs):
    rbm = machine()
    return energy.train(rbm, data.Loader(ROWS, batch_size=4, rng=0), optim.SGD(rbm.named_parameters()),
                        energy.ContrastiveDivergence(rbm), epochs=epochs, progress=False)


def deep():
    return energy.DeepBeliefNet([3, 2, 2], rng=0)


def layerwise(**options):
    return energy.pretrain(deep(), **{"x": BITS, "epochs": 1, "rng": 0, "progress": False} | options)


def verbs(make, *names):
    """What is made anew for each call, asked by each of these names."""
    return [lambda a, name=name: getattr(make(), name)(a) for name in names]


def second_batch(a):
    trainer, rbm = energy.ContrastiveDivergence(machine(), rng=0), machine()
    trainer(rbm, BITS)
    return trainer(rbm, a)


ENERGY = {
    "RBM": [lambda a: energy.RBM(a, 2, rng=0), lambda a: energy.RBM(3, a, rng=0), lambda a: energy.RBM(3, 2, rng=a),
            lambda a: energy.RBM(3, 2, rng=0, sd=a),
            *verbs(machine, "free_energy", "propup", "propdown", "encode", "decode", "reconstruct", "set_biases",
                   "predict"),
            lambda a: energy.RBM([3, energy.Softmax(2)], 2, rng=0).predict(a),
            lambda a: machine().energy(a, BITS[:, :2]), lambda a: machine().energy(BITS, a),
            lambda a: machine().sample(a, 0, steps=2), lambda a: machine().sample(1, a, steps=2),
            lambda a: machine().sample(1, 0, steps=a)],
    "BoltzmannMachine": [
        lambda a: energy.BoltzmannMachine(a, rng=0), lambda a: energy.BoltzmannMachine(3, a, rng=0),
        lambda a: energy.BoltzmannMachine(3, rng=a), lambda a: energy.BoltzmannMachine(3, rng=0, sd=a),
        *verbs(lambda: machine(energy.BoltzmannMachine), "energy", "free_energy", "loss", "statistics"),
        lambda a: energy.BoltzmannMachine(3, rng=0).gibbs(a, rng=0),
        *[lambda a, option=option: energy.BoltzmannMachine(3, rng=0).gibbs(BITS, **{"rng": 0, option: a})
          for option in ("sweeps", "clamp", "rng")],
        lambda a: energy.BoltzmannMachine(3, rng=0).sample(a, 0, sweeps=1)],
    "SigmoidBeliefNet": [
        lambda a: energy.SigmoidBeliefNet(a, rng=0), lambda a: energy.SigmoidBeliefNet([3, a], rng=0),
        lambda a: energy.SigmoidBeliefNet([3, 2], rng=a), lambda a: energy.SigmoidBeliefNet([3, 2], rng=0, sd=a),
        *verbs(lambda: energy.SigmoidBeliefNet([3, 2], rng=0), "log_joint", "log_marginal", "log_likelihood", "loss",
               "posterior", "encode", "decode", "reconstruct"),
        lambda a: energy.SigmoidBeliefNet([3, 2], rng=0).log_joint(BITS, a),
        lambda a: energy.SigmoidBeliefNet([3, 2], rng=0).draw(a, 0),
        lambda a: energy.SigmoidBeliefNet([3, 2], rng=0).sample(1, a)],
    "tied_net": [lambda a: energy.tied_net(a, 2), lambda a: energy.tied_net(machine(), a)],
    "narrow_net": [energy.narrow_net, lambda a: energy.narrow_net([0.5, 0.5], strength=a)],
    "DeepBeliefNet": [
        lambda a: energy.DeepBeliefNet(a, rng=0), lambda a: energy.DeepBeliefNet([3, a], rng=0),
        *[lambda a, option=option: energy.DeepBeliefNet([3, 2, 2], **{"rng": 0, option: a})
          for option in ("labels", "rng", "sd")],
        lambda a: deep().add(a, rng=0),
        *[lambda a, option=option: deep().add(2, **{"rng": 0, option: a}) for option in ("rng", "mirrored", "sd")],
        *verbs(deep, "encode", "decode", "reconstruct", "features"),
        lambda a: deep().features(BITS, a), lambda a: deep().sample(a, 0, steps=2), lambda a: deep().sample(1, a),
        lambda a: deep().sample(1, 0, steps=a), lambda a: deep().sample(1, 0, steps=2, label=a),
        lambda a: energy.DeepBeliefNet([3, 2, 2], labels=2, rng=0).sample(1, 0, steps=2, label=a),
        lambda a: energy.DeepBeliefNet([3, 2, 2], labels=2, rng=0).predict(a), lambda a: deep().predict_proba(a),
        lambda a: deep().lower_bound(a, 0.0, rng=0), lambda a: deep().lower_bound(BITS, a, rng=0),
        lambda a: deep().lower_bound(BITS, 0.0, draws=a, rng=0), lambda a: deep().lower_bound(BITS, 0.0, rng=a),
        lambda a: deep().exact_bound(a, 0.0), lambda a: deep().exact_bound(BITS, a),
        lambda a: deep().log_likelihood(a, 0.0), lambda a: deep().log_likelihood(BITS, a),
        lambda a: deep().classifier(a, rng=0), lambda a: deep().classifier(2, rng=a)],
    "pretrain": [
        lambda a: energy.pretrain(a, BITS, epochs=1, rng=0),
        lambda a: energy.pretrain(energy.DeepBeliefNet([3, 2, 2], labels=2, rng=0), BITS, a, epochs=1, rng=0,
                                  progress=False),
        *[lambda a, option=option: layerwise(**{option: a})
          for option in ("x", "epochs", "lr", "momentum", "weight_cost", "batch_size", "states", "first", "rng", "k",
                         "chains", "centred", "sparsity")]],
    "ising": [lambda a: energy.ising(a, 1.0), lambda a: energy.ising((a, 3), 1.0), lambda a: energy.ising((3, 3), a),
              *[lambda a, option=option: energy.ising((3, 3), 1.0, **{option: a})
                for option in ("coupling", "field", "device")]],
    "hopfield": [energy.hopfield],
    "recall": [lambda a: energy.recall(a, BITS), lambda a: energy.recall(energy.BoltzmannMachine(3, rng=0), a),
               lambda a: energy.recall(energy.BoltzmannMachine(3, rng=0), BITS, sweeps=a)],
    "BernoulliRBM": [
        energy.BernoulliRBM, lambda a: energy.BernoulliRBM(2, n_iter=1, rng=0).fit(a),
        lambda a: energy.BernoulliRBM(2).partial_fit(a),
        *[lambda a, option=option: energy.BernoulliRBM(2, **{"n_iter": 1, option: a}).fit(BITS)
          for option in ("learning_rate", "batch_size", "n_iter", "k", "chains", "centred", "momentum", "weight_cost",
                         "sparsity", "rng")],
        *verbs(learned, "partial_fit", "transform", "score_samples", "encode", "decode", "reconstruct"),
        lambda a: learned().gibbs(a, 0), lambda a: learned().sample(a, 0, steps=2), energy.BernoulliRBM.like],
    "log_partition": [energy.log_partition],
    "log_likelihood": [lambda a: energy.log_likelihood(a, BITS, 0.0),
                       lambda a: energy.log_likelihood(machine(), a, 0.0),
                       lambda a: energy.log_likelihood(machine(), BITS, a)],
    **{f.__name__: [lambda a, f=f: f(a, BITS), lambda a, f=f: f(machine(), a)]
       for f in (energy.exact_loss, energy.pseudo_likelihood, energy.reconstruction_error)},
    "pseudo_likelihood of bits": [lambda a: energy.pseudo_likelihood(machine(), BITS, bits=a, rng=0)],
    "ais": [believing(call) for call in (
        lambda a: energy.ais(a, betas=3, rng=0),
        *[lambda a, option=option: energy.ais(machine(), **{"betas": 3, "chains": 20, "rng": 0, option: a})
          for option in ("betas", "chains", "base", "rng")])],
    "reverse_ais": [believing(call) for call in (
        lambda a: energy.reverse_ais(a, BITS, betas=3, rng=0),
        lambda a: energy.reverse_ais(machine(), a, betas=3, rng=0),
        *[lambda a, option=option: energy.reverse_ais(machine(), BITS, **{"betas": 3, "rng": 0, option: a})
          for option in ("betas", "base", "rng")])],
    "Estimate": [lambda a: energy.Estimate(1.0, 0.1, 20.0, ROWS).checked(energy.Estimate(1.0, 0.1, 20.0, ROWS), a)],
    "GibbsChains": [lambda a: energy.GibbsChains(a, 2, rng=0), lambda a: energy.GibbsChains(machine(), a, rng=0),
                    lambda a: energy.GibbsChains(machine(), v=a, rng=0),
                    lambda a: energy.GibbsChains(machine(), 2, rng=a),
                    lambda a: energy.GibbsChains(machine(), 2, rng=0).advance(machine(), a)],
    "TemperedChains": [lambda a: energy.TemperedChains(a, 2, rng=0),
                       lambda a: energy.TemperedChains(machine(), a, rng=0),
                       *[lambda a, option=option: energy.TemperedChains(machine(), 2, **{"rng": 0, option: a})
                         for option in ("betas", "base", "rng")],
                       lambda a: energy.TemperedChains(machine(), 2, rng=0).advance(machine(), a)],
    "complete": [lambda a: energy.complete(a, BITS, BITS > 0, rng=0),
                 lambda a: energy.complete(machine(), a, np.array([True, False, False]), steps=2, rng=0),
                 lambda a: energy.complete(machine(), BITS, a, steps=2, rng=0),
                 lambda a: energy.complete(machine(), BITS, BITS > 0, steps=a, rng=0)],
    "ContrastiveDivergence": [
        lambda a: energy.ContrastiveDivergence(a, rng=0), second_batch,
        lambda a: energy.ContrastiveDivergence(machine(), rng=0)(machine(), a),
        *[lambda a, option=option: energy.ContrastiveDivergence(machine(), **{option: a})
          for option in ("k", "chains", "centred", "sparsity", "rng")]],
    "DeepBoltzmannMachine": [
        *[lambda a, i=i: energy.DeepBoltzmannMachine(*[3, 2, 2][:i], a, *[3, 2, 2][i + 1:], rng=0) for i in range(3)],
        *[lambda a, option=option: energy.DeepBoltzmannMachine(3, 2, 2, **{"rng": 0, option: a})
          for option in ("rng", "sd")],
        *verbs(two_layers, "encode", "decode", "reconstruct", "free_energy", "loss", "set_biases", "mean_field"),
        lambda a: two_layers().mean_field(BITS, rounds=a), lambda a: two_layers().sample(a, 0, steps=2),
        lambda a: two_layers().sample(1, 0, steps=a),
        *[lambda a, i=i: two_layers().energy(*[a if j == i else ROWS[:, :width] for j, width in enumerate((3, 2, 2))])
          for i in range(3)],
        lambda a: two_layers().complete(a, np.array([True, False, False]), steps=2, rng=0),
        lambda a: two_layers().complete(BITS, a, steps=2, rng=0),
        *[lambda a, option=option: two_layers().complete(BITS, BITS > 0, **{"steps": 2, "rng": 0, option: a})
          for option in ("steps", "rng")]],
    "ShapeBM": [
        *[lambda a, i=i: energy.ShapeBM(*[3, 2, 2][:i], a, *[3, 2, 2][i + 1:], patch=2, rng=0) for i in range(3)],
        *[lambda a, option=option: energy.ShapeBM(3, 2, 2, **{"patch": 2, "rng": 0, option: a})
          for option in ("patch", "rng", "sd")]],
    "MeanFieldPCD": [
        energy.MeanFieldPCD, lambda a: energy.MeanFieldPCD(two_layers())(two_layers(), a),
        *[lambda a, option=option: energy.MeanFieldPCD(two_layers(), **{option: a})
          for option in ("rounds", "k", "chains", "centred", "rng")]],
    "lower_bound": [lambda a: energy.lower_bound(a, BITS, 0.0), lambda a: energy.lower_bound(two_layers(), a, 0.0),
                    lambda a: energy.lower_bound(two_layers(), BITS, a),
                    lambda a: energy.lower_bound(two_layers(), BITS, 0.0, rounds=a)],
    "DifferenceOfStatistics": [
        energy.DifferenceOfStatistics,
        *[lambda a, exact=exact: energy.DifferenceOfStatistics(machine(energy.BoltzmannMachine), exact=exact)(
            machine(energy.BoltzmannMachine), a) for exact in (True, False)],
        *[lambda a, option=option: energy.DifferenceOfStatistics(machine(energy.BoltzmannMachine), **{option: a})
          for option in ("exact", "chains", "sweeps", "rng")]],
    "WakeSleep": [
        energy.WakeSleep, lambda a: energy.WakeSleep(belief_net())(a, BITS),
        *[lambda a, labels=labels: energy.WakeSleep(belief_net(labels))(belief_net(labels), a) for labels in (None, 2)],
        *[lambda a, option=option: energy.WakeSleep(belief_net(), **{option: a}) for option in ("k", "chains", "rng")]],
    "train": [trained],
    **{units.__name__: [units] for units in (energy.Units, energy.Bernoulli, energy.Gaussian, energy.Softmax,
                                             energy.Joint)},
    "Softmax of replicas": [lambda a: energy.Softmax(2, a)],
}
