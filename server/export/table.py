"""A table to hand out: titled columns and rows of values; what a file of it looks like is decided in files.py and pdf.py.

Rows may come from a query one by one: they are read once and never held all together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from server.timestamps import rfc3339

# A spreadsheet may run what begins so; the full-width forms are folded to the plain ones by some of them.
# Source: OWASP, CSV Injection.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. kind: text, number, whole, money (2 decimals), percent, time, date, word; unit stands in the heading.

    word: an identifier that people read: pages and PDFs say "In progress", CSV, XLSX and JSON keep "in_progress" for programs.
    """

    key: str
    label: str
    kind: str = "text"
    unit: str = ""

    @property
    def heading(self) -> str:
        """Label with the unit; times of spreadsheets carry no zone, so the heading names it."""
        unit = "UTC" if self.kind == "time" and not self.unit else self.unit
        return f"{self.label} ({unit})" if unit else self.label


@dataclass(frozen=True, slots=True)
class Table:
    """Rows are mappings by `Column.key`; a key that a row lacks is an empty cell."""

    title: str
    columns: tuple[Column, ...]
    rows: Iterable[Mapping[str, Any]]
    subtitle: str = ""


Cell = str | int | float | Decimal | datetime | date | None


def cell(value: Any) -> Cell:
    """A value as files hold it: numbers and times as they are, yes or no for claims, lists with commas, all else as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, int | float | Decimal | datetime | date | str):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(one) for one in value)
    return str(value)


def quoted(text: str) -> str:
    """The text, with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def plain(value: Any) -> str:
    """A cell as text for people and CSV; quoted only where it is text, so that -5.2 stays a number."""
    found = cell(value)
    if found is None:
        return ""
    if isinstance(found, str):
        return quoted(found)
    if isinstance(found, datetime):
        return rfc3339(found)
    return found.isoformat() if isinstance(found, date) else str(found)
