"""Partitions of the history: made ahead by the janitor, and on demand for late or imported data; dropped whole by upkeep.

What may go is the concern of `realtime.compaction` and `realtime.retention`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
# Raw readings stay an hour or two and leave whole; the migration of the tiers has the same widths.
WIDTHS = {"raw_readings": HOUR_MS, "frames": DAY_MS, "reading_chunks": DAY_MS, "rollup_1m": 7 * DAY_MS, "rollup_1h": 90 * DAY_MS}
UPDATED = ("rollup_1m", "rollup_1h")  # free room in each page keeps the many updates of the running minute and hour on the page (HOT)
AHEAD = {"raw_readings": 3, "frames": 2, "reading_chunks": 1, "rollup_1m": 1, "rollup_1h": 1}  # partitions beside the running one
_LOCK = 0x5349_4748  # advisory lock of whoever makes partitions; the letters SIGH
_BOUND = re.compile(r"FROM \(('?-?\d+'?|MINVALUE)\) TO \('?(\d+)'?\)")
_LIST = """
SELECT inhrelid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
WHERE inhparent = %s::regclass
"""


class Partition(NamedTuple):
    """One partition: its name and [start, end) in ms UTC; start is 0 where it has none."""

    name: str
    start: int
    end: int


def partition_name(table: str, start: int) -> str:
    """Name of the partition that begins at a time: with the hour where partitions are shorter than a day."""
    return f"{table}_{datetime.fromtimestamp(start / 1000, UTC):{'%Y%m%d' if WIDTHS[table] >= DAY_MS else '%Y%m%d%H'}}"


def partitions(cur: cursor, table: str) -> list[Partition]:
    """All partitions of a table by time."""
    cur.execute(_LIST, (table,))
    found = [(name, _BOUND.search(bound)) for name, bound in cur.fetchall()]
    return sorted(
        (
            Partition(name, 0 if match[1] == "MINVALUE" else int(match[1].strip("'")), int(match[2]))
            for name, match in found
            if match is not None
        ),
        key=lambda part: part.start,
    )


def ensure(cur: cursor, table: str, times: Iterable[int]) -> None:
    """Make the partitions of these times (ms UTC) where they are missing; call it before the transaction writes anything.

    A new table is attached, which blocks neither readers nor writers; CREATE ... PARTITION OF would stop both.
    """
    width = WIDTHS[table]
    starts = {t // width * width for t in times}
    if not _missing(cur, table, starts):
        return
    cur.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    there = partitions(cur, table)  # a partition of an older release may be wider
    for start in sorted(_missing(cur, table, starts)):
        if not any(part.start < start + width and part.end > start for part in there):
            attach(cur, table, Partition(partition_name(table, start), start, start + width))


def attach(cur: cursor, table: str, part: Partition) -> None:
    """Make an empty partition and attach it."""
    create(cur, table, part.name)
    low = part.start or "MINVALUE"
    cur.execute(f"ALTER TABLE {table} ATTACH PARTITION {part.name} FOR VALUES FROM ({low}) TO ({part.end})")


def create(cur: cursor, table: str, name: str) -> None:
    """A table like the partitions of another, attached to nothing."""
    options = " WITH (fillfactor = 70)" if table in UPDATED else ""
    cur.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL){options}")


def _missing(cur: cursor, table: str, starts: Iterable[int]) -> list[int]:
    """Starts of which there is no partition by name."""
    names = {partition_name(table, start): start for start in starts}
    cur.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL ORDER BY name", (list(names),))
    return [names[name] for (name,) in cur.fetchall()]


def ensure_ahead(conn: connection, now_ms: int) -> None:
    """Partitions of the running time and some more; commits."""
    with conn, conn.cursor() as cur:
        for table, ahead in AHEAD.items():
            ensure(cur, table, (now_ms + n * WIDTHS[table] for n in range(ahead + 1)))
