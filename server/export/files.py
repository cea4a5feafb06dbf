"""CSV, XLSX and PDF of tables; rows are written as they come, so a long table costs no memory.

Which rows and columns stand in a table is the caller's affair.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from server.export import pdf
from server.export.table import Table, cell, plain, quoted

Tables = Table | Sequence[Table]
FORMATS = ("csv", "xlsx", "pdf")
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
SPOOL_BYTES = 1_000_000  # beyond it a file being written lies on disk
LONGEST_CELL = 32_767  # characters; Excel's own limit, xlsxwriter leaves longer texts out
LARGEST_EXACT = 2**53  # a spreadsheet's numbers are doubles: longer whole numbers are written as text
_NUMBERS = {"money": "#,##0.00", "whole": "0", "percent": "0.0", "time": "yyyy-mm-dd hh:mm:ss", "date": "yyyy-mm-dd"}


def write(tables: Tables, kind: str, file: IO[bytes]) -> None:
    """Write the tables in a format of `FORMATS`."""
    {"csv": _write_csv, "xlsx": _write_xlsx, "pdf": _write_pdf}[kind](_listed(tables), file)


def csv_bytes(tables: Tables) -> bytes:
    """CSV in UTF-8 with a byte order mark, without which Excel misreads Greek and m³/h."""
    return _bytes(tables, "csv")


def xlsx_bytes(tables: Tables) -> bytes:
    """A workbook with one sheet a table; numbers and times are real ones."""
    return _bytes(tables, "xlsx")


def pdf_bytes(tables: Tables) -> bytes:
    """Printable pages; the first `pdf.MOST_ROWS` rows of each table, and how many are left out."""
    return _bytes(tables, "pdf")


def _bytes(tables: Tables, kind: str) -> bytes:
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as file:
        write(tables, kind, file)
        file.seek(0)
        return file.read()


def _listed(tables: Tables) -> Sequence[Table]:
    return [tables] if isinstance(tables, Table) else tables


def _write_csv(tables: Sequence[Table], file: IO[bytes]) -> None:
    """Several tables follow each other, each under its title and after an empty line."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    writer = csv.writer(text)
    for n, table in enumerate(tables):
        if len(tables) > 1:
            writer.writerows([[], [quoted(table.title)]] if n else [[quoted(table.title)]])
        writer.writerow([quoted(column.heading) for column in table.columns])
        writer.writerows([plain(row.get(column.key)) for column in table.columns] for row in table.rows)
    text.flush()
    text.detach()


def _write_xlsx(tables: Sequence[Table], file: IO[bytes]) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        bold = book.add_format({"bold": True})
        formats = {kind: book.add_format({"num_format": shown}) for kind, shown in _NUMBERS.items()}
        for name, table in zip(_sheet_names(tables), tables, strict=True):
            _fill(book.add_worksheet(name), table, bold, formats)


def _fill(sheet: Worksheet, table: Table, bold: Format, formats: dict[str, Format]) -> None:
    sheet.freeze_panes(1, 0)
    for n, column in enumerate(table.columns):
        sheet.set_column(n, n, max(12, min(40, len(column.heading) + 2)))
        sheet.write_string(0, n, quoted(column.heading), bold)
    for y, row in enumerate(table.rows, 1):
        for x, column in enumerate(table.columns):
            _put(sheet, (y, x), cell(row.get(column.key)), formats.get(column.kind))


def _put(sheet: Worksheet, at: tuple[int, int], value: Any, shown: Format | None) -> None:
    if value is None:
        return
    if isinstance(value, datetime):
        sheet.write_datetime(*at, value.astimezone(UTC).replace(tzinfo=None), shown)
    elif isinstance(value, date):
        sheet.write_datetime(*at, datetime(value.year, value.month, value.day), shown)  # noqa: DTZ001 - a day has no zone
    elif isinstance(value, int | float | Decimal) and -LARGEST_EXACT < value < LARGEST_EXACT:  # false for NaN and infinity: those are text
        sheet.write_number(*at, float(value), shown)
    else:
        text = quoted(str(value))
        sheet.write_string(*at, text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…")


def _sheet_names(tables: Iterable[Table]) -> list[str]:
    """Titles as Excel allows them: 31 characters, none of []:*?/\\, no apostrophe at the ends, all different."""
    names: list[str] = []
    for n, table in enumerate(tables, 1):
        name = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", table.title)[:31].strip("' ") or f"Sheet {n}"
        taken = {one.casefold() for one in names} | {"history"}  # Excel keeps that name for itself
        names.append(f"{name[:27]} {n}" if name.casefold() in taken else name)
    return names


def _write_pdf(tables: Sequence[Table], file: IO[bytes]) -> None:
    file.write(pdf.tables_document(tables))
