"""Hourly means of several tags in one query: what forecasts stand on. Good readings only, as the roll-ups hold nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.partitions import HOUR_MS

Levels = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]

_HOURS = "SELECT tag, t, sum / n FROM rollup_1h WHERE tag = ANY(%s) AND t >= %s AND t < %s AND n > 0 ORDER BY tag, t"


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
