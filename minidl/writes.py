"""Weights that were written between a forward pass and its backward pass, whose gradients would be wrong.

One clock numbers the tensors as they are made and the writes to them. So a graph pays nothing for being checked: only
what is older than the latest write of all is looked at, and only in its backward pass.
"""
from __future__ import annotations

import dis
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minidl.backend import Array, backend_of

next_birth = itertools.count(1).__next__
_latest = 0


def latest_write() -> int:
    """The number of the latest write: a tensor with a larger one was made after it."""
    return _latest


def mark_written(tensors: Iterable[Any]) -> None:
    """Say that these leaves' arrays are written in place; `backward` then refuses older graphs that read them.

    For whatever changes weights: an optimiser's step, `load_state_dict`, an average. It is not told of the user's own
    `p.data[...] = `, of a tensor that shares a leaf's array (`p.detach()`, or `p.T` of a p that was frozen then).
    """
    global _latest
    now = next_birth()
    for t in tensors:
        t.written = now
    _latest = now


def written_since(t: Any, create_graph: bool) -> dict[int, Any]:
    """The arguments of `t`, by position, whose arrays were written after `t` was made: each one's leaf.

    That is the argument itself or the leaf that it is a view of. Under `create_graph` rules read the leaf's array of
    now, whichever it is; else the array of then, which nobody writes if the leaf has moved to another since.
    """
    found = {}
    for i, (a, array) in enumerate(zip(t.recipe[1], t.recipe[2], strict=True)):
        moved = create_graph
        while hasattr(a, "recipe"):
            if getattr(a, "written", 0) > t.birth and (moved or _share(a.data, array)):
                found[i] = a
                break
            if array.base is None or not a.recipe or len(a.recipe) == 1:           # no view, a leaf, or freed
                break
            a, moved = next((b for b in a.recipe[1] if hasattr(b, "recipe") and _share(b.data, array)), None), False
    return found


def refuse_read(t: Any, written: Mapping[int, Any], wanted: Sequence[int]) -> None:
    """Raise RuntimeError if a rule of the `wanted` arguments reads one that was written.

    What the rules' code does not mention, such as a bias that was added, may have been written.
    """
    op = t.recipe[0]
    for i, leaf in written.items():
        if op.joint or any(_mentions(op.rules[j], i) for j in wanted):
            raise RuntimeError(
                f"backward: {_name(leaf)} was written by an optimiser's step, load_state_dict or an average after "
                f"{op.name} had read it, so gradients through it would be wrong; compute the loss again after the "
                "step, or call backward() of all losses before the first step()")


def _share(a: Array, b: Array) -> bool:
    return type(a) is type(b) and bool(backend_of(a).xp.may_share_memory(a, b))


def _mentions(rule: Callable[..., Any], i: int) -> bool:
    """Whether the rule's code mentions its operation's argument i; yes if that cannot be told."""
    code = getattr(rule, "__code__", None)
    if code is None or code.co_argcount <= i + 2:                  # after g and y
        return True
    name = code.co_varnames[i + 2]
    return any(name == word or isinstance(word, tuple) and name in word      # Python 3.13 loads two at once
               for word in (instruction.argval for instruction in dis.get_instructions(code)))


def _name(leaf: Any) -> str:
    """The leaf as its optimiser names it, else by its own name or its shape."""
    optimizer = getattr(leaf, "owner", lambda: None)()
    names = [name for name, p in optimizer.params.items() if p is leaf] if optimizer else []
    name = names[0] if names else leaf.name
    return f"parameter {name}" if name else f"a tensor of shape {leaf.shape}"
