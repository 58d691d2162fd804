"""The contractive autoencoder: its code moves as little as it can when the input moves."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidl import nn, ops
from minidl.autoencoders.deep import DeepAutoencoder
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.randomness import Seed
from minidl.rows import array_of
from minidl.tensor import Tensor, grad


class ContractiveAutoencoder(DeepAutoencoder):
    """A DeepAutoencoder whose loss adds `penalty` times the squared norm of the code's Jacobian, ||dh/dx||_F^2.

    The reconstruction needs a code that tells the data apart, the penalty wants one that does not move: what is left
    is a code that moves along the data's manifold (slide 4) and hardly across it. The decoder is tied unless told
    otherwise: else a smaller code and a decoder that magnifies it would satisfy both.

    The Jacobian is exact, by the chain rule from layer to layer, recorded to be differentiated again: of a deep encoder
    with a code of k numbers a training step costs up to 2 + k times that without a penalty. Other arguments are
    DeepAutoencoder's. Raises InputError for a penalty below 0.

    Source: S. Rifai et al., "Contractive auto-encoders: explicit invariance during feature extraction", 2011; there
    the encoder is one layer, `[inputs, code]` with `code_activation=nn.Sigmoid`.
    """

    def __init__(self, sizes: Sequence[int], *, rng: Seed, penalty: float = 0.1, output: str = "linear",
                 activation: nn.Activation = nn.ELU, code_activation: nn.Activation | None = None,
                 tied: bool = True) -> None:
        if not penalty >= 0.0:
            raise InputError(f"ContractiveAutoencoder: penalty is 0 or more, not {penalty}")
        super().__init__(sizes, rng=rng, output=output, activation=activation, code_activation=code_activation,
                         tied=tied)
        self.penalty = float(penalty)

    def loss(self, x: Any) -> Tensor:
        """The error plus the penalty, both averaged over the items x (B, inputs); in evaluation the error alone."""
        if not self.training or not self.penalty:
            return super().loss(x)
        code, rows = _code_and_rows(self.encoder, x)
        return self.error(self.decoder(code), x) + ops.sum(ops.square(rows)) * (self.penalty / len(x))


def _code_and_rows(encoder: nn.Sequential, x: Any) -> tuple[Tensor, Tensor]:
    """The code h (B, k) of x (B, d) and dh/dx (B, k, d), recorded: the chain rule, from the last layer to the first.

    Every layer is a Linear, or an activation, which acts on each number alone.
    """
    values = [Tensor(array_of(x))]
    for layer in encoder:
        values.append(layer(values[-1]))
    rows: Tensor | None = None
    outer: Any = 1.0                 # the slope of the code's own units, the same along a whole row, comes at the end
    for layer, before, after in reversed(list(zip(encoder, values, values[1:], strict=False))):
        if isinstance(layer, nn.Linear):
            back = ops.transpose(layer.weight)
            rows = back if rows is None else ops.linear(rows, back)                       # (B, k, out) -> (B, k, in)
        elif rows is None:
            outer = grad(ops.sum(after), before, create_graph=True)[:, :, None]
        else:
            rows = rows * grad(ops.sum(after), before, create_graph=True)[:, None]
    return values[-1], outer * rows


def jacobian(network: nn.Module, x: Any) -> Array:
    """How each output moves with each input, dy_j/dx_i, for each item: x (N, d) -> (N, outputs, d).

    Items must not depend on each other, as they do in batch normalisation's training.
    """
    x = array_of(x)
    xp, k = backend_of(x).xp, network(Tensor(x[:1])).shape[1]
    copies = Tensor(xp.repeat(x, k, axis=0), requires_grad=True)                             # (N, d) -> (N k, d)
    y = network(copies)                     # one backward pass, which starts at another output of each of k copies
    return grad(y, copies, xp.tile(xp.eye(k, dtype=y.dtype), (len(x), 1))).data.reshape(len(x), k, x.shape[1])
