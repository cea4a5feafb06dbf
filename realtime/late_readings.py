"""Readings for closed hours: each is checked against what is stored of its hour, and kept beside the chunk until it is folded in.

Only what is new is stored and counted, whatever is delivered twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime.chunks import Samples, unpack
from realtime.closed_hours import State, join_late_writers
from realtime.history_rows import Rows, Written, distinct, insert_staged
from realtime.partitions import HOUR_MS

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

# The hot table first, then the chunks: a compaction that ends in between moves rows from the one to the other, never back.
_IN_RAW = """
SELECT new.i - 1, kept.v, kept.q FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS new (tag, t, seq, i)
JOIN raw_readings AS kept USING (tag, t, seq) WHERE kept.t >= %s AND kept.t <= %s
"""
_BODIES = """
SELECT tag, t, body FROM unnest(%s::int[], %s::bigint[]) AS asked (tag, t) JOIN reading_chunks AS kept USING (tag, t)
WHERE kept.t >= %s AND kept.t <= %s
"""
_COUNTED = """
SELECT tag, t FROM unnest(%s::int[], %s::bigint[]) AS asked (tag, t) JOIN rollup_1h USING (tag, t)
WHERE NOT EXISTS (SELECT 1 FROM late_readings AS late WHERE late.tag = asked.tag AND late.t >= asked.t AND late.t < asked.t + %s)
"""
_NEW, _SAME, _OTHER = 0, 1, 2
Hours = dict[tuple[int, int], Samples]


def write(cur: cursor, rows: Rows, closed: State) -> tuple[Rows, Written]:
    """Store ordered rows of closed hours; returns the new ones, ordered, and what became of all."""
    join_late_writers(cur)
    total = len(rows)
    rows, conflict = distinct(rows)
    found = np.full(len(rows), _NEW)
    _seek_in_raw(cur, rows, found, closed.chunked)
    hours = bodies(cur, rows)
    _seek_in_chunks(rows, found, hours)
    conflict += int((found == _OTHER).sum())
    new = rows.take(found == _NEW)
    expired = _expired(cur, new, hours, closed.dropped)
    stored, differing = insert_staged(cur, "late_readings", new.take(~expired))
    conflict += differing
    gone = int(expired.sum())
    return stored.ordered(), Written(len(stored), total - len(stored) - conflict - gone, conflict, gone)


def hours_of(rows: Rows) -> tuple[list[int], list[int]]:
    """Tags and starts of the hours that rows lie in, each pair once."""
    pairs = np.unique(np.stack((rows.tag.astype(np.int64), rows.t // HOUR_MS * HOUR_MS)), axis=1)
    return pairs[0].tolist(), pairs[1].tolist()


def bodies(cur: cursor, rows: Rows) -> Hours:
    """The chunks of the hours that rows lie in, by tag and hour."""
    if not len(rows):
        return {}
    tags, hours = hours_of(rows)
    cur.execute(_BODIES, (tags, hours, min(hours), max(hours)))
    return {(tag, t): unpack(body) for tag, t, body in cur.fetchall()}


def _seek_in_raw(cur: cursor, rows: Rows, found: npt.NDArray[np.int_], chunked: int) -> None:
    """Hours that are closed and not compacted yet."""
    places = np.flatnonzero(rows.t >= chunked)
    if not len(places):
        return
    asked = rows.take(places)
    cur.execute(_IN_RAW, (asked.tag.tolist(), asked.t.tolist(), asked.seq.tolist(), int(asked.t.min()), int(asked.t.max())))
    for i, v, q in cur.fetchall():
        found[places[i]] = _judged(rows, places[i], v, q)


def _seek_in_chunks(rows: Rows, found: npt.NDArray[np.int_], hours: Hours) -> None:
    for (tag, hour), kept in hours.items():
        first, last = np.searchsorted(rows.tag, [tag, tag + 1])
        begin, end = first + np.searchsorted(rows.t[first:last], [hour, hour + HOUR_MS])
        low, high = (np.searchsorted(kept.t, rows.t[begin:end], side) for side in ("left", "right"))
        for place in np.flatnonzero(low < high).tolist():
            for at in range(low[place], high[place]):
                if kept.seq[at] == rows.seq[begin + place]:
                    found[begin + place] = _judged(rows, begin + place, kept.v[at], kept.q[at])


def _judged(rows: Rows, i: int, v: float, q: int) -> int:
    same = (rows.v[i] == v or (np.isnan(rows.v[i]) and np.isnan(v))) and rows.q[i] == q
    return _SAME if same else _OTHER


def _expired(cur: cursor, rows: Rows, hours: Hours, dropped: int) -> npt.NDArray[np.bool_]:
    """Rows of hours that were counted once and whose readings are dropped by now."""
    old = rows.t < dropped
    if not old.any():
        return old
    cur.execute(_COUNTED, (*hours_of(rows.take(old)), HOUR_MS))
    gone = {pair for pair in cur.fetchall() if pair not in hours}
    lies_in = zip(rows.tag.tolist(), (rows.t // HOUR_MS * HOUR_MS).tolist(), strict=True)
    lost: npt.NDArray[np.bool_] = old & np.array([pair in gone for pair in lies_in], bool)
    return lost
