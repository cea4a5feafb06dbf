"""Reads CSV and XLSX into rows of text with their line, bounded in bytes, rows, columns and what a zip may unfold to. Pure.

What the columns mean is the dialects' business. A formula counts as the value that the spreadsheet last showed.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass

from plc.addressing import xml_tree
from plc.addressing.documents import MAX_BYTES
from plc.addressing.errors import TagMapError

MAX_ROWS = 25_000
MAX_COLUMNS = 100
MAX_CELL = 2_000
MAX_UNFOLDED = 24_000_000  # bytes of one part of a workbook
MAX_PARTS = 200
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_SHEET = re.compile(r"xl/worksheets/sheet(\d{1,4})\.xml")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file as people count it, from 1."""

    line: int
    cells: list[str]


def text_of(content: bytes) -> str:
    """The text of a file, UTF-8 or UTF-16 with a mark, else as spreadsheets of Western Europe save it; raises TagMapError."""
    if len(content) > MAX_BYTES:
        raise TagMapError("file", f"larger than {MAX_BYTES // 1_000_000} MB")
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig"), (b"", "cp1252")):
        try:
            text = content.decode(encoding) if content.startswith(mark) else None
        except UnicodeDecodeError:
            continue
        if text is not None:
            break
    else:
        raise TagMapError("file", "no text in UTF-8; save it as UTF-8")
    if "\0" in text:
        raise TagMapError("file", "no text: it holds the character U+0000")
    return text


def of_csv(content: bytes) -> list[Row]:
    """Rows of a CSV file, its delimiter (comma, semicolon, tab) found out; empty rows left out."""
    text = text_of(content)
    head = next((line for line in text.splitlines() if line.strip() and not line.lstrip('"').startswith("#")), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=next((one for one in "\t;" if one in head), ","))
    rows: list[Row] = []
    start = 1
    try:
        for cells in reader:
            _append(rows, start, cells)
            start = reader.line_num + 1
    except csv.Error as error:
        raise TagMapError(f"line {reader.line_num}", str(error)) from error
    return rows


def of_xlsx(content: bytes) -> list[list[Row]]:
    """Rows of every sheet of a workbook, in the order of the sheets."""
    if len(content) > MAX_BYTES:
        raise TagMapError("file", f"larger than {MAX_BYTES // 1_000_000} MB")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(archive.infolist()) > MAX_PARTS:
                raise TagMapError("file", "no workbook of a tag list")
            shared = _shared(archive)
            names = sorted((name for name in archive.namelist() if _SHEET.fullmatch(name)), key=lambda name: (len(name), name))
            return [_sheet(xml_tree.parse(_part(archive, name)), shared) for name in names]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise TagMapError("file", "no readable .xlsx") from error


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        raw = part.read(MAX_UNFOLDED + 1)
    if len(raw) > MAX_UNFOLDED:
        raise TagMapError("file", "the workbook unfolds to more than a list of tags needs")
    return raw


def _shared(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    root = xml_tree.parse(_part(archive, "xl/sharedStrings.xml"))
    return ["".join(part.text for part in item.all("t"))[:MAX_CELL] for item in root.children]


def _sheet(root: xml_tree.Node, shared: list[str]) -> list[Row]:
    rows: list[Row] = []
    for n, row in enumerate(root.all("row"), 1):
        cells: list[str] = []
        for cell in row.children:
            place = _CELL.fullmatch(cell.attributes.get("r", ""))
            column = _column(place[1]) if place else len(cells)
            if column < MAX_COLUMNS:
                cells += [""] * (column - len(cells))
                cells.append(_value(cell, shared))
        number = row.attributes.get("r", "")
        _append(rows, int(number) if number.isdecimal() and len(number) < 8 else n, cells)
    return rows


def _value(cell: xml_tree.Node, shared: list[str]) -> str:
    kind, value = cell.attributes.get("t", "n"), cell.word("v")
    if kind == "s":
        return shared[int(value)] if value.isdecimal() and len(value) < 9 and int(value) < len(shared) else ""
    if kind == "inlineStr":
        return "".join(part.text for part in cell.all("t"))
    if kind == "b":
        return "True" if value == "1" else "False"
    return value


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _append(rows: list[Row], line: int, cells: list[str]) -> None:
    kept = [_plain(cell[:MAX_CELL]) for cell in cells[:MAX_COLUMNS]]
    if not any(kept):
        return
    if len(rows) >= MAX_ROWS:
        raise TagMapError(f"line {line}", f"{MAX_ROWS} rows at most; split the file")
    rows.append(Row(line, kept))


def _plain(text: str) -> str:
    """Without the apostrophe that exports put before what a spreadsheet would take for a formula."""
    text = text.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def quoted(text: str) -> str:
    """With an apostrophe in front where a spreadsheet would run it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def table(rows: list[Row], names: dict[str, tuple[str, ...]], needed: tuple[str, ...]) -> list[tuple[Row, dict[str, str]]]:
    """Rows below the first one that holds the needed headings, as cells by our name for the heading; [] where none does.

    names: our name -> headings in lower case that mean it.
    """
    ours = {heading: name for name, headings in names.items() for heading in headings}
    for start, row in enumerate(rows[:20]):
        columns = {i: ours[cell.lower()] for i, cell in enumerate(row.cells) if cell.lower() in ours}
        if set(needed) <= set(columns.values()):
            return [(below, {name: below.cells[i] for i, name in columns.items() if i < len(below.cells)}) for below in rows[start + 1 :]]
    return []
