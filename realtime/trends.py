"""Trends: the coarsest tier that fills the screen, so that a year costs what an hour costs; min and max keep every peak.

It reads good values only, as the roll-ups hold nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from realtime import stored_rows
from realtime.chunks import Samples
from realtime.events import Quality
from realtime.partitions import HOUR_MS
from realtime.rollups import TIERS

Tier = Literal["raw", "1m", "1h", "1d"]
Point = tuple[int, float, float, float, int]

ROWS_PER_POINT = 2  # of any tier; a chunk is one row
DECODED_PER_POINT = 20  # readings that come out of chunks: 20,000 take about a millisecond
MOST_RAW_HOURS = 8 * 24  # whatever is kept: longer spans are drawn from roll-ups
_NAMES: dict[str, Tier] = {"rollup_1m": "1m", "rollup_1h": "1h", "rollup_1d": "1d"}

_HELD = """
SELECT t, n, true FROM reading_chunks WHERE tag = %(tag)s AND t >= %(first)s AND t < %(end)s
UNION ALL SELECT t, n, false FROM rollup_1h WHERE tag = %(tag)s AND t >= %(first)s AND t < %(end)s
UNION ALL SELECT chunked_until, 0, NULL FROM history_state
"""
_ROLLED = "SELECT t, n, sum, min, max, m2 FROM {table} WHERE tag = %s AND t >= %s AND t < %s ORDER BY t"
_BEGINS = """
SELECT (SELECT min(t) FROM {fine} WHERE tag = %(tag)s AND t >= %(start)s AND t < %(end)s),
    (SELECT min(t) FROM {coarse} WHERE tag = %(tag)s AND t >= %(start)s / {width} * {width} AND t < %(end)s)
"""


@dataclass(frozen=True, slots=True)
class Stats:
    """Over every good reading of the span (whole minutes or hours where the tier is rolled up); None where there is none."""

    n: int
    min: float | None = None
    avg: float | None = None
    max: float | None = None
    std: float | None = None


@dataclass(frozen=True, slots=True)
class Trend:
    """Points (t, min, avg, max, n), ascending; t is the start of what a point covers."""

    tier: Tier
    points: list[Point]
    stats: Stats


@dataclass(frozen=True, slots=True)
class Spans:
    """Sums over spans of time, (n,) each, ascending; a single reading is a span with n = 1."""

    t: npt.NDArray[np.int64]
    n: npt.NDArray[np.int64]
    sum: npt.NDArray[np.float64]
    min: npt.NDArray[np.float64]
    max: npt.NDArray[np.float64]
    m2: npt.NDArray[np.float64]


def trend(conn: Any, tag_id: int, start: int, end: int, points: int) -> Trend:
    """At most `points` points of [start, end) from at most 2 x points rows (and a few that say which tier that is).

    Readings where so many rows hold them, a chunk being one; else the finest of minutes, hours and days that fits and still
    reaches back to `start`. Days are the last resort: one row a day, however few points are asked for.
    """
    with conn.cursor() as cur:
        if _holds_readings(cur, tag_id, start, end, points):
            found = stored_rows.span(cur, tag_id, start, end, ROWS_PER_POINT * points)
            if found is not None:
                return _drawn("raw", _single(found), start, end, points)
        table, width = _tier(cur, tag_id, start, end, points)
        cur.execute(_ROLLED.format(table=table), (tag_id, start // width * width, end))
        return _drawn(_NAMES[table], _spans(cur.fetchall()), start // width * width, end, points)


def _holds_readings(cur: Any, tag_id: int, start: int, end: int, points: int) -> bool:
    """True when the readings of the span are all there and lie in few enough rows, as far as chunks and hourly roll-ups tell."""
    first = start // HOUR_MS * HOUR_MS
    if -(-(end - first) // HOUR_MS) > min(MOST_RAW_HOURS, points):
        return False
    cur.execute(_HELD, {"tag": tag_id, "first": first, "end": end})
    rows = cur.fetchall()
    chunked = next((t for t, _, is_chunk in rows if is_chunk is None), 0)
    share = {t: n * (min(end, t + HOUR_MS) - max(start, t)) / HOUR_MS for t, n, is_chunk in rows if is_chunk}
    unpacked = {t: n * (min(end, t + HOUR_MS) - max(start, t)) / HOUR_MS for t, n, is_chunk in rows if is_chunk is False and t not in share}
    if any(t < chunked for t in unpacked) or not (share or unpacked):
        return False  # dropped, or late and not folded yet; or nothing, of which days may know
    in_rows: float = sum(unpacked.values())
    enough: bool = in_rows + len(share) <= ROWS_PER_POINT * points and in_rows + sum(share.values()) <= DECODED_PER_POINT * points
    return enough


def _tier(cur: Any, tag_id: int, start: int, end: int, points: int) -> tuple[str, int]:
    """The finest roll-up that fits and was not dropped where the next coarser one still has something."""
    for (table, width), (coarse, coarse_width) in pairwise(TIERS):
        if end - start <= ROWS_PER_POINT * points * width:
            query = _BEGINS.format(fine=table, coarse=coarse, width=coarse_width)
            cur.execute(query, {"tag": tag_id, "start": start // width * width, "end": end})
            fine_begins, coarse_begins = cur.fetchone()
            if coarse_begins is None or (fine_begins is not None and fine_begins // coarse_width * coarse_width <= coarse_begins):
                return table, width
    return TIERS[-1]


def _single(found: Samples) -> Spans:
    good = (found.q & 3 == Quality.GOOD) & np.isfinite(found.v)
    value = found.v[good]
    return Spans(found.t[good], np.ones(len(value), np.int64), value, value, value, np.zeros(len(value)))


def _spans(rows: list[tuple[int, int, float, float, float, float]]) -> Spans:
    t, n, total, low, high, m2 = zip(*rows, strict=True) if rows else ((),) * 6
    return Spans(np.array(t, np.int64), np.array(n, np.int64), *(np.array(column, np.float64) for column in (total, low, high, m2)))


def _drawn(tier: Tier, spans: Spans, start: int, end: int, points: int) -> Trend:
    drawn = spans if len(spans.t) <= points else _merged(spans, start, end, points)
    columns = (drawn.t.tolist(), drawn.min.tolist(), (drawn.sum / drawn.n).tolist(), drawn.max.tolist(), drawn.n.tolist())
    return Trend(tier, list(zip(*columns, strict=True)), _stats(spans))


def _merged(spans: Spans, start: int, end: int, points: int) -> Spans:
    """Spans put together into at most `points` equal buckets of [start, end)."""
    width = -(-(end - start) // points)
    bucket = (spans.t - start) // width
    first = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    return Spans(
        start + bucket[first] * width,
        np.add.reduceat(spans.n, first),
        np.add.reduceat(spans.sum, first),
        np.minimum.reduceat(spans.min, first),
        np.maximum.reduceat(spans.max, first),
        np.add.reduceat(spans.m2, first),
    )


def _stats(spans: Spans) -> Stats:
    n = int(spans.n.sum())
    if not n:
        return Stats(0)
    mean = float(spans.sum.sum()) / n
    squares = float((spans.m2 + spans.n * (spans.sum / spans.n - mean) ** 2).sum())
    return Stats(n, float(spans.min.min()), mean, float(spans.max.max()), (squares / n) ** 0.5)
