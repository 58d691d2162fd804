"""Normalisation layers: their statistics, their gradients in both modes, precision, and what they refuse."""
import re

import numpy as np
import pytest

import minidl as md
from minidl import nn, ops
from minidl.errors import InputError
from minidl.ops import normalization
from minidl.tensor import Tensor
from tests.standin.device import counting, install

RNG = np.random.default_rng(0)
SHAPES = [(6, 3), (4, 5, 3), (2, 3, 2, 3)]
LAYERS = {
    "BatchNorm": lambda **options: nn.BatchNorm(6, **options),
    "LayerNorm": lambda: nn.LayerNorm(6),
    "GroupNorm": lambda: nn.GroupNorm(2, 6),
    "InstanceNorm": lambda: nn.InstanceNorm(6, affine=True),
    "PixelNorm": nn.PixelNorm,
}


def draw(*shape, scale=2.0, mean=1.0):
    return RNG.standard_normal(shape) * scale + mean


def over(x, *axes):
    """x's mean and variance over the axes, which stay."""
    return x.mean(axes, keepdims=True), x.var(axes, keepdims=True)


def standardized(x, *axes, eps=1e-5):
    mean, variance = over(x, *axes)
    return (x - mean) / np.sqrt(variance + eps)


def with_parameters(layer, x, *parameters):
    """The layer's result for other parameters than its own."""
    if parameters:
        layer.weight, layer.bias = parameters
    return layer(x)


# What they compute --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_standardizes_each_channel_over_all_other_axes(shape):
    x, weight, bias = draw(*shape), draw(3), draw(3)
    layer = nn.BatchNorm(3, eps=0.01).astype("float64")
    layer.weight.data[...], layer.bias.data[...] = weight, bias
    expected = standardized(x, *range(len(shape) - 1), eps=0.01)
    np.testing.assert_allclose(layer(x).numpy(), expected * weight + bias, rtol=1e-10)
    bare = nn.BatchNorm(3, eps=0.01, affine=False).astype("float64")
    np.testing.assert_allclose(bare(Tensor(x)).numpy(), expected, rtol=1e-10)
    assert bare.parameters() == []


def test_layer_norm_standardizes_each_row():
    for shape in [(3,), *SHAPES]:
        x, weight, bias = draw(*shape), draw(3), draw(3)
        layer = nn.LayerNorm(3).astype("float64")
        layer.weight.data[...], layer.bias.data[...] = weight, bias
        np.testing.assert_allclose(layer(x).numpy(), standardized(x, -1) * weight + bias, rtol=1e-10)


def test_group_norm_standardizes_neighbouring_channels_of_each_example():
    x, weight, bias = draw(3, 2, 4, 6), draw(6), draw(6)
    layer = nn.GroupNorm(2, 6).astype("float64")
    layer.weight.data[...], layer.bias.data[...] = weight, bias
    expected = np.concatenate([standardized(x[..., :3], 1, 2, 3), standardized(x[..., 3:], 1, 2, 3)], axis=-1)
    np.testing.assert_allclose(layer(x).numpy(), expected * weight + bias, rtol=1e-10)
    assert nn.GroupNorm(2, 6, affine=False).parameters() == []


def test_one_group_of_one_position_is_layer_norm():
    x = draw(5, 6)
    np.testing.assert_allclose(nn.GroupNorm(1, 6).astype("float64")(x).numpy(),
                               nn.LayerNorm(6).astype("float64")(x).numpy(), rtol=1e-12)


def test_instance_norm_forgets_brightness_and_contrast_of_each_images_channels():
    x = draw(2, 4, 4, 3)
    layer = nn.InstanceNorm(3, eps=1e-12)
    np.testing.assert_allclose(layer(x), standardized(x, 1, 2, eps=1e-12), rtol=1e-9)
    np.testing.assert_allclose(layer(x * draw(2, 1, 1, 3) ** 2 + draw(2, 1, 1, 3)), layer(x), rtol=1e-8)
    assert layer.parameters() == [] and len(nn.InstanceNorm(3, affine=True).parameters()) == 2


def test_pixel_norm_gives_each_pixel_the_length_of_the_root_of_its_channels():
    x = draw(2, 3, 3, 5)
    y = nn.PixelNorm()(x)
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), np.sqrt(5.0), rtol=1e-6)
    np.testing.assert_allclose(y / x, (y / x)[..., :1] * np.ones(5), rtol=1e-9)         # the direction stays
    black = Tensor(np.zeros((1, 4), np.float32), requires_grad=True)
    nn.PixelNorm()(black).backward(np.ones((1, 4), np.float32))
    np.testing.assert_allclose(black.grad.numpy(), 1e4, rtol=1e-5)                      # 1 / sqrt(eps), no NaN


