"""What a thread does, with no say in what other threads do: whether it records, and whether debug mode checks it."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Mode:
    """One thread's switches."""

    __slots__ = ("debugging", "recording")

    def __init__(self) -> None:
        self.recording, self.debugging = True, False


class _Thread(threading.local):
    """Each thread finds a Mode of its own here: one look costs less than a look for each switch."""

    def __init__(self) -> None:
        self.mode = Mode()


thread = _Thread()


@contextmanager
def recorded(on: bool) -> Iterator[None]:
    """Within this context the thread records what it computes, or does not."""
    mode = thread.mode
    before, mode.recording = mode.recording, on
    try:
        yield
    finally:
        mode.recording = before


@contextmanager
def no_grad() -> Iterator[None]:
    """Within this context, or within a function that it decorates, nothing is recorded."""
    with recorded(False):
        yield
