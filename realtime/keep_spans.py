"""Spans of a tag that stay in full however old they get: around alerts, at calibrations. Whoever knows of one says so here.

It belongs to the history; `realtime.retention` obeys it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

_KEEP = """
INSERT INTO history_keeps AS old (tag, started, ended, reason)
SELECT tag, min(started), max(ended), reason
FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::text[]) AS new (tag, started, ended, reason)
GROUP BY tag, reason ORDER BY tag, reason
ON CONFLICT (tag, reason) DO UPDATE SET started = least(old.started, excluded.started), ended = greatest(old.ended, excluded.ended)
WHERE old.started > excluded.started OR old.ended < excluded.ended
"""


class Keep(NamedTuple):
    """Readings and pictures of a tag in [start, end), ms UTC; the reason names the one span that may still grow, such as `alert 17`."""

    tag: int
    start: int
    end: int
    reason: str


def keep(conn: Any, spans: Iterable[Keep]) -> int:
    """Note spans; said again they may only grow. The caller commits. Returns how many are new or grew."""
    columns = list(zip(*spans, strict=True))
    if not columns:
        return 0
    with conn.cursor() as cur:
        cur.execute(_KEEP, tuple(list(column) for column in columns))
        return int(cur.rowcount)
