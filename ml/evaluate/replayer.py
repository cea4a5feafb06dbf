"""Recorded arrays through the monitor's own classes with the shipped constants: a plant of one asset, a tag a channel.

Nothing is fitted or set here. What a person would enter for an instrument is the period, and the time that a fast signal may
stand still (`STUCK_PERIODS`, as in the demo); everything else is learned from the train part by `ml.training.learn`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ml import training
from ml.channels import Channels
from ml.detector import DETECTORS, Detector
from ml.engine import AssetModel, Engine
from ml.gate import FIRST_READINGS_S, RESTART_PERIODS
from ml.scoring import RUNNING, Chunk, Flags, Floats, History, Ints, Score, Series
from realtime import settings as settings_module
from realtime.events import Batch, Finding, Quality
from realtime.settings import Settings
from realtime.snapshot import Asset, Baseline, Snapshot, Tag

START_MS = 1_767_571_200_000  # midnight UTC: of streams that bring no times
STUCK_PERIODS = 30.0
REPLAYED_PERIODS = 300  # the end of the train part fills the windows, as for a monitor that ran while it was recorded
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Rig:
    """One asset with its model. t int64 (n,) ms UTC and train float64 (n, c): what the model was learned from."""

    snapshot: Snapshot
    settings: Settings
    model: AssetModel
    history: History
    t: Ints
    train: Floats
    period_ms: int

    @property
    def next_ms(self) -> int:
        """When the first reading after the train part is due."""
        return int(self.t[-1]) + self.period_ms


def shipped_settings() -> Settings:
    """The defaults, whatever the environment says."""
    return settings_module.load({"SIGHTLINE_ENV_FILE": "none"}, None, resolve=False)


def rig(train: Floats, *, period_s: float = 1.0, t: Ints | None = None, detectors: Iterable[str] = ()) -> Rig:
    """Learn from train float64 (n, c), NaN = no reading; t int64 (n,) ms UTC ascending, else every period_s.

    detectors: names from the table to learn, all of them when empty.
    """
    train = np.asarray(train, np.float64).reshape(len(train), -1)
    period_ms = round(period_s * 1000)
    at = START_MS + np.arange(len(train), dtype=np.int64) * period_ms if t is None else t
    asset = Asset(id=1, code="P-1", name="P-1", baselines=[Baseline(start=int(at[0]), end=int(at[-1]), confirmed=True)])
    tags = [
        Tag(id=i + 1, name=f"ch{i}", asset=1, shard=1, unit="", period_s=period_s, stuck_s=STUCK_PERIODS * period_s)
        for i in range(train.shape[1])
    ]
    snapshot, settings = Snapshot(version=1, tags=tags, assets=[asset]), shipped_settings()
    series = tuple(_series(at, train[:, i]) for i in range(train.shape[1]))
    history = History(tuple(tags), series, settings.aggregation_window_s, settings.n_estimators)
    wanted = frozenset(detectors)
    if wanted:
        learned = {name: DETECTORS[name].make(Channels(snapshot, 1), settings).learn(history) for name in sorted(wanted)}
        model = AssetModel(1, tuple(tag.id for tag in tags), learned, None, provisional=False, baseline_hash="")
    else:
        model = training.learn(history, asset, snapshot, settings, provisional=False, version=None)
    return Rig(snapshot, settings, model, history, at, train, period_ms)


def _series(t: Ints, v: Floats) -> Series:
    good = np.isfinite(v)
    t, v = t[good], v[good]
    starts = np.flatnonzero(np.diff(t // MINUTE_MS, prepend=-1))
    if not len(v):
        return Series(t, v, np.empty((0, 3)))
    count = np.diff(np.append(starts, len(v)))
    levels = np.stack([np.minimum.reduceat(v, starts), np.add.reduceat(v, starts) / count, np.maximum.reduceat(v, starts)], axis=1)
    return Series(t, v, levels)


class EngineReplay:
    """The whole engine of a shard: batch and tick a reading."""

    def __init__(self, made: Rig) -> None:
        self.rig = made
        self.engine = Engine(made.snapshot, 1, made.settings)
        self.engine.load(made.model)
        first = max(len(made.train) - REPLAYED_PERIODS, 0)
        self.engine.start_listening(int(made.t[first]))
        for at, row in zip(made.t[first:], made.train[first:], strict=True):
            self.step(row, int(at))

    def step(self, x: Floats, t: int) -> list[Finding]:
        """One reading of every channel, float64 (c,), NaN = none; t ms UTC."""
        n = len(x)
        good = np.isfinite(x)
        quality = np.where(good, int(Quality.GOOD), int(Quality.BAD)).astype(np.uint8)
        ids, seq = np.arange(1, n + 1, dtype=np.uint32), np.zeros(n, np.uint32)
        batch = Batch(1, t, "replay", ids, np.full(n, t, np.int64), quality, seq, np.where(good, x, 0.0))
        return self.engine.process([batch]) + self.engine.tick(t)

    def open(self) -> list[Finding]:
        """The findings that stand."""
        return [one.finding for one in self.engine.book.open.values()]


class DetectorReplay:
    """One detector of the table alone, fed with chunks: for suites that ask of one technique."""

    def __init__(self, name: str, made: Rig, *, warm: int = REPLAYED_PERIODS) -> None:
        self.rig = made
        channels = Channels(made.snapshot, 1)
        self.detector: Detector = DETECTORS[name].make(channels, made.settings)
        self.detector.load(np.arange(len(channels)), made.model.learned.get(name, {}))
        self.last = np.full(len(channels), -(10**15), np.int64)
        self.restart_ms = max(RESTART_PERIODS * made.period_ms, FIRST_READINGS_S * 1000)
        first = max(len(made.train) - warm, 0)
        for at, row in zip(made.t[first:], made.train[first:], strict=True):
            self.step(row, int(at))

    def step(self, x: Floats, t: int) -> Score | None:
        """One reading of every channel, float64 (c,), NaN = none; t ms UTC. What the detector says of its rows."""
        slots = np.flatnonzero(np.isfinite(x))
        since = t - self.last[slots]
        fresh: Flags = since > self.restart_ms
        dt = np.where(fresh, 0.0, since / 1000)
        n = len(slots)
        self.last[slots] = t
        return self.detector.score(
            Chunk(slots, np.full(n, t, np.int64), x[slots], dt, fresh, np.full(n, RUNNING, np.int8), np.full(n, t, np.int64))
        )
