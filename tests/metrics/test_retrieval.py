"""Precision by class: counted by hand."""
import numpy as np
import pytest

import minidl as md
from minidl.metrics import hits, precision_at_k, precision_by_class
from tests.standin.device import install

LABELS = [0, 0, 1, 1, 2]
FOUND = np.array([[0, 1, 2], [2, 3, 4], [0, 1, 3]])


def test_hits_and_precision_are_those_counted_by_hand():
    assert hits(FOUND, LABELS, [0, 1, 0]).tolist() == [[1, 1, 0], [1, 1, 0], [1, 1, 0]]
    assert precision_at_k(FOUND, LABELS, [0, 1, 2]) == pytest.approx(4 / 9)
    assert precision_by_class(FOUND, LABELS, [0, 1, 0]) == pytest.approx({0: 2 / 3, 1: 2 / 3})
    assert precision_by_class(FOUND, LABELS, [2, 1, 1]) == pytest.approx({1: (2 / 3 + 1 / 3) / 2, 2: 0.0})


def test_what_a_device_has_found_is_counted_as_well():
    assert precision_at_k(install().put(FOUND), LABELS, [0, 1, 2]) == pytest.approx(4 / 9)


@pytest.mark.parametrize("found, labels, query_labels, sentence", [
    (FOUND, LABELS, [0, 1], r"are \(3, 3\), the queries' labels \(2,\)"), (FOUND[0], LABELS, [0, 1, 2], r"are \(3,\)"),
    (FOUND, LABELS[:4], [0, 1, 2], r"0 to 4 do not fit labels of shape \(4,\)"),
    (FOUND - 1, LABELS, [0, 1, 2], "from -1 to 3"), (FOUND[:0], LABELS, [], r"are \(0, 3\)")])
def test_what_does_not_belong_together_gets_a_sentence(found, labels, query_labels, sentence):
    with pytest.raises(md.InputError, match=sentence):
        hits(found, labels, query_labels)
