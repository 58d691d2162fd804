"""One contract wherever an `rng` is taken: an int, a Generator or a RandomStream; and streams that resume exactly."""
import importlib
import inspect
import json
import pickle
import pkgutil
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minidl as md
from minidl import (
    InputError,
    RandomStream,
    adversarial,
    autoencoders,
    data,
    energy,
    linear,
    metrics,
    nn,
    optim,
    training,
    variational,
)
from minidl.adversarial import mode_benchmark
from minidl.autoencoders.convolutional import stages
from minidl.backend import backend_of
from minidl.data import augmentation
from minidl.data.embedded import DIGITS
from minidl.metrics import resampled, train_judge
from minidl.metrics.classifier import network
from minidl.nn.recurrent import Cell
from minidl.randomness import HostStream, generator
from minidl.training.stateful import Streams
from tests.standin.device import install

LIKE = np.zeros(1, np.float32)
X = np.random.default_rng(0).random((12, 8), dtype=np.float32)
ROWS = np.random.default_rng(0).integers(0, 2, (12, 3)).astype(np.float32)
WIDE = np.random.default_rng(0).random((360, 90), dtype=np.float32)        # enough for PCA to begin with a draw
SMALL = data.Dataset("small", np.zeros((4, 4, 4, 1), np.float32), np.arange(4) % 2, np.zeros((2, 4, 4, 1), np.float32),
                     np.arange(2), "", ("0", "1"))
IMAGES = np.random.default_rng(1).random((6, 5, 5, 1), dtype=np.float32)


# Every public callable that takes an rng ----------------------------------------------------------------------------


def takers():
    """They by their names, `module.function`, `module.Class` and `module.Class.method`, with their parameters."""
    found = {}
    for module in pkgutil.walk_packages(md.__path__, "minidl."):
        if not module.name.startswith(("minidl.__main__", "minidl.lectures", "minidl.grading")):
            for name, value in vars(importlib.import_module(module.name)).items():
                if not name.startswith("_") and getattr(value, "__module__", "") == module.name:
                    found |= functions(f"{module.name.removeprefix('minidl.')}.{name}", value)
    return {name: taken for name, f in found.items() if "rng" in (taken := inspect.signature(f).parameters)}


def functions(name, value):
    if getattr(value, "_is_protocol", False):         # it says what others take
        return {}
    if not inspect.isclass(value):
        return {name: value} if inspect.isfunction(value) else {}
    methods = {f"{name}.{method}": getattr(f, "__func__", f) for method, f in vars(value).items() if method[0] != "_"}
    return {name: value.__init__, **{method: f for method, f in methods.items() if inspect.isfunction(f)}}


def drawn_by(module):
    """What a Module has drawn, and will."""
    return [*module.state_dict().values(), *(s.uniform((3,), LIKE) for s in module.random_streams())]


def reported(rng):
    images = np.random.default_rng(2).random((40, 4, 4), np.float32)
    measure = metrics.Measure(lambda real, x: float(real.sum() - x.sum()), "images", "lower")
    report = metrics.generator_report(images, images, images, metrics.Judge(len, name="", features=len), repeats=2,
                                      measures={"difference": measure}, rng=rng)
    return list(report.lines[0].generated)


def with_codes(make):
    model = make([8, 4, 2], rng=0)
    model.remember_codes(X)
    return model


def noisy(rng):
    p = nn.Parameter(np.zeros(3, np.float32))
    p.grad = md.Tensor(np.zeros(3, np.float32))
    optim.GradientNoise(rng=rng)([p])
    return [p.grad.numpy()]


def of_a_folder(rng):
    with tempfile.TemporaryDirectory() as folder:
        for i in range(9):
            Image.new("L", (1, 1), i).save(Path(folder) / f"{i}.png")
        return [data.folder(folder, test=0.5, rng=rng).x_test]


def checked_along(rng):
    """The directions of the check show in the points at which the function is asked."""
    points = []

    def square(x):
        points.append(x.numpy().copy())
        return x * x

    md.gradcheck(square, np.ones(3), rng=rng)
    return points


def machine(hidden=2, sd=1.0):
    return energy.RBM(3, hidden, rng=0, sd=sd)


def two_layers():
    return energy.DeepBoltzmannMachine(3, 2, 2, rng=0, sd=1.0)


def deep():
    return energy.DeepBeliefNet([3, 4, 2], rng=0, sd=1.0)


def pretrained_by(rng):
    net = deep()
    energy.pretrain(net, ROWS, epochs=1, rng=rng, progress=False)
    return drawn_by(net)


