"""The reader of MATLAB 5 matrices, against SciPy's, which is the oracle for what it reads."""
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidl.data.mat5 import read_mat5
from minidl.errors import InputError


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(name: str, array: np.ndarray, *, mclass: int = 9, kind: int = 2, order: str = "F") -> bytes:
    """A matrix element by the letter of the format; classes and kinds: 9 and 2 are uint8."""
    return element(14, element(6, struct.pack("<II", mclass, 0)) + element(5, struct.pack("<2i", *array.shape))
                   + element(1, name.encode()) + element(kind, array.tobytes(order="F")))


def mat_file(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + b"".join(elements)


def packed(body: bytes) -> bytes:
    data = zlib.compress(body)
    return struct.pack("<II", 15, len(data)) + data


FACES = np.arange(15, dtype=np.uint8).reshape(3, 5)


@pytest.mark.parametrize("wrap", [bytes, packed], ids=["plain", "compressed"])
def test_a_matrix_is_found_by_name_and_keeps_its_column_order(tmp_path, wrap):
    path = tmp_path / "faces.mat"
    path.write_bytes(mat_file(wrap(matrix("p", FACES.T)), wrap(matrix("faces", FACES))))
    np.testing.assert_array_equal(read_mat5(path, "faces"), FACES)
    assert read_mat5(path, "p").dtype == np.uint8


def test_numbers_stored_in_a_smaller_type_get_the_type_of_their_class(tmp_path):
    path = tmp_path / "small.mat"
    path.write_bytes(mat_file(matrix("x", FACES, mclass=6, kind=2)))       # a double matrix stored as bytes
    assert read_mat5(path, "x").dtype == np.float64
    np.testing.assert_array_equal(read_mat5(path, "x"), FACES)


@pytest.mark.parity
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_what_scipy_writes_is_read_as_scipy_reads_it(tmp_path, dtype, compress):
    scipy_io = pytest.importorskip("scipy.io")
    path = tmp_path / "scipy.mat"
    expected = (np.random.default_rng(0).random((4, 7)) * 100).astype(dtype)
    scipy_io.savemat(path, {"other": [[1.5]], "text": "abc", "faces": expected, "i": expected[:1, :3]},
                     do_compression=compress)
    for name in ("faces", "i", "other"):
        theirs, ours = scipy_io.loadmat(path)[name], read_mat5(path, name)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    with pytest.raises(InputError, match="not a real numeric matrix"):
        read_mat5(path, "text")


@pytest.mark.parametrize(("data", "sentence"), [
    (b"", "not a MATLAB 5 file"),
    (b"\x89HDF\r\n".ljust(200), "not a MATLAB 5 file"),
    (mat_file(), "has no matrix 'faces', only none at all"),
    (mat_file(matrix("u", FACES), matrix("v", FACES)), "has no matrix 'faces', only 'u', 'v'"),
    (mat_file(matrix("faces", FACES))[:-10], "truncated"),
    (mat_file(matrix("faces", FACES), b"abc"), None),
    (mat_file(matrix("u", FACES), b"abc"), "truncated"),
    (mat_file(packed(matrix("faces", FACES))[:-5]), "truncated"),
    (mat_file(packed(matrix("faces", FACES)).replace(b"\x78\x9c", b"\x00\x00")), "damaged"),
    (mat_file(packed(struct.pack("<II", 14, 2**31) + bytes(100))), "claims more bytes"),
    (mat_file(matrix("faces", FACES, kind=9)), "damaged"),
    (mat_file(matrix("faces", FACES, mclass=1)), "not a real numeric matrix"),
])
def test_a_foreign_or_truncated_file_is_named_in_one_sentence(tmp_path, data, sentence):
    path = tmp_path / "olivettifaces.mat"
    path.write_bytes(data)
    if sentence is None:        # what follows after the wanted matrix is not looked at
        np.testing.assert_array_equal(read_mat5(path, "faces"), FACES)
        return
    with pytest.raises(InputError) as caught:
        read_mat5(path, "faces")
    assert sentence in str(caught.value) and str(path) in str(caught.value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(124, 300), st.integers(0, 255)), min_size=1, max_size=4), st.integers(100, 300),
       st.booleans())
def test_whatever_happens_to_the_bytes_only_a_sentence_escapes(tmp_path, changes, length, compressed):
    body = matrix("faces", FACES)
    data = io.BytesIO(mat_file(packed(body) if compressed else body)).getbuffer()
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path / "mutated.mat"
    path.write_bytes(bytes(data[:length]))
    try:
        read_mat5(path, "faces")
    except InputError as error:
        assert str(path) in str(error)
