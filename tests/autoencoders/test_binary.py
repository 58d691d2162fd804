"""The binary autoencoder: bits and back, two ways to a gradient, noise that drives units to 0 and 1, samples."""
import numpy as np
import pytest

import minidl as md
from minidl import data, nn, optim, training
from minidl.autoencoders import BinaryAutoencoder
from minidl.autoencoders.binary import CODES, threshold
from minidl.tensor import Tensor
from tests.standin.device import counting, install


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def fitted(x, *, code, epochs, noise=4.0):
    rng = np.random.default_rng(0)
    model = BinaryAutoencoder([x.shape[1], 16], rng=rng, code=code, noise=noise)
    model.start_from(x)
    training.fit(model, data.Loader(x, batch_size=64, rng=rng),
                 optim.Adam(model.parameters(), lr=3e-2), epochs=epochs, progress=False)
    return model


def test_the_full_size_is_counted_by_its_layers():
    sizes = [3072, 8192, 4096, 2048, 1024, 512, 256]
    encoder = sum((before + 1) * after for before, after in zip(sizes[:-1], sizes[1:], strict=True))
    assert encoder == 69_877_504                                  # the slide says about 67 million
    small = BinaryAutoencoder([size // 64 for size in sizes], rng=0)
    counted = sum(p.size for p in small.encoder.parameters())
    assert counted == sum((b // 64 + 1) * (a // 64) for b, a in zip(sizes[:-1], sizes[1:], strict=True))


@pytest.mark.parametrize("code", CODES)
def test_the_code_is_bits_and_the_verbs_compose(code, rng):
    model = BinaryAutoencoder([12, 8, 5], rng=0, code=code)
    x = rng.random((3000, 12), dtype=np.float32)
    model.start_from(x)
    bits = model.encode(x)
    assert bits.dtype == np.uint8 and bits.shape == (3000, 5) and set(np.unique(bits)) == {0, 1}
    assert np.array_equal(bits, model.activities(x) > 0.5)
    y = model.reconstruct(x)
    assert y.dtype == np.float32 and np.array_equal(y, model.decode(bits)) and y.min() >= 0 and y.max() <= 1
    assert np.array_equal(model.decode(bits), model.decode(bits.astype(bool)))
    model.eval()
    recorded = model.encode(Tensor(x))
    assert recorded.requires_grad and np.array_equal(recorded.numpy(), bits)
    assert np.allclose(model.reconstruct(Tensor(x)).numpy(), y, atol=1e-6)
    raw = model(Tensor(x)).numpy()                                 # what `loss` sees in evaluation
    assert np.allclose(1 / (1 + np.exp(-raw)), y, atol=1e-6)


@pytest.mark.parametrize("output", ["logits", "linear"])
@pytest.mark.parametrize("sizes", [[12, 5], [12, 8, 5]])
def test_training_can_start_with_balanced_bits_at_the_mean_image(sizes, output, rng):
    x = rng.random((500, 12), dtype=np.float32) * np.linspace(0.3, 1, 12, dtype=np.float32)
    model = BinaryAutoencoder(sizes, rng=0, output=output)
    model.start_from(x)
    assert np.allclose(model.encode(x).mean(0), 0.5, atol=0.01)
    raw = model.eval()(Tensor(x)).numpy().mean(0)
    assert np.allclose(1 / (1 + np.exp(-raw)) if output == "logits" else raw, x.mean(0), atol=1e-5)


def test_a_threshold_has_the_gradient_of_the_logistic_function(rng):
    inputs = rng.standard_normal((6, 4))
    weights = rng.standard_normal((6, 4))
    a, b = Tensor(inputs, requires_grad=True), Tensor(inputs, requires_grad=True)
    bits = threshold(a)
    assert np.array_equal(bits.numpy(), inputs > 0)
    first = md.grad(md.sum(bits * weights), a, create_graph=True)
    expected = md.grad(md.sum(md.sigmoid(b) * weights), b, create_graph=True)
    assert np.allclose(first.numpy(), expected.numpy())
    assert np.allclose(md.grad(md.sum(first), a).numpy(), md.grad(md.sum(expected), b).numpy())


def test_straight_through_decodes_bits_while_it_trains_and_noise_does_not(rng):
    x = Tensor(rng.random((20, 6), dtype=np.float32))
    hard, soft = (BinaryAutoencoder([6, 4], rng=0, code=code).train() for code in ("straight-through", "noise"))
    assert set(np.unique(hard.code_units(hard.encoder(x)).numpy())) <= {0.0, 1.0}
    units = soft.code_units(soft.encoder(x)).numpy()
    assert ((units > 0) & (units < 1)).all() and not np.array_equal(units, soft.code_units(soft.encoder(x)).numpy())
    assert set(np.unique(soft.eval().code_units(soft.encoder(x)).numpy())) == {0.0, 1.0}


def test_the_noise_lies_before_the_logistic_function_and_has_its_deviation():
    model = BinaryAutoencoder([3, 2], rng=0, noise=2.5)
    units = model.code_units(Tensor(np.zeros((40_000, 2), np.float32))).numpy().astype(float)
    inputs = np.log(units / (1 - units))
    assert inputs.std() == pytest.approx(2.5, rel=0.02) and abs(inputs.mean()) < 0.03
    model.noise = 0.0
    assert (model.code_units(Tensor(np.zeros((5, 2), np.float32))).numpy() == 0.5).all()


def test_noise_in_training_drives_the_units_to_0_and_1():
    x = data.load("digits").flat().x_train[:500]
    undecided = {}
    for noise in (0.0, 4.0):
        activities = fitted(x, code="noise", noise=noise, epochs=25).activities(x)
        undecided[noise] = ((activities > 0.1) & (activities < 0.9)).mean()
    assert undecided[4.0] < 0.5 * undecided[0.0], undecided


@pytest.mark.parametrize("code", CODES)
def test_bits_learn_to_carry_the_image(code):
    x = data.load("digits").flat().x_train[:500]
    model = fitted(x, code=code, epochs=25)
    error, mean = ((model.reconstruct(x) - x)**2).sum(1).mean(), ((x - x.mean(0))**2).sum(1).mean()
    assert error < 0.6 * mean, (error, mean)


def test_samples_have_the_shares_and_the_correlations_of_the_training_bits(rng):
    model = BinaryAutoencoder([10, 6], rng=0)
    x = (rng.random((4000, 3)) @ rng.standard_normal((3, 10))).astype(np.float32)
    model.start_from(x)
    model.encoder[0].bias.data[:2] += np.float32([-99, 0.5])         # a bit that is always 0, and one that is mostly 1
    bits = model.encode(x).astype(float)
    model.remember_codes(x)
    drawn = model.draw_codes(50_000, rng=1)
    assert drawn.dtype == np.uint8 and np.allclose(drawn.mean(0), bits.mean(0), atol=0.01)
    together, real = (np.corrcoef(codes[:, 1:].T) for codes in (drawn.astype(float), bits))
    assert np.abs(real - np.eye(5)).max() > 0.4 and np.allclose(together, real, atol=0.12)
    assert np.allclose(together[1:, 1:], real[1:, 1:], atol=0.02)    # of the balanced bits
    y = model.sample(7, rng=1)
    assert y.shape == (7, 10) and np.array_equal(y, model.decode(model.draw_codes(7, rng=1)))


@pytest.mark.parametrize("code", CODES)
def test_an_interrupted_training_goes_on_bit_for_bit(code, tmp_path):
    x = data.load("digits").flat().x_train[:200]

    def run(stops):
        rng = np.random.default_rng(0)
        model = BinaryAutoencoder([64, 8], rng=rng, code=code)
        loader, optimizer = data.Loader(x, batch_size=50, rng=rng), optim.Adam(model.parameters())
        for epochs in stops:
            training.fit(model, loader, optimizer, epochs=epochs, progress=False,
                         checkpoint=tmp_path / f"{len(stops)}.npz")
            if epochs != stops[-1]:
                rng = np.random.default_rng(99)
                model = BinaryAutoencoder([64, 8], rng=rng, code=code)
                loader, optimizer = data.Loader(x, batch_size=50, rng=rng), optim.Adam(model.parameters())
        return model.parameters()

    assert all(np.array_equal(p.data, q.data) for p, q in zip(run([4]), run([2, 4]), strict=True))


@pytest.mark.parametrize("code", CODES)
def test_training_stays_in_float32(code, only_float32, rng):
    BinaryAutoencoder([12, 8, 5], rng=0, code=code).loss(Tensor(rng.random((30, 12), dtype=np.float32))).backward()


@pytest.mark.parametrize("code", CODES)
def test_a_device_computes_the_same_and_a_step_waits_for_nothing(code, rng):
    device, x = install(), rng.random((30, 12), dtype=np.float32)
    here, there = BinaryAutoencoder([12, 8, 5], rng=0, code=code), BinaryAutoencoder([12, 8, 5], rng=0, code=code)
    there.to(device)
    on_device = device.put(x)
    there.start_from(on_device)
    here.start_from(x)
    there.loss(Tensor(on_device)).backward()                       # the device's generator is made at the first use
    with counting() as c:
        there.loss(Tensor(on_device)).backward()
    assert c.synchronisations == 0 and c.transfers == 0, c.waited_for
    assert np.array_equal(there.encode(on_device).get(), here.encode(x))
    assert np.allclose(there.reconstruct(on_device).get(), here.reconstruct(x), atol=1e-6)
    there.remember_codes(on_device)
    assert there.sample(3, 0).shape == (3, 12)


@pytest.mark.parametrize("act, sentence", [
    (lambda: BinaryAutoencoder([4, 2], rng=0, code="sign"), "'noise' or 'straight-through', not 'sign'"),
    (lambda: BinaryAutoencoder([4, 2], rng=0, noise=-1.0), "0 or more, not -1.0"),
    (lambda: BinaryAutoencoder([4, 2], rng=0, noise=float("nan")), "0 or more, not nan"),
    (lambda: BinaryAutoencoder([4], rng=0), "BinaryAutoencoder: sizes are"),
    (lambda: BinaryAutoencoder([4, 2], rng=0).decode(np.full((3, 2), 0.5)), "decode: codes are zeros and ones"),
    (lambda: BinaryAutoencoder([4, 2], rng=0).decode(np.zeros((3, 3), np.uint8)), "rows of 2 numbers"),
    (lambda: BinaryAutoencoder([4, 2], rng=0).encode(np.zeros((3, 3), np.float32)), "rows of 4 numbers"),
    (lambda: BinaryAutoencoder([4, 2], rng=0).encode(np.full((3, 4), np.nan, np.float32)), "not finite"),
    (lambda: BinaryAutoencoder([4, 2], rng=0).sample(1, 0), "remember_codes")])
def test_what_does_not_fit_gets_a_sentence(act, sentence):
    with pytest.raises(md.InputError, match=sentence):
        act()


def test_its_description_says_how_the_bits_are_made():
    assert repr(BinaryAutoencoder([4, 2], rng=0)).startswith("BinaryAutoencoder(4-2, output='logits', code by noise 4)")
    model = BinaryAutoencoder([4, 2], rng=0, code="straight-through", activation=nn.Sigmoid)
    assert "code by straight-through)" in repr(model)
