"""Gaps after late readings: the stretch that they fall into is told anew from all samples, those in chunks too.

It gives what `realtime.gaps` would have given had they come in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from realtime.chunks import unpack
from realtime.events import Quality
from realtime.gaps import OPEN_END
from realtime.history_rows import Rows
from realtime.partitions import HOUR_MS

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_STRETCH_MS = 6 * HOUR_MS  # read at once
_TOUCHED = """
SELECT DISTINCT asked.tag FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS asked (tag, first, last)
JOIN reading_gaps AS gap ON gap.tag = asked.tag AND gap.ended > asked.first AND gap.started <= asked.last
"""
_COVERING = "SELECT started FROM reading_gaps WHERE tag = %s AND started < %s AND ended > %s"
_OPEN_SAMPLES = "SELECT t, q FROM samples WHERE tag = %s AND t >= %s AND t < %s AND q & 3 <> 1"
_CHUNKS = "SELECT body FROM reading_chunks WHERE tag = %s AND t > %s AND t < %s"
_NEXT = """
SELECT least(
    (SELECT min(t) FROM samples WHERE tag = %s AND t >= %s), (SELECT min(t) FROM reading_chunks WHERE tag = %s AND t >= %s)
)
"""
Sample = tuple[int, int]


def update(cur: cursor, rows: Rows) -> None:
    """Bring the gaps up to date with late rows that this transaction has stored; ordered by tag, then t."""
    if not len(rows):
        return
    starts = np.flatnonzero(np.concatenate(([True], rows.tag[1:] != rows.tag[:-1]))).tolist()
    spans = [
        (int(rows.tag[a]), int(rows.t[a]), int(rows.t[b - 1]), bool((rows.q[a:b] & 3 == Quality.BAD).any()))
        for a, b in pairwise([*starts, len(rows)])
    ]
    tags, firsts, lasts, _ = zip(*spans, strict=True)
    cur.execute(_TOUCHED, (list(tags), list(firsts), list(lasts)))
    touched = {tag for (tag,) in cur.fetchall()}
    for tag, first, last, has_bad in spans:
        if has_bad or tag in touched:
            _tell_anew(cur, tag, first, last)


def _tell_anew(cur: cursor, tag: int, first: int, last: int) -> None:
    """Gaps of [first, the first good sample at or after last), or to the end where there is none."""
    cur.execute(_COVERING, (tag, first, first))
    covering = cur.fetchone()
    told, until = _told(_samples(cur, tag, first), covering[0] if covering else None, last)
    cur.execute("DELETE FROM reading_gaps WHERE tag = %s AND started >= %s AND started < %s", (tag, first, until))
    for start, end, reason in told:
        if covering and start == covering[0]:
            cur.execute("UPDATE reading_gaps SET ended = %s WHERE tag = %s AND started = %s", (end, tag, start))
        else:
            cur.execute("INSERT INTO reading_gaps (tag, started, ended, reason) VALUES (%s, %s, %s, %s)", (tag, start, end, reason))


def _told(samples: Iterable[Sample], started: int | None, last: int) -> tuple[list[tuple[int, int, int]], int]:
    """Gaps (start, end, reason) of samples, of which the first may lie in a gap already, and up to when they are told."""
    gaps: list[tuple[int, int, int]] = []
    reason = 0
    for t, q in samples:
        if q & 3 == Quality.BAD:
            started, reason = (t, q >> 2) if started is None else (started, reason)
        elif started is None or t > started:
            if started is not None:
                gaps.append((started, t, reason))
            started = None
            if t >= last:
                return gaps, t
    return gaps + ([(started, OPEN_END, reason)] if started is not None else []), OPEN_END


def _samples(cur: cursor, tag: int, start: int) -> Iterator[Sample]:
    """(t, quality byte) of good and bad samples from a time on, in order; of one millisecond the good one first."""
    while True:
        end = start + _STRETCH_MS
        cur.execute(_OPEN_SAMPLES, (tag, start, end))
        found: list[Sample] = cur.fetchall()
        cur.execute(_CHUNKS, (tag, start - HOUR_MS, end))
        for (body,) in cur.fetchall():
            kept = unpack(body)
            chosen = (kept.t >= start) & (kept.t < end) & (kept.q & 3 != Quality.UNCERTAIN)
            found += zip(kept.t[chosen].tolist(), kept.q[chosen].tolist(), strict=True)
        yield from sorted(found, key=lambda sample: (sample[0], sample[1] & 3))
        cur.execute(_NEXT, (tag, end, tag, end - HOUR_MS + 1))
        following = cur.fetchone()
        if following is None or following[0] is None:
            return
        start = max(end, following[0])
