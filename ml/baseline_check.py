"""Whether an interval that a person calls healthy can be a baseline; `check_baseline` is the job of queue `ml`.

It judges the interval by itself: what a model makes of it is `ml.training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg2

from ml.healthy import barred, free, levels
from ml.progress import Progress
from ml.regimes import Spans
from ml.scoring import Flags, Floats, Ints
from ml.training import learnable
from realtime import settings as settings_module
from realtime.bus import Bus, connect
from realtime.historian import Connection
from realtime.settings import Settings
from realtime.snapshot import Snapshot, Tag

HALF_BLOCKS = 24  # a half is cut into so many stretches; two neighbours are the block that is judged
OFF = 3.0  # spreads that a block mean may lie from the other half
STAND_READINGS = 10  # ML.md 3.2: 2 x the longest standstill of the other half and so many readings
STAND_FACTOR = 2.0
GAP_INTERVALS, GAP_LEAST_MS = 10, 60_000
LEAST_MS = 600_000  # of healthy running in all
REASONS = 8  # told at most


@dataclass(frozen=True, slots=True)
class Levels:
    """Stretches of one tag of one asset: t int64 (n,) ms UTC; low, mean, high float64 (n,) engineering units; n readings."""

    tag: Tag
    t: Ints
    low: Floats
    mean: Floats
    high: Floats
    n: Floats


def check(conn: Connection, snapshot: Snapshot, asset_id: int, span: tuple[int, int], settings: Settings) -> dict[str, Any]:
    """{"reasons": why it is refused, none = it may be a baseline, "left_out_s", "readings", "tags"}; raises KeyError."""
    start, end = span
    closed = barred(conn, snapshot, asset_id, start, end)
    left_out = int((closed.edges[:, 1] - closed.edges[:, 0]).sum())
    tags = learnable(snapshot, asset_id)
    if not tags:
        return _answer(["The asset has no tag to learn from."], left_out, 0, 0)
    if end - start - left_out < LEAST_MS:
        words = (
            f"Only {_minutes(end - start - left_out)} are left after {_minutes(left_out)} under work, not running or starting up; "
            f"{_minutes(LEAST_MS)} are needed."
        )
        return _answer([words], left_out, 0, len(tags))
    series = [_levels(conn, tag, span, closed) for tag in tags]
    reasons = [words for one in series for words in reasons_against(one, span, closed, settings)]
    return _answer(reasons, left_out, int(sum(one.n.sum() for one in series)), len(tags))


def _answer(reasons: list[str], left_out_ms: int, readings: int, tags: int) -> dict[str, Any]:
    more = len(reasons) - REASONS
    told = [*reasons[:REASONS], f"And {more} more."] if more > 0 else reasons
    return {"reasons": told, "left_out_s": round(left_out_ms / 1000), "readings": readings, "tags": tags}


def _levels(conn: Connection, tag: Tag, span: tuple[int, int], closed: Spans) -> Levels:
    t, rows = levels(conn, tag.id, *span, closed)
    return Levels(tag, t, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3])


def reasons_against(one: Levels, span: tuple[int, int], closed: Spans, settings: Settings) -> list[str]:
    """Why a tag's interval [start, end) is no baseline, in plain words: too few readings, a gap, a standstill, halves that disagree."""
    if one.n.sum() < settings.min_training_samples:
        return [f"{one.tag.name} has {int(one.n.sum())} good readings in it; {settings.min_training_samples} are needed."]
    gaps = _gaps(one, span, closed)
    if gaps:
        return gaps
    half = one.t < (one.t[0] + one.t[-1]) / 2
    found = _standstill(one, half)
    return found or (_disagreement(one, half) if one.tag.drift else [])


def _gaps(one: Levels, span: tuple[int, int], closed: Spans) -> list[str]:
    usual = float(np.median(np.diff(one.t))) if len(one.t) > 1 else 0.0
    quiet_ms = 3000 * one.tag.max_interval_s if one.tag.deadband > 0 or one.tag.deadband_pct > 0 else 0.0
    most = max(GAP_INTERVALS * usual, quiet_ms, GAP_LEAST_MS)
    found = []
    for start, end in free(closed, *span):
        inside = one.t[(one.t >= start) & (one.t < end)]
        edges = np.concatenate(([start], inside, [end]))
        for i in np.flatnonzero(np.diff(edges) > most + usual).tolist():
            found.append(f"{one.tag.name} has no good reading from {_when(edges[i])} to {_when(edges[i + 1])}.")
    return found


def _standstill(one: Levels, half: Flags) -> list[str]:
    """A run of equal values far longer than the other half knows."""
    step = float(np.median(np.diff(one.t))) if len(one.t) > 1 else 0.0
    reading_ms = step / max(float(np.median(one.n)), 1.0)
    runs = [_longest(one, side) for side in (half, ~half)]
    whole = runs[0][1] - runs[0][0] + runs[1][1] - runs[1][0]
    if one.tag.stuck_s is not None and whole >= 0.99 * (one.t[-1] - one.t[0]) and whole > 1000 * one.tag.stuck_s:
        return [f"{one.tag.name} stands still at {_figure(one.tag, one.mean[0])} in all of it."]
    found = []
    for mine, other in (runs, runs[::-1]):
        most = max(1000 * (one.tag.stuck_s or 0.0), STAND_FACTOR * (other[1] - other[0]) + STAND_READINGS * max(reading_ms, step))
        if mine[1] - mine[0] > most:
            found.append(f"{one.tag.name} stands still from {_when(mine[0])} to {_when(mine[1])}, far longer than it does otherwise.")
    return found