def fitted_rbm():
    return energy.BernoulliRBM(2, n_iter=1, batch_size=4, rng=0).fit(ROWS)


def drawn_in_training(make):
    """Of what trains a machine: the gradients after one batch."""
    rbm = machine()
    make(rbm)(rbm, ROWS)
    return [rbm.W.grad.numpy()]


def dreamt(rng):
    net = energy.DeepBeliefNet([3, 2, 2], rng=0)
    net.untie()
    trainer = energy.WakeSleep(net, rng=rng)
    trainer(net, ROWS)
    return trainer.asleep


def game(make=adversarial.GAN, inputs=2, **options):
    """A function of an rng: a game of two small networks."""
    return lambda rng: make(nn.Linear(inputs, 3, rng=0), nn.Linear(5, 1, rng=0), latent=2, rng=rng, **options)


def infogan(rng):
    return adversarial.InfoGAN(nn.Linear(4, 3, rng=0), nn.Linear(3, 1, rng=0), latent=4, classes=2, codes=1, rng=rng)


def bigan(rng):
    return adversarial.BiGAN(nn.Linear(2, 3, rng=0), nn.Linear(3, 2, rng=0), nn.Linear(5, 1, rng=0), latent=2, rng=rng)


def grown_by(rng):
    gan = adversarial.ProgressiveGAN(latent=2, widths=(2,), rng=0)
    adversarial.grow(gan, LIKE[:1, None, None, None] + np.arange(4 * 16, dtype=np.float32).reshape(4, 4, 4, 1),
                     [adversarial.Stage(4, 4, batch_size=2)], rng=rng, progress=False)
    return gan


WGAN_GP = mode_benchmark.VARIANTS["wgan-gp"]


def net_of_the_ring(rng):
    return mode_benchmark.players(mode_benchmark.ring(0), WGAN_GP, rng)


conditional = game(adversarial.ConditionalGAN, 4, classes=2)


def critic_fitted(rng):
    critic = nn.Linear(3, 1, rng=0)
    adversarial.fit_critic(critic, X[:, :3], X[:, 3:6], optim.SGD(critic.parameters(), lr=0.1), epochs=1, batch_size=5,
                           rng=rng, progress=False)
    return [critic.weight.numpy().copy()]


