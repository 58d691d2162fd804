"""The denoising autoencoder: it is given a damaged input, and has to give back the clean one."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl import nn
from minidl.autoencoders.deep import DeepAutoencoder
from minidl.backend import Array
from minidl.errors import InputError
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of
from minidl.tensor import Tensor


def _masking(x: Any, amount: float, stream: RandomStream) -> Any:
    return x * (_uniform(x, stream) >= amount).astype(x.dtype)


def _gaussian(x: Any, amount: float, stream: RandomStream) -> Any:
    return x + amount * stream.normal(x.shape, like=array_of(x))


def _salt_and_pepper(x: Any, amount: float, stream: RandomStream) -> Any:
    u = _uniform(x, stream)
    return x * (u >= amount).astype(x.dtype) + (u < 0.5 * amount).astype(x.dtype)


CORRUPTIONS: dict[str, Callable[[Any, float, RandomStream], Any]] = {
    "masking": _masking, "gaussian": _gaussian, "salt-and-pepper": _salt_and_pepper}


class DenoisingAutoencoder(DeepAutoencoder):
    """A DeepAutoencoder that is trained to undo `corruption`, so that copying its input is no use to it.

    Training damages each input anew and compares what comes out with the clean input: the network must know what data
    look like, even if its code is wider than the input. The verbs take their input as it is.

    | corruption | what it does | `amount` |
    |---|---|---|
    | "masking" | numbers become 0 | their share |
    | "salt-and-pepper" | numbers become 0 or 1, the one as often as the other | their share |
    | "gaussian" | a normal number is added | its standard deviation |

    The noise is drawn from the model's stream, which a checkpoint saves. Other arguments are DeepAutoencoder's. Raises
    InputError for an unknown corruption, a share outside [0, 1) and a deviation below 0.

    Source: P. Vincent et al., "Stacked denoising autoencoders", 2010, section 3.3.
    """

    def __init__(self, sizes: Sequence[int], *, rng: Seed, corruption: str = "masking", amount: float = 0.3,
                 output: str = "linear", activation: nn.Activation = nn.ELU,
                 code_activation: nn.Activation | None = None, tied: bool = False) -> None:
        if corruption not in CORRUPTIONS:
            raise InputError(f"DenoisingAutoencoder: corruption is one of {', '.join(CORRUPTIONS)}, not {corruption!r}")
        if not 0.0 <= amount < (np.inf if corruption == "gaussian" else 1.0):
            raise InputError("DenoisingAutoencoder: amount is " + (
                "a standard deviation of 0 or more" if corruption == "gaussian" else "a share from 0 to below 1")
                + f", not {amount}")
        stream = RandomStream.of(rng, "DenoisingAutoencoder")
        super().__init__(sizes, rng=stream, output=output, activation=activation, code_activation=code_activation,
                         tied=tied)
        self.corruption, self.amount, self.stream = corruption, float(amount), stream

    def corrupt(self, x: Any) -> Any:
        """A damaged copy of x, drawn anew each time: (B, ...) -> (B, ...)."""
        return CORRUPTIONS[self.corruption](x, self.amount, self.stream)

    def loss(self, x: Any) -> Tensor:
        """The error of what is made of the damaged x against x (B, inputs) itself; in evaluation x stays as it is."""
        return self.error(self(self.corrupt(x) if self.training else x), x)


def _uniform(x: Any, stream: RandomStream) -> Array:
    return stream.uniform(x.shape, like=array_of(x))
