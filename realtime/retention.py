"""What is old enough leaves: whole partitions are dropped; one that holds something to keep is replaced by a small one with only that.

Readings 7 days, minutes 90 days, hours 2 years, days for ever; pictures in full for a day, then one a minute for as long as minutes.
The last day that a tag spoke stays. A tag may have its own days; what `realtime.keep_spans` names stays for 2 years.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realtime.compaction import drop, may_keep_house
from realtime.partitions import DAY_MS, HOUR_MS, Partition, create, partitions
from realtime.rollups import MINUTE_MS

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

DAYS = {"raw": 7.0, "1m": 90.0, "1h": 730.0}
KEPT_DAYS = 730
FULL_RATE_MS = DAY_MS  # of pictures
_OWN = "LEFT JOIN unnest(%(tags)s::int[], %(before)s::bigint[]) AS own (tag, before) ON own.tag = r.tag"
_YOUNG = "r.t + %(width)s > coalesce(own.before, %(default)s)"
_NOTED = """
EXISTS (
    SELECT 1 FROM history_keeps AS k
    WHERE k.tag = r.tag AND k.started < r.t + %(width)s AND k.ended > r.t AND k.ended >= %(noted)s
)
"""
_LAST_DAY = "NOT EXISTS (SELECT 1 FROM rollup_1d AS later WHERE later.tag = r.tag AND later.t > r.t)"  # days begin at midnight UTC
_FIRST_OF_MINUTE = f"""
NOT EXISTS (
    SELECT 1 FROM {{name}} AS e
    WHERE e.tag = r.tag AND e.t >= r.t / {MINUTE_MS} * {MINUTE_MS} AND e.t <= r.t AND (e.t, e.seq) < (r.t, r.seq)
)
"""  # noqa: S608 - a table of ours


@dataclass(frozen=True, slots=True)
class Rule:
    """A table, the tier whose days it is kept for, how much of time one of its rows covers, and what stays in SQL (row `r`)."""

    table: str
    tier: str
    width: int
    stays: str


RULES = (
    Rule("reading_chunks", "raw", HOUR_MS, f"{_YOUNG} OR {_NOTED} OR {_LAST_DAY}"),
    Rule("frames", "1m", 1, f"({_YOUNG} AND {_FIRST_OF_MINUTE}) OR {_NOTED}"),
    Rule("rollup_1m", "1m", MINUTE_MS, _YOUNG),
    Rule("rollup_1h", "1h", HOUR_MS, _YOUNG),
)


def retain(conn: connection, own: Mapping[int, Mapping[str, float]], now_ms: int, stop: threading.Event | None = None) -> int:
    """Let go what is old, a transaction for each partition; the number of rows. own: days by tag and tier. Raises psycopg2.Error."""
    gone = 0
    for rule in RULES:
        days = {tag: kept[rule.tier] for tag, kept in own.items() if rule.tier in kept}
        youngest = now_ms - (FULL_RATE_MS if rule.table == "frames" else int(min([DAYS[rule.tier], *days.values()]) * DAY_MS))
        with conn, conn.cursor() as cur:
            due = [part for part in partitions(cur, rule.table) if part.end <= youngest]
        for part in due:
            if stop is not None and stop.is_set():
                return gone
            gone += _expire(conn, rule, part, _parameters(rule, days, now_ms))
    with conn, conn.cursor() as cur:
        cur.execute("DELETE FROM history_keeps WHERE ended < %s", (now_ms - KEPT_DAYS * DAY_MS,))
    return gone


def _parameters(rule: Rule, days: Mapping[int, float], now_ms: int) -> dict[str, Any]:
    return {
        "tags": list(days),
        "before": [now_ms - int(kept * DAY_MS) for kept in days.values()],
        "default": now_ms - int(DAYS[rule.tier] * DAY_MS),
        "noted": now_ms - KEPT_DAYS * DAY_MS,
        "width": rule.width,
    }


def _expire(conn: connection, rule: Rule, part: Partition, parameters: dict[str, Any]) -> int:
    """Drop or shrink one partition; commits; the number of rows that are gone."""
    stays = rule.stays.format(name=part.name)
    source = f"FROM {part.name} AS r {_OWN}"
    with conn, conn.cursor() as cur:
        if not may_keep_house(cur):
            return 0
        cur.execute("SET LOCAL lock_timeout = '300ms'")
        cur.execute(f"LOCK TABLE ONLY {part.name} IN SHARE MODE")  # readers go on; a writer of so old a time waits
        cur.execute(f"SELECT count(*), count(*) FILTER (WHERE {stays}) {source}", parameters)
        total, kept = cur.fetchone() or (0, 0)
        if kept == total > 0:
            return 0
        if rule.table == "reading_chunks" and part.end <= parameters["default"]:
            cur.execute("UPDATE history_state SET dropped_until = greatest(dropped_until, %s)", (part.end,))
        if kept:
            _replace(cur, rule.table, part, f"SELECT r.* {source} WHERE {stays}", parameters)
        else:
            drop(cur, part.name)
    return int(total - kept)


def _replace(cur: cursor, table: str, part: Partition, chosen: str, parameters: dict[str, Any]) -> None:
    """Put a table with the chosen rows into a partition's place."""
    draft = f"{part.name}_kept"
    create(cur, table, draft)
    cur.execute(f"INSERT INTO {draft} {chosen}", parameters)
    drop(cur, part.name)
    cur.execute(f"ALTER TABLE {draft} RENAME TO {part.name}")
    cur.execute(f"ALTER TABLE {table} ATTACH PARTITION {part.name} FOR VALUES FROM ({part.start or 'MINVALUE'}) TO ({part.end})")