@pytest.mark.parametrize("name", ["LayerNorm", "GroupNorm", "InstanceNorm", "PixelNorm"])
def test_what_knows_no_batch_is_the_same_in_evaluation_and_for_each_example_alone(name):
    x, layer = draw(4, 3, 6).astype(np.float32), LAYERS[name]()
    y = np.array(layer(Tensor(x)).numpy())
    np.testing.assert_array_equal(layer.eval()(Tensor(x)).numpy(), y)
    np.testing.assert_allclose(layer(Tensor(x[2:3])).numpy(), y[2:3], rtol=1e-5, atol=1e-6)


# Running statistics -------------------------------------------------------------------------------------------------


def test_running_statistics_move_towards_the_batchs_mean_and_unbiased_variance():
    layer = nn.BatchNorm(3, momentum=0.3).astype("float64")
    mean, variance = np.zeros(3), np.ones(3)
    for n in (2, 5, 4):
        x = draw(n, 2, 3)
        layer(Tensor(x))
        mean = 0.7 * mean + 0.3 * x.mean((0, 1))
        variance = 0.7 * variance + 0.3 * x.reshape(-1, 3).var(0, ddof=1)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), variance, rtol=1e-12)


def test_evaluation_uses_the_running_statistics_and_leaves_them():
    layer = nn.BatchNorm(3).astype("float64")
    for _ in range(3):
        layer(Tensor(draw(8, 3)))
    before = layer.eval().state_dict()
    x = draw(1, 3)
    expected = (x - before["running_mean"]) / np.sqrt(before["running_var"] + 1e-5)
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), expected, rtol=1e-12)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_running_statistics_keep_no_graph():
    layer, x = nn.BatchNorm(3), Tensor(draw(4, 3).astype(np.float32), requires_grad=True)
    layer(x)
    for buffer in (layer.running_mean, layer.running_var):
        assert isinstance(buffer, nn.Buffer) and buffer.recipe is None and not buffer.requires_grad
        assert buffer.dtype == np.float32


def test_the_state_of_batch_norm_has_pytorchs_names_and_comes_back():
    layer, other = nn.BatchNorm(3), nn.BatchNorm(3)
    layer(Tensor(draw(8, 3).astype(np.float32)))
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    other.load_state_dict(layer.state_dict())
    x = Tensor(draw(4, 3).astype(np.float32))
    np.testing.assert_array_equal(other.eval()(x).numpy(), layer.eval()(x).numpy())


# Gradients ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_by_input_weight_and_bias_are_right_to_second_order(name, mode):
    layer = LAYERS[name]().astype("float64")
    layer(Tensor(draw(9, 4, 6)))                       # running statistics of some data
    layer.train(mode == "training")
    parameters = [] if name == "PixelNorm" else [draw(6), draw(6)]
    md.gradcheck(lambda *xs: with_parameters(layer, *xs), draw(2, 6, 6), *parameters)


@pytest.mark.parametrize("mode", ["training", "evaluation"])
def test_a_gradient_penalty_through_batch_norm_is_right_to_second_order(mode):
    layer = nn.BatchNorm(4).astype("float64")
    layer(Tensor(draw(9, 4)))
    layer.train(mode == "training")

    def penalty(x, W, weight, bias, v):
        score = md.tanh(with_parameters(layer, x @ W, weight, bias)) @ v
        g = md.grad(md.sum(score), x, create_graph=True)
        return (md.norm(g, axis=1) - 1.0) ** 2

    md.gradcheck(penalty, draw(5, 3, scale=1.0), draw(3, 4, scale=1.0), draw(4), draw(4), draw(4))


def derivatives(f, inputs):
    """f's value, the gradients of a weighted sum of its sine, of a weighted sum of their squares, and once more."""
    leaves = [Tensor(x, requires_grad=True) for x in inputs]
    weights = lambda x: np.random.default_rng(x.ndim).uniform(0.5, 1.5, x.shape)
    y = f(*leaves)
    first = md.grad(md.sum(md.sin(y) * weights(y)), leaves, create_graph=True)
    second = md.grad(sum((md.sum(g * g * weights(g)) for g in first), start=0.0), leaves, create_graph=True)
    third = md.grad(sum((md.sum(g * g * weights(g)) for g in second), start=0.0), leaves)
    return [t.numpy() for t in (y, *first, *second, *third)]


