"""Minimum description length (slides 1-3): the bits that send data, through a model or without one.

A model is worth having if it shortens the whole message: its own parameters, the code of each item, and whatever is
still needed to get every pixel exactly right. `description_length` counts a message that a receiver could decode:
parameters and codes are rounded first, and the pixels are predicted from what was rounded.

One code serves everywhere, and needs no probabilities sent ahead: sender and receiver count the symbols as they come,
and an arithmetic coder spends -log2 of the share counted so far (see `adaptive_bits`).

Sources: J. Rissanen, "Modeling by shortest data description", 1978; R. Krichevsky and V. Trofimov, "The performance of
universal encoding", 1981.
"""
from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

import numpy as np

from minidl.arguments import is_whole, plain_array
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.rows import array_of, check_amount, check_count

STEP_BITS = 32         # a step is sent as a float32
RANGE_BITS = 16        # the least and the greatest whole number of a column, each
_CONTEXTS = 32         # predictions are told apart by so many shades: more would cost more counting than they tell
_lgamma = np.vectorize(math.lgamma, otypes=[np.float64])


class DescriptionLength(NamedTuple):
    """Bits of a message: the model, the items' codes, and what the model does not say about the pixels."""

    model: float
    code: float
    residual: float

    @property
    def total(self) -> float:
        """The bits of all three."""
        return self.model + self.code + self.residual


class Rounded(NamedTuple):
    """Numbers as a message holds them: whole numbers (n, columns), of which `step` is the unit."""

    integers: np.ndarray
    step: float

    @property
    def values(self) -> np.ndarray:
        """What the receiver makes of them, (n, columns) float32."""
        return (self.integers * self.step).astype(np.float32)

    @property
    def low(self) -> np.ndarray:
        """Each column's least number, (columns,)."""
        return self.integers.min(0)

    @property
    def symbols(self) -> int:
        """How many whole numbers any column may hold, from its least to its greatest at most."""
        return int((self.integers.max(0) - self.low).max()) + 1

    def bits(self) -> float:
        """The step, each column's range, and the adaptive code of the numbers in it."""
        ranges = self.integers.max(0) - self.low + 1
        return STEP_BITS + sum(2 * RANGE_BITS + adaptive_bits(column - least, int(size)) for column, least, size
                               in zip(self.integers.T, self.low, ranges, strict=True))


class Message(NamedTuple):
    """All that a receiver needs to get the data back, if he knows what kind of model it is.

    `parameters`: the rounded model's, as columns (size, 1). `code`: (N, k), or the clusters (N, 1). `pixels`: the data
    themselves, (N, d) whole numbers. `shades`: what the model predicts of each pixel, (N, d) whole numbers below
    `contexts`; they are not sent, for the receiver computes them too.
    """

    parameters: list[Rounded]
    code: Rounded
    pixels: np.ndarray
    shades: np.ndarray
    levels: int
    contexts: int

    def length(self) -> DescriptionLength:
        """The bits of its three parts."""
        return DescriptionLength(sum(p.bits() for p in self.parameters), self.code.bits(),
                                 adaptive_bits(self.pixels, self.levels, self.shades, self.contexts))


# What it costs --------------------------------------------------------------------------------------------------------


def description_length(model: Any, x: Array, *, levels: int, code_step: float = 1.0,
                       parameter_bits: int = 6) -> DescriptionLength:
    """Bits to send x (N, ...) exactly through a fitted PCA, KMeans or Autoencoder: the length of `message`.

    Its arguments and errors are those of `message`.
    """
    return message(model, x, levels=levels, code_step=code_step, parameter_bits=parameter_bits).length()


def raw_length(x: Array, *, levels: int) -> DescriptionLength:
    """Bits of x (N, ...) without any model: log2(levels) a pixel. Raises InputError for values that are on no level."""
    return DescriptionLength(0.0, 0.0, to_levels(x, levels).size * math.log2(levels))


def pixelwise_length(x: Array, *, levels: int) -> DescriptionLength:
    """Bits where each pixel has a code of its own, that adapts to how often its levels occur, and knows no other pixel.

    x (N, ...), of values i / (levels - 1). That is all there is to know of the pixels one by one: what a model saves
    beyond this, it has understood of how they hang together. Raises InputError for values that are on no level.
    """
    pixels = to_levels(x, levels)
    places = np.broadcast_to(np.arange(pixels.shape[1]), pixels.shape)
    return DescriptionLength(0.0, 0.0, adaptive_bits(pixels, levels, places, pixels.shape[1]))


def adaptive_bits(symbols: np.ndarray, levels: int, contexts: np.ndarray | None = None, n_contexts: int = 1) -> float:
    """Bits of whole numbers in 0..levels-1, in any shape, by a code that learns how often each occurs while it goes on.

    After n symbols of which n_s were s, the next one is s with probability (n_s + 1/2) / (n + levels / 2); -log2 of
    these, summed, does not depend on the order. `contexts`, whole numbers below `n_contexts` of the symbols' shape:
    each counts for itself, so that what is known beforehand of a symbol may tell of it. Beyond the entropy it costs
    about (levels - 1) / 2 log2(n) bits a context: the price of learning. Raises InputError for symbols outside.
    """
    if symbols.size and not 0 <= symbols.min() <= symbols.max() < levels:
        raise InputError(f"adaptive_bits: symbols are whole numbers from 0 to {levels - 1}; these go from "
                         f"{symbols.min()} to {symbols.max()}")
    pairs = symbols.ravel().astype(np.int64)
    if contexts is not None:
        pairs += contexts.ravel().astype(np.int64) * levels
    counts = np.bincount(pairs, minlength=n_contexts * levels).reshape(n_contexts, levels)
    counts = counts[counts.any(1)]
    start = levels * math.lgamma(0.5) - math.lgamma(levels / 2)
    return float((_lgamma(counts.sum(1) + levels / 2) - _lgamma(counts + 0.5).sum(1) + start).sum()) / math.log(2)


