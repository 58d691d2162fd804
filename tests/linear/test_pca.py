"""PCA: closed forms, scikit-learn, the published error on MNIST, and what bad input is told."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl as md
from minidl import data
from minidl.linear import PCA

SOLVERS = ["svd", "covariance", "randomized"]


def stretched(n, scales, rng, dtype=np.float64):
    """Rows whose sample covariance is exactly diag(scales^2) after a rotation; returns rows and rotation."""
    d = len(scales)
    x = rng.standard_normal((n, d))
    q = np.linalg.qr(x - x.mean(0))[0]                        # orthonormal columns of mean 0
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return (q * np.sqrt(n - 1) * scales @ rotation.T).astype(dtype), rotation


def load(name):
    try:
        return data.load(name).flat()
    except md.InputError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_known_axes_and_variances_are_found(solver, dtype, rng):
    scales = np.array([5.0, 3.0, 2.0, 0.5, 0.3, 0.1])
    x, rotation = stretched(200, scales, rng, dtype)
    pca = PCA(3, svd_solver=solver).fit(x + np.arange(6, dtype=dtype))
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    assert np.allclose(pca.explained_variance_, scales[:3]**2, rtol=tolerance)
    assert np.allclose(pca.explained_variance_ratio_, scales[:3]**2 / (scales**2).sum(), rtol=tolerance)
    assert np.allclose(pca.singular_values_, scales[:3] * np.sqrt(199), rtol=tolerance)
    assert np.allclose(np.abs(pca.components_ @ rotation[:, :3]), np.eye(3), atol=10 * tolerance)
    assert np.allclose(pca.mean_, np.arange(6), atol=10 * tolerance)
    assert pca.noise_variance_ == pytest.approx((scales[3:]**2).mean(), rel=1e-3)
    assert pca.components_.dtype == pca.explained_variance_.dtype == pca.encode(x).dtype == dtype


def test_a_line_is_reconstructed_from_one_number():
    t = np.linspace(-1, 1, 11)
    x = np.stack([1 + 3 * t, 2 - 4 * t], axis=1)
    pca = PCA(1).fit(x)
    assert np.allclose(pca.components_, [[-0.6, 0.8]])           # the entry of greatest size is positive
    assert np.allclose(pca.encode(x)[:, 0], -5 * t)
    assert np.allclose(pca.reconstruct(x), x)
    assert pca.explained_variance_ratio_[0] == pytest.approx(1)


@given(n=st.integers(3, 40), d=st.integers(1, 12), k=st.integers(1, 12), seed=st.integers(0, 1000),
       solver=st.sampled_from(SOLVERS), whiten=st.booleans())
def test_projecting_is_idempotent_and_the_error_is_the_variance_left_out(n, d, k, seed, solver, whiten):
    k = min(k, n - 1, d)
    x = np.random.default_rng(seed).standard_normal((n, d)) * np.arange(1, d + 1) + 3
    pca = PCA(k, svd_solver=solver, whiten=whiten, power_iterations=40).fit(x)
    y = pca.reconstruct(x)
    assert np.allclose(pca.reconstruct(y), y)
    assert np.allclose(pca.encode(pca.decode(pca.encode(x))), pca.encode(x))
    assert np.allclose(pca.components_ @ pca.components_.T, np.eye(k), atol=1e-8)
    left_out = x.var(0, ddof=1).sum() - pca.explained_variance_.sum()
    assert ((x - y)**2).sum() / (n - 1) == pytest.approx(left_out, abs=1e-6 * x.var(0).sum())
    assert np.all(np.diff(pca.explained_variance_) <= 1e-9)
    assert np.all(pca.components_[np.arange(k), np.abs(pca.components_).argmax(1)] > 0)


def test_as_many_components_as_features_reconstruct_everything(rng):
    x = rng.standard_normal((20, 5))
    assert np.allclose(PCA(5).fit(x).reconstruct(x), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3000, 400), (60, 300), (700, 650)], ids=["tall", "wide", "square"])
def test_solvers_agree(shape, dtype, rng):
    d = shape[1]
    x = (rng.standard_normal(shape) @ (rng.standard_normal((d, d)) * 0.9**np.arange(d)[:, None])).astype(dtype)
    fits = [PCA(8, svd_solver=solver).fit(x) for solver in SOLVERS]
    for other in fits[1:]:
        assert np.allclose(other.explained_variance_, fits[0].explained_variance_, rtol=1e-4)
        assert np.allclose(other.components_, fits[0].components_, atol=2e-3)
        assert other.noise_variance_ == pytest.approx(fits[0].noise_variance_, rel=1e-3)


@pytest.mark.parametrize("shape, k, solver", [((5000, 784), 30, "covariance"), ((100, 4096), 20, "svd"),
                                              ((3000, 2500), 10, "randomized"), ((3000, 2500), 2000, "svd")])
def test_auto_chooses_by_the_shape(shape, k, solver):
    from minidl.linear.pca import _choose
    assert _choose(*shape, k) == solver


def test_a_flat_spectrum_falls_back_to_the_full_decomposition(rng):
    x = rng.standard_normal((2000, 400)).astype(np.float32)
    pca = PCA(5, svd_solver="covariance").fit(x)
    expected = np.linalg.eigvalsh(np.cov(x.astype(np.float64).T))[::-1][:5]
    assert np.allclose(pca.explained_variance_, expected, rtol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_float32_survives_a_mean_that_dwarfs_the_deviation(solver, rng):
    x = rng.standard_normal((5000, 20)).astype(np.float32)
    x[:, 0] *= 4
    x += np.float32(1e5)
    exact = PCA(2, svd_solver="svd").fit(x.astype(np.float64))
    pca = PCA(2, svd_solver=solver).fit(x)
    assert np.allclose(pca.mean_, exact.mean_, atol=0.02)         # float32 has steps of 0.008 there
    assert np.allclose(pca.explained_variance_, exact.explained_variance_, rtol=1e-2)
    assert abs(float(pca.components_[0] @ exact.components_[0])) > 0.9999


@pytest.mark.parametrize("solver", SOLVERS)
def test_whitened_codes_have_unit_covariance(solver, rng):
    x, _ = stretched(300, np.array([5.0, 3.0, 2.0, 0.5]), rng)
    pca = PCA(3, svd_solver=solver, whiten=True).fit(x)
    assert np.allclose(np.cov(pca.encode(x).T), np.eye(3), atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n, d", [(8, 30), (400, 20)], ids=["few rows", "constant and equal features"])
def test_a_direction_without_variance_is_not_blown_up(n, d, dtype, solver, rng):
    x = rng.standard_normal((n, d)).astype(dtype)
    x[:, 3], x[:, 4] = 2.5, x[:, 5]
    pca = PCA(min(n, d), svd_solver=solver, whiten=True).fit(x)
    rank = min(n - 1, d - 2)
    code = pca.encode(x)
    assert np.allclose(np.cov(code[:, :rank].T), np.eye(rank), atol=1e-3 if dtype == "float32" else 1e-10)
    assert np.abs(code[:, rank:]).max() < (1e-4 if dtype == "float32" else 1e-7)
    assert np.abs(pca.encode(rng.standard_normal((50, d)))).max() < 30
    assert np.allclose(pca.reconstruct(x), x, atol=1e-5)
    drawn = pca.sample(2000, 0)
    assert np.allclose(drawn[:, 3], 2.5, atol=2e-3) and np.allclose(drawn[:, 4], drawn[:, 5], atol=1e-2)


def test_a_small_variance_that_the_numbers_determine_is_whitened(rng):
    scales = np.array([1.0, 1e-3, 1e-6, 1e-9])
    x, _ = stretched(300, scales, rng)
    assert np.allclose(np.cov(PCA(4, svd_solver="svd", whiten=True).fit(x).encode(x).T), np.eye(4), atol=1e-4)


@pytest.mark.parametrize("shape", [(2000, 30), (100, 30), (30, 100)], ids=["tall", "less tall", "wide"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_svd_finds_small_variances(shape, dtype, rng):
    """The covariance has lost all below 1e-16 of the greatest; of singular values, so much of the greatest is left."""
    n, d = shape
    scales = np.logspace(0, -6 if dtype == "float32" else -12, d)
    x = np.linalg.qr(rng.standard_normal((n, min(n, d))))[0] * scales[:min(n, d)] @ \
        np.linalg.qr(rng.standard_normal((d, d)))[0][:min(n, d)]
    x = x.astype(dtype)
    k = min(n - 1, d)
    pca = PCA(k, svd_solver="svd").fit(x)
    expected = np.linalg.svd(x.astype(float) - x.astype(float).mean(0), compute_uv=False)[:k]
    assert np.allclose(pca.singular_values_, expected, rtol=1e-5, atol=4 * np.finfo(dtype).eps)


def test_few_rounds_of_a_random_subspace_find_falling_variances(rng):
    x = (rng.standard_normal((3000, 300)) * 0.8**np.arange(300)) @ np.linalg.qr(rng.standard_normal((300, 300)))[0]
    expected = np.linalg.svd(x - x.mean(0))[1][:25]**2 / 2999                  # to 2e-5 of the greatest
    for dtype, tolerance in (("float32", 1e-4), ("float64", 1e-7)):
        pca = PCA(25, svd_solver="randomized", power_iterations=4).fit(x.astype(dtype))
        assert np.allclose(pca.explained_variance_, expected, rtol=tolerance)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("scale", [1e20, 1e30, 3e37, 1.6e-19, 1e-25, 1e-30])
def test_squares_that_float32_cannot_hold_are_computed_in_float64(scale, solver, rng):
    x = (scale * rng.standard_normal((100, 5))).astype(np.float32)
    pca = PCA(2, svd_solver=solver).fit(x)
    values = np.linalg.eigvalsh(np.cov(x.astype(float).T))[:2:-1]
    assert np.allclose(pca.explained_variance_ / values, 1.0, rtol=1e-9) and pca.encode(x).dtype == np.float64
    assert np.allclose(np.cov(md.linear.Whitening().fit(x).encode(x).T), np.eye(5))


@pytest.mark.parametrize("value", [0.0, 1e-30, 7.0])
def test_equal_rows_of_float32_have_no_variance_and_stay_float32(value):
    pca = PCA(2).fit(np.full((10, 3), value, np.float32))
    assert pca.encode(np.zeros((1, 3), np.float32)).dtype == np.float32 and not pca.explained_variance_.any()


@pytest.mark.parametrize("whiten", [False, True])
def test_samples_have_the_covariance_of_the_subspace(whiten, rng):
    x, _ = stretched(500, np.array([3.0, 2.0, 1.0, 0.5]), rng)
    pca = PCA(2, whiten=whiten).fit(x + 7)
    drawn = pca.sample(200_000, rng=1)
    expected = pca.components_.T * pca.explained_variance_ @ pca.components_
    assert np.allclose(np.cov(drawn.T), expected, atol=0.06)
    assert np.allclose(drawn.mean(0), pca.mean_, atol=0.03)
    assert np.array_equal(drawn, pca.sample(200_000, rng=1))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fit_can_be_repeated_bit_for_bit(solver, rng):
    x = rng.standard_normal((500, 60)).astype(np.float32)
    a, b = (PCA(4, svd_solver=solver, rng=3).fit(x) for _ in range(2))
    assert np.array_equal(a.components_, b.components_)


def test_constant_data_have_no_variance_and_do_no_harm():
    pca = PCA(2, whiten=True).fit(np.full((10, 3), 2.5))
    assert np.allclose(pca.explained_variance_, 0) and np.allclose(pca.explained_variance_ratio_, 0)
    assert np.allclose(pca.reconstruct(np.full((4, 3), 2.5)), 2.5)


def test_tensors_stay_tensors_and_are_differentiated(rng):
    x = rng.standard_normal((50, 6)).astype(np.float32)
    pca = PCA(2).fit(md.Tensor(x))
    t = md.Tensor(x, requires_grad=True)
    y = pca.reconstruct(t)
    assert isinstance(y, md.Tensor) and np.allclose(y.numpy(), pca.reconstruct(x), atol=1e-6)
    md.sum(y).backward()
    projector = pca.components_.T @ pca.components_
    assert np.allclose(t.grad.numpy(), np.ones((50, 6)) @ projector, atol=1e-5)


def test_the_data_are_left_alone(rng):
    x = rng.standard_normal((50, 6)).astype(np.float32) + 100
    before = x.copy()
    for solver in SOLVERS:
        PCA(2, svd_solver=solver).fit(x)
    assert np.array_equal(x, before)


def test_whole_numbers_become_float32(rng):
    assert PCA(2).fit(rng.integers(0, 255, (30, 5), dtype=np.uint8)).components_.dtype == np.float32


@pytest.mark.parametrize("arguments, sentence", [
    (dict(n_components=0), "at least 1, not 0"), (dict(n_components=2.5), "whole number"),
    (dict(n_components=2, svd_solver="lapack"), "'svd' or 'covariance' or 'randomized', not 'lapack'"),
    (dict(n_components=2, power_iterations=-1), "at least 0, not -1"),
    (dict(n_components=2, power_iterations=2.5), "whole number")])
def test_bad_settings_are_told_at_once(arguments, sentence):
    with pytest.raises(md.InputError, match=sentence):
        PCA(**arguments)


@pytest.mark.parametrize("x, sentence", [
    (np.zeros((10, 3)), "4 components need at least 4 rows and 4 features.*up to 3"),
    (np.zeros((3, 10)), "up to 3"), (np.zeros(10), r"not \(10,\)"), (np.zeros((10, 2, 2)), "reshape"),
    (np.where(np.arange(50).reshape(10, 5) == 7, np.nan, 1.0), "not finite"),
    (np.where(np.arange(50).reshape(10, 5) == 7, np.inf, 1.0), "not finite"),
    (np.eye(5) * 1e200, "so large that their squares are not")])
@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_bad_data_get_a_sentence(x, sentence, solver):
    with pytest.raises(md.InputError, match=sentence):
        PCA(4, svd_solver=solver).fit(x)


def test_verbs_say_what_they_need(rng):
    pca = PCA(2)
    for call in (lambda: pca.encode(np.zeros((1, 3))), lambda: pca.decode(np.zeros((1, 2))), lambda: pca.sample(1, 0)):
        with pytest.raises(md.InputError, match="call fit"):
            call()
    pca.fit(rng.standard_normal((20, 3)))
    with pytest.raises(md.InputError, match=r"rows of 3 numbers, x has shape \(1, 4\)"):
        pca.encode(np.zeros((1, 4)))
    with pytest.raises(md.InputError, match="rows of 2 numbers"):
        pca.decode(np.zeros((1, 3)))


# Real data ------------------------------------------------------------------------------------------------------------


def test_ten_numbers_explain_74_percent_of_the_digits():
    digits = load("digits")
    assert PCA(10).fit(digits.x_train).explained_variance_ratio_.sum() == pytest.approx(0.739, abs=0.002)


@pytest.mark.slow
def test_mnist_errors_are_the_published_ones():
    mnist = load("mnist")
    pca = PCA(100).fit(mnist.x_train)
    code = pca.encode(mnist.x_test)
    expected = {2: 43.645, 6: 32.651, 10: 26.714, 20: 18.454, 30: 13.866, 64: 7.093, 100: 4.403}
    for k, error in expected.items():
        rest = mnist.x_test - pca.mean_ - code[:, :k] @ pca.components_[:k]
        assert (rest**2).sum(1).mean() == pytest.approx(error, abs=0.002), k
    assert pca.explained_variance_ratio_[:30].sum() == pytest.approx(0.7305, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["covariance", "randomized"])
def test_thirty_numbers_leave_13_87_on_mnist(solver):
    mnist = load("mnist")
    pca = PCA(30, svd_solver=solver).fit(mnist.x_train)
    error = ((pca.reconstruct(mnist.x_test) - mnist.x_test)**2).sum(1).mean()
    assert error == pytest.approx(13.866, abs=0.002)


@pytest.mark.slow
def test_thirty_numbers_leave_12_24_on_fashion_mnist():
    fashion = load("fashion-mnist")
    error = ((PCA(30).fit(fashion.x_train).reconstruct(fashion.x_test) - fashion.x_test)**2).sum(1).mean()
    assert error == pytest.approx(12.243, abs=0.002)


# Scikit-learn ---------------------------------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("solver, theirs", [("svd", "full"), ("covariance", "covariance_eigh")])
def test_everything_agrees_with_scikit_learn(solver, theirs, whiten, dtype, rng):
    decomposition = pytest.importorskip("sklearn.decomposition")
    x = load("digits").x_train.astype(dtype)
    ours = PCA(8, svd_solver=solver, whiten=whiten).fit(x)
    peer = decomposition.PCA(8, svd_solver=theirs, whiten=whiten).fit(x)
    tolerance = 2e-4 if dtype == "float32" else 1e-9
    for name in ("mean_", "components_", "explained_variance_", "explained_variance_ratio_", "singular_values_"):
        assert np.allclose(getattr(ours, name), getattr(peer, name), rtol=tolerance, atol=tolerance), name
    assert ours.noise_variance_ == pytest.approx(float(peer.noise_variance_), rel=1e-3)
    assert np.allclose(ours.encode(x), peer.transform(x), atol=10 * tolerance)
    assert np.allclose(ours.decode(ours.encode(x)), peer.inverse_transform(peer.transform(x)), atol=10 * tolerance)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
