"""Weights computed at every forward pass: what they are, that nothing is left behind, gradients, names, devices."""
import math

import numpy as np
import pytest

import minidl as md
from minidl import nn, optim
from minidl.errors import InputError
from minidl.nn.reparametrization import _from_matrix, _matrix
from minidl.tensor import Parameter, Tensor
from tests.standin.device import counting, install

RNG = np.random.default_rng(0)
LAYERS = {
    "Linear": (lambda: nn.Linear(4, 6, rng=0), (5, 4)),
    "Conv2d": (lambda: nn.Conv2d(4, 6, (2, 3), rng=0), (2, 3, 4, 4)),
    "Conv2d in groups": (lambda: nn.Conv2d(4, 6, 2, rng=0, groups=2), (2, 3, 3, 4)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 6, (2, 3), rng=0, stride=2), (2, 3, 2, 4)),
    "ConvTranspose2d in groups": (lambda: nn.ConvTranspose2d(4, 6, 3, rng=0, groups=2), (2, 2, 3, 4)),
}
WRAPPERS = {
    "WeightNorm": nn.WeightNorm,
    "EqualizedLR": lambda layer: nn.EqualizedLR(layer, rng=1),
    "SpectralNorm": lambda layer: nn.SpectralNorm(layer, rng=1),
}
every_layer = pytest.mark.parametrize("kind", LAYERS)
every_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS)


def make(kind, wrapper=None):
    """A layer, wrapped or not, and an input that fits."""
    create, shape = LAYERS[kind]
    x = RNG.standard_normal(shape).astype(np.float32)
    return (WRAPPERS[wrapper](create()) if wrapper else create()), Tensor(x, requires_grad=True)


def matrix_of(model):
    """The computed weight as an array (inputs of an output, outputs)."""
    return _matrix(model.layer, model.computed_weight().numpy())


def with_tensors(module, tensors):
    """Put other tensors in the place of a module's parameters, by name."""
    for path, t in tensors.items():
        *parents, name = path.split(".")
        owner = module
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, name, t)


# What all have in common --------------------------------------------------------------------------------------------


@every_layer
def test_a_column_of_the_weights_matrix_makes_one_output_channel(kind):
    layer, x = make(kind)
    weight = layer.weight.numpy().copy()
    matrix = _matrix(layer, weight)
    assert matrix.shape == (weight.size // 6, 6)
    np.testing.assert_array_equal(_from_matrix(layer, matrix), weight)
    y = np.array(layer(x).numpy())
    factors = np.array([1, 2, 3, 4, 5, 6], np.float32)
    layer.weight.data[...] = _from_matrix(layer, matrix * factors)
    np.testing.assert_allclose(layer(x).numpy(), y * factors, rtol=1e-5, atol=1e-5)


@every_wrapper
@every_layer
def test_the_layer_runs_with_the_computed_weight_and_has_its_own_again(kind, wrapper):
    model, x = make(kind, wrapper)
    learned = model.layer.weight
    y = model.eval()(x)
    assert model.layer.weight is learned and isinstance(learned, Parameter) and learned.recipe is None
    plain, _ = make(kind)
    plain.weight.data[...] = model.computed_weight().numpy()
    np.testing.assert_array_equal(y.numpy(), plain(x).numpy())
    with pytest.raises(InputError):
        model(Tensor(np.zeros((2, 7), np.float32)))
    assert model.layer.weight is learned


@every_wrapper
def test_parameters_are_listed_once_under_names_that_come_back(wrapper):
    model, x = make("Linear", wrapper)
    own = {"WeightNorm": ["gain"], "EqualizedLR": [], "SpectralNorm": []}[wrapper]
    buffers = ["u", "v"] if wrapper == "SpectralNorm" else []
    names = [*own, "layer.weight", "layer.bias"]
    assert [name for name, _ in model.named_parameters()] == names
    model(x)
    assert list(model.state_dict()) == names + buffers
    other = WRAPPERS[wrapper](nn.Linear(4, 6, rng=5))
    other.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(other.eval()(x).numpy(), model.eval()(x).numpy())


@every_wrapper
@every_layer
def test_gradients_are_right_to_second_order(kind, wrapper):
    model, x = make(kind, wrapper)
    model = model.astype("float64").eval()              # in evaluation u and v stay where they are
    parameters = dict(model.named_parameters())

    def f(x, *values):
        with_tensors(model, dict(zip(parameters, values, strict=True)))
        return model(x)

    # not where it was made: there WeightNorm's gain is the length of v, and u and v have converged
    values = [p.numpy() + 0.3 * RNG.standard_normal(p.shape) for p in parameters.values()]
    with_tensors(model, parameters)
    md.gradcheck(f, x.numpy(), *values, directions=1)


@every_wrapper
def test_a_layer_used_twice_in_a_pass_adds_both_gradients(wrapper):
    model, x = make("Linear", wrapper)
    other = Tensor(RNG.standard_normal((5, 4)).astype(np.float32))
    model.eval()
    found = []
    for inputs in ([x], [other], [x, other]):
        model.zero_grad()
        md.sum(md.stack([md.sum(model(i) ** 2) for i in inputs])).backward()
        found.append([p.grad.numpy() for p in model.parameters()])
    for a, b, both in zip(*found, strict=True):
        np.testing.assert_allclose(a + b, both, rtol=1e-5, atol=1e-5)


@every_wrapper
def test_a_step_of_the_optimizer_moves_the_computed_weight(wrapper):
    model, x = make("Linear", wrapper)
    before, loss = np.array(model.computed_weight().numpy()), []
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        value = md.mean((model(x) - 1.0) ** 2)
        value.backward()
        optimizer.step()
        loss.append(value.item())
    assert not np.allclose(model.computed_weight().numpy(), before, atol=1e-4)
    assert loss == sorted(loss, reverse=True)


@every_wrapper
def test_on_a_device_it_gives_numpys_numbers_and_waits_for_nothing(wrapper):
    device = install()
    here, x = make("Conv2d", wrapper)
    there = make("Conv2d", wrapper)[0].to(device)
    x_there = Tensor(x.numpy(), requires_grad=True, device=device)
    with counting() as c:
        y_there = there(x_there)
        md.sum(y_there).backward()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    y = here(x)
    md.sum(y).backward()
    close = {"rtol": 1e-5, "atol": 1e-6}         # a convolution adds up in another order there
    np.testing.assert_allclose(y_there.numpy(), y.numpy(), **close)
    for p, q in zip([x_there, *there.parameters()], [x, *here.parameters()], strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), **close)


