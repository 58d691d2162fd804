"""The rooms of `minidl/grading` lean on each other one way only."""
import ast
from pathlib import Path

import pytest

from minidl import grading

HOME = Path(grading.__file__).parent
SHARED = {"manifest", "checks"}                  # they import none of the rooms
BELOW = {"isolation": set(), "marking": {"isolation"}, "taking": {"marking", "isolation"}, "authoring": {"marking"}}


def imported(path):
    """What a file imports of `minidl.grading`: the names behind that, a room or a shared file first."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name}" for name in names]
        yield from (name.split(".")[2] for name in names if name.startswith("minidl.grading."))


def test_every_file_is_shared_or_in_one_of_the_rooms():
    found = {path.relative_to(HOME).parts[0].removesuffix(".py") for path in HOME.rglob("*.py")}
    assert found == {"__init__"} | SHARED | set(BELOW)


@pytest.mark.parametrize("path", sorted(HOME.rglob("*.py")), ids=lambda path: path.relative_to(HOME).as_posix())
def test_a_room_imports_what_is_shared_itself_and_the_rooms_below_it(path):
    room = path.relative_to(HOME).parts[0]
    assert set(imported(path)) <= SHARED | {room} | BELOW[room] if room in BELOW else set(imported(path)) <= SHARED
