"""Reads the history: rows, trends, gaps, pictures and the statistics of a span. Writing is `realtime.history_writer`.

Functions take a DBAPI connection of psycopg2 and neither commit nor close. Times are ms UTC; spans hold start and not end.
Nothing here uses COPY: the web process may call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from realtime.events import Frame
from realtime.frame_store import unpack
from realtime.gaps import OPEN_END
from realtime.history_writer import Written, write_batches
from realtime.trends import Trend, trend

__all__ = [
    "Coverage",
    "Trend",
    "Written",
    "frame_at",
    "frames",
    "gaps",
    "last_good",
    "latest",
    "readings",
    "span_stats",
    "trend",
    "write_batches",
]

# How long one good sample vouches for its tag, as a multiple of the usual interval between samples.
HOLDS_INTERVALS = 3.0
HOLDS_AT_LEAST_MS = 2_000
_INTERVALS_LOOKED_AT = 500


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


_READINGS = """
SELECT t, nullif(v, 'NaN'), q FROM raw_readings WHERE tag = %s AND t >= %s AND t < %s ORDER BY t FETCH FIRST %s ROWS WITH TIES
"""
_LATEST = """
SELECT asked.tag, last.t, nullif(last.v, 'NaN'), last.q FROM unnest(%s::int[]) AS asked (tag) CROSS JOIN LATERAL (
    SELECT t, v, q FROM raw_readings AS r WHERE r.tag = asked.tag ORDER BY t DESC, seq DESC LIMIT 1
) AS last
"""
_LAST_GOOD = """
SELECT asked.tag, last.t, last.v FROM unnest(%s::int[]) AS asked (tag) CROSS JOIN LATERAL (
    SELECT t, v FROM (
        SELECT t, v, q FROM raw_readings AS r WHERE r.tag = asked.tag ORDER BY t DESC, seq DESC LIMIT %s
    ) AS newest WHERE q & 3 < 2 AND v <> 'NaN' ORDER BY t DESC LIMIT 1
) AS last
"""
_LOOKED_BACK = 2000
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
_USUAL_INTERVAL = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY step) FROM (
    SELECT t - lag(t) OVER (ORDER BY t) AS step
    FROM (SELECT t FROM raw_readings WHERE tag = %s AND t >= %s AND t < %s ORDER BY t LIMIT %s) AS first
) AS steps
"""
_COVERAGE = """
SELECT count(*) FILTER (WHERE good), count(*) FILTER (WHERE q & 3 = 2), min(v) FILTER (WHERE good), avg(v) FILTER (WHERE good),
    max(v) FILTER (WHERE good), coalesce(sum(least(until - t, %s)) FILTER (WHERE good), 0)
FROM (
    SELECT t, v, q, q & 3 = 0 AND v <> 'NaN' AS good, lead(t, 1, %s) OVER (ORDER BY t, seq) AS until
    FROM raw_readings WHERE tag = %s AND t >= %s AND t < %s
) AS sample
"""


def readings(conn: Connection, tag_id: int, start: int, end: int, after: int | None, limit: int) -> list[tuple[int, float | None, int]]:
    """(t, value, quality byte) in order of t; value None where unknown. Pass the last t as `after` for the next page.

    A page may run over `limit` by the readings that share its last millisecond, so that none falls between pages.
    """
    with conn.cursor() as cur:
        cur.execute(_READINGS, (tag_id, start if after is None else max(start, after + 1), end, limit))
        return list(cur.fetchall())


def latest(conn: Connection, tag_ids: Iterable[int]) -> dict[int, tuple[int, float | None, int]]:
    """The newest (t, value, quality byte) of each tag that has one; one index probe a tag."""
    with conn.cursor() as cur:
        cur.execute(_LATEST, (list(tag_ids),))
        return {tag: (t, v, q) for tag, t, v, q in cur.fetchall()}


def last_good(conn: Connection, tag_ids: Iterable[int]) -> dict[int, tuple[int, float]]:
    """The newest (t, value) of each tag that is not bad, among its newest 2000 samples: a lost source writes one bad sample a tag."""
    with conn.cursor() as cur:
        cur.execute(_LAST_GOOD, (list(tag_ids), _LOOKED_BACK))
        return {tag: (t, v) for tag, t, v in cur.fetchall()}


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


def span_stats(conn: Connection, tag_id: int, start: int, end: int) -> Coverage:
    """Statistics of one tag over a span, from raw readings.

    A good sample covers the time to the next sample of any quality or the end, but at most three usual intervals
    (median of the first 500; 2 s at least): silence is not good data.
    """
    with conn.cursor() as cur:
        cur.execute(_USUAL_INTERVAL, (tag_id, start, end, _INTERVALS_LOOKED_AT))
        usual = cur.fetchone()[0]
        holds = max(HOLDS_AT_LEAST_MS, int(HOLDS_INTERVALS * (usual or 0)))
        cur.execute(_COVERAGE, (holds, end, tag_id, start, end))
        n_good, n_bad, low, mean, high, covered = cur.fetchone()
    return Coverage(n_good, n_bad, low, mean, high, float(covered) / 1000)
