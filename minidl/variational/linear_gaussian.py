"""A linear-Gaussian model, probabilistic PCA, of which everything that a VAE estimates is known exactly."""
from __future__ import annotations

import math
from typing import Any

from minidl.arguments import plain_array
from minidl.backend import Array, backend_of
from minidl.errors import InputError
from minidl.linear import PCA
from minidl.nn import Linear, Sequential
from minidl.rows import array_of, check_amount, check_finite, rows_that_meet
from minidl.variational.base import VariationalAutoencoder


class LinearGaussian:
    """p(z) = N(0, 1) and p(x | z) = N(z W + b, sd^2), for codes z (code,) and data x (features,).

    W (code, features) and b (features,) are arrays of floats. Here the likelihood, the posterior and the bound of any
    normal q(z | x) are closed forms: what slides 24 and 25 say can be checked to the last digit. Raises InputError for
    other shapes and an sd that is not above 0.

    Source: M. Tipping and C. Bishop, "Probabilistic principal component analysis", 1999.
    """

    def __init__(self, W: Any, b: Any, sd: float) -> None:
        self.W, self.b = plain_array("LinearGaussian", array_of(W)), plain_array("LinearGaussian", array_of(b))
        self.sd = check_amount("LinearGaussian", "sd", sd, positive=True)
        if self.W.ndim != 2 or self.b.shape != self.W.shape[1:] or self.W.dtype.kind != "f" or not self.W.size:
            raise InputError(f"LinearGaussian: W is an array of floats (code, features), b is (features,), not "
                             f"{self.W.dtype} {self.W.shape} and {self.b.shape}")

    @classmethod
    def fit(cls, x: Any, code: int) -> LinearGaussian:
        """The one under which rows x (N, features) are likeliest.

        Raises InputError as `linear.PCA` does, and unless code is below the number of features.
        """
        pca = PCA(code, svd_solver="svd").fit(x)
        n, d = len(x), len(pca.mean_)
        if code >= d:
            raise InputError(f"LinearGaussian: a code of {code} numbers leaves no noise in {d} features; take fewer")
        noise = float(pca.noise_variance_) * (n - 1) / n * (min(n, d) - code) / (d - code)
        spread = pca.explained_variance_ * ((n - 1) / n) - noise
        return cls(pca.components_ * backend_of(spread).xp.sqrt(spread)[:, None], pca.mean_, math.sqrt(noise))

    @classmethod
    def of(cls, model: VariationalAutoencoder) -> LinearGaussian:
        """That of a variational autoencoder whose decoder is one linear layer with normal output.

        Raises InputError for another decoder.
        """
        decoder = getattr(model, "decoder", None)
        layers: Any = list(decoder) if isinstance(decoder, Sequential) else [decoder]
        if not isinstance(model, VariationalAutoencoder) or model.output != "linear" or model.classes or \
                len(layers) != 1 or not isinstance(layers[0], Linear):
            raise InputError("LinearGaussian.of: it takes a model whose decoder is one Linear layer, of output "
                             "'linear' and without labels, such as VAE([8, 2], output='linear', rng=0)")
        W, b = layers[0].weight.data, layers[0].bias
        return cls(W, b.data if b is not None else 0 * W[0], math.exp(0.5 * float(model.log_variance.data[0])))

    def log_likelihood(self, x: Any) -> Array:
        """log p(x) in nats: rows x (N, features) -> (N,), of N(b, W'W + sd^2)."""
        xp, r = backend_of(self.W).xp, self._centred("log_likelihood", x)
        M, d = self._precision(), self.W.shape[1]
        projected = r @ self.W.T                                                             # (N, code)
        square = (r * r).sum(1) - (projected * xp.linalg.solve(M, projected.T).T).sum(1)
        log_det = xp.linalg.slogdet(M)[1] + 2 * (d - len(M)) * math.log(self.sd)
        return -0.5 * (square / self.sd**2 + log_det + d * math.log(2 * math.pi))

    def posterior(self, x: Any) -> tuple[Array, Array]:
        """p(z | x): its means (N, code), and the covariance (code, code) that all rows x (N, features) share."""
        xp, r, M = backend_of(self.W).xp, self._centred("posterior", x), self._precision()
        return xp.linalg.solve(M, self.W @ r.T).T, self.sd**2 * xp.linalg.inv(M)

    def elbo(self, x: Any, mean: Any, covariance: Any) -> Array:
        """The evidence lower bound of a normal q(z | x), in nats: rows x (N, features) -> (N,).

        q has means (N, code) and a covariance (code, code), or one for each row (N, code, code).
        """
        xp, r = backend_of(self.W).xp, self._centred("elbo", x)
        mean, covariance = self._normal("elbo", len(r), mean, covariance)
        r = r - mean @ self.W
        spread = xp.trace(covariance @ (self.W @ self.W.T), axis1=-2, axis2=-1)              # of z W under q
        error = ((r * r).sum(1) + spread) / self.sd**2 + self.W.shape[1] * math.log(2 * math.pi * self.sd**2)
        eye = xp.eye(len(self.W), dtype=self.W.dtype)
        return -0.5 * error - kl_normals(mean, covariance, xp.zeros_like(mean), eye)

    def gap(self, x: Any, mean: Any, covariance: Any) -> Array:
        """KL(q(z | x) || p(z | x)) in nats, of the q of `elbo`: rows x (N, features) -> (N,).

        It is what the bound lacks: log p(x) = elbo + gap, for each q.
        """
        true_mean, true_covariance = self.posterior(x)
        return kl_normals(*self._normal("gap", len(true_mean), mean, covariance), true_mean, true_covariance)

    def _precision(self) -> Array:
        """M = W W' + sd^2: (code, code), the posterior's precision but for a factor of sd^2."""
        return self.W @ self.W.T + self.sd**2 * backend_of(self.W).xp.eye(len(self.W), dtype=self.W.dtype)

    def _normal(self, verb: str, n: int, mean: Any, covariance: Any) -> tuple[Array, Array]:
        """The means and the covariance of n distributions of codes. Raises InputError for other shapes."""
        k = len(self.W)
        mean = rows_that_meet("LinearGaussian", verb, array_of(mean), k, self.W)
        covariance = plain_array("LinearGaussian", array_of(covariance))
        if len(mean) != n or covariance.shape not in ((k, k), (n, k, k)):
            raise InputError(f"LinearGaussian.{verb}: {n} rows have means {(n, k)}, and a covariance {(k, k)}, or one "
                             f"each, {(n, k, k)}, not {mean.shape} and {covariance.shape}")
        return mean, covariance.astype(self.W.dtype)

    def _centred(self, verb: str, x: Any) -> Array:
        r = rows_that_meet("LinearGaussian", verb, array_of(x), len(self.b), self.b) - self.b
        check_finite("LinearGaussian", verb, (r * r).sum(1))
        return r


def kl_normals(mean: Array, covariance: Array, other_mean: Array, other_covariance: Array) -> Array:
    """KL(N(mean, covariance) || N(other_mean, other_covariance)) in nats: (N, k) and (k, k) or (N, k, k) -> (N,)."""
    xp = backend_of(mean).xp
    difference = other_mean - mean                                                           # (N, k)
    spread = xp.trace(xp.linalg.solve(other_covariance, covariance), axis1=-2, axis2=-1)
    square = (difference * xp.linalg.solve(other_covariance, difference.T).T).sum(1)
    log_dets = xp.linalg.slogdet(other_covariance)[1] - xp.linalg.slogdet(covariance)[1]
    return 0.5 * (spread + square - mean.shape[1] + log_dets)
