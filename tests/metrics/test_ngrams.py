"""Models that count characters, against counts by hand."""
import math

import pytest

from minidl.errors import InputError
from minidl.metrics import ngram_bits


def test_a_text_foreseen_by_counting_costs_what_the_counts_by_hand_say():
    # Of "aab" a has 2 of 3, b 1 of 3, each as if seen half a time more: (2 + .5) / 4 and (1 + .5) / 4.
    bits = ngram_bits("aab", "ab", 2, strength=1.0)
    p_a, p_b = 2.5 / 4, 1.5 / 4
    assert bits[1] == pytest.approx(-(math.log2(p_a) + math.log2(p_b)) / 2)
    # After b nothing was seen, so a has p_a; after a came a and b, once each.
    assert bits[2] == pytest.approx(-(math.log2(p_a / 1) + math.log2((1 + p_b) / 3)) / 2)


def test_a_context_that_always_says_what_comes_leaves_nothing_to_say():
    bits = ngram_bits("ab" * 500, "ab" * 5, 3)
    assert bits[1] == pytest.approx(1.0, abs=1e-3) and bits[2] < 0.02 and list(bits) == [1, 2, 3]


@pytest.mark.parametrize("arguments", [("", "a", 1), ("a", "", 1)])
def test_nothing_to_count_gets_a_sentence(arguments):
    with pytest.raises(InputError, match="it takes two texts"):
        ngram_bits(*arguments)


def test_lengths_below_1_and_contexts_without_strength_get_a_sentence():
    with pytest.raises(InputError, match="longest is a whole number of at least 1, not 0"):
        ngram_bits("a", "a", 0)
    with pytest.raises(InputError, match="strength is a finite number above 0, not 0.0"):
        ngram_bits("a", "a", 1, strength=0.0)
