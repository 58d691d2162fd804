"""The game: two players that take turns in the one loop (slide 29), and what may be switched on in any variant."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from minidl import ops
from minidl.adversarial.gan import GAN, Sight
from minidl.adversarial.losses import Loss, loss_of
from minidl.backend import Array
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.optim import EMA, Optimizer
from minidl.rows import check_count
from minidl.tensor import Tensor
from minidl.training.history import History
from minidl.training.loop import Batched, run


@dataclass
class Turn:
    """One player's turn, as an Extra sees it: what the discriminator saw and said, of data and of the generator."""

    gan: GAN
    loss: Loss
    batch: Sight
    z: Array
    real: Sight
    fake: Sight
    real_scores: Tensor | None = None        # in the generator's turn only if a variant needs them
    fake_scores: Tensor | None = None
    real_more: Sight = ()                    # what else the discriminator said
    fake_more: Sight = ()


class Extra:
    """What is switched on beside the losses; each method may be left as it is.

    `replaces`: whether the generator pays for `generator` alone, and not for the scores. An Extra that has a state
    (`state_dict`, `load_state_dict`), or a random stream, has it saved and restored with the run.
    """

    replaces = False

    def discriminator(self, turn: Turn) -> Tensor | None:
        """What the discriminator pays besides: one number."""
        return None

    def generator(self, turn: Turn) -> Tensor | None:
        """What the generator pays besides: one number."""
        return None

    def stepped(self, turn: Turn) -> None:
        """After the discriminator's step."""

    def opponent(self, turn: Turn, optimizer: Optimizer) -> dict[str, Tensor] | None:
        """The discriminator's parameters that the generator plays against, by name; None for the present ones."""
        return None


def train(gan: GAN, loader: Batched, optimizer_g: Optimizer, optimizer_d: Optimizer, *, epochs: int,
          loss: str | Loss = "non-saturating", d_steps: int = 1, extras: Sequence[Extra] = (),
          schedules: Sequence[Any] = (), average: EMA | None = None, **more: Any) -> History:
    """Let the two play over the loader's batches, x or (x, y); returns the history, with the losses of both.

    A step is the discriminator's turn, then, in every `d_steps`-th, the generator's, against the discriminator as it is
    now. Both judge the same generated items: one pass of the generator a step. `loss` is one of `LOSSES` by name, or a
    Loss. `extras` are penalties, clipping and the hacks of slide 44. `schedules`, of rates or of how far a layer has
    faded in, are stepped after each batch. `average`, an `optim.EMA(gan.generator)`, is what the generator holds at the
    end. `more` are the keywords of `training.run`: `checkpoint` resumes both players, their optimisers, noise and turns
    bit for bit.

    The history's series are `discriminator` and `generator`, and `real` and `fake`, the mean scores. The networks are
    left in evaluation mode.

    Raises FloatingPointError when a loss is no longer finite (the checkpoint is then of the last epoch before), and
    InputError for optimisers that are not of their player, an average that is not of the generator, data that the
    generator could never make, and what `training.run` refuses.
    """
    loss = loss_of("adversarial.train", loss)
    check_count("adversarial.train", "d_steps", d_steps)
    _check_players(gan, optimizer_g, optimizer_d, average)
    check_switched("adversarial.train", extras, schedules)
    turns = _Turns()

    def step(given: Any) -> dict[str, Any]:
        batch = given if isinstance(given, tuple) else (given,)
        if not turns.taken:
            gan.check_data(batch)
        if not gan.training:
            gan.train()
        turns.taken += 1
        generators = turns.taken % d_steps == 0
        z = gan.noise(len(batch[0]))
        with nullcontext() if generators else no_grad():
            made = gan.fake(batch, z)
        losses = discriminator_turn(gan, loss, batch, z, made, optimizer_d, extras)
        if generators:
            losses["generator"] = _generator_turn(gan, loss, batch, z, made, optimizer_g, optimizer_d, extras)
            if average is not None:
                average.update()
        for schedule in schedules:
            schedule.step()
        return losses

    parts: dict[str, Any] = {"gan": gan, "optimizer_g": optimizer_g, "optimizer_d": optimizer_d, "turns": turns,
                             "average": average}
    parts |= {f"schedules.{i}": schedule for i, schedule in enumerate(schedules)}
    parts |= {f"extras.{i}": extra for i, extra in enumerate(extras) if hasattr(extra, "state_dict")}
    history = run(step, loader, {name: part for name, part in parts.items() if part is not None}, epochs=epochs, **more)
    if average is not None:
        average.apply()
    gan.eval()
    return history


