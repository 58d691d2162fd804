"""Convolutional layers: shapes, initial values, how they introduce themselves, and where an error says that it is."""
import numpy as np
import pytest

import minidl as md
from minidl import nn

IMAGES = np.zeros((2, 28, 28, 1), np.float32)


def network():
    return nn.Sequential(nn.Sequential(nn.Conv2d(1, 8, 5, rng=0), nn.ReLU()),
                         nn.Sequential(nn.Conv2d(8, 16, 4, stride=2, padding=1, bias=False, rng=1), nn.ReLU()),
                         nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1, rng=2), nn.Conv2d(8, 1, 1, rng=3))


def test_sizes_of_layers_follow_from_the_formulas_in_their_docstrings():
    assert network()(IMAGES).shape == (2, 24, 24, 1)
    assert nn.Conv2d(1, 4, (3, 5), stride=(2, 3), padding=(0, 2), dilation=2, rng=0)(IMAGES).shape == (2, 12, 8, 4)
    up = nn.ConvTranspose2d(1, 4, 3, stride=2, padding=1, output_padding=1, rng=0)
    assert up(IMAGES).shape == (2, 56, 56, 4)
    assert nn.Conv2d(6, 12, 3, groups=6, rng=0).weight.shape == (3, 3, 1, 12)
    assert nn.ConvTranspose2d(6, 12, 3, groups=3, rng=0).weight.shape == (3, 3, 4, 6)


def test_a_convolution_of_sequences_sees_them_as_images_one_pixel_high():
    x = np.random.default_rng(0).standard_normal((2, 11, 6)).astype(np.float32)
    layer = nn.Conv1d(6, 4, 3, stride=2, padding=1, dilation=2, groups=2, rng=0)
    layer.bias.data[...] = [1.0, 2.0, 3.0, 4.0]
    as_image = nn.Conv2d(6, 4, (1, 3), stride=(1, 2), padding=(0, 1), dilation=(1, 2), groups=2, rng=0)
    as_image.bias.data[...] = layer.bias.data
    np.testing.assert_array_equal(layer.weight.numpy(), as_image.weight.numpy()[0])
    np.testing.assert_array_equal(layer(x).numpy(), as_image(x[:, None]).numpy()[:, 0])
    assert layer(x).shape == (2, 5, 4) and nn.Conv1d(6, 4, 3, bias=False, rng=0).bias is None
    assert layer.describe() == "Conv1d(6, 4, 3, stride=2, padding=1, dilation=2, groups=2)"
    with pytest.raises(md.InputError, match=r"expected x of shape \(N, L, 6\), got \(2, 6, 11\)"):
        layer(x.swapaxes(1, 2))
    with pytest.raises(md.InputError, match="Conv1d: kernel_size is a whole number of at least 1, not 0"):
        nn.Conv1d(6, 4, 0, rng=0)
    with pytest.raises(md.InputError, match="conv1d: padding is a whole number of at least 0, not 'same'"):
        md.conv1d(md.Tensor(x), layer.weight, padding="same")
    with pytest.raises(md.InputError, match="conv1d: .* need three axes each"):
        md.conv1d(md.Tensor(x), as_image.weight)


def test_he_initial_values_keep_the_size_of_activations_through_relus():
    x = np.random.default_rng(0).standard_normal((4, 16, 16, 64)).astype(np.float32)
    layers = [nn.Conv2d(64, 64, 3, padding=1, rng=i) for i in range(6)]
    for layer in layers:
        x = md.relu(layer(x)).numpy()
    inside = x[:, 6:10, 6:10]                        # the border sees zeros
    assert 0.5 < np.sqrt((inside**2).mean()) < 2.0


def test_weights_of_a_transposed_layer_are_drawn_with_the_fans_of_its_own_direction():
    layer = nn.ConvTranspose2d(64, 4, 3, rng=0)
    np.testing.assert_allclose(layer.weight.numpy().std(), np.sqrt(2.0 / (64 * 9)), rtol=0.1)
    grouped = nn.ConvTranspose2d(64, 4, 3, groups=2, rng=0)
    np.testing.assert_allclose(grouped.weight.numpy().std(), np.sqrt(2.0 / (32 * 9)), rtol=0.1)