@pytest.mark.parametrize("block", [1, 12, 10**6])
def test_the_fused_batch_norm_is_the_composition_to_third_order(block, monkeypatch):
    monkeypatch.setattr(normalization, "_BLOCK", block)
    inputs = [draw(7, 2, 3), draw(3), draw(3)]

    def composed(x, weight, bias):
        m = ops.moments(x)
        return ops.standardize(x, m[0], m[1], weight, bias)

    fused = lambda *xs: ops.batch_norm(*xs)[0]
    for a, b in zip(derivatives(fused, inputs), derivatives(composed, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())


def test_the_gradient_by_the_parameters_alone_is_that_beside_the_inputs():
    x, g = draw(4, 3), draw(4, 3)
    found = []
    for needs in (True, False):
        layer = nn.BatchNorm(3).astype("float64")
        layer(Tensor(x, requires_grad=needs)).backward(g)
        found.append([p.grad.numpy() for p in layer.parameters()])
    np.testing.assert_array_equal(found[0], found[1])


# Blocks, precision and devices --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows, channels", [(1, 1), (2, 5), (7, 3), (8, 2), (5, 40)])
def test_blocks_of_any_size_give_the_plain_result(rows, channels, monkeypatch):
    monkeypatch.setattr(normalization, "_BLOCK", 8)
    x, z, scale, shift, z_scale = draw(rows, channels), draw(rows, channels), *draw(3, channels)
    np.testing.assert_allclose(ops.moments(x), [x.mean(0), x.var(0)], rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(ops.scale_shift(x, scale), x * scale)
    np.testing.assert_array_equal(ops.scale_shift(x, scale, shift), x * scale + shift)
    np.testing.assert_array_equal(ops.scale_shift(x, scale, shift, z, z_scale), x * scale + shift + z * z_scale)
    np.testing.assert_allclose(normalization._channel_dot(x, z), (x * z).sum(0), rtol=1e-11)


def test_an_empty_batch_scales_to_an_empty_batch_and_has_no_moments():
    x = np.zeros((0, 3), np.float32)
    assert nn.BatchNorm(3).eval()(Tensor(x)).shape == (0, 3)
    with pytest.raises(InputError, match=r"moments: there is nothing to average in an array of shape \(0, 3\)"):
        ops.moments(x)


def test_arrays_that_are_not_contiguous_give_the_same():
    x = draw(3, 6, 4)
    for t in (x.transpose(1, 0, 2), x[:, ::2], x.swapaxes(0, 2).T):
        np.testing.assert_array_equal(ops.moments(t), ops.moments(t.copy()))
        np.testing.assert_array_equal(ops.scale_shift(t, x[0, 0], x[0, 1]), t * x[0, 0] + x[0, 1])


@pytest.mark.parametrize("mean", [0.0, 1000.0])
def test_float32_keeps_its_digits_even_where_the_mean_is_a_thousand_deviations(mean):
    x = draw(4000, 5, scale=1.0, mean=mean).astype(np.float32)
    weight, bias, g = (draw(*shape, mean=0.0).astype(np.float32) for shape in [(5,), (5,), (4000, 5)])

    def results(dtype):
        leaves = [Tensor(a.astype(dtype), requires_grad=True) for a in (x, weight, bias)]
        y, statistics = ops.batch_norm(*leaves)
        y.backward(g.astype(dtype))
        return [*statistics, y.numpy(), *(t.grad.numpy() for t in leaves)]

    # At a mean of 1000 the last place of x is 6e-5 deviations. A variance from squares would be 6 % off.
    tolerance = [5e-6] * 6 if mean == 0.0 else [5e-6, 5e-6, 1e-3, 2e-4, 5e-3, 5e-6]
    for a, b, allowed in zip(results("float32"), results("float64"), tolerance, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=0, atol=allowed * np.abs(b).max())


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("name", LAYERS)
def test_float32_stays_float32_and_is_near_float64(name, mode, only_float32):
    x = draw(4, 3, 6)

    def results(dtype):
        layer = LAYERS[name]().astype(dtype).train(mode == "training")
        leaf = Tensor(x.astype(dtype), requires_grad=True)
        y = layer(leaf)
        y.backward(np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype))
        return [y, leaf.grad, *(p.grad for p in layer.parameters())]

    with md.debug(False):
        expected = results("float64")
    for a, b in zip(results("float32"), expected, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("name", LAYERS)
def test_on_a_device_the_layers_give_numpys_numbers_and_wait_for_nothing(name, mode):
    device, x, g = install(), draw(4, 3, 6).astype(np.float32), draw(4, 3, 6).astype(np.float32)

    def step(layer, leaf, gradient):
        y = layer.train(mode == "training")(leaf)
        y.backward(gradient)
        return y

    here, there = LAYERS[name](), LAYERS[name]().to(device)
    leaf, leaf_there = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True, device=device)
    gradient_there = Tensor(g, device=device)
    with counting() as c:
        y_there = step(there, leaf_there, gradient_there)
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    np.testing.assert_array_equal(y_there.numpy(), step(here, leaf, g).numpy())
    np.testing.assert_array_equal(leaf_there.grad.numpy(), leaf.grad.numpy())
    for p, q in zip(there.parameters(), here.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())
    for (path, value), other in zip(there.state_dict().items(), here.state_dict().values(), strict=True):
        np.testing.assert_array_equal(value, other, err_msg=path)


def test_plain_arrays_are_normalised_too():
    x = draw(4, 2, 6).astype(np.float32)
    for make in LAYERS.values():
        y, same = make()(x), make()(Tensor(x))
        np.testing.assert_array_equal(y.numpy() if isinstance(y, Tensor) else y, same.numpy())


# What does not fit --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 1, 3), (0, 3)], ids=str)
def test_training_refuses_one_value_per_channel(shape):
    layer, x = nn.BatchNorm(3), Tensor(np.zeros(shape, np.float32))
    with pytest.raises(InputError, match=re.escape(f"more than one value per channel, and x of shape {shape} has")):
        layer(x)
    assert layer.eval()(x).shape == shape
    assert nn.BatchNorm(3)(Tensor(np.zeros((1, 2, 1, 3), np.float32))).shape == (1, 2, 1, 3)


@pytest.mark.parametrize("layer", [nn.BatchNorm(3), nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.InstanceNorm(3)], ids=repr)
def test_other_channels_are_named(layer):
    with pytest.raises(InputError, match=r"expected x of shape \(\.\.\., (N, )?3\), got \(2, 4, 5\)"):
        layer(Tensor(np.zeros((2, 4, 5), np.float32)))


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(InputError, match="4 groups do not divide 6 channels; their number is one of 1, 2, 3, 6"):
        nn.GroupNorm(4, 6)
    with pytest.raises(InputError, match="0 groups do not divide"):
        nn.GroupNorm(0, 6)


@pytest.mark.parametrize("layer, shape", [(nn.InstanceNorm(3), (2, 1, 1, 3)), (nn.InstanceNorm(3), (2, 3)),
                                          (nn.GroupNorm(3, 3), (2, 1, 3))], ids=str)
def test_groups_of_a_single_value_are_refused(layer, shape):
    with pytest.raises(InputError, match="needs more than one value per group"):
        layer(Tensor(np.zeros(shape, np.float32)))
    assert nn.GroupNorm(1, 3)(Tensor(np.zeros((2, 3), np.float32))).shape == (2, 3)


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="LayerNorm: the number of channels, .* of at least 1, not 0"):
        nn.LayerNorm(0)
    with pytest.raises(InputError, match=r"the size of the last axis, .* not \(8, 8, 1\)"):
        nn.LayerNorm((8, 8, 1))
    with pytest.raises(InputError, match="momentum, the share of the new batch, lies between 0 and 1, not 1.5"):
        nn.BatchNorm(3, momentum=1.5)
    with pytest.raises(TypeError):
        nn.BatchNorm(3, 0.8)                  # one of the arguments that must be named


