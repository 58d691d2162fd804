"""Stacked sparse autoencoders (slides 11-16): a deep network that is trained one layer at a time, then as a whole."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from minidl import nn
from minidl.autoencoders.base import Autoencoder
from minidl.autoencoders.sparse import SparseAutoencoder
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.randomness import Seed, generator

T = TypeVar("T")


class StackedAutoencoder(Autoencoder):
    """Sparse autoencoders on top of each other: each one's code is the next one's data.

    `sizes` are [inputs, hidden, hidden, ...].

    1. `pretrain` trains the first one to reconstruct x. Its decoder has then done its work; what stays is the
       activation a (slide 11).
    2. It trains the second one to reconstruct a: "Note we are reconstructing a at this point, not x" (slide 12). So it
       goes on, layer by layer.
    3. `features(x)`, the last activation, is what a classifier learns from.
    4. `network(classifier)` is the whole as one network, for fine-tuning: its layers are those of this model.

    `layers` are the sparse autoencoders; keywords are passed on to each. The four verbs go through all encoders, and
    back through all decoders. Raises InputError for fewer than two sizes, and what `SparseAutoencoder` raises.

    Source: slides 11-16, which are A. Ng's; the UFLDL tutorial, "Stacked autoencoders".
    """

    def __init__(self, sizes: Sequence[int], *, rng: Seed, **sparse: Any) -> None:
        if len(sizes) < 2:
            raise InputError(f"StackedAutoencoder: sizes are the number of inputs and then each layer's units, such as "
                             f"[784, 196, 196], not {list(sizes)}")
        rng = generator(rng, "StackedAutoencoder")
        self.sizes = [int(size) for size in sizes]
        layers = [SparseAutoencoder(before, after, rng=rng, **sparse)
                  for before, after in zip(sizes[:-1], sizes[1:], strict=True)]
        super().__init__(nn.Sequential(*(layer.encoder for layer in layers)),
                         nn.Sequential(*(layer.decoder for layer in reversed(layers))),
                         input_shape=self.sizes[:1], code_shape=self.sizes[-1:])
        self.layers = layers

    def pretrain(self, x: Array, fit_layer: Callable[[SparseAutoencoder, np.ndarray], T]) -> list[T]:
        """Train layer by layer: `fit_layer(layer, target)` trains one to reconstruct the rows `target`, on the host.

        The target is x (N, inputs) for the first layer, and for each further one the activation of the one below it.
        Returns what the calls returned. Raises InputError if x has another width, values that are not finite, or fewer
        rows than a layer has units: then each row could have a unit of its own.
        """
        target, units = backend_of(x).to_host(x), max(self.sizes[1:])
        if target.ndim != 2 or target.shape[1] != self.sizes[0]:
            raise InputError(f"pretrain: expected rows of {self.sizes[0]} numbers, x has shape {target.shape}")
        if len(target) < units:
            raise InputError(f"pretrain: {len(target)} rows are fewer than the {units} units of a layer: each could "
                             "have a unit of its own; give more rows or smaller layers")
        if not np.isfinite(target).all():
            raise InputError("pretrain: x holds values that are not finite; replace or drop them first")
        results = []
        for layer in self.layers:
            results.append(fit_layer(layer, target))
            code = layer.encode(self.device.put(target))
            target = backend_of(code).to_host(code)
        return results

    def features(self, x: Any, depth: int | None = None) -> Any:
        """The activation of the first `depth` layers, by default of all: (N, inputs) -> (N, units of that layer).

        Raises InputError if x has another shape.
        """
        for layer in self.layers[:depth]:
            x = layer.encode(x)
        return x

    def network(self, classifier: nn.Module) -> nn.Sequential:
        """The encoders and a classifier on the features as one network, (N, inputs) -> what the classifier gives.

        It has the same parameters: fine-tuning it changes this model too.
        """
        return nn.Sequential(*(module for layer in self.layers for module in layer.encoder), classifier)

    def describe(self) -> str:
        return f"StackedAutoencoder({'-'.join(map(str, self.sizes))}, penalty={self.layers[0].penalty!r})"
