"""The deep autoencoder (slides 8, 9, 17): an encoder, a narrow code, and a decoder that is its mirror image."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl import nn, ops
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.tensor import Tensor, no_grad

_ROWS = 2048       # rows that are encoded at a time when nothing is recorded: the widest layer stays small


class DeepAutoencoder(nn.Module):
    """Layers of the given widths down to the code, and the same widths back up.

    `sizes`: [inputs, hidden, ..., code]; [64, 128, 64, 10] becomes 64-128-64-10-64-128-64. Each hidden layer is
    followed by `activation()`; the code is linear, so that its numbers are free to take any value (slide 100: "linear
    units"). `output` says what the decoder's last numbers are: "linear", the data itself, trained by the squared
    error; or "logits" of values in [0, 1], trained by the binary cross-entropy, which does not fade where a logistic
    unit saturates.

    The four verbs `encode`, `decode`, `reconstruct` and `sample` take and give arrays, unrecorded and a few rows at a
    time; given a Tensor, the first three return a Tensor that is recorded. Called directly, the model gives the
    decoder's raw output.

    Raises InputError for fewer than two sizes, a size below 1, and an unknown `output`.

    Source: G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006.
    """

    def __init__(self, sizes: Sequence[int], *, rng: nn.init.Seed, output: str = "linear",
                 activation: Callable[[], nn.Module] = nn.ELU) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise InputError(f"DeepAutoencoder: sizes are the number of inputs, then the widths down to the code, such "
                             f"as [64, 128, 64, 10], each 1 or more; not {list(sizes)}")
        if output not in ("linear", "logits"):
            raise InputError(f"DeepAutoencoder: output is 'linear' or 'logits', not {output!r}")
        rng = np.random.default_rng(rng)
        self.sizes, self.output = [int(size) for size in sizes], output
        self.encoder = _stack(self.sizes, activation, rng)
        self.decoder = _stack(self.sizes[::-1], activation, rng)
        code = self.sizes[-1]
        self.code_mean = nn.Buffer(np.full(code, np.nan, np.float32))             # NaN until remember_codes()
        self.code_factor = nn.Buffer(np.full((code, code), np.nan, np.float32))

    def forward(self, x: Any) -> Tensor:
        return self.decoder(self.encoder(x))

    def loss(self, x: Any) -> Tensor:
        """What training makes small, per image: squared error, or cross-entropy in nats. x (B, inputs) -> scalar."""
        error = nn.mse_loss if self.output == "linear" else nn.binary_cross_entropy_with_logits
        return error(self(x), x, reduction="sum") * (1.0 / len(x))

    def encode(self, x: Any) -> Any:
        """Data to code: (N, inputs) -> (N, code). Raises InputError if x has another width."""
        return _apply(self.encoder, x, self.sizes[0], "encode")

    def decode(self, code: Any) -> Any:
        """Code to data: (N, code) -> (N, inputs), in [0, 1] if the output is logits."""
        y = _apply(self.decoder, code, self.sizes[-1], "decode")
        return ops.sigmoid(y) if self.output == "logits" else y

    def reconstruct(self, x: Any) -> Any:
        """Through the code and back: (N, inputs) -> (N, inputs)."""
        return self.decode(self.encode(x))

    def remember_codes(self, x: Array) -> None:
        """Fit the Gaussian that `sample` draws from to the codes of x (N, inputs), usually the training data.

        It becomes part of the model's state. Raises InputError for fewer than two rows.
        """
        if len(x) < 2:
            raise InputError(f"remember_codes: a Gaussian needs 2 or more rows, x has {len(x)}")
        codes = backend_of(x).to_host(self.encode(x)).astype(np.float64)
        mean = codes.mean(0)
        variances, axes = np.linalg.eigh((codes - mean).T @ (codes - mean) / (len(codes) - 1))
        factor = (axes * np.sqrt(np.maximum(variances, 0))).T                     # factor' factor = covariance
        for buffer, value in ((self.code_mean, mean), (self.code_factor, factor)):
            buffer.data[...] = buffer.device.put(value.astype(buffer.dtype))

    def sample(self, n: int, rng: int | np.random.Generator) -> Array:
        """n new images (n, inputs): codes drawn from the Gaussian of `remember_codes`, decoded.

        An autoencoder says nothing about where codes lie; a Gaussian with the mean and covariance of the training
        data's codes is the simplest guess. Where it is wrong the samples look wrong: the variational autoencoder
        (slides 23-27) trains the codes to fit it. Raises InputError before `remember_codes`.
        """
        mean, factor = self.code_mean.data, self.code_factor.data
        if backend_of(mean).xp.isnan(mean).any():
            raise InputError("sample: where codes lie is not known yet; after training, call remember_codes(x_train)")
        noise = np.random.default_rng(rng).standard_normal((n, self.sizes[-1]), dtype=np.float32)
        return self.decode(mean + self.code_mean.device.put(noise.astype(mean.dtype, copy=False)) @ factor)

    def describe(self) -> str:
        return f"DeepAutoencoder({'-'.join(map(str, self.sizes))}, output={self.output!r})"


def _stack(sizes: Sequence[int], activation: Callable[[], nn.Module], rng: np.random.Generator) -> nn.Sequential:
    """Linear layers of these sizes with an activation between each two."""
    layers: list[nn.Module] = []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(before, after, rng=rng), activation()]
    return nn.Sequential(*layers[:-1])


def _apply(network: nn.Module, x: Any, width: int, verb: str) -> Any:
    """A Tensor from a Tensor; an array from an array, without recording and a few rows at a time."""
    if x.ndim != 2 or x.shape[1] != width:
        raise InputError(f"{verb}: expected rows of {width} numbers, shape (N, {width}), not {x.shape}")
    if isinstance(x, Tensor):
        return network(x)
    xp = backend_of(x).xp
    with no_grad():
        parts = [network(Tensor(x[i:i + _ROWS])).data for i in range(0, max(len(x), 1), _ROWS)]
    return xp.concatenate(parts) if len(parts) > 1 else parts[0]
