"""Hamming search: every answer is that of comparing all bits of all codes, by whatever way it was found."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl as md
from minidl.metrics import HammingIndex, pack_bits, unpack_bits
from tests.standin.device import install


def codes(n, bits, seed=0, share=0.5):
    return (np.random.default_rng(seed).random((n, bits)) < share).astype(np.uint8)


def by_comparing_all(database, queries):
    """Distances (Q, N), and the order of the codes for each query: by distance, then by index."""
    distances = (queries[:, None] != database).sum(-1)
    return distances, np.argsort(distances, axis=1, kind="stable")


@settings(max_examples=40)
@given(n=st.integers(1, 40), bits=st.integers(1, 200), seed=st.integers(0, 1000))
def test_packing_keeps_every_bit(n, bits, seed):
    x = codes(n, bits, seed)
    words = pack_bits(x)
    assert words.dtype == np.uint64 and words.shape == (n, -(-bits // 64))
    assert np.array_equal(unpack_bits(words, bits), x)
    assert np.array_equal(pack_bits(x.astype(bool)), words) and np.array_equal(pack_bits(x.astype(np.float32)), words)


def test_bit_j_stands_at_its_place():
    for j in (0, 1, 63, 64, 100):
        x = np.zeros((1, 130), np.uint8)
        x[0, j] = 1
        expected = [0, 0, 0]
        expected[j // 64] = 1 << j % 64
        assert pack_bits(x)[0].tolist() == expected


@settings(max_examples=40)
@given(n=st.integers(1, 60), q=st.integers(0, 5), bits=st.sampled_from([1, 5, 63, 64, 65, 256, 300]),
       k=st.integers(1, 12), seed=st.integers(0, 1000))
def test_search_finds_what_comparing_all_finds_ties_by_index(n, q, bits, k, seed):
    k = min(k, n)
    database, queries = codes(n, bits, seed), codes(q, bits, seed + 1)
    distances, indices = HammingIndex(database).search(queries, k)
    expected, order = by_comparing_all(database, queries)
    assert indices.shape == distances.shape == (q, k)
    assert np.array_equal(indices, order[:, :k])
    assert np.array_equal(distances, np.take_along_axis(expected, order, 1)[:, :k])


def test_opposite_codes_are_as_far_apart_as_they_are_long():
    index = HammingIndex(np.ones((3, 256), np.uint8))                      # 256 is more than a byte holds
    assert index.search(np.zeros((1, 256), np.uint8), 3)[0].tolist() == [[256] * 3]


def test_search_goes_through_many_queries_in_blocks():
    database, queries = codes(3000, 32), codes(100, 32, seed=1)
    _, order = by_comparing_all(database, queries)
    assert np.array_equal(HammingIndex(database).search(queries, 7)[1], order[:, :7])


def test_words_do_as_well_as_bits():
    database, queries = codes(50, 100), codes(4, 100, seed=1)
    index = HammingIndex(pack_bits(database), bits=100)
    for a, b in zip(index.search(pack_bits(queries), 3), HammingIndex(database).search(queries, 3), strict=True):
        assert np.array_equal(a, b)
    assert len(index) == 50 and index.nbytes == 50 * 16
    assert all(np.array_equal(a, b) for a, b in zip(index.lookup(pack_bits(queries)[0], 2),
                                                    index.scan(queries[0], 2), strict=True))


@settings(max_examples=40)
@given(n=st.integers(1, 80), bits=st.sampled_from([1, 3, 8, 12, 64, 70, 130]), radius=st.integers(0, 3),
       seed=st.integers(0, 1000))
def test_looking_up_a_ball_and_scanning_give_what_comparing_all_gives(n, bits, radius, seed):
    radius = radius if bits < 64 else min(radius, 1)
    database = codes(n, bits, seed, share=0.5 if bits < 64 else 0.02)       # long codes that lie near each other
    query = database[n // 2] ^ codes(1, bits, seed + 1, share=1 / bits)[0]
    index = HammingIndex(database)
    distances, order = by_comparing_all(database, query[None])
    near = order[0, distances[0, order[0]] <= radius]
    for way in (index.lookup, index.scan, index.within):
        found_distances, found = way(query, radius)
        assert np.array_equal(found, near) and np.array_equal(found_distances, distances[0, near])


def test_a_ball_around_everything_finds_everything():
    index = HammingIndex(codes(40, 6))
    for way in (index.lookup, index.scan):
        assert sorted(way(np.zeros(6, bool), 9)[1]) == list(range(40))


def test_within_looks_up_a_small_ball_and_scans_for_a_large_one(monkeypatch):
    index = HammingIndex(codes(5000, 20))
    monkeypatch.setattr(HammingIndex, "lookup", lambda *_: "looked up")
    monkeypatch.setattr(HammingIndex, "scan", lambda *_: "scanned")
    assert index.within(np.zeros(20, bool), 2) == "looked up"                    # 211 addresses against 5000 codes
    assert index.within(np.zeros(20, bool), 3) == "scanned"                      # 1351


def test_codes_on_a_device_are_searched_there():
    device, database, queries = install(), codes(300, 100, share=0.1), codes(5, 100, seed=1, share=0.1)
    here, there = HammingIndex(database), HammingIndex(device.put(database))
    on_device = device.put(queries)
    pairs = [(here.search(queries, 4), there.search(on_device, 4)),
             (here.lookup(queries[0], 1), there.lookup(on_device[0], 1)),
             (here.scan(queries[0], 15), there.scan(on_device[0], 15))]
    for mine, theirs in pairs:
        for a, b in zip(mine, theirs, strict=True):
            assert type(b) is type(on_device) and np.array_equal(a, b.get())
    assert np.array_equal(unpack_bits(pack_bits(on_device), 100).get(), queries)
    with pytest.raises(md.InputError, match="x is on 'cpu', what was learned on 'standin'"):
        there.search(queries, 1)


@pytest.mark.parametrize("act, sentence", [
    (lambda: HammingIndex(codes(5, 64)).search(codes(2, 32), 1), "holds codes of 64 bits.*these are of 32 bits"),
    (lambda: HammingIndex(codes(5, 64)).search(pack_bits(codes(2, 80)), 1), "codes of 64 bits.*these are of 2 words"),
    (lambda: HammingIndex(codes(5, 64)).search(codes(2, 64)[0], 1), r"these are of \(64,\)"),
    (lambda: HammingIndex(codes(5, 8)).lookup(codes(1, 9)[0], 1), "codes of 8 bits"),
    (lambda: HammingIndex(codes(5, 8)).within(codes(2, 8), 1), r"around one code, shape \(8,\), not \(2, 8\)"),
    (lambda: HammingIndex(codes(5, 8)).within(codes(1, 8)[0], -1), "at least 0, not -1"),
    (lambda: HammingIndex(codes(5, 8)).scan(codes(1, 8)[0], 0.5), "whole number"),
    (lambda: HammingIndex(codes(5, 64)).lookup(codes(1, 64)[0], 9), "addresses lie within radius 9.*scan"),
    (lambda: HammingIndex(codes(5, 8)).search(codes(1, 8), 6), "6 neighbours of 5 images"),
    (lambda: HammingIndex(codes(5, 8)).search(codes(1, 8), 0), "from 1 to 5"),
    (lambda: HammingIndex(codes(0, 8)), "no codes"),
    (lambda: HammingIndex(codes(5, 8) * 0.5), "zeros and ones"),
    (lambda: HammingIndex(np.full((5, 8), np.nan)), "zeros and ones"),
    (lambda: HammingIndex(codes(5, 8)[0]), r"shape \(N, 8\)"),
    (lambda: HammingIndex(pack_bits(codes(5, 8))), "need the codes' length"),
    (lambda: HammingIndex(pack_bits(codes(5, 8)), bits=65), "codes of 65 bits.*1 words"),
    (lambda: pack_bits(np.array([[0, 2]])), "threshold them first"),
    (lambda: pack_bits(np.zeros((3, 0))), r"not \(3, 0\)")])
def test_what_cannot_be_searched_gets_a_sentence(act, sentence):
    with pytest.raises(md.InputError, match=sentence):
        act()
