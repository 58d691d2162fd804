"""The benchmark's steps as a PyTorch user writes them; loaded only where PyTorch is installed."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F


def _parameters(layers: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    tensor = lambda a: torch.tensor(np.ascontiguousarray(a), requires_grad=True)
    return [(tensor(W.T), tensor(b)) for W, b in layers]


def ae(d: Any, p: Any) -> Callable[[], float]:
    x, layers = torch.tensor(d["x"]), _parameters(d["layers"])
    linear = {len(layers) // 2 - 1, len(layers) - 1}
    optimizer = torch.optim.Adam([t for pair in layers for t in pair], lr=1e-3)

    def step() -> float:
        h = x
        for i, (W, b) in enumerate(layers):
            h = F.linear(h, W, b)
            h = h if i in linear else torch.sigmoid(h)
        loss = F.binary_cross_entropy_with_logits(h, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def wgan_mlp(d: Any, p: Any) -> Callable[[], float]:
    layers = _parameters(d["layers"])
    real, fake, alpha = (torch.tensor(d[name]) for name in ("real", "fake", "alpha"))
    optimizer = torch.optim.Adam([t for pair in layers for t in pair], lr=1e-4, betas=(0.5, 0.9))

    def critic(h: torch.Tensor) -> torch.Tensor:
        for W, b in layers[:-1]:
            h = F.relu(F.linear(h, W, b))
        return F.linear(h, *layers[-1])

    def step() -> float:
        x = (alpha * real + (1 - alpha) * fake).requires_grad_()
        g, = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        loss = critic(fake).mean() - critic(real).mean() + 10 * ((g.norm(dim=1) - 1) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def chain(d: Any, p: Any) -> Callable[[], float]:
    x, a, b = (torch.tensor(d[name], requires_grad=True) for name in ("x", "a", "b"))

    def step() -> float:
        x.grad = a.grad = b.grad = None
        y = x
        for _ in range(p["n"]):
            y = torch.tanh(y * a + b)
        y = y.sum()
        y.backward()
        return y.item()

    return step
