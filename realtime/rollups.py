"""Roll-ups of a minute, an hour and a day, added up from readings in hand and merged into what is stored.

They count only readings that were really inserted and are good, so that duplicates, late and unordered data leave them right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime.partitions import DAY_MS, HOUR_MS, WIDTHS, ensure
from realtime.pgcopy import copy_rows

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

MINUTE_MS = 60_000
LARGEST = 1e150  # the squares of larger values overflow; they are stored, but no measurement, and not rolled up
TIERS = (("rollup_1m", MINUTE_MS), ("rollup_1h", HOUR_MS), ("rollup_1d", DAY_MS))

_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staging_rollups (
    t bigint, sum double precision, min double precision, max double precision, m2 double precision, tag integer, n integer, width integer
) ON COMMIT DELETE ROWS
"""
# The squares of two parts are merged about their own means (Chan, Golub, LeVeque 1979): no cancellation at large means.
_MERGE = """
INSERT INTO {table} AS old (t, sum, min, max, m2, tag, n)
SELECT t, sum, min, max, m2, tag, n FROM staging_rollups WHERE width = {width}
ON CONFLICT (tag, t) DO UPDATE SET
    m2 = old.m2 + excluded.m2
        + (excluded.sum / excluded.n - old.sum / old.n) ^ 2 * old.n * excluded.n / (old.n + excluded.n),
    sum = old.sum + excluded.sum, n = old.n + excluded.n,
    min = least(old.min, excluded.min), max = greatest(old.max, excluded.max)
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """Sums of readings by tag and span: tag, t (start of the span), n, sum, min, max and m2, the squares about the mean."""

    tag: npt.NDArray[np.int32]
    t: npt.NDArray[np.int64]
    n: npt.NDArray[np.int32]
    sum: npt.NDArray[np.float64]
    min: npt.NDArray[np.float64]
    max: npt.NDArray[np.float64]
    m2: npt.NDArray[np.float64]


def parts(tag: npt.NDArray[np.int32], t: npt.NDArray[np.int64], v: npt.NDArray[np.float64], width_ms: int) -> Parts:
    """Add good values up by tag and span of width_ms. All (n,), sorted by tag, then t; n >= 1."""
    span = t // width_ms * width_ms
    starts = np.flatnonzero(np.concatenate(([True], (tag[1:] != tag[:-1]) | (span[1:] != span[:-1]))))
    n = np.diff(np.concatenate((starts, [len(tag)])))
    total = np.add.reduceat(v, starts)
    m2 = np.add.reduceat((v - np.repeat(total / n, n)) ** 2, starts)
    return Parts(tag[starts], span[starts], n.astype(np.int32), total, np.minimum.reduceat(v, starts), np.maximum.reduceat(v, starts), m2)


def ensure_partitions(cur: cursor, times: npt.NDArray[np.int64]) -> None:
    """Make the partitions that roll-ups of readings of these times need."""
    for table, _ in TIERS:
        if table in WIDTHS:
            ensure(cur, table, (np.unique(times // WIDTHS[table]) * WIDTHS[table]).tolist())


def add(cur: cursor, tag: npt.NDArray[np.int32], t: npt.NDArray[np.int64], v: npt.NDArray[np.float64]) -> None:
    """Merge good readings, sorted by tag, then t, into every tier; the same order in every process: no deadlock."""
    if not len(tag):
        return
    cur.execute(_STAGING)
    cur.execute("DELETE FROM staging_rollups")  # of an earlier call in the same transaction
    names = ("t", "sum", "min", "max", "m2", "tag", "n", "width")
    tiers = [(parts(tag, t, v, width), width) for _, width in TIERS]
    columns = [np.concatenate([getattr(part, name) for part, _ in tiers]) for name in names[:-1]]
    columns.append(np.concatenate([np.full(len(part.tag), width, np.int32) for part, width in tiers]))
    copy_rows(cur, "staging_rollups", names, columns)
    for table, width in TIERS:
        cur.execute(_MERGE.format(table=table, width=width))