@every_wrapper
def test_float32_stays_float32(wrapper, only_float32):
    model, x = make("ConvTranspose2d", wrapper)
    y = model(x)
    md.sum(y * y).backward()
    assert all(t.dtype == np.float32 for t in (y, *(p.grad for p in model.parameters())))
    assert all(value.dtype == np.float32 for value in model.state_dict().values())


@every_wrapper
def test_a_layer_without_a_weight_matrix_is_refused(wrapper):
    for layer in (nn.Tanh(), nn.BatchNorm(3), WRAPPERS[wrapper](nn.Linear(2, 2, rng=0))):
        with pytest.raises(InputError, match=f"{wrapper}: {type(layer).__name__} has no parameter `weight` of two"):
            WRAPPERS[wrapper](layer)


# Weight normalisation -----------------------------------------------------------------------------------------------


@every_layer
def test_weight_norm_changes_nothing_at_first_and_then_gives_each_output_its_gain_for_length(kind):
    plain, x = make(kind)
    model, _ = make(kind, "WeightNorm")
    np.testing.assert_allclose(model(x).numpy(), plain(x).numpy(), rtol=1e-5, atol=1e-6)
    model.layer.weight.data *= 3.0                            # the length of v does not matter
    gain = model.gain.data[...] = RNG.uniform(0.5, 2.0, 6)
    np.testing.assert_allclose(np.linalg.norm(matrix_of(model), axis=0), gain, rtol=1e-5)


def test_weight_norms_gradient_is_orthogonal_to_the_direction():
    model, x = make("Linear", "WeightNorm")
    md.sum(md.tanh(model(x))).backward()
    v = model.layer.weight
    np.testing.assert_allclose((v.numpy() * v.grad.numpy()).sum(0), 0.0, atol=1e-6)
    assert np.abs(v.grad.numpy()).max() > 0.01


# Equalised learning rate --------------------------------------------------------------------------------------------


@every_layer
def test_equalized_lr_learns_a_weight_of_variance_1_and_runs_with_hes(kind):
    model, x = make(kind, "EqualizedLR")
    fan_in = {"Linear": 4, "Conv2d": 24, "Conv2d in groups": 8, "ConvTranspose2d": 24, "ConvTranspose2d in groups": 18}
    scale = math.sqrt(2.0 / fan_in[kind])
    np.testing.assert_allclose(model.computed_weight().numpy(), model.layer.weight.numpy() * scale, rtol=1e-6)
    drawn = nn.EqualizedLR(nn.Linear(200, 500, rng=0), rng=3, gain=1.0)
    assert abs(drawn.layer.weight.numpy().std() - 1.0) < 0.01           # four standard errors
    assert abs(drawn.computed_weight().numpy().std() * math.sqrt(200) - 1.0) < 0.01


