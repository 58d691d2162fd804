"""Noise on the gradients, between `backward` and `step`."""
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from minidl.errors import InputError
from minidl.optim.base import at_least_zero
from minidl.optim.state import checked_state
from minidl.randomness import RandomStream, Seed
from minidl.tensor import Tensor


class GradientNoise:
    """Add normal noise of variance eta / (1 + t)^gamma to all gradients; t counts the calls (Neelakantan et al. 2015).

    The paper's eta, 0.01 to 1, is for plain gradient descent; with Adam begin near 1e-4. Call it with the parameters,
    or hand it to `training.fit(gradients=[...])`, whose checkpoints keep its state. Raises InputError for an eta below
    0.
    """

    def __init__(self, eta: float = 0.01, *, gamma: float = 0.55, rng: Seed) -> None:
        self.eta = at_least_zero("GradientNoise: eta, the first variance,", eta)
        self.gamma, self.t = at_least_zero("GradientNoise: gamma", gamma), 0
        self.stream = RandomStream.of(rng, "GradientNoise")

    def __call__(self, params: Iterable[Tensor]) -> None:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise InputError("GradientNoise: give it a list of parameters, such as model.parameters()")
        params = list(params)
        for p in params:
            if not isinstance(p, Tensor):
                raise InputError(f"GradientNoise: it takes parameters, not {type(p).__name__}")
        deviation = math.sqrt(self.eta / (1 + self.t) ** self.gamma)
        self.t += 1
        for p in params:
            if p.grad is not None:
                p.grad.data += self.stream.normal(p.shape, like=p.grad.data) * deviation

    def __repr__(self) -> str:
        return f"GradientNoise(eta={self.eta:g}, gamma={self.gamma:g})"

    def random_streams(self) -> list[RandomStream]:
        """The stream that it draws from, as a Module tells its own."""
        return [self.stream]

    def state_dict(self) -> dict[str, Any]:
        """The number of calls; the stream has a state of its own."""
        return {"t": self.t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave. Raises InputError if it is another's."""
        self.t = checked_state("the state of a GradientNoise", self.state_dict(), state)["t"]
