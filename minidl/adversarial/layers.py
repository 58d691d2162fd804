"""Layers by which a discriminator sees more than one item at once, or no more than one (slides 44, 70-72)."""
from __future__ import annotations

from typing import Any

import numpy as np

from minidl import ops
from minidl.errors import InputError
from minidl.nn.module import Buffer, Module
from minidl.randomness import Seed, generator
from minidl.rows import check_amount, check_count
from minidl.tensor import Parameter, Tensor


class MinibatchDiscrimination(Module):
    """Each item is told how close the others of its batch are: (N, features) -> (N, features + kernels).

    Rows of `dims` numbers for each of the kernels are M = x T; the new features are sums over the other items of
    exp(-|M_i - M_j|), distances in L1. A generator that gives the same item again and again gives itself away.

    Raises InputError for sizes below 1, and a batch of fewer than two.

    Source: T. Salimans et al., "Improved techniques for training GANs", 2016, section 3.2.
    """

    def __init__(self, features: int, kernels: int = 16, dims: int = 8, *, rng: Seed) -> None:
        self.kernels, self.dims = (check_count("MinibatchDiscrimination", what, n) for what, n in
                                   (("kernels", kernels), ("dims", dims)))
        features = check_count("MinibatchDiscrimination", "features", features)
        draws = generator(rng, "MinibatchDiscrimination").standard_normal((features, kernels * dims), dtype=np.float32)
        self.T = Parameter(draws * np.float32(features**-0.5))

    def forward(self, x: Any) -> Tensor:
        self.expect(x, "N", self.T.shape[0])
        check_batch("MinibatchDiscrimination", len(x))
        M = ops.reshape(x @ self.T, (len(x), self.kernels, self.dims))
        apart = ops.sum(ops.abs(M[:, None] - M[None]), -1)                 # (N, N, kernels)
        return ops.concatenate([x, ops.sum(ops.exp(-apart), 1) - 1.0], 1)  # without itself, which is exp(0)

    def describe(self) -> str:
        return f"MinibatchDiscrimination({self.T.shape[0]}, {self.kernels}, {self.dims})"


class MinibatchStd(Module):
    """One more channel, the same everywhere: how much the items differ, (N, ..., C) -> (N, ..., C + 1).

    Slide 72's five steps, in groups of `group` items (all, if the batch is no multiple of it): the standard deviation
    of each feature at each place over the group; their mean over features and places; that number, once for each item
    and place; as one more channel.

    Raises InputError for a group below 2, and a batch of fewer than two.

    Source: T. Karras et al., "Progressive growing of GANs", 2018, section 3.
    """

    def __init__(self, group: int = 4) -> None:
        self.group = check_count("MinibatchStd", "group", group, least=2)

    def forward(self, x: Any) -> Tensor:
        self.expect(x, ..., "N", "C")
        x = x if isinstance(x, Tensor) else Tensor(x)
        check_batch("MinibatchStd", len(x))
        size = self.group if len(x) % self.group == 0 else len(x)
        groups = ops.reshape(x, (size, len(x) // size, *x.shape[1:]))                        # 1. groups of items
        centred = groups - ops.mean(groups, 0, keepdims=True)
        deviation = ops.sqrt(ops.mean(centred**2, 0) + 1e-8)                                 # 2. over each group
        mean = ops.mean(deviation, tuple(range(1, x.ndim)))                                  # 3. one number a group
        column = ops.reshape(mean, (1, -1, *[1] * (x.ndim - 1)))                             # 4. at each item and place
        spread = ops.reshape(ops.broadcast_to(column, (*groups.shape[:-1], 1)), (*x.shape[:-1], 1))
        return ops.concatenate([x, spread], -1)                                              # 5. one more channel

    def describe(self) -> str:
        return f"MinibatchStd({self.group})"


class VirtualBatchNorm(Module):
    """Batch normalisation by a fixed batch: what an item becomes does not depend on the items beside it.

    (N, ..., C) -> (N, ..., C), within a `Virtual` network, which puts the reference before the batch. The mean and the
    mean square of each channel are those of the reference, with the item itself as one more. Then weight and bias.
    Raises InputError for features below 1, an eps below 0, and outside of a Virtual.

    Source: T. Salimans et al., "Improved techniques for training GANs", 2016, section 3.5.
    """

    rows = 0                   # of the reference at the batch's beginning, as `Virtual` has told

    def __init__(self, features: int, *, eps: float = 1e-5) -> None:
        size = check_count("VirtualBatchNorm", "features", features)
        self.weight, self.bias = Parameter(np.ones(size, np.float32)), Parameter(np.zeros(size, np.float32))
        self.eps = check_amount("VirtualBatchNorm", "eps", eps)

    def forward(self, x: Any) -> Tensor:
        self.expect(x, ..., "N", self.weight.size)
        if not self.rows:
            raise InputError("VirtualBatchNorm: stands within Virtual(network, reference), which shows it the "
                             "reference batch")
        places = tuple(range(1, x.ndim - 1))
        n = self.rows
        mean, square = (ops.mean(a[:n], (0, *places), keepdims=True) for a in (x, x * x))
        own = [ops.mean(a, places, keepdims=True) if places else a for a in (x, x * x)]
        mean, square = ((n * of_all + of_it) * (1.0 / (n + 1)) for of_all, of_it in zip((mean, square), own,
                                                                                        strict=True))
        return (x - mean) / ops.sqrt(square - mean * mean + self.eps) * self.weight + self.bias

    def describe(self) -> str:
        return f"VirtualBatchNorm({self.weight.size})"


class Virtual(Module):
    """A network whose VirtualBatchNorm layers see the batch `reference` (R, ...) first, anew at each pass.

    (N, ...) -> what the network gives for them. Raises InputError for what is no network, a reference of fewer than two
    items, and items of another shape.
    """

    def __init__(self, network: Module, reference: Any) -> None:
        if not isinstance(network, Module) or not getattr(reference, "ndim", 0):
            raise InputError(f"Virtual: takes a network, an nn.Module, and a batch of items, an array, not "
                             f"{network!r:.60} and {reference!r:.60}")
        check_batch("Virtual", len(reference))
        self.network, self.reference = network, Buffer(reference)
        for _, layer in network.named_modules():
            if isinstance(layer, VirtualBatchNorm):
                layer.rows = len(reference)

    def forward(self, x: Any) -> Tensor:
        self.expect(x, "N", *self.reference.shape[1:])
        return self.network(ops.concatenate([Tensor(self.reference.data), x], 0))[len(self.reference):]


def check_batch(who: str, n: int) -> None:
    """Raise InputError for a batch of one: its items have no others to be compared with."""
    if n < 2:
        raise InputError(f"{who}: compares the items of a batch with each other, which takes 2 or more, not {n}")