# What each has drawn, as arrays, given an rng.
CALLS = {
    "adversarial.critics.fit_critic": critic_fitted,
    "adversarial.dcgan.dcgan_discriminator":
        lambda rng: drawn_by(adversarial.dcgan_discriminator((6, 6, 1), channels=1, rng=rng)),
    "adversarial.dcgan.dcgan_generator":
        lambda rng: drawn_by(adversarial.dcgan_generator((6, 6, 1), latent=2, channels=1, rng=rng)),
    "adversarial.growing.grow": lambda rng: drawn_by(grown_by(rng)),
    "adversarial.progressive.ProgressiveGAN": lambda rng: drawn_by(adversarial.ProgressiveGAN(widths=(2, 2), rng=rng)),
    "adversarial.vaegan.VAEGAN": lambda rng: drawn_by(adversarial.VAEGAN(
        nn.Linear(2, 4, rng=0), nn.Linear(2, 2, rng=0), nn.Linear(2, 1, rng=0), latent=2, rng=rng)),
    "adversarial.gan.GAN": lambda rng: [game()(rng).noise(3)],
    "adversarial.gan.GAN.sample": lambda rng: [game()(0).sample(3, rng)],
    "adversarial.layers.MinibatchDiscrimination":
        lambda rng: drawn_by(adversarial.MinibatchDiscrimination(3, 2, 2, rng=rng)),
    **{f"adversarial.mode_benchmark.{name}": lambda rng, name=name: [mode_benchmark.TASKS[name](rng).x[:9]]
       for name in mode_benchmark.TASKS},
    "adversarial.mode_benchmark.measured":
        lambda rng: [mode_benchmark.measured(mode_benchmark.ring(0), net_of_the_ring(0), rng).good],
    "adversarial.mode_benchmark.play":
        lambda rng: drawn_by(mode_benchmark.play(net_of_the_ring(0), mode_benchmark.ring(0), WGAN_GP, steps=1,
                                                 rng=rng)),
    "adversarial.mode_benchmark.players": lambda rng: drawn_by(net_of_the_ring(rng)),
    "adversarial.pairings.AuxiliaryGAN": lambda rng: [game(adversarial.AuxiliaryGAN, 4, classes=2)(rng).noise(3)],
    "adversarial.pairings.BiGAN": lambda rng: [bigan(rng).noise(3)],
    "adversarial.pairings.ConditionalGAN": lambda rng: [conditional(rng).noise(3)],
    "adversarial.pairings.ConditionalGAN.sample": lambda rng: [conditional(0).sample(3, rng)],
    "adversarial.pairings.InfoGAN": lambda rng: [infogan(rng).noise(3)],
    "adversarial.pairings.InfoGAN.sample": lambda rng: [infogan(0).sample(3, rng)],
    "adversarial.penalties.GradientPenalty":
        lambda rng: [adversarial.GradientPenalty(rng=rng).stream.uniform((3,), LIKE)],
    "energy.ais.ais": lambda rng: list(energy.ais(machine(), betas=20, chains=50, rng=rng)[:1]),
    "energy.ais.reverse_ais": lambda rng: list(energy.reverse_ais(machine(), ROWS, betas=20, rng=rng)[:1]),
    "energy.belief_net.SigmoidBeliefNet": lambda rng: drawn_by(energy.SigmoidBeliefNet([3, 2], rng=rng)),
    "energy.belief_net.SigmoidBeliefNet.draw": lambda rng: energy.SigmoidBeliefNet([9, 9], rng=0).draw(9, rng),
    "energy.belief_net.SigmoidBeliefNet.sample":
        lambda rng: [energy.SigmoidBeliefNet([9, 9], rng=0, sd=1.0).sample(9, rng)],
    "energy.boltzmann.BoltzmannMachine": lambda rng: drawn_by(energy.BoltzmannMachine(3, rng=rng)),
    "energy.boltzmann.BoltzmannMachine.gibbs": lambda rng: [energy.BoltzmannMachine(3, rng=0).gibbs(ROWS, rng=rng)],
    "energy.boltzmann.BoltzmannMachine.sample":
        lambda rng: [energy.BoltzmannMachine(3, rng=0).sample(9, rng, sweeps=2)],
    "energy.deep_boltzmann.DeepBoltzmannMachine":
        lambda rng: drawn_by(energy.DeepBoltzmannMachine(3, 2, 2, rng=rng)),
    "energy.deep_boltzmann.DeepBoltzmannMachine.complete":
        lambda rng: [two_layers().complete(ROWS, np.array([True, False, False]), steps=4, rng=rng)],
    "energy.deep_boltzmann.DeepBoltzmannMachine.sample": lambda rng: [two_layers().sample(9, rng, steps=2)],
    "energy.deep_boltzmann.ShapeBM": lambda rng: drawn_by(energy.ShapeBM(3, 2, 2, patch=2, rng=rng)),
    "energy.mean_field.MeanFieldPCD":
        lambda rng: drawn_by(energy.MeanFieldPCD(two_layers(), chains=9, rng=rng)),
    "energy.deep_belief.DeepBeliefNet": lambda rng: drawn_by(energy.DeepBeliefNet([3, 2, 2], rng=rng)),
    "energy.deep_belief.DeepBeliefNet.add": lambda rng: drawn_by(energy.DeepBeliefNet([3, 2], rng=0).add(9, rng=rng)),
    "energy.deep_belief.DeepBeliefNet.classifier":
        lambda rng: drawn_by(energy.DeepBeliefNet([3, 2], rng=0).classifier(9, rng=rng)),
    "energy.deep_belief.DeepBeliefNet.lower_bound": lambda rng: [deep().lower_bound(ROWS, 0.0, draws=1, rng=rng)],
    "energy.deep_belief.DeepBeliefNet.sample": lambda rng: [deep().sample(9, rng, steps=2)],
    "energy.greedy.pretrain": pretrained_by,
    "energy.estimator.BernoulliRBM":
        lambda rng: [energy.BernoulliRBM(2, n_iter=1, batch_size=4, rng=rng).fit(ROWS).components_],
    "energy.estimator.BernoulliRBM.gibbs": lambda rng: [fitted_rbm().gibbs(ROWS, rng)],
    "energy.estimator.BernoulliRBM.sample": lambda rng: [fitted_rbm().sample(9, rng, steps=2)],
    "energy.likelihood.pseudo_likelihood": lambda rng: [energy.pseudo_likelihood(machine(), ROWS, bits=1, rng=rng)],
    "energy.rbm.RBM": lambda rng: drawn_by(energy.RBM(3, 2, rng=rng)),
    "energy.rbm.RBM.sample": lambda rng: [machine().sample(9, rng, steps=2)],
    "randomness.HostStream": lambda rng: [HostStream(rng).uniform((3,), LIKE)],
    "energy.samplers.GibbsChains": lambda rng: drawn_by(energy.GibbsChains(machine(), 9, rng=rng)),
    "energy.samplers.TemperedChains": lambda rng: drawn_by(energy.TemperedChains(machine(), 9, betas=3, rng=rng)),
    "energy.samplers.complete":
        lambda rng: [energy.complete(machine(), ROWS, np.array([True, False, False]), steps=4, rng=rng)],
    "energy.trainers.ContrastiveDivergence":
        lambda rng: drawn_in_training(lambda rbm: energy.ContrastiveDivergence(rbm, rng=rng)),
    "energy.trainers.DifferenceOfStatistics":
        lambda rng: drawn_by(energy.DifferenceOfStatistics(energy.BoltzmannMachine(3, rng=0), chains=9, rng=rng)),
    "energy.wake_sleep.WakeSleep": dreamt,
    "autoencoders.binary.BinaryAutoencoder": lambda rng: drawn_by(autoencoders.BinaryAutoencoder([4, 2], rng=rng)),
    "autoencoders.contractive.ContractiveAutoencoder":
        lambda rng: drawn_by(autoencoders.ContractiveAutoencoder([4, 3, 2], rng=rng)),
    "autoencoders.convolutional.ConvolutionalAutoencoder":
        lambda rng: drawn_by(autoencoders.ConvolutionalAutoencoder((4, 4, 1), (2,), code=2, rng=rng)),
    "autoencoders.deep.DeepAutoencoder": lambda rng: drawn_by(autoencoders.DeepAutoencoder([4, 3, 2], rng=rng)),
    "autoencoders.denoising.DenoisingAutoencoder":
        lambda rng: drawn_by(autoencoders.DenoisingAutoencoder([4, 2], rng=rng)),
    "autoencoders.sparse.SparseAutoencoder": lambda rng: drawn_by(autoencoders.SparseAutoencoder(4, 3, rng=rng)),
    "autoencoders.stacked.StackedAutoencoder":
        lambda rng: drawn_by(autoencoders.StackedAutoencoder([4, 3, 2], rng=rng)),
    "autoencoders.base.Autoencoder.sample": lambda rng: [with_codes(autoencoders.DeepAutoencoder).sample(3, rng)],
    "autoencoders.base.Autoencoder.draw_codes":
        lambda rng: [with_codes(autoencoders.DeepAutoencoder).draw_codes(3, rng)],
    "autoencoders.binary.BinaryAutoencoder.draw_codes":
        lambda rng: [with_codes(autoencoders.BinaryAutoencoder).draw_codes(30, rng)],
    "autoencoders.codes.CodeGaussian.draw":
        lambda rng: [with_codes(autoencoders.DeepAutoencoder).codes.draw(3, rng)],
    "autoencoders.convolutional.stages": lambda rng: [p.numpy() for network in stages(
        "stages", (4, 4, 1), (2,), code=2, rng=rng, hidden=(), up="upsample", kernel_size=None, activation=nn.ELU)
        for p in network.parameters()],
    "variational.base.VariationalAutoencoder": lambda rng: drawn_by(variational.VariationalAutoencoder(
        nn.mlp([8, 4], rng=0), nn.mlp([2, 8], rng=0), input_shape=[8], code=2, rng=rng)),
    "variational.base.VariationalAutoencoder.draw_codes":
        lambda rng: [variational.VAE([8, 2], rng=0).draw_codes(3, rng)],
    "variational.base.VariationalAutoencoder.log_likelihood":
        lambda rng: [variational.VAE([8, 2], rng=0).log_likelihood(X, k=3, rng=rng)],
    "variational.base.VariationalAutoencoder.sample":
        lambda rng: [variational.VAE([8, 2], rng=0).sample(3, rng, means=False)],
    "variational.convolutional.ConvolutionalVAE":
        lambda rng: drawn_by(variational.ConvolutionalVAE((4, 4, 1), (2,), code=2, rng=rng)),
    "variational.measures.kl_by_sampling": lambda rng: list(variational.kl_by_sampling(X, X, n=5, rng=rng)),
    "variational.vae.VAE": lambda rng: drawn_by(variational.VAE([8, 4, 2], rng=rng)),
    "data.augmentation.shift": lambda rng: [augmentation.shift(IMAGES, rng, pixels=2)],
    "data.augmentation.rotate": lambda rng: [augmentation.rotate(IMAGES, rng, degrees=20)],
    "data.augmentation.flip": lambda rng: [augmentation.flip(IMAGES, rng)],
    "data.augmentation.noise": lambda rng: [augmentation.noise(IMAGES, rng, sd=0.1)],
    "data.augmentation.mixup": lambda rng: augmentation.mixup(X, X[:, :2], rng, alpha=1.0),
    "data.embedded.crops": lambda rng: [data.crops(3, 8, rng=rng)],
    "data.embedded.patches": lambda rng: [data.patches(3, rng=rng)],
    "data.images.folder": of_a_folder,
    "data.tables.csv": lambda rng: [data.csv(DIGITS, label=-1, test=0.1, rng=rng).x_test],
    "data.loader.Loader": lambda rng: [x.numpy() for x in data.Loader(X, batch_size=5, rng=rng)],
    "data.toy.swiss_roll": lambda rng: data.swiss_roll(5, rng=rng, noise=0.1),
    "data.toy.two_moons": lambda rng: data.two_moons(5, rng=rng),
    "data.toy.ring": lambda rng: data.ring(5, rng=rng),
    "data.toy.grid": lambda rng: data.grid(5, rng=rng),
    "gradcheck.gradcheck": checked_along,
    "linear.kmeans.KMeans": lambda rng: [linear.KMeans(3, max_iter=1, rng=rng).fit(X).cluster_centers_],
    "linear.kmeans.MiniBatchKMeans":
        lambda rng: [linear.MiniBatchKMeans(3, max_iter=1, batch_size=2, rng=rng).fit(X).cluster_centers_],
    "linear.kmeans.KMeans.sample": lambda rng: [linear.KMeans(5, rng=0).fit(X).sample(9, rng)],
    "linear.logistic_pca.LogisticPCA":
        lambda rng: [linear.LogisticPCA(1, max_iter=1, rng=rng).fit(WIDE).components_],
    "linear.logistic_pca.LogisticPCA.sample": lambda rng: [linear.LogisticPCA(2).fit(X).sample(3, rng)],
    "linear.pca.PCA":
        lambda rng: [linear.PCA(1, svd_solver=solver, rng=rng).fit(WIDE).components_
                     for solver in ("randomized", "covariance")],
    "linear.pca.PCA.sample": lambda rng: [linear.PCA(2).fit(X).sample(3, rng)],
    "linear.whitening.Whitening.sample": lambda rng: [linear.Whitening(2).fit(X).sample(3, rng)],
    "metrics.classifier.network": lambda rng: drawn_by(network((4, 4, 1), 2, rng=rng)),
    "metrics.classifier.train_judge": lambda rng: drawn_by(train_judge(SMALL, epochs=1, rng=rng,
                                                                       progress=False).classifier),
    "metrics.report.generator_report": reported,
    "metrics.resampling.resampled": lambda rng: [resampled(lambda x: x.sum(0), X, repeats=2, rng=rng).error],
    "metrics.pyramid.random_patches": lambda rng: [metrics.random_patches(IMAGES, 3, size=2, rng=rng)],
    "metrics.similarity.ms_ssim_within": lambda rng: list(metrics.ms_ssim_within(
        np.random.default_rng(0).random((6, 11, 11)), pairs=4, rng=rng, scales=1)),
    "metrics.wasserstein.sliced_wasserstein":
        lambda rng: [metrics.sliced_wasserstein(X, X[:5], directions=3, rng=rng)],
    "metrics.wasserstein.swd": lambda rng: [metrics.swd(
        X.reshape(12, 2, 4), X.reshape(12, 2, 4), patches=2, size=2, directions=2, rng=rng).mean],
    "nn.convolution.Conv1d": lambda rng: drawn_by(nn.Conv1d(2, 3, 2, rng=rng)),
    "nn.convolution.Conv2d": lambda rng: drawn_by(nn.Conv2d(1, 2, 3, rng=rng)),
    "nn.convolution.ConvTranspose2d": lambda rng: drawn_by(nn.ConvTranspose2d(1, 2, 3, rng=rng)),
    **{f"nn.init.{name}": lambda rng, name=name: [getattr(nn.init, name)((3, 4), rng=rng)] for name in (
        "uniform", "normal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "orthogonal")},
    "nn.layers.Linear": lambda rng: drawn_by(nn.Linear(3, 4, rng=rng)),
    "nn.networks.mlp": lambda rng: drawn_by(nn.mlp([3, 3, 3], rng=rng)),
    "nn.networks.halving": lambda rng: drawn_by(nn.halving(1, 2, rng=rng)),
    "nn.networks.doubling": lambda rng: drawn_by(nn.doubling(2, 1, rng=rng)),
    "nn.recurrent.Cell": lambda rng: drawn_by(Cell(2, 3, 1, True, rng)),
    "nn.recurrent.Embedding": lambda rng: drawn_by(nn.Embedding(4, 2, rng=rng)),
    "nn.recurrent.RNN": lambda rng: drawn_by(nn.RNN(2, 3, rng=rng)),
    "nn.recurrent.LSTM": lambda rng: drawn_by(nn.LSTM(2, 3, num_layers=2, dropout=0.5, rng=rng)),
    "nn.recurrent.GRU": lambda rng: drawn_by(nn.GRU(2, 3, bidirectional=True, rng=rng)),
    "nn.regularization.Dropout": lambda rng: drawn_by(nn.Dropout(rng=rng)),
    "nn.regularization.DropConnect": lambda rng: drawn_by(nn.DropConnect(nn.Linear(3, 4, rng=0), rng=rng)),
    "nn.reparametrization.EqualizedLR": lambda rng: drawn_by(nn.EqualizedLR(nn.Linear(3, 4, rng=0), rng=rng)),
    "nn.reparametrization.SpectralNorm": lambda rng: [nn.SpectralNorm(nn.Linear(30, 40, rng=0), rng=rng).u.numpy()],
    "optim.noise.GradientNoise": noisy,
    "randomness.RandomStream": lambda rng: [RandomStream(rng).uniform((3,), LIKE)],
}
# It takes whatever it is given, to say in another's name what is wrong with it.
CHECKS = {"randomness.generator", "randomness.RandomStream.of", "data.dataset.divided"}
every_taker = pytest.mark.parametrize("name", sorted(CALLS))


def test_every_public_callable_that_takes_an_rng_is_tried_here():
    assert set(takers()) - CHECKS == set(CALLS)


def test_every_rng_is_annotated_by_the_one_alias():
    others = {name: taken["rng"].annotation for name, taken in takers().items()
              if taken["rng"].annotation not in ("Seed", "Seed | None")}
    assert others == {"randomness.generator": "object"}


@every_taker
def test_an_int_a_generator_and_a_stream_of_one_seed_draw_the_same(name):
    call = CALLS[name]
    drawn = [call(rng) for rng in (7, np.int64(7), np.random.default_rng(7), RandomStream(7))]
    for other in drawn[1:]:
        assert len(other) == len(drawn[0])
        for a, b in zip(other, drawn[0], strict=True):
            np.testing.assert_array_equal(a, b)


@every_taker
def test_a_generator_is_drawn_from_and_not_copied(name):
    rng, stream = np.random.default_rng(7), RandomStream(7)
    before = rng.bit_generator.state
    CALLS[name](rng)
    CALLS[name](stream)
    assert rng.bit_generator.state == stream.host.bit_generator.state != before


@every_taker
@pytest.mark.parametrize("rng", [None, -1, 1.5, "0", True, np.random.RandomState(0), np.random.SeedSequence(0), [1, 2]],
                         ids=lambda rng: type(rng).__name__ if rng is None or not isinstance(rng, int) else repr(rng))
def test_what_is_no_source_of_random_numbers_gets_a_sentence_that_names_the_callable(name, rng):
    with pytest.raises(InputError) as raised:
        CALLS[name](rng)
    short = name.rsplit(".", 1)[1]
    assert re.fullmatch(rf"(\w+\.)?{short}: rng is an int of 0 or more, [^\n]*, not [^\n]*; rng=0 does, [^\n]*[^.\n]",
                        str(raised.value))


def test_a_generator_and_a_streams_host_are_handed_on_as_they_are():
    rng, stream = np.random.default_rng(0), RandomStream(0)
    assert generator(rng, "f") is rng and generator(stream, "f") is stream.host
    assert RandomStream.of(stream, "f") is stream and RandomStream(stream).host is stream.host


# Streams ------------------------------------------------------------------------------------------------------------


def draws(stream, like=LIKE, n=3):
    return [np.asarray(backend_of(like).to_host(draw((4,), like))).tolist()
            for draw in [stream.uniform, stream.normal] * n]


def test_a_seed_gives_the_same_numbers_and_another_seed_others():
    assert draws(RandomStream(1)) == draws(RandomStream(1)) != draws(RandomStream(2))
    assert draws(RandomStream(np.random.default_rng(1))) == draws(RandomStream(1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws_have_the_dtype_and_device_of_the_array_they_are_like(dtype):
    for like in (np.zeros(1, dtype), install().put(np.zeros(1, dtype))):
        for draw in (RandomStream(0).uniform, RandomStream(0).normal):
            y = draw((3, 2), like)
            assert type(y) is type(like) and y.dtype == dtype and y.shape == (3, 2)


def test_draws_are_distributed_as_they_should_be():
    u, z = (draw((100_000,), LIKE) for draw in (RandomStream(0).uniform, RandomStream(0).normal))
    assert 0 <= u.min() < 1e-3 and 0.999 < u.max() < 1
    np.testing.assert_allclose([u.mean(), u.std(), z.mean(), z.std()], [0.5, 12**-0.5, 0, 1], atol=0.01)


def test_bernoulli_draws_have_their_probabilities_and_the_ends_are_sure():
    p = np.array([0.0, 1.0, 0.25, 0.9], np.float32)
    drawn = RandomStream(0).bernoulli(np.tile(p, (40_000, 1)))
    assert drawn.dtype == np.float32 and set(np.unique(drawn)) == {0, 1}
    np.testing.assert_allclose(drawn.mean(0), p, atol=5 * 0.5 / 200)
    assert (drawn[:, 0] == 0).all() and (drawn[:, 1] == 1).all()
    assert RandomStream(0).bernoulli(md.Tensor(1.0)) == 1


def test_gumbel_draws_have_their_distribution_and_are_finite():
    x = RandomStream(0).gumbel((100_000,), LIKE)
    assert x.dtype == np.float32 and np.isfinite(x).all()
    for q in (-1.0, 0.0, 1.0, 3.0):
        assert (x <= q).mean() == pytest.approx(np.exp(-np.exp(-q)), abs=5 * 0.5 / 316)

    class Zeros:                                             # the one draw whose double logarithm is infinite
        def random(self, shape, dtype):
            return np.zeros(shape, dtype)

    stream = RandomStream(0)
    stream._generator = lambda like: Zeros()
    for dtype in (np.float32, np.float64):
        assert np.isfinite(stream.gumbel((1,), np.zeros(1, dtype))).all()


def test_categorical_draws_have_the_probabilities_of_the_softmax_along_an_axis():
    logits = np.log(np.array([[0.5, 0.2, 0.3], [0.1, 0.9, 1e-30]], np.float32))
    logits[1, 2] = -np.inf
    drawn = RandomStream(0).categorical(np.tile(logits, (40_000, 1, 1)))
    assert drawn.shape == (40_000, 2) and drawn.dtype.kind == "i"
    for row, p in enumerate(np.exp(logits)):
        np.testing.assert_allclose(np.bincount(drawn[:, row], minlength=3) / 40_000, p, atol=5 * 0.5 / 200)
    assert not (drawn[:, 1] == 2).any()
    assert RandomStream(0).categorical(md.Tensor(logits), axis=0).shape == (3,)


def test_draws_from_probabilities_are_on_their_device():
    device = install()
    p = md.Tensor(np.full((3, 4), 0.5, np.float32), device=device)
    for draw in (RandomStream(0).bernoulli, RandomStream(0).categorical, lambda p: RandomStream(0).gumbel((2,), p)):
        assert backend_of(draw(p)).name == "standin"


@pytest.mark.parametrize("call, sentence", [
    (lambda s: s.bernoulli(np.array([0.5, 1.5])), r"lie in \[0, 1\], not between 0.5 and 1.5; of logits take md"),
    (lambda s: s.bernoulli(np.array([0.5, np.nan])), "not between nan and nan"),
    (lambda s: s.bernoulli(0.5), "p, probabilities, are an array or Tensor of floats, not 0.5"),
    (lambda s: s.categorical(np.array([1, 2])), "logits are an array or Tensor of floats, not int64"),
    (lambda s: s.categorical(np.full((2, 3), -np.inf)), "only -inf stands for what is never drawn, and not for all"),
    (lambda s: s.categorical(np.array([0.0, np.nan])), "the largest of the logits along the axis is NaN or infinite"),
])
def test_what_has_no_distribution_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call(RandomStream(0))


def test_a_streams_state_is_restored_bit_for_bit_at_any_moment():
    stream = RandomStream(0)
    draws(stream)
    state = stream.state_dict()
    later = draws(stream)
    for copied in (state, json.loads(json.dumps(state)), pickle.loads(pickle.dumps(state))):
        resumed = RandomStream(99)
        draws(resumed)
        resumed.load_state_dict(copied)
        assert draws(resumed) == later


def test_a_saved_state_does_not_move_on_with_its_stream():
    stream = RandomStream(0)
    state = stream.state_dict()
    before = json.dumps(state)
    draws(stream)
    assert json.dumps(state) == before


def test_a_device_stream_resumes_from_an_epochs_start():
    like = install().put(LIKE)
    stream = RandomStream(0)
    draws(stream, like)
    stream.new_epoch()
    state = stream.state_dict()
    second = draws(stream, like)
    stream.new_epoch()
    third = draws(stream, like)

    resumed = RandomStream(99)
    draws(resumed, like)
    resumed.load_state_dict(state)
    assert draws(resumed, like) == second
    resumed.new_epoch()
    assert draws(resumed, like) == third != second


def test_each_epoch_on_a_device_draws_other_numbers():
    like, stream = install().put(LIKE), RandomStream(0)
    seen = []
    for _ in range(4):
        stream.new_epoch()
        seen.append(str(draws(stream, like)))
    assert len(set(seen)) == 4


def test_within_an_epoch_the_device_stream_goes_on():
    like, stream = install().put(LIKE), RandomStream(0)
    assert draws(stream, like) != draws(stream, like)


BITS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("bits", BITS, ids=lambda bits: bits.__name__)
def test_the_state_of_every_kind_of_generator_goes_through_json_and_back(bits):
    stream, resumed = (RandomStream(np.random.Generator(bits(seed))) for seed in (0, 99))
    draws(stream)
    state = json.loads(json.dumps(stream.state_dict()))
    later = draws(stream)
    host = resumed.host
    resumed.load_state_dict(state)
    assert draws(resumed) == later and resumed.host is host


@pytest.mark.parametrize("bits", BITS, ids=lambda bits: bits.__name__)
def test_a_state_of_another_kind_of_generator_changes_nothing(bits):
    stream, other = (RandomStream(np.random.Generator(kind(0))) for kind in (bits, BITS[BITS.index(bits) - 1]))
    before, whole = stream.state_dict(), other.state_dict()
    with pytest.raises(InputError, match=f"draws from {bits.__name__}, and the state is of {whole['bit_generator']}: "):
        stream.load_state_dict(whole)
    for broken in ({**before, "state": {}}, {}, None, [], {"bit_generator": bits.__name__}):
        with pytest.raises(InputError, match=f"draws from {bits.__name__}, and the state is not one of its"):
            stream.load_state_dict(broken)
    assert stream.state_dict() == before


def test_a_refused_state_leaves_a_devices_generator_where_it_is():
    like, stream, twin = install().put(LIKE), RandomStream(0), RandomStream(0)
    assert draws(stream, like) == draws(twin, like)
    with pytest.raises(InputError):
        stream.load_state_dict({})
    assert draws(stream, like) == draws(twin, like)


def test_draws_are_like_a_tensor_as_like_its_array():
    for array in (LIKE, install().put(LIKE)):
        for draw in ("uniform", "normal"):
            a, b = (getattr(RandomStream(0), draw)((3,), like) for like in (array, md.Tensor(array)))
            assert type(a) is type(b) is type(array) and a.dtype == b.dtype == "float32" and bool((a == b).all())


def test_a_stream_that_is_a_part_of_a_run_is_told_of_new_epochs_on_a_device():
    like, stream, resumed = install().put(LIKE), RandomStream(0), RandomStream(99)
    draws(stream, like)
    Streams([stream]).new_epoch()
    resumed.load_state_dict(stream.state_dict())
    assert draws(stream, like) == draws(resumed, like)


class Shaken(nn.Module):
    """A layer with noise from a bare Generator and from a stream in a list."""

    def __init__(self, seed):
        self.linear, self.rng, self.streams = nn.Linear(8, 2, rng=0), np.random.default_rng(seed), [RandomStream(seed)]

    def loss(self, x):
        noise = self.rng.standard_normal(x.shape, dtype=np.float32) + self.streams[0].normal(x.shape, like=x)
        return md.mean(md.square(self.linear(x + noise)))


def test_a_resumed_run_draws_the_same_from_generators_and_streams_wherever_a_module_has_them(tmp_path):
    def run(model, epochs, **options):
        loader = data.Loader(X, batch_size=5, rng=3)
        training.fit(model, loader, optim.SGD(model.parameters(), lr=0.1), epochs=epochs, progress=False, **options)
        return model.linear.weight.numpy()

    unbroken = run(Shaken(7), 3)
    run(Shaken(7), 1, checkpoint=tmp_path / "run.npz")
    np.testing.assert_array_equal(run(Shaken(99), 3, checkpoint=tmp_path / "run.npz"), unbroken)
