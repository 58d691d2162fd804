"""Pickled arrays without Python's unpickling: what Python 2 and 3 have written is read, and no name is followed."""
import os
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidl.data.pickles import read_pickle
from minidl.errors import InputError
from tests.data.pickled import python2

BATCH = {"batch_label": "training batch 1 of 5", "labels": [6, 9, 9], "filenames": ["a.png", "b.png", "c.png"],
         "data": np.arange(3 * 70, dtype=np.uint8).reshape(3, 70)}


def check_batch(found):
    assert found.keys() == BATCH.keys() and found["labels"] == [6, 9, 9] and found["filenames"] == BATCH["filenames"]
    assert found["batch_label"] == "training batch 1 of 5" and found["data"].dtype == np.uint8
    np.testing.assert_array_equal(found["data"], BATCH["data"])


def test_what_python_2_has_written_is_read():
    check_batch(read_pickle(python2(BATCH), "a batch"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                   # Python itself agrees that these are the bytes of a batch
        check_batch(pickle.loads(python2(BATCH), encoding="latin-1"))


@pytest.mark.parametrize("protocol", range(5))
def test_what_python_3_has_written_is_read_too(protocol):
    check_batch(read_pickle(pickle.dumps(BATCH, protocol), "a batch"))


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", ">i2", "<i4", "u8", "f2", ">f4", "<f8"])
@pytest.mark.parametrize("order", "CF")
def test_arrays_of_every_type_and_order(dtype, order):
    array = np.asarray(np.arange(-3, 9).reshape(3, 4) % 200 / 2, order=order).astype(dtype)
    found = read_pickle(pickle.dumps(array, 2), "an array")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


class Call:
    """Unpickled, it calls a function."""

    def __init__(self, function, *arguments):
        self.how = function, arguments

    def __reduce__(self):
        return self.how


@pytest.mark.parametrize("protocol", range(6))
def test_a_file_that_asks_for_something_else_runs_nothing(tmp_path, protocol):
    made = tmp_path / "made"
    body = pickle.dumps({"data": Call(os.mkdir, str(made)), "labels": [1]}, protocol)
    with pytest.raises(InputError, match=r"^a batch asks Python for (posix|nt)\.mkdir, .*nothing .* was run$"):
        read_pickle(body, "a batch")
    assert not made.exists()
    pickle.loads(body)
    assert made.exists()                                  # so the file would have done it


@pytest.mark.parametrize(("body", "name"), [
    (b"cos\ngetcwd\n(tR.", "os.getcwd"), (b"(ios\ngetcwd\n.", "os.getcwd"), (b"(cos\ngetcwd\no.", "os.getcwd"),
    (b"\x80\x04\x8c\x02os\x8c\x06getcwd\x93)R.", "os.getcwd"), (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
    (b"c__builtin__\neval\n.", "__builtin__.eval"), (b"cnumpy\nload\n.", "numpy.load"),
    (b"cnumpy\n_core.multiarray._reconstruct\n.", "multiarray._reconstruct"),
    (b"cnumpy.core.multiarray\nscalar\n.", "multiarray.scalar"),
    (b"c_codecs\ndecode\n.", "_codecs.decode"), (b"cminidl.data.pickles\nread_pickle\n.", "pickles.read_pickle"),
])
def test_no_name_is_followed_but_those_of_arrays(body, name):
    with pytest.raises(InputError, match=f"asks Python for .*{name}"):
        read_pickle(body, "a batch")


def test_codecs_encode_makes_bytes_of_latin_letters_and_nothing_else():
    assert read_pickle(b"c_codecs\nencode\n(Vab\nVlatin1\ntR.", "a batch") == b"ab"
    assert read_pickle(b"c_codecs\nencode\n(Vab\nVhex\ntR.", "a batch") == b"ab"


def test_a_file_cannot_change_what_the_next_file_is_given():
    meddling = b"c_codecs\nencode\nN}U\x0c__defaults__(Vx\ntsN\x86b."
    for body in (meddling, b"cnumpy\ndtype\n}U\x04mark K\x01sb."):
        try:
            read_pickle(body, "a batch")
        except InputError:
            pass
    check_batch(read_pickle(python2(BATCH), "a batch"))
    assert read_pickle(b"c_codecs\nencode\n(Vab\nVlatin1\ntR.", "a batch") == b"ab"


WHOLE = python2(BATCH)


@pytest.mark.parametrize(("body", "sentence"), [
    (b"", "EOFError"), (b"no pickle", "is no pickled file of arrays, or it is damaged"), (WHOLE[:-40], "damaged"),
    (WHOLE[:200], "damaged"), (b"Pabc\n.", "damaged"), (b"\x82\x01.", "damaged"),
    (pickle.dumps(np.array([{}], object), 2), "an array of |O8, not of numbers"),
    *((pickle.dumps(np.zeros(2, dtype), 2), "not of numbers") for dtype in ("i4,f4", "M8[s]", "U1", "c8")),
    (WHOLE.replace(b"J\x46\0\0\0", b"J\x47\0\0\0"), "cannot reshape array of size 210 into shape"),
])
def test_what_is_no_pickle_of_arrays_gets_a_sentence(body, sentence):
    with pytest.raises(InputError, match="^a batch ") as caught:
        read_pickle(body, "a batch")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=4), st.integers(0, 700),
       st.sampled_from([WHOLE, pickle.dumps(BATCH, 4)]))
def test_whatever_happens_to_the_bytes_only_a_sentence_escapes(changes, length, whole):
    body = bytearray(whole)
    for place, value in changes:
        body[place % len(body)] = value
    try:
        read_pickle(bytes(body[:length]), "a batch")
    except InputError as error:
        assert str(error).startswith("a batch ")
