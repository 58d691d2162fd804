"""The deep autoencoder (slides 8, 9, 17): an encoder, a narrow code, and a decoder that is its mirror image."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import nn, ops
from minidl.autoencoders.base import Autoencoder
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.randomness import Seed, generator
from minidl.tensor import Parameter, Tensor


class DeepAutoencoder(Autoencoder):
    """Layers of the given widths down to the code, and the same widths back up.

    `sizes`: [inputs, hidden, ..., code]; [64, 128, 64, 10] becomes 64-128-64-10-64-128-64. Each hidden layer is
    followed by `activation()`; the code is linear, so that its numbers are free to take any value (slide 100: "linear
    units"), unless there is a `code_activation`. A `tied` decoder uses the encoder's weights, transposed, with biases
    of its own: half the parameters. `output` and the four verbs are those of every `Autoencoder`, for rows of numbers.

    Raises InputError for fewer than two sizes, a size below 1, and an unknown `output`.

    Source: G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006.
    """

    encoder: nn.Sequential
    decoder: nn.Sequential

    def __init__(self, sizes: Sequence[int], *, rng: Seed, output: str = "linear",
                 activation: nn.Activation = nn.ELU, code_activation: nn.Activation | None = None,
                 tied: bool = False) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise InputError(f"{type(self).__name__}: sizes are the number of inputs, then the widths down to the "
                             f"code, such as [64, 128, 64, 10], each 1 or more; not {list(sizes)}")
        rng = generator(rng, type(self).__name__)
        self.sizes, self.tied = [int(size) for size in sizes], tied
        encoder = nn.mlp(self.sizes, rng=rng, activation=activation, output_activation=code_activation)
        if tied:
            linear = [layer for layer in encoder if isinstance(layer, nn.Linear)]
            mirrored = [layer for tied_to in reversed(linear) for layer in (TiedLinear(tied_to), activation())]
            decoder = nn.Sequential(*mirrored[:-1])
        else:
            decoder = nn.mlp(self.sizes[::-1], rng=rng, activation=activation)
        super().__init__(encoder, decoder, input_shape=self.sizes[:1], code_shape=self.sizes[-1:], output=output)

    def describe(self) -> str:
        return (f"{type(self).__name__}({'-'.join(map(str, self.sizes))}, output={self.output!r}"
                f"{', tied' if self.tied else ''})")


class TiedLinear(nn.Module):
    """A Linear's way back, y @ weight' + bias with the same weight: (..., out_features) -> (..., in_features).

    The weight has one gradient, the sum over both uses. Raises InputError for rows of another width.
    """

    def __init__(self, linear: nn.Linear) -> None:
        self.weight = linear.weight
        self.bias = Parameter(np.zeros(linear.weight.shape[0], np.float32))

    def forward(self, y: Any) -> Tensor:
        self.expect(y, ..., "N", self.weight.shape[1])
        return ops.linear(y, ops.transpose(self.weight), self.bias)

    def describe(self) -> str:
        return f"TiedLinear({self.weight.shape[1]}, {self.weight.shape[0]})"


def start_centred(model: DeepAutoencoder, x: Array) -> None:
    """Give a fresh network initial values that suit x (N, inputs), some of its training data.

    With the usual ones a deep network of logistic units hardly learns: a unit's slope is 1/4 at most, and its output
    about 1/2 whatever it sees, so that layer by layer the differences between inputs fade beside a constant, and what
    comes out is the mean of the data. Here, one layer after the other, biases bring the mean of each unit's input to 0,
    and one factor for the layer's weights brings the standard deviation to 2 (to 1 before anything but a logistic
    unit), where the slope is steep and a unit's outputs differ. The output layer starts at the mean of the data. Tied
    weights have their size from the encoder.

    Source: the idea of D. Mishkin and J. Matas, "All you need is a good init", 2016.
    """
    xp = backend_of(x).xp
    mean = x.mean(0)
    if model.output == "logits":
        mean = xp.clip(mean, 0.01, 0.99)
        mean = xp.log(mean / (1.0 - mean))
    layers = [*model.encoder, *model.decoder]
    with no_grad():
        for layer, after in zip(layers, [*layers[1:], None], strict=True):
            if isinstance(layer, nn.Linear | TiedLinear):
                if isinstance(layer, nn.Linear) and after:
                    deviation = float((layer(Tensor(x)).data.std(0)).mean())
                    layer.weight.data *= (2.0 if isinstance(after, nn.Sigmoid) else 1.0) / (deviation or 1.0)
                assert layer.bias is not None
                layer.bias.data += (0.0 if after else mean) - layer(Tensor(x)).data.mean(0)
            x = layer(Tensor(x)).data
