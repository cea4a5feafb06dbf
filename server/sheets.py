"""Reads an uploaded CSV or XLSX into rows of text by column, bounded: size, rows, columns, and what a zip may unfold to.

It knows no resource; what the columns mean is the importer's business.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from server.errors import Invalid
from server.problems import Problem

MAX_BYTES = 10 * 1024 * 1024
MOST_ROWS = 5_000
MOST_COLUMNS = 100
MOST_UNFOLDED = 100 * 1024 * 1024  # bytes of an XLSX when unpacked
MOST_PARTS = 1_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file as people count it (the headings are line 1), its cells as text by heading."""

    line: int
    cells: dict[str, str]


def read(name: str, content: bytes, columns: Sequence[str]) -> list[Row]:
    """Rows that have anything in them; raises Problem 413 or 415, Invalid for headings that are unknown or twice and for too many rows."""
    if len(content) > MAX_BYTES:
        raise Problem(413, "too_large", f"a file is {MAX_BYTES // 2**20} MB at most")
    lines = iter(_xlsx(content) if name.lower().endswith(".xlsx") else _csv(name, content))
    headings = _headings(next(lines, []), columns)
    found: list[Row] = []
    for n, cells in enumerate(lines, 2):
        if n > MOST_ROWS + 1:
            raise Invalid("file", "too_many_rows", f"{MOST_ROWS} rows at most; split the file")
        kept = {heading: text for heading, text in zip(headings, cells, strict=False) if text}
        if kept:
            found.append(Row(n, kept))
    return found


def _headings(cells: Sequence[str], columns: Sequence[str]) -> list[str]:
    # an export writes a column's unit behind its name: "range_low (bar)"
    names = [cell.partition(" (")[0].strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    unknown = [name for name in names if name not in columns]
    if unknown or not names:
        raise Invalid("file", "headings", f"{', '.join(unknown[:5]) or 'nothing'} is no heading; they are {', '.join(columns)}")
    if len(set(names)) < len(names):
        raise Invalid("file", "headings", "a heading stands there twice")
    return names


def _csv(name: str, content: bytes) -> Iterator[list[str]]:
    if not name.lower().endswith(".csv") or b"\0" in content:
        raise Problem(415, "unsupported_media_type", "send a .csv or .xlsx file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")  # what spreadsheets of Western Europe save
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        for cells in reader:
            yield [_plain(cell) for cell in cells[:MOST_COLUMNS]]
    except csv.Error as error:
        raise Invalid("file", "malformed", f"line {reader.line_num}: {error}") from error


def _xlsx(content: bytes) -> Iterator[list[str]]:
    _refuse_bomb(content)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        rows: Iterable[tuple[Any, ...]] = book.worksheets[0].iter_rows(max_col=MOST_COLUMNS, values_only=True)
        for cells in islice(rows, MOST_ROWS + 2):
            yield [_plain(_text(cell)) for cell in cells]
    except (InvalidFileException, KeyError, ValueError, IndexError, TypeError, zipfile.BadZipFile, SyntaxError) as error:
        raise Problem(415, "unsupported_media_type", "the file is no readable .xlsx") from error


def _refuse_bomb(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise Problem(415, "unsupported_media_type", "the file is no readable .xlsx") from error
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNFOLDED:
        raise Problem(413, "too_large", "the workbook unfolds to more than a list of this length needs")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == value.min.time() else value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _plain(text: str) -> str:
    """Without the apostrophe that our exports put before what looks like a formula."""
    text = text.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text
