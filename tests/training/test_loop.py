"""The one loop with other users than `fit`: a two-player game, a persistent chain, a network that grows.

Each is interrupted at every kind of place, within and between epochs and stages, and resumed bit for bit.
"""
import math
import signal
from pathlib import Path

import numpy as np
import pytest

import minidl as md
from minidl import nn, optim, training
from minidl.data import Loader
from minidl.errors import InputError
from minidl.randomness import RandomStream

X = np.random.default_rng(0).uniform(0, 1, (22, 3)).astype(np.float32)
STEPS, EPOCHS = 4, 3                      # 22 items in batches of 6: the last is smaller


class Presses:
    """Ctrl-C at the n-th call; for n = 0 never."""

    def __init__(self, n):
        self.left = n

    def __call__(self):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


class Turns:
    """Counts the critic's steps: whose turn it is belongs to the run's state as well."""

    def __init__(self):
        self.n = 0

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = int(state["n"])


class Game:
    """Two critic steps to one generator step, two optimisers, dropout in the critic, an average of the generator."""

    def __init__(self, press=0):
        rng = np.random.default_rng(5)
        self.G = nn.Sequential(nn.Linear(2, 8, rng=1), nn.Tanh(), nn.Linear(8, 3, rng=2))
        self.D = nn.Sequential(nn.Linear(3, 8, rng=3), nn.ELU(), nn.Dropout(0.2, rng=rng), nn.Linear(8, 1, rng=4))
        self.adam_G = optim.Adam(self.G.named_parameters(), lr=0.02, betas=(0.5, 0.9))
        self.adam_D = optim.Adam(self.D.named_parameters(), lr=0.03, betas=(0.5, 0.9))
        self.average, self.noise, self.turns = optim.EMA(self.G, decay=0.9), RandomStream(rng), Turns()
        self.loader, self.press = Loader(X, batch_size=6, rng=rng), Presses(press)
        self.parts = {"G": self.G, "D": self.D, "adam_G": self.adam_G, "adam_D": self.adam_D, "average": self.average,
                      "turns": self.turns, "noise": self.noise}

    def fake(self, n):
        return self.G(self.noise.normal((n, 2), like=X))

    def step(self, x):
        self.press()
        self.adam_D.zero_grad()
        critic = md.softplus(self.D(self.fake(len(x)).detach())).mean() + md.softplus(-self.D(x)).mean()
        critic.backward()
        self.adam_D.step()
        self.turns.n += 1
        if self.turns.n % 2:
            return {"critic": critic}
        self.adam_G.zero_grad()
        generator = md.softplus(-self.D(self.fake(6))).mean()
        generator.backward()
        self.adam_G.step()
        self.average.update()
        return {"critic": critic, "generator": generator}

    def __call__(self, path=None, epochs=EPOCHS, **more):
        return training.run(self.step, self.loader, self.parts, epochs=epochs, checkpoint=path, progress=False, **more)


class Chain:
    """Contrastive divergence with persistent chains: gradients by hand, chains that go on from batch to batch."""

    def __init__(self, press=0):
        rng = np.random.default_rng(5)
        self.W = nn.Parameter(rng.normal(0, 0.1, (3, 4)).astype(np.float32))
        self.model = nn.Sequential()
        self.model.W, self.model.v = self.W, nn.Buffer(rng.random((5, 3), dtype=np.float32))
        self.sgd, self.rng = optim.SGD([("W", self.W)], lr=0.1, momentum=0.5), rng
        self.loader, self.press = Loader(X, batch_size=6, rng=rng), Presses(press)
        self.parts = {"model": self.model, "sgd": self.sgd, "rng": rng}

    def step(self, x):
        self.press()
        W, v = self.W.data, self.model.v.data
        h = (md.sigmoid(v @ W) > self.rng.random((5, 4), dtype=np.float32)).astype(np.float32)
        v[...] = md.sigmoid(h @ W.T) > self.rng.random((5, 3), dtype=np.float32)
        positive, negative = x.data.T @ md.sigmoid(x.data @ W) / len(x), v.T @ md.sigmoid(v @ W) / 5
        self.W.grad = md.Tensor(negative - positive)
        self.sgd.step()
        return {"error": float(((x.data - md.sigmoid(md.sigmoid(x.data @ W) @ W.T))**2).mean())}

    def __call__(self, path=None, epochs=EPOCHS, **more):
        return training.run(self.step, self.loader, self.parts, epochs=epochs, checkpoint=path, progress=False, **more)


class Layers(nn.Module):
    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        for layer in self.layers:
            x = md.tanh(layer(x))
        return x


