"""Distances along a manifold in closed form, shapes recovered from distances, and neighbourhoods counted by hand."""
import numpy as np
import pytest

import minidl as md
from minidl import data
from minidl.metrics import classical_mds, distances, geodesic_distances, geodesic_path, trustworthiness
from tests.standin.device import install

ANGLES = np.linspace(0, 2 * np.pi, 200, endpoint=False)
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
CLOUD = np.random.default_rng(0).normal(size=(60, 4))


def test_distances_are_those_of_the_rows():
    expected = [[np.linalg.norm(a - b) for b in CLOUD] for a in CLOUD]
    np.testing.assert_allclose(distances(CLOUD), expected, rtol=1e-12)
    assert distances(CLOUD[:3].astype(np.float32) + 1e6)[0, 1] > 0        # where a product would have lost them


def test_around_a_circle_the_way_is_the_shorter_arc():
    turn = np.abs(ANGLES[:, None] - ANGLES)
    arc = np.minimum(turn, 2 * np.pi - turn)
    way = geodesic_distances(CIRCLE, neighbors=2)
    np.testing.assert_allclose(way, arc * (200 / np.pi) * np.sin(np.pi / 200), atol=1e-9)   # chords of neighbours
    np.testing.assert_allclose(geodesic_distances(CIRCLE, neighbors=8), arc, rtol=1e-2)


def test_a_path_passes_the_points_on_the_shorter_arc_in_their_order():
    way = geodesic_distances(CIRCLE, neighbors=2)
    assert geodesic_path(way, 3, 40).tolist() == list(range(3, 41))
    assert geodesic_path(way, 10, 190).tolist() == [*range(10, -1, -1), *range(199, 189, -1)]
    assert geodesic_path(way, 7, 7).tolist() == [7]


def test_along_a_swiss_rolls_edge_the_way_is_its_arc_length():
    t = np.linspace(1.5, 4.5, 300) * np.pi
    spiral = np.stack([t * np.cos(t), np.zeros(300), t * np.sin(t)], axis=1)
    arc = (t * np.sqrt(1 + t * t) + np.arcsinh(t)) / 2                    # the integral of sqrt(1 + t^2)
    way = geodesic_distances(spiral, neighbors=2)
    np.testing.assert_allclose(way, np.abs(arc[:, None] - arc), rtol=1e-3, atol=1e-6)
    assert np.abs(distances(spiral) - way).max() > 50


def test_a_swiss_rolls_ways_are_those_of_the_sheet_and_its_straight_lines_are_not():
    x, t = data.swiss_roll(350, rng=np.random.default_rng(0))
    sheet = np.stack([(t * np.sqrt(1 + t * t) + np.arcsinh(t)) / 2, x[:, 1]], axis=1)
    true, way, straight = (d[np.triu_indices(350, 1)] for d in (
        distances(sheet), geodesic_distances(x, neighbors=5), distances(x)))
    assert np.corrcoef(way, true)[0, 1] > 0.98 and np.corrcoef(straight, true)[0, 1] < 0.4
    assert (way >= straight * (1 - 1e-9)).all()


def test_ways_are_symmetric_and_obey_the_triangle_inequality():
    way = geodesic_distances(CLOUD, neighbors=4)
    np.testing.assert_array_equal(way, way.T)
    assert (way[:, None] <= way[:, :, None] + way[None] + 1e-12).all()
    np.testing.assert_array_equal(geodesic_distances(CLOUD, neighbors=59), distances(CLOUD))


def test_rows_that_occur_twice_are_no_distance_apart():
    way = geodesic_distances(np.tile(CIRCLE, (2, 1)), neighbors=5)
    np.testing.assert_allclose(way[:200, 200:], geodesic_distances(CIRCLE, neighbors=2), atol=1e-9)


def test_points_come_back_from_their_distances():
    found = classical_mds(distances(CLOUD), 4)
    np.testing.assert_allclose(distances(found), distances(CLOUD), atol=1e-9)
    assert (np.diff(found.var(0)) < 0).all() and np.abs(found.mean(0)).max() < 1e-12
    assert (found[np.abs(found).argmax(0), np.arange(4)] > 0).all()


def test_a_code_that_keeps_every_neighbour_is_wholly_trustworthy():
    turned = CLOUD @ np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0] * 3 + 1
    assert trustworthiness(CLOUD, turned, neighbors=5) == 1.0
    random = np.random.default_rng(1).normal(size=(200, 2))
    assert trustworthiness(CIRCLE, random, neighbors=5) == pytest.approx(0.5, abs=0.05)


def test_a_false_neighbour_is_charged_by_its_place_in_the_true_list():
    x = np.array([0, 1, 2.5, 4.5, 7, 10])[:, None]
    code = np.array([0, 1, 2.5, 4.5, 7, 0.4])[:, None]                    # the last one has moved beside the first
    # Nearest by code: 0 -> 5 (5th in truth), 1 -> 5 (5th), 2 -> 1, 3 -> 2, 4 -> 3, 5 -> 0 (5th).
    expected = 1 - 2 / (6 * 1 * (12 - 3 - 1)) * (4 + 4 + 4)
    assert trustworthiness(x, code, neighbors=1) == pytest.approx(expected)


def test_projecting_a_circle_on_a_line_is_not_trustworthy_but_continuous():
    line = CIRCLE[:, :1]
    assert trustworthiness(CIRCLE, line, neighbors=5) < 0.8 < 0.95 < trustworthiness(line, CIRCLE, neighbors=5)


@pytest.mark.parametrize("measure", [
    lambda x: geodesic_distances(x, neighbors=6), distances, lambda x: classical_mds(distances(x), 2)],
    ids=["geodesic", "straight", "mds"])
def test_on_a_device_it_is_the_same(measure):
    there = measure(install().put(CLOUD.astype(np.float32)))
    np.testing.assert_allclose(there.get(), measure(CLOUD.astype(np.float32)), atol=1e-12)


def test_trust_on_a_device_is_the_same():
    x = install().put(CLOUD)
    assert trustworthiness(x, x[:, :2]) == trustworthiness(CLOUD, CLOUD[:, :2]) < 1


@pytest.mark.parametrize("call, sentence", [
    (lambda: geodesic_distances(np.concatenate([CLOUD, CLOUD + 99]), neighbors=5), "first row reaches 60 of 120.*more"),
    (lambda: geodesic_distances(CLOUD, neighbors=60), "each of 60 rows has from 1 to 59 neighbours, not 60"),
    (lambda: geodesic_distances(CLOUD, neighbors=0), "not 0"),
    (lambda: geodesic_distances(CLOUD[0]), r"\(N, d\), not \(4,\)"),
    (lambda: geodesic_distances(np.where(CLOUD > 2, np.nan, CLOUD)), "not finite"),
    (lambda: distances(md.Tensor(CLOUD[:1])), "two or more rows"),
    (lambda: classical_mds(CLOUD), r"a square table .*, not \(60, 4\)"),
    (lambda: classical_mds(distances(CLOUD), 60), "60 components"),
    (lambda: trustworthiness(CLOUD, CLOUD[:9]), "60 rows, 9 codes"),
    (lambda: trustworthiness(CLOUD, CLOUD, neighbors=30), "below half the rows"),
])
def test_what_cannot_be_measured_gets_a_sentence(call, sentence):
    with pytest.raises(md.InputError, match=sentence):
        call()
