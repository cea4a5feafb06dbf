"""Daily partitions of the history: made ahead by the janitor, and on demand for late or imported data.

It never drops one: retention is its own concern.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

DAY_MS = 86_400_000
PARTITIONED = ("raw_readings", "frames")
DAYS_AHEAD = 2
_LOCK = 0x5349_4748  # advisory lock of whoever makes partitions; the letters SIGH


def partition_name(table: str, day: int) -> str:
    """Name of the partition of one day, counted in days since 1970 UTC."""
    return f"{table}_{datetime.fromtimestamp(day * 86_400, UTC):%Y%m%d}"


def ensure_days(cur: cursor, table: str, days: Iterable[int]) -> None:
    """Make the partitions of these days where they are missing; call it before the transaction writes anything.

    A new table is attached, which blocks neither readers nor writers; CREATE ... PARTITION OF would stop both.
    """
    names = {partition_name(table, day): day for day in days}
    if not (missing := _missing(cur, names)):
        return
    cur.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    for name in _missing(cur, missing):
        low = names[name] * DAY_MS
        cur.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        cur.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({low + DAY_MS})")


def _missing(cur: cursor, names: Iterable[str]) -> list[str]:
    cur.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL ORDER BY name", (list(names),))
    return [name for (name,) in cur.fetchall()]


def ensure_ahead(conn: connection, now_ms: int) -> None:
    """Partitions for today and DAYS_AHEAD more; commits."""
    today = now_ms // DAY_MS
    with conn, conn.cursor() as cur:
        for table in PARTITIONED:
            ensure_days(cur, table, range(today, today + DAYS_AHEAD + 1))
