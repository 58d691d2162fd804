"""The contractive autoencoder: its Jacobian and its loss against closed form and finite differences."""
import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.autoencoders import ContractiveAutoencoder, DeepAutoencoder, jacobian
from tests.standin.device import counting, install

X = np.random.default_rng(0).random((7, 6))


def contractive(**settings):
    return ContractiveAutoencoder([6, 4], rng=0, code_activation=nn.Sigmoid, **settings).astype(np.float64)


def test_the_penalty_of_a_logistic_layer_is_the_papers_closed_form():
    """Rifai et al. 2011, equation 7: sum over units of (h (1 - h))^2 times the unit's squared weights."""
    model = contractive(penalty=0.7)
    h = model.encode(X)
    expected = ((h * (1 - h))**2 @ (model.encoder[0].weight.numpy()**2).sum(0)).mean()
    x = md.Tensor(X)
    penalty = model.train().loss(x).item() - model.eval().loss(x).item()
    assert penalty == pytest.approx(0.7 * expected, rel=1e-10)
    assert (jacobian(model.encoder, X)**2).sum((1, 2)).mean() == pytest.approx(expected, rel=1e-10)


def test_the_jacobian_of_a_deep_encoder_is_that_of_finite_differences():
    encoder = DeepAutoencoder([6, 5, 4, 3], rng=0).astype(np.float64).encoder
    found = jacobian(encoder, X)
    assert found.shape == (7, 3, 6)
    for i in range(6):
        step = np.zeros(6)
        step[i] = 1e-6
        slope = (encoder(md.Tensor(X + step)).numpy() - encoder(md.Tensor(X - step)).numpy()) / 2e-6
        assert np.allclose(found[:, :, i], slope, atol=1e-8)


@pytest.mark.parametrize("sizes, settings", [([6, 4], dict(code_activation=nn.Sigmoid)),
                                             ([6, 5, 3], dict(activation=nn.Tanh, tied=False, output="logits"))])
def test_the_gradient_of_the_loss_is_that_of_finite_differences(sizes, settings):
    model = ContractiveAutoencoder(sizes, rng=0, penalty=0.5, **settings).astype(np.float64)
    parameters = model.parameters()

    def loss(*values):
        for p, value in zip(parameters, values, strict=True):
            for _, module in model.named_modules():
                for attribute in ("weight", "bias"):
                    if getattr(module, attribute, None) is p:
                        setattr(module, attribute, value)
        parameters[:] = values                                  # to be replaced by the next ones
        return model.loss(md.Tensor(X))

    md.gradcheck(loss, *parameters, order=1)


def test_a_penalty_contracts_the_code_and_keeps_the_reconstruction_useful():
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((300, 2)) @ rng.standard_normal((2, 6))).astype(np.float32)
    ratios, errors = [], []
    for penalty in (0.0, 2.0):
        model = ContractiveAutoencoder([6, 6], rng=0, penalty=penalty, code_activation=nn.Tanh)
        optimizer = optim.Adam(model.parameters(), lr=0.02)
        for _ in range(100):
            optimizer.zero_grad()
            model.loss(md.Tensor(x)).backward()
            optimizer.step()
        s = np.linalg.svd(jacobian(model.encoder, x), compute_uv=False).mean(0)
        ratios.append(s[2:].max() / s[1])                       # across the plane of the data, against along it
        errors.append(model.eval().loss(md.Tensor(x)).item() / (x**2).sum(1).mean())
    assert ratios[1] < 0.35 * ratios[0]
    assert errors[1] < 0.25


def test_without_a_penalty_and_in_evaluation_it_is_the_tied_autoencoder():
    model, plain = ContractiveAutoencoder([6, 5, 3], rng=0, penalty=0), DeepAutoencoder([6, 5, 3], rng=0, tied=True)
    x = md.Tensor(X.astype(np.float32))
    assert model.loss(x).item() == pytest.approx(plain.loss(x).item(), rel=1e-6)
    model.penalty = 1.0
    assert model.loss(x).item() > 1.2 * plain.loss(x).item()
    assert model.eval().loss(x).item() == plain.loss(x).item()


def test_on_a_device_the_loss_is_the_same_and_nothing_waits():
    here, there = (ContractiveAutoencoder([6, 5, 3], rng=0) for _ in range(2))
    there.to(install())
    x = md.Tensor(X.astype(np.float32), device="standin")
    with counting() as c:
        loss = there.loss(x)
        loss.backward()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    assert loss.item() == here.loss(md.Tensor(X.astype(np.float32))).item()


def test_a_penalty_below_0_gets_a_sentence():
    with pytest.raises(md.InputError, match="penalty is 0 or more, not -1"):
        contractive(penalty=-1)
