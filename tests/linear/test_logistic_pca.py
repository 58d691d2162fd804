"""Logistic PCA: the optimum of its codes and components, falling objectives, and what bad input is told."""
import numpy as np
import pytest

import minidl as md
from minidl import data
from minidl.backend import Device
from minidl.linear import PCA, LogisticPCA
from minidl.linear.logistic_pca import _newton_step
from tests.standin.device import install


def planted(n=300, d=12, k=2, seed=0, dtype=np.float64):
    """Coins whose log-odds lie in a plane, and these log-odds."""
    rng = np.random.default_rng(seed)
    logits = 2.0 * rng.standard_normal((n, k)) @ rng.standard_normal((k, d)) + rng.standard_normal(d)
    return (rng.random((n, d)) < 1 / (1 + np.exp(-logits))).astype(dtype), logits


def objective(x, code, V, b, ridge):
    """Cross-entropy and ridge per row, as the docstring says them."""
    logits = code @ V + b
    return (np.logaddexp(0, logits) - x * logits).sum() / len(x) + ridge / 2 * sum(
        (part**2).sum() for part in (code, V, b)) / len(x)


def test_at_the_end_every_gradient_is_zero():
    x, _ = planted()
    model = LogisticPCA(2, ridge=0.3, max_iter=3000, tol=1e-12).fit(x)
    code, V, b = model.encode(x), model.components_, model.intercept_
    g = 1 / (1 + np.exp(-(code @ V + b))) - x
    for slope in (g @ V.T + 0.3 * code, code.T @ g + 0.3 * V, g.sum(0) + 0.3 * b):
        assert abs(slope).max() < 2e-3
    assert model.objective_[-1] == pytest.approx(objective(x, code, V, b, 0.3), rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_the_objective_falls_in_every_round(dtype, ridge):
    x, _ = planted(dtype=dtype)
    values = np.array(LogisticPCA(4, ridge=ridge, max_iter=40, tol=0).fit(x).objective_)
    assert len(values) > 5 and np.all(np.diff(values) <= 1e-6 * values[0]) and values[-1] < 0.98 * values[0]


def test_a_step_that_would_make_things_worse_is_halved():
    """From a coefficient of 8, where the curve is nearly flat, Newton's step overshoots to where it is worse."""
    x, features, c = np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]]), np.array([[8.0]])

    def value(c):
        return float((np.logaddexp(0, c) - 0.5 * c).sum()) * 2 + 0.5 * 1e-3 * float(c[0, 0])**2

    p = 1 / (1 + np.exp(-8.0))
    whole = c - (2 * p - 1 + 1e-3 * 8) / (2 * p * (1 - p) + 1e-3)
    assert value(whole) > value(c)
    new, values, moved = _newton_step(x, features, c, np.zeros(2), 1e-3)
    assert moved[0] and value(new) < value(c) and values[0] == pytest.approx(value(new))
    assert any(new[0, 0] == pytest.approx(8 + 0.5**i * (whole[0, 0] - 8)) for i in range(1, 12))


def test_codes_are_each_rows_optimum_and_do_not_depend_on_the_other_rows():
    x, _ = planted()
    model = LogisticPCA(3, max_iter=10).fit(x)
    new = planted(seed=5)[0]
    code = model.encode(new)
    p = model.decode(code)
    assert abs((p - new) @ model.components_.T + model.ridge * code).max() < 1e-5
    assert np.allclose(model.encode(new[7:8]), code[7:8]) and model.encode(new[:0]).shape == (0, 3)


def test_log_odds_that_lie_in_a_plane_are_found():
    x, logits = planted(n=3000, d=40)
    model = LogisticPCA(2, ridge=1.0).fit(x)
    found = model.encode(x) @ model.components_ + model.intercept_
    assert np.corrcoef(found.ravel(), logits.ravel())[0, 1] > 0.93
    p = 1 / (1 + np.exp(-logits))
    assert ((model.reconstruct(x) - p)**2).mean() < 0.7 * ((PCA(2).fit(x).reconstruct(x) - p)**2).mean()


def test_components_are_orthogonal_by_falling_length_with_a_positive_largest_entry():
    model = LogisticPCA(4).fit(planted()[0])
    V = model.components_
    squares = V @ V.T
    assert np.allclose(squares, np.diag(np.diag(squares)), atol=1e-8) and np.all(np.diff(np.diag(squares)) < 0)
    assert np.all(V[np.arange(4), np.abs(V).argmax(1)] > 0)


def test_a_column_that_never_changes_stays_finite_and_is_reconstructed():
    x, _ = planted(dtype=np.float32)
    x[:, 3], x[:, 5] = 0, 1
    model = LogisticPCA(2).fit(x)
    assert np.isfinite(model.components_).all() and np.isfinite(model.intercept_).all()
    y = model.reconstruct(x)
    assert y[:, 3].max() < 0.02 and y[:, 5].min() > 0.98