class Growth:
    """Stages with a layer more, another loader and another batch size each: a run for each, and a checkpoint."""

    def __init__(self, press=0):
        self.rng, self.press = np.random.default_rng(5), Presses(press)
        self.net = Layers(nn.Linear(3, 4, rng=self.rng))
        self.adam = optim.Adam(self.net.named_parameters(), lr=0.02)

    def step(self, x):
        self.press()
        self.adam.zero_grad()
        loss = md.mean(self.net(x)**2)
        loss.backward()
        self.adam.step()
        return {"loss": loss}

    def __call__(self, folder=None, epochs=1, **more):
        history = training.History()
        for stage, batch_size in enumerate((6, 8, 11)):
            if stage:
                before = dict(self.net.named_parameters())
                self.net.layers.append(nn.Linear(4, 4, rng=self.rng))
                self.adam.add([(name, p) for name, p in self.net.named_parameters() if name not in before])
            path = folder and folder / f"stage-{stage}.npz"
            parts = {"net": self.net, "adam": self.adam, "rng": self.rng}
            part = training.run(self.step, Loader(X, batch_size=batch_size, rng=self.rng), parts, epochs=epochs,
                                checkpoint=path, progress=False, **more)
            for name, values in part.items():
                history.setdefault(name, []).extend(values)
        return history

    @property
    def parts(self):
        return {"net": self.net, "adam": self.adam}


KINDS = {"game": Game, "chain": Chain, "growth": Growth}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def everything(job):
    """Every number of a job's parts."""
    def leaves(state):
        if isinstance(state, dict):
            return [leaf for key in state for leaf in leaves(state[key])]
        return [state.tobytes() if isinstance(state, np.ndarray) else state]
    return [leaves(dict(part.state_dict() if hasattr(part, "state_dict") else part.bit_generator.state))
            for part in job.parts.values()]


def measured(history):
    return {name: values for name, values in history.items() if name != "seconds"}


def place(tmp_path, kind, name):
    folder = tmp_path / name
    folder.mkdir()
    return folder if kind is Growth else folder / "run.npz"


@pytest.mark.processes
@kinds
def test_a_run_stopped_by_ctrl_c_at_any_step_and_resumed_equals_the_unbroken_one_bit_for_bit(kind, tmp_path):
    unbroken = kind()
    history = unbroken()
    steps = -unbroken.press.left
    assert steps == (4 + 3 + 2 if kind is Growth else STEPS * EPOCHS)
    for step in range(1, steps + 1):
        path = place(tmp_path, kind, str(step))
        with pytest.raises(KeyboardInterrupt, match="stopped after epoch .*, step .* run the same command to go on"):
            kind(press=step)(path)
        resumed = kind()
        assert measured(resumed(path)) == measured(history), step
        assert everything(resumed) == everything(unbroken), step


@kinds
def test_a_run_killed_after_any_save_and_resumed_equals_the_unbroken_one_bit_for_bit(kind, tmp_path, killed_after):
    """Within an epoch, at its last step and between epochs; between the stages of one that grows as well."""
    unbroken = kind()
    history = unbroken(place(tmp_path, kind, "unbroken"), checkpoint_every=1)
    for n in range(1, -unbroken.press.left + 1):
        path = place(tmp_path, kind, str(n))
        with killed_after(n) as died:
            kind()(path, checkpoint_every=1)
        assert died
        resumed = kind()
        assert measured(resumed(path, checkpoint_every=1)) == measured(history), n
        assert everything(resumed) == everything(unbroken), n


@pytest.mark.parametrize("kind", [Game, Chain], ids=["game", "chain"])
def test_a_run_can_be_prolonged_and_then_equals_a_longer_one(kind, tmp_path):
    long, prolonged = kind(), kind()
    history = long(epochs=5)
    kind()(tmp_path / "run.npz", epochs=2)
    assert measured(prolonged(tmp_path / "run.npz", epochs=5)) == measured(history)
    assert everything(prolonged) == everything(long)


