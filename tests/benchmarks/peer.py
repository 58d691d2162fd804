"""minidl as a peer of a side-by-side benchmark: each method sets a case up and returns one training step.

The data `d` and the parameters `p` come from the benchmark, the same for every peer. Only minidl's public interface is
used, as in a user's script.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import minidl as md
from minidl import nn, optim

md.tune()


def _parameters(arrays: list[Any]) -> list[md.Parameter]:
    return [md.Parameter(np.array(a)) for a in arrays]


def _wgan_step(critic: Any, parameters: Any, *data: Any, lr: float = 1e-4, betas: Any = (0.5, 0.9),
               drift: float = 0.0) -> Any:
    """A critic's step with Adam: the penalty differentiates a gradient; `drift` holds scores of real data near 0."""
    real, fake, alpha = map(md.Tensor, data)
    optimizer = optim.Adam(parameters, lr=lr, betas=betas)

    def step() -> float:
        x = md.Tensor((alpha * real + (1 - alpha) * fake).data, requires_grad=True)
        g = md.grad(critic(x).sum(), x, create_graph=True)
        penalty = ((md.norm(g.flatten(1), axis=1) - 1) ** 2).mean()
        scores = critic(real)
        loss = critic(fake).mean() - scores.mean() + 10 * penalty
        if drift:
            loss = loss + drift * (scores**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


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

    def iwae(self, d: Any, p: Any) -> Any:
        """A step of an importance-weighted autoencoder with Adam."""
        w = {name: _parameters(pair) for name, pair in d["w"].items()}
        x, eps = md.Tensor(d["x"]), md.Tensor(d["eps"])
        optimizer = optim.Adam([t for pair in w.values() for t in pair], lr=1e-3)

        def dense(h: Any, first: str, second: str) -> Any:
            return md.tanh(nn.linear(md.tanh(nn.linear(h, *w[first])), *w[second]))

        def step() -> float:
            h = dense(x, "e1", "e2")
            mean, log_variance = nn.linear(h, *w["mu"]), nn.linear(h, *w["lv"])
            z = mean + eps * md.exp(0.5 * log_variance)                                          # (k, B, 50)
            logits = nn.linear(dense(z, "d1", "d2"), *w["o"])
            log_p = -nn.binary_cross_entropy_with_logits(logits, md.broadcast_to(x, logits.shape), "none").sum(-1)
            log_w = log_p - 0.5 * (z * z).sum(-1) + 0.5 * (eps * eps + log_variance).sum(-1)
            loss = math.log(p["k"]) - md.logsumexp(log_w, 0).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def wgan_mlp(self, d: Any, p: Any) -> Any:
        """A WGAN-GP step of a dense critic."""
        layers = [_parameters(pair) for pair in d["layers"]]

        def critic(h: Any) -> Any:
            for W, b in layers[:-1]:
                h = md.relu(nn.linear(h, W, b))
            return nn.linear(h, *layers[-1])

        points = [d[name] for name in ("real", "fake", "alpha")]
        return _wgan_step(critic, [t for pair in layers for t in pair], *points)

    def maxpool(self, d: Any, p: Any) -> Any:
        """Max pooling by 2x2 windows, there and back."""
        x = md.Tensor(d["x"].transpose(0, 2, 3, 1).copy(), requires_grad=True)
        gy = md.Tensor(d["gy"].transpose(0, 2, 3, 1).copy())

        def step() -> float:
            x.grad = None
            y = md.max_pool2d(x, 2)
            y.backward(gy)
            assert x.grad is not None
            return float(x.grad.data[0, ..., 0].sum() + y.data[0, 0, 0, 0])

        return step

    def _convolutions(self, d: Any) -> dict[str, md.Parameter]:
        """A network's weights, from PyTorch's layout to (KH, KW, C, O) and to dense layers over (H, W, C)."""
        named = {}
        for name, a in d.items():
            if a.ndim == 4:                                       # (O, C, KH, KW), also of the transposed ones
                a = a.transpose(2, 3, 1, 0)
            elif name == "l":                                     # one side of it is a flat image (C, H, W)
                a = a.reshape(len(a) if len(a) == 100 else 1, 128, 7, 7).transpose(0, 2, 3, 1)
                a = a.reshape(100, 6272) if len(a) == 100 else a.reshape(6272, 1)
            named[name] = md.Parameter(np.ascontiguousarray(a))
        return named

    def dcgan(self, d: Any, p: Any) -> Any:
        """A DCGAN's step: the discriminator on real and generated images, then the generator."""
        G, D = self._convolutions(d["G"]), self._convolutions(d["D"])
        norms = [nn.BatchNorm(size) for size in (128, 64, 128)]
        for norm, (W, b) in zip(norms, [(G["g1"], G["b1"]), (G["g2"], G["b2"]), (D["g"], D["b"])], strict=True):
            norm.weight, norm.bias = W, b
        optimize_g = optim.Adam(G.values(), lr=2e-4, betas=(0.5, 0.999))
        optimize_d = optim.Adam(D.values(), lr=2e-4, betas=(0.5, 0.999))
        x, z = md.Tensor(d["x"].transpose(0, 2, 3, 1)), md.Tensor(d["z"])
        one, zero = np.ones((len(z), 1), np.float32), np.zeros((len(z), 1), np.float32)
        bce = nn.binary_cross_entropy_with_logits

        def discriminator(x: Any) -> Any:
            h = md.leaky_relu(md.conv2d(x, D["c1"], stride=2, padding=1), 0.2)
            h = md.leaky_relu(norms[2](md.conv2d(h, D["c2"], stride=2, padding=1)), 0.2)
            return nn.linear(h.flatten(1), D["l"], D["lb"])

        def step() -> float:
            h = md.relu(norms[0]((z @ G["l"]).reshape(-1, 7, 7, 128)))
            h = md.relu(norms[1](md.conv_transpose2d(h, G["t1"], stride=2, padding=1)))
            fake = md.tanh(md.conv_transpose2d(h, G["t2"], stride=2, padding=1))
            optimize_d.zero_grad()
            loss_d = bce(discriminator(x), one) + bce(discriminator(fake.detach()), zero)
            loss_d.backward()
            optimize_d.step()
            optimize_g.zero_grad()
            loss_g = bce(discriminator(fake), one)
            for t, g in zip(G.values(), md.grad(loss_g, list(G.values())), strict=True):
                t.grad = g
            optimize_g.step()
            return loss_d.item() + loss_g.item()

        return step

    def wgan_conv(self, d: Any, p: Any) -> Any:
        """A WGAN-GP step of a convolutional critic."""
        D = self._convolutions(d["D"])

        def critic(x: Any) -> Any:
            h = md.leaky_relu(md.conv2d(x, D["c1"], stride=2, padding=1), 0.2)
            h = md.leaky_relu(md.conv2d(h, D["c2"], stride=2, padding=1), 0.2)
            return nn.linear(h.flatten(1), D["l"], D["lb"])

        images = [d[name].transpose(0, 2, 3, 1) for name in ("real", "fake", "alpha")]
        return _wgan_step(critic, D.values(), *images)

    def progan(self, d: Any, p: Any) -> Any:
        """A critic's step of progressive growing at 32x32: equalised learning rate, minibatch deviation, WGAN-GP."""
        from minidl.adversarial import MinibatchStd

        l1 = d["D"]["l1"].reshape(128, 8, 8, -1).transpose(1, 2, 0, 3).reshape(d["D"]["l1"].shape)   # over (H, W, C)
        arrays = {name: a.transpose(2, 3, 1, 0) if a.ndim == 4 else a for name, a in (d["D"] | {"l1": l1}).items()}
        D = {name: md.Parameter(np.ascontiguousarray(a)) for name, a in arrays.items()}
        scale = {name: math.sqrt(2 / math.prod(a.shape[:-1])) for name, a in arrays.items()}
        deviation = MinibatchStd(p["batch"])

        def conv(h: Any, name: str) -> Any:
            return md.leaky_relu(md.conv2d(h, D[name] * scale[name], padding=len(arrays[name]) // 2), 0.2)

        def critic(x: Any) -> Any:
            h = conv(conv(conv(x, "rgb"), "c1"), "c2")
            h = conv(conv(md.avg_pool2d(h, 2), "c3"), "c4")
            h = conv(deviation(md.avg_pool2d(h, 2)), "c5").flatten(1)
            return nn.linear(md.leaky_relu(nn.linear(h, D["l1"] * scale["l1"]), 0.2), D["l2"] * scale["l2"])

        images = [d[name].transpose(0, 2, 3, 1).copy() for name in ("real", "fake", "alpha")]
        return _wgan_step(critic, D.values(), *images, lr=1e-3, betas=(0.0, 0.99), drift=1e-3)

    def conv(self, d: Any, p: Any) -> Any:
        """One convolution, forward and backward; its images are (N, H, W, C) from the start, as is native here."""
        x, b = md.Tensor(d["x"].transpose(0, 2, 3, 1).copy(), requires_grad=True), md.Parameter(d["b"])
        W = md.Parameter(d["w"].transpose(2, 3, 1, 0).copy())
        gy = d["gy"].transpose(0, 2, 3, 1).copy()

        def step() -> float:
            x.grad = W.grad = b.grad = None
            y = md.conv2d(x, W, b, stride=p["s"], padding=p["pad"])
            y.backward(gy)
            return W.grad.data[0, 0, 0, 0] + x.grad.data[0, 0, 0, 0] + y.data[0, 0, 0, 0]

        return step

    def lstm(self, d: Any, p: Any) -> Any:
        """An LSTM over a batch of sequences, there and back."""
        x = md.Tensor(d["x"].swapaxes(0, 1).copy(), requires_grad=True)
        gy = md.Tensor(d["gy"].swapaxes(0, 1).copy())
        layer = nn.LSTM(p["I"], p["H"], rng=0)
        layer.load_state_dict({"cells.0.weight_x": d["wx"], "cells.0.weight_h": d["wh"], "cells.0.bias": d["b"]})

        def step() -> float:
            x.grad = None
            layer.zero_grad()
            y, _ = layer(x)
            y.backward(gy)
            return y.data[:, -1].sum()

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

    def _pca(self, d: Any, p: Any, solver: str, **settings: Any) -> Any:
        from minidl.linear import PCA

        return lambda: PCA(p["k"], svd_solver=solver, **settings).fit(d["x"]).explained_variance_.sum()

    def frechet(self, d: Any, p: Any) -> Any:
        """The Fréchet distance of two sets of features, in float64."""
        from minidl.metrics import frechet_distance

        a, b = d["a"].astype(np.float64), d["b"].astype(np.float64)
        return lambda: frechet_distance(a, b)

    def pca_cov(self, d: Any, p: Any) -> Any:
        return self._pca(d, p, "covariance")

    def pca_svd(self, d: Any, p: Any) -> Any:
        return self._pca(d, p, "svd")

    def pca_rand(self, d: Any, p: Any) -> Any:
        return self._pca(d, p, "randomized", power_iterations=p["power"])

    def kmeans(self, d: Any, p: Any) -> Any:
        """Lloyd's rounds from a given start."""
        from minidl.linear import KMeans

        return lambda: KMeans(p["k"], init=d["init"], max_iter=p["iters"], tol=0).fit(d["x"]).inertia_

    def mbkmeans(self, d: Any, p: Any) -> Any:
        """One pass of mini-batches from a given start."""
        from minidl.linear import MiniBatchKMeans

        return lambda: MiniBatchKMeans(p["k"], batch_size=p["batch"], max_iter=1, init=d["init"]).fit(d["x"]).inertia_

    def rbm(self, d: Any, p: Any) -> Any:
        """An epoch of CD-1 of a restricted Boltzmann machine, in the data's order."""
        from minidl import energy

        x, batch = d["x"], p["batch"]
        rng = np.random.Generator(np.random.SFC64(0))
        rbm = energy.RBM(*d["w"].shape, rng=rng)
        rbm.W.data[...] = d["w"]
        optimizer, trainer = optim.SGD(rbm.parameters(), lr=p["lr"]), energy.ContrastiveDivergence(rbm, rng=rng)

        def step() -> float:
            for start in range(0, len(x), batch):
                trainer(rbm, x[start:start + batch])
                optimizer.step()
            return float(rbm.W.data[0, 0])

        return step

    def ais(self, d: Any, p: Any) -> Any:
        """log Z of a restricted Boltzmann machine by annealed importance sampling."""
        from minidl import energy

        rbm = energy.RBM(*d["w"].shape, rng=0)
        rbm.load_state_dict({"W": d["w"], "b": d["b"], "c": d["c"]})
        betas, rng = np.asarray(d["betas"], np.float64), np.random.Generator(np.random.SFC64(0))
        return lambda: energy.ais(rbm, betas=betas, chains=p["chains"], base=d["base"], rng=rng).log_z

    def swd(self, d: Any, p: Any) -> Any:
        """The sliced Wasserstein distance of two levels of pyramids, with given places of patches and directions."""
        from minidl.metrics import laplacian_pyramid, pyramid, wasserstein_along

        sets = [np.ascontiguousarray(d[name].transpose(0, 2, 3, 1)) for name in "ab"]
        directions = d["dirs"].reshape(3, 7, 7, -1).transpose(1, 2, 0, 3).reshape(147, -1)        # channels last

        def step() -> float:
            distances = []
            for levels in zip(*(laplacian_pyramid(images, 2) for images in sets), strict=True):
                corners = d["places"][levels[0].shape[1]] - 3
                points = [pyramid.normalized_patches(pyramid.patches_at(level, *corner, 7))
                          for level, corner in zip(levels, corners, strict=True)]
                distances.append(1000 * wasserstein_along(*points, directions))
            return sum(distances) / 2

        return step

    def msssim(self, d: Any, p: Any) -> Any:
        """The mean MS-SSIM of pairs of images."""
        from minidl import metrics

        x, y = (d[name].transpose(0, 2, 3, 1) for name in "xy")
        return lambda: float(metrics.ms_ssim(x, y).mean())