def test_samples_repeat_with_the_seed_and_have_the_means_of_the_data():
    x, _ = planted(n=2000)
    model = LogisticPCA(2, ridge=1.0).fit(x)
    drawn = model.sample(20_000, rng=1)
    assert drawn.shape == (20_000, 12) and 0 <= drawn.min() and drawn.max() <= 1
    assert np.allclose(drawn.mean(0), x.mean(0), atol=0.05)
    assert np.array_equal(drawn[:9], model.sample(20_000, rng=1)[:9])


def test_grey_values_are_taken_as_well_and_probabilities_of_tensors_are_differentiated():
    digits = data.load("digits").flat()
    pca, model = PCA(10).fit(digits.x_train), LogisticPCA(10).fit(digits.x_train)
    assert model.components_.dtype == model.encode(digits.x_test).dtype == np.float32
    errors = [((m.reconstruct(digits.x_test) - digits.x_test)**2).sum(1).mean() for m in (model, pca)]
    assert errors[0] < 0.75 * errors[1]
    code = md.Tensor(model.encode(digits.x_test[:5]), requires_grad=True)
    p = model.decode(code)
    md.sum(p).backward()
    assert np.allclose(code.grad.numpy(), (p.numpy() * (1 - p.numpy())) @ model.components_.T, atol=1e-4)


def test_the_same_comes_out_on_a_device_and_the_data_are_left_alone():
    x, _ = planted(dtype=np.float32)
    before = x.copy()
    device = Device(install())
    here, there = LogisticPCA(3, max_iter=5).fit(x), LogisticPCA(3, max_iter=5).fit(device.put(x))
    assert np.array_equal(x, before)
    assert np.array_equal(device.backend.to_host(there.components_), here.components_)
    assert np.array_equal(device.backend.to_host(there.reconstruct(device.put(x))), here.reconstruct(x))
    assert np.array_equal(device.backend.to_host(there.sample(4, 0)), here.sample(4, 0))
    with pytest.raises(md.InputError, match="x is on 'cpu'"):
        there.encode(x)


@pytest.mark.parametrize("settings, sentence", [
    (dict(n_components=0), "at least 1, not 0"), (dict(n_components=2, max_iter=0), "max_iter is a whole number"),
    (dict(n_components=2, ridge=0), "ridge is a finite number above 0"),
    (dict(n_components=2, tol=-1), "tol is a finite number of at least 0")])
def test_bad_settings_are_told_at_once(settings, sentence):
    with pytest.raises(md.InputError, match=sentence):
        LogisticPCA(**settings)


@pytest.mark.parametrize("x, sentence", [
    (np.zeros((10, 3)), "4 components need at least 4 rows and 4 features.*up to 3"), (np.zeros((3, 10)), "up to 3"),
    (np.zeros(10), "must have rows"), (np.full((10, 5), 255.0), r"from 255 to 255.*\[0, 1\]; scale pixels"),
    (np.full((10, 5), -0.1), "from -0.1"), (np.full((10, 5), np.nan), "from nan to nan.*not finite")])
def test_bad_data_get_a_sentence(x, sentence):
    with pytest.raises(md.InputError, match=sentence):
        LogisticPCA(4).fit(x)


def test_verbs_say_what_they_need():
    model = LogisticPCA(2)
    for call in (lambda: model.encode(np.zeros((1, 3))), lambda: model.decode(np.zeros((1, 2))),
                 lambda: model.sample(1, 0)):
        with pytest.raises(md.InputError, match="call fit"):
            call()
    model.fit(planted()[0])
    with pytest.raises(md.InputError, match=r"rows of 12 numbers, x has shape \(1, 4\)"):
        model.encode(np.zeros((1, 4)))
    with pytest.raises(md.InputError, match="encode: x holds values from 0 to 2"):
        model.encode(np.arange(12.0)[None] / 5.5)


@pytest.mark.slow
def test_thirty_numbers_of_log_odds_leave_a_quarter_of_pca_s_error_on_mnist():
    if data.where("mnist") is None:
        pytest.skip("mnist is not here: minidl data fetch mnist, or name its folder in MINIDL_DATA")
    mnist = data.load("mnist").flat()
    model = LogisticPCA(30, max_iter=10).fit(mnist.x_train[:3000])
    assert ((model.reconstruct(mnist.x_test[:1000]) - mnist.x_test[:1000])**2).sum(1).mean() < 0.3 * 13.866


@pytest.mark.parity
@pytest.mark.parametrize("k", [1, 2])
def test_no_other_optimiser_finds_anything_better(k):
    optimize = pytest.importorskip("scipy.optimize")
    x, _ = planted(n=15, d=5, k=1)
    model = LogisticPCA(k, ridge=0.5, max_iter=5000, tol=1e-13).fit(x)
    sizes = [15 * k, 15 * k + k * 5]

    def unpacked(theta):
        code, V, b = np.split(theta, sizes)
        return code.reshape(15, k), V.reshape(k, 5), b

    found = [optimize.minimize(lambda t: objective(x, *unpacked(t), 0.5), np.random.default_rng(s).standard_normal(
        sizes[1] + 5), method="BFGS").fun for s in range(4)]
    assert model.objective_[-1] == pytest.approx(min(found), rel=1e-5)
