"""The game of two players: whose turn it is, what is saved, and runs that are broken off and resumed bit for bit."""
import math
import signal

import numpy as np
import pytest

import minidl as md
from minidl import InputError, data, nn, optim
from minidl.adversarial import (
    GAN,
    ConditionalGAN,
    Drift,
    Extra,
    FeatureMatching,
    GradientPenalty,
    HistoricalAveraging,
    Loss,
    Unrolled,
    WeightClipping,
    hinge,
    non_saturating,
    train,
    wasserstein,
)
from tests.standin.device import install

X = np.random.default_rng(0).uniform(-1, 1, (22, 3)).astype(np.float32)
Y = np.arange(22) % 2
EPOCHS, STEPS = 3, 4                     # 22 items in batches of 6, the last of them smaller: 4


class Press(Extra):
    """Ctrl-C after the discriminator's n-th step; for n = 0 never."""

    def __init__(self, n=0):
        self.left = n

    def stepped(self, turn):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


class Run:
    """A conditional game with everything that has a state: noise, dropout, a penalty's points, means, averages."""

    def __init__(self, press=0, device="cpu", extras=None, d_steps=2):
        rng = np.random.default_rng(5)
        self.gan = ConditionalGAN(nn.mlp([4, 8, 3], rng=rng, output_activation=nn.Tanh), nn.Sequential(
            nn.Linear(5, 8, rng=rng), nn.ELU(), nn.Dropout(0.2, rng=rng), nn.Linear(8, 1, rng=rng)), latent=2,
            classes=2, rng=rng)
        self.gan.to(device)
        self.adam_g = optim.Adam(self.gan.generator_parameters(), lr=0.02, betas=(0.5, 0.9))
        self.adam_d = optim.Adam(self.gan.discriminator.parameters(), lr=0.03, betas=(0.5, 0.9))
        self.schedules = [optim.LinearLR(o, 1.0, 0.0, 20) for o in (self.adam_g, self.adam_d)]
        self.average, self.device, self.d_steps = optim.EMA(self.gan.generator, decay=0.9), device, d_steps
        self.loader = data.Loader(X, Y, batch_size=6, rng=rng, classes=2, device=device)
        self.extras = [GradientPenalty(rng=rng), HistoricalAveraging(0.1), Drift(), Unrolled(1), Press(press)] \
            if extras is None else extras

    def __call__(self, path=None, epochs=EPOCHS, **more):
        history = train(self.gan, self.loader, self.adam_g, self.adam_d, epochs=epochs, loss=non_saturating(0.1),
                        d_steps=self.d_steps, extras=self.extras, schedules=self.schedules, average=self.average,
                        checkpoint=path, progress=False, **more)
        state = {f"gan/{k}": v for k, v in self.gan.state_dict().items()}
        state |= {f"{name}/{k}": v for name, part in (("g", self.adam_g), ("d", self.adam_d))
                  for k, v in part.state_dict().items()}
        state |= {f"history/{k}": v for k, v in history.items() if k != "seconds"}
        return state | {"samples": self.gan.sample(5, 0, label=1), "noise": self.gan.noise(2),
                        "points": [e.stream.uniform((3,), X) for e in self.extras if isinstance(e, GradientPenalty)]}


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def unbroken():
    return Run()()


@pytest.mark.parametrize("after", [1, 2, 4, 5, 9, 12])
def test_a_game_stopped_by_ctrl_c_and_resumed_equals_the_unbroken_one_bit_for_bit(after, tmp_path, unbroken):
    path = tmp_path / "game.npz"
    with pytest.raises(KeyboardInterrupt, match="stopped after epoch"):
        Run(press=after)(path)
    same(Run()(path), unbroken)


def test_a_game_killed_within_an_epoch_resumes_from_its_last_save_bit_for_bit(tmp_path, unbroken):
    class Killed(Exception):
        pass

    class Kill(Press):
        def stepped(self, turn):
            self.left -= 1
            if self.left == 0:
                raise Killed

    killed = Run()
    killed.extras[-1] = Kill(8)                                          # in the second epoch, after its save at step 3
    with pytest.raises(Killed):
        killed(tmp_path / "game.npz", checkpoint_every=3)
    resumed = Run()
    steps = []
    resumed.extras[-1].stepped = lambda turn: steps.append(1)
    same(resumed(tmp_path / "game.npz"), unbroken)
    assert len(steps) == EPOCHS * STEPS - 7


