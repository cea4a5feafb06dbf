"""The demo plant's own signals and faults, fed to an engine without a bus: what the monitor must find in the story."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from ml.engine import AssetModel, Engine
from ml.scoring import History, Series
from plc.simulator.faults import Fault, faulted, plate_is_silent, plate_is_stuck, plate_overheat
from plc.simulator.plate import plate, statistics
from plc.simulator.signals import PLATE, Signal, healthy, plant_signals
from realtime.events import Batch, Finding
from realtime.snapshot import Asset, Limit, Snapshot, Tag
from tests.ml.plant import model, quiet_settings

SEED_END = 1_763_600_040_000
BASELINE_S = 2 * 3600
SIGNALS = plant_signals(3)
ASSETS = sorted({signal.asset for signal in SIGNALS.values()})


def period_s(signal: Signal) -> float:
    return 3.0 if signal.asset in {"M1", "M2", "M3"} else 1.0


def _tag(number: int, signal: Signal) -> Tag:
    limits = (
        [Limit(side="high", value=signal.level + 0.6 * signal.heat, severity="warning", deadband=0.5, on_delay_s=4)] if signal.heat else []
    )
    return Tag(
        id=number,
        name=signal.name,
        asset=ASSETS.index(signal.asset) + 1,
        shard=0,
        unit=signal.unit,
        source="plant",
        period_s=period_s(signal),
        range_low=0.0,
        range_high=signal.top,
        stuck_s=30.0,
        limits=limits,
    )


def _plate_tag(number: int, name: str) -> Tag:
    limits = [Limit(side="high", value=value, severity="warning", deadband=1.0, on_delay_s=4) for value in PLATE_LIMITS.get(name, ())]
    return Tag(
        id=number,
        name=f"{PLATE}.{name}",
        asset=ASSETS.index("DMLS-1") + 1,
        shard=0,
        unit="°C",
        source="plant",
        period_s=1.0,
        range_low=0.0,
        range_high=200.0,
        stuck_s=30.0,
        limits=limits,
        virtual=True,
    )


PLATE_NAMES = ("mean", "max", "min", "std")  # of the picture, as the collector computes them
PLATE_LIMITS = {"mean": (55.0,), "max": (85.0,)}
TAGS = [_tag(100 + i, signal) for i, signal in enumerate(SIGNALS.values())]
TAGS += [_plate_tag(300 + i, name) for i, name in enumerate(PLATE_NAMES)]
PLANT = Snapshot(version=1, tags=TAGS, assets=[Asset(id=i + 1, code=code, name=code) for i, code in enumerate(ASSETS)])


def _times(tag: Tag, start: int, seconds: int) -> np.ndarray:
    return np.arange(start, start + seconds * 1000, round(tag.period_s * 1000), dtype=np.int64)


@cache
def _plate_values(start: int, seconds: int) -> npt.NDArray[np.float64]:
    """float64 (seconds, 4), °C: the healthy statistics of the plate each second."""
    return np.array([[statistics(plate(start + i * 1000))[name] for name in PLATE_NAMES] for i in range(seconds)])


def _healthy(tag: Tag, start: int, seconds: int) -> npt.NDArray[np.float64]:
    if tag.name in SIGNALS:
        return healthy(SIGNALS[tag.name], _times(tag, start, seconds))
    return _plate_values(start, seconds)[:, PLATE_NAMES.index(tag.name.rpartition(".")[2])]


def _shown(tag: Tag, value: float, now: int, faults: Sequence[Fault]) -> float | None:
    """What the collector reads; None when nothing comes."""
    if tag.name in SIGNALS:
        return faulted(SIGNALS[tag.name], value, now, faults)
    if plate_is_silent(now, faults):
        return None
    frozen, added = plate_is_stuck(now, faults), plate_overheat(now, faults)
    if frozen is None and not added:
        return value
    return statistics(plate(now if frozen is None else frozen.started, added))[tag.name.rpartition(".")[2]]


def learned(assets: Sequence[str] = ASSETS) -> list[AssetModel]:
    """Models of the assets, from the two hours that the seed writes at full rate."""
    models = []
    for code in assets:
        tags = [tag for tag in TAGS if tag.name.partition(".")[0] == code]
        series = []
        for tag in tags:
            t = _times(tag, SEED_END - BASELINE_S * 1000, BASELINE_S)
            v = _healthy(tag, SEED_END - BASELINE_S * 1000, BASELINE_S)
            series.append(Series(t, v, np.array([[v.min(), v.mean(), v.max()]])))
        models.append(model(PLANT, History(tuple(tags), tuple(series), 60.0, 50)))
    return models


def live(models: Sequence[AssetModel], start: int, seconds: int, faults: Sequence[Fault] = ()) -> list[Finding]:
    """What the engine finds in `seconds` of the plant's life, of the assets that have models, a batch and a tick a second."""
    engine = Engine(PLANT, 0, quiet_settings())
    for one in models:
        engine.load(one)
    engine.start_listening(start - 60_000)
    known = {one.asset for one in models}
    tags = [tag for tag in TAGS if tag.asset in known]
    values = {tag.name: _healthy(tag, start, seconds) for tag in tags}
    found: list[Finding] = []
    for i in range(seconds):
        now = start + i * 1000
        due = [(tag, values[tag.name][i // round(tag.period_s)]) for tag in tags if i % round(tag.period_s) == 0]
        shown = [(tag.id, _shown(tag, float(value), now, faults)) for tag, value in due]
        spoken = [(number, value) for number, value in shown if value is not None]
        found += engine.process([_batch(spoken, now)])
        found += engine.tick(now + 500)
    return found


def _batch(spoken: Sequence[tuple[int, float]], now: int) -> Batch:
    n = len(spoken)
    ids, values = np.array([i for i, _ in spoken], np.uint32), np.array([v for _, v in spoken], np.float64)
    return Batch(0, now, "plant", ids, np.full(n, now, np.int64), np.zeros(n, np.uint8), np.zeros(n, np.uint32), values)
