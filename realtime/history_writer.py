"""Writes batches into the history: readings by COPY, once each whatever is delivered twice, with roll-ups and gaps beside them.

One call is one transaction's work; the caller commits, then acknowledges. Reading is `realtime.historian`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import psycopg2.errors

from realtime import frame_store, gaps, rollups
from realtime.errors import DecodeError
from realtime.events import Batch, Quality
from realtime.partitions import DAY_MS, ensure_days
from realtime.pgcopy import copy_rows

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

EARLIEST_MS = 946_684_800_000  # 2000-01-01: nothing we record is older, and a wild time would make a partition
LATEST_MS = 4_102_444_800_000  # 2100-01-01
_COLUMNS = ("t", "v", "seq", "tag", "q")
_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staging_readings (t bigint, v double precision, seq bigint, tag integer, q smallint) ON COMMIT DELETE ROWS
"""
_INSERT_STAGED = """
INSERT INTO raw_readings (t, v, seq, tag, q) SELECT t, v, seq, tag, q FROM staging_readings
ON CONFLICT (tag, t, seq) DO NOTHING RETURNING t, v, seq, tag, q
"""
_COUNT_CONFLICTS = """
SELECT count(*) FROM staging_readings AS new JOIN raw_readings AS kept USING (tag, t, seq)
WHERE (new.v, new.q) IS DISTINCT FROM (kept.v, kept.q)
"""
_INSERT_TEXT = """
INSERT INTO text_readings (t, seq, tag, q, v) SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::smallint[], %s::text[])
ON CONFLICT (tag, t, seq) DO NOTHING RETURNING tag, t, q
"""
_COUNT_TEXT_CONFLICTS = """
SELECT count(*) FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::smallint[], %s::text[]) AS new (t, seq, tag, q, v)
JOIN text_readings AS kept USING (tag, t, seq) WHERE (new.v, new.q) IS DISTINCT FROM (kept.v, kept.q)
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the readings of one call: stored anew, there already with the same value, there with another one."""

    stored: int = 0
    duplicate: int = 0
    conflict: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(self.stored + other.stored, self.duplicate + other.duplicate, self.conflict + other.conflict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings as the table has them, (n,) each."""

    t: npt.NDArray[np.int64]
    v: npt.NDArray[np.float64]
    seq: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int32]
    q: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.t)

    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """In the order of _COLUMNS."""
        return (self.t, self.v, self.seq, self.tag, self.q)

    def take(self, chosen: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Rows:
        """The chosen rows, in that order."""
        return Rows(self.t[chosen], self.v[chosen], self.seq[chosen], self.tag[chosen], self.q[chosen])


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
    rows = _joined(batches)
    rows = rows.take(np.lexsort((rows.seq, rows.t, rows.tag)))  # stable: what came first stays first
    ensure_days(cur, "raw_readings", np.unique(rows.t // DAY_MS).tolist())
    stored, conflict = _insert(cur, rows)
    good = stored.take((stored.q & 3 == Quality.GOOD) & (np.abs(stored.v) <= rollups.LARGEST))
    rollups.add(cur, good.tag, good.t, good.v)
    gaps.update(cur, stored.tag, stored.t, stored.q)
    return Written(len(stored), len(rows) - len(stored) - conflict, conflict)


def _joined(batches: Sequence[Batch]) -> Rows:
    return Rows(
        np.concatenate([batch.t for batch in batches]),
        np.concatenate([batch.numbers() for batch in batches]),
        np.concatenate([batch.seq for batch in batches]).astype(np.int64),
        np.concatenate([batch.ids for batch in batches]).astype(np.int32),
        np.concatenate([batch.quality for batch in batches]).astype(np.int16),
    )


def _distinct(rows: Rows) -> tuple[Rows, int]:
    """The first of each identity of sorted rows, and how many others differ from it."""
    same = (rows.tag[1:] == rows.tag[:-1]) & (rows.t[1:] == rows.t[:-1]) & (rows.seq[1:] == rows.seq[:-1])
    if not same.any():
        return rows, 0
    first = np.concatenate(([True], ~same))
    kept = np.flatnonzero(first)[np.cumsum(first) - 1]  # for every row the one that stays
    equal = ((rows.v == rows.v[kept]) | (np.isnan(rows.v) & np.isnan(rows.v[kept]))) & (rows.q == rows.q[kept])
    return rows.take(first), int((~equal).sum())


def _insert(cur: cursor, rows: Rows) -> tuple[Rows, int]:
    """Insert sorted rows; returns those that were new and the number that differ from what is stored under their identity.

    Nearly always all are new, so they are copied straight in (half the cost of staging); at the first one that is there
    already the copy is undone and goes through a staging table with ON CONFLICT DO NOTHING.
    """
    distinct, conflict = _distinct(rows)
    cur.execute("SAVEPOINT straight")
    try:
        copy_rows(cur, "raw_readings", _COLUMNS, distinct.columns())
    except psycopg2.errors.UniqueViolation:
        cur.execute("ROLLBACK TO SAVEPOINT straight")
    else:
        cur.execute("RELEASE SAVEPOINT straight")
        return distinct, conflict
    cur.execute(_STAGING)
    cur.execute("DELETE FROM staging_readings")  # of an earlier call in the same transaction
    copy_rows(cur, "staging_readings", _COLUMNS, rows.columns())
    cur.execute(_INSERT_STAGED)
    stored = _from_rows(cur.fetchall())
    cur.execute(_COUNT_CONFLICTS)
    return stored, _one(cur)


def _from_rows(found: list[tuple[int, float, int, int, int]]) -> Rows:
    t, v, seq, tag, q = zip(*found, strict=True) if found else ((), (), (), (), ())
    return Rows(np.array(t, np.int64), np.array(v, np.float64), np.array(seq, np.int64), np.array(tag, np.int32), np.array(q, np.int16))


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
    ensure_days(cur, "frames", np.unique(batch.t // DAY_MS).tolist())
    stored, conflict = frame_store.insert(cur, batch)
    _update_gaps(cur, stored)
    return Written(len(stored), len(batch) - len(stored) - conflict, conflict)


def _update_gaps(cur: cursor, stored: list[tuple[int, int, int]]) -> None:
    tag, t, q = zip(*stored, strict=True) if stored else ((), (), ())
    gaps.update(cur, np.array(tag, np.int32), np.array(t, np.int64), np.array(q, np.int16))
