"""Whitening: identity covariance, ZCA's symmetry and nearness, round trips, and what has no variance."""
import numpy as np
import pytest

import minidl as md
from minidl.linear import PCA, Whitening
from tests.standin.device import install


def mixed(n=400, d=6, dtype=np.float64, seed=0):
    """Correlated rows around 3."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + 3).astype(dtype)


@pytest.mark.parametrize("kind", ["pca", "zca"])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-3), ("float64", 1e-10)])
def test_white_data_have_the_identity_as_covariance_and_come_back(kind, dtype, tolerance):
    x = mixed(dtype=dtype)
    white = Whitening(kind=kind).fit(x)
    z = white.encode(x)
    assert np.allclose(np.cov(z.T), np.eye(6), atol=tolerance) and np.allclose(z.mean(0), 0, atol=tolerance)
    assert np.allclose(white.decode(z), x, atol=tolerance) and np.allclose(white.reconstruct(x), x, atol=tolerance)
    assert np.allclose(white.matrix_ @ white.inverse_, np.eye(6), atol=10 * tolerance)
    assert z.dtype == white.matrix_.dtype == white.inverse_.dtype == white.sample(3, 0).dtype == dtype


def test_pca_whitening_is_that_of_pca():
    x = mixed()
    assert np.allclose(Whitening(4).fit(x).encode(x), PCA(4, whiten=True).fit(x).encode(x))


def test_zca_is_symmetric_and_the_inverse_root_of_the_covariance():
    x = mixed()
    w = Whitening(kind="zca").fit(x).matrix_
    assert np.allclose(w, w.T, atol=1e-12) and np.allclose(w @ w @ np.cov(x.T), np.eye(6), atol=1e-9)


def test_of_all_white_data_zcas_are_nearest_to_the_original(rng):
    x = mixed()
    centred = x - x.mean(0)
    z = Whitening(kind="zca").fit(x).encode(x)
    nearest = ((z - centred)**2).sum()
    for size in (0.01, 0.1, 1.0):                       # small turns too: it is a minimum
        for _ in range(20):
            turn = np.linalg.qr(np.eye(6) + size * rng.standard_normal((6, 6)))
            turn = turn[0] * np.sign(np.diag(turn[1]))
            assert np.allclose(np.cov((z @ turn).T), np.eye(6))
            assert ((z @ turn - centred)**2).sum() > nearest


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_eps_keeps_small_variances_small(kind):
    x = mixed()
    variances = PCA(6).fit(x).explained_variance_
    white = Whitening(kind=kind, eps=0.5).fit(x)
    found = np.linalg.eigvalsh(np.cov(white.encode(x).T))[::-1]
    assert np.allclose(found, variances / (variances + 0.5)) and found[-1] < 0.5
    assert np.allclose(white.reconstruct(x), x)


@pytest.mark.parametrize("kind", ["pca", "zca"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_constant_feature_does_no_harm_and_comes_back(kind, dtype):
    x = np.insert(mixed(dtype=dtype), 2, 7, axis=1)
    white = Whitening(kind=kind).fit(x)
    z = white.encode(x)
    assert np.allclose(np.sort(np.linalg.eigvalsh(np.cov(z.T))), [0, 1, 1, 1, 1, 1, 1], atol=2e-3)
    assert np.allclose(white.reconstruct(x), x, atol=1e-3)
    if kind == "zca":
        assert np.allclose(z[:, 2], 0, atol=1e-3)


def test_fewer_rows_than_features_are_whitened_as_far_as_they_go():
    x = mixed(n=5, d=8)
    white = Whitening(kind="zca").fit(x)
    assert np.allclose(np.sort(np.linalg.eigvalsh(np.cov(white.encode(x).T))), [0] * 4 + [1] * 4, atol=1e-8)
    other = mixed(n=3, d=8, seed=1)
    assert np.allclose(white.reconstruct(other), other)          # also what these rows had nothing of


def test_zca_of_some_directions_leaves_the_others_as_they_are():
    x = mixed()
    some, axes = Whitening(2, kind="zca").fit(x), PCA(6).fit(x).components_
    turned, before = some.encode(x) @ axes.T, (x - x.mean(0)) @ axes.T
    assert np.allclose(turned.var(0, ddof=1)[:2], 1) and np.allclose(turned[:, 2:], before[:, 2:])


def test_samples_have_the_datas_mean_and_covariance():
    x = mixed()
    for kind in ("pca", "zca"):
        drawn = Whitening(kind=kind).fit(x).sample(100_000, rng=1)
        assert np.allclose(np.cov(drawn.T), np.cov(x.T), atol=0.2) and np.allclose(drawn.mean(0), x.mean(0), atol=0.05)


def test_tensors_are_differentiated_and_the_stand_in_gives_the_same():
    x = mixed(dtype=np.float32)
    t = md.Tensor(x, requires_grad=True)
    for kind in ("pca", "zca"):
        white = Whitening(kind=kind, eps=0.1).fit(x)
        t.grad = None
        md.sum(white.encode(t)).backward()
        assert np.allclose(t.grad.numpy(), np.broadcast_to(white.matrix_.sum(1), x.shape), atol=1e-5)
        device = install()
        there = Whitening(kind=kind, eps=0.1).fit(device.put(x))
        assert np.array_equal(there.reconstruct(device.put(x)).get(), white.reconstruct(x))


@pytest.mark.parametrize("call, sentence", [
    (lambda: Whitening(kind="rotate"), "'pca' or 'zca', not 'rotate'"), (lambda: Whitening(eps=-1), "at least 0"),
    (lambda: Whitening(0), "whole number of at least 1"), (lambda: Whitening().fit(np.zeros(3)), "Whitening: x must"),
    (lambda: Whitening(7).fit(mixed()), "7 components need"), (lambda: Whitening().fit(mixed(n=1)), "at least 2 rows"),
    (lambda: Whitening().fit(np.full((5, 3), np.nan)), "not finite"),
    (lambda: Whitening().encode(mixed()), "this Whitening has learned nothing yet"),
    (lambda: Whitening().fit(mixed()).encode(np.zeros((2, 5))), "Whitening.encode: this Whitening takes rows of 6"),
    (lambda: Whitening(2).fit(mixed()).decode(np.zeros((2, 6))), "rows of 2 numbers")])
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(md.InputError, match=sentence):
        call()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
