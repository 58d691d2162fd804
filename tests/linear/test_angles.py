"""Principal angles: known ones, from right angles to those whose cosine is 1, and SciPy's."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl as md
from minidl.linear import principal_angles


def turned(angles, rng, d=9):
    """Two matrices whose row spaces have these principal angles, in degrees; their rows are not orthonormal."""
    k, t = len(angles), np.radians(angles)
    basis = np.linalg.qr(rng.standard_normal((d, d)))[0].T
    a = basis[:k]
    b = np.cos(t)[:, None] * a + np.sin(t)[:, None] * basis[k:2 * k]
    return rng.standard_normal((k, k)) @ a, rng.standard_normal((k, k)) @ b


@settings(max_examples=40)
@given(angles=st.lists(st.floats(0, 90), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_angles_that_were_put_in_come_out_falling(angles, seed):
    a, b = turned(angles, np.random.default_rng(seed))
    found = principal_angles(a, b)
    assert np.allclose(found, sorted(angles, reverse=True), atol=1e-4)
    assert np.allclose(found, principal_angles(b, a), atol=1e-6)


@pytest.mark.parametrize("angle", [1e-10, 1e-7, 1e-4, 1.0, 44.9, 45.1, 89.9999999])
def test_small_and_right_angles_keep_their_digits(angle):
    t = np.radians(angle)
    assert principal_angles([[1.0, 0.0]], np.array([[np.cos(t), np.sin(t)]])) == pytest.approx(angle, rel=1e-7)


def test_a_space_within_another_is_at_no_angle_and_an_orthogonal_one_at_a_right_one():
    eye = np.eye(5, dtype=np.float32)
    assert np.allclose(principal_angles(eye[:2], md.Tensor(eye[:4])), [0, 0])
    assert np.allclose(principal_angles(eye[:3], eye[2:4]), [90, 0])


@pytest.mark.parametrize("a, b, sentence", [
    (np.eye(3), np.eye(4), "rows of 3 and of 4|rows of 4 and of 3"), (np.ones((2, 3)), np.eye(3), "2 rows span only 1"),
    (np.zeros((1, 3)), np.eye(3), "1 rows span only 0"), (np.eye(3), np.ones(3), r"second.*not \(3,\)"),
    (np.full((1, 3), np.nan), np.eye(3), "finite"), (np.eye(3), np.ones((4, 3)), "4 rows span only 1")])
def test_bad_input_gets_a_sentence(a, b, sentence):
    with pytest.raises(md.InputError, match=sentence):
        principal_angles(a, b)


@pytest.mark.parity
@pytest.mark.parametrize("p, q", [(3, 3), (2, 5), (5, 2), (1, 1), (8, 7)])
def test_angles_agree_with_scipy(p, q):
    linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(p)
    a, b = rng.standard_normal((p, 9)), rng.standard_normal((q, 9))
    assert np.allclose(principal_angles(a, b), np.degrees(linalg.subspace_angles(a.T, b.T)), atol=1e-6)
    b = a[:, ::-1][:, ::-1] + 1e-9 * rng.standard_normal(a.shape)
    assert np.allclose(principal_angles(a, b), np.degrees(linalg.subspace_angles(a.T, b.T)), rtol=1e-5)
