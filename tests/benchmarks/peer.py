"""minidl as a peer of a side-by-side benchmark: each method sets a case up and returns one training step.

The data `d` and the parameters `p` come from the benchmark, the same for every peer. Only minidl's public interface is
used, as in a user's script.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import minidl as md
from minidl import nn, optim

md.tune()


def _parameters(arrays: list[Any]) -> list[md.Parameter]:
    return [md.Parameter(np.array(a)) for a in arrays]


class Minidl:
    name = "minidl"

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def version(self) -> str:
        return md.__version__

    def ae(self, d: Any, p: Any) -> Any:
        """A deep autoencoder's step with Adam: sigmoid layers but for code and output."""
        x, layers = md.Tensor(d["x"]), [_parameters(pair) for pair in d["layers"]]
        linear = {len(layers) // 2 - 1, len(layers) - 1}
        optimizer = optim.Adam([t for pair in layers for t in pair], lr=1e-3)

        def step() -> float:
            h = x
            for i, (W, b) in enumerate(layers):
                h = nn.linear(h, W, b)
                h = h if i in linear else md.sigmoid(h)
            loss = nn.binary_cross_entropy_with_logits(h, x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def vae(self, d: Any, p: Any) -> Any:
        """A variational autoencoder's step with Adam."""
        w = {name: _parameters(pair) for name, pair in d["w"].items()}
        x, eps = md.Tensor(d["x"]), md.Tensor(d["eps"])
        optimizer = optim.Adam([t for pair in w.values() for t in pair], lr=1e-3)

        def step() -> float:
            h = md.relu(nn.linear(x, *w["e"]))
            mean, log_variance = nn.linear(h, *w["mu"]), nn.linear(h, *w["lv"])
            z = mean + eps * md.exp(0.5 * log_variance)
            logits = nn.linear(md.relu(nn.linear(z, *w["d"])), *w["o"])
            loss = nn.binary_cross_entropy_with_logits(logits, x, "sum") \
                + nn.kl_unit_gaussian(mean, log_variance, "sum")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def wgan_mlp(self, d: Any, p: Any) -> Any:
        """A WGAN-GP critic's step: the penalty differentiates a gradient."""
        layers = [_parameters(pair) for pair in d["layers"]]
        real, fake, alpha = (md.Tensor(d[name]) for name in ("real", "fake", "alpha"))
        optimizer = optim.Adam([t for pair in layers for t in pair], lr=1e-4, betas=(0.5, 0.9))

        def critic(h: Any) -> Any:
            for W, b in layers[:-1]:
                h = md.relu(nn.linear(h, W, b))
            return nn.linear(h, *layers[-1])

        def step() -> float:
            x = md.Tensor((alpha * real + (1 - alpha) * fake).data, requires_grad=True)
            g = md.grad(critic(x).sum(), x, create_graph=True)
            penalty = ((md.norm(g, axis=1) - 1) ** 2).mean()
            loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def chain(self, d: Any, p: Any) -> Any:
        """A long chain of operations on eight numbers: the engine's own cost."""
        x, a, b = (md.Tensor(d[name], requires_grad=True) for name in ("x", "a", "b"))

        def step() -> float:
            x.grad = a.grad = b.grad = None
            y = x
            for _ in range(p["n"]):
                y = md.tanh(y * a + b)
            y = y.sum()
            y.backward()
            return y.item()

        return step

    def _pca(self, d: Any, p: Any, solver: str) -> Any:
        from minidl.linear import PCA

        return lambda: PCA(p["k"], svd_solver=solver).fit(d["x"]).explained_variance_.sum()

    def pca_cov(self, d: Any, p: Any) -> Any:
        return self._pca(d, p, "covariance")

    def pca_svd(self, d: Any, p: Any) -> Any:
        return self._pca(d, p, "svd")

    def pca_rand(self, d: Any, p: Any) -> Any:
        return self._pca(d, p, "randomized")
