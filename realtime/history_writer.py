"""Writes batches into the history: readings by COPY, once each whatever is delivered twice, with roll-ups and gaps beside them.

One call is one transaction's work; the caller commits, then acknowledges. Reading is `realtime.historian`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import psycopg2.errors

from realtime import frame_store, gaps, late_gaps, late_readings, rollups
from realtime.closed_hours import join_writers
from realtime.errors import DecodeError
from realtime.events import Batch, Quality
from realtime.history_rows import COLUMNS, Rows, Written, distinct, insert_staged
from realtime.partitions import DAY_MS, HOUR_MS, ensure
from realtime.pgcopy import copy_rows

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

EARLIEST_MS = 946_684_800_000  # 2000-01-01: nothing we record is older, and a wild time would make a partition
LATEST_MS = 4_102_444_800_000  # 2100-01-01
_INSERT_TEXT = """
INSERT INTO text_readings (t, seq, tag, q, v) SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::smallint[], %s::text[])
ON CONFLICT (tag, t, seq) DO NOTHING RETURNING tag, t, q
"""
_COUNT_TEXT_CONFLICTS = """
SELECT count(*) FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::smallint[], %s::text[]) AS new (t, seq, tag, q, v)
JOIN text_readings AS kept USING (tag, t, seq) WHERE (new.v, new.q) IS DISTINCT FROM (kept.v, kept.q)
"""


def check(batch: Batch) -> None:
    """Raise DecodeError for a batch that the history cannot hold; the caller rejects the entry."""
    if not len(batch):
        return
    if not (int(batch.t.min()) >= EARLIEST_MS and int(batch.t.max()) < LATEST_MS):
        raise DecodeError("source time outside 2000..2100")
    if int(batch.ids.max()) > np.iinfo(np.int32).max:
        raise DecodeError("tag id does not fit")
    if int((batch.quality & 3).max()) > Quality.BAD:
        raise DecodeError("quality is none of good, uncertain, bad")
    if batch.kind == "text" and any("\0" in text for text in batch.texts()):
        raise DecodeError("text holds a NUL character")
    if batch.kind == "frame" and not all(frame_store.is_whole(frame) for frame in batch.frames()):
        raise DecodeError("frame data do not fill its shape")


def write_batches(conn: connection, batches: Sequence[Batch]) -> Written:
    """Store checked batches of any kind with their roll-ups and gaps; the caller commits. Raises psycopg2.Error.

    Identity is (tag, t, seq): what is there already stays as it is, a different value is counted as a conflict.
    """
    written = Written()
    with conn.cursor() as cur:
        numbers = [batch for batch in batches if batch.kind == "f64" and len(batch)]
        if numbers:
            written += _write_numbers(cur, numbers)
        for batch in batches:
            if batch.kind == "text" and len(batch):
                written += _write_texts(cur, batch)
            elif batch.kind == "frame" and len(batch):
                written += _write_frames(cur, batch)
    return written


def _write_numbers(cur: cursor, batches: Sequence[Batch]) -> Written:
    rows = Rows.of(batches).ordered()
    closed = join_writers(cur)
    late = rows.t < closed.closed
    ensure(cur, "raw_readings", (np.unique(rows.t[~late] // HOUR_MS) * HOUR_MS).tolist())
    rollups.ensure_partitions(cur, rows.t)
    stored, written = _write_hot(cur, rows.take(~late)) if not late.all() else (rows.take(~late), Written())
    if late.any():
        added, told = late_readings.write(cur, rows.take(late), closed)
        stored, written = (stored + added).ordered(), written + told
        _roll_up(cur, stored)
        late_gaps.update(cur, added)
    else:
        _roll_up(cur, stored)
    return written


def _roll_up(cur: cursor, stored: Rows) -> None:
    good = stored.take((stored.q & 3 == Quality.GOOD) & (np.abs(stored.v) <= rollups.LARGEST))
    rollups.add(cur, good.tag, good.t, good.v)


def _write_hot(cur: cursor, rows: Rows) -> tuple[Rows, Written]:
    stored, conflict = _insert(cur, rows)
    gaps.update(cur, stored.tag, stored.t, stored.q)
    return stored, Written(len(stored), len(rows) - len(stored) - conflict, conflict)


def _insert(cur: cursor, rows: Rows) -> tuple[Rows, int]:
    """Insert ordered rows; returns those that were new and the number that differ from what is stored under their identity.

    Nearly always all are new, so they are copied straight in (half the cost of staging); at the first one that is there
    already the copy is undone and goes through a staging table with ON CONFLICT DO NOTHING.
    """
    unlike, conflict = distinct(rows)
    cur.execute("SAVEPOINT straight")
    try:
        copy_rows(cur, "raw_readings", COLUMNS, unlike.columns())
    except psycopg2.errors.UniqueViolation:
        cur.execute("ROLLBACK TO SAVEPOINT straight")
    else:
        cur.execute("RELEASE SAVEPOINT straight")
        return unlike, conflict
    return insert_staged(cur, "raw_readings", rows)


def _one(cur: cursor) -> int:
    row = cur.fetchone()
    return int(row[0]) if row else 0


def _write_texts(cur: cursor, batch: Batch) -> Written:
    columns = (batch.t.tolist(), batch.seq.tolist(), batch.ids.tolist(), batch.quality.tolist(), batch.texts())
    cur.execute(_INSERT_TEXT, columns)
    stored = cur.fetchall()
    _update_gaps(cur, stored)
    conflict = 0
    if len(stored) < len(batch):
        cur.execute(_COUNT_TEXT_CONFLICTS, columns)
        conflict = _one(cur)
    return Written(len(stored), len(batch) - len(stored) - conflict, conflict)


def _write_frames(cur: cursor, batch: Batch) -> Written:
    ensure(cur, "frames", (np.unique(batch.t // DAY_MS) * DAY_MS).tolist())
    stored, conflict = frame_store.insert(cur, batch)
    _update_gaps(cur, stored)
    return Written(len(stored), len(batch) - len(stored) - conflict, conflict)


def _update_gaps(cur: cursor, stored: list[tuple[int, int, int]]) -> None:
    tag, t, q = zip(*stored, strict=True) if stored else ((), (), ())
    gaps.update(cur, np.array(tag, np.int32), np.array(t, np.int64), np.array(q, np.int16))
