"""What Python 2 pickles, written by the letter: CIFAR-10's Python version is such files."""
import struct


def python2(value) -> bytes:
    """What cPickle of Python 2 writes, protocol 2, for str, int, list, dict and arrays of bytes."""
    return b"\x80\x02" + _python2(value) + b"."


def _python2(value) -> bytes:
    if isinstance(value, str | bytes):
        raw = value if isinstance(value, bytes) else value.encode()
        return b"T" + struct.pack("<i", len(raw)) + raw
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(_python2, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(_python2(part) for pair in value.items() for part in pair) + b"u"
    shape = b"(" + b"".join(map(_python2, value.shape)) + b"t"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape + dtype
            + b"\x89" + _python2(value.tobytes()) + b"tb")
