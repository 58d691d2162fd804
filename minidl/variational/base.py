"""What all variational autoencoders share: the bound, the noise, the labels, the likelihood, and the four verbs."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl import nn, ops
from minidl.autoencoders.base import EncoderDecoder, apply
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.randomness import RandomStream, Seed, generator
from minidl.rows import array_of, check_amount, check_count, slices
from minidl.tensor import Parameter, Tensor, broadcast_to

_PAIRS = 4096              # of an item and a code that go through the decoder at a time when nothing is recorded
_LOG_2PI = math.log(2.0 * math.pi)


class WarmUp(nn.Module):
    """A weight for the KL divergence that grows from 0 to `beta` in equal steps, over the first `steps` batches.

    A code that costs from the start is given up before the decoder has learned to use it (Bowman et al. 2016). The
    count is part of the model's state: a run that stopped goes on where it was. In evaluation it is `beta`. Raises
    InputError for steps that are no whole number of at least 1, and a beta that is not finite or below 0.
    """

    def __init__(self, steps: int, *, beta: float = 1.0) -> None:
        self.steps, self.beta = check_count("WarmUp", "steps", steps), check_amount("WarmUp", "beta", beta)
        self.batches = nn.Buffer(np.zeros(1, np.float32))

    def forward(self) -> Any:
        """The weight for the next batch, an array (1,); in training it counts that batch."""
        xp, count = backend_of(self.batches.data).xp, self.batches.data
        if not self.training:
            return xp.full_like(count, self.beta)
        weight = xp.minimum(count * (self.beta / self.steps), self.beta)
        self.batches.data = count + 1.0
        return weight

    def describe(self) -> str:
        return f"WarmUp({self.steps}, beta={self.beta:g})"


class VariationalAutoencoder(EncoderDecoder):
    """A decoder that makes data of codes z ~ N(0, 1), and an encoder that says which codes fit some data (slide 24).

    For each item the encoder gives a normal distribution of codes, q(z | x): a mean and a log variance for each of the
    code's numbers. The decoder gives p(x | z): for `output` "logits" the probability that each number is 1 (values
    between 0 and 1 count as such, too); for "linear" a normal distribution around its output, whose standard deviation
    is `sd`, or is learned if `sd` is None. Training maximises the evidence lower bound,

        log p(x) >= E_q[log p(x | z)] - KL(q(z | x) || p(z)),

    in nats per item. Its first term is estimated with one code z = mean + sd * noise, of noise drawn anew for each item
    and batch (slide 27); the second has a closed form (slide 25). `beta` weighs the KL divergence; it is a number
    (Higgins et al. 2017) or a WarmUp. With `k` > 1 training maximises the tighter importance-weighted bound of k codes.

    With `classes`, it is a conditional model p(x | y): encoder and decoder see the label y (Sohn et al. 2015), and all
    methods take y, labels (N,) or one for all items.

    `encoder` is a network (B, *input_shape) -> (B, 2 * code), means and then log variances; `decoder` goes from
    (B, code) to (B, *input_shape). Each sees `classes` more numbers along its last axis. The noise comes from the
    model's stream, which a checkpoint saves.

    Raises InputError for settings of another kind, networks that do not fit, data outside [0, 1] for logits, labels
    for a model without, and none for one with them.

    Source: D. Kingma and M. Welling, "Auto-encoding variational Bayes", 2014; D. Rezende, S. Mohamed and D. Wierstra,
    2014.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, *, input_shape: Sequence[int], code: int, rng: Seed,
                 output: str = "logits", sd: float | None = 1.0, classes: int = 0, beta: float | WarmUp = 1.0,
                 k: int = 1) -> None:
        name = type(self).__name__
        super().__init__(encoder, decoder, input_shape=input_shape, code_shape=[check_count(name, "code", code)],
                         output=output)
        self.classes = check_count(name, "classes", classes, least=0)
        self.k = check_count(name, "k, the number of codes,", k)
        self.beta = beta if isinstance(beta, WarmUp) else check_amount(name, "beta", beta)
        if self.k > 1 and self.beta != 1.0:
            raise InputError(f"{name}: the importance-weighted bound of k = {k} codes has no KL divergence to be "
                             f"weighed; leave beta at 1, or k")
        self.stream = RandomStream.of(rng, name)
        if output == "linear":
            log_variance = np.full(1, 2.0 * math.log(check_amount(name, "sd", 1.0 if sd is None else sd, True)))
            self.log_variance = (Parameter if sd is None else nn.Buffer)(log_variance.astype(np.float32))

    # The bound --------------------------------------------------------------------------------------------------------

    def posterior(self, x: Any, y: Any = None) -> tuple[Tensor, Tensor]:
        """q(z | x): means and log variances, each (B, code), for x (B, *input_shape). Raises InputError as `loss`."""
        x = _tensor(x)
        return self._gaussian(x, *self._one_hot(y, x))

    def draw(self, mean: Any, log_variance: Any, k: int | None = None) -> Tensor:
        """A code drawn for each item, or k of them: mean and log_variance (B, code) -> (B, code) or (k, B, code).

        z = mean + sd * noise: what is drawn depends on no parameter, so that z has a gradient (slide 26).
        """
        mean, log_variance = _tensor(mean), _tensor(log_variance)
        shape = mean.shape if k is None else (check_count("draw", "k, the number of codes,", k), *mean.shape)
        return mean + ops.exp(log_variance * 0.5) * self.stream.normal(shape, like=mean)

    def log_p(self, x: Any, z: Any, y: Any = None) -> Tensor:
        """log p(x | z) in nats: x (B, *input_shape) and z (B, code) -> (B,), or z (k, B, code) -> (k, B)."""
        x, z = _tensor(x), _tensor(z)
        if x.shape[1:] != self.input_shape or z.ndim not in (2, 3) or z.shape[-2:] != (*x.shape[:1], *self.code_shape):
            raise InputError(f"log_p: items x {('B', *self.input_shape)} have codes z {('B', *self.code_shape)}, or k "
                             f"of them each, {('k', 'B', *self.code_shape)}, not {x.shape} and {z.shape}")
        return self._log_p(x, z, *self._one_hot(y, x))

    def terms(self, x: Any, y: Any = None) -> dict[str, Tensor]:
        """The loss and what it is made of, scalars in nats per item: {"loss", "error", "kl"}; x (B, *input_shape).

        `training.fit(..., loss=VAE.terms)` has a history of each. The error is that of one drawn code.
        """
        x = _tensor(x)
        hot = self._one_hot(y, x)
        mean, log_variance = self._gaussian(x, *hot)
        error = -ops.mean(self._log_p(x, self.draw(mean, log_variance), *hot))
        kl = nn.kl_unit_gaussian(mean, log_variance)
        beta = self.beta() if isinstance(self.beta, WarmUp) else self.beta
        return {"loss": error + ops.sum(beta * kl), "error": error, "kl": kl}

    def loss(self, x: Any, y: Any = None) -> Tensor:
        """What training makes small: the negative bound, averaged over the items. x (B, *input_shape) -> scalar.

        Raises InputError for logits of data outside [0, 1] (on a GPU it looks at the first batch alone), networks that
        do not fit, and labels that do not.
        """
        return self.terms(x, y)["loss"] if self.k == 1 else -ops.mean(self.bound(x, y))

    def elbo(self, x: Any, y: Any = None) -> Tensor:
        """The evidence lower bound of each item, with one drawn code, whatever `beta`: (B, *input_shape) -> (B,)."""
        x = _tensor(x)
        hot = self._one_hot(y, x)
        mean, log_variance = self._gaussian(x, *hot)
        return self._log_p(x, self.draw(mean, log_variance), *hot) - nn.kl_unit_gaussian(mean, log_variance, "none")

    def bound(self, x: Any, y: Any = None, *, k: int | None = None) -> Tensor:
        """The importance-weighted bound of each item with k codes, by default the model's: (B, *input_shape) -> (B,).

        log of the mean of p(x, z) / q(z | x), on average below log p(x); the more codes, the closer. Source:
        Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", 2016, equation 8.
        """
        k = check_count("bound", "k, the number of codes,", self.k if k is None else k)
        x = _tensor(x)
        return ops.logsumexp(self._log_weights(x, k, self.stream, *self._one_hot(y, x)), 0) - math.log(k)

    def log_likelihood(self, x: Any, y: Any = None, *, k: int = 1, rng: Seed) -> Array:
        """An estimate of log p(x) from below, in nats: the `bound` with k codes: x (N, *input_shape) -> (N,).

        Nothing is recorded, and few codes are decoded at a time, however many there are.
        """
        k = check_count("log_likelihood", "k, the number of codes,", k)
        stream = RandomStream.of(rng, f"{type(self).__name__}.log_likelihood")

        def estimate(part: Tensor, *hot: Tensor) -> Tensor:
            rows = max(1, _PAIRS // k)
            bounds = []
            for some in slices(max(len(part), 1), rows):
                total = Tensor(xp.full(len(part.data[some]), -xp.inf, self.dtype))
                for codes in slices(k, _PAIRS):
                    weights = self._log_weights(part[some], codes.stop - codes.start, stream, *(h[some] for h in hot))
                    total = ops.logaddexp(total, ops.logsumexp(weights, 0))
                bounds.append(total - math.log(k))
            return ops.concatenate(bounds)

        x = _tensor(x).data
        xp = backend_of(x).xp
        return array_of(apply(estimate, x, self.input_shape, "log_likelihood", *self._one_hot(y, x)))

    def _log_weights(self, x: Any, k: int, stream: RandomStream, *hot: Any) -> Tensor:
        """log p(x, z) - log q(z | x) of k codes drawn for each of x (B, ...): (k, B)."""
        mean, log_variance = self._gaussian(x, *hot)
        noise = stream.normal((k, *mean.shape), like=mean)
        z = mean + ops.exp(log_variance * 0.5) * noise
        return self._log_p(x, z, *hot) + ops.sum(log_variance + noise * noise - z * z, -1) * 0.5

    def _gaussian(self, x: Any, *hot: Any) -> tuple[Tensor, Tensor]:
        numbers, (code,) = self.encoder(_beside(x, len(self.input_shape), *hot)), self.code_shape
        if numbers.shape != (len(x), 2 * code):
            raise InputError(f"{type(self).__name__}: the encoder gives {numbers.shape} for {len(x)} items; for a code "
                             f"of {code} it gives means and log variances, {(len(x), 2 * code)}")
        return numbers[:, :code], numbers[:, code:]

    def _log_p(self, x: Any, z: Any, *hot: Any) -> Tensor:
        self.check_data(x)
        rows = ops.reshape(_beside(z, 1, *hot), (-1, self.code_shape[0] + self.classes))
        raw, shape = self.decoder(rows), z.shape[:-1] + self.input_shape
        if raw.shape[1:] != self.input_shape:
            raise InputError(f"{type(self).__name__}: the decoder gives items of {raw.shape[1:]}, the data are of "
                             f"{self.input_shape}; make it end where the encoder begins")
        raw, x = ops.reshape(raw, shape), broadcast_to(x, shape)
        axes = tuple(range(z.ndim - 1, len(shape)))
        if self.output == "logits":
            return -ops.sum(nn.binary_cross_entropy_with_logits(raw, x, "none"), axes)
        squares = ops.sum(ops.square(raw - x), axes) * ops.exp(-self.log_variance)
        return (squares + math.prod(self.input_shape) * (self.log_variance + _LOG_2PI)) * -0.5

    # The four verbs ---------------------------------------------------------------------------------------------------

    def encode(self, x: Any, y: Any = None) -> Any:
        """Data to the mean of q(z | x): (N, *input_shape) -> (N, code). Raises InputError for other shapes."""
        return apply(lambda x, *hot: self._gaussian(x, *hot)[0], x, self.input_shape, "encode",
                     *self._one_hot(y, x))

    def decode(self, code: Any, y: Any = None) -> Any:
        """Codes to the mean of p(x | z): (N, code) -> (N, *input_shape). Raises InputError for other shapes."""
        raw = apply(lambda z, *hot: self.decoder(_beside(z, 1, *hot)), code, self.code_shape, "decode",
                    *self._one_hot(y, code))
        return ops.sigmoid(raw) if self.output == "logits" else raw

    def reconstruct(self, x: Any, y: Any = None) -> Any:
        """`decode(encode(x, y), y)`: (N, *input_shape) -> the same. Raises InputError for other shapes."""
        return self.decode(self.encode(x, y), y)

    def sample(self, n: int, rng: Seed, y: Any = None, *, means: bool = True) -> Array:
        """n new items (n, *input_shape): codes drawn from N(0, 1), and the means of p(x | z).

        Without `means` ancestral samples, whose numbers are drawn as well: pixels of 0 and 1, or with normal noise.
        All is drawn on the host, so that each device gives the same. Raises InputError unless n is a whole number.
        """
        rng = generator(rng, f"{type(self).__name__}.sample")
        x = self.decode(self.draw_codes(n, rng), y)
        if means:
            return x
        if self.output == "logits":
            return (self.device.put(rng.random(x.shape, np.float32)) < x).astype(x.dtype)
        noise = self.device.put(rng.standard_normal(x.shape, np.float32)).astype(x.dtype)
        return x + ops.exp(self.log_variance.data * 0.5) * noise

    def draw_codes(self, n: int, rng: Seed) -> Array:
        """n codes (n, code) from N(0, 1). Raises InputError unless n is a whole number of at least 0."""
        n = check_count("sample", "n, the number of items,", n, least=0)
        noise = generator(rng, f"{type(self).__name__}.draw_codes").standard_normal((n, *self.code_shape), np.float32)
        return self.device.put(noise).astype(self.dtype)

    # Labels -----------------------------------------------------------------------------------------------------------

    def _one_hot(self, y: Any, x: Any) -> tuple[Array, ...]:
        """The labels of items x as rows of zeros with a 1, (len(x), classes); nothing for a model without labels."""
        name = type(self).__name__
        if y is None and self.classes:
            raise InputError(f"{name}: this model has learned {self.classes} classes apart; say which, y=labels of "
                             "shape (N,), or one label for all")
        if y is None:
            return ()
        if not self.classes:
            raise InputError(f"{name}: this model knows no labels; make it with classes=10, or leave y away")
        like = _tensor(x)
        dtype = like.dtype if like.dtype.kind == "f" else np.float32
        hot = ops.one_hot(np.asarray(y) if isinstance(y, int) else y, self.classes, dtype).data
        if hot.shape not in ((self.classes,), (len(like), self.classes)):
            raise InputError(f"{name}: {len(like)} items have labels of shape ({len(like)},), or one label, not "
                             f"{hot.shape[:-1]}")
        return (array_of(broadcast_to(like.device.put(hot), (len(like), self.classes))),)


def _tensor(x: Any) -> Tensor:
    """x, of any shape, as a Tensor."""
    return x if isinstance(x, Tensor) else Tensor(x)


def _beside(x: Any, axes: int, *hot: Any) -> Any:
    """x (..., B, *item) of items with so many axes, and beside its last one the rows (B, classes), if there are any."""
    if not hot:
        return x
    rows = ops.reshape(hot[0], (len(hot[0]), *[1] * (axes - 1), hot[0].shape[-1]))
    return ops.concatenate([x, broadcast_to(rows, (*x.shape[:-1], rows.shape[-1]))], -1)
