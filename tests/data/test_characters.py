"""The book that travels with minidl, its alphabet, and the pieces for truncated backpropagation through time."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl.data as data
from minidl.errors import InputError


def test_the_book_is_carrolls_alone():
    book = data.text()
    assert len(book) == 147_815 and book.isascii() and "\r" not in book
    assert book.split()[:5] == ["ALICE'S", "ADVENTURES", "IN", "WONDERLAND", "Lewis"]
    assert book.split()[-2:] == ["THE", "END"] and book.count("CHAPTER") == 12
    for foreign in ("Gutenberg", "EDITION", "later editions", "["):
        assert foreign not in book


def test_an_alphabet_gives_a_text_back():
    book = data.text()
    alphabet = data.Characters(book)
    ids = alphabet.encode(book)
    assert ids.dtype == np.int64 and ids.min() == 0 and ids.max() == len(alphabet) - 1 == 67
    assert alphabet.decode(ids) == book and alphabet.symbols == "".join(sorted(set(book)))
    assert data.Characters("banana").encode("nab").tolist() == [2, 0, 1]


def test_ids_of_any_kind_are_decoded():
    alphabet = data.Characters("abc")
    for ids in ([2, 0], (2, 0), np.array([2, 0], np.uint8), iter([2, 0]), [np.int64(2), np.int8(0)]):
        assert alphabet.decode(ids) == "ca"
    assert alphabet.decode([]) == alphabet.decode(np.zeros(0)) == ""


def test_chunks_take_a_list():
    (x, y), = data.chunks([3, 1, 4, 1, 5], batch_size=2, steps=9)
    assert x.tolist() == [[3, 1], [4, 1]] and y.tolist() == [[1, 4], [1, 5]]


@given(n=st.integers(2, 200), batch_size=st.integers(1, 12), steps=st.integers(1, 30))
def test_chunks_continue_each_other_and_y_is_one_ahead(n, batch_size, steps):
    ids = np.arange(n)
    length = (n - 1) // batch_size
    if not length:
        with pytest.raises(InputError, match="too few"):
            data.chunks(ids, batch_size=batch_size, steps=steps)
        return
    pieces = list(data.chunks(ids, batch_size=batch_size, steps=steps))
    assert all(x.shape == (batch_size, steps) for x, _ in pieces[:-1])
    rows = np.concatenate([x for x, _ in pieces], axis=1)
    np.testing.assert_array_equal(rows.ravel(), ids[:batch_size * length])          # each element once, in order
    np.testing.assert_array_equal(np.concatenate([y for _, y in pieces], axis=1), rows + 1)
    assert n - 1 - rows.size < batch_size


@pytest.mark.parametrize("call, sentence", [
    (lambda: data.text("alcie"), "no text 'alcie'; there is alice"),
    (lambda: data.Characters("abc").encode("abd"), "character 'd' is not among the 3 of this alphabet: 'abc'"),
    (lambda: data.Characters("abc").decode([0, -1]), "decode: id 1 is -1; the 3 characters of this alphabet"),
    (lambda: data.Characters("abc").decode([3]), "decode: id 0 is 3; the 3 characters of this alphabet are 0 to 2"),
    (lambda: data.Characters("abc").decode([0.5]), "decode: ids is a row of whole numbers, not float64"),
    (lambda: data.Characters("abc").decode([[0, 1]]), r"decode: ids is a row .* of shape \(1, 2\)"),
    (lambda: data.chunks(np.arange(9), batch_size=0, steps=5), "batch_size is a whole number of at least 1, not 0"),
    (lambda: data.chunks(np.arange(9), batch_size=2, steps=1.5), "steps is a whole number of at least 1, not 1.5"),
    (lambda: data.chunks(np.zeros((3, 3)), batch_size=2, steps=1), r"one long sequence, \(N,\), not of shape \(3, 3\)"),
    (lambda: data.chunks(np.arange(9), batch_size=9, steps=5), "9 elements are too few for 9 rows; it takes 10")])
def test_what_does_not_fit_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
