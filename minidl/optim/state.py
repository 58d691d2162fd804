"""Saved states, checked whole before anything is changed."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minidl.arguments import check_state
from minidl.errors import InputError


def checked_state(what: str, own: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """The saved `state`, in the dtypes of `own`, with plain numbers where `own` has them.

    Raises InputError, which says that it is not `what`, unless the names and shapes are exactly those of `own` and all
    are numbers.
    """
    check_state(state)
    odd = sorted(own.keys() ^ state.keys()) or [name for name in own if np.shape(own[name]) != np.shape(state[name])]
    if odd:
        raise InputError(f"this is not {what}: {odd[0]} differs")
    read: dict[str, Any] = {}
    for name, value in own.items():
        array = np.asarray(state[name])
        if array.dtype.kind not in "fiub":
            raise InputError(f"this is not {what}: {name} holds {array.dtype}, no numbers")
        array = array.astype(np.asarray(value).dtype)
        read[name] = array if isinstance(value, np.ndarray) else array.item()
    return read
