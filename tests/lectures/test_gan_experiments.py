"""The lecture on slides 81-94 from end to end, and its walk along the sphere of codes."""
import numpy as np
import pytest

from minidl.lectures.pictures.gan_experiments import along_the_sphere


def test_the_lecture_starts(run):
    record = run("gan-experiments", "--fast")
    assert record["figures"] == ["samples.png", "steps.png", "results.png", "judged.png", "neighbours.png", "walk.gif"]
    assert record["metrics"]["copies_caught"] > 0.95
    assert {f"swd_{row}" for row in ("a", "b", "c", "d", "e_star", "e", "f", "g")} <= set(record["metrics"])


def test_a_walk_keeps_to_the_sphere_in_even_steps():
    a, b = np.random.default_rng(0).standard_normal((2, 3, 8)).astype(np.float32)
    a, b = (end / np.linalg.norm(end, axis=1, keepdims=True) for end in (a, b))
    way = np.concatenate([along_the_sphere(a, b, 5), b[None]])
    np.testing.assert_allclose(np.linalg.norm(way, axis=2), 1.0, rtol=1e-5)
    np.testing.assert_allclose(way[0], a, rtol=1e-5)
    turns = np.arccos((way[1:] * way[:-1]).sum(2))
    np.testing.assert_allclose(turns, np.broadcast_to(np.arccos((a * b).sum(1)) / 5, turns.shape), rtol=1e-3)


@pytest.mark.slow
def test_it_makes_new_digits_and_is_no_filing_cabinet(run):
    metrics = run("gan-experiments", "--seed", "1")["metrics"]
    assert metrics["swd"] < 3.0 * metrics["floor"] and metrics["copies_in_pixels"] < 0.05
