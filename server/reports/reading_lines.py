"""Readings as lines of CSV: tag by tag, each in order of time, a page of the history at a time, so that a long file costs no memory.

Times stand in UTC and in the site's own zone; texts that a spreadsheet would run are quoted.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from realtime import historian, text_history
from realtime.events import Reason, split_quality
from server.database import Database
from server.export.table import quoted

PAGE = 20_000
Row = tuple[int, float | str | None, int]  # t, value, quality byte


@dataclass(frozen=True, slots=True)
class Wanted:
    """One tag of an export."""

    id: int
    name: str
    unit: str
    is_text: bool = False


def lines(database: Database, tags: Sequence[Wanted], span: tuple[int, int], zone: str) -> Iterator[bytes]:
    """The file in pieces, UTF-8 with a byte order mark; span is [start, end) in ms UTC."""
    yield "\ufeff".encode() + _csv([("tag", "time (UTC)", f"time ({zone})", "value", "unit", "quality", "reason")])
    for tag in tags:
        after: int | None = None
        while True:
            with database.raw() as connection:  # a page, a connection: a slow reader holds none
                rows = _page(connection, tag, span, after)
            if rows:
                yield _csv([_line(tag, row, ZoneInfo(zone)) for row in rows])
                after = rows[-1][0]
            if len(rows) < PAGE:
                break


def _page(connection: historian.Connection, tag: Wanted, span: tuple[int, int], after: int | None) -> Sequence[Row]:
    if tag.is_text:
        return text_history.readings(connection, tag.id, *span, after, PAGE)
    return historian.readings(connection, tag.id, *span, after, PAGE)


def _line(tag: Wanted, row: Row, zone: ZoneInfo) -> tuple[str, ...]:
    t, value, q = row
    quality, reason = split_quality(q)
    at = datetime.fromtimestamp(t / 1000, UTC)
    utc = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    local = at.astimezone(zone).isoformat(timespec="milliseconds")
    why = "" if reason is Reason.NONE else reason.name.lower()
    shown = "" if value is None else quoted(value) if isinstance(value, str) else repr(value)
    return quoted(tag.name), utc, local, shown, quoted(tag.unit), quality.name.lower(), why


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