def _longest(one: Levels, side: Flags) -> tuple[int, int]:
    """(start, end) ms UTC of the longest run of one value within the tag's stuck deadband."""
    t, low, high = one.t[side], one.low[side], one.high[side]
    if not len(t):
        return 0, 0
    flat = high - low <= one.tag.stuck_deadband
    same = flat[1:] & flat[:-1] & (np.abs(np.diff(low)) <= one.tag.stuck_deadband)
    starts = np.flatnonzero(np.append(True, ~same))
    ends = np.append(starts[1:] - 1, len(t) - 1)
    at = int(np.argmax(t[ends] - t[starts]))
    return int(t[starts[at]]), int(t[ends[at]])


def _disagreement(one: Levels, half: Flags) -> list[str]:
    """A block whose mean lies more than 3 s from the other half.

    s^2 = mean over lags of the mean squared difference between stretches of that other half, plus resolution and sampling: how
    far its level moves by itself. Source: ML.md 3.5 and 3.12.
    """
    for mine, other in ((~half, half), (half, ~half)):
        theirs, _, noise = _stretches(one, other)
        means, edges, _ = _stretches(one, mine)
        if len(theirs) < 4 or len(means) < 2:
            continue
        lags = range(1, len(theirs) // 2 + 1)
        moves = float(np.mean([np.mean((theirs[lag:] - theirs[:-lag]) ** 2) for lag in lags]))
        s = float(np.sqrt(moves + noise + _resolution(one) ** 2 / 12))
        blocks = (means[1:] + means[:-1]) / 2
        z = np.abs(blocks - theirs.mean()) / max(s, 1e-12)
        at = int(np.argmax(z))
        if z[at] > OFF:
            tag, when = one.tag, f"from {_when(edges[at])} to {_when(edges[at + 2])}"
            there = f"in the other half {_figure(tag, float(theirs.mean()))}, give or take {_figure(tag, s)}"
            return [
                f"{tag.name} changes within it: {when} its mean is {_figure(tag, float(blocks[at]))}, {there}. "
                "Mark a stretch without that change, or whole days where it comes every day."
            ]
    return []


def _stretches(one: Levels, side: Flags) -> tuple[Floats, Ints, float]:
    """(means of the stretches of a half that hold readings, their edges ms UTC, the sampling variance of such a mean)."""
    t, n = one.t[side], one.n[side]
    edges = np.linspace(t[0], t[-1] + 1, HALF_BLOCKS + 1)
    of = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, HALF_BLOCKS - 1)
    count = np.bincount(of, n, HALF_BLOCKS)
    full = count > 0
    means = np.bincount(of, n * one.mean[side], HALF_BLOCKS)[full] / count[full]
    inside = np.average((one.mean[side] - _by_block(means, full, of)) ** 2, weights=n)
    points = np.bincount(of, minlength=HALF_BLOCKS)[full]
    kept = np.append(edges[:-1][full], edges[-1]).astype(np.int64)
    return means, kept, float(inside / max(np.median(points), 1.0))


def _by_block(means: Floats, full: Flags, of: Ints) -> Floats:
    every = np.zeros(len(full))
    every[full] = means
    return every[of]


def _resolution(one: Levels) -> float:
    steps = np.diff(np.unique(np.concatenate((one.low, one.high))))
    return float(steps.min()) if len(steps) else 0.0


def _figure(tag: Tag, value: float) -> str:
    return f"{value:.{max(tag.decimals, 2)}f} {tag.unit}".strip()


def _minutes(ms: float) -> str:
    return f"{ms / 3_600_000:.1f} h" if ms >= 7_200_000 else f"{ms / 60_000:.0f} min"


def _when(ms: float) -> str:
    """RFC 3339: pages show it by the browser's clock, as the table around it."""
    return datetime.fromtimestamp(float(ms) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_baseline(asset_id: int, baseline: int, start: int, end: int, job: int | str = "") -> dict[str, Any]:
    """The rq job: judge an interval (ms UTC) that a person marked; answers what `check` does and reports on `signals`."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url", "redis_url")
    bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
    progress = Progress(bus, job, 1, asset=asset_id)
    progress.at(0, "comparing the halves of the interval")
    snapshot = bus.config()
    if snapshot is None or asset_id not in snapshot.asset_by_id():
        answer = _answer([f"Asset {asset_id} is not in the published plant."], 0, 0, 0)
    else:
        conn = psycopg2.connect(str(settings.database_url))
        try:
            answer = check(conn, snapshot, asset_id, (start, end), settings)
        finally:
            conn.close()
    progress.end("refused" if answer["reasons"] else "accepted", baseline={"id": baseline, **answer})
    return answer
