"""Gaps in the data: a gap opens at a bad sample and closes at the next good one, whatever order they arrive in.

It reads what the same transaction has just stored, so rows that were duplicates change nothing. Uncertain samples neither open nor close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime.events import Quality

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

OPEN_END = 2**63 - 1  # `ended` of a gap that is still open: one index finds open and late ones

# Good samples in hand that fall inside known gaps: the first one of each gap ends it.
_CUT = """
WITH good AS (SELECT * FROM unnest(%s::int[], %s::bigint[]) AS good (tag, t)),
cut AS (
    SELECT gap.tag, gap.started, gap.ended, min(good.t) AS at
    FROM reading_gaps AS gap JOIN good ON good.tag = gap.tag AND good.t > gap.started AND good.t < gap.ended
    GROUP BY gap.tag, gap.started, gap.ended
),
changed AS (
    UPDATE reading_gaps AS gap SET ended = cut.at FROM cut WHERE gap.tag = cut.tag AND gap.started = cut.started RETURNING 1
)
SELECT sample.tag, sample.t FROM cut CROSS JOIN LATERAL (
    SELECT cut.tag, s.t FROM samples AS s WHERE s.tag = cut.tag AND s.t > cut.at AND s.t < cut.ended AND s.q & 3 = 2
) AS sample
"""

# Bad samples that no gap covers: each run of them up to the next good sample is one gap; it swallows later starts of the same run.
_OPEN = """
WITH bad AS (
    SELECT b.tag, b.t FROM unnest(%s::int[], %s::bigint[]) AS b (tag, t)
    WHERE NOT EXISTS (SELECT 1 FROM reading_gaps AS gap WHERE gap.tag = b.tag AND gap.started <= b.t AND gap.ended > b.t)
),
runs AS (
    SELECT bad.tag, bad.t, coalesce(
        (SELECT s.t FROM samples AS s WHERE s.tag = bad.tag AND s.t > bad.t AND s.q & 3 = 0 ORDER BY s.t LIMIT 1), %s::bigint
    ) AS ended FROM bad
),
gaps AS (SELECT tag, min(t) AS started, ended FROM runs GROUP BY tag, ended),
swallowed AS (
    DELETE FROM reading_gaps AS gap USING gaps
    WHERE gap.tag = gaps.tag AND gap.started > gaps.started AND gap.started < gaps.ended RETURNING 1
)
INSERT INTO reading_gaps (tag, started, ended, reason)
SELECT gaps.tag, gaps.started, gaps.ended,
    (SELECT s.q >> 2 FROM samples AS s WHERE s.tag = gaps.tag AND s.t = gaps.started AND s.q & 3 = 2 LIMIT 1)
FROM gaps ORDER BY gaps.tag, gaps.started
ON CONFLICT (tag, started) DO UPDATE SET ended = excluded.ended
"""


def update(cur: cursor, tag: npt.NDArray[np.int32], t: npt.NDArray[np.int64], q: npt.NDArray[np.int16]) -> None:
    """Bring the gaps up to date with samples that this transaction has inserted; (n,) each, any order."""
    if not len(tag):
        return
    quality = q & 3
    bad = quality == Quality.BAD
    bad_tags, bad_times = tag[bad].tolist(), t[bad].tolist()
    touched = _tags_with_gaps(cur, tag, int(t.min()), int(t.max()))
    if touched:
        good = (quality == Quality.GOOD) & np.isin(tag, touched)
        cur.execute(_CUT, (tag[good].tolist(), t[good].tolist()))
        for left_tag, left_t in cur.fetchall():
            bad_tags.append(left_tag)
            bad_times.append(left_t)
    if bad_tags:
        cur.execute(_OPEN, (bad_tags, bad_times, OPEN_END))


def _tags_with_gaps(cur: cursor, tag: npt.NDArray[np.int32], first: int, last: int) -> list[int]:
    cur.execute("SELECT DISTINCT tag FROM reading_gaps WHERE ended > %s AND started < %s", (first, last))
    touched = [row[0] for row in cur.fetchall()]
    return [found for found in touched if found in set(tag.tolist())] if touched else []
