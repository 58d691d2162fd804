"""What the stand-in counts: work handed to the device, copies across, and waits for it."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Counters:
    """What happened on the device since `reset`.

    `launches`: calls that start at least one kernel (CuPy may start several; a view starts none).
    `transfers`: arrays or numbers copied from the host to the device or back.
    `synchronisations`: times that the host waited for the device; `waited_for` says what for, how often.
    """

    launches: int = 0
    transfers: int = 0
    synchronisations: int = 0
    waited_for: Counter[str] = field(default_factory=Counter)

    def reset(self) -> None:
        """Set all to zero."""
        self.launches = self.transfers = self.synchronisations = 0
        self.waited_for.clear()


counters = Counters()             # counts all the time
_listening = [counters]


@contextmanager
def counting() -> Iterator[Counters]:
    """Count what happens within this context: `with counting() as c: ...; assert c.synchronisations == 0`."""
    mine = Counters()
    _listening.append(mine)
    try:
        yield mine
    finally:
        # by identity: two Counters with equal counts are equal
        _listening[:] = [listener for listener in _listening if listener is not mine]


def launched() -> None:
    for listener in _listening:
        listener.launches += 1


def transferred() -> None:
    for listener in _listening:
        listener.transfers += 1


def synchronised(reason: str) -> None:
    for listener in _listening:
        listener.synchronisations += 1
        listener.waited_for[reason] += 1


def read_to_host(reason: str) -> None:
    """A value goes to the host, which has to wait for it."""
    transferred()
    synchronised(reason)
