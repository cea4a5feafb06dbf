"""What of an asset's history may be learned: good readings, while it ran, was past its start-up and not under work.

Nothing here learns or judges.
"""

from __future__ import annotations

import numpy as np

from ml.regimes import Condition, Spans, conditions, not_running, spans
from ml.scoring import GREATEST, Floats, Ints
from realtime import historian
from realtime.historian import Connection
from realtime.snapshot import Snapshot

MAX_READINGS = 200_000  # of one tag: 0.2 s over the fine part is 39,000
LEVEL_POINTS = 3000
LOOK_BACK_MS = 3_600_000  # for the state that held when a stretch began


def barred(conn: Connection, snapshot: Snapshot, asset_id: int, start: int, end: int) -> Spans:
    """Stretches of [start, end) of which nothing may be learned: maintenance mode, standstill, idling, start-up."""
    asset = snapshot.asset_by_id()[asset_id]
    (condition,) = conditions([asset], [tag for tag in snapshot.tags if tag.asset == asset_id], snapshot.sources)
    pairs = [(max(work.start, start), min(work.end, end)) for work in asset.work]
    if condition.tag is not None:
        pairs += not_running(condition, *_states(conn, condition, start, end), start, end)
    return spans(pairs)


def _states(conn: Connection, condition: Condition, start: int, end: int) -> tuple[Ints, Floats]:
    """(t, value) of the state tag, value NaN where it was not good: its readings, or minutes and hours where they are too many.

    A minute in which the value moved counts as unknown.
    """
    assert condition.tag is not None
    since = start - LOOK_BACK_MS
    if historian.count(conn, [condition.tag], since, end) <= MAX_READINGS:
        rows = historian.readings(conn, condition.tag, since, end, None, MAX_READINGS)
        t = np.array([t for t, _, _ in rows], np.int64)
        return t, np.array([np.nan if v is None or q & 3 else v for _, v, q in rows], np.float64)
    points = historian.trend(conn, condition.tag, since, end, LEVEL_POINTS).points
    t = np.array([point[0] for point in points], np.int64)
    low, high = (np.array([point[i] for point in points], np.float64) for i in (1, 3))
    return t, np.where(low == high, low, np.nan)


def free(closed: Spans, start: int, end: int) -> list[tuple[int, int]]:
    """What is left of [start, end)."""
    edges = [(max(a, start), min(b, end)) for a, b in closed.edges.tolist() if b > start and a < end]
    begins, ends = [start, *(b for _, b in edges)], [*(a for a, _ in edges), end]
    return [(a, b) for a, b in zip(begins, ends, strict=True) if b > a]


def newest(stretches: list[tuple[int, int]], wanted_ms: int) -> list[tuple[int, int]]:
    """The end of these stretches that adds up to `wanted_ms`, ascending."""
    kept: list[tuple[int, int]] = []
    for start, end in reversed(stretches):
        if wanted_ms <= 0:
            break
        kept.append((max(start, end - wanted_ms), end))
        wanted_ms -= end - start
    return kept[::-1]


def spread(stretches: list[tuple[int, int]], number: int, each_ms: int) -> list[tuple[int, int]]:
    """So many pieces of at most each_ms, as far apart as these stretches allow; ascending, none beyond its stretch."""
    total = sum(end - start for start, end in stretches)
    pieces = []
    for k in range(number):
        at = (2 * k + 1) * total // (2 * number)
        for start, end in stretches:
            if at < end - start:
                pieces.append((max(start, start + at - each_ms // 2), min(end, start + at + each_ms // 2)))
                break
            at -= end - start
    return pieces if total > number * each_ms else stretches


def good_readings(conn: Connection, tag_id: int, stretches: list[tuple[int, int]]) -> tuple[Ints, Floats]:
    """(t, value) of the good readings in these stretches, the oldest `MAX_READINGS` of each."""
    rows = [row for a, b in stretches for row in historian.readings(conn, tag_id, a, b, None, MAX_READINGS)]
    good = [(t, v) for t, v, q in rows if q & 3 == 0 and v is not None and abs(v) <= GREATEST]
    return np.array([t for t, _ in good], np.int64), np.array([v for _, v in good], np.float64)


def levels(conn: Connection, tag_id: int, start: int, end: int, closed: Spans) -> tuple[Ints, Floats]:
    """(t int64 (n,), float64 (n, 4): minimum, mean, maximum, readings) of minutes or longer in no barred stretch, without garbage."""
    points = [point for point in historian.trend(conn, tag_id, start, end, LEVEL_POINTS).points if point[1] is not None]
    t = np.array([point[0] for point in points], np.int64)
    rows = np.array([point[1:] for point in points], np.float64).reshape(-1, 4)
    width = int(np.diff(t).min()) if len(t) > 1 else 1
    keep = ~closed.touch(t, t + width) & (np.abs(rows[:, :3]) <= GREATEST).all(axis=1)
    return t[keep], rows[keep]
