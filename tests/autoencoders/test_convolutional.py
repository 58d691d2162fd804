"""The convolutional autoencoder: its mirror, its verbs, its cover of the image, training, and bad input."""
import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.autoencoders import ConvolutionalAutoencoder
from tests.standin.device import counting, install

UPS = ["transposed", "upsample", "unpool"]


def images(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("shape, channels", [((8, 8, 1), (4, 6)), ((28, 28, 1), (3, 4)), ((32, 32, 3), (4, 5, 6)),
                                             ((4, 12, 2), (3,))], ids=str)
def test_the_decoder_mirrors_the_encoder(up, shape, channels):
    model = ConvolutionalAutoencoder(shape, channels, code=5, hidden=(7,), up=up, rng=0)
    passed = []
    for network in (model.encoder, model.decoder):
        for layer in network:
            layer.register_forward_hook(lambda layer, inputs, y: passed.append(y.shape[1:]))
    x = images(3, *shape)
    code = model.encode(x)
    stages = [shape, *((shape[0] >> i, shape[1] >> i, c) for i, c in enumerate(channels, 1)), (7,), (5,)]
    assert code.shape == (3, 5) and [size for size in dict.fromkeys(passed) if size in stages] == stages[1:]
    passed.clear()
    y = model.decode(code)
    assert y.shape == x.shape and [size for size in dict.fromkeys(passed) if size in stages] == stages[-2::-1]


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("output", ["linear", "logits"])
def test_verbs_compose_and_take_arrays_or_tensors(up, output, only_float32):
    model = ConvolutionalAutoencoder((8, 8, 1), (3, 4), code=2, up=up, output=output, rng=0)
    x = images(5, 8, 8, 1)
    y = model.reconstruct(x)
    assert np.allclose(y, model.decode(model.encode(x)), atol=1e-6)
    recorded = model.reconstruct(md.Tensor(x))
    assert recorded.requires_grad and np.allclose(recorded.numpy(), y, atol=1e-6)
    model.remember_codes(x)
    assert model.sample(4, rng=1).shape == (4, 8, 8, 1)
    model.loss(md.Tensor(x)).backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in model.parameters())


@pytest.mark.parametrize("up", UPS)
def test_the_gradient_of_the_loss_is_right(up):
    model = ConvolutionalAutoencoder((4, 4, 1), (2,), code=2, up=up, rng=0, activation=nn.Tanh).astype("float64")
    md.gradcheck(model.loss, images(2, 4, 4, 1).astype(np.float64), directions=2)


@pytest.mark.parametrize("up", UPS)
def test_another_device_gives_the_same_and_training_does_not_wait_for_it(up):
    x = images(6, 8, 8, 1)
    here, there = (ConvolutionalAutoencoder((8, 8, 1), (3, 4), code=2, up=up, rng=0) for _ in range(2))
    device = install()
    there.to(device)
    np.testing.assert_allclose(md.Tensor(there.reconstruct(device.put(x))).numpy(), here.reconstruct(x), atol=1e-6)
    optimizer, batch = optim.Adam(there.parameters(), lr=1e-3), md.Tensor(x, device=device)
    with counting() as c:
        there.loss(batch).backward()
        optimizer.step()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for


def cover(model):
    """How many weights of the last stage each pixel of the image is a sum of, next to a middle one: (2, 2)."""
    stage = list(model.decoder)[-1 if model.up == "transposed" else -2:]
    for p in stage[-1].parameters():
        p.data[...] = p.ndim > 1
    y = nn.Sequential(*stage)(np.ones((1, 6, 6, 1), np.float32))
    return y.numpy()[0, 4:6, 4:6, 0].tolist()


@pytest.mark.parametrize("up, kernel_size, expected", [
    ("transposed", 4, [[4, 4], [4, 4]]), ("transposed", 3, [[1, 2], [2, 4]]), ("transposed", 2, [[1, 1], [1, 1]]),
    ("transposed", 5, [[9, 6], [6, 4]]), ("upsample", 3, [[9, 9], [9, 9]]), ("unpool", 3, [[1, 2], [2, 4]])])
def test_only_a_kernel_that_the_stride_divides_or_upsampling_covers_the_image_evenly(up, kernel_size, expected):
    """Odena, Dumoulin & Olah 2016; unpooling and a convolution are a transposed convolution in two steps."""
    assert cover(ConvolutionalAutoencoder((12, 12, 1), (1,), code=1, up=up, kernel_size=kernel_size, rng=0)) == expected


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 6, 7])
def test_every_kernel_keeps_the_sizes(kernel_size):
    model = ConvolutionalAutoencoder((12, 8, 2), (2, 3), code=2, kernel_size=kernel_size, rng=0)
    assert model.reconstruct(images(2, 12, 8, 2)).shape == (2, 12, 8, 2)