def test_equalized_lr_draws_from_its_generator():
    weights = [nn.EqualizedLR(nn.Linear(4, 6, rng=0), rng=rng).layer.weight.numpy() for rng in (3, 3, 4)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_equalized_lr_makes_layers_of_any_width_learn_at_one_speed():
    """One step of Adam changes each weight by the same share of its size, wherever it is."""
    shares = []
    for width in (4, 400):
        model = nn.EqualizedLR(nn.Linear(width, 3, rng=0), rng=1)
        before = np.array(model.computed_weight().numpy())
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        md.sum(model(Tensor(RNG.standard_normal((8, width)).astype(np.float32))) ** 2).backward()
        optimizer.step()
        shares.append(np.abs(model.computed_weight().numpy() - before).mean() / math.sqrt(2.0 / width))
    np.testing.assert_allclose(shares, 0.01, rtol=1e-3)


# Spectral normalisation ---------------------------------------------------------------------------------------------


@every_layer
def test_spectral_norm_gives_the_weight_a_largest_singular_value_of_1(kind):
    model, x = make(kind, "SpectralNorm")
    for _ in range(60):
        model(x)
    W = _matrix(model.layer, model.layer.weight.numpy())
    u, s, vt = np.linalg.svd(W.astype(np.float64))
    np.testing.assert_allclose(np.linalg.norm(matrix_of(model), 2), 1.0, rtol=1e-4)
    np.testing.assert_allclose(abs(u[:, 0] @ model.v.numpy()), 1.0, rtol=1e-4)
    np.testing.assert_allclose(abs(vt[0] @ model.u.numpy()), 1.0, rtol=1e-4)
    np.testing.assert_allclose(model.computed_weight().numpy() * s[0], model.layer.weight.numpy(), rtol=1e-3, atol=1e-5)


def test_spectral_norm_moves_u_and_v_in_training_alone_by_the_iterations_asked_for():
    model = nn.SpectralNorm(nn.Linear(4, 6, rng=0), rng=1, n_power_iterations=3)
    x = Tensor(np.ones((2, 4), np.float32))
    model.layer.weight.data[...] = RNG.standard_normal((4, 6))
    W, u = model.layer.weight.numpy(), np.array(model.u.numpy())
    model.eval()(x)
    np.testing.assert_array_equal(model.u.numpy(), u)
    with md.no_grad():
        model.train()(x)
    for _ in range(3):
        v = W @ u / np.linalg.norm(W @ u)
        u = v @ W / np.linalg.norm(v @ W)
    np.testing.assert_allclose(model.u.numpy(), u, rtol=1e-5)
    np.testing.assert_allclose(model.v.numpy(), v, rtol=1e-5)
    assert model.u.recipe is None and not model.u.requires_grad


def test_two_training_passes_in_a_step_each_keep_their_own_u_and_v():
    def gradient(weight_gradients_of):
        model = nn.SpectralNorm(nn.Linear(4, 6, rng=0), rng=1)
        model.layer.weight.data[...] = np.random.default_rng(2).standard_normal((4, 6))
        results = [md.sum(model(Tensor(np.full((1, 4), i + 1.0, np.float32))) ** 2) for i in range(2)]
        sum((results[i] for i in weight_gradients_of), start=0.0).backward()
        return model.layer.weight.grad.numpy()

    np.testing.assert_allclose(gradient([0]) + gradient([1]), gradient([0, 1]), rtol=1e-5, atol=1e-6)
    # the first alone, with no pass behind it that could have moved u and v
    model = nn.SpectralNorm(nn.Linear(4, 6, rng=0), rng=1)
    model.layer.weight.data[...] = np.random.default_rng(2).standard_normal((4, 6))
    md.sum(model(Tensor(np.ones((1, 4), np.float32))) ** 2).backward()
    np.testing.assert_array_equal(model.layer.weight.grad.numpy(), gradient([0]))


def test_spectral_norm_refuses_no_iterations():
    with pytest.raises(InputError, match="n_power_iterations is 1 or more, not 0"):
        nn.SpectralNorm(nn.Linear(2, 2, rng=0), rng=0, n_power_iterations=0)
