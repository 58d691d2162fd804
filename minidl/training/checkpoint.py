"""Checkpoints: the state of named parts in one file, written whole, and taken over whole or not at all."""
from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minidl._version import __version__
from minidl.errors import InputError
from minidl.files import atomic_write
from minidl.nn.module import Module
from minidl.training.stateful import as_parts

_ARRAY = "/array"                # the key under which JSON has an array's name
_ADVICE = "choose another file, or delete it to start afresh"


def save(path: str | os.PathLike[str], parts: Mapping[str, Any]) -> Path:
    """Write the state of named parts into one file, which is there whole or not at all; returns its path.

        training.save("gan.npz", {"generator": G, "critic": C, "adam": optimizer, "rng": rng})

    A part is a `Stateful`, or a numpy Generator. The file is an `.npz` without pickled objects: an array `a` of the
    part's state is its entry `part/a`, everything else is JSON in the entry `meta`. Raises InputError for a part
    without a state, or with a state of other things than arrays, numbers, strings and None.
    """
    arrays: dict[str, np.ndarray] = {}
    states = {name: part.state_dict() for name, part in as_parts(parts).items()}
    for name, state in states.items():
        if not isinstance(state, Mapping):
            raise InputError(f"the state_dict() of the part {name!r} returned {type(state).__name__}, not a dict")
    tree = {name: _without_arrays(state, name, arrays) for name, state in states.items()}
    meta = np.array(json.dumps({"version": __version__, "parts": tree}))
    path = checkpoint_path(path)
    with atomic_write(path) as file:
        np.savez(file, meta=meta, **arrays)  # type: ignore[arg-type]
    return path


def load(path: str | os.PathLike[str], parts: Mapping[str, Any]) -> None:
    """Let named parts take over the states that `save` wrote into a file.

    Raises InputError, and every part is as it was, if the file is missing or damaged, has other parts, or one of them
    refuses its state.
    """
    known = as_parts(parts)
    states = read_checkpoint(path)
    lacking, foreign = known.keys() - states.keys(), states.keys() - known.keys()
    if lacking or foreign:
        odd = [f"holds no {name}, which this run has" for name in sorted(lacking)] + \
            [f"holds {name}, which this run does not have" for name in sorted(foreign)]
        raise InputError(f"checkpoint {path} {' and '.join(odd)}; {_ADVICE}")
    before = {name: part.state_dict() for name, part in known.items()}
    for name, part in known.items():
        try:
            part.load_state_dict(states[name])
        except Exception as error:
            for other in reversed(known):            # the last first: a schedule also sets its optimiser's rate
                known[other].load_state_dict(before[other])
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            raise InputError(f"checkpoint {path}: its {name} does not fit: {reason}; {_ADVICE}") from error


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """The states of a checkpoint's parts, by name. Raises InputError if the file is none, or broken."""
    arrays = _read(path)
    if "meta" not in arrays:
        raise InputError(f"{path} is no minidl checkpoint, or it is damaged: it has arrays, but no run; if they are "
                         "weights alone, training.load_model(path, model) takes them; choose another file")
    try:
        meta = json.loads(str(arrays.pop("meta")))
        parts = {str(name): _with_arrays(state, arrays) for name, state in meta["parts"].items()}
    except Exception as error:
        if any(name.startswith("model/") for name in arrays):
            raise InputError(f"{path} is a checkpoint of another version of minidl: training.load_model still takes "
                             f"the model out of it; to train, {_ADVICE}") from error
        raise InputError(f"{path} is no minidl checkpoint, or it is damaged ({type(error).__name__}: {error}); "
                         f"{_ADVICE}") from error
    if not all(isinstance(state, dict) for state in parts.values()):
        raise InputError(f"{path} is no minidl checkpoint, or it is damaged (a state is no mapping); {_ADVICE}")
    return parts


def load_model(path: str | os.PathLike[str], model: Module, part: str = "model") -> Module:
    """Load a model's parameters and buffers out of a checkpoint, or out of a file of weights alone; returns the model.

    `part` is the model's name in the run, `np.savez("weights.npz", **model.state_dict())` writes weights alone. With
    early stopping they are the best, with an average the averages. Raises InputError, and the model is as it was, if
    the file is missing, damaged, or of another model.
    """
    arrays = _read(path, "")
    if not isinstance(model, Module):
        given = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise InputError(f"load_model(path, model) takes a Module, not {given}; training.load takes other parts")
    if "meta" in arrays:
        own, best = _under(f"{part}/", arrays), {}
        if part == "model":
            best = _under("best/model/", arrays) or _under("best/", arrays)      # an earlier version's had no `model/`
            own |= _under("ema/average/", arrays)
        arrays = best or own
        if not arrays:
            raise InputError(f"checkpoint {path} holds no {part!r}; load_model(path, model, part) takes another name")
    try:
        model.load_state_dict(arrays)
    except InputError as error:
        raise InputError(f"checkpoint {path}: {error}") from error
    return model


def checkpoint_path(path: Any) -> Path:
    """The path of a checkpoint, `~` resolved. Raises InputError for what is no path of a file."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a checkpoint's path is a string or a Path, such as 'run.npz', not {type(path).__name__}")
    path = Path(path).expanduser()
    if path.is_dir():
        raise InputError(f"{path} is a folder; a checkpoint is a file, such as {path / 'run.npz'}")
    return path


def _read(path: str | os.PathLike[str], advice: str = "; " + _ADVICE) -> dict[str, np.ndarray]:
    """All arrays of an .npz file."""
    path = checkpoint_path(path)
    try:
        with open(path, "rb") as opened:
            if opened.read(4) != b"PK\x03\x04":          # np.load would take it for pickled objects, and advise those
                raise ValueError("it is no .npz file")
            opened.seek(0)
            with np.load(opened, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise InputError(f"there is no checkpoint {path}") from error
    except Exception as error:               # zip, zlib, numpy each have their own
        reason = "it holds pickled objects" if "allow_pickle" in str(error) else f"{type(error).__name__}: {error}"
        raise InputError(f"{path} is no minidl checkpoint, or it is damaged ({reason}){advice}") from error


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _without_arrays(state: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """The state as JSON has it: its arrays go into `arrays`, and their names there stand in their places."""
    if isinstance(state, Mapping):
        if odd := [key for key in state if not isinstance(key, str)]:
            raise InputError(f"the state of {path} has the key {odd[0]!r:.60}; keys are strings")
        return {key: _without_arrays(value, f"{path}/{key}", arrays) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [_without_arrays(value, f"{path}/{i}", arrays) for i, value in enumerate(state)]
    if isinstance(state, np.ndarray | np.generic) and state.dtype.kind in "fiub":
        if path in arrays:
            raise InputError(f"two arrays of the parts' states are named {path}; name the parts apart, without '/'")
        arrays[path] = np.asarray(state)
        return {_ARRAY: path}
    if state is None or isinstance(state, str | int | float):
        return state
    raise InputError(f"the state of {path} is a {type(state).__name__}: what is saved are arrays, numbers, strings, "
                     "None, and lists and dicts of these")


def _with_arrays(state: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(state, dict):
        if state.keys() == {_ARRAY}:
            return arrays[state[_ARRAY]]
        return {key: _with_arrays(value, arrays) for key, value in state.items()}
    return [_with_arrays(value, arrays) for value in state] if isinstance(state, list) else state

