"""Losses: closed forms, extremes, second-order gradients, refusals, the device. tests/parity compares with PyTorch."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl as md
from minidl import nn, optim
from minidl.errors import InputError
from minidl.tensor import Tensor
from tests.standin.device import counting, install


def t(values, dtype=np.float64, **kwargs):
    return Tensor(np.array(values, dtype), **kwargs)


def distributions(rng, shape):
    p = rng.uniform(0.1, 1.0, shape)
    return p / p.sum(-1, keepdims=True)


# name: (the loss of drawn inputs, the drawn inputs away from kinks); the shape's last axis is the classes or the code
def _pair(rng, shape):
    return rng.standard_normal(shape), rng.standard_normal(shape)


def _apart(rng, shape):
    """Two arrays whose differences are away from 0 and from 1."""
    x = rng.standard_normal(shape)
    return x, x + rng.choice([-1, 1], shape) * rng.choice([0.5, 2.0], shape) + rng.uniform(-0.2, 0.2, shape)


def _scored(rng, shape):
    sign = rng.choice([-1.0, 1.0], shape)
    return sign * (1.0 + rng.choice([-1, 1], shape) * rng.uniform(0.2, 2.0, shape)), sign


LOSSES = {
    "binary_cross_entropy": (nn.binary_cross_entropy_with_logits,
                             lambda rng, shape: (rng.standard_normal(shape) * 3, rng.uniform(0, 1, shape))),
    "cross_entropy": (nn.cross_entropy, lambda rng, shape: (rng.standard_normal(shape) * 3, distributions(rng, shape))),
    "mse": (nn.mse_loss, _pair),
    "l1": (nn.l1_loss, _apart),
    "huber": (nn.huber_loss, _apart),
    "hinge": (nn.hinge_loss, _scored),
    "kl_unit_gaussian": (nn.kl_unit_gaussian, _pair),
    "kl_gaussians": (nn.kl_gaussians, lambda rng, shape: (*_pair(rng, shape), *_pair(rng, shape))),
}


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=12)
@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), seed=st.integers(0, 99),
       reduction=st.sampled_from(["mean", "sum", "none"]))
def test_the_gradients_of_every_loss_are_right_to_second_order(name, shape, seed, reduction):
    """By all its inputs; of the hinge by the scores alone, since its targets are -1 or 1."""
    loss, draw = LOSSES[name]
    inputs = draw(np.random.default_rng(seed), shape)
    fixed = [Tensor(a) for a in inputs[1:]] if name == "hinge" else []
    md.gradcheck(lambda *xs: loss(*xs, *fixed, reduction=reduction), *inputs[:len(inputs) - len(fixed)])


@settings(max_examples=12)
@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), seed=st.integers(0, 99),
       reduction=st.sampled_from(["mean", "sum", "none"]))
def test_the_gradient_of_cross_entropy_with_labels_is_right_to_second_order(shape, seed, reduction):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, shape[-1], shape[:-1])
    md.gradcheck(lambda z: nn.cross_entropy(z, labels, reduction), rng.standard_normal(shape) * 3)


@pytest.mark.parametrize("name", LOSSES)
def test_mean_and_sum_reduce_what_none_gives(name):
    loss, draw = LOSSES[name]
    inputs = [Tensor(a) for a in draw(np.random.default_rng(0), (3, 5))]
    each = loss(*inputs, reduction="none").numpy()
    assert each.shape == ((3,) if name.startswith(("cross", "kl")) else (3, 5))
    np.testing.assert_allclose(loss(*inputs).numpy(), each.mean(), rtol=1e-13)
    np.testing.assert_allclose(loss(*inputs, reduction="sum").numpy(), each.sum(), rtol=1e-13)
    with pytest.raises(InputError, match="reduction is 'mean', 'sum' or 'none', not 'average'"):
        loss(*inputs, reduction="average")


@pytest.mark.parametrize("name", LOSSES)
def test_float32_stays_float32(name, only_float32):
    loss, draw = LOSSES[name]
    inputs = [Tensor(a.astype(np.float32), requires_grad=True) for a in draw(np.random.default_rng(0), (3, 5))]
    for reduction in ("mean", "sum", "none"):
        y = loss(*inputs, reduction=reduction)
        assert y.dtype == np.float32
        md.sum(y).backward()
    assert inputs[0].grad.dtype == np.float32


@pytest.mark.parametrize("loss, targets", [
    (nn.binary_cross_entropy_with_logits, [[0, 1, 1], [1, 0, 0]]),
    (nn.hinge_loss, [[-1, 1, 1], [1, -1, -1]]),
    (nn.mse_loss, [[0, 3, 1], [2, 0, 5]]),
    (nn.huber_loss, [[0, 3, 1], [2, 0, 5]]),
    (nn.l1_loss, [[0, 3, 1], [2, 0, 5]]),
])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_integer_targets_count_as_floats(loss, targets, reduction):
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    results = []
    for target in (np.array(targets), np.array(targets, np.float32)):
        z = Tensor(x, requires_grad=True)
        y = loss(z, Tensor(target), reduction)
        md.sum(y).backward()
        results.append((y.numpy(), z.grad.numpy()))
        assert y.dtype == np.float32
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


# Closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (7,), (2, 3)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_binary_cross_entropy_is_the_negative_log_likelihood(shape, reduction):
    rng = np.random.default_rng(0)
    p, target = rng.uniform(0.05, 0.95, shape), rng.uniform(0, 1, shape)
    expected = -target * np.log(p) - (1 - target) * np.log(1 - p)
    expected = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](expected)
    actual = nn.binary_cross_entropy_with_logits(t(np.log(p / (1 - p))), t(target), reduction)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-12)


def test_the_gradient_of_summed_binary_cross_entropy_is_probability_minus_target():
    rng = np.random.default_rng(0)
    z, target = t(rng.standard_normal((4, 3)), requires_grad=True), t(rng.uniform(0, 1, (4, 3)), requires_grad=True)
    nn.binary_cross_entropy_with_logits(z, target, "sum").backward()
    np.testing.assert_allclose(z.grad.numpy(), 1 / (1 + np.exp(-z.numpy())) - target.numpy(), rtol=1e-12)
    np.testing.assert_array_equal(target.grad.numpy(), -z.numpy())


def test_cross_entropy_of_labels_is_the_negative_log_probability():
    rng = np.random.default_rng(0)
    p = distributions(rng, (4, 5, 3))
    labels = rng.integers(0, 3, (4, 5))
    expected = -np.log(np.take_along_axis(p, labels[..., None], -1))[..., 0]
    np.testing.assert_allclose(nn.cross_entropy(t(np.log(p) + 5.0), labels, "none").numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(nn.cross_entropy(t(np.log(p)), Tensor(labels)).numpy(), expected.mean(), rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_label_smoothing_mixes_the_target_with_the_uniform_distribution(smoothing, reduction):
    rng = np.random.default_rng(0)
    z, labels, p = t(rng.standard_normal((4, 5, 3))), rng.integers(0, 3, (4, 5)), distributions(rng, (4, 5, 3))
    for target, rows in ((labels, np.eye(3)[labels]), (t(p), p)):
        mixed = t((1 - smoothing) * rows + smoothing / 3)
        np.testing.assert_allclose(nn.cross_entropy(z, target, reduction, label_smoothing=smoothing).numpy(),
                                   nn.cross_entropy(z, mixed, reduction).numpy(), rtol=1e-13)
    md.gradcheck(lambda z: nn.cross_entropy(z, labels, reduction, label_smoothing=smoothing), z.numpy())


def test_with_label_smoothing_the_best_logits_are_finite():
    """They are the logarithm of the smoothed target, and the loss is its entropy."""
    target = np.array([0.1 / 3, 0.1 / 3, 0.9 + 0.1 / 3])
    z = t(np.log(target), requires_grad=True)
    loss = nn.cross_entropy(z, np.array(2), label_smoothing=0.1)
    np.testing.assert_allclose(loss.item(), -(target * np.log(target)).sum(), rtol=1e-13)
    np.testing.assert_allclose(md.grad(loss, z).numpy(), 0.0, atol=1e-15)


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, math.nan])
def test_label_smoothing_out_of_its_range_is_refused(smoothing):
    with pytest.raises(InputError, match="cross_entropy: label_smoothing lies between 0 and 1, not"):
        nn.cross_entropy(t(np.zeros((2, 3))), np.array([0, 1]), label_smoothing=smoothing)


def test_label_smoothing_keeps_float32(only_float32):
    z = Tensor(np.zeros((2, 3), np.float32), requires_grad=True)
    nn.cross_entropy(z, np.array([0, 1]), label_smoothing=0.1).backward()
    assert z.grad.dtype == np.float32


def test_cross_entropy_of_one_hot_distributions_is_that_of_the_labels():
    rng = np.random.default_rng(0)
    z, labels = t(rng.standard_normal((6, 3))), rng.integers(0, 3, 6)
    np.testing.assert_allclose(nn.cross_entropy(z, md.one_hot(labels, 3, np.float64), "none").numpy(),
                               nn.cross_entropy(z, labels, "none").numpy(), rtol=1e-14)


def test_cross_entropy_with_a_distribution_is_least_at_that_distribution_and_is_its_entropy_there():
    p = distributions(np.random.default_rng(0), (4, 3))
    z = t(np.log(p), requires_grad=True)
    loss = nn.cross_entropy(z, t(p))
    np.testing.assert_allclose(loss.numpy(), -(p * np.log(p)).sum(-1).mean(), rtol=1e-12)
    loss.backward()
    np.testing.assert_allclose(z.grad.numpy(), 0, atol=1e-16)


def test_two_class_cross_entropy_is_binary_cross_entropy_of_the_logits_difference():
    z = np.random.default_rng(0).standard_normal((8, 2))
    labels = np.arange(8) % 2
    np.testing.assert_allclose(nn.cross_entropy(t(z), labels).numpy(),
                               nn.binary_cross_entropy_with_logits(t(z[:, 1] - z[:, 0]), t(labels)).numpy(), rtol=1e-12)


def test_squares_and_absolute_errors():
    x, y = t([1.0, -2.0, 3.0]), t([0.0, 2.0, 3.0])
    assert nn.mse_loss(x, y, "none").numpy().tolist() == [1, 16, 0] and nn.mse_loss(x, y, "sum").item() == 17
    assert nn.l1_loss(x, y, "none").numpy().tolist() == [1, 4, 0] and nn.l1_loss(x, y).item() == pytest.approx(5 / 3)


@pytest.mark.parametrize("delta", [0.5, 1.0, 3.0])
def test_huber_is_half_the_square_up_to_delta_and_linear_beyond(delta):
    e = np.array([-10.0, -delta, -0.3, 0.0, 0.2, delta, 7.0])
    expected = np.where(np.abs(e) <= delta, e**2 / 2, delta * (np.abs(e) - delta / 2))
    x = t(e, requires_grad=True)
    loss = nn.huber_loss(x, t(np.zeros(7)), "none", delta=delta)
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-14)
    md.sum(loss).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.clip(e, -delta, delta), rtol=1e-14)


def test_the_second_derivative_of_huber_is_1_also_at_no_error():
    x = t([-4.0, -0.5, 0.0, 0.5, 4.0], requires_grad=True)
    g = md.grad(nn.huber_loss(x, t(np.zeros(5)), "sum"), x, create_graph=True)
    assert md.grad(md.sum(g), x).numpy().tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan])
def test_huber_refuses_a_delta_that_is_not_above_0(delta):
    with pytest.raises(InputError, match="delta is above 0, not"):
        nn.huber_loss(t([1.0]), t([0.0]), delta=delta)


def test_hinge_is_0_beyond_the_margin_and_linear_within():
    s = t([2.0, 0.5, -1.0, -2.0, -0.5, 1.0], requires_grad=True)
    loss = nn.hinge_loss(s, t([1.0, 1, 1, -1, -1, -1]), "none")
    assert loss.numpy().tolist() == [0, 0.5, 2, 0, 0.5, 2]
    md.sum(loss).backward()
    assert s.grad.numpy().tolist() == [0, -1, -1, 0, 1, 1]


def gaussian_kl_by_integration(m1, v1, m2, v2):
    """The integral of p log(p/q), by the trapezoid rule on a grid so wide and fine that its error is below 1e-10."""
    x = np.linspace(m1 - 14 * math.sqrt(v1), m1 + 14 * math.sqrt(v1), 20_001)
    log_p = -0.5 * ((x - m1) ** 2 / v1 + math.log(2 * math.pi * v1))
    log_q = -0.5 * ((x - m2) ** 2 / v2 + math.log(2 * math.pi * v2))
    return np.trapezoid(np.exp(log_p) * (log_p - log_q), x)


def test_the_divergence_of_gaussians_is_its_integral_summed_over_the_axes():
    rng = np.random.default_rng(0)
    m1, l1, m2, l2 = rng.standard_normal((4, 3, 2))
    each = np.vectorize(gaussian_kl_by_integration)(m1, np.exp(l1), m2, np.exp(l2))
    np.testing.assert_allclose(nn.kl_gaussians(t(m1), t(l1), t(m2), t(l2), "none").numpy(), each.sum(-1), rtol=1e-9)
    each = np.vectorize(gaussian_kl_by_integration)(m1, np.exp(l1), 0.0, 1.0)
    np.testing.assert_allclose(nn.kl_unit_gaussian(t(m1), t(l1), "none").numpy(), each.sum(-1), rtol=1e-9)
    assert nn.kl_gaussians(t(m1), t(l1), t(m1), t(l1)).item() == 0.0
    zeros = t(np.zeros((3, 2)))
    np.testing.assert_allclose(nn.kl_gaussians(t(m1), t(l1), zeros, zeros).numpy(),
                               nn.kl_unit_gaussian(t(m1), t(l1)).numpy(), rtol=1e-14)


# Extremes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_binary_cross_entropy_is_finite_and_exact_at_extreme_logits(reduction, only_float32):
    z = Tensor([1e4, -1e4, 1e4, -1e4, 100.0, 0.0], requires_grad=True)
    target = Tensor([0.0, 1.0, 1.0, 0.0, 0.0, 0.5])
    loss = nn.binary_cross_entropy_with_logits(z, target, reduction)
    expected = np.array([1e4, 1e4, 0, 0, 100, math.log(2)])
    reduced = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](expected)
    np.testing.assert_allclose(loss.numpy(), reduced, rtol=1e-6)
    md.sum(loss).backward()
    np.testing.assert_allclose(z.grad.numpy(), np.array([1, -1, 0, 0, 1, 0]) / (6 if reduction == "mean" else 1),
                               atol=1e-7)


def test_small_binary_losses_keep_their_digits():
    """A logit of 20 for a target of 1 costs log(1 + exp(-20)), not 0."""
    for reduction in ("sum", "none"):
        loss = nn.binary_cross_entropy_with_logits(Tensor([20.0]), Tensor([1.0]), reduction)
        np.testing.assert_allclose(loss.numpy().item(), math.log1p(math.exp(-20)), rtol=1e-6)


def test_cross_entropy_is_finite_and_exact_at_extreme_logits(only_float32):
    z = Tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], requires_grad=True)
    loss = nn.cross_entropy(z, np.array([0, 1, 2]), "none")
    np.testing.assert_allclose(loss.numpy(), [0, 2e4, math.log(3)], rtol=1e-6)
    md.sum(loss).backward()
    np.testing.assert_allclose(z.grad.numpy(), [[0, 0, 0], [1, -1, 0], [1 / 3, 1 / 3, -2 / 3]], atol=1e-7)
    soft = nn.cross_entropy(z.detach(), Tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]), "none")
    np.testing.assert_allclose(soft.numpy(), [0, 1e4, math.log(3)], rtol=1e-6)


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [nn.binary_cross_entropy_with_logits, nn.mse_loss, nn.l1_loss, nn.huber_loss,
                                  nn.hinge_loss, nn.kl_unit_gaussian])
def test_shapes_that_would_broadcast_are_refused(loss):
    with pytest.raises(InputError, match=rf"{loss.__name__}: .* shape \(4, 1\), the target \(4,\); they must be equal"):
        loss(t(np.zeros((4, 1))), t(np.zeros(4)))


@pytest.mark.parametrize("labels, words", [
    (np.array([0, 3, 1]), "integers from 0 to 2; the one at index 1 is 3"),
    (np.array([0, 1, -1]), "integers from 0 to 2; the one at index 2 is -1"),
    (np.array([0.0, 1.0, 2.0]), "integers from 0 to 2, not float64"),
    (np.array([[0], [1], [2]]), r"logits \(3, 3\) fit labels \(3,\) or distributions \(3, 3\), not targets \(3, 1\)"),
    (np.array([0, 1]), r"fit labels \(3,\) or distributions \(3, 3\), not targets \(2,\)"),
    (np.eye(3, dtype=int), r"distributions of floats, not int64; labels have the shape \(3,\)"),
])
def test_cross_entropy_says_what_is_wrong_with_its_targets(labels, words):
    for targets in (labels, Tensor(labels)):
        with pytest.raises(InputError, match=words):
            nn.cross_entropy(t(np.zeros((3, 3))), targets)


# The device ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*LOSSES, "labels"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_loss_on_the_device_equals_numpys_exactly_without_waiting(name, reduction):
    device, rng = install(), np.random.default_rng(0)
    loss, draw = LOSSES.get(name, (nn.cross_entropy, lambda rng, shape: (rng.standard_normal(shape),
                                                                         rng.integers(0, shape[-1], shape[:-1]))))
    arrays = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in draw(rng, (5, 4))]

    def run(device):
        inputs = [Tensor(a, a.dtype.kind == "f", device=device) for a in arrays]
        with counting() as c:
            y = loss(*inputs, reduction=reduction)
            first = md.grad(md.sum(y), inputs[0], create_graph=True)
            second = md.grad(md.sum(first * first) + md.sum(inputs[0] * 0.0), inputs[0])     # 0 where it is linear
        assert c.synchronisations == 0, c.waited_for
        return [a.numpy() for a in (y, first, second)]

    for here, there in zip(run("cpu"), run(device), strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("loss", ["binary", "labels", "squares"])
def test_a_training_step_on_the_device_neither_waits_nor_copies(loss):
    device, rng = install(), np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(6, 8, rng=0), nn.ReLU(), nn.Dropout(0.2, rng=0), nn.Linear(8, 6, rng=0)).to(device)
    optimizer = optim.Adam(model.named_parameters(), lr=0.01)
    x = Tensor(rng.uniform(0, 1, (10, 6)).astype(np.float32), device=device)
    labels = Tensor(rng.integers(0, 6, 10), device=device)

    def step():
        y = model(x)
        value = (nn.binary_cross_entropy_with_logits(y, x) if loss == "binary" else
                 nn.cross_entropy(y, labels) if loss == "labels" else nn.mse_loss(y, x))
        value.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return value

    first = step()
    with counting() as c:
        for _ in range(5):
            last = step()
    assert (c.synchronisations, c.transfers) == (0, 0), c.waited_for
    assert c.launches > 0 and last.item() < first.item()


# Odd numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64"])
def test_losses_of_whole_numbers_do_not_wrap(dtype):
    x, y = np.array([100, 10, 3]).astype(dtype), np.array([10, 100, 3]).astype(dtype)
    for pair in ((x, y), (Tensor(x), y), (Tensor(x), Tensor(y)), (Tensor(x.astype("float32")), y)):
        assert float(nn.mse_loss(*pair)) == 5400.0 and float(nn.l1_loss(*pair)) == 60.0
        assert float(nn.huber_loss(*pair, reduction="sum")) == 179.0
        assert nn.mse_loss(*pair, reduction="none").dtype == np.float32
    signs = np.array([1, -1, 1]).astype("int8")
    assert nn.hinge_loss(Tensor(np.array([-100, -100, 0], "int8")), signs, "none").numpy().tolist() == [101.0, 0.0, 1.0]
    z = np.array([[100, 90, 3]]).astype(dtype)
    assert float(nn.cross_entropy(Tensor(z), [1])) == pytest.approx(10.0000454, rel=1e-6)
    assert float(nn.binary_cross_entropy_with_logits(z, z > 95)) == pytest.approx((0 + 90 + 3.0485874) / 3, rel=1e-6)


@pytest.mark.parametrize("targets", [np.array([[0.0, 255.0]]), np.array([[-1.0, 1.0]]), np.array([[0, 16]], np.uint8),
                                     np.array([[np.nan, 0.0]])])
def test_a_cross_entropy_without_a_bottom_is_refused(targets):
    logits = Tensor(np.zeros((1, 2)), requires_grad=True)
    for refused in (targets, Tensor(targets)):
        with pytest.raises(InputError, match=r"targets are probabilities in \[0, 1\], these go from .* to .*/ 255"):
            nn.binary_cross_entropy_with_logits(logits, refused)
    if targets.dtype.kind == "f":
        with pytest.raises(InputError, match=r"targets are probabilities in \[0, 1\]"):
            nn.cross_entropy(logits, targets)


def test_a_class_that_is_impossible_and_not_wanted_costs_nothing():
    z = Tensor(np.array([[0.0, 1.0, -np.inf]]), requires_grad=True)
    targets = Tensor(np.array([[0.25, 0.75, 0.0]]), requires_grad=True)
    loss = nn.cross_entropy(z, targets)
    gz, gt = md.grad(loss, [z, targets], create_graph=True)
    p = np.exp([0.0, 1.0, -np.inf]) / (1 + np.e)
    assert loss.item() == pytest.approx(-(0.25 * np.log(p[0]) + 0.75 * np.log(p[1])))
    np.testing.assert_allclose(gz.numpy(), p - targets.numpy(), rtol=1e-12)
    np.testing.assert_allclose(gt.numpy(), -np.log([[p[0], p[1], 1.0]]), atol=1e-12)
    np.testing.assert_allclose(md.grad(md.sum(gz * gz), z).numpy()[0, 2], 0.0)
    zero = Tensor(np.array([[0.0, 1.0]]), requires_grad=True)           # a target of 0 for a possible class: as ever
    nn.cross_entropy(Tensor(np.array([[0.0, 0.0]])), zero).backward()
    np.testing.assert_allclose(zero.grad.numpy(), [[np.log(2.0)] * 2])


def test_hinge_loss_takes_no_other_targets_than_minus_1_and_1():
    for targets in ([0.0, 1.0], [True, False], [1.0, np.nan], [2, 1]):
        with pytest.raises(InputError, match=r"hinge_loss: targets are -1 or 1; 2 \* y - 1 makes them"):
            nn.hinge_loss(Tensor(np.zeros(2)), np.array(targets))


def test_the_mean_of_many_losses_in_float16_is_finite_where_their_sum_is_not():
    logits = Tensor(np.full(70_000, 2.0, np.float16), requires_grad=True)
    loss = nn.binary_cross_entropy_with_logits(logits, np.full(70_000, 0.5, np.float16))
    assert loss.dtype == np.float16 and loss.item() == pytest.approx(np.log1p(np.exp(2.0)) - 1.0, rel=1e-3)
    loss.backward()
    np.testing.assert_allclose(logits.grad.numpy(), (1 / (1 + np.exp(-2.0)) - 0.5) / 70_000, rtol=0.02)
