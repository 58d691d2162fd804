"""Whatever can be sent arrives as it was, and no bytes at all do more than raise the codec's own error."""
import math
import random
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minidl.grading.isolation import codec

DTYPES = ["f4", "f8", "i4", "i8", "?", "u1", "f2"]


@st.composite
def _arrays(draw):
    """Arrays of every dtype, in either byte order, of 0 to 4 axes, empty ones too, and views with gaps."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES))).newbyteorder(draw(st.sampled_from("<>")))
    x = draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)))
    change = draw(st.sampled_from(["none", "fortran", "transposed", "reversed", "every other", "read-only"]))
    if change == "fortran":
        return np.asfortranarray(x)
    if change == "transposed":
        return x.T
    if change == "read-only":
        x.flags.writeable = False
    return x[::-1] if change == "reversed" and x.ndim else x[..., ::2] if change == "every other" and x.ndim else x


_scalars = st.none() | st.booleans() | st.integers(-2**63, 2**63 - 1) | st.floats() | st.text(max_size=20) | _arrays()
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple)
                       | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=20)


def _same(x, y):
    """Equal in type, shape and every bit; an array's byte order and layout may differ."""
    if isinstance(x, np.ndarray):
        return (type(y) is np.ndarray and x.shape == y.shape and x.dtype.newbyteorder("=") == y.dtype
                and x.astype(y.dtype).tobytes() == y.tobytes())
    if type(x) is not type(y):
        return False
    if isinstance(x, float):
        return struct.pack("<d", x) == struct.pack("<d", y)
    if isinstance(x, list | tuple):
        return len(x) == len(y) and all(map(_same, x, y))
    if isinstance(x, dict):
        return list(x) == list(y) and all(_same(x[key], y[key]) for key in x)
    return x == y


@settings(max_examples=50)
@given(_values)
def test_every_value_arrives_as_it_was(value):
    frame = codec.frame(value)
    length = codec.frame_length(frame[:codec.HEADER.size])
    assert length == len(frame) - codec.HEADER.size
    assert _same(value, codec.decode(frame[codec.HEADER.size:]))


@settings(max_examples=50)
@given(_arrays())
def test_an_array_arrives_as_one_that_is_its_own(x):
    y = codec.decode(codec.encode(x))
    assert y.flags.owndata or y.base.flags.owndata
    assert y.flags.writeable and y.flags.c_contiguous and y.dtype.isnative


@pytest.mark.parametrize("bits", [0x7FF8000000000001, 0xFFF8000000012345, 0x8000000000000000, 0x0000000000000001])
def test_every_bit_of_a_float_arrives(bits):
    x, = struct.unpack("<d", struct.pack("<Q", bits))
    assert struct.pack("<d", codec.decode(codec.encode(x))) == struct.pack("<Q", bits)
    assert codec.decode(codec.encode(np.array([x]))).tobytes() == struct.pack("<Q", bits)


def test_scalars_of_numpy_arrive_as_arrays_of_no_axes():
    for x in (np.float32(1.5), np.float64(1.5), np.int64(3), np.bool_(True), np.array(2.0, ">f8")):
        y = codec.decode(codec.encode(x))
        assert isinstance(y, np.ndarray) and y.shape == () and y == x
        assert y.dtype == np.asarray(x).dtype.newbyteorder("=")


def test_half_a_surrogate_pair_arrives_as_a_question_mark():
    assert codec.decode(codec.encode(["\ud800", {"a\udfff": "\U0001f600"}])) == ["?", {"a?": "\U0001f600"}]


def _nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


class _MyList(list):
    pass


@pytest.mark.parametrize("value, says", [
    (2**63, "64 bits"), (-2**63 - 1, "64 bits"), (_nested(codec.MAX_DEPTH + 1), "nested"), (1j, "type complex"),
    (b"x", "type bytes"), ({1, 2}, "type set"), ({1: 2}, "key of type int"), (_MyList(), "type _MyList"),
    (object(), "type object"), (len, "type builtin"), (np.array([1j]), "array of complex128"),
    (np.array(["a"]), "array of <U1"), (np.array([None]), "array of object"), (np.zeros(2, "f4,f4"), "array of"),
    (np.zeros((1,) * 9), "9 axes"), (np.zeros(2, "M8[s]"), "array of datetime64"),
    (np.uint64([2**63]), "array of uint64"), ("x" * (codec.MAX_TEXT + 1), "a str of"),
    ([0] * codec.MAX_VALUES, "values cannot be sent one by one"),
    (np.broadcast_to(np.zeros(1), codec.MAX_FRAME), "bytes cannot be sent")], ids=lambda value: "")
def test_what_cannot_be_sent_is_refused_in_a_sentence(value, says):
    with pytest.raises(codec.CodecError, match=says):
        codec.encode(value)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.uint32, np.uint64, ">i2"])
def test_other_integers_arrive_as_int64_with_their_values(dtype):
    array = np.array([0, 1, 100], dtype)
    if array.dtype.kind == "i":
        array = -array
    arrived = codec.decode(codec.encode([array, array[1]]))
    assert [value.dtype for value in arrived] == [np.int64, np.int64]
    assert arrived[0].tolist() == array.tolist() and arrived[1] == array[1]


def test_a_value_that_holds_itself_is_refused():
    value = {}
    value["self"] = value
    with pytest.raises(codec.CodecError, match="holds itself"):
        codec.encode(value)


def test_the_largest_values_that_can_be_sent_arrive():
    assert codec.decode(codec.encode([0] * (codec.MAX_VALUES - 1))) == [0] * (codec.MAX_VALUES - 1)
    assert codec.decode(codec.encode("x" * codec.MAX_TEXT)) == "x" * codec.MAX_TEXT
    assert codec.decode(codec.encode(_nested(codec.MAX_DEPTH))) == _nested(codec.MAX_DEPTH)
    x = np.zeros((1,) * codec.MAX_AXES)
    assert codec.decode(codec.encode(x)).shape == x.shape


