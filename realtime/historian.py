"""Reads the history: rows, trends, gaps, pictures and the statistics of a span. Writing is `realtime.history_writer`.

Functions take a DBAPI connection of psycopg2 and neither commit nor close. Times are ms UTC; spans hold start and not end.
Nothing here uses COPY: the web process may call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from typing import Any, NamedTuple, Protocol

import numpy as np

from realtime import stored_rows
from realtime.events import Frame, Quality
from realtime.frame_store import unpack
from realtime.gaps import OPEN_END
from realtime.history_rows import Written
from realtime.history_writer import write_batches
from realtime.trends import Trend, trend

__all__ = [
    "Coverage",
    "Trend",
    "Written",
    "count",
    "frame_at",
    "frames",
    "gaps",
    "last_good",
    "latest",
    "newest_frames",
    "readings",
    "span_stats",
    "trend",
    "write_batches",
]

# How long one good sample vouches for its tag, as a multiple of the usual interval between samples.
HOLDS_INTERVALS = 3.0
HOLDS_AT_LEAST_MS = 2_000
_INTERVALS_LOOKED_AT = 500
_WHOLE_SPAN = 50_000_000  # readings


class Connection(Protocol):
    """What we need of a DBAPI connection; a pool's proxy has it too."""

    def cursor(self) -> Any: ...


class Coverage(NamedTuple):
    """Statistics of one tag over a span: number of good and bad samples, of the good ones min, avg, max, and the seconds they cover."""

    n_good: int
    n_bad: int
    min: float | None
    avg: float | None
    max: float | None
    seconds_covered: float


_COUNT = """
SELECT (SELECT count(*) FROM open_readings WHERE tag = ANY(%(tags)s::int[]) AND t >= %(start)s AND t < %(end)s)
    + (SELECT coalesce(sum(n), 0) FROM reading_chunks WHERE tag = ANY(%(tags)s::int[]) AND t > %(start)s - 3600000 AND t < %(end)s)
"""
_LAST_GOOD = """
SELECT asked.tag, last.t, last.v FROM unnest(%s::int[]) AS asked (tag) CROSS JOIN LATERAL (
    SELECT t, v FROM (
        SELECT t, v, q FROM open_readings AS r WHERE r.tag = asked.tag ORDER BY t DESC, seq DESC LIMIT %s
    ) AS newest WHERE q & 3 < 2 AND v <> 'NaN' ORDER BY t DESC LIMIT 1
) AS last
"""
_LOOKED_BACK = 2000
_CHUNKS_LOOKED_AT = 3
_GAPS = """
SELECT tag, started, nullif(ended, %s), reason FROM reading_gaps
WHERE tag = ANY(%s::int[]) AND ended > %s AND started < %s ORDER BY tag, started
"""
_FRAMES = """
SELECT t, low, high, mean, std FROM (
    SELECT t, nullif(low, 'NaN') AS low, nullif(high, 'NaN') AS high, nullif(mean, 'NaN') AS mean, nullif(std, 'NaN') AS std
    FROM frames WHERE tag = %s AND t >= %s AND t < %s ORDER BY t DESC LIMIT %s
) AS newest ORDER BY t
"""
_FRAME_AT = """
SELECT t, dtype, height, width, scale, zero, unit, body FROM frames WHERE tag = %s AND t <= %s ORDER BY t DESC, seq DESC LIMIT 1
"""

_NEWEST_FRAMES = """
SELECT asked.tag, last.t, last.height, last.width, last.q FROM unnest(%s::int[]) AS asked (tag) CROSS JOIN LATERAL (
    SELECT t, height, width, q FROM frames AS r WHERE r.tag = asked.tag ORDER BY t DESC, seq DESC LIMIT 1
) AS last
"""


def readings(conn: Connection, tag_id: int, start: int, end: int, after: int | None, limit: int) -> list[tuple[int, float | None, int]]:
    """(t, value, quality byte) in order of t; value None where unknown. Pass the last t as `after` for the next page.

    A page may run over `limit` by the readings that share its last millisecond, so that none falls between pages.
    """
    with conn.cursor() as cur:
        found = stored_rows.rows(cur, tag_id, start if after is None else max(start, after + 1), end, limit)
    return list(zip(found.t.tolist(), map(_known, found.v.tolist()), found.q.tolist(), strict=True))


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def count(conn: Connection, tag_ids: Iterable[int], start: int, end: int) -> int:
    """How many readings of the tags the span holds at most: whole hours of chunks are counted."""
    with conn.cursor() as cur:
        cur.execute(_COUNT, {"tags": list(tag_ids), "start": start, "end": end})
        return int(cur.fetchone()[0])


