"""The deep autoencoder (slides 8, 9, 17): an encoder, a narrow code, and a decoder that is its mirror image."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minidl import nn
from minidl.autoencoders.base import Autoencoder
from minidl.errors import InputError


class DeepAutoencoder(Autoencoder):
    """Layers of the given widths down to the code, and the same widths back up.

    `sizes`: [inputs, hidden, ..., code]; [64, 128, 64, 10] becomes 64-128-64-10-64-128-64. Each hidden layer is
    followed by `activation()`; the code is linear, so that its numbers are free to take any value (slide 100: "linear
    units"). `output` and the four verbs are those of every `Autoencoder`, for rows of numbers.

    Raises InputError for fewer than two sizes, a size below 1, and an unknown `output`.

    Source: G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006.
    """

    def __init__(self, sizes: Sequence[int], *, rng: nn.init.Seed, output: str = "linear",
                 activation: Callable[[], nn.Module] = nn.ELU) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise InputError(f"DeepAutoencoder: sizes are the number of inputs, then the widths down to the code, such "
                             f"as [64, 128, 64, 10], each 1 or more; not {list(sizes)}")
        rng = np.random.default_rng(rng)
        self.sizes = [int(size) for size in sizes]
        super().__init__(stack(self.sizes, activation, rng), stack(self.sizes[::-1], activation, rng),
                         input_shape=self.sizes[:1], code_shape=self.sizes[-1:], output=output)

    def describe(self) -> str:
        return f"DeepAutoencoder({'-'.join(map(str, self.sizes))}, output={self.output!r})"


def stack(sizes: Sequence[int], activation: Callable[[], nn.Module], rng: np.random.Generator) -> nn.Sequential:
    """Linear layers of these sizes with an activation between each two."""
    layers: list[nn.Module] = []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(before, after, rng=rng), activation()]
    return nn.Sequential(*layers[:-1])
