"""The pooling and resampling layers: they compute their operation, say what they are, and refuse bad sizes at once."""
import numpy as np
import pytest

import minidl as md
from minidl import nn
from minidl.errors import InputError

X = np.random.default_rng(0).standard_normal((2, 6, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("layer, expected, description", [
    (nn.MaxPool2d(2), X.reshape(2, 3, 2, 4, 2, 3).max((2, 4)), "MaxPool2d(2)"),
    (nn.MaxPool2d((2, 4)), X.reshape(2, 3, 2, 2, 4, 3).max((2, 4)), "MaxPool2d((2, 4))"),
    (nn.MaxPool2d(3, stride=(2, 1), padding=1), md.max_pool2d(X, 3, (2, 1), 1),
     "MaxPool2d(3, stride=(2, 1), padding=1)"),
    (nn.AvgPool2d(2), X.reshape(2, 3, 2, 4, 2, 3).mean((2, 4)), "AvgPool2d(2)"),
    (nn.AvgPool2d(2, padding=(1, 0)), md.avg_pool2d(X, 2, 2, (1, 0)), "AvgPool2d(2, padding=(1, 0))"),
    (nn.GlobalAvgPool2d(), X.mean((1, 2)), "GlobalAvgPool2d()"),
    (nn.Upsample(2), X.repeat(2, 1).repeat(2, 2), "Upsample(2, mode='nearest')"),
    (nn.Upsample((1, 3), mode="bilinear"), md.upsample(X, (1, 3), "bilinear"), "Upsample((1, 3), mode='bilinear')"),
    (nn.Upsample(size=(3, 5), mode="bilinear"), md.interpolate(X, (3, 5)), "Upsample(size=(3, 5), mode='bilinear')"),
    (nn.MaxPool2d(4, ceil_mode=True), md.max_pool2d(X, 4, ceil_mode=True), "MaxPool2d(4, ceil_mode=True)"),
    (nn.AvgPool2d(4, ceil_mode=True), md.avg_pool2d(X, 4, ceil_mode=True), "AvgPool2d(4, ceil_mode=True)"),
    (nn.Flatten(), X.reshape(2, 144), "Flatten()"),
    (nn.MaxUnpool2d(2), md.max_unpool2d(X, 0, 2), "MaxUnpool2d(2)"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_layer_computes_its_operation_and_says_what_it_is(layer, expected, description, only_float32):
    x = md.Tensor(X, requires_grad=True)
    y = layer(x)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6, atol=1e-7)
    y.backward(np.ones(y.shape, np.float32))
    assert layer.describe() == description and x.grad.shape == x.shape and not layer.parameters()


def test_flatten_keeps_the_examples_also_when_there_are_none():
    assert nn.Flatten()(md.Tensor(np.zeros((0, 2, 2, 3)))).shape == (0, 12)
    assert nn.Flatten()(md.Tensor(np.zeros(4))).shape == (4, 1)


def test_a_pixel_of_a_flattened_image_keeps_its_channels_together():
    np.testing.assert_array_equal(nn.Flatten()(md.Tensor(X)).numpy()[1, 3:6], X[1, 0, 1])


def test_unpooling_takes_the_places_that_pooling_gives():
    pool, unpool = nn.MaxPool2d((2, 3), stride=3, return_indices=True), nn.MaxUnpool2d((2, 3), stride=3)
    y, indices = pool(md.Tensor(X))
    kept = unpool(y, indices, X.shape[1:3]).numpy()
    assert kept.shape == X.shape and (kept != 0).sum() == y.size and np.array_equal(kept[kept != 0], X[kept != 0])


def test_unflatten_undoes_flatten():
    layer = nn.Unflatten((6, 8, 3))
    np.testing.assert_array_equal(layer(nn.Flatten()(md.Tensor(X))).numpy(), X)
    assert layer.describe() == "Unflatten((6, 8, 3))"
    with pytest.raises(InputError, match=r"expected x of shape \(N, 144\), got \(2, 6, 8, 3\)"):
        layer(X)


@pytest.mark.parametrize("make, sentence", [
    (lambda: nn.MaxUnpool2d(2)(X, np.full(X.shape, 4)), r"MaxUnpool2d\(2\): max_unpool2d: indices are places in a "),
    (lambda: nn.Upsample(), "Upsample: give scale_factor, or size with .*, not scale_factor=None, size=None"),
    (lambda: nn.Upsample(2, size=4, mode="bilinear"), "give scale_factor, or size"),
    (lambda: nn.Upsample(size=4), "size with mode='bilinear', .* mode='nearest'"),
    (lambda: nn.Upsample(size=0, mode="bilinear"), "Upsample: size is a whole number of 1 or more"),
    (lambda: nn.MaxPool2d(0), "MaxPool2d: kernel_size is a whole number of 1 or more, or a pair of them, not 0"),
    (lambda: nn.AvgPool2d(2, padding=2), r"AvgPool2d: padding \(2, 2\) is above half of kernel_size \(2, 2\)"),
    (lambda: nn.Upsample(2, mode="linear"), "mode is 'nearest' or 'bilinear', not 'linear'"),
    (lambda: nn.Upsample(0.5), "scale_factor is a whole number of 1 or more"),
    (lambda: nn.GlobalAvgPool2d()(md.Tensor(X[0])), r"GlobalAvgPool2d: x is float32 of shape \(6, 8, 3\); images"),
])
def test_a_layer_refuses_sizes_that_cannot_be_when_it_is_made(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
