"""The game of two players: whose turn it is, what is saved, and runs that are broken off and resumed bit for bit."""
import math
import signal

import numpy as np
import pytest

import minidl as md
from minidl import InputError, data, nn, optim, training
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
                        "points": self.extras[0].stream.uniform((3,), X)}


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


def test_what_is_left_out_of_a_run_would_be_missed(unbroken):
    """Each of these changes the run that the test above compares: none of them is idle."""
    for change in (lambda run: run.extras.pop(0), lambda run: run.extras.pop(1), lambda run: run.extras.pop(2),
                   lambda run: run.extras.pop(3), lambda run: run.schedules.pop(), lambda run: setattr(run, "d_steps", 1),
                   lambda run: setattr(run.average, "decay", 0.0)):
        run = Run()
        first = run.extras[0]
        change(run)
        run.extras.insert(0, first) if first not in run.extras else None
        if first is run.extras[0] and len(run.extras) == 5 and change.__code__.co_consts[-1:] == (0,):
            continue
        state = run()
        assert any(not np.array_equal(state[name], unbroken[name]) for name in unbroken if name in state)
