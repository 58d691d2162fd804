"""The kinds of units that a layer of a restricted machine may have: what each does with the input that it gets.

A layer of units s with biases has the distribution exp(field s - own(s)) / exp(log_partition(field)) given the other
layer, and `field`, bias included, is all that it needs to know of that (Welling, Rosen-Zvi and Hinton 2004).
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import ops
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.nn.losses import check_fractions
from minidl.randomness import RandomStream
from minidl.rows import array_of, check_count
from minidl.tensor import Tensor

_FOLDS = 6                 # a product of 2^6 factors of up to 2 is far from float32's largest number


class Units:
    """A layer of `size` units. Fields, states and means are (..., size), and those of arrays arrays.

    Raises InputError for a size below 1; `check` raises it for states that these units cannot have.
    """

    def __init__(self, size: int) -> None:
        self.size = check_count(type(self).__name__, "size", size)

    def own(self, s: Any) -> Any:
        """The part of the energy that has no parameters: states s (..., size) -> (...), or a number for all."""
        return 0.0

    def log_partition(self, field: Any) -> Any:
        """The logarithm of the sum over all states: fields (..., size) -> (...); of a Tensor a recorded Tensor."""
        raise NotImplementedError

    def log_prob(self, field: Any, s: Any) -> Any:
        """log p(s | field): fields and states (..., size) -> (...); of Tensors a recorded Tensor."""
        return ops.sum(field * s, -1) - self.own(s) - self.log_partition(field)

    def rise(self, x: Array, low: float, high: float) -> Array:
        """log_partition(high x) - log_partition(low x): fields x (N, size) -> (N,)."""
        return self.log_partition(high * x) - self.log_partition(low * x)

    def mean(self, field: Any) -> Any:
        """The mean states: fields (..., size) -> (..., size). An array is used up; of a Tensor a recorded Tensor."""
        raise NotImplementedError

    def draw(self, mean: Array, stream: RandomStream) -> Array:
        """States drawn with these means: (..., size) -> (..., size)."""
        raise NotImplementedError

    def check(self, name: str, s: Any) -> None:
        """Raise InputError, in `name`'s name, for states s (..., size) that these units cannot have."""
        raise NotImplementedError

    def biases(self, mean: Array, n: int) -> Array:
        """The biases with which units alone have these means (size,), of n items, if each were seen once more."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size})"


class Bernoulli(Units):
    """Binary units: 0 or 1, or data in [0, 1] that are taken for the probability of a 1."""

    def log_partition(self, field: Any) -> Any:
        if isinstance(field, Tensor):
            return ops.sum(ops.softplus(field), -1)
        xp = backend_of(field).xp
        size = xp.abs(field)
        positive = 0.5 * (field.sum(-1, dtype=np.float64) + size.sum(-1, dtype=np.float64))
        return (positive + _log_of_product(xp, _one_plus_exp(xp, size, -1.0))).astype(field.dtype)

    def log_prob(self, field: Any, s: Any) -> Any:
        """log p(s | field): fields and states (..., size) -> (...); of Tensors a recorded Tensor."""
        return ops.sum(field * s, -1) - self.own(s) - self.log_partition(field)

    def rise(self, x: Array, low: float, high: float) -> Array:
        # softplus(t) = max(t, 0) + log(1 + exp(-|t|)), and the logarithms of many factors are one logarithm.
        xp = backend_of(x).xp
        size = xp.abs(x)
        positive = 0.5 * (x.sum(-1, dtype=np.float64) + size.sum(-1, dtype=np.float64))
        return (high - low) * positive + _log_of_product(xp, _one_plus_exp(xp, size, -high)) \
            - _log_of_product(xp, _one_plus_exp(xp, size, -low))

    def mean(self, field: Any) -> Any:
        if isinstance(field, Tensor):
            return ops.sigmoid(field)
        xp = backend_of(field).xp
        field *= 0.5
        xp.tanh(field, out=field)
        field *= 0.5
        field += 0.5
        return field

    def draw(self, mean: Array, stream: RandomStream) -> Array:
        u = stream.uniform(mean.shape, mean)
        return backend_of(u).xp.less(u, mean, out=u, casting="unsafe")

    def check(self, name: str, s: Any) -> None:
        """Raise InputError, in `name`'s name, for states s (..., size) outside [0, 1]."""
        check_fractions(name, s, wait=True)

    def biases(self, mean: Array, n: int) -> Array:
        p = (n * mean + 1.0) / (n + 2.0)
        return backend_of(p).xp.log(p / (1.0 - p))


class Gaussian(Units):
    """Real units with variance 1 around the field: data are to be standardised, as by `linear.Whitening`, before."""

    def own(self, s: Any) -> Any:
        return ops.sum(s * s, -1) * 0.5

    def log_partition(self, field: Any) -> Any:
        return ops.sum(field * field, -1) * 0.5 + 0.5 * self.size * math.log(2.0 * math.pi)

    def mean(self, field: Any) -> Any:
        return field

    def draw(self, mean: Array, stream: RandomStream) -> Array:
        return mean + stream.normal(mean.shape, mean)

    def check(self, name: str, s: Any) -> None:
        """Raise InputError, in `name`'s name, for states s (..., size) that are not finite."""
        s = array_of(s)
        if not bool(backend_of(s).xp.isfinite(s).all()):
            raise InputError(f"{name}: x holds values that are not finite; replace or drop them")

    def biases(self, mean: Array, n: int) -> Array:
        return mean