def _array(kind, *shape):
    return b"A" + bytes([kind, len(shape)]) + struct.pack(f"<{len(shape)}Q", *shape)


@pytest.mark.parametrize("data, says", [
    (b"", "1 bytes are announced"), (b"Z", "begins with"), (b"NN", "1 bytes follow"), (b"I123", "8 bytes"),
    (b"S" + struct.pack("<I", 5) + b"abc", "5 bytes"), (b"S" + struct.pack("<I", 2**32 - 1), "announced"),
    (b"L" + struct.pack("<I", 2**32 - 1) + b"N", "items are announced"), (b"L\1\0\0\0" * 17 + b"N", "nested"),
    (b"D\1\0\0\0I" + bytes(8) + b"N", "no str"), (b"L" + struct.pack("<I", 10**5) + b"N" * 10**5, "more than"),
    (_array(7, 1) + bytes(8), "dtype 7"), (_array(0, *[1] * 9) + bytes(4), "9 axes"),
    (_array(1, 2) + bytes(15), "16 bytes"),
    (_array(1, 2**63, 0), "announced"), (_array(1, 0, 2**64 - 1), "announced"), (_array(5, 2**32, 2**32), "announced"),
    (_array(1, *[2**9] * 8), "announced")], ids=lambda value: "")
def test_bytes_that_are_no_value_are_refused_in_a_sentence(data, says):
    with pytest.raises(codec.CodecError, match=says):
        codec.decode(data)


def test_a_header_of_another_protocol_or_of_too_much_is_refused():
    for header in (b"HTTP/1.1", struct.pack("<4sI", b"MDL1", codec.MAX_FRAME + 1)):
        with pytest.raises(codec.CodecError):
            codec.frame_length(header)


def test_a_bool_that_is_neither_0_nor_1_arrives_as_true():
    x = codec.decode(_array(4, 3) + bytes([0, 1, 77]))
    assert x.tolist() == [False, True, True] and x.tobytes() == bytes([0, 1, 1])


SAMPLES = [codec.encode(value) for value in (
    None, True, -1, math.nan, "text", [1, [2.0, ("a", None)]], {"id": "x", "value": [np.arange(6.0).reshape(2, 3)]},
    np.zeros((0, 3), np.float32), np.array(True), np.arange(40, dtype=np.uint8), [[], (), {}, ""],
    {"error": "ValueError", "message": "m", "where": ["a:1"], "kinds": []},
    np.zeros((1, 1, 1, 1, 1, 1, 1, 2), np.float16))]


def _mutated(rng):
    """Bytes that are nearly a value: flipped bits, cut or repeated parts, two values spliced; or any bytes."""
    data = bytearray(rng.choice(SAMPLES))
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            other = rng.choice(SAMPLES)
            data[place:] = other[rng.randrange(len(other)):]
        elif kind == 3:
            data[place:place] = rng.randbytes(rng.randrange(9))
        elif kind == 4 and data:
            data[place % len(data)] = rng.choice(b"NTFIRSALUD\x00\x01\x08\xff")
        elif kind == 5:
            data[place:place + 4] = struct.pack("<I", rng.choice([0, 1, 2, 255, 2**16, 2**31, 2**32 - 1]))
        else:
            data[place:place] = data[:place] * rng.randrange(3)
    return bytes(data) if rng.random() < 0.95 else rng.randbytes(rng.randrange(64))


def _survive(count, seed):
    """Decode mutated values; returns how many of them were values again."""
    rng, values = random.Random(seed), 0
    for _ in range(count):
        data = _mutated(rng)
        try:
            value = codec.decode(data)
        except codec.CodecError:
            continue
        codec.encode(value)            # what was decoded is a value: it can be sent
        values += 1
    return values


def test_mutated_values_raise_the_codecs_error_alone():
    assert 1000 < _survive(20_000, seed=1) < 15_000


@pytest.mark.slow
def test_a_million_mutated_values_raise_the_codecs_error_alone():
    assert 50_000 < _survive(1_000_000, seed=2) < 750_000


def _peak(data):
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        codec.decode(data)
    except codec.CodecError:
        pass
    return tracemalloc.get_traced_memory()[1] - before


def test_no_bytes_take_much_more_memory_than_they_are_long():
    """What takes most for its length: small values by the thousand, and what is announced and not there."""
    def many(item, count=1000):
        return b"L" + struct.pack("<I", count) + item * count

    items = [b"N", b"I" + bytes(8), b"S\0\0\0\0", b"S\1\0\0\0\xff", b"L\0\0\0\0", b"D\0\0\0\0", b"U\0\0\0\0", b"A\5\0x",
             b"D\1\0\0\0S\0\0\0\0N", _array(1, 0), b"L\1\0\0\0" * 14 + b"N"]
    heavy = [*map(many, items), b"S" + struct.pack("<I", 1 << 20) + b"\xf0\x9f\x98\x80" * (1 << 18),
             b"S" + struct.pack("<I", 1 << 20) + b"\xff" * (1 << 20), _array(5, 1 << 20) + bytes(1 << 20),
             _array(4, 1 << 20) + b"\2" * (1 << 20), _array(1, 2**31), b"L" + struct.pack("<I", 2**32 - 1),
             b"D" + struct.pack("<I", 10**6) + bytes(10**6)]
    rng = random.Random(3)
    tracemalloc.start()
    try:
        for data in heavy + [_mutated(rng) for _ in range(200)]:
            assert _peak(data) <= 80 * len(data) + 16_384, data[:60]
    finally:
        tracemalloc.stop()
