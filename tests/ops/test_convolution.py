"""Convolutions against loops that say what they are; in blocks and whole; and what they refuse."""
import numpy as np
import pytest

import minidl as md
from minidl.ops import convolution
from tests.standin.device import counting, install

RNG = np.random.default_rng(0)
# image size, kernel, stride, padding, dilation
GEOMETRIES = [((5, 6), (3, 3), (1, 1), (1, 1), (1, 1)), ((6, 5), (4, 4), (2, 2), (1, 1), (1, 1)),
              ((5, 5), (1, 1), (1, 1), (0, 0), (1, 1)), ((5, 5), (1, 1), (2, 2), (0, 0), (1, 1)),
              ((6, 7), (2, 3), (3, 2), (1, 0), (1, 1)), ((7, 6), (3, 2), (1, 1), (2, 0), (2, 3)),
              ((4, 4), (3, 3), (1, 1), (3, 4), (1, 1)), ((5, 9), (5, 4), (2, 3), (2, 2), (1, 2)),
              ((5, 6), (11, 9), (1, 1), (4, 3), (1, 1))]
CHANNELS = [(1, 3, 1), (3, 2, 1), (5, 4, 1), (4, 6, 2), (3, 3, 3), (2, 6, 2)]            # in, out, groups


def convolve_reference(x, W, stride, padding, dilation, groups):
    """Each output pixel is the sum over the window below it, and nothing else."""
    n, h, w, _ = x.shape
    kh, kw, c, o = W.shape
    padded = np.zeros((n, h + 2 * padding[0], w + 2 * padding[1], x.shape[3]))
    padded[:, padding[0]:padding[0] + h, padding[1]:padding[1] + w] = x
    oh = (padded.shape[1] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (padded.shape[2] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((n, oh, ow, o))
    for a, b, i, j, out in np.ndindex(oh, ow, kh, kw, o):
        group = out // (o // groups)
        pixels = padded[:, a * stride[0] + i * dilation[0], b * stride[1] + j * dilation[1], group * c:group * c + c]
        y[:, a, b, out] += pixels @ W[i, j, :, out]
    return y


def arrays(size, kernel, channels):
    c, o, groups = channels
    return RNG.standard_normal((3, *size, c)), RNG.standard_normal((*kernel, c // groups, o))


@pytest.mark.parametrize("block", [1, 1_500_000], ids=["image by image", "all at once"])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_convolution_and_its_gradients_are_those_of_the_definition(monkeypatch, geometry, channels, block):
    monkeypatch.setattr(convolution, "_BLOCK", block)
    size, kernel, stride, padding, dilation = geometry
    x, W = arrays(size, kernel, channels)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": channels[2]}
    X, K = md.Tensor(x, requires_grad=True), md.Tensor(W, requires_grad=True)
    y = md.conv2d(X, K, **options)
    np.testing.assert_allclose(y.numpy(), convolve_reference(x, W, *options.values()), rtol=1e-12, atol=1e-12)
    g = RNG.standard_normal(y.shape)
    y.backward(g)
    # It is linear in each: <g, conv(v, W)> = <gradient, v> for every v.
    for gradient, other, replaced in [(X.grad, x, lambda v: (v, W)), (K.grad, W, lambda v: (x, v))]:
        v = RNG.standard_normal(other.shape)
        expected = (convolve_reference(*replaced(v), *options.values()) * g).sum()
        np.testing.assert_allclose((gradient.numpy() * v).sum(), expected, rtol=1e-10, atol=1e-10)


def test_blocks_of_unequal_size_are_put_together(monkeypatch):
    x, W = RNG.standard_normal((7, 6, 6, 2)), RNG.standard_normal((3, 3, 2, 5))
    whole = md.conv2d(x, W, padding=1)
    for images in (2, 3):
        monkeypatch.setattr(convolution, "_BLOCK", images * 6 * 6 * 3 * 3 * 2 * 8)
        np.testing.assert_allclose(md.conv2d(x, W, padding=1), whole, rtol=1e-13, atol=1e-13)
        wide = md.conv2d(np.concatenate([x] * 3, axis=3), np.concatenate([W] * 3, axis=2) / 3, padding=1)
        np.testing.assert_allclose(wide, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_transposed_convolution_is_the_convolutions_transpose(geometry, channels):
    size, kernel, stride, padding, dilation = geometry
    x, W = arrays(size, kernel, channels)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": channels[2]}
    y = md.conv2d(x, W, **options)
    v = RNG.standard_normal(y.shape)
    lost = [(n + 2 * p - d * (k - 1) - 1) % s for n, p, d, k, s in zip(size, padding, dilation, kernel, stride,
                                                                       strict=True)]
    back = md.conv_transpose2d(v, W, output_padding=tuple(lost), **options)
    assert back.shape == x.shape
    np.testing.assert_allclose((back * x).sum(), (v * y).sum(), rtol=1e-10)


@pytest.mark.parametrize("channels", CHANNELS[:5])
def test_biases_are_added_to_each_channel_and_their_gradient_is_the_sum(channels):
    x, W = arrays((5, 5), (3, 3), channels)
    b, c = md.Tensor(RNG.standard_normal(channels[1]), requires_grad=True), RNG.standard_normal(channels[0])
    y = md.conv2d(x, W, b, groups=channels[2])
    np.testing.assert_allclose(y.numpy(), md.conv2d(x, W, groups=channels[2]) + b.numpy(), rtol=1e-12)
    y.backward(np.ones(y.shape))
    np.testing.assert_allclose(b.grad.numpy(), np.full(channels[1], y.size / channels[1]))
    back = md.conv_transpose2d(y.numpy(), W, c, groups=channels[2])
    np.testing.assert_allclose(back, md.conv_transpose2d(y.numpy(), W, groups=channels[2]) + c, rtol=1e-12)


def test_an_empty_batch_gives_an_empty_result_and_a_gradient_of_zeros():
    W = md.Parameter(np.ones((3, 3, 2, 4), np.float32))
    y = md.conv2d(np.zeros((0, 5, 5, 2), np.float32), W)
    assert y.shape == (0, 3, 3, 4)
    md.sum(y).backward()
    assert not W.grad.numpy().any()


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_an_empty_batch_is_no_matter_on_a_device_either(groups):
    x = md.Tensor(np.zeros((0, 5, 5, 4), np.float32), device=install(), requires_grad=True)
    W = md.Tensor(np.ones((3, 3, 4 // groups, 4), np.float32), device=x.device)
    y = md.conv_transpose2d(md.conv2d(x, W, groups=groups), W, groups=groups)
    md.sum(y).backward()
    assert y.shape == x.grad.shape == (0, 5, 5, 4)


def test_a_step_on_the_device_waits_for_nothing():
    device = install()
    x, W = (md.Tensor(a.astype(np.float32), device=device, requires_grad=True) for a in arrays((6, 6), (4, 4),
                                                                                             (3, 5, 1)))
    with counting() as c:
        md.sum(md.conv_transpose2d(md.conv2d(x, W, stride=2, padding=1), W, stride=2, padding=1)).backward()
    assert c.synchronisations == c.transfers == 0, c.waited_for


@pytest.mark.parametrize("call, sentence", [
    (lambda x, W: md.conv2d(x[0], W), "need four axes"),
    (lambda x, W: md.conv2d(x[..., :1], W), "takes images of 2 channels"),
    (lambda x, W: md.conv2d(x, W[:, :, :1], groups=2), r"gives 3, which groups must divide"),
    (lambda x, W: md.conv2d(x, W, dilation=3), r"3x3 \(with dilation 7x7\) is larger than the image of 4x5"),
    (lambda x, W: md.conv2d(x[:, :2], W), "3x3 is larger than the image of 2x5, padded 2x5"),
    (lambda x, W: md.conv2d(x, W, stride=0), "stride is a whole number of 1 or more"),
    (lambda x, W: md.conv2d(x, W, padding=(1, -1)), r"padding is a whole number of 0 or more.* not \(1, -1\)"),
    (lambda x, W: md.conv2d(x, W, padding="same"), "padding is a whole number"),
    (lambda x, W: md.conv2d(x, W, groups=0), "groups is a whole number"),
    (lambda x, W: md.conv2d(x, W, np.zeros(2)), r"b of shape \(2,\) does not fit 3 output channels"),
    (lambda x, W: md.conv_transpose2d(x, W), "takes images of 3 channels"),
    (lambda x, W: md.conv_transpose2d(x, W.swapaxes(2, 3), output_padding=1), "must be below the stride"),
    (lambda x, W: md.conv_transpose2d(x, W.swapaxes(2, 3), stride=2, dilation=3, output_padding=2), "below the stride"),
    (lambda x, W: md.conv_transpose2d(x[:, :1, :1], W.swapaxes(2, 3), padding=2), "leaves nothing"),
])
def test_what_does_not_fit_is_said_in_a_sentence(call, sentence):
    x, W = np.zeros((2, 4, 5, 2)), np.zeros((3, 3, 2, 3))
    with pytest.raises(md.InputError, match=sentence):
        call(x, W)
