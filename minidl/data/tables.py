"""Tables of numbers in text files, as spreadsheets and databases export them."""
from __future__ import annotations

import io
import itertools
import os
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidl.data.dataset import Dataset, divided
from minidl.data.places import expanded, unreadable
from minidl.errors import InputError
from minidl.randomness import Seed
from minidl.rows import check_choice

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")        # what stands where there is no number, in small letters
DELIMITERS = "\t;|,"                # in this order: where a semicolon divides, a comma is in the numbers
EXACT = 2.0**24                     # up to here float32 holds every whole number
Column = int | str


class Row(NamedTuple):
    """A line's fields, and its number in the file."""

    line: int
    fields: list[str]


def csv(path: str | os.PathLike[str], *, label: Column | None = None, drop: Sequence[Column] = (),
        delimiter: str | None = None, header: bool | None = None, missing: float | None = None,
        classes: Sequence[str] | None = None, test: float = 0.0, rng: Seed | None = None) -> Dataset:
    """A table of numbers in a text file, plain or gzipped, as a Dataset: rows x (N, features), labels y (N,).

    `label` is the column of labels or of numbers to predict, by its name or its place (-1 is the last); the columns in
    `drop` are left out; all others are features, named in `columns`. Labels that are texts become places in `classes`,
    their sorted names; for another file of the same classes say `classes=train.classes`. Labels that are whole numbers
    are kept as int64, with classes if they are 0 .. k-1; other numbers are targets, and there are no classes.

    Numbers are float32, or float64 where one above 2^24 would lose digits, as a time in seconds does.

    `delimiter` is what the first lines say if it is not given: a tab, a semicolon, a bar, a comma, or blanks (" ").
    The first line is a header if none of its fields is a number; `header=True` or `False` says so. Fields may be
    quoted; lines with nothing in them are skipped. `missing` is the number that takes the place of empty fields, NA,
    NaN, null, none and ?; without it they are refused. `test` is the share of rows that become the test part, as evenly
    over the labels as it goes, drawn from `rng`, an int, a Generator or a RandomStream; without it there are none.

    Raises InputError, with file, line and column, for a field that is no finite number, rows of different lengths, a
    column that is not there, and for a file that cannot be read or is no UTF-8 text.
    """
    place = expanded(path)
    if missing is not None and (isinstance(missing, bool) or not isinstance(missing, int | float | np.number)):
        raise InputError(f"csv: missing is the number that takes the place of what is not there, not {missing!r}")
    if header is not None:
        check_choice("csv", "header", header, (False, True))
    rows = _rows(place, delimiter)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{place} holds no rows")
    width = len(first.fields)
    if header is None:
        header = not any(_is_number(field) for field in first.fields)
    if header:
        named = [first.fields[0].lstrip("# "), *first.fields[1:]]          # NumPy's savetxt begins it so
    else:
        named, rows = [], itertools.chain([first], rows)
    table = _Table(place, named, width, missing)
    target = None if label is None else table.column("label", label)
    left_out = {target} | {table.column("drop", column) for column in _listed(drop)}
    kept = [i for i in range(width) if i not in left_out]
    if not kept:
        raise InputError(f"{place} has {width} columns, and label and drop leave none to be features")
    x, texts, lines = table.read(rows, kept, target)
    y, names = (None, ()) if target is None else table.labels(target, texts, lines, classes)
    train, held = divided("csv", len(x), y, test, rng)
    y_train, y_test = (None, None) if y is None else (y[train], y[held])
    return Dataset(Path(place.name.removesuffix(".gz")).stem, x[train], y_train, x[held], y_test,
                   f"{len(x)} rows of {place}", names, tuple(named[i] for i in kept) if named else ())