CHANGES = {
    "the penalty": lambda run: run.extras.pop(0), "historical averaging": lambda run: run.extras.pop(1),
    "drift": lambda run: run.extras.pop(2), "unrolling": lambda run: run.extras.pop(3),
    "a schedule": lambda run: run.schedules.pop(), "the number of steps": lambda run: setattr(run, "d_steps", 1),
    "the average": lambda run: setattr(run.average, "decay", 0.0)}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_none_of_what_the_resumed_game_has_is_idle(change, unbroken):
    run = Run()
    change(run)
    assert not np.array_equal(run()["samples"], unbroken["samples"])


# Turns ----------------------------------------------------------------------------------------------------------------


def plain_game(**options):
    gan = GAN(nn.mlp([2, 6, 3], rng=1), nn.mlp([3, 6, 1], rng=2), latent=2, rng=0, **options)
    optimizers = [optim.SGD(p, lr=0.1) for p in (gan.generator_parameters(), gan.discriminator.parameters())]
    return gan, data.Loader(X, batch_size=6, rng=0), *optimizers


def test_the_generator_has_every_second_turn_and_the_two_never_move_together():
    gan, loader, sgd_g, sgd_d = plain_game()
    moved, before = [], [gan.generator.state_dict(), gan.discriminator.state_dict()]

    class Looks(Extra):
        def _moved(self):
            now = [gan.generator.state_dict(), gan.discriminator.state_dict()]
            found = "".join(who for who, a, b in zip("GD", before, now, strict=True)
                            if any(not np.array_equal(a[k], b[k]) for k in a))
            before[:] = now
            return found

        def discriminator(self, turn):
            moved.append(self._moved())              # in the generator's turn before

        def stepped(self, turn):
            moved.append(self._moved())

    history = train(gan, loader, sgd_g, sgd_d, epochs=2, d_steps=2, extras=[Looks()], progress=False)
    assert moved == ["", "D", "", "D", "G", "D", "", "D"] + ["G", "D", "", "D"] * 2
    assert {*history} >= {"discriminator", "generator", "real", "fake"} and not gan.training


def test_a_turns_gradients_are_those_of_the_two_costs_against_the_other_as_it_is_then():
    gan, loader, sgd_g, sgd_d = plain_game()
    twin, _, twin_g, twin_d = plain_game()
    train(gan, data.Loader(X[:6], batch_size=6, shuffle=False), sgd_g, sgd_d, epochs=1, progress=False)
    fake = twin.generator(twin.noise(6))
    cost = md.mean(md.softplus(-twin.discriminator(X[:6]))) + md.mean(md.softplus(twin.discriminator(fake.detach())))
    cost.backward()
    twin_d.step()
    twin_g.zero_grad()
    md.mean(md.softplus(-twin.discriminator(fake))).backward()
    twin_g.step()
    for name, value in twin.state_dict().items():
        np.testing.assert_allclose(gan.state_dict()[name], value, atol=1e-7, err_msg=name)


def test_every_kind_of_switch_plays_in_float32_alone(only_float32):
    for loss, extras in ((wasserstein(), [GradientPenalty(rng=0), Drift(), HistoricalAveraging()]),
                         (hinge(), [WeightClipping(), FeatureMatching()]), (non_saturating(), [Unrolled(2)])):
        train(*plain_game(), epochs=2, loss=loss, extras=extras, progress=False)


