"""Tied weights: one parameter with two uses, and half the weights."""
import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim, training
from minidl.autoencoders import DeepAutoencoder
from tests.standin.device import counting, install

X = np.random.default_rng(0).random((40, 12), dtype=np.float32)


def tied(**settings):
    return DeepAutoencoder([12, 8, 3], rng=0, tied=True, **settings)


def weights(model):
    return sum(p.size for p in model.parameters() if p.ndim == 2)


def test_a_tied_decoder_is_the_encoder_transposed_with_biases_of_its_own():
    model = tied()
    assert [name for name, _ in model.named_parameters()] == [
        "encoder.0.weight", "encoder.0.bias", "encoder.2.weight", "encoder.2.bias", "decoder.0.bias", "decoder.2.bias"]
    assert 2 * weights(model) == weights(DeepAutoencoder([12, 8, 3], rng=0))
    W, V = model.encoder[0].weight.numpy(), model.encoder[2].weight.numpy()
    model.decoder[2].bias.data += 1
    code = model.encode(X)
    h = code @ V.T
    assert np.allclose(model.decode(code), np.where(h > 0, h, np.exp(np.minimum(h, 0)) - 1) @ W.T + 1, atol=1e-5)
    assert "12-8-3, output='linear', tied" in repr(model) and "TiedLinear(3, 8)" in repr(model)


@pytest.mark.parametrize("output", ["linear", "logits"])
def test_the_gradient_of_a_tied_weight_is_the_sum_over_both_uses(output):
    model, twin = tied(output=output), DeepAutoencoder([12, 8, 3], rng=0, output=output)
    for there, here in zip((twin.decoder[2], twin.decoder[0]), (model.encoder[0], model.encoder[2]), strict=True):
        there.weight.data[...] = here.weight.data.T
    for m in (model, twin):
        m.loss(md.Tensor(X)).backward()
    for i, j in ((0, 2), (2, 0)):
        both = twin.encoder[i].weight.grad.numpy() + twin.decoder[j].weight.grad.numpy().T
        assert np.allclose(model.encoder[i].weight.grad.numpy(), both, atol=1e-6)


def test_gradients_through_tied_weights_are_those_of_finite_differences():
    model = tied(code_activation=nn.Tanh).astype(np.float64)

    def loss(W, V):
        model.encoder[0].weight = model.decoder[2].weight = W
        model.encoder[2].weight = model.decoder[0].weight = V
        return model.loss(md.Tensor(X.astype(np.float64)))

    md.gradcheck(loss, model.encoder[0].weight, model.encoder[2].weight)


def test_training_keeps_the_weights_tied_and_resumes_bit_for_bit(tmp_path):
    def train(model, epochs, schedule_epochs=4, **settings):
        loader = data.Loader(X, batch_size=8, rng=np.random.default_rng(1))
        optimizer = optim.AdamW(model.named_parameters(), lr=0.01)
        schedule = optim.CosineAnnealingLR(optimizer, T_max=schedule_epochs * len(loader))
        return training.fit(model, loader, optimizer, epochs=epochs, schedule=schedule,
                            progress=False, **settings)

    unbroken, resumed = tied(), tied()
    before = unbroken.loss(md.Tensor(X)).item()
    train(unbroken, 4)
    train(tied(), 2, checkpoint=tmp_path / "run.npz")
    train(resumed, 4, checkpoint=tmp_path / "run.npz")
    assert unbroken.loss(md.Tensor(X)).item() < 0.7 * before
    assert unbroken.decoder[2].weight is unbroken.encoder[0].weight
    for name, value in unbroken.state_dict().items():
        assert np.array_equal(value, resumed.state_dict()[name], equal_nan=True), name


def test_on_a_device_a_tied_network_trains_to_the_same_and_waits_for_nothing():
    here, there = tied(), tied().to(install())
    for model in (here, there):
        x, optimizer = md.Tensor(X, device=model.encoder[0].weight.device), optim.Adam(model.parameters(), lr=0.01)
        with counting() as c:
            for _ in range(5):
                optimizer.zero_grad()
                model.loss(x).backward()
                optimizer.step()
        assert c.synchronisations == 0, c.waited_for
    assert there.loss(x).item() == pytest.approx(here.loss(md.Tensor(X)).item(), rel=1e-6)