class _Table:
    """What the messages about a table need to know."""

    def __init__(self, path: Path, named: list[str], width: int, missing: float | None) -> None:
        self.path, self.named, self.width, self.missing = path, named, width, missing

    def column(self, argument: str, wanted: Column) -> int:
        """The place of the column that an argument names."""
        if isinstance(wanted, str):
            if (times := self.named.count(wanted)) == 1:
                return self.named.index(wanted)
            has = f"its columns are {', '.join(self.named):.300}" if self.named else "it has no header; give the place"
            raise InputError(f"{self.path} has {times or 'no'} columns {wanted!r}, which {argument} names: {has}")
        if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or not \
                -self.width <= wanted < self.width:
            raise InputError(f"{self.path} has {self.width} columns, 0 to {self.width - 1}; {argument} names "
                             f"{wanted!r}")
        return int(wanted) % self.width

    def where(self, line: int, column: int) -> str:
        name = f" ({self.named[column]})" if self.named else ""
        return f"{self.path}, line {line}, column {column + 1}{name}"

    def read(self, rows: Iterator[Row], kept: list[int], target: int | None) -> tuple[np.ndarray, list[str], list[int]]:
        """The features of all rows, the texts of the labels, and the numbers of the lines."""
        numbers = array("d")
        texts: list[str] = []
        lines: list[int] = []
        for line, fields in rows:
            if len(fields) != self.width:
                raise InputError(f"{self.path}, line {line} has {len(fields)} fields, the lines before it have "
                                 f"{self.width}")
            try:
                numbers.extend([float(fields[i]) for i in kept])
            except ValueError:
                del numbers[len(lines) * len(kept):]
                numbers.extend([self._number(line, i, fields[i]) for i in kept])
            lines.append(line)
            if target is not None:
                texts.append(fields[target].strip())
        if not lines:
            raise InputError(f"{self.path} holds a header and no rows")
        x = np.frombuffer(numbers, np.float64).reshape(-1, len(kept))
        if self.missing is not None:
            x[np.isnan(x)] = self.missing
        wrong = np.argwhere(np.isinf(x) if self.missing is not None else ~np.isfinite(x))
        if len(wrong):
            i, j = wrong[0]
            where = self.where(lines[i], kept[j])
            if np.isnan(x[i, j]):
                raise InputError(f"{where}: there is no number; missing=0.0 would put a 0 there, and drop leaves a "
                                 "column out")
            raise InputError(f"{where}: {x[i, j]} is no finite number")
        return _narrowed(x), texts, lines

    def _number(self, line: int, column: int, field: str) -> float:
        """The number in a field, NaN where it is missing."""
        if field.strip().lower() in MISSING:
            return np.nan
        try:
            return float(field)
        except ValueError:
            pass
        hint = "a column of texts can be the label, or be left out by drop"
        if re.fullmatch(r"\s*[-+]?[\d.]*,\d+\s*", field):
            hint = "write numbers with a decimal point and no commas"
        raise InputError(f"{self.where(line, column)}: {field!r:.60} is no number; {hint}")

    def labels(self, target: int, texts: list[str], lines: list[int],
               classes: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
        """The labels or numbers to predict, and the names of the classes."""
        present = [text for text in texts if text.lower() not in MISSING]
        numbers = classes is None and bool(present) and all(map(_is_number, present))
        for line, text in zip(lines, texts, strict=True):
            if not text or numbers and text.lower() in MISSING:             # a class may well be called "none"
                raise InputError(f"{self.where(line, target)}: the label is missing")
        if numbers:
            return self._numbers_to_predict(target, texts, lines)
        names = tuple(sorted(set(texts))) if classes is None else tuple(map(str, _listed(classes)))
        at = {name: i for i, name in enumerate(names)}
        for line, text in zip(lines, texts, strict=True):
            if text not in at:
                raise InputError(f"{self.where(line, target)}: the label {text!r:.60} is not among the classes "
                                 f"{', '.join(names):.300}")
        return np.array([at[text] for text in texts], np.int64), names

    def _numbers_to_predict(self, target: int, texts: list[str],
                            lines: list[int]) -> tuple[np.ndarray, tuple[str, ...]]:
        y = np.array([float(text) for text in texts])
        for i in np.flatnonzero(~np.isfinite(y))[:1]:
            raise InputError(f"{self.where(lines[i], target)}: {texts[i]} is no finite number")
        if (y != np.trunc(y)).any() or np.abs(y).max() >= 2.0**53:
            return _narrowed(y), ()
        whole = y.astype(np.int64)
        k = int(whole.max()) + 1
        complete = whole.min() == 0 and k <= len(y) and len(np.unique(whole)) == k
        return whole, tuple(map(str, range(k))) if complete else ()


def _narrowed(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        narrow = x.astype(np.float32)
    return x if ((np.abs(x) > EXACT) & (narrow != x)).any() else narrow


def _is_number(field: str) -> bool:
    try:
        return bool(float(field) == float(field))           # a NaN is none
    except ValueError:
        return False


def _listed(names: Any) -> list[Any]:
    """A single name or place, as several."""
    return [names] if isinstance(names, str | int | np.integer) else list(names)


def _rows(path: Path, delimiter: str | None) -> Iterator[Row]:
    """The rows that are not empty."""
    import csv as parser
    whole = _text(path)
    text = io.StringIO(whole, newline="")
    if delimiter is None:
        delimiter = _likely(whole)
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise InputError(f"csv: the delimiter is one character, such as ';', not {delimiter!r}")
    lines = parser.reader((" ".join(line.split()) for line in text) if delimiter == " " else text,
                          delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for fields in lines:
            if any(fields):
                yield Row(lines.line_num, fields)
    except parser.Error as error:
        raise InputError(f"{path}, line {lines.line_num} cannot be taken apart ({error})") from None


def _likely(text: str) -> str:
    """The delimiter of the second line, or of the first where there is no other; what is quoted does not count."""
    bare = re.sub(r'"[^"]*"', "", text[:1 << 16])
    line = ([line.strip(" \r") for line in bare.split("\n") if line.strip()] or [""])[:2][-1]
    return next((mark for mark in DELIMITERS if mark in line), " " if " " in line else ",")


def _text(path: Path) -> str:
    import gzip
    import zlib
    try:
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except EOFError:
        raise InputError(f"{path} is truncated: its compressed data ends too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error})") from None
    except OSError as error:
        raise unreadable(path, error) from None
    if data.startswith(b"PK"):
        raise InputError(f"{path} is a zip archive or a workbook, not text; unpack it, or save the sheet as CSV")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: the byte {data[error.start]:02x} is no UTF-8 text; save the file as "
                         "CSV UTF-8") from None
