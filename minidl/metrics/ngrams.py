"""How well a text is foreseen by counting: what a network that reads it has to beat."""
from __future__ import annotations

from collections import Counter

import numpy as np

from minidl.errors import InputError
from minidl.rows import check_amount, check_count, check_text


def ngram_bits(seen: str, held_out: str, longest: int, *, strength: float = 5.0) -> dict[int, float]:
    """Bits per character of `held_out`, which follows `seen`, by n-gram models: n -> bits, n = 1, ..., `longest`.

    They count in `seen` how often each character follows the n - 1 before it. A context that is rare leans on the next
    shorter one, as if that had been seen `strength` times; the shortest holds every character for equally likely.
    Raises InputError for an empty text, `longest` below 1, and a strength that is not above 0.
    """
    check_text("ngram_bits", "seen", seen)
    check_text("ngram_bits", "held_out", held_out)
    check_count("ngram_bits", "longest", longest)
    check_amount("ngram_bits", "strength", strength, positive=True)
    if not seen or not held_out:
        raise InputError(f"ngram_bits: it takes two texts, not {len(seen)} and {len(held_out)} characters")
    text = seen + held_out
    bits, p = {}, np.full(len(held_out), 1 / len(set(text)))
    for n in range(1, longest + 1):
        counts = Counter(seen[i:i + n] for i in range(len(seen) - n + 1))
        contexts = Counter(seen[i:i + n - 1] for i in range(len(seen) - n + 1))
        windows = [text[i - n + 1:i + 1] for i in range(len(seen), len(text))]
        count = np.array([counts[window] for window in windows])
        context = np.array([contexts[window[:-1]] for window in windows])
        p = (count + strength * p) / (context + strength)
        bits[n] = float(-np.log2(p).mean())
    return bits
