"""A critic, or a discriminator, alone with two fixed sets: how far it says they are apart, and how steep it is."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import ops
from minidl.adversarial.game import Extra, check_switched, discriminator_turn
from minidl.adversarial.gan import GAN, Sight
from minidl.adversarial.losses import Loss, loss_of
from minidl.arguments import plain_array
from minidl.backend import Array, backend_of
from minidl.data.loader import Loader
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.nn.layers import Sequential
from minidl.nn.module import Module
from minidl.optim import Optimizer, Schedule
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, check_count, slices
from minidl.tensor import Tensor, grad
from minidl.training.history import History
from minidl.training.loop import run

_ROWS = 1024       # items that are judged at a time when nothing trains


def fit_critic(critic: Module, real: Any, fake: Any, optimizer: Optimizer, *, epochs: int, batch_size: int = 256,
               loss: str | Loss = "wasserstein", extras: Sequence[Extra] = (), schedules: Sequence[Schedule] = (),
               rng: Seed, **more: Any) -> History:
    """Train a critic to tell two fixed sets of items apart, (N, ...) and (M, ...); returns the history.

    The game without a generator: an epoch is a pass over `real`, and beside each batch stand as many items drawn from
    `fake`. With the Wasserstein loss and a slope that is bounded by 1, `score_gap` is then an estimate of the earth
    mover's distance of the sets; with another loss it is a discriminator that is trained. `loss`, `extras` and
    `schedules` are those of `train`, and `more` are keywords of `training.run`. The history's series are
    `discriminator`, `real` and `fake`; the critic is left in evaluation mode.

    A penalty does not bound the slope, it charges for it: where all of the earth goes the same way, by a distance d,
    the best critic is steeper than 1 by d / (2 weight), and so is the estimate.

    Raises FloatingPointError when the loss is no longer finite, and InputError for a critic that is no network, an
    optimiser of other parameters, sets whose items differ in shape, none at all, and what `training.run` refuses.

    Source: M. Arjovsky, S. Chintala and L. Bottou, "Wasserstein GAN", 2017, equation 2.
    """
    loss = loss_of("fit_critic", loss)
    check_switched("fit_critic", extras, schedules)
    game = _Sets(critic)
    real, fake = _items("fit_critic", real), _items("fit_critic", fake)
    if real.shape[1:] != fake.shape[1:]:
        raise InputError(f"fit_critic: both sets have items of one shape, (N, ...) and (M, ...), not {real.shape} and "
                         f"{fake.shape}")
    theirs = {p.birth for p in critic.parameters()}
    if not isinstance(optimizer, Optimizer) or not {p.birth for p in optimizer.params.values()} <= theirs:
        raise InputError(f"fit_critic: the optimizer has the critic's parameters, as optim.Adam(critic.parameters()), "
                         f"not {optimizer!r:.60}")
    check_count("fit_critic", "batch_size", batch_size)
    stream, others = RandomStream.of(rng, "fit_critic"), game.device.put(fake).astype(np.float32)
    xp = backend_of(others).xp

    def step(x: Tensor) -> dict[str, Any]:
        picked = xp.floor(stream.uniform((len(x),), others) * len(others)).astype(np.int64)
        losses = discriminator_turn(game, loss, (x,), x.data, (others[picked],), optimizer, extras)
        for schedule in schedules:
            schedule.step()
        return losses

    critic.train()
    parts: dict[str, Any] = {"critic": critic, "optimizer": optimizer, "stream": stream}
    parts |= {f"schedules.{i}": schedule for i, schedule in enumerate(schedules)}
    parts |= {f"extras.{i}": extra for i, extra in enumerate(extras) if hasattr(extra, "state_dict")}
    loader = Loader(real, batch_size=min(batch_size, len(real)), rng=stream, device=game.device)
    history = run(step, loader, parts, epochs=epochs, **more)
    critic.eval()
    return history


def score_gap(critic: Module, real: Any, fake: Any) -> float:
    """The mean score of one set less that of the other, items (N, ...) and (M, ...), in evaluation mode.

    Of a critic whose slope is at most 1 it is at most the earth mover's distance of the two, and of the best such
    critic it is that distance (Kantorovich and Rubinstein). Raises InputError for a critic that is no network, and
    sets without items.
    """
    game = _Sets(critic)
    means = []
    for x in (real, fake):
        scores = game.made_by(critic, game.device.put(_items("score_gap", x)).astype(game.like.dtype))
        means.append(float(scores.mean(dtype=np.float64)))
    return means[0] - means[1]


def slopes(critic: Module, x: Any) -> Array:
    """How steep the critic is at each item: the norm of its score's gradient, x (N, ...) -> (N,), in evaluation mode.

    Raises InputError for a critic that is no network, and what are no items.
    """
    game = _Sets(critic)
    x, was, found = game.device.put(_items("slopes", x)).astype(game.like.dtype), critic.training, []
    critic.eval()
    try:
        for rows in slices(len(x), _ROWS):
            points = Tensor(x[rows], requires_grad=True)
            gradient, = grad(ops.sum(game.judge((points,))[0]), [points])
            with no_grad():
                found.append(ops.norm(gradient.flatten(1), 1).data)
    finally:
        critic.train(was)
    return backend_of(x).xp.concatenate(found)


class _Sets(GAN):
    """A game whose generated items are given."""

    def __init__(self, critic: Module) -> None:
        super().__init__(Sequential(), critic, latent=1, rng=0)                            # it draws nothing
        if not critic.parameters():
            raise InputError(f"a critic has parameters, and {critic.describe():.60} has none")

    def fake(self, batch: Sight, z: Array) -> Sight:
        """The items beside the data."""
        return batch[1:]


def _items(who: str, x: Any) -> Array:
    """The array of a set of items (N, ...). Raises InputError, in `who`'s name, for none at all."""
    array = plain_array(who, array_of(x))
    if not array.ndim or not array.size:
        raise InputError(f"{who}: a set of items is an array (N, ...) of at least one, not of shape {array.shape}")
    return array
