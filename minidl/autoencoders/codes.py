"""Where an autoencoder's codes lie: a Gaussian, of which `sample` draws new ones."""
from __future__ import annotations

import numpy as np

from minidl import nn
from minidl.backend import Array
from minidl.randomness import Seed, generator


class CodeGaussian(nn.Module):
    """The normal distribution with a `mean` (size,) and the covariance factor' factor, of a `factor` (size, size).

    Both are buffers, and so part of the state of the model that has it. `Autoencoder.remember_codes` makes one.
    """

    def __init__(self, mean: np.ndarray, factor: np.ndarray) -> None:
        self.mean, self.factor = nn.Buffer(mean), nn.Buffer(factor)

    @classmethod
    def like(cls, codes: np.ndarray) -> CodeGaussian:
        """That with the mean and the covariance of some codes (N, size), N > 1."""
        mean = codes.mean(0)
        return cls(mean, root((codes - mean).T @ (codes - mean) / (len(codes) - 1)))

    def draw(self, n: int, rng: Seed) -> Array:
        """n codes (n, size), drawn on the host, so that each device gets the same."""
        noise = generator(rng, "CodeGaussian.draw").standard_normal((n, self.mean.size), dtype=np.float32)
        return self.mean.data + self.mean.device.put(noise.astype(self.mean.dtype, copy=False)) @ self.factor.data

    def describe(self) -> str:
        return f"CodeGaussian({self.mean.size})"


def root(covariance: np.ndarray) -> np.ndarray:
    """A factor with factor' factor = covariance, (size, size); of a matrix that is no covariance, nearly so."""
    variances, axes = np.linalg.eigh(covariance)
    return (axes * np.sqrt(np.maximum(variances, 0))).T
