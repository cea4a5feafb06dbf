"""Readings of one tag, wherever they lie: in the hot table, beside a chunk, in chunks. One statement, so that a compaction hides none.

Functions take a cursor of psycopg2. Nothing here uses COPY: the web process may call it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from realtime.chunks import Samples, joined, unpack

# Chunks after the first lie wholly behind `start`: as many as hold `limit` readings are enough.
_ROWS = """
SELECT t, v, seq, q, NULL::bytea FROM (
    SELECT t, v, seq, q FROM open_readings WHERE tag = %(tag)s AND t >= %(start)s AND t < %(end)s
    ORDER BY t FETCH FIRST %(open)s ROWS WITH TIES
) AS open
UNION ALL
SELECT t, 0, 0, 0, body FROM (
    SELECT t, body, sum(n) OVER (ORDER BY t) - n - first_value(n) OVER (ORDER BY t) AS before
    FROM reading_chunks WHERE tag = %(tag)s AND t > %(start)s - 3600000 AND t < %(end)s
) AS packed WHERE before < %(packed)s
"""
_LATEST = """
SELECT asked.tag, last.t, last.v, last.q FROM unnest(%s::int[]) AS asked (tag) CROSS JOIN LATERAL (
    SELECT t, v, q FROM open_readings AS r WHERE r.tag = asked.tag ORDER BY t DESC, seq DESC LIMIT 1
) AS last
"""
_NEWEST_CHUNKS = """
SELECT asked.tag, last.body FROM unnest(%s::int[]) AS asked (tag) CROSS JOIN LATERAL (
    SELECT t, body FROM reading_chunks AS c WHERE c.tag = asked.tag ORDER BY t DESC LIMIT %s
) AS last ORDER BY asked.tag, last.t DESC
"""
_ALL = 2**62
Newest = tuple[int, float, int]


def rows(cur: Any, tag: int, start: int, end: int, limit: int) -> Samples:
    """Readings of [start, end), ordered by t, then seq: the first `limit`, and those of the same millisecond as the last."""
    whole, _ = _read(cur, tag, start, end, (limit, limit))
    if len(whole) > limit:
        whole = whole.take(slice(int(np.searchsorted(whole.t, whole.t[limit - 1], "right"))))
    return whole


def span(cur: Any, tag: int, start: int, end: int, open_limit: int) -> Samples | None:
    """All readings of [start, end) in order; None where more than `open_limit` of them are not in chunks."""
    whole, n_open = _read(cur, tag, start, end, (open_limit + 1, _ALL))
    return whole if n_open <= open_limit else None


def _read(cur: Any, tag: int, start: int, end: int, limits: tuple[int, int]) -> tuple[Samples, int]:
    """At least the first readings of the span, and how many rows were none of a chunk; limits: of such rows, of readings in chunks."""
    cur.execute(_ROWS, {"tag": tag, "start": start, "end": end, "open": limits[0], "packed": limits[1]})
    found = cur.fetchall()
    loose = [row[:4] for row in found if row[4] is None]
    t, v, seq, q = zip(*loose, strict=True) if loose else ((),) * 4
    parts = [Samples(np.array(t, np.int64), np.array(v, np.float64), np.array(seq, np.int64), np.array(q, np.int16))]
    whole = joined(parts + [unpack(row[4]) for row in found if row[4] is not None])
    return whole.take((whole.t >= start) & (whole.t < end)).ordered(), len(loose)


def latest(cur: Any, tags: Sequence[int]) -> dict[int, Newest]:
    """The newest (t, value, quality byte) of each tag that has one."""
    cur.execute(_LATEST, (list(tags),))
    newest: dict[int, Newest] = {tag: (t, v, q) for tag, t, v, q in cur.fetchall()}
    cur.execute("SELECT closed_until FROM history_state")
    closed = cur.fetchone()[0]
    for tag, kept in newest_chunks(cur, [tag for tag in tags if tag not in newest or newest[tag][0] < closed], 1):
        if tag not in newest or newest[tag][0] <= kept.t[-1]:
            newest[tag] = (int(kept.t[-1]), float(kept.v[-1]), int(kept.q[-1]))
    return newest


def newest_chunks(cur: Any, tags: Sequence[int], limit: int) -> list[tuple[int, Samples]]:
    """(tag, its newest chunks), newest first."""
    if not tags:
        return []
    cur.execute(_NEWEST_CHUNKS, (list(tags), limit))
    return [(tag, unpack(body)) for tag, body in cur.fetchall()]