def test_the_history_has_the_means_of_the_steps_that_returned_a_loss_and_the_rate_of_each_optimiser():
    game, seen = Game(), []
    step = game.step

    def watched(x):
        losses = step(x)
        seen.append({name: value.item() for name, value in losses.items()})
        return losses

    game.step = watched
    history = game(epochs=2)
    for name in ("critic", "generator"):
        for epoch in range(2):
            values = [losses[name] for losses in seen[STEPS * epoch:STEPS * (epoch + 1)] if name in losses]
            assert len(values) == (STEPS if name == "critic" else STEPS // 2)
            assert history[name][epoch] == pytest.approx(np.mean(values), rel=1e-6)
    assert history["adam_G.lr"] == [0.02] * 2 and history["adam_D.lr"] == [0.03] * 2 and len(history.seconds) == 2
    with pytest.raises(AttributeError, match="no series 'loss'; it has critic, generator, adam_G.lr, adam_D.lr"):
        _ = history.loss


def test_what_an_epochs_end_measures_may_be_added_to_the_history_and_is_resumed_with_it(tmp_path):
    def measure(history):
        history.setdefault("epochs seen", []).append(len(history["critic"]))

    Game()(tmp_path / "run.npz", epochs=2, after_epoch=measure)
    assert Game()(tmp_path / "run.npz", epochs=3, after_epoch=measure)["epochs seen"] == [1, 2, 3]


def test_a_reason_to_stop_ends_the_run_before_the_next_epoch():
    game = Game()
    history = game(epochs=9, stopped=lambda: "enough" if game.turns.n >= 2 * STEPS else "")
    assert len(history["critic"]) == 2


def test_a_loss_that_is_no_longer_finite_is_named_with_the_rates_of_all_optimisers():
    game, step = Game(), Game.step
    game.step = lambda x: step(game, x) | {"generator": math.inf}
    with pytest.raises(FloatingPointError, match=r"the loss 'generator' became inf in epoch 1 before step 5, at "
                                                 r"learning rates 0.02 \(adam_G\), 0.03 \(adam_D\); try a smaller"):
        game()


def test_a_refused_checkpoint_leaves_every_part_as_it_was(tmp_path):
    Game()(tmp_path / "run.npz")
    other = Game()
    refusals, load = ["not mine"], other.turns.load_state_dict

    def refuse_once(state):
        if refusals:
            raise ValueError(refusals.pop())
        load(state)

    other.turns.load_state_dict, before = refuse_once, everything(other)         # the last but two to be asked
    with pytest.raises(InputError, match=r"checkpoint .*run\.npz: its turns does not fit: ValueError: not mine"):
        other(tmp_path / "run.npz")
    assert everything(other) == before


@pytest.mark.parametrize("arguments, sentence", [
    ({"parts": [Turns()]}, r"parts are named, \{'model': model, 'optimizer': optimizer\}, not list"),
    ({"parts": {"turns": 3}}, "the part 'turns', a int, has no state_dict and load_state_dict"),
    ({"parts": {"turns": Turns}}, "the part 'turns', the class Turns, has no state_dict"),
    ({"parts": {"loader": Turns()}}, "a run has a 'run', a 'loader' and 'streams' of its own; name your"),
    ({"loader": [X]}, r"the loader is a list; data.Loader\(x, batch_size=64, rng=0\) makes one"),
    ({"epochs": 1.5}, "epochs is a whole number of at least 1, not 1.5"),
    ({"epochs": math.nan}, "epochs is a whole number of at least 1, not nan"),
    ({"epochs": True}, "epochs is a whole number of at least 1, not True"),
    ({"epochs": np.array([1, 2])}, "epochs is a whole number of at least 1, not array"),
    ({"checkpoint_every": 0}, "checkpoint_every is a whole number of at least 1, not 0"),
    ({"checkpoint_every": 3}, "checkpoint_every needs `checkpoint`, the path of the file"),
    ({"checkpoint": 3}, "a checkpoint's path is a string or a Path, such as 'run.npz', not int"),
    ({"checkpoint": Path(__file__).parent}, r"training is a folder; a checkpoint is a file, such as .*run.npz"),
    ({"step": None}, r"step is a function, step\(batch\) -> \{'loss': loss\}, not None"),
    ({"step": lambda x: 1.0}, r"a step returns its losses by name, \{'loss': loss\}, not float"),
    ({"step": lambda x: {"loss": None}}, "the loss 'loss' is one number, not None"),
    ({"step": lambda x: {1: 1.0}}, "a loss is named by a string, not 1"),
    ({"step": lambda x: {"lr": 1.0}}, "the history has a series 'lr' of its own; name this loss otherwise"),
    ({"step": lambda x: {"loss": np.zeros(3)}}, r"the loss 'loss' is one number, not of shape \(3,\); add .mean\(\)"),
], ids=lambda value: value if isinstance(value, str) else next(iter(value)))
def test_bad_arguments_get_a_sentence(arguments, sentence):
    given = {"step": lambda x: {}, "loader": Loader(X, batch_size=6, shuffle=False), "parts": {"turns": Turns()},
             "epochs": 1, "progress": False} | arguments
    with pytest.raises(InputError, match=sentence):
        training.run(given.pop("step"), given.pop("loader"), given.pop("parts"), **given)