@pytest.mark.parametrize("d_steps", [1, 2])
def test_on_a_device_the_game_is_that_of_the_host(d_steps):
    """But for its random draws, which each device has of its own: there are none here."""
    device, states = install(), []
    for where in "cpu", device:
        gan, _, sgd_g, sgd_d = plain_game()
        gan.to(where)
        gan.noise = lambda n, gan=gan: gan.device.put(np.linspace(-1, 1, 2 * n, dtype=np.float32).reshape(n, 2))
        history = train(gan, data.Loader(X, batch_size=6, shuffle=False, device=where), sgd_g, sgd_d, epochs=2,
                        d_steps=d_steps, average=optim.EMA(gan.generator), progress=False, extras=[
                            HistoricalAveraging(), GradientPenalty(at="real", rng=0), Unrolled(1), WeightClipping(1.0)])
        states.append(gan.state_dict() | {name: series for name, series in history.items() if name != "seconds"})
    for name, value in states[0].items():
        np.testing.assert_allclose(value, states[1][name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_on_a_device_everything_that_draws_plays_and_resumes_from_an_epochs_start(tmp_path):
    device = install()
    whole = Run(device=device)()
    Run(device=device)(tmp_path / "game.npz", epochs=2)
    resumed = Run(device=device)(tmp_path / "game.npz")
    for name in (name for name in whole if name.startswith(("gan/", "history/"))):
        np.testing.assert_allclose(whole[name], resumed[name], rtol=1e-5, atol=1e-7, err_msg=name)


# What is refused ------------------------------------------------------------------------------------------------------


def test_a_loss_that_diverges_stops_the_run_with_a_sentence_and_the_last_good_checkpoint_stays(tmp_path):
    path = tmp_path / "game.npz"
    Run(extras=[])(path, epochs=1)
    good = path.read_bytes()
    worse = Run(extras=[])
    worse.loader = data.Loader(X, Y, batch_size=6, rng=np.random.default_rng(5), classes=2)
    turns = iter(range(99))
    real = non_saturating().real
    broken = Loss(lambda s: real(s) * (math.nan if next(turns) == 2 else 1.0), *non_saturating()[1:])
    with pytest.raises(FloatingPointError, match="the loss 'discriminator' became nan in epoch 2 .*; try a sm"):
        train(worse.gan, worse.loader, worse.adam_g, worse.adam_d, epochs=3, loss=broken, d_steps=2,
              schedules=worse.schedules, average=worse.average, checkpoint=path, checkpoint_every=3, progress=False)
    assert path.read_bytes() == good


SENTENCES = {
    "another loss": (lambda g, x, a, b: train(g, x, a, b, epochs=1, loss="kl"), "adversarial.train: loss"),
    "no GAN": (lambda g, x, a, b: train(g.generator, x, a, b, epochs=1), "trains a GAN, not a Sequential"),
    "optimisers exchanged": (lambda g, x, a, b: train(g, x, b, a, epochs=1),
                             "optimizer_g has the parameters of the generator alone, as optim.Adam"),
    "an optimiser of both": (lambda g, x, a, b: train(g, x, a, optim.SGD(g.parameters()), epochs=1),
                             "optimizer_d has the parameters of the discriminator alone"),
    "an extra that is none": (lambda g, x, a, b: train(g, x, a, b, epochs=1, extras=[3]), "extras are a list"),
    "a schedule that is none": (lambda g, x, a, b: train(g, x, a, b, epochs=1, schedules=a), "schedules are a list"),
    "an average of both": (lambda g, x, a, b: train(g, x, a, b, epochs=1, average=optim.EMA(g)),
                           "average is of the generator"),
    "no turns": (lambda g, x, a, b: train(g, x, a, b, epochs=1, d_steps=0), "d_steps"),
}


@pytest.mark.parametrize("call, sentence", SENTENCES.values(), ids=SENTENCES)
def test_what_does_not_fit_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call(*plain_game())


@pytest.mark.parametrize("last, interval", [(nn.Tanh, r"\[-1, 1\]"), (nn.Sigmoid, r"\[0, 1\]")])
def test_data_that_the_generator_could_never_make_get_a_sentence(last, interval):
    gan = GAN(nn.mlp([2, 3], rng=0, output_activation=last), nn.Linear(3, 1, rng=0), latent=2, rng=0)
    optimizers = [optim.SGD(p, lr=0.1) for p in (gan.generator_parameters(), gan.discriminator.parameters())]
    with pytest.raises(InputError, match=f"gives numbers in {interval}, and the data go from -2 to 3; scale them"):
        train(gan, data.Loader(X[:2] * 0 + [[-2], [3]], batch_size=2, rng=0), *optimizers, epochs=1)


def test_labels_that_are_missing_or_none_get_a_sentence():
    run = Run()
    run.loader = data.Loader(X, batch_size=6, rng=0)
    with pytest.raises(InputError, match="ConditionalGAN: learns from data and labels, .* these batches have no"):
        run()
    with pytest.raises(InputError, match="ConditionalGAN.sample: label is a class from 0 to 1, or one for each of 3"):
        run.gan.sample(3, 0, label=2)


def test_a_checkpoint_of_a_game_with_other_extras_is_refused(tmp_path):
    Run()(tmp_path / "game.npz", epochs=1)
    with pytest.raises(InputError):
        Run(extras=[GradientPenalty(rng=0)])(tmp_path / "game.npz")


def test_a_run_without_a_batch_of_its_packs_size_says_what_to_do():
    with pytest.raises(InputError, match="drop_last=True"):
        gan, loader, *_ = plain_game()
        packed = GAN(gan.generator, nn.mlp([9, 1], rng=0), latent=2, pack=3, rng=0)
        sgd = [optim.SGD(p) for p in (packed.generator_parameters(), packed.discriminator.parameters())]
        train(packed, loader, *sgd, epochs=1, progress=False)

