"""What a run is made of: parts whose state can be saved and restored."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from minidl.errors import InputError
from minidl.randomness import RandomStream


@runtime_checkable
class Stateful(Protocol):
    """A part of a run: a model, an optimiser, a schedule, an average, a loader, a random stream, a chain.

    `state_dict()` gives arrays, numbers, strings, None, and lists and dicts of these; `load_state_dict` takes them
    back, or raises an InputError that says what differs. A part that draws random numbers from streams of its own
    tells them by `random_streams()`, as a Module does: they are saved beside it.
    """

    def state_dict(self) -> Mapping[str, Any]:
        """The part's whole state."""
        ...

    def load_state_dict(self, state: Any) -> None:
        """Take over a state."""
        ...


class Streams:
    """The random streams of all parts of a run, as one part of it."""

    def __init__(self, parts: Iterable[Any]) -> None:
        # Two streams may share a generator: its state is saved twice then, but each has its own generators on devices.
        self.streams: list[RandomStream] = [s for part in parts for s in getattr(part, "random_streams", list)()]

    def new_epoch(self) -> None:
        """Let every stream seed its devices' generators anew."""
        for stream in self.streams:
            stream.new_epoch()

    def state_dict(self) -> dict[str, Any]:
        """The streams' states, in order."""
        return {"streams": [stream.state_dict() for stream in self.streams]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave. Raises InputError if it is of another number or kind of streams."""
        saved = state["streams"]
        if len(saved) != len(self.streams):
            raise InputError(f"it holds {len(saved)} random streams, this run has {len(self.streams)}")
        for stream, its_state in zip(self.streams, saved, strict=True):
            stream.load_state_dict(its_state)


def as_parts(parts: Any) -> dict[str, Stateful]:
    """The named parts, a bare numpy Generator as the stream that draws from it.

    Raises InputError for what is no mapping from names to parts, and for a part without a state.
    """
    if not isinstance(parts, Mapping) or not all(isinstance(name, str) and name for name in parts):
        raise InputError(f"parts are named, {{'model': model, 'optimizer': optimizer}}, not {type(parts).__name__}")
    known = {}
    for name, part in parts.items():
        known[name] = RandomStream(part) if isinstance(part, np.random.Generator) else part
        if isinstance(part, type) or not isinstance(known[name], Stateful):
            raise InputError(f"the part {name!r}, {_named(part)}, has no state_dict and load_state_dict")
    return known


def _named(part: Any) -> str:
    return f"the class {part.__name__}" if isinstance(part, type) else f"a {type(part).__name__}"
