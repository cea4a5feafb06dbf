"""Closed hours become one chunk a tag; the raw rows leave with their partition, in the same transaction.

Killed anywhere, nothing has happened and it is done again. Late readings are folded into the chunks of their hours the same way.
"""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import psycopg2.errors

from realtime.chunks import Samples, joined, pack
from realtime.closed_hours import UPKEEP, exclude_late_writers
from realtime.history_rows import COLUMNS, TYPES, Rows, distinct
from realtime.late_readings import bodies
from realtime.partitions import DAY_MS, HOUR_MS, Partition, ensure, partitions
from realtime.pgcopy import copy_bodies, fetch_columns

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

READINGS_AT_ONCE = 500_000  # in memory: about 40 MB
LATE_AT_ONCE = 200_000  # a fold keeps writers of late readings waiting: about half a second
_LOCK_TRIES = 20
_FORGET = """
DELETE FROM reading_chunks AS chunk USING unnest(%s::int[], %s::bigint[]) AS old (tag, t)
WHERE chunk.tag = old.tag AND chunk.t = old.t AND chunk.t >= %s AND chunk.t <= %s
"""


def may_keep_house(cur: cursor) -> bool:
    """True when no other process compacts or drops in this moment; held to the end of the transaction."""
    cur.execute("SELECT pg_try_advisory_xact_lock(%s)", (UPKEEP,))
    return cur.fetchone() == (True,)


def compact(conn: connection, stop: threading.Event | None = None) -> int:
    """Compact every raw partition that is closed, a transaction each; the number of readings. Raises psycopg2.Error."""
    with conn, conn.cursor() as cur:
        cur.execute("SELECT closed_until FROM history_state")
        (closed,) = cur.fetchone() or (0,)
        due = [part for part in partitions(cur, "raw_readings") if part.end <= closed]
    compacted = 0
    for part in due:
        if stop is not None and stop.is_set():
            break
        compacted += compact_partition(conn, part)
    with conn, conn.cursor() as cur:
        _note_progress(cur)
    return compacted


def compact_partition(conn: connection, part: Partition) -> int:
    """Put a closed partition into chunks and drop it; commits. 0 when another process is at it.

    Raises LockNotAvailable where somebody reads the table for long (a backup): then nothing has changed.
    """
    compacted = 0
    with conn, conn.cursor() as cur:
        if not may_keep_house(cur) or not _is_there(cur, part.name):
            return 0
        _try_locks(cur, part.name)
        for first, last in _slices(cur, part.name, part, READINGS_AT_ONCE):
            compacted += _pack_slice(cur, part.name, first, last)
        drop(cur, part.name)
        _note_progress(cur)
    return compacted


def _note_progress(cur: cursor) -> None:
    """The hot table holds nothing before its oldest partition."""
    oldest = min((left.start for left in partitions(cur, "raw_readings")), default=2**62)
    cur.execute("UPDATE history_state SET chunked_until = greatest(chunked_until, least(%s, closed_until))", (oldest,))


def fold_late(conn: connection, stop: threading.Event | None = None) -> int:
    """Fold late readings of compacted hours into their chunks, a transaction for a share of a day; the number of readings."""
    folded = 0
    while stop is None or not stop.is_set():
        with conn, conn.cursor() as cur:
            if not may_keep_house(cur):
                break
            exclude_late_writers(cur)
            cur.execute("SELECT min(t) FROM late_readings WHERE t < (SELECT chunked_until FROM history_state)")
            (oldest,) = cur.fetchone() or (None,)
            if oldest is None:
                break
            cur.execute("SELECT chunked_until FROM history_state")
            (chunked,) = cur.fetchone() or (0,)
            day = oldest // DAY_MS * DAY_MS
            folded += _fold_share(cur, Partition("", day, min(day + DAY_MS, chunked)))
    return folded


def _fold_share(cur: cursor, span: Partition) -> int:
    first, last = _slices(cur, "late_readings", span, LATE_AT_ONCE)[0]
    rows = _read(cur, "late_readings", first, last, span)
    merge(cur, rows)
    cur.execute("DELETE FROM late_readings WHERE t >= %s AND t < %s AND tag >= %s AND tag <= %s", (span.start, span.end, first, last))
    return len(rows)


