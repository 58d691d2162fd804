"""Text for networks: a book that travels with minidl, an alphabet, and the pieces that a recurrent network reads.

    book = data.text()
    alphabet = data.Characters(book)
    for x, y in data.chunks(alphabet.encode(book), batch_size=32, steps=50):    # y is x, one character later
        logits, state = model(x, state)
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minidl.arguments import plain_array
from minidl.backend import Array
from minidl.data.embedded import FILES
from minidl.errors import InputError
from minidl.rows import check_count, check_text

TEXTS = {"alice": "Lewis Carroll, Alice's Adventures in Wonderland, 1865; public domain"}


def text(name: str = "alice") -> str:
    """A book as one string: "Alice's Adventures in Wonderland", 147,815 characters of ASCII.

    Lines are as long as on a page; what is said stands between ` and ', as on old typewriters. Raises InputError for
    another name.
    """
    import gzip
    if not isinstance(name, str) or name not in TEXTS:
        raise InputError(f"there is no text {name!r:.60}; there is {', '.join(TEXTS)}")
    with gzip.open(FILES / f"{name}.txt.gz", "rt", encoding="ascii") as file:
        return file.read()


class Characters:
    """An alphabet: the distinct characters of a text, sorted; their places in it are their ids.

    Raises InputError for what is no text.
    """

    def __init__(self, text: str) -> None:
        check_text("Characters", "its text", text)
        self.symbols = "".join(sorted(set(text)))
        self._ids = {symbol: i for i, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> np.ndarray:
        """The ids (len(text),) of a text's characters; raises InputError for one that is not in the alphabet."""
        check_text("encode", "what is encoded", text)
        try:
            return np.array([self._ids[symbol] for symbol in text], dtype=np.int64)
        except KeyError as error:
            raise InputError(f"the character {error} is not among the {len(self)} of this alphabet: "
                             f"{self.symbols!r}") from None

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids, whole numbers on the host; raises InputError for one outside 0 .. len(self)-1."""
        if not isinstance(ids, Iterable):
            raise InputError(f"decode: ids is a row of whole numbers, not {ids!r:.60}")
        numbers = plain_array("decode", ids if hasattr(ids, "__array__") else list(ids))
        if numbers.ndim != 1 or numbers.size and numbers.dtype.kind not in "iu":
            raise InputError(f"decode: ids is a row of whole numbers, not {numbers.dtype} of shape {numbers.shape}")
        for i, number in enumerate(numbers):
            if not 0 <= number < len(self):
                raise InputError(f"decode: id {i} is {number}; the {len(self)} characters of this alphabet are 0 to "
                                 f"{len(self) - 1}")
        return "".join(self.symbols[number] for number in numbers.tolist())


def chunks(ids: Array, *, batch_size: int, steps: int) -> Iterator[tuple[Array, Any]]:
    """Pieces of a long sequence for truncated backpropagation through time: pairs x, y of ids (batch_size, steps).

    The sequence is cut into `batch_size` rows of equal length, and these are read side by side, `steps` at a time
    (the last piece may be shorter): row b of a piece goes on where row b of the one before has stopped, so that a
    network's state can be handed on. `y` holds for each element of `x` the one that follows it. What does not fill
    the rows is left out, fewer than `batch_size` elements at the end.

    Raises InputError for sizes that are no whole numbers above 0, for what is no sequence of ids, and for one that
    gives no row a pair.
    """
    batch_size, steps = check_count("chunks", "batch_size", batch_size), check_count("chunks", "steps", steps)
    ids = plain_array("chunks", ids)
    if ids.ndim != 1:
        raise InputError(f"chunks: ids is one long sequence, (N,), not of shape {ids.shape}")
    length = (len(ids) - 1) // batch_size
    if length < 1:
        raise InputError(f"chunks: {len(ids)} elements are too few for {batch_size} rows; it takes {batch_size + 1}")
    end = batch_size * length
    x, y = ids[:end].reshape(batch_size, length), ids[1:end + 1].reshape(batch_size, length)
    return ((x[:, start:start + steps], y[:, start:start + steps]) for start in range(0, length, steps))