# What is sent ---------------------------------------------------------------------------------------------------------


def message(model: Any, x: Array, *, levels: int, code_step: float = 1.0, parameter_bits: int = 6) -> Message:
    """What to send so that a receiver gets x exactly, through a fitted PCA, KMeans or Autoencoder.

    x (N, ...), of values i / (levels - 1) as `data.load` gives them: 17 levels for the digits, 256 for MNIST. Each
    array of the model's decoder becomes multiples of a step: its greatest size is 2^(parameter_bits - 1) of them. The
    items' codes become multiples of `code_step` (clusters are whole numbers as they are). The receiver decodes these
    and knows of each pixel the shade that is predicted, in steps of one level, or of 1/31 if there are more than 32
    levels; the pixel's true level follows, by the adaptive code of that shade.

    The encoder is not sent: the receiver has no use for it. Nor are the shapes and the model's kind, some dozens of
    bits. The receiver must compute what the sender did to the last bit: with the same software, and N items at a time.

    Raises InputError for values that are on no level, a step that is not above 0, or so small that the code's whole
    numbers need more than 16 bits, parameter_bits outside 2..16, and another kind of model.
    """
    check_amount("description length", "code_step, the unit of the codes,", code_step, positive=True)
    if not is_whole(parameter_bits, 2) or parameter_bits > RANGE_BITS:
        raise InputError(f"description length: parameter_bits is from 2 to {RANGE_BITS}, not {parameter_bits!r:.60}")
    pixels = to_levels(x, levels)
    receiver = copy.deepcopy(model)
    parameters = []
    for array in decoder_arrays(receiver):
        host = backend_of(array).to_host(array).reshape(-1, 1)
        parameters.append(_rounded(host, float(np.abs(host).max()) / 2 ** (parameter_bits - 1) or 1.0))
        array[...] = Device(backend_of(array)).put(parameters[-1].values.reshape(array.shape).astype(array.dtype))
    code = receiver.encode(x)
    numbers = backend_of(code).to_host(code)
    rounded = _rounded(numbers.reshape(len(numbers), -1), 1.0 if numbers.dtype.kind in "iu" else code_step)
    contexts = min(levels, _CONTEXTS)
    return Message(parameters, rounded, pixels, shades(receiver, rounded, code, contexts), levels, contexts)


def shades(receiver: Any, code: Rounded, like: Array, contexts: int) -> np.ndarray:
    """What a model with rounded parameters predicts from the rounded code: (N, d) whole numbers below `contexts`.

    `like` is an array of codes whose shape, dtype and device the decoder takes.
    """
    values = code.integers if like.dtype.kind in "iu" else code.values
    decoded = receiver.decode(Device(backend_of(like)).put(values.reshape(like.shape).astype(like.dtype)))
    predicted = backend_of(decoded).to_host(decoded).reshape(len(values), -1)
    return np.rint(predicted.clip(0.0, 1.0) * (contexts - 1)).astype(np.int16)


def decoder_arrays(model: Any) -> list[Array]:
    """The arrays that a receiver needs in order to decode: they can be written to.

    Raises InputError for another model than a PCA or KMeans after `fit`, or an Autoencoder.
    """
    if hasattr(model, "cluster_centers_"):
        return [model.cluster_centers_]
    if hasattr(model, "components_") and hasattr(model, "mean_"):          # LogisticPCA has none
        return [model.mean_, model.components_] + ([model.explained_variance_] if model.whiten else [])
    if hasattr(model, "decoder"):
        return [t.data for _, t in (*model.decoder.named_parameters(), *model.decoder.named_buffers())]
    raise InputError(f"description length: a model is a PCA or KMeans after fit(x), or an Autoencoder, not "
                     f"{type(model).__name__}")


def to_levels(x: Array, levels: int) -> np.ndarray:
    """Values i / (levels - 1) as rows of the whole numbers i: (N, ...) -> (N, d), on the host.

    Raises InputError for values that lie between the levels, outside [0, 1] or are not finite, and for no items.
    """
    x = plain_array("description length", array_of(x))
    if check_count("description length", "levels", levels, least=2) > 2**15 or x.ndim < 2 or not x.size:
        raise InputError(f"description length: data are items (N, ...) in 2 to {2**15:,} levels, not {x.shape} in "
                         f"{levels}")
    values = backend_of(x).to_host(x).reshape(len(x), -1) * float(levels - 1)
    whole = np.rint(values)
    if not np.abs(values - whole).max() < 1e-3 or whole.min() < 0 or whole.max() >= levels:       # NaN is not below
        raise InputError(f"description length: x lies on no grid of {levels} levels, i / {levels - 1} for i from 0 to "
                         f"{levels - 1}; it goes from {float(x.min()):g} to {float(x.max()):g}: say how many levels it "
                         "has, or round it")
    return whole.astype(np.int16)                # of MNIST there are 47 million


def _rounded(values: np.ndarray, step: float) -> Rounded:
    step = float(np.float32(step))
    integers = np.rint(values.astype(np.float64) / step)
    if not np.abs(integers).max() < 2 ** (RANGE_BITS - 1):                                       # nor is NaN
        raise InputError(f"description length: in steps of {step:g} the model's numbers go up to "
                         f"{np.abs(integers).max():g}, too far for {RANGE_BITS} bits; are they finite? If so, take "
                         "larger steps")
    return Rounded(integers.astype(np.int64), step)