def test_a_table_of_the_model_shows_each_layers_options():
    text = repr(network())
    assert "Conv2d(1, 8, 5x5)" in text and "Conv2d(8, 16, 4x4, stride=2, padding=1)" in text
    assert "ConvTranspose2d(16, 8, 4x4, stride=2, padding=1)" in text
    assert "3x3, stride=2, output_padding=1)" in repr(nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=1, rng=0))
    assert "Conv2d(4, 4, 3x1, stride=(1, 2), groups=2)" in repr(
        nn.Conv2d(4, 4, (3, 1), stride=(1, 2), groups=2, rng=0))


def test_a_wrong_shape_is_reported_with_the_layer_its_path_and_both_shapes():
    model = network()
    with pytest.raises(md.InputError) as error:
        model(np.zeros((2, 28, 28, 3), np.float32))
    assert str(error.value) == "Conv2d(1, 8, 5x5) at 0.0: expected x of shape (N, H, W, 1), got (2, 28, 28, 3)"
    with pytest.raises(md.InputError, match=r"^Conv2d\(8, 16, 4x4, stride=2, padding=1\) at 1\.0: conv2d: a kernel of "
                                            "4x4 is larger than the image of 1x1, padded 3x3"):
        model(np.zeros((2, 5, 5, 1), np.float32))
    with pytest.raises(md.InputError, match=r"^Conv2d\(1, 8, 5x5\): expected x .* got \(28, 28\)$"):
        model[0][0](np.zeros((28, 28), np.float32))


def test_an_error_says_what_was_probably_meant():
    layer = nn.Conv2d(1, 4, 3, rng=0)
    with pytest.raises(md.InputError, match=r"channels come last: x.transpose\(0, 2, 3, 1\)$"):
        layer(np.zeros((2, 1, 28, 28), np.float32))
    with pytest.raises(md.InputError, match=r"a batch of one is x\[None\]$"):
        layer(np.zeros((28, 28, 1), np.float32))
    with pytest.raises(md.InputError, match=r"nn.Flatten\(\) before it makes each image a row$"):
        nn.Linear(784, 10, rng=0)(IMAGES)
    with pytest.raises(md.InputError, match="got tuple; of what a recurrent layer returns"):
        nn.Sequential(nn.LSTM(3, 4, rng=0), nn.Linear(4, 2, rng=0))(np.zeros((2, 5, 3), np.float32))


def test_the_path_of_an_error_goes_through_modules_of_every_kind():
    class Block(nn.Module):
        def __init__(self):
            self.branches = [nn.Linear(3, 4, rng=0), nn.Linear(5, 4, rng=0)]

        def forward(self, x):
            return self.branches[0](x) + self.branches[1](x)

    class Model(nn.Module):
        def __init__(self):
            self.block = Block()

        def forward(self, x):
            return self.block(x)

    with pytest.raises(md.InputError) as error:
        Model()(np.zeros((2, 3), np.float32))
    assert str(error.value) == "Linear(5, 4) at block.branches.1: expected x of shape (..., N, 5), got (2, 3)"


def test_an_error_that_no_layer_made_names_the_module_in_which_it_came_up():
    class Sum(nn.Module):
        def forward(self, x):
            return x @ md.Tensor(np.ones((2, 2), np.float32))

    with pytest.raises(md.InputError, match=r"^Sum\(\) at 0: matmul: \(1, 3\) @ \(2, 2\)"):
        nn.Sequential(Sum())(md.Tensor([[1.0, 2.0, 3.0]]))


@pytest.mark.parametrize("make, sentence", [
    (lambda: nn.Conv2d(3, 4, 3, groups=2, rng=0), "not divide 3 input and 4 output channels; .* one of 1$"),
    (lambda: nn.Conv2d(0, 4, 3, rng=0), "at least one channel, not 0 and 4"),
    (lambda: nn.Conv2d(3, 4, 0, rng=0), "Conv2d: kernel_size is a whole number of 1 or more"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=-1, rng=0), "output_padding is a whole number of 0 or more"),
    (lambda: nn.ConvTranspose2d(3, 4, (2, 2, 2), rng=0), r"ConvTranspose2d: kernel_size is .*not \(2, 2, 2\)"),
])
def test_layers_that_cannot_be_are_refused(make, sentence):
    with pytest.raises(md.InputError, match=sentence):
        make()
