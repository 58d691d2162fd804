"""The variational autoencoder against a PyTorch twin: the same loss and gradients for the same weights and noise."""
import math

import numpy as np
import pytest

from minidl.variational import VAE

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
X = np.random.default_rng(1).random((5, 6))
LABELS = np.array([0, 2, 1, 1, 0])


def torch_loss(model, weights, noise, y):
    """The loss of these weights and this noise, (B, code) or (k, B, code), as a PyTorch user writes it."""
    w = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    x = torch.tensor(X)
    hot = torch.nn.functional.one_hot(torch.tensor(y), 3).double() if y is not None else x[:, :0]

    def dense(h, part):
        h = torch.relu(h @ w[f"{part}.0.weight"] + w[f"{part}.0.bias"])
        return h @ w[f"{part}.2.weight"] + w[f"{part}.2.bias"]

    q = torch.distributions.Normal(*(lambda m, v: (m, torch.exp(v / 2)))(*dense(torch.cat([x, hot], -1), "encoder"
                                                                                ).chunk(2, -1)))
    prior = torch.distributions.Normal(torch.zeros(()).double(), 1.0)
    z = q.loc + q.scale * torch.tensor(noise)
    raw = dense(torch.cat([z, hot.expand(*z.shape[:-1], -1)], -1), "decoder")
    if model.output == "logits":
        log_p = -torch.nn.functional.binary_cross_entropy_with_logits(raw, x.expand_as(raw), reduction="none").sum(-1)
    else:
        log_p = torch.distributions.Normal(raw, torch.exp(w["log_variance"] / 2)).log_prob(x).sum(-1)
    if model.k > 1:
        log_weights = log_p + prior.log_prob(z).sum(-1) - q.log_prob(z).sum(-1)
        loss = math.log(model.k) - torch.logsumexp(log_weights, 0).mean()
    else:
        loss = -log_p.mean() + model.beta * torch.distributions.kl_divergence(q, prior).sum(-1).mean()
    loss.backward()
    return loss.item(), {name: t.grad.numpy() for name, t in w.items()}


@pytest.mark.parametrize("settings", [
    dict(), dict(beta=0.4), dict(classes=3), dict(output="linear", sd=None), dict(k=4),
    dict(k=4, classes=3, output="linear", sd=None)], ids=str)
def test_loss_and_gradients_are_those_of_the_pytorch_twin(settings):
    model, twin = (VAE([6, 5, 2], rng=0, **settings).astype("float64") for _ in range(2))
    y = LABELS if model.classes else None
    shape = (5, 2) if model.k == 1 else (model.k, 5, 2)
    value, gradients = torch_loss(model, model.state_dict(), twin.stream.normal(shape, like=X), y)
    loss = model.loss(X, y)
    loss.backward()
    assert loss.item() == pytest.approx(value, rel=1e-12)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), gradients[name], rtol=1e-8, atol=1e-10, err_msg=name)