def _is_there(cur: cursor, name: str) -> bool:
    cur.execute("SELECT to_regclass(%s) IS NOT NULL", (name,))
    return cur.fetchone() == (True,)


def _try_locks(cur: cursor, name: str) -> None:
    """See that the drop at the end will be let through, before the work is done; raises LockNotAvailable."""
    cur.execute("SET LOCAL lock_timeout = '1s'")
    cur.execute(f"LOCK TABLE ONLY {name} IN SHARE MODE")
    cur.execute("SAVEPOINT locks")
    cur.execute(f"LOCK TABLE ONLY raw_readings, ONLY {name} IN ACCESS EXCLUSIVE MODE")
    cur.execute("ROLLBACK TO SAVEPOINT locks")
    cur.execute("SET LOCAL lock_timeout = '30s'")


def drop(cur: cursor, name: str) -> None:
    """Drop a partition: a short wait for those who use its table, again and again, so that nobody queues behind it for long."""
    cur.execute("SET LOCAL lock_timeout = '300ms'")
    for tries_left in reversed(range(_LOCK_TRIES)):
        cur.execute("SAVEPOINT dropping")
        try:
            cur.execute(f"DROP TABLE {name}")
        except psycopg2.errors.LockNotAvailable:
            if not tries_left:
                raise
            cur.execute("ROLLBACK TO SAVEPOINT dropping")
        else:
            cur.execute("SET LOCAL lock_timeout = 0")
            return


def _slices(cur: cursor, table: str, span: Partition, readings: int) -> list[tuple[int, int]]:
    """(first tag, last tag) of shares of about so many readings each."""
    cur.execute(f"SELECT tag, count(*) FROM {table} WHERE t >= %s AND t < %s GROUP BY tag ORDER BY tag", (span.start, span.end))  # noqa: S608
    counted = cur.fetchall()
    shares: list[tuple[int, int]] = []
    held = readings
    for tag, n in counted:
        if held + n > readings:
            shares.append((tag, tag))
            held = 0
        shares[-1] = (shares[-1][0], tag)
        held += n
    return shares


def _read(cur: cursor, table: str, first: int, last: int, span: Partition | None = None) -> Rows:
    within = f" AND t >= {span.start} AND t < {span.end}" if span else ""
    query = f"SELECT {', '.join(COLUMNS)} FROM {table} WHERE tag >= {first} AND tag <= {last}{within} ORDER BY tag, t, seq"  # noqa: S608
    return Rows(*fetch_columns(cur, query, TYPES))


def _pack_slice(cur: cursor, table: str, first: int, last: int) -> int:
    rows = _read(cur, table, first, last)
    merge(cur, rows)
    return len(rows)


def merge(cur: cursor, rows: Rows) -> None:
    """Put ordered rows into the chunks of their hours; what a chunk holds already stays as it is."""
    if not len(rows):
        return
    rows, _ = distinct(rows)
    kept = bodies(cur, rows)
    if kept:
        tags, hours = zip(*kept, strict=True)
        cur.execute(_FORGET, (list(tags), list(hours), min(hours), max(hours)))
    hour = rows.t // HOUR_MS * HOUR_MS
    ensure(cur, "reading_chunks", np.unique(hour).tolist())
    cuts = np.flatnonzero((rows.tag[1:] != rows.tag[:-1]) | (hour[1:] != hour[:-1])) + 1
    made = []
    for begin, end in pairwise([0, *cuts.tolist(), len(rows)]):
        tag, t = int(rows.tag[begin]), int(hour[begin])
        samples = Samples(rows.t[begin:end], rows.v[begin:end], rows.seq[begin:end], rows.q[begin:end])
        if (tag, t) in kept:
            samples = _without_repeats(joined([kept[tag, t], samples]))
        made.append((t, tag, len(samples), pack(samples)))
    copy_bodies(cur, "reading_chunks", ("t", "tag", "n", "body"), made)


def _without_repeats(samples: Samples) -> Samples:
    """Ordered, the first of each identity."""
    ordered = samples.ordered()  # a stable sort
    repeats = (ordered.t[1:] == ordered.t[:-1]) & (ordered.seq[1:] == ordered.seq[:-1])
    return ordered.take(np.concatenate(([True], ~repeats)))