def test_scale_and_shift_of_another_size_are_named():
    x = draw(2, 3)
    with pytest.raises(InputError, match=r"x of shape \(2, 3\) takes scale and shift of shape \(3,\), not \(2,\)"):
        ops.scale_shift(x, x[0], draw(2))


def test_float64_into_a_float32_layer_says_so_instead_of_widening_its_state():
    for affine in (True, False):
        layer = nn.BatchNorm(3, affine=affine)
        with pytest.raises(InputError, match="x is float64, this layer float32; convert"):
            layer(draw(4, 3))
        assert layer.running_mean.dtype == np.float32


# Odd numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 0.1, 1000.1, 1e6 + 0.1])
@pytest.mark.parametrize("rows", [10, 30_000])
def test_a_constant_channel_becomes_its_bias_and_has_the_gradient_of_a_channel_of_zeros(value, rows):
    x = np.random.default_rng(0).standard_normal((rows, 2)).astype(np.float32)
    g = np.random.default_rng(1).standard_normal((rows, 2)).astype(np.float32)
    gradients = []
    for constant in (0.0, value):
        layer = nn.BatchNorm(2)
        layer.bias.data[...] = 0.5
        x[:, 1] = constant
        leaf = Tensor(x.copy(), requires_grad=True)
        y = layer(leaf)
        np.testing.assert_array_equal(y.numpy()[:, 1], 0.5)
        y.backward(g)
        gradients.append([leaf.grad.numpy(), layer.weight.grad.numpy(), layer.bias.grad.numpy()])
        assert layer.running_var.numpy()[1] == np.float32(0.9)
        assert layer.running_mean.numpy()[1] == pytest.approx(0.1 * constant, rel=1e-6)
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_array_equal(a, b)
    layer.running_mean.data[...], layer.running_var.data[...] = [0.0, np.float32(value)], [1.0, 0.0]
    np.testing.assert_array_equal(layer.eval()(x).numpy()[:, 1], 0.5)


