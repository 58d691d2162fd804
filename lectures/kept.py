"""Full runs that are kept in the user's cache, to be shown again at once: `minidl lecture 17 --replay`.

There is one for each lecture, data set, seed and device: the last.
"""
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from minidl import data
from minidl.errors import InputError


class Kept(NamedTuple):
    """A run that is kept: its record, its pictures by the names of their files, and when it was."""

    record: dict[str, Any]
    pictures: dict[str, bytes]
    when: str


def keep(folder: Path, record: Mapping[str, Any]) -> str:
    """Keep the run whose files are in this folder in place of the one before it; returns why it could not be done."""
    run = "-".join(record[key].replace(":", "-") for key in ("lecture", "data", "device"))
    kept = _runs() / run / f"seed-{record['seed']}"
    part = kept.with_name(f".{kept.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        for name in [*record["figures"], "metrics.json"]:
            shutil.copyfile(folder / name, part / name)
        shutil.rmtree(kept, ignore_errors=True)
        part.rename(kept)
    except OSError as error:             # the lecture itself has succeeded
        shutil.rmtree(part, ignore_errors=True)
        return str(error)
    return ""


def find(lecture: str, data_set: str, seed: int, device: str) -> Kept:
    """The kept run. Raises InputError, with what there is instead, if none fits or it is damaged."""
    others = []
    for folder in sorted(_runs().glob(f"{lecture}-{data_set}*/seed-*")) + [_runs() / f"{lecture}-{data_set}"]:
        kept = _read(folder)             # the last of these is where minidl 0 kept a lecture's only run
        if kept is None or (kept.record["lecture"], kept.record["data"]) != (lecture, data_set):
            continue
        if (kept.record["seed"], kept.record["device"]) == (seed, device):
            return kept
        others.append(f"seed {kept.record['seed']} on {kept.record['device']}")
    there = f" (there is {', '.join(dict.fromkeys(others))})" if others else ""
    raise InputError(f"no full run of {lecture} on {data_set} with seed {seed} on {device} is kept in {_runs()}{there}"
                     "; run it once without --replay and without --fast")


def _read(folder: Path) -> Kept | None:
    try:
        record = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        pictures = {name: (folder / name).read_bytes() for name in record["figures"]}
        when = datetime.fromisoformat(record["date"]).strftime("%d %B %Y, %H:%M")
        return Kept(record, pictures, when) if {"lecture", "data", "seed", "device"} <= record.keys() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _runs() -> Path:
    return data.cache_folder() / "lectures"
