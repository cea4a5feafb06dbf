"""Trends: the coarsest tier that fills the screen, so that a year costs what an hour costs; min and max keep every peak.

It reads good values only, as the roll-ups hold nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from realtime.events import Quality
from realtime.rollups import MINUTE_MS, TIERS

Tier = Literal["raw", "1m", "1h"]
Point = tuple[int, float, float, float, int]

ROWS_PER_POINT = 2  # of a roll-up tier
RAW_PER_POINT = 5  # an hour at 1 Hz is still drawn from its readings on a screen of 1,000 points
_NAMES: dict[str, Tier] = {"rollup_1m": "1m", "rollup_1h": "1h"}

# Bad rows are left out afterwards: PostgreSQL takes `q & 3 = 0` for rare, and would read and sort the whole span.
_RAW = "SELECT t, v, q FROM raw_readings WHERE tag = %s AND t >= %s AND t < %s ORDER BY t, seq LIMIT %s"
_ROLLED = "SELECT t, n, sum, min, max, m2 FROM {table} WHERE tag = %s AND t >= %s AND t < %s ORDER BY t"


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
    """At most `points` points of [start, end): from raw readings where at most 5 x points cover it, else from 1 minute, else 1 hour."""
    fits_minutes = end - start <= ROWS_PER_POINT * points * MINUTE_MS
    with conn.cursor() as cur:
        if fits_minutes:
            cur.execute(_RAW, (tag_id, start, end, RAW_PER_POINT * points + 1))
            rows = cur.fetchall()
            if len(rows) <= RAW_PER_POINT * points:
                return _drawn("raw", _single(rows), start, end, points)
        table, width = TIERS[0] if fits_minutes else TIERS[1]
        cur.execute(_ROLLED.format(table=table), (tag_id, start // width * width, end))
        return _drawn(_NAMES[table], _spans(cur.fetchall()), start // width * width, end, points)


def _single(rows: list[tuple[int, float, int]]) -> Spans:
    good = [(t, v) for t, v, q in rows if q & 3 == Quality.GOOD and isfinite(v)]
    t, v = zip(*good, strict=True) if good else ((), ())
    value = np.array(v, np.float64)
    return Spans(np.array(t, np.int64), np.ones(len(value), np.int64), value, value, value, np.zeros(len(value)))


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