def test_batch_norm_far_from_0_is_right_to_second_order():
    x = np.random.default_rng(0).standard_normal((6, 3)) + [1000.0, 0.0, -3000.0]
    md.gradcheck(lambda x, w, b: md.batch_norm(x, w, b)[0], x, np.array([1.0, 2.0, 0.5]), np.zeros(3))
    y, statistics = md.batch_norm(x.astype(np.float32))
    np.testing.assert_allclose(y, md.batch_norm(x)[0], atol=2e-3)
    np.testing.assert_allclose(statistics, [x.mean(0), x.var(0)], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("make", [lambda: nn.BatchNorm(4), lambda: nn.LayerNorm(4), lambda: nn.GroupNorm(2, 4),
                                  lambda: nn.InstanceNorm(4), nn.PixelNorm],
                         ids=["BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "PixelNorm"])
def test_images_of_bytes_are_normalised_as_floats(make):
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 4)).astype(np.uint8)
    expected = make()(x.astype(np.float32))
    for given in (x, Tensor(x), x.astype(np.int64)):
        y = make()(given)
        assert y.dtype == np.float32
        np.testing.assert_allclose(getattr(y, "data", y), getattr(expected, "data", expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [lambda: nn.BatchNorm(1), lambda: nn.InstanceNorm(1), lambda: nn.GroupNorm(1, 1),
                                  nn.PixelNorm], ids=["BatchNorm", "InstanceNorm", "GroupNorm", "PixelNorm"])
def test_float16_images_of_0_to_255_are_normalised(make):
    x = np.arange(256, dtype=np.float16).reshape(1, 16, 16, 1)
    y = make().astype("float16")(Tensor(x)).numpy()
    expected = make()(Tensor(x.astype(np.float32))).numpy()
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, expected, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("eps", [0.0, -1e-5, float("nan")])
def test_an_eps_that_keeps_nothing_away_is_refused(eps):
    for make in (lambda: nn.BatchNorm(2, eps=eps), lambda: nn.LayerNorm(2, eps=eps), lambda: nn.PixelNorm(eps=eps),
                 lambda: nn.GroupNorm(1, 2, eps=eps), lambda: nn.InstanceNorm(2, eps=eps)):
        with pytest.raises(InputError, match="eps, which keeps a division by 0 away, is above 0"):
            make()


@pytest.mark.parametrize("value", [1000.3, 100000.3, -3e7])
@pytest.mark.parametrize("layer", [nn.LayerNorm(6), nn.GroupNorm(1, 6), nn.GroupNorm(3, 6), nn.InstanceNorm(6)],
                         ids=repr)
def test_groups_of_equal_values_become_0_wherever_they_lie_and_others_keep_their_digits(layer, value):
    x = np.full((2, 3, 3, 6), value, np.float32)
    x[1] += np.random.default_rng(0).standard_normal((3, 3, 6)).astype(np.float32) * np.float32(abs(value) / 2000)
    y = layer(nn.Parameter(x))
    assert not y.numpy()[0].any()
    exact = layer.astype("float64")(Tensor(x.astype(np.float64)))
    layer.astype("float32")
    np.testing.assert_allclose(y.numpy()[1], exact.numpy()[1], atol=2e-4)
