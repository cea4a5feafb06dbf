"""Hourly means of several tags in one query: what forecasts stand on. Good readings only, as the roll-ups hold nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.partitions import HOUR_MS

Levels = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]

_HOURS = "SELECT tag, t, sum / n FROM rollup_1h WHERE tag = ANY(%s) AND t >= %s AND t < %s AND n > 0 ORDER BY tag, t"
_STILL = "SELECT t, min, max FROM rollup_1h WHERE tag = %s AND t >= %s AND t < %s AND n > 0 ORDER BY t"


def hourly_levels(conn: Any, tag_ids: Sequence[int], start: int, end: int) -> dict[int, Levels]:
    """(middle of the hour ms UTC int64 (n,), mean float64 (n,)) by tag, ascending; tags without a good reading are left out."""
    with conn.cursor() as cur:
        cur.execute(_HOURS, (list(tag_ids), start // HOUR_MS * HOUR_MS, end))
        rows = cur.fetchall()
    if not rows:
        return {}
    tag, t, mean = (np.array(column) for column in zip(*rows, strict=True))
    edges = np.flatnonzero(np.diff(tag)) + 1
    parts = zip(np.split(tag, edges), np.split(t, edges), np.split(mean, edges), strict=True)
    return {int(one[0]): (at.astype(np.int64) + HOUR_MS // 2, level.astype(np.float64)) for one, at, level in parts}


def hourly_states(conn: Any, tag_id: int, start: int, end: int) -> Levels:
    """(middle of the hour ms UTC int64 (n,), value float64 (n,)) of a state tag, ascending; NaN where it changed within the hour."""
    with conn.cursor() as cur:
        cur.execute(_STILL, (tag_id, start // HOUR_MS * HOUR_MS, end))
        rows = np.array(cur.fetchall(), np.float64).reshape(-1, 3)
    return rows[:, 0].astype(np.int64) + HOUR_MS // 2, np.where(rows[:, 1] == rows[:, 2], rows[:, 1], np.nan)
