"""Semantic hashing (slides 18-21): search among binary codes, by comparing all of them or by looking up addresses.

A code of B bits is kept in ceil(B / 64) words of 64 bits. Two codes' Hamming distance, the number of bits in which they
differ, is then an exclusive or and a count of ones for each word.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import Array, Device, backend_of
from minidl.errors import InputError
from minidl.metrics.neighbours import check_neighbours
from minidl.rows import array_of, blocks, check_count, check_device

_WORD = 64
_PAIRS = 2**16             # distances computed together: they stay in a CPU's cache
_PAIRS_ON_A_GPU = 2**24
_MOST_ADDRESSES = 2**22    # of a ball that is looked up
_SCANNED = 8               # words that are compared in the time of one look-up, about


def pack_bits(codes: Any) -> Array:
    """Codes of zeros and ones (N, B) as words, (N, ceil(B / 64)) uint64: bit j goes to bit j % 64 of word j // 64.

    Raises InputError for another shape, and for other numbers than 0 and 1.
    """
    codes = _array(codes)
    xp = backend_of(codes).xp
    if codes.ndim != 2 or not codes.shape[1]:
        raise InputError(f"codes are rows of zeros and ones, shape (N, bits), not {codes.shape}; a single code is "
                         "code[None]")
    if codes.dtype != np.bool_ and not ((codes == 0) | (codes == 1)).all():
        raise InputError("codes are zeros and ones, and these hold other numbers; threshold them first, "
                         "codes > 0.5, or let BinaryAutoencoder.encode do it")
    n, bits = codes.shape
    padded = xp.zeros((n, -(-bits // _WORD) * _WORD), np.uint8)
    padded[:, :bits] = codes
    return xp.packbits(padded.reshape(-1), bitorder="little").view(np.uint64).reshape(n, padded.shape[1] // _WORD)


def unpack_bits(words: Any, bits: int) -> Array:
    """What `pack_bits` packed: words (N, W) uint64 -> codes (N, bits) uint8.

    Raises InputError for what are no such words, and for more bits than they have.
    """
    words = _array(words)
    if words.ndim != 2 or words.dtype != np.uint64:
        raise InputError(f"unpack_bits: words are uint64 of shape (N, W), as pack_bits gives them, not {words.dtype} "
                         f"of shape {words.shape}")
    xp = backend_of(words).xp
    n, width = words.shape
    if check_count("unpack_bits", "bits", bits) > width * _WORD:
        raise InputError(f"unpack_bits: {width} words hold {width * _WORD} bits, not {bits}")
    spread = xp.unpackbits(xp.ascontiguousarray(words).reshape(-1).view(np.uint8), bitorder="little")
    return spread.reshape(n, width * _WORD)[:, :bits]


class HammingIndex:
    """Binary codes among which the nearest to a query are found.

    `codes`: (N, B) zeros and ones, or, with `bits` = B, the words (N, ceil(B / 64)) of `pack_bits`; queries likewise.
    The codes stay on their device.

    `search` compares a query with every code. `within` finds what lies in a ball around a query: `lookup` visits each
    address in the ball, in a time that does not depend on the number of codes; `scan` compares all.

    Raises InputError for codes of another length than the index's, on another device, or of other numbers than 0 and 1.

    Source: R. Salakhutdinov and G. Hinton, "Semantic hashing", 2009.
    """

    def __init__(self, codes: Any, *, bits: int | None = None) -> None:
        codes = _array(codes)
        xp = backend_of(codes).xp
        if not hasattr(xp, "bitwise_count"):
            raise InputError("HammingIndex: this CuPy cannot count bits, CuPy 14 can; or keep the codes on the host")
        if not codes.ndim or not len(codes):
            raise InputError(f"HammingIndex: there are no codes in an array of shape {codes.shape}; give it rows to "
                             "find")
        if codes.dtype == np.uint64 and bits is None:
            raise InputError("HammingIndex: words of uint64 need the codes' length, HammingIndex(words, bits=256)")
        self.bits = codes.shape[-1] if bits is None else check_count("HammingIndex", "bits", bits)
        self._width = -(-self.bits // _WORD)
        self._columns = xp.ascontiguousarray(self._words(codes, "HammingIndex").T)          # (W, N)
        self._table: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self._columns.shape[1]

    @property
    def nbytes(self) -> int:
        """What the codes take in memory."""
        return self._columns.nbytes

    def search(self, queries: Any, k: int) -> tuple[Array, Array]:
        """The k nearest codes to each query (Q, B): distances and indices, both (Q, k), nearest first.

        Among equally near codes the one with the lower index comes first. Raises InputError for k outside 1..N.
        """
        check_neighbours(k, len(self))
        words = self._words(_array(queries), "search")
        backend, n = backend_of(words), len(self)
        step = max(1, (_PAIRS if backend.name == "cpu" else _PAIRS_ON_A_GPU) // n)
        keys = [backend.xp.partition(self._keys(some), k - 1, axis=1)[:, :k] for some in blocks(words, step)]
        nearest = backend.xp.sort(backend.xp.concatenate(keys), axis=1)
        return nearest // n, nearest % n

    def within(self, query: Any, radius: int) -> tuple[Array, Array]:
        """All codes whose distance from one query (B,) is at most `radius`: distances and indices, (M,), nearest first.

        By `lookup` or by `scan`, whichever has less to do; they give the same.
        """
        look = ball_size(min(self.bits, _WORD), radius) * _SCANNED <= len(self) * self._width
        return (self.lookup if look else self.scan)(query, radius)

    def lookup(self, query: Any, radius: int) -> tuple[Array, Array]:
        """`within`, by visiting in a hash table each address whose distance is at most `radius`.

        The address is the code, of a longer code the first 64 bits, and what is found there is compared in full. The
        table lies on the host and is made at the first call. Raises InputError for a ball of too many addresses.
        """
        word, addressed = self._one(query), min(self.bits, _WORD)
        size = ball_size(addressed, radius)
        if size > _MOST_ADDRESSES:
            raise InputError(f"lookup: {size:,} addresses lie within radius {radius} of a code of {addressed} bits; "
                             "choose a smaller radius, or scan the codes")
        backend = backend_of(word)
        if not self._table:
            self._table = _by_address(backend.to_host(self._columns[0]))
        table = self._table
        addresses = (_ball(addressed, radius) ^ backend.to_host(word)[0, 0]).tolist()
        found = [table[address] for address in addresses if address in table]
        indices = Device(backend).put(np.concatenate(found) if found else np.zeros(0, np.int64))
        return self._sorted(self._keys(word, indices)[0], radius)

    def scan(self, query: Any, radius: int) -> tuple[Array, Array]:
        """`within`, by comparing the query with every code."""
        word = self._one(query)
        ball_size(self.bits, radius)
        return self._sorted(self._keys(word)[0], radius)

    def _sorted(self, keys: Array, radius: int) -> tuple[Array, Array]:
        n = len(self)
        keys = backend_of(keys).xp.sort(keys[keys < (radius + 1) * n])
        return keys // n, keys % n

    def _keys(self, words: Array, indices: Array | None = None) -> Array:
        """distance * N + index, for words (Q, W) and all codes or those with the indices: they sort as they should."""
        xp, n = backend_of(words).xp, len(self)
        dtype = np.int32 if (self.bits + 1) * n < 2**31 else np.int64               # int32 is sorted twice as fast
        indices, columns = (xp.arange(n), self._columns) if indices is None else (indices, self._columns[:, indices])
        keys = xp.zeros((len(words), len(indices)), dtype)
        for column, word in zip(columns, words.T, strict=True):
            keys += xp.bitwise_count(column ^ word[:, None])
        keys *= n
        keys += indices.astype(dtype)
        return keys

    def _one(self, query: Any) -> Array:
        query = _array(query)
        if query.ndim != 1:
            raise InputError(f"a ball lies around one code, shape ({self.bits},), not {query.shape}; take queries[0]")
        return self._words(query[None], "within")

    def _words(self, codes: Array, where: str) -> Array:
        """Codes (N, B) or words (N, W) as words, if they fit this index."""
        packed = codes.dtype == np.uint64
        if codes.ndim != 2 or codes.shape[1] != (self._width if packed else self.bits):
            of = f"{codes.shape[-1]} words" if packed else f"{codes.shape[-1]} bits" if codes.ndim == 2 else codes.shape
            raise InputError(f"{where}: this index holds codes of {self.bits} bits, shape (N, {self.bits}) or packed "
                             f"(N, {self._width}), and these are of {of}; encode them with the same model")
        if where != "HammingIndex":
            check_device("HammingIndex", where, codes, self._columns)
        return codes if packed else pack_bits(codes)


def ball_size(bits: int, radius: int) -> int:
    """How many codes of so many bits are at most `radius` from one. Raises InputError for a radius below 0."""
    radius = check_count("Hamming ball", "radius", radius, least=0)
    return sum(math.comb(bits, r) for r in range(min(radius, bits) + 1))


@lru_cache(maxsize=16)
def _ball(bits: int, radius: int) -> np.ndarray:
    """The words in the ball around 0, nearest first, (M,) uint64: exclusive or moves them around any code."""
    def words() -> Iterator[int]:
        for r in range(min(radius, bits) + 1):
            for ones in combinations(range(bits), r):
                yield sum(1 << bit for bit in ones)
    return np.fromiter(words(), np.uint64, ball_size(bits, radius))


def _by_address(words: np.ndarray) -> dict[int, np.ndarray]:
    """The hash table: each address that occurs, with the indices of its codes."""
    order = words.argsort(kind="stable")
    addresses, starts = np.unique(words[order], return_index=True)
    return dict(zip(addresses.tolist(), np.split(order, starts[1:]), strict=True))


def _array(codes: Any) -> Array:
    return plain_array("codes", array_of(codes))
