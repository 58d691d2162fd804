"""What all autoencoders share: an encoder, a decoder, the loss, and the four verbs."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np

from minidl import nn, ops
from minidl.arguments import plain_array
from minidl.autoencoders.codes import CodeGaussian
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.modes import no_grad
from minidl.nn.losses import check_fractions
from minidl.randomness import Seed, generator
from minidl.rows import check_choice, slices
from minidl.tensor import Tensor

OUTPUTS = ("linear", "logits")
_ROWS = 2048       # items that go through at a time when nothing is recorded: the widest layer stays small


class EncoderDecoder(nn.Module):
    """An encoder and a decoder, and what all models that have both share.

    `input_shape` and `code_shape` are those of one item and its code. `output` says what the decoder's last numbers
    are: "linear", the data itself, compared by the squared error; or "logits" of values in [0, 1], compared by the
    binary cross-entropy, which does not fade where a logistic unit saturates.

    The verbs `encode`, `decode` and `reconstruct` take and give arrays, unrecorded and some items at a time; given a
    Tensor, they return a Tensor that is recorded. Called directly, the model gives the decoder's raw output.

    Raises InputError for an unknown `output`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, *, input_shape: Sequence[int], code_shape: Sequence[int],
                 output: str = "linear") -> None:
        check_choice(type(self).__name__, "output", output, OUTPUTS)
        self.input_shape, self.code_shape, self.output = tuple(input_shape), tuple(code_shape), output
        self.encoder, self.decoder = encoder, decoder
        self._looked_at_data = False

    def forward(self, x: Any) -> Tensor:
        """The decoder's raw output: x (B, *input_shape) -> (B, *input_shape), logits if the output is those."""
        return self.decoder(self.encoder(x))

    def check_data(self, x: Any) -> None:
        """Raise InputError for logits of data x (B, ...) outside [0, 1].

        It looks at the first batch alone, for a GPU is waited for.
        """
        if self.output == "logits" and not self._looked_at_data:
            check_fractions(type(self).__name__, x, wait=True)
            self._looked_at_data = True

    def encode(self, x: Any) -> Any:
        """Data to code: (N, *input_shape) -> (N, *code_shape). Raises InputError if x has another shape."""
        return apply(self.encoder, x, self.input_shape, "encode")

    def decode(self, code: Any) -> Any:
        """Code to data: (N, *code_shape) -> (N, *input_shape), in [0, 1] if the output is logits.

        Raises InputError if the code has another shape.
        """
        y = apply(self.decoder, code, self.code_shape, "decode")
        return ops.sigmoid(y) if self.output == "logits" else y

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`: (N, *input_shape) -> (N, *input_shape). Raises InputError if x has another shape."""
        return self.decode(self.encode(x))

    @property
    def device(self) -> Device:
        """Where the model's parameters are."""
        return self.parameters()[0].device

    @property
    def dtype(self) -> np.dtype:
        """That of the model's parameters."""
        return self.parameters()[0].dtype


class Autoencoder(EncoderDecoder):
    """An encoder and a decoder that are trained together to give back their input (slide 9).

    A subclass makes the two networks; shapes and `output` are EncoderDecoder's. The fourth verb, `sample`, draws codes
    like those that `remember_codes` has seen.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, *, input_shape: Sequence[int], code_shape: Sequence[int],
                 output: str = "linear") -> None:
        super().__init__(encoder, decoder, input_shape=input_shape, code_shape=code_shape, output=output)
        self.codes: CodeGaussian | None = None

    def loss(self, x: Any) -> Tensor:
        """What training makes small, per item: squared error, or cross-entropy in nats. x (B, ...) -> scalar."""
        return self.error(self(x), x)

    def error(self, raw: Any, x: Any) -> Tensor:
        """The decoder's raw output (B, ...) against x (B, ...): summed over an item, averaged over the items.

        Raises InputError for logits of data outside [0, 1]; on a GPU it looks at the first batch alone.
        """
        self.check_data(x)
        error = nn.mse_loss if self.output == "linear" else nn.binary_cross_entropy_with_logits
        return error(raw, x, reduction="sum") * (1.0 / len(x))

    def remember_codes(self, x: Array) -> None:
        """Fit the Gaussian that `sample` draws from, `codes`, to the codes of x (N, *input_shape).

        x is usually the training data. From then on the Gaussian is part of the model's state, and with a state it
        comes and goes: after `load_state_dict` of one without it the model has none, for the Gaussian before it was
        that of other weights' codes. Raises InputError for fewer than two items.
        """
        if len(x) < 2:
            raise InputError(f"remember_codes: a Gaussian needs 2 or more rows, x has {len(x)}")
        codes = backend_of(x).to_host(self.encode(x)).astype(np.float64).reshape(len(x), -1)
        gaussian = self.gaussian_of(codes)
        gaussian.to(self.device).astype(self.dtype)
        self.codes = gaussian

    def gaussian_of(self, codes: np.ndarray) -> CodeGaussian:
        """What `remember_codes` remembers of codes (N, size), N > 1."""
        return CodeGaussian.like(codes)

    def parts_of(self, names: Set[str]) -> dict[str, nn.Module | None]:
        if "code_mean" in names:
            raise InputError("this state is of an earlier version, where each model had code_mean and code_factor; "
                             "load a dict without them, and call remember_codes(x_train) again")
        if "codes.mean" not in names:
            return {"codes": None}
        size = math.prod(self.code_shape)
        return {"codes": CodeGaussian(np.zeros(size), np.zeros((size, size))).to(self.device).astype(self.dtype)}

    def sample(self, n: int, rng: Seed) -> Array:
        """n new items (n, *input_shape): codes drawn from the Gaussian of `remember_codes`, decoded.

        An autoencoder says nothing about where codes lie; a Gaussian with the mean and covariance of the training
        data's codes is the simplest guess. Where it is wrong the samples look wrong: the variational autoencoder
        (slides 23-27) trains the codes to fit it. Raises InputError before `remember_codes`.
        """
        return self.decode(self.draw_codes(n, generator(rng, f"{type(self).__name__}.sample")))

    def draw_codes(self, n: int, rng: Seed) -> Array:
        """n codes (n, *code_shape) from the Gaussian of `remember_codes`. Raises InputError before that."""
        if self.codes is None:
            raise InputError("sample: where codes lie is not known yet; after training, call remember_codes(x_train)")
        return self.codes.draw(n, generator(rng, f"{type(self).__name__}.draw_codes")).reshape(n, *self.code_shape)


def apply(network: Callable[..., Any], x: Any, shape: Sequence[int], verb: str, *beside: Array) -> Any:
    """A Tensor from a Tensor; an array from an array, without recording and some items at a time.

    Arrays `beside` it, each (N, ...), go to the network along with x. Raises InputError unless x is (N, *shape).
    """
    x = x if isinstance(x, Tensor) else plain_array(verb, x)
    if tuple(x.shape[1:]) != tuple(shape) or x.ndim != len(shape) + 1:
        wanted = f"rows of {shape[0]} numbers, shape (N, {shape[0]})" if len(shape) == 1 else \
            f"items of shape {tuple(shape)}, (N, {', '.join(map(str, shape))})"
        raise InputError(f"{verb}: expected {wanted}, not {tuple(x.shape)}")
    if isinstance(x, Tensor):
        return network(x, *beside)
    xp = backend_of(x).xp
    with no_grad():
        parts = [network(*(Tensor(array[some]) for array in (x, *beside))).data
                 for some in slices(max(len(x), 1), _ROWS)]
    return xp.concatenate(parts) if len(parts) > 1 else parts[0]
