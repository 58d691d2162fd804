"""The benchmark's steps: what is computed, on which arrays, and the matrix products that cannot be avoided.

Images and their kernels are in PyTorch's layout, (N, C, H, W) and (O, C, KH, KW), and sequences are (time, batch,
features); each peer brings them to its own before the clock runs.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

AE = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
CRITIC = [2, 512, 512, 512, 1]
Product = tuple[int, int, int]                   # (m, k) @ (k, n)


class Case(NamedTuple):
    """The peers' method, its arrays and its other parameters, and the products."""

    kind: str
    arrays: dict[str, Any]
    parameters: dict[str, Any]
    products: list[Product]


def layers(rng: np.random.Generator, sizes: list[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    bound = [(6.0 / (a + b)) ** 0.5 for a, b in zip(sizes, sizes[1:], strict=False)]
    return [(rng.uniform(-s, s, (a, b)).astype(np.float32), np.zeros(b, np.float32))
            for s, a, b in zip(bound, sizes, sizes[1:], strict=False)]


def autoencoder(batch: int) -> Case:
    rng = np.random.default_rng(0)
    d = {"x": (rng.random((batch, AE[0])) > 0.8).astype(np.float32), "layers": layers(rng, AE)}
    products = [(batch, a, b) for a, b in zip(AE, AE[1:], strict=False)]
    products += [(a, batch, b) for a, b in zip(AE, AE[1:], strict=False)]
    products += [(batch, b, a) for a, b in zip(AE[1:], AE[2:], strict=False)]
    return Case("ae", d, {}, products)


def critic() -> Case:
    rng, batch = np.random.default_rng(3), 256
    d = {"real": rng.standard_normal((batch, 2)).astype(np.float32),
         "fake": rng.standard_normal((batch, 2)).astype(np.float32),
         "alpha": rng.random((batch, 1)).astype(np.float32), "layers": layers(rng, CRITIC)}
    products = []
    for i, (a, b) in enumerate(zip(CRITIC, CRITIC[1:], strict=False)):
        products += [(3 * batch, a, b), (batch, b, a), (a, 2 * batch, b), (a, batch, b)]
        products += [(2 * batch, b, a)] * (i > 0) + [(batch, a, b)] * (i < len(CRITIC) - 2)
    return Case("wgan_mlp", d, {}, products)


def chain() -> Case:
    d = {"x": np.random.default_rng(8).standard_normal(8).astype(np.float32), "a": np.full(8, 1.01, np.float32),
         "b": np.full(8, 0.01, np.float32)}
    return Case("chain", d, {"n": 1000}, [])


# The two convolutions of a DCGAN on 28x28, 1 -> 64 -> 128 channels by kernels of 4x4 with stride 2, as products.
_FIRST, _SECOND = (64, 16, 64 * 196), (128, 1024, 64 * 49)


def _discriminator(rng: np.random.Generator, norm: bool) -> dict[str, np.ndarray]:
    def normal(*shape: int) -> np.ndarray:
        return (0.02 * rng.standard_normal(shape)).astype(np.float32)

    d = {"c1": normal(64, 1, 4, 4), "c2": normal(128, 64, 4, 4), "l": normal(6272, 1), "lb": np.zeros(1, np.float32)}
    return d | {"g": np.ones(128, np.float32), "b": np.zeros(128, np.float32)} if norm else d


def dcgan() -> Case:
    rng, batch = np.random.default_rng(2), 64

    def normal(*shape: int) -> np.ndarray:
        return (0.02 * rng.standard_normal(shape)).astype(np.float32)

    ones, zeros = (lambda n: np.ones(n, np.float32)), (lambda n: np.zeros(n, np.float32))
    d = {"z": rng.standard_normal((batch, 100)).astype(np.float32),
         "x": rng.uniform(-1, 1, (batch, 1, 28, 28)).astype(np.float32),
         "G": {"l": normal(100, 6272), "g1": ones(128), "b1": zeros(128), "t1": normal(128, 64, 4, 4), "g2": ones(64),
               "b2": zeros(64), "t2": normal(64, 1, 4, 4)},
         "D": _discriminator(rng, norm=True)}
    # Of the generator: forward, by the weights, by the input. Of the discriminator: three times forward, twice by the
    # weights, three times by the second layer's input and once by the first's.
    products = [(batch, 100, 6272), (100, batch, 6272), *[_FIRST] * 3, *[_SECOND] * 3, *[_FIRST] * 6, *[_SECOND] * 8]
    return Case("dcgan", d, {"batch": batch}, products)


def convolutional_critic() -> Case:
    rng, batch = np.random.default_rng(4), 64
    d = {"real": rng.uniform(-1, 1, (batch, 1, 28, 28)).astype(np.float32),
         "fake": rng.uniform(-1, 1, (batch, 1, 28, 28)).astype(np.float32),
         "alpha": rng.random((batch, 1, 1, 1)).astype(np.float32), "D": _discriminator(rng, norm=False)}
    return Case("wgan_conv", d, {"batch": batch}, [*[_FIRST] * 8, *[_SECOND] * 10])


def convolution() -> Case:
    rng, batch, c, size, o = np.random.default_rng(5), 64, 64, 14, 128
    d = {"x": rng.standard_normal((batch, c, size, size)).astype(np.float32),
         "w": (0.05 * rng.standard_normal((o, c, 3, 3))).astype(np.float32), "b": np.zeros(o, np.float32),
         "gy": rng.standard_normal((batch, o, size, size)).astype(np.float32)}
    k, n = c * 9, batch * size * size
    return Case("conv", d, {"s": 1, "pad": 1}, [(o, k, n), (o, n, k), (k, o, n)])


def max_pooling() -> Case:
    rng = np.random.default_rng(6)
    return Case("maxpool", {"x": rng.standard_normal((64, 64, 28, 28)).astype(np.float32),
                            "gy": rng.standard_normal((64, 64, 14, 14)).astype(np.float32)}, {}, [])


def lstm() -> Case:
    rng, steps, batch, inputs, size = np.random.default_rng(7), 50, 32, 64, 128

    def uniform(*shape: int) -> np.ndarray:
        return rng.uniform(-size ** -0.5, size ** -0.5, shape).astype(np.float32)

    d = {"x": rng.standard_normal((steps, batch, inputs)).astype(np.float32), "wx": uniform(inputs, 4 * size),
         "wh": uniform(size, 4 * size), "b": uniform(4 * size),
         "gy": rng.standard_normal((steps, batch, size)).astype(np.float32) / (steps * batch)}
    gates, rows = 4 * size, steps * batch
    products = [*[(batch, size, gates), (batch, gates, size)] * steps, (rows, inputs, gates), (rows, gates, inputs),
                (inputs, rows, gates), (size, rows, gates)]
    return Case("lstm", d, {"I": inputs, "H": size}, products)


CASES = {"autoencoder step, batch 128": lambda: autoencoder(128),
         "autoencoder step, batch 1000": lambda: autoencoder(1000),
         "WGAN-GP critic step": critic,
         "DCGAN step, batch 64": dcgan,
         "WGAN-GP step, convolutional": convolutional_critic,
         "convolution, 64 to 128 by 3x3": convolution,
         "max pooling, 2x2": max_pooling,
         "LSTM, 50 steps": lstm,
         "3,000 small operations": chain}
