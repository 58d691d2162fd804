"""What a variational autoencoder's code units say: which of them are in use, and the KL divergence by sampling."""
from __future__ import annotations

import math
from typing import Any, NamedTuple

from minidl import nn, ops
from minidl.backend import Array, backend_of
from minidl.modes import no_grad
from minidl.ops.operands import index_array
from minidl.randomness import RandomStream, Seed
from minidl.rows import array_of, check_amount, check_count, slices
from minidl.tensor import Tensor
from minidl.variational.base import VariationalAutoencoder

_ROWS = 2048


class Units(NamedTuple):
    """Code units over some data: `variance` of their means, mean `kl` in nats, `active` or not; each (code,)."""

    variance: Array
    kl: Array
    active: Array


def unit_activity(model: VariationalAutoencoder, x: Any, y: Any = None, *, threshold: float = 0.01) -> Units:
    """How much each code unit says about the items x (N, *input_shape).

    A unit is active if the variance over the data of its mean given an item is above the threshold. One that is not
    has collapsed: its distribution is the prior's, whatever the item, and so is its KL divergence 0. Raises InputError
    for no items, other shapes, labels that do not fit, and a threshold that is no number of at least 0.

    Source: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", 2016, section 5.2.
    """
    threshold = check_amount("unit_activity", "threshold", threshold)
    x, labels = Tensor(x).data, array_of(index_array("unit_activity", y))
    check_count("unit_activity", "the number of items", x.shape[0] if x.ndim else 0)
    xp, means, kl = backend_of(x).xp, [], 0.0
    with no_grad():
        for some in slices(len(x), _ROWS):
            mean, log_variance = model.posterior(x[some], labels[some] if getattr(labels, "ndim", 0) else labels)
            units = nn.kl_unit_gaussian(mean[..., None], log_variance[..., None], "none")
            kl = kl + ops.sum(units, 0).data
            means.append(mean.data)
    variance = xp.concatenate(means).var(0)
    return Units(variance, kl / len(x), variance > threshold)


def kl_by_sampling(mean: Any, log_variance: Any, *, n: int, rng: Seed) -> tuple[Array, Array]:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) by n draws, and its standard error, in nats: (..., d) -> (...) twice.

    The mean of log q(z) - log p(z): it checks the closed form of slide 25, `nn.kl_unit_gaussian`. Raises InputError
    for fewer than two draws.
    """
    n = check_count("kl_by_sampling", "n, the number of draws,", n, least=2)
    mean, log_variance = Tensor(mean).detach(), Tensor(log_variance).detach()
    noise = RandomStream.of(rng, "kl_by_sampling").normal((n, *mean.shape), like=mean)
    z = mean + ops.exp(log_variance * 0.5) * noise
    differences = (ops.sum(z * z - noise * noise - log_variance, -1) * 0.5).data
    return differences.mean(0), differences.std(0, ddof=1) / math.sqrt(n)
