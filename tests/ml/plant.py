"""A small plant for the monitor's tests: snapshots, batches, healthy signals. The demo's own signals stand in `demo.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.channels import Channels
from ml.detector import DETECTORS, Detector
from ml.engine import AssetModel, Engine
from ml.scoring import RUNNING, Chunk, History, Series
from realtime import settings as settings_module
from realtime.events import Batch, Quality, Reason, quality_byte
from realtime.settings import Settings
from realtime.snapshot import Asset, Snapshot, Tag

T0 = 1_767_600_000_000  # a round time, ms UTC
DAY_OF_MINUTES = 1440  # a baseline's levels
BAD_COMM = quality_byte(Quality.BAD, Reason.COMM)


def quiet_settings(**environment: str) -> Settings:
    """Settings without any service."""
    return settings_module.load({"SIGHTLINE_ENV_FILE": "none", "DATA_DIR": "/nonexistent", **environment}, None)


def tag(number: int, **fields: Any) -> Tag:
    """An analogue tag of asset 1, shard 1, every second, with a stuck time of 30 s."""
    return Tag(**{"id": number, "name": f"T-{number}", "asset": 1, "shard": 1, "unit": "bar", "source": "plant", "stuck_s": 30.0, **fields})


def snapshot(*tags: Tag, version: int = 1, **fields: Any) -> Snapshot:
    """A snapshot whose assets are those the tags name."""
    assets = [Asset(id=i, code=f"A{i}", name=f"Asset {i}") for i in sorted({t.asset for t in tags})]
    return Snapshot(**{"version": version, "tags": list(tags), "assets": assets, **fields})


def batch(
    ids: Sequence[int], values: Sequence[float], t: int, *, quality: int = 0, shard: int = 1, received: int | None = None, **fields: Any
) -> Batch:
    """One reading a tag at time t."""
    n = len(ids)
    return Batch(
        **{
            "shard": shard,
            "received_ms": t if received is None else received,
            "source": "plant",
            "ids": np.array(ids, np.uint32),
            "t": np.full(n, t, np.int64),
            "quality": np.full(n, quality, np.uint8),
            "seq": np.zeros(n, np.uint32),
            "values": np.array(values, np.float64),
            **fields,
        }
    )


def chunk(slots: Sequence[int], values: Sequence[float], t: int, *, fresh: bool = False, dt: float = 1.0, running: int = RUNNING) -> Chunk:
    """One reading a slot at time t."""
    n = len(slots)
    return Chunk(
        np.array(slots, np.int64),
        np.full(n, t, np.int64),
        np.array(values, np.float64),
        np.full(n, 0.0 if fresh else dt),
        np.full(n, fresh),
        np.full(n, running, np.int8),
        np.full(n, t, np.int64),
    )


def wander(seconds: int, *, seed: int = 1, channels: int = 1, level: float = 50.0) -> np.ndarray:
    """float64 (seconds, channels): a level with slow wander and noise, one reading a second, resolution 0.01."""
    rng = np.random.default_rng(seed)
    t = np.arange(seconds)[:, None]
    phase = rng.uniform(0, 2 * np.pi, (3, channels))
    slow = sum(a * np.sin(2 * np.pi * t / period + p) for a, period, p in zip((0.3, 0.2, 0.2), (900, 170, 60), phase, strict=True))
    return np.round(level + slow + rng.normal(0, 0.1, (seconds, channels)), 2)


def series(values: np.ndarray, start: int = T0, period_ms: int = 1000) -> Series:
    """Good readings at a fixed period."""
    t = start + np.arange(len(values), dtype=np.int64) * period_ms
    return Series(t, values.astype(np.float64), np.tile([values.min(), values.mean(), values.max()], (DAY_OF_MINUTES, 1)))


def history(tags: Sequence[Tag], values: np.ndarray, window_s: float = 60.0, start: int = T0, trees: int = 20) -> History:
    """A history of the tags; values (n, n_tags)."""
    return History(tuple(tags), tuple(series(values[:, i], start) for i in range(len(tags))), window_s, trees)


def detector(name: str, snap: Snapshot, *, shard: int = 1, baseline: History | None = None, **environment: str) -> Detector:
    """One detector of the table, with what it learned of the baseline in force."""
    channels = Channels(snap, shard)
    made = DETECTORS[name].make(channels, quiet_settings(**environment))
    if baseline is not None:
        made.load(channels.slots_of(np.array([t.id for t in baseline.tags], np.uint32)), made.learn(baseline))
    return made


def model(snap: Snapshot, baseline: History, **environment: str) -> AssetModel:
    """What every detector learned of one asset."""
    channels = Channels(snap, baseline.tags[0].shard)
    learned = {name: row.make(channels, quiet_settings(**environment)).learn(baseline) for name, row in DETECTORS.items() if row.learns}
    return AssetModel(baseline.tags[0].asset, tuple(t.id for t in baseline.tags), learned, None, provisional=False, baseline_hash="test")


def engine(snap: Snapshot, *models: AssetModel, shard: int = 1, **environment: str) -> Engine:
    """An engine with models in force, listening since T0."""
    made = Engine(snap, shard, quiet_settings(**environment))
    for one in models:
        made.load(one)
    made.start_listening(T0 - 60_000)
    return made
