"""Hacks that matter (slide 44), each to be switched on in any variant; and a later remedy for collapse."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minidl import ops
from minidl.adversarial.game import Extra, Turn
from minidl.backend import Array, backend_of
from minidl.optim import Optimizer, stepped
from minidl.rows import check_amount, check_count
from minidl.tensor import Tensor, grad


class FeatureMatching(Extra):
    """The generator shall match the mean of the discriminator's features, instead of fooling it.

    It pays `weight` times the squared distance between the means of `gan.features` over data and over what it made.
    Raises InputError for a weight below 0.

    Source: T. Salimans et al., "Improved techniques for training GANs", 2016, section 3.1.
    """

    replaces = True

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = check_amount("FeatureMatching", "weight", weight)

    def generator(self, turn: Turn) -> Tensor:
        """The squared distance of this turn's means."""
        means = [ops.mean(turn.gan.features(seen), 0) for seen in (turn.real, turn.fake)]
        return self.weight * ops.sum((means[0] - means[1])**2)


class HistoricalAveraging(Extra):
    """Each player pays `weight` times the squared distance of its parameters to their mean over all its past turns.

    Raises InputError for a weight below 0.

    Source: T. Salimans et al., "Improved techniques for training GANs", 2016, section 3.3.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = check_amount("HistoricalAveraging", "weight", weight)
        self.turns = {"discriminator": 0, "generator": 0}
        self.means: dict[str, list[Array]] = {"discriminator": [], "generator": []}

    def discriminator(self, turn: Turn) -> Tensor | None:
        """What the discriminator pays; its present parameters are taken into the mean."""
        return self._cost("discriminator", turn.gan.discriminator.parameters())

    def generator(self, turn: Turn) -> Tensor | None:
        """What the generator pays; its present parameters are taken into the mean."""
        return self._cost("generator", turn.gan.generator_parameters())

    def _cost(self, who: str, params: list[Tensor]) -> Tensor | None:
        self.turns[who] += 1
        past = self.means[who] = [p.device.put(m) for p, m in zip(params, self.means[who], strict=False)]
        if not past:
            self.means[who] = [p.data.copy() for p in params]
            return None
        apart = [ops.sum((p - Tensor(m.copy()))**2) for p, m in zip(params, past, strict=True)]
        for p, m in zip(params, past, strict=True):
            m += (p.data - m) / self.turns[who]
        return self.weight * ops.sum(ops.stack(apart))

    def state_dict(self) -> dict[str, Any]:
        """The means (copies on the host) and the numbers of turns."""
        return {"turns": dict(self.turns), "means": {
            who: [backend_of(m).to_host(m).copy() for m in means] for who, means in self.means.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.turns = {who: int(state["turns"][who]) for who in self.turns}
        self.means = {who: [a.copy() for a in state["means"][who]] for who in self.means}


class Unrolled(Extra):
    """The generator plays against the discriminator that `steps` steps of its optimiser from now would make.

    Its gradient goes through these steps: it sees how the discriminator will answer. The steps use this turn's items
    and are forgotten. Raises InputError for steps below 1, and an optimiser that `optim.stepped` does not know.

    Source: L. Metz et al., "Unrolled generative adversarial networks", 2017.
    """

    def __init__(self, steps: int = 5) -> None:
        self.steps = check_count("Unrolled", "steps", steps)

    def opponent(self, turn: Turn, optimizer: Optimizer) -> dict[str, Tensor]:
        """The discriminator's parameters after the steps, recorded as functions of what the generator made."""
        gan, state = turn.gan, None
        names = {p.birth: name for name, p in optimizer.params.items()}
        own = dict(gan.discriminator.named_parameters())
        params = {name: Tensor(p.data, requires_grad=True) for name, p in own.items()}
        for _ in range(self.steps):
            cost = ops.mean(turn.loss.real(gan.judge(turn.real, params)[0])) \
                + ops.mean(turn.loss.fake(gan.judge(turn.fake, params)[0]))
            gradients = grad(cost, list(params.values()), create_graph=True)
            after, state = stepped(optimizer, {names[own[name].birth]: p for name, p in params.items()}, gradients,
                                   state)
            params = dict(zip(params, after.values(), strict=True))
        return params