def test_moving_the_image_by_both_strides_moves_the_feature_maps_by_one():
    model = ConvolutionalAutoencoder((32, 32, 1), (3, 4), code=2, rng=0)
    x = np.zeros((1, 32, 32, 1), np.float32)
    x[0, 8:20, 8:20] = images(12, 12, 1)
    maps, moved = (model.encoder[:4](np.roll(x, by, (1, 2))).numpy() for by in (0, 4))
    np.testing.assert_allclose(moved, np.roll(maps, 1, (1, 2)), atol=1e-5)


@pytest.mark.parametrize("up", UPS)
def test_it_learns_where_a_dot_is(up):
    """64 images, of a dot in each place, through two numbers: better than their mean after some steps."""
    x = np.zeros((64, 8, 8, 1), np.float32)
    for i in range(8):
        for j in range(8):
            x[8 * i + j, max(0, i - 2):i + 3, max(0, j - 2):j + 3] = 1.0
    model = ConvolutionalAutoencoder((8, 8, 1), (4, 4), code=2, hidden=(16,), up=up, rng=0)
    optimizer = optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(30):
        optimizer.zero_grad()
        model.loss(md.Tensor(x)).backward()
        optimizer.step()
    assert model.loss(md.Tensor(x)).item() < 0.75 * ((x - x.mean(0))**2).sum((1, 2, 3)).mean()


def test_a_seed_gives_the_same_model_and_a_state_brings_it_back():
    a, b, c = (ConvolutionalAutoencoder((8, 8, 1), code=3, rng=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(p.data, q.data) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    x = images(2, 8, 8, 1)
    assert not np.array_equal(a.reconstruct(x), c.reconstruct(x))
    c.load_state_dict(a.state_dict())
    assert np.array_equal(a.reconstruct(x), c.reconstruct(x))
    assert "ConvolutionalAutoencoder(8x8x1 to 3, up='transposed', output='linear')" in repr(a)


@pytest.mark.parametrize("arguments, sentence", [
    (dict(up="unpooling"), "up is one of 'transposed', 'upsample', 'unpool', not 'unpooling'"),
    (dict(input_shape=(30, 28, 1)), "2 stages halve an image 2 times, and 4 does not divide 30x28; pad or crop to 32 a"
                                    "nd 28, or take fewer channels"),
    (dict(input_shape=(8, 8, 1), channels=(4, 4, 4, 4)), "16 does not divide 8x8; pad or crop to 16 and 16"),
    (dict(input_shape=(28, 28)), r"input_shape is that of one image, \(H, W, C\), such as \(28, 28, 1\), not \(28, 28"),
    (dict(input_shape=(0, 28, 1)), "that of one image"),
    (dict(code=0), r"the dense widths down to the code \[0\] are 1 or more"),
    (dict(channels=()), r"channels \[\], at least one"),
    (dict(channels=(8, 0)), r"channels \[8, 0\], .* are 1 or more"),
    (dict(hidden=(0,)), r"the dense widths down to the code \[0, 2\]"),
    (dict(up="upsample", kernel_size=4), "kernel_size is 1 or more, and odd unless up is 'transposed', not 4"),
    (dict(kernel_size=0), "kernel_size is 1 or more"),
    (dict(output="sigmoid"), "'linear' or 'logits'")])
def test_bad_settings_get_a_sentence(arguments, sentence):
    settings = {"input_shape": (28, 28, 1), "code": 2, "rng": 0} | arguments
    with pytest.raises(md.InputError, match=sentence):
        ConvolutionalAutoencoder(**settings)


def test_images_of_another_shape_get_a_sentence():
    model = ConvolutionalAutoencoder((8, 8, 1), code=3, rng=0)
    for shape in [(2, 64), (8, 8, 1), (2, 9, 8, 1), (2, 1, 8, 8)]:
        with pytest.raises(md.InputError, match=r"encode: expected items of shape \(8, 8, 1\), \(N, 8, 8, 1\), not"):
            model.reconstruct(np.zeros(shape, np.float32))
    with pytest.raises(md.InputError, match="decode: expected rows of 3 numbers"):
        model.decode(np.zeros((2, 30), np.float32))
