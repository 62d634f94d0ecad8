"""Items from a stream of bytes, one after another: no format needs the whole file in memory."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import ijson

from taskgroup.api.items_from import ItemsFormat

LONGEST = 1024 * 1024
"""Most bytes of one line."""
_SUFFIXES = {
    ".json": ItemsFormat.JSON,
    ".jsonl": ItemsFormat.JSON_LINES,
    ".ndjson": ItemsFormat.JSON_LINES,
    ".csv": ItemsFormat.CSV,
    ".txt": ItemsFormat.LINES,
}


class UnreadableError(Exception):
    """Why the source is no list of items, as a sentence for the owner of the group."""


def format_of(name: str) -> ItemsFormat:
    """By the suffix, with or without .gz behind it."""
    stem = name.removesuffix(".gz")
    for suffix, found in _SUFFIXES.items():
        if stem.endswith(suffix):
            return found
    known = ", ".join(_SUFFIXES)
    raise UnreadableError(f"{name!r} does not end in {known}: set spec.itemsFrom.format.")


def items_in(stream: BinaryIO, kind: ItemsFormat) -> Iterator[Any]:
    """All items; UnreadableError names the line or item that is none."""
    return _READERS[kind](stream)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line that is not empty; a mark at the beginning of the file is no text."""
    number = 0
    while raw := stream.readline(LONGEST + 1):
        number += 1
        if len(raw) > LONGEST:
            raise UnreadableError(_too_long(number))
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
        except UnicodeDecodeError:
            raise UnreadableError(f"Line {number} is not UTF-8.") from None
        if text.strip():
            yield number, text


def _too_long(number: int) -> str:
    return f"Line {number} is longer than {LONGEST:,} bytes: pass large data by reference."


def _text_items(stream: BinaryIO) -> Iterator[str]:
    return (text for _, text in _lines(stream))


def _json_lines(stream: BinaryIO) -> Iterator[Any]:
    for number, text in _lines(stream):
        try:
            # orjson would make a floating-point number of a whole one with more than 64 bits.
            yield json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise UnreadableError(f"Line {number} is not JSON: {error}.") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value in it")


def _json(stream: BinaryIO) -> Iterator[Any]:
    """A list; numbers are read as Python's json reads them."""
    number = 0
    try:
        for item in ijson.items(stream, "item", use_float=True):
            yield item
            number += 1
    except (ijson.JSONError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())[:200]
        raise UnreadableError(f"It is not a JSON list: behind item {number - 1}: {text}.") from None
    if not number:
        raise UnreadableError("It has no items: a JSON list at the top is wanted.")


def _csv(stream: BinaryIO) -> Iterator[dict[str, str]]:
    """An object for each row, with the names of the first row; all values are texts."""
    csv.field_size_limit(LONGEST)
    rows = csv.reader(_bounded(io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")), strict=True)
    try:
        names = next(rows, [])
        if len(set(names)) < len(names):
            raise UnreadableError(f"The first row names a column twice: {', '.join(names)[:200]}.")
        for row in rows:
            if row:
                yield _row(names, row, rows.line_num)
    except csv.Error as error:
        raise UnreadableError(f"Line {rows.line_num} is no CSV: {error}.") from None
    except UnicodeDecodeError:
        raise UnreadableError(f"Behind line {rows.line_num} it is not UTF-8.") from None


def _bounded(stream: io.TextIOWrapper) -> Iterator[str]:
    """Lines of the file, of which a row may have several: none is read that is too long for an item."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise UnreadableError(_too_long(number))
        yield line


def _row(names: list[str], row: list[str], line: int) -> dict[str, str]:
    if len(row) != len(names):
        raise UnreadableError(f"Line {line} has {len(row)} values, and the first row names {len(names)} columns.")
    return dict(zip(names, row, strict=True))


_READERS: Mapping[ItemsFormat, Callable[[BinaryIO], Iterator[Any]]] = {
    ItemsFormat.JSON: _json,
    ItemsFormat.JSON_LINES: _json_lines,
    ItemsFormat.CSV: _csv,
    ItemsFormat.LINES: _text_items,
}