def latest(conn: Connection, tag_ids: Iterable[int]) -> dict[int, tuple[int, float | None, int]]:
    """The newest (t, value, quality byte) of each tag that has one; one index probe a tag."""
    with conn.cursor() as cur:
        return {tag: (t, _known(v), q) for tag, (t, v, q) in stored_rows.latest(cur, list(tag_ids)).items()}


def last_good(conn: Connection, tag_ids: Iterable[int]) -> dict[int, tuple[int, float]]:
    """The newest (t, value) of each tag that is not bad, among its newest 2000 samples or 3 hours: a lost source writes one bad sample."""
    asked = list(tag_ids)
    with conn.cursor() as cur:
        cur.execute(_LAST_GOOD, (asked, _LOOKED_BACK))
        found: dict[int, tuple[int, float]] = {tag: (t, v) for tag, t, v in cur.fetchall()}
        for tag, kept in stored_rows.newest_chunks(cur, [tag for tag in asked if tag not in found], _CHUNKS_LOOKED_AT):
            good = np.flatnonzero((kept.q & 3 != Quality.BAD) & ~np.isnan(kept.v))
            if len(good) and tag not in found:
                found[tag] = (int(kept.t[good[-1]]), float(kept.v[good[-1]]))
    return found


def gaps(conn: Connection, tag_ids: Sequence[int], start: int, end: int) -> list[tuple[int, int, int | None, int]]:
    """(tag, start, end or None while open, Reason) of gaps that touch the span, by tag and start."""
    with conn.cursor() as cur:
        cur.execute(_GAPS, (OPEN_END, list(tag_ids), start, end))
        return list(cur.fetchall())


def frames(
    conn: Connection, tag_id: int, start: int, end: int, limit: int
) -> list[tuple[int, float | None, float | None, float | None, float | None]]:
    """(t, min, max, mean, std) of the newest `limit` pictures of the span, oldest first."""
    with conn.cursor() as cur:
        cur.execute(_FRAMES, (tag_id, start, end, limit))
        return list(cur.fetchall())


def frame_at(conn: Connection, tag_id: int, t: int) -> tuple[int, Frame] | None:
    """The picture that was current at t, with its own time; None before the first."""
    with conn.cursor() as cur:
        cur.execute(_FRAME_AT, (tag_id, t))
        row = cur.fetchone()
    if row is None:
        return None
    taken, dtype, height, width, scale, zero, unit, body = row
    return taken, unpack(dtype, (height, width), (scale, zero), unit, bytes(body))


def newest_frames(conn: Connection, tag_ids: Sequence[int]) -> dict[int, tuple[int, int, int, int]]:
    """(t, rows, columns, quality byte) of the newest picture of each tag that has one."""
    with conn.cursor() as cur:
        cur.execute(_NEWEST_FRAMES, (list(tag_ids),))
        return {tag: (t, height, width, q) for tag, t, height, width, q in cur.fetchall()}


def span_stats(conn: Connection, tag_id: int, start: int, end: int) -> Coverage:
    """Statistics of one tag over a span, from raw readings.

    A good sample covers the time to the next sample of any quality or the end, but at most three usual intervals
    (median of the first 500; 2 s at least): silence is not good data.
    """
    with conn.cursor() as cur:
        found = stored_rows.rows(cur, tag_id, start, end, _WHOLE_SPAN)
    good = (found.q & 3 == Quality.GOOD) & ~np.isnan(found.v)
    n_bad = int((found.q & 3 == Quality.BAD).sum())
    if not good.any():
        return Coverage(0, n_bad, None, None, None, 0.0)
    steps = np.diff(found.t[:_INTERVALS_LOOKED_AT])
    holds = max(HOLDS_AT_LEAST_MS, int(HOLDS_INTERVALS * float(np.median(steps)))) if len(steps) else HOLDS_AT_LEAST_MS
    until = np.append(found.t[1:], end)
    covered = int(np.minimum(until - found.t, holds)[good].sum())
    v = found.v[good]
    return Coverage(len(v), n_bad, float(v.min()), float(v.mean()), float(v.max()), covered / 1000)
