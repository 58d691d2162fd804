"""The variational autoencoder of dense layers (slides 24-27)."""
from __future__ import annotations

from collections.abc import Sequence

from minidl import nn
from minidl.arguments import is_whole
from minidl.errors import InputError
from minidl.randomness import RandomStream, Seed
from minidl.variational.base import VariationalAutoencoder, WarmUp


class VAE(VariationalAutoencoder):
    """Dense layers of the given widths down to the codes' distribution, and the same widths back up.

    `sizes`: [inputs, hidden, ..., code]; VAE([784, 400, 20], rng=0) is the usual one for MNIST. Each hidden layer is
    followed by `activation()`. `output`, `sd`, `classes`, `beta`, `k` and the verbs are VariationalAutoencoder's, for
    rows of numbers. Raises InputError for fewer than two sizes and sizes below 1.
    """

    def __init__(self, sizes: Sequence[int], *, rng: Seed, output: str = "logits", sd: float | None = 1.0,
                 classes: int = 0, beta: float | WarmUp = 1.0, k: int = 1, activation: nn.Activation = nn.ReLU) -> None:
        if not isinstance(sizes, list | tuple) or len(sizes) < 2 or not all(is_whole(size, 1) for size in sizes):
            raise InputError("VAE: sizes are the number of inputs, then the widths down to the code, such as "
                             f"[784, 400, 20], each 1 or more; not {sizes!r:.60}")
        if not is_whole(classes):
            raise InputError(f"VAE: classes is a whole number of at least 0, not {classes!r:.60}")
        stream = RandomStream.of(rng, "VAE")
        inputs, *hidden, code = self.sizes = [int(size) for size in sizes]
        super().__init__(nn.mlp([inputs + classes, *hidden, 2 * code], rng=stream, activation=activation),
                         nn.mlp([code + classes, *hidden[::-1], inputs], rng=stream, activation=activation),
                         input_shape=[inputs], code=code, rng=stream, output=output, sd=sd, classes=classes, beta=beta,
                         k=k)

    def describe(self) -> str:
        return (f"VAE({'-'.join(map(str, self.sizes))}, output={self.output!r}"
                f"{f', {self.classes} classes' if self.classes else ''})")
