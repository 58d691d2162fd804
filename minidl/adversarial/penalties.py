"""What bounds a critic's slope: clipped weights (slide 53), and penalties on its gradient (slides 60-63)."""
from __future__ import annotations

import warnings
from typing import Any

from minidl import ops
from minidl.adversarial.game import Extra, Turn
from minidl.adversarial.gan import Sight
from minidl.errors import InputError
from minidl.nn.normalization import BatchNorm
from minidl.optim.clipping import clip_weights_
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, check_amount, check_choice
from minidl.tensor import Tensor, grad

PLACES = ("between", "real", "fake")


class GradientPenalty(Extra):
    """`weight` times the mean of (|gradient| - target)^2, the gradient of the critic's score for what it sees.

    `at` says where: at random points "between" pairs of real and generated items (WGAN-GP), or at the "real" or "fake"
    ones; R1 of Mescheder et al. (2018) is `GradientPenalty(gamma / 2, target=0, at="real", rng=0)`. `one_sided` counts
    only slopes above the target. The gradient is always recorded, so that its gradient is there. What both
    sides share, as labels beside the data, is held: it has no slope.

    Warns (RuntimeWarning) where the critic has batch normalisation: a score then depends on the other items, and a
    gradient for each item alone does not exist. Raises InputError for a negative weight or target and another `at`.

    Source: I. Gulrajani et al., "Improved training of Wasserstein GANs", 2017, equation 3.
    """

    def __init__(self, weight: float = 10.0, *, target: float = 1.0, at: str = "between", one_sided: bool = False,
                 rng: Seed) -> None:
        self.weight = check_amount("GradientPenalty", "weight", weight)
        self.target = check_amount("GradientPenalty", "target", target)
        check_choice("GradientPenalty", "at", at, PLACES)
        check_choice("GradientPenalty", "one_sided", one_sided, (True, False))
        self.at, self.one_sided = at, one_sided
        self.stream = RandomStream.of(rng, "GradientPenalty")
        self._warned = False

    def discriminator(self, turn: Turn) -> Tensor:
        """The penalty at this turn's items."""
        if not self._warned and any(isinstance(m, BatchNorm) for _, m in turn.gan.discriminator.named_modules()):
            warnings.warn("GradientPenalty: the critic has batch normalisation, so that a score depends on the other "
                          "items and has no slope of its own; nn.LayerNorm or none fits", RuntimeWarning, stacklevel=2)
            self._warned = True
        size = self.norms(turn) - self.target
        return self.weight * ops.mean((ops.relu(size) if self.one_sided else size)**2)

    def norms(self, turn: Turn) -> Tensor:
        """The slopes, recorded: (N,) numbers, one for each score."""
        points = self._points(turn)
        inputs = [part for part in points if isinstance(part, Tensor) and part.requires_grad]
        scores, _ = turn.gan.judge(points)
        gradients = grad(ops.sum(scores), inputs, create_graph=True)
        together = ops.concatenate([g.flatten(1) for g in gradients], 1)
        return ops.norm(ops.reshape(together, (len(scores), -1)), 1)      # of a pack, for all the items that it judges

    def _points(self, turn: Turn) -> Sight:
        first = array_of(turn.real[0])
        share = self.stream.uniform((len(first),), first) if self.at == "between" else float(self.at == "real")
        return tuple(a if a is b else _between(share, array_of(a), array_of(b))
                     for a, b in zip(turn.real, turn.fake, strict=True))

    def random_streams(self) -> list[RandomStream]:
        """The stream from which the points are drawn."""
        return [self.stream]

    def state_dict(self) -> dict[str, Any]:
        """Nothing but that it is one: the stream is saved beside it."""
        return {"penalty": type(self).__name__}

    def load_state_dict(self, state: Any) -> None:
        """Take over a state. Raises InputError for that of another Extra."""
        if state.get("penalty") != type(self).__name__:
            raise InputError(f"it is of another extra, not of a {type(self).__name__}")


class Drift(Extra):
    """`weight` times the mean square of the scores of data: it keeps them near 0 (Karras et al. 2018, appendix A.1).

    Raises InputError for a weight below 0.
    """

    def __init__(self, weight: float = 1e-3) -> None:
        self.weight = check_amount("Drift", "weight", weight)

    def discriminator(self, turn: Turn) -> Tensor:
        """The cost of this turn's scores."""
        assert turn.real_scores is not None
        return self.weight * ops.mean(turn.real_scores**2)


class WeightClipping(Extra):
    """After each step the critic's parameters are brought into [-value, value] (slide 53).

    Raises InputError for a value that is not above 0.
    """

    def __init__(self, value: float = 0.01) -> None:
        self.value = check_amount("WeightClipping", "value", value, positive=True)

    def stepped(self, turn: Turn) -> None:
        """Clip."""
        clip_weights_(turn.gan.discriminator.parameters(), self.value)


def _between(share: Any, real: Any, fake: Any) -> Tensor:
    """Points that are `share`, one number or (N,), real, and wait for a gradient: (N, ...)."""
    if not isinstance(share, float):
        share = share.reshape(-1, *[1] * (real.ndim - 1))
    return Tensor(share * real + (1.0 - share) * fake, requires_grad=True)
