"""The reader of IDX files: what it reads, and that nothing but one sentence comes out of a bad file."""
import gzip
import math
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from minidl.data.idx import DTYPES, read_idx
from minidl.errors import InputError


def idx(array: np.ndarray, code: int = 0x08) -> bytes:
    """The IDX bytes of an array: the writer that the format's description gives."""
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(DTYPES[code]).tobytes()


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("code", DTYPES)
def test_every_type_is_read_back_plain_and_gzipped(tmp_path, code, pack):
    path = tmp_path / "any-name"
    path.write_bytes(pack(idx(IMAGES - 5.0 if code != 0x08 else IMAGES, code)))
    array = read_idx(path)
    np.testing.assert_array_equal(array, IMAGES - 5.0 if code != 0x08 else IMAGES)
    assert array.dtype.isnative and array.dtype.itemsize == np.dtype(DTYPES[code]).itemsize
    assert array.flags.writeable


@pytest.mark.parametrize("shape", [(7,), (2, 3), (1, 2, 1, 3, 1, 2, 1, 1, 2, 1), (1,) * 64])
def test_every_number_of_axes_is_read(tmp_path, shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (tmp_path / "axes").write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(tmp_path / "axes"), array)


@pytest.mark.parametrize(("data", "sentence"), [
    (b"", "not an IDX file"),
    (b"\x00\x00\x08", "not an IDX file"),
    (b"PK\x03\x04 a zip archive", "not an IDX file: it begins with the bytes 50 4b 03 04"),
    (b"<!DOCTYPE html>", "not an IDX file"),
    (b"\x00\x00\x07\x01\x00\x00\x00\x01a", "not an IDX file"),
    (b"\x00\x00\x08\x00", "not an IDX file"),
    (b"\x00\x00\x08\xff" + bytes(2000), "not an IDX file"),
    (idx(IMAGES)[:9], "ends within its header"),
    (idx(IMAGES)[:-1], "truncated: the shape (2, 3, 4) needs 24 bytes of data, it has 23"),
    (idx(IMAGES) + b"!", "longer than its header says"),
    (idx(np.zeros((0, 28, 28))), "holds nothing"),
    (gzip.compress(idx(IMAGES), mtime=0)[:-12], "truncated"),
    (gzip.compress(idx(IMAGES), mtime=0)[:-8] + bytes(8), "damaged"),
    (b"\x1f\x8b but not gzip", "damaged"),
])
def test_a_foreign_or_truncated_file_is_named_in_one_sentence(tmp_path, data, sentence):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_idx(path)
    assert sentence in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match="cannot read .*nothing"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot read"):
        read_idx(tmp_path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_header_that_promises_terabytes_costs_no_memory(tmp_path, pack):
    import tracemalloc
    path = tmp_path / "liar"
    path.write_bytes(pack(b"\x00\x00\x08\x03" + b"\xff" * 12 + b"abc"))
    tracemalloc.start()
    with pytest.raises(InputError, match="truncated"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 39), st.integers(0, 255)), max_size=4), st.integers(0, 40), st.booleans(),
       st.binary(max_size=3))
@example([], 40, False, b"")
def test_whatever_happens_to_the_bytes_only_a_sentence_escapes(tmp_path, changes, length, zipped, tail):
    data = bytearray(gzip.compress(idx(IMAGES), mtime=0) if zipped else idx(IMAGES))
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path / "mutated"
    path.write_bytes(bytes(data[:length]) + tail)
    try:
        array = read_idx(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert math.prod(array.shape) == array.size >= 1


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_what_is_written_is_read(tmp_path, shape, random):
    array = np.frombuffer(random.randbytes(math.prod(shape)), np.uint8).reshape(shape)
    path = tmp_path / "written"
    path.write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(path), array)
