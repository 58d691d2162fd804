"""CycleGAN (slides 49-52): two domains of images without pairs, translated there and back."""
from __future__ import annotations

from typing import Any

from minidl import ops
from minidl.adversarial.game import Extra, Turn
from minidl.adversarial.gan import GAN, Sight, check_range
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.nn.module import Module, functional_call
from minidl.rows import check_amount, check_choice
from minidl.tensor import Tensor


class CycleGAN(GAN):
    """Translators between the domains a and b, and a judge for each domain: use with the Extra `Cycle`.

    `to_a` takes items of b (N, ...) and gives such of a, `to_b` the other way; `judge_a` and `judge_b` give each item
    of their domain a score, (N,) or (N, 1). The data are batches (a, b) of equal length, which nothing pairs:
    `data.Loader(a, b, ...)` puts items of both domains together in whatever order they are given, so that pairs that
    are ones are to be shuffled before. The scores of both judges are one row (2 N,), of which the losses take the mean.

    `translate` is what it is for; there is no noise, so that `sample` and `decode` raise InputError.

    Raises InputError for translators and judges that are no networks, batches without the second domain, and data
    outside the range of a translator's last layer.

    Source: J.-Y. Zhu, T. Park, P. Isola and A. Efros, "Unpaired image-to-image translation using cycle-consistent
    adversarial networks", 2017.
    """

    def __init__(self, to_a: Module, to_b: Module, judge_a: Module, judge_b: Module) -> None:
        for what, network in (("to_a", to_a), ("to_b", to_b), ("judge_a", judge_a), ("judge_b", judge_b)):
            if not isinstance(network, Module):
                raise InputError(f"CycleGAN: {what} is a network, an nn.Module, not {network!r:.60}")
        super().__init__(_Translators(to_a, to_b), _Judges(judge_a, judge_b), latent=1, rng=0)      # it draws nothing

    def noise(self, n: int) -> Array:
        """None: rows without numbers, (n, 0)."""
        like = self.like
        return backend_of(like).xp.zeros((n, 0), like.dtype)

    def real(self, batch: Sight) -> Sight:
        """The items of both domains, (a, b)."""
        if len(batch) != 2:
            raise InputError("CycleGAN: learns from two domains, data.Loader(a, b, ...); these batches have one")
        return tuple(part if isinstance(part, Tensor) else Tensor(part) for part in batch)

    def fake(self, batch: Sight, z: Array) -> Sight:
        """What the translators make of the other domain's items, (to_a(b), to_b(a))."""
        a, b = self.real(batch)
        return self.generator(b, a)

    def judge(self, seen: Sight, params: dict[str, Tensor] | None = None) -> tuple[Tensor, Sight]:
        """Both judges' scores, (2 N,), those of the domain a first."""
        return (self.discriminator(*seen) if params is None else functional_call(self.discriminator, params, *seen)), ()

    def check_data(self, batch: Sight) -> None:
        """Raise InputError for data that the translators could never make."""
        for translator, x in zip((self.to_a, self.to_b), self.real(batch), strict=True):
            check_range("CycleGAN", translator, x)

    @property
    def to_a(self) -> Module:
        """The translator of items of b."""
        return dict(self.generator.children())["to_a"]

    @property
    def to_b(self) -> Module:
        """The translator of items of a."""
        return dict(self.generator.children())["to_b"]

    def translate(self, x: Any, to: str) -> Array:
        """Items of one domain as such of the domain `to`, "a" or "b": (N, ...) -> (N, ...)."""
        check_choice("CycleGAN.translate", "to", to, ("a", "b"))
        return self.made_by(self.to_a if to == "a" else self.to_b, x)

    def describe(self) -> str:
        return "CycleGAN()"


class Cycle(Extra):
    """What comes of a way there and back shall be what it was, and what is of a domain already shall stay.

    The generators pay `weight` times mean |to_a(to_b(a)) - a| + |to_b(to_a(b)) - b|, and `identity` times mean
    |to_a(a) - a| + |to_b(b) - b|; the latter needs domains of equal shape. The paper has 10, and 5 or none.
    Raises InputError for negative weights, and a model that is no CycleGAN.

    Source: Zhu et al. 2017, equation 2 and section 5.2.
    """

    def __init__(self, weight: float = 10.0, identity: float = 0.0) -> None:
        self.weight = check_amount("Cycle", "weight", weight)
        self.identity = check_amount("Cycle", "identity", identity)

    def generator(self, turn: Turn) -> Tensor:
        """The cost of this turn's items."""
        if not isinstance(turn.gan, CycleGAN):
            raise InputError(f"Cycle: is of a CycleGAN, not of a {type(turn.gan).__name__}")
        both, real = turn.gan.generator, turn.real
        cost = self.weight * _apart(both(turn.fake[1], turn.fake[0]), real)
        return cost + self.identity * _apart(both(*real), real) if self.identity else cost


class _Translators(Module):
    """(b, a) -> (to_a(b), to_b(a))."""

    def __init__(self, to_a: Module, to_b: Module) -> None:
        self.to_a, self.to_b = to_a, to_b

    def forward(self, b: Any, a: Any = None) -> tuple[Tensor, Tensor]:
        if a is None:
            raise InputError('CycleGAN: it makes nothing of noise; model.translate(x, to="b") makes b of items of a')
        return self.to_a(b), self.to_b(a)


class _Judges(Module):
    """(a, b) -> the scores of both, (2 N,)."""

    def __init__(self, judge_a: Module, judge_b: Module) -> None:
        self.judge_a, self.judge_b = judge_a, judge_b

    def forward(self, a: Any, b: Any) -> Tensor:
        scores = [judge(x) for judge, x in ((self.judge_a, a), (self.judge_b, b))]
        if any(score.size != len(x) for score, x in zip(scores, (a, b), strict=True)):
            raise InputError(f"CycleGAN: judges give one score for each of {len(a)} items, not "
                             f"{' and '.join(str(score.shape) for score in scores)}")
        return ops.concatenate([ops.reshape(score, (-1,)) for score in scores])


def _apart(made: Sight, wanted: Sight) -> Tensor:
    return ops.mean(ops.abs(made[0] - wanted[0])) + ops.mean(ops.abs(made[1] - wanted[1]))
