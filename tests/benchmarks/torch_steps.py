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


def _leaves(arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(np.ascontiguousarray(a), requires_grad=True) for name, a in arrays.items()}


def _discriminator(D: dict[str, torch.Tensor], x: torch.Tensor, *running: torch.Tensor) -> torch.Tensor:
    h = F.leaky_relu(F.conv2d(x, D["c1"], None, 2, 1), 0.2)
    h = F.conv2d(h, D["c2"], None, 2, 1)
    if running:
        h = F.batch_norm(h, *running, D["g"], D["b"], True)
    return F.leaky_relu(h, 0.2).flatten(1) @ D["l"] + D["lb"]


def dcgan(d: Any, p: Any) -> Callable[[], float]:
    G, D = _leaves(d["G"]), _leaves(d["D"])
    optimize_g = torch.optim.Adam(G.values(), lr=2e-4, betas=(0.5, 0.999))
    optimize_d = torch.optim.Adam(D.values(), lr=2e-4, betas=(0.5, 0.999))
    x, z = torch.tensor(d["x"]), torch.tensor(d["z"])
    running = [(torch.zeros(n), torch.ones(n)) for n in (128, 64, 128)]
    one, zero = torch.ones(len(z), 1), torch.zeros(len(z), 1)
    bce = F.binary_cross_entropy_with_logits

    def step() -> float:
        h = (z @ G["l"]).view(-1, 128, 7, 7)
        h = F.relu(F.batch_norm(h, *running[0], G["g1"], G["b1"], True))
        h = F.conv_transpose2d(h, G["t1"], None, 2, 1)
        h = F.relu(F.batch_norm(h, *running[1], G["g2"], G["b2"], True))
        fake = torch.tanh(F.conv_transpose2d(h, G["t2"], None, 2, 1))
        optimize_d.zero_grad()
        loss_d = bce(_discriminator(D, x, *running[2]), one) + bce(_discriminator(D, fake.detach(), *running[2]), zero)
        loss_d.backward()
        optimize_d.step()
        optimize_g.zero_grad()
        loss_g = bce(_discriminator(D, fake, *running[2]), one)
        loss_g.backward()
        optimize_g.step()
        return loss_d.item() + loss_g.item()

    return step


def wgan_conv(d: Any, p: Any) -> Callable[[], float]:
    D = _leaves(d["D"])
    optimizer = torch.optim.Adam(D.values(), lr=1e-4, betas=(0.5, 0.9))
    real, fake, alpha = (torch.tensor(d[name]) for name in ("real", "fake", "alpha"))

    def step() -> float:
        x = (alpha * real + (1 - alpha) * fake).requires_grad_()
        g, = torch.autograd.grad(_discriminator(D, x).sum(), x, create_graph=True)
        penalty = ((g.flatten(1).norm(dim=1) - 1) ** 2).mean()
        loss = _discriminator(D, fake).mean() - _discriminator(D, real).mean() + 10 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def conv(d: Any, p: Any) -> Callable[[], float]:
    x, w, b = (torch.tensor(d[name], requires_grad=True) for name in ("x", "w", "b"))
    gy = torch.tensor(d["gy"])

    def step() -> float:
        x.grad = w.grad = b.grad = None
        y = F.conv2d(x, w, b, p["s"], p["pad"])
        y.backward(gy)
        assert w.grad is not None and x.grad is not None
        return (w.grad[0, 0, 0, 0] + x.grad[0, 0, 0, 0] + y[0, 0, 0, 0]).item()

    return step


def maxpool(d: Any, p: Any) -> Callable[[], float]:
    x, gy = torch.tensor(d["x"], requires_grad=True), torch.tensor(d["gy"])

    def step() -> float:
        x.grad = None
        y = F.max_pool2d(x, 2)
        y.backward(gy)
        assert x.grad is not None
        return (x.grad[0, 0].sum() + y[0, 0, 0, 0]).item()

    return step


def lstm(d: Any, p: Any) -> Callable[[], float]:
    layer = torch.nn.LSTM(p["I"], p["H"])
    with torch.no_grad():
        for name, a in (("weight_ih_l0", d["wx"].T), ("weight_hh_l0", d["wh"].T), ("bias_ih_l0", d["b"])):
            getattr(layer, name).copy_(torch.tensor(np.ascontiguousarray(a)))
        layer.bias_hh_l0.zero_()
    x, gy = torch.tensor(d["x"], requires_grad=True), torch.tensor(d["gy"])

    def step() -> float:
        x.grad = None
        layer.zero_grad()
        y, _ = layer(x)
        y.backward(gy)
        return y[-1].sum().item()

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
