"""Texts of the history: the newest, those of a span, and how they thin out. Writing is `realtime.history_writer`.

All stay for as many days as a tag's readings (`keep.raw`, 7), then only the changes, for as many as its hours (`keep.1h`, 730).
What `realtime.keep_spans` names stays whole, and so does the newest of each tag. Functions that read neither commit nor close.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from realtime.events import Quality
from realtime.partitions import DAY_MS

if TYPE_CHECKING:
    from psycopg2.extensions import connection

FULL_DAYS, CHANGES_DAYS = 7.0, 730.0
Text = tuple[int, str | None, int]  # t in ms UTC, the text or None where it is bad, quality byte

_LATEST = """
SELECT asked.tag, last.t, last.v, last.q FROM unnest(%s::int[]) AS asked (tag) CROSS JOIN LATERAL (
    SELECT t, v, q FROM text_readings AS r WHERE r.tag = asked.tag ORDER BY t DESC, seq DESC LIMIT 1
) AS last
"""
_ROWS = "SELECT t, v, q FROM text_readings WHERE tag = %s AND t >= %s AND t < %s ORDER BY t FETCH FIRST %s ROWS WITH TIES"
_TAGS = """
WITH RECURSIVE spoke AS (
    (SELECT tag FROM text_readings ORDER BY tag LIMIT 1)
    UNION ALL
    SELECT (SELECT r.tag FROM text_readings AS r WHERE r.tag > spoke.tag ORDER BY r.tag LIMIT 1) FROM spoke WHERE spoke.tag IS NOT NULL
) SELECT tag FROM spoke WHERE tag IS NOT NULL
"""
_THIN = """
DELETE FROM text_readings AS r USING (
    SELECT t, seq, lag(v) OVER said AS v_before, lag(q) OVER said AS q_before FROM text_readings
    WHERE tag = %(tag)s AND t < %(full)s WINDOW said AS (ORDER BY t, seq)
) AS old
WHERE r.tag = %(tag)s AND r.t = old.t AND r.seq = old.seq
AND (r.t < %(changes)s OR (r.v, r.q) = (old.v_before, old.q_before))
AND r.t < (SELECT max(t) FROM text_readings WHERE tag = %(tag)s)
AND NOT EXISTS (SELECT 1 FROM history_keeps AS k WHERE k.tag = %(tag)s AND k.started <= r.t AND k.ended > r.t AND k.ended >= %(noted)s)
"""


def latest(conn: Any, tag_ids: Sequence[int]) -> dict[int, Text]:
    """The newest (t, text, quality byte) of each tag that has one; one index probe a tag."""
    with conn.cursor() as cur:
        cur.execute(_LATEST, (list(tag_ids),))
        return {tag: _told(*row) for tag, *row in cur.fetchall()}


def readings(conn: Any, tag_id: int, start: int, end: int, after: int | None, limit: int) -> list[Text]:
    """(t, text, quality byte) of [start, end) in order, as `historian.readings`: a page never ends within a millisecond."""
    with conn.cursor() as cur:
        cur.execute(_ROWS, (tag_id, start if after is None else max(start, after + 1), end, limit))
        return [_told(*row) for row in cur.fetchall()]


def count(conn: Any, tag_ids: Sequence[int], start: int, end: int) -> int:
    """How many texts of the tags the span holds."""
    with conn.cursor() as cur:
        cur.execute("SELECT count(*) FROM text_readings WHERE tag = ANY(%s::int[]) AND t >= %s AND t < %s", (list(tag_ids), start, end))
        return int(cur.fetchone()[0])


def _told(t: int, text: str, quality: int) -> Text:
    return t, None if quality & 3 == Quality.BAD and not text else text, quality


def thin(conn: connection, own: Mapping[int, Mapping[str, float]], now_ms: int, stop: threading.Event | None = None) -> int:
    """Let go what is old, a transaction for each tag; the number of texts. own: days by tag and tier. Raises psycopg2.Error."""
    with conn, conn.cursor() as cur:
        cur.execute(_TAGS)
        tags = [int(row[0]) for row in cur.fetchall()]
    gone = 0
    for tag in tags:
        if stop is not None and stop.is_set():
            break
        kept = own.get(tag, {})
        days = {"full": kept.get("raw", FULL_DAYS), "changes": kept.get("1h", CHANGES_DAYS), "noted": CHANGES_DAYS}
        with conn, conn.cursor() as cur:
            cur.execute(_THIN, {"tag": tag} | {name: now_ms - int(value * DAY_MS) for name, value in days.items()})
            gone += cur.rowcount
    return gone
