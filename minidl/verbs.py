"""The four verbs of slide 7: data to code, code to data, there and back, and new data."""
from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from minidl.backend import Array
from minidl.randomness import Seed


@runtime_checkable
class Verbs(Protocol):
    """What every model of data answers, PCA as well as an autoencoder; here N items, as the model has learned from.

    Arrays give arrays on the same device and in the dtype of what was learned; the model learns nothing, and draws
    nothing but for `sample`. To a Tensor, a network gives a Tensor that is recorded; so do linear maps. An item's
    answer does not depend on the items beside it, up to rounding. Each verb raises InputError for items of another
    shape than the model's, and before there is something learned that it needs.
    """

    def encode(self, x: Any) -> Any:
        """The codes of x: (N, ...) -> (N, ...) numbers, or (N,) labels."""

    def decode(self, code: Any) -> Any:
        """The data that codes stand for: (N, ...) -> (N, ...)."""

    def reconstruct(self, x: Any) -> Any:
        """`decode(encode(x))`: (N, ...) -> (N, ...)."""

    def sample(self, n: int, rng: Seed) -> Array:
        """n new items (n, ...): codes drawn from where those of the training data lie, decoded."""
