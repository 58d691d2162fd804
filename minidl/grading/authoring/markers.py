"""What the markers in an instructor's solution stand around, and by what it is known wherever it turns up."""
from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from minidl.errors import InputError

CANARY = re.compile(r"^[ \t]*# CANARY (\w+)[ \t]*\n?", re.MULTILINE)     # a line that only instructor files hold
_BEGIN = re.compile(r"([ \t]*)# BEGIN SOLUTION task=(\S+)[ \t]*$")
_END = re.compile(r"[ \t]*# END SOLUTION[ \t]*$")
_MARKER_LIKE = re.compile(r"#[\W_]*([a-z]+)[\W_]+([a-z]+)", re.IGNORECASE)
LONG, SHORT = 16, 8                    # characters without white space: of a line that betrays a solution, of a block
_HEADERS = ("import ", "from ", "for ", "while ", "if ", "elif ", "with ", "except ", "raise ", "assert ")


class Block(NamedTuple):
    """What stands between two markers: `first` and `last` are the markers' line numbers, from 1."""

    task: str
    first: int
    last: int
    indent: str


def blocks(source: str, name: str) -> list[Block]:
    """The solution's blocks, in order. Raises InputError for markers that do not pair, or are like none."""
    lines = source.splitlines()
    found: list[Block] = []
    begun: Block | None = None
    for number, line in enumerate(lines, 1):
        if match := _BEGIN.match(line):
            if begun:
                raise InputError(f"{name}:{number}: a solution begins within that of line {begun.first}")
            if (plain := match[2].strip("\"'")) != match[2]:
                raise InputError(f"{name}:{number}: a marker names its task without quotes: task={plain}")
            begun = Block(match[2], number, 0, match[1])
        elif _END.match(line):
            code = _code(lines[begun.first:number - 1]) if begun else []
            if not begun or not code:
                raise InputError(f"{name}:{number}: " + ("a solution is empty" if begun else "no solution ends here"))
            for marker in (begun.first, number):
                if _indent(lines[marker - 1]) != _indent(code[0]):
                    raise InputError(f"{name}:{marker}: a marker begins in the column of the solution's first line, "
                                     f"{len(_indent(code[0])) + 1}, not in {len(_indent(lines[marker - 1])) + 1}")
            found.append(begun._replace(last=number))
            begun = None
        elif _is_like_a_marker(line):
            raise InputError(f"{name}:{number}: a marker is a line '# BEGIN SOLUTION task=2.1' or '# END SOLUTION', "
                             f"not {line.strip()!r}")
    if begun:
        raise InputError(f"{name}:{begun.first}: the solution that begins here has no '# END SOLUTION'")
    return found


def distinctive_lines(source: str, name: str) -> dict[str, str]:
    """What betrays the solution wherever it stands: without white space, and as written.

    Of each block its long lines or, if it has none, all of its lines together; imports aside.
    """
    lines, found = source.splitlines(), dict[str, str]()
    for block in blocks(source, name):
        code = [line.partition("  #")[0].strip() for line in _code(lines[block.first:block.last - 1])]
        long = [line for line in code if len(squeezed(line)) >= LONG and ("(" in line or "=" in line)
                and not line.startswith(_HEADERS)]
        rest = [line for line in code if not line.startswith(("import ", "from "))]
        found |= {squeezed(line): line for line in long}
        if not long and len(squeezed("".join(rest))) >= SHORT:
            found[squeezed("".join(rest))] = "; ".join(rest)
    return found


def place(wanted: str, text: str) -> int | None:
    """The line, from 1, of a text in which `wanted`, without white space, begins; None if it is not in there."""
    before, found, _ = squeezed(text).partition(wanted)
    if not found:
        return None
    left = len(before)
    for number, line in enumerate(text.splitlines(), 1):
        left -= len(squeezed(line))
        if left < 0:
            return number
    raise AssertionError("a text has as many characters as its lines")


def squeezed(text: str) -> str:
    """A text without its white space."""
    return "".join(text.split())


def _code(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip() and not line.strip().startswith("#")]


def _indent(line: str) -> str:
    return line[:len(line) - len(line.lstrip())]


def _is_like_a_marker(line: str) -> bool:
    """Whether a comment may be meant as a marker: a mistyped one would leave the solution in the stub."""
    return "BEGIN SOLUTION" in line or "END SOLUTION" in line or any(
        difflib.get_close_matches(first.lower(), ("begin", "end"), cutoff=0.7)
        and difflib.get_close_matches(second.lower(), ("solution",), cutoff=0.75)
        for first, second in _MARKER_LIKE.findall(line))