def discriminator_turn(gan: GAN, loss: Loss, batch: Sight, z: Array, made: Sight, optimizer: Optimizer,
                       extras: Sequence[Extra]) -> dict[str, Any]:
    """The discriminator's step on a batch (N, ...) and what was made beside it; returns loss and mean scores, 0-d."""
    with no_grad():
        real = gan.real(batch)
    turn = Turn(gan, loss, batch, z, real, tuple(part.detach() if isinstance(part, Tensor) else part for part in made))
    turn.real_scores, turn.real_more = gan.judge(turn.real)
    turn.fake_scores, turn.fake_more = gan.judge(turn.fake)
    cost = ops.mean(loss.real(turn.real_scores)) + ops.mean(loss.fake(turn.fake_scores))
    total = _sum([cost, *(extra.discriminator(turn) for extra in extras)])
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    for extra in extras:
        extra.stepped(turn)
    return {"discriminator": cost.data, "real": turn.real_scores.data.mean(), "fake": turn.fake_scores.data.mean()}


def _generator_turn(gan: GAN, loss: Loss, batch: Sight, z: Array, made: Sight, optimizer: Optimizer,
                    optimizer_d: Optimizer, extras: Sequence[Extra]) -> Any:
    turn = Turn(gan, loss, batch, z, gan.real(batch), made)
    with gan.discriminator.frozen():
        turn.fake_scores, turn.fake_more = gan.judge(made, _opponent(turn, optimizer_d, extras))
        cost = ops.mean(loss.fool(turn.fake_scores))
        if any(isinstance(part, Tensor) and part.requires_grad for part in turn.real):     # an encoder made it
            turn.real_scores, turn.real_more = gan.judge(turn.real)
            cost = cost + ops.mean(loss.hide(turn.real_scores))
        added = [extra.generator(turn) for extra in extras]
    replaced = any(extra.replaces for extra in extras)
    total = _sum(added if replaced else [cost, *added])
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return cost.data


def _opponent(turn: Turn, optimizer: Optimizer, extras: Sequence[Extra]) -> dict[str, Tensor] | None:
    found = [params for extra in extras if (params := extra.opponent(turn, optimizer)) is not None]
    return found[-1] if found else None


def _sum(costs: Sequence[Tensor | None]) -> Tensor:
    """What a player pays in all; an Extra may give None."""
    first, *others = (cost for cost in costs if cost is not None)
    for cost in others:
        first = first + cost
    return first


def check_switched(who: str, extras: Any, schedules: Any) -> None:
    """Raise InputError, in `who`'s name, unless these are lists of Extras and of what has a step, but no optimisers."""
    for name, given, fits, such in (
            ("extras", extras, lambda one: isinstance(one, Extra), "[GradientPenalty(rng=0)]"),
            ("schedules", schedules, lambda one: hasattr(one, "step") and not isinstance(one, Optimizer),
             "[optim.LinearLR(optimizer, 1.0, 0.0, 500)]")):
        if not isinstance(given, list | tuple) or not all(map(fits, given)):
            raise InputError(f"{who}: {name} are a list, such as {such}, not {given!r:.60}")


def _check_players(gan: Any, optimizer_g: Any, optimizer_d: Any, average: Any) -> None:
    if not isinstance(gan, GAN):
        raise InputError(f"adversarial.train: trains a GAN, not a {type(gan).__name__}")
    theirs = {p.birth for p in gan.discriminator.parameters()}
    for name, optimizer, own in (("optimizer_g", optimizer_g, False), ("optimizer_d", optimizer_d, True)):
        births = {p.birth for p in optimizer.params.values()} if isinstance(optimizer, Optimizer) else set()
        if not births or (births <= theirs) is not own or (births & theirs and not own):
            made = "gan.discriminator" if own else "gan.generator"
            raise InputError(f"adversarial.train: {name} has the parameters of the "
                             f"{'discriminator' if own else 'generator'} alone, as optim.Adam({made}.parameters())")
    if average is not None and getattr(average, "model", None) is not gan.generator:
        raise InputError("adversarial.train: average is of the generator, optim.EMA(gan.generator)")


class _Turns:
    """How many turns the discriminator has had: a part of the run."""

    def __init__(self) -> None:
        self.taken = 0

    def state_dict(self) -> dict[str, int]:
        return {"taken": self.taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.taken = int(state["taken"])
