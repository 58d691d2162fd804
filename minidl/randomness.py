"""What counts as a source of random numbers, and the streams from which layers draw.

Whatever draws takes an `rng`: an int, which is a seed; a `numpy.random.Generator`, which is shared and drawn from, not
copied; or a RandomStream, which on the host means its generator.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError

Seed: TypeAlias = "int | np.random.Generator | RandomStream"      # as text: NumPy loads its random module at first use


def generator(rng: object, who: str) -> np.random.Generator:
    """The generator that `rng` means: a Seed which `who`, named in the error, was given.

    Raises InputError for anything but an int of 0 or more, a Generator or a RandomStream: NumPy itself takes None for
    numbers that nobody can draw again.
    """
    if isinstance(rng, RandomStream):
        return rng.host
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    shown = " ".join(repr(rng).split())[:60]             # a SeedSequence's has several lines
    raise InputError(f"{who}: rng is an int of 0 or more, a numpy.random.Generator or an md.RandomStream, not {shown}; "
                     "rng=0 does, or numpy.random.default_rng(0) for several that share it")


class RandomStream:
    """Random numbers for layers, on whatever device they are needed; `rng` is an int, a Generator or a RandomStream.

    A Module finds the streams among its attributes, and a checkpoint saves them. On the CPU the numbers come from the
    generator itself, `host`, whose state can be saved at any moment. A GPU's generator cannot be saved: it is seeded
    from the host's, and seeded anew after `new_epoch`, so that a resumed run draws the same numbers from an epoch's
    start.
    """

    def __init__(self, rng: Seed) -> None:
        self.host = generator(rng, type(self).__name__)
        self._on_device: dict[str, Any] = {}

    @classmethod
    def of(cls, rng: Seed, who: str) -> RandomStream:
        """A RandomStream as it is, so that layers share it; else one over `generator(rng, who)`."""
        return rng if isinstance(rng, RandomStream) else cls(generator(rng, who))

    def _generator(self, like: Any) -> Any:
        backend = backend_of(like.data if hasattr(like, "recipe") else like)             # of a Tensor, its array
        if backend.name == "cpu":
            return self.host
        if backend.name not in self._on_device:
            self._on_device[backend.name] = backend.generator(int(self.host.integers(2**63)))
        return self._on_device[backend.name]

    def uniform(self, shape: tuple[int, ...], like: Any) -> Array:
        """Uniform on [0, 1): an array of this shape, with the dtype and on the device of the array or Tensor `like`."""
        return _drawn(self._generator(like).random, shape, like.dtype)

    def normal(self, shape: tuple[int, ...], like: Any) -> Array:
        """Standard normal: an array of this shape, with the dtype and on the device of the array or Tensor `like`."""
        return _drawn(self._generator(like).standard_normal, shape, like.dtype)

    def bernoulli(self, p: Any) -> Array:
        """1 with the probabilities p, else 0: an array of the shape, dtype and device of the array or Tensor `p`.

        Raises InputError for probabilities outside [0, 1], if they are on the host.
        """
        p = _floats("bernoulli", "p, probabilities,", p)
        if isinstance(p, np.ndarray) and not ((p >= 0) & (p <= 1)).all():
            raise InputError(f"bernoulli: probabilities lie in [0, 1], not between {p.min()} and {p.max()}; of logits "
                             "take md.sigmoid first")
        return (self.uniform(p.shape, p) < p).astype(p.dtype)

    def gumbel(self, shape: tuple[int, ...], like: Any) -> Array:
        """Standard Gumbel, -log(-log(u)) of a uniform u: an array of this shape, with `like`'s dtype and device.

        Argmax of logits plus these is a draw of their softmax (Gumbel 1954; Maddison et al. 2014).
        """
        u, xp = self.uniform(shape, like), backend_of(like.data if hasattr(like, "recipe") else like).xp
        smallest = float(np.finfo(u.dtype).eps) / 4      # half a step of the generator, in place of its 0
        return -xp.log(-xp.log(xp.maximum(u, smallest)))

    def categorical(self, logits: Any, axis: int = -1) -> Array:
        """Indices along an axis, drawn with the probabilities softmax(logits): integers (...) for logits (..., k).

        A logit of -inf is never drawn. Raises InputError where there is nothing to draw from, if the logits, an array
        or Tensor, are on the host.
        """
        logits = _floats("categorical", "logits", logits)
        if isinstance(logits, np.ndarray) and not np.isfinite(logits.max(axis=axis)).all():
            raise InputError("categorical: the largest of the logits along the axis is NaN or infinite somewhere; only "
                             "-inf stands for what is never drawn, and not for all")
        return (logits + self.gumbel(logits.shape, logits)).argmax(axis=axis)

    def new_epoch(self) -> None:
        """Forget the devices' generators: the next draw seeds them from the host's."""
        self._on_device.clear()

    def random_streams(self) -> list[RandomStream]:
        """Itself: as a part of a run it is told of new epochs as a Module's streams are."""
        return [self]

    def state_dict(self) -> dict[str, Any]:
        """The host generator's state, as plain numbers, strings, lists and dicts."""
        return _plain(self.host.bit_generator.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state. Raises InputError, and changes nothing, if it is of another kind of generator."""
        bits = self.host.bit_generator
        try:
            type(bits)(0).state = state          # NumPy may notice half-way that something is missing
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            own, kind = type(bits).__name__, state.get("bit_generator") if isinstance(state, dict) else None
            raise InputError(f"this stream draws from {own}, and the state is " + (
                f"of {kind}: make it with rng=numpy.random.Generator(numpy.random.{kind}(0))"
                if kind not in (None, own) else f"not one of its ({type(error).__name__}: {error})")) from error
        bits.state = state
        self.new_epoch()


class HostStream(RandomStream):
    """A RandomStream whose numbers are drawn on the host, and brought to the device: the same on every device."""

    def uniform(self, shape: tuple[int, ...], like: Any) -> Array:
        return _brought(super().uniform, shape, like)

    def normal(self, shape: tuple[int, ...], like: Any) -> Array:
        return _brought(super().normal, shape, like)


def _brought(draw: Callable[..., Array], shape: tuple[int, ...], like: Any) -> Array:
    array = like.data if hasattr(like, "recipe") else like
    return Device(backend_of(array)).put(draw(shape, np.empty(0, array.dtype)))


def _floats(name: str, what: str, x: Any) -> Array:
    """The array of x; InputError unless it is an array or Tensor of floats."""
    x = x.data if hasattr(x, "recipe") else x
    if getattr(getattr(x, "dtype", None), "kind", "") != "f":
        raise InputError(f"{name}: {what} are an array or Tensor of floats, not {getattr(x, 'dtype', repr(x))}")
    return x


def _drawn(draw: Callable[..., Array], shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Drawn in that dtype, or in float32 and converted: generators know float32 and float64 alone."""
    return draw(shape, dtype=dtype) if dtype in (np.float32, np.float64) else draw(
        shape, dtype=np.float32).astype(dtype)


def _plain(state: Any) -> Any:
    """Of some kinds of generators parts of the state are arrays."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state
