"""How often a model would have alarmed on its own baseline, and on thirds of it that it was not learned from.

The left-out figure is what a person may believe before a version is activated; the other one only shows how much was fitted.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from ml.engine import AssetModel, Engine
from ml.progress import Progress
from ml.scoring import History, Series
from realtime.events import Batch
from realtime.settings import Settings
from realtime.snapshot import Asset, Snapshot

FOLDS = 3
STEP_MS, TICK_MS = 1000, 10_000
SETTLE_MS = 60_000  # detectors warm up; not counted
ALIGN_MS = 3_600_000  # parts keep their place in minutes and hours
LONGEST_STEP_MS = 60_000  # a longer one is a gap, in which nothing was judged
NEVER = -1
RULES = frozenset({"gap", "limits"})  # not learned


def rehearse(
    history: History, model: AssetModel, asset: Asset, settings: Settings, learner: Callable[..., AssetModel], progress: Progress
) -> dict[str, Any]:
    """{"in_sample_alarm_rate", "left_out_alarm_rate": share of the time in alarm, "..._alarms_per_hour", "left_out_alarms": {detector: n}}.

    Each third of the full-rate part is judged by a model of the other two.
    """
    last = max(int(one.t[-1]) for one in history.series if len(one.t)) + 1
    most = max((one.t for one in history.series), key=len)
    edges = [*(int(most[len(most) * k // FOLDS]) for k in range(FOLDS)), last]  # thirds of the readings: there may be holes
    parts, models = [], []
    for k, (start, end) in enumerate(itertools.pairwise(edges)):
        progress.at(2 + k, f"learning without part {k + 1} of {FOLDS}, to judge that part")
        rest, part = _without(history, start, end), _within(history, start, end)
        if all(len(one.v) >= settings.min_training_samples for one in (*rest.series, *part.series)):
            parts.append(part)
            models.append(learner(rest, provisional=False, version=None))
    progress.at(2 + FOLDS, "judging the baseline")
    tallies = played([*models, *[model] * len(parts)], [*parts, *parts], asset, settings)
    left_out, own = (sum(some, start=Tally()) for some in (tallies[: len(parts)], tallies[len(parts) :]))
    return {**own.figures("in_sample"), **left_out.figures("left_out"), "left_out_alarms": dict(sorted(left_out.alarms.items()))}


class Tally:
    """Milliseconds judged, milliseconds in alarm, alarms by detector."""

    def __init__(self, judged_ms: int = 0, alarm_ms: int = 0, alarms: Counter[str] | None = None) -> None:
        self.judged_ms, self.alarm_ms = judged_ms, alarm_ms
        self.alarms: Counter[str] = Counter() if alarms is None else alarms

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.judged_ms + other.judged_ms, self.alarm_ms + other.alarm_ms, self.alarms + other.alarms)

    def pass_time(self, ms: int, alarms: Counter[str], *, in_alarm: bool) -> None:
        """So much more was judged."""
        self.judged_ms += ms
        self.alarm_ms += ms * in_alarm
        self.alarms += alarms

    def figures(self, name: str) -> dict[str, float | None]:
        """Rates, None where nothing was judged."""
        hours = self.judged_ms / 3_600_000
        return {
            f"{name}_alarm_rate": round(self.alarm_ms / self.judged_ms, 5) if hours else None,
            f"{name}_alarms_per_hour": round(self.alarms.total() / hours, 3) if hours else None,
        }


def played(models: Sequence[AssetModel], parts: Sequence[History], asset: Asset, settings: Settings) -> list[Tally]:
    """What the monitor's own engine makes of each part with its model; rules and silence are not counted.

    The parts run side by side, as if they were as many machines of one shard: the engine's cost is by the step, not by the tag.
    """
    copies = [_copy(k, model, part) for k, (model, part) in enumerate(zip(models, parts, strict=True))]
    tags = [tag for part, _ in copies for tag in part.tags]
    machines = [msgspec.structs.replace(asset, id=k + 1, runs_by="always") for k in range(len(copies))]
    tallies = [Tally() for _ in copies]
    if not copies:
        return tallies
    engine = Engine(Snapshot(version=1, tags=tags, assets=machines), 0, settings)
    for _, model in copies:
        engine.load(model)
    begun = NEVER
    heard = np.full(len(copies), NEVER)
    for now, batch, present in _steps([part for part, _ in copies]):
        if begun == NEVER:
            begun = now
            engine.start_listening(now)
        found = engine.process([batch])
        if now % TICK_MS == 0:
            found += engine.tick(now)
        opened = [(one.asset - 1, one.detector) for one in found if one.edge == "open" and one.detector not in RULES]
        standing = {open_.finding.asset - 1 for (name, _), open_ in engine.book.open.items() if name not in RULES}
        for k in present if now - begun >= SETTLE_MS else ():
            passed = min(now - int(heard[k]), LONGEST_STEP_MS) if heard[k] != NEVER else 0
            tallies[k].pass_time(passed, Counter(name for at, name in opened if at == k), in_alarm=k in standing)
        heard[present] = now
    return tallies


def _copy(k: int, model: AssetModel, part: History) -> tuple[History, AssetModel]:
    """The part and its model as machine k + 1, with tags of its own, begun at the same time as all others."""
    ids = tuple(1 + k * len(part.tags) + i for i in range(len(part.tags)))
    tags = tuple(
        msgspec.structs.replace(tag, id=i, asset=k + 1, shard=0, limits=[], calibrated_at=None)
        for i, tag in zip(ids, part.tags, strict=True)
    )
    first = min(int(one.t[0]) for one in part.series) // ALIGN_MS * ALIGN_MS
    series = tuple(replace(one, t=one.t - first + ALIGN_MS) for one in part.series)
    return replace(part, tags=tags, series=series), replace(model, asset=k + 1, tag_ids=ids)


def _steps(parts: Sequence[History]) -> Iterator[tuple[int, Batch, list[int]]]:
    """(end of the second, its readings, the parts they are of) of every second that has some."""
    every = [(tag.id, k, one) for k, part in enumerate(parts) for tag, one in zip(part.tags, part.series, strict=True)]
    t = np.concatenate([one.t for _, _, one in every])
    v = np.concatenate([one.v for _, _, one in every])
    ids = np.concatenate([np.full(len(one.t), i, np.uint32) for i, _, one in every])
    of = np.concatenate([np.full(len(one.t), k, np.int64) for _, k, one in every])
    order = np.argsort(t, kind="stable")
    t, v, ids, of = t[order], v[order], ids[order], of[order]
    seconds = t // STEP_MS
    starts = np.flatnonzero(np.append(True, seconds[1:] != seconds[:-1]))
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), len(t)], strict=True):
        n, end = b - a, int((seconds[a] + 1) * STEP_MS)
        columns = (ids[a:b], t[a:b], np.zeros(n, np.uint8), np.zeros(n, np.uint32), v[a:b])
        yield end, Batch(0, end, "rehearsal", *columns), sorted(set(of[a:b].tolist()))


def _within(history: History, start: int, end: int) -> History:
    return replace(history, series=tuple(_cut(one, (one.t >= start) & (one.t < end), None) for one in history.series))


def _without(history: History, start: int, end: int) -> History:
    parts = [_cut(one, (one.t < start) | (one.t >= end), (one.level_t < start) | (one.level_t >= end)) for one in history.series]
    return replace(history, series=tuple(parts))


def _cut(one: Series, keep: Any, levels: Any) -> Series:
    if levels is None or len(one.level_t) != len(one.levels):
        return replace(one, t=one.t[keep], v=one.v[keep])
    return replace(one, t=one.t[keep], v=one.v[keep], levels=one.levels[levels], level_t=one.level_t[levels])