class Softmax(Units):
    """One unit of `size` values, as rows with a single 1; or `replicas` such units with the same weights, as counts.

    Replicas give a label, or a document's words, more weight beside other units (Salakhutdinov and Hinton 2009).
    """

    def __init__(self, size: int, replicas: int = 1) -> None:
        super().__init__(size)
        self.replicas = check_count("Softmax", "replicas", replicas)

    def own(self, s: Any) -> Any:
        """Less the logarithm of how many ways there are to the same counts: s (..., size) -> (...)."""
        if self.replicas == 1:
            return 0.0
        device = Device(backend_of(array_of(s)))
        table = device.put(np.array([math.lgamma(k + 1.0) for k in range(self.replicas + 1)], s.dtype))
        return table[array_of(s).astype(int)].sum(-1) - math.lgamma(self.replicas + 1.0)

    def log_partition(self, field: Any) -> Any:
        return ops.logsumexp(field, -1) * float(self.replicas)

    def mean(self, field: Any) -> Any:
        if isinstance(field, Tensor):
            return ops.softmax(field, -1) * float(self.replicas)
        field[...] = ops.softmax(field, -1)
        field *= self.replicas
        return field

    def draw(self, mean: Array, stream: RandomStream) -> Array:
        xp = backend_of(mean).xp
        edges, drawn = xp.cumsum(mean, axis=-1), xp.zeros_like(mean)
        for _ in range(self.replicas):
            u = stream.uniform((*mean.shape[:-1], 1), mean) * edges[..., -1:]
            value = xp.minimum((edges <= u).sum(-1, keepdims=True), self.size - 1)       # u may round up to the last
            drawn += xp.arange(self.size) == value
        return drawn

    def check(self, name: str, s: Any) -> None:
        """Raise InputError, in `name`'s name, unless states s (..., size) are whole numbers that sum to `replicas`."""
        s = array_of(s)
        xp = backend_of(s).xp
        if s.size and not bool(((s >= 0) & (s == xp.floor(s))).all() & (s.sum(-1) == self.replicas).all()):
            raise InputError(f"{name}: a softmax unit's values are counts that sum to {self.replicas} in each row; "
                             f"md.one_hot(labels, {self.size}) makes them of labels")

    def biases(self, mean: Array, n: int) -> Array:
        return backend_of(mean).xp.log((n * mean + 1.0) / (n * self.replicas + self.size))

    def __repr__(self) -> str:
        return f"Softmax({self.size}{f', replicas={self.replicas}' if self.replicas > 1 else ''})"


class Joint(Units):
    """Units of several kinds side by side, as pixels and a label. Raises InputError for what are no Units."""

    def __init__(self, *parts: Units) -> None:
        if not parts or not all(isinstance(part, Units) for part in parts):
            raise InputError(f"Joint: takes units, as Joint(Bernoulli(784), Softmax(10)), not {parts!r:.60}")
        super().__init__(sum(part.size for part in parts))
        self.parts = parts
        ends = np.cumsum([part.size for part in parts]).tolist()
        self.places = [slice(end - part.size, end) for part, end in zip(parts, ends, strict=True)]

    def own(self, s: Any) -> Any:
        return sum(part.own(s[..., place]) for part, place in self._each())

    def log_partition(self, field: Any) -> Any:
        return sum(part.log_partition(field[..., place]) for part, place in self._each())

    def mean(self, field: Any) -> Any:
        return self._joined(lambda part, place: part.mean(field[..., place]), field)

    def draw(self, mean: Array, stream: RandomStream) -> Array:
        return self._joined(lambda part, place: part.draw(mean[..., place], stream), mean)

    def check(self, name: str, s: Any) -> None:
        """Raise InputError, in `name`'s name, for states s (..., size) that one of the parts cannot have."""
        for part, place in self._each():
            part.check(name, array_of(s)[..., place])

    def biases(self, mean: Array, n: int) -> Array:
        return self._joined(lambda part, place: part.biases(mean[place], n), mean)

    def _each(self) -> Any:
        return zip(self.parts, self.places, strict=True)

    def _joined(self, answer: Callable[[Units, slice], Any], like: Any) -> Any:
        parts = [answer(part, place) for part, place in self._each()]
        return ops.concatenate(parts, -1) if isinstance(like, Tensor) else backend_of(like).xp.concatenate(parts, -1)

    def __repr__(self) -> str:
        return f"Joint({', '.join(map(repr, self.parts))})"


def units_of(name: str, units: Any) -> Units:
    """Units as they are; of a whole number so many binary ones, of a list all of them side by side.

    Raises InputError, in `name`'s name, for anything else.
    """
    if isinstance(units, Units):
        return units
    if isinstance(units, list | tuple):
        return Joint(*(units_of(name, part) for part in units))
    return Bernoulli(check_count(name, "a number of units", units))


def _one_plus_exp(xp: Any, size: Array, by: float) -> Array:
    e = xp.multiply(size, by)
    xp.exp(e, out=e)
    e += 1.0
    return e


def _log_of_product(xp: Any, factors: Array) -> Array:
    """The sum of logarithms of factors (..., n) in [1, 2], in float64; the factors are used up.

    Halves are multiplied again and again before any logarithm is taken: logarithms cost ten times as much.
    """
    for _ in range(_FOLDS):
        half = factors.shape[-1] // 2
        if not half:
            break
        kept = factors[..., :factors.shape[-1] - half]
        kept[..., :half] *= factors[..., factors.shape[-1] - half:]
        factors = kept
    return xp.log(factors).sum(-1, dtype=np.float64)
