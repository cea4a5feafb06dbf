"""Readings on their way into a table, and what became of them. It knows identity `(tag, t, seq)`, not which table is meant.

The first reading of an identity stays; the same value again is a duplicate, another one a conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from realtime.events import Batch
from realtime.pgcopy import copy_rows

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

COLUMNS = ("t", "v", "seq", "tag", "q")
TYPES = ("i8", "f8", "i8", "i4", "i2")
_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staging_readings (t bigint, v double precision, seq bigint, tag integer, q smallint) ON COMMIT DELETE ROWS
"""
_INSERT_STAGED = """
INSERT INTO {table} (t, v, seq, tag, q) SELECT t, v, seq, tag, q FROM staging_readings
ON CONFLICT (tag, t, seq) DO NOTHING RETURNING t, v, seq, tag, q
"""
_COUNT_CONFLICTS = """
SELECT count(*) FROM staging_readings AS new JOIN {table} AS kept USING (tag, t, seq)
WHERE (new.v, new.q) IS DISTINCT FROM (kept.v, kept.q)
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of readings: stored anew, there already with the same value, there with another one; or so old that what was
    stored of their hour is dropped by now and they cannot be told from what was counted then."""

    stored: int = 0
    duplicate: int = 0
    conflict: int = 0
    expired: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(
            self.stored + other.stored, self.duplicate + other.duplicate, self.conflict + other.conflict, self.expired + other.expired
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings as the tables have them, (n,) each."""

    t: npt.NDArray[np.int64]
    v: npt.NDArray[np.float64]
    seq: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int32]
    q: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.t)

    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """In the order of COLUMNS."""
        return (self.t, self.v, self.seq, self.tag, self.q)

    def take(self, chosen: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> Rows:
        """The chosen rows, in that order."""
        return Rows(self.t[chosen], self.v[chosen], self.seq[chosen], self.tag[chosen], self.q[chosen])

    def ordered(self) -> Rows:
        """By tag, t, seq; of one identity what came first stays first."""
        return self.take(np.lexsort((self.seq, self.t, self.tag)))

    @classmethod
    def of(cls, batches: Sequence[Batch]) -> Rows:
        """The numbers of batches."""
        return cls(
            np.concatenate([batch.t for batch in batches]),
            np.concatenate([batch.numbers() for batch in batches]),
            np.concatenate([batch.seq for batch in batches]).astype(np.int64),
            np.concatenate([batch.ids for batch in batches]).astype(np.int32),
            np.concatenate([batch.quality for batch in batches]).astype(np.int16),
        )

    @classmethod
    def fetched(cls, found: list[tuple[int, float, int, int, int]]) -> Rows:
        """Rows of a query in the order of COLUMNS."""
        columns = zip(*found, strict=True) if found else ((),) * len(COLUMNS)
        return cls(*(np.array(column, kind) for column, kind in zip(columns, TYPES, strict=True)))

    def __add__(self, other: Rows) -> Rows:
        return Rows(*(np.concatenate(both) for both in zip(self.columns(), other.columns(), strict=True)))


def distinct(rows: Rows) -> tuple[Rows, int]:
    """The first of each identity of ordered rows, and how many others differ from it."""
    same = (rows.tag[1:] == rows.tag[:-1]) & (rows.t[1:] == rows.t[:-1]) & (rows.seq[1:] == rows.seq[:-1])
    if not same.any():
        return rows, 0
    first = np.concatenate(([True], ~same))
    kept = np.flatnonzero(first)[np.cumsum(first) - 1]  # for every row the one that stays
    return rows.take(first), int((~are_equal(rows, rows.take(kept))).sum())


def are_equal(one: Rows, other: Rows) -> npt.NDArray[np.bool_]:
    """Row by row: the same value and quality; unknown is equal to unknown."""
    equal: npt.NDArray[np.bool_] = ((one.v == other.v) | (np.isnan(one.v) & np.isnan(other.v))) & (one.q == other.q)
    return equal


def insert_staged(cur: cursor, table: str, rows: Rows) -> tuple[Rows, int]:
    """Insert ordered rows through a staging table; returns those that were new, and how many differ from what is stored."""
    cur.execute(_STAGING)
    cur.execute("DELETE FROM staging_readings")  # of an earlier call in the same transaction
    copy_rows(cur, "staging_readings", COLUMNS, rows.columns())
    cur.execute(_INSERT_STAGED.format(table=table))
    stored = Rows.fetched(cur.fetchall())
    cur.execute(_COUNT_CONFLICTS.format(table=table))
    row = cur.fetchone()
    return stored, int(row[0]) if row else 0
