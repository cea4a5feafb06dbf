"""The alarm budget: healthy hours of the seeded plant through the monitor's own engine, judged by the server's own alarm policy.

`python -m bench.alarm_budget` runs a part of the plant in a few minutes, `--whole` 500 assets for 24 h; no service, no network. Must:
at most 6 alerts an hour and one automatic order a day; the rest is on the watch list, where few enough entries begin to be read.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from bench.healthy_plant import BLOCK_S, T0, WIDE_EVERY, WIDE_S, HealthyPlant, seeded_plant
from ml.alert_runs import Ledger, Raised
from ml.engine import Engine
from ml.scoring import Flags, Floats
from ml.training import learn
from realtime import settings as settings_module
from realtime.events import Batch
from realtime.settings import Settings
from realtime.snapshot import Snapshot
from server.rules.policy import SAME_ENTRY, Evidence, Route, route

ALERTS_AN_HOUR, ORDERS_A_DAY = 6.0, 1.0  # DESIGN.md 5, for ASSETS
ASSETS = 500
PART = 250  # assets of one engine: the more, the cheaper each
ASSETS_IN_SHORT, HOURS_IN_SHORT = 60, 8.0
READABLE = 30.0  # watch-list entries an hour that people still read: one in two minutes, shared by those who look after 500 assets
BASELINE_BLOCKS = 48 * 6
FINE_BLOCKS = 26  # at the live rate: what training reads of it, and as much again for those that stood
FAR = 1 << 62
SAME_ENTRY_MS = SAME_ENTRY // timedelta(milliseconds=1)
COARSE_S = 10  # of the rest: a minute of it is the mean of six rows


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the plant raised in `hours`: alerts by (route, type, detector, code), on the watch list entries; `came` counts
    how often those entries came."""

    assets: int
    hours: float
    raised: Counter[tuple[str, str, str, str]]
    came: int
    readings: int
    cpu_s: float


def judged(alert: Raised) -> Route:
    """How far it goes by itself where nobody has given a verdict yet, with every limit confirmed."""
    return route(Evidence(alert.type, frozenset(alert.detectors), provisional=alert.provisional, strength=alert.peak))


def begun(watched: list[Raised]) -> list[Raised]:
    """The alerts that began an entry of the watch list: the others came back to one before it was forgotten."""
    first, until = list[Raised](), dict[object, int]()
    for alert in sorted(watched, key=lambda one: one.start):
        if alert.start > until.get(alert.identity, -FAR) + SAME_ENTRY_MS:
            first.append(alert)
        until[alert.identity] = max(until.get(alert.identity, 0), alert.until(FAR))
    return first


def learned(plant: HealthyPlant, settings: Settings, baseline_blocks: int) -> Engine:
    """An engine with the models of every machine, learned from the blocks before T0 as from a confirmed baseline."""
    minutes, fine, wide = [], [], dict[int, tuple[Floats, Flags]]()
    for block in range(-baseline_blocks, 0):
        live = block >= -FINE_BLOCKS or block % WIDE_EVERY == 0
        values = plant.values(block, 1 if live else COARSE_S)
        minutes.append(values.reshape(BLOCK_S // 60, -1, values.shape[1]).mean(axis=1))
        if block >= -FINE_BLOCKS:
            fine.append(values)
        elif live:
            wide[block] = values[:WIDE_S], plant.steady(block)[:WIDE_S].all(axis=0)
    engine = Engine(plant.snapshot, 0, settings)
    newest, coarse = np.concatenate(fine), np.concatenate(minutes)
    for asset in plant.snapshot.assets:
        own = Snapshot(version=1, tags=[tag for tag in plant.snapshot.tags if tag.asset == asset.id], assets=[asset])
        history = plant.history(asset.id, newest, -len(newest), coarse, {b: v for b, (v, steady) in wide.items() if steady[asset.id - 1]})
        if min(len(one.v) for one in history.series) >= settings.min_training_samples:
            engine.load(learn(history, asset, own, settings, provisional=False, version=None))
    return engine


def seconds(plant: HealthyPlant, blocks: range) -> Iterator[Batch]:
    """A batch a second, all tags in it."""
    ids = np.array([tag.id for tag in plant.snapshot.tags], np.uint32)
    quality, seq = np.zeros(len(ids), np.uint8), np.zeros(len(ids), np.uint32)
    for block in blocks:
        values: Floats = plant.values(block)
        for second, row in enumerate(values):
            t = T0 + (block * BLOCK_S + second) * 1000
            yield Batch(0, t, "plant", ids, np.full(len(ids), t, np.int64), quality, seq, row)


def judge(engine: Engine, plant: HealthyPlant, blocks: range) -> Ledger:
    """What the engine raises in these blocks of the plant's life, with the monitor's timer."""
    ledger = Ledger()
    engine.start_listening(T0 - 60_000)
    for batch in seconds(plant, blocks):
        ledger.fold(engine.process([batch]))
        ledger.fold(engine.tick(batch.received_ms + 500))
    return ledger


def run(assets: int, seed: int, hours: float, baseline_blocks: int = BASELINE_BLOCKS, trees: int = 100) -> Part:
    """Learn and judge one part of the plant; with the same arguments the same alerts."""
    started = time.process_time()
    settings = settings_module.load({"SIGHTLINE_ENV_FILE": "none", "DATA_DIR": "/nonexistent", "N_ESTIMATORS": str(trees)}, None)
    plant = HealthyPlant(*seeded_plant(assets, seed), seed)
    engine = learned(plant, settings, baseline_blocks)
    ledger = judge(engine, plant, range(round(hours * 3600 / BLOCK_S)))
    watched = [one for one in ledger.raised if judged(one) is Route.WATCH]
    counted = [one for one in ledger.raised if judged(one) is not Route.WATCH] + begun(watched)
    raised = Counter((str(judged(one)), str(one.type), "+".join(sorted(one.detectors)), one.code or "") for one in counted)
    return Part(assets, hours, raised, len(watched), engine.readings, time.process_time() - started)


def rates(parts: list[Part]) -> tuple[float, float, float]:
    """(alerts an hour, automatic orders a day, watch-list entries an hour) of a plant of ASSETS."""
    asset_hours = sum(part.assets * part.hours for part in parts)
    count = {name: sum(n for part in parts for key, n in part.raised.items() if key[0] == name) for name in Route}
    scale = ASSETS / asset_hours
    return (count[Route.ALERT] + count[Route.ORDER]) * scale, count[Route.ORDER] * scale * 24, count[Route.WATCH] * scale


def main() -> int:
    """Print the table; 1 when the budget is not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.alarm_budget", description=__doc__)
    parser.add_argument("--assets", type=int, default=ASSETS_IN_SHORT)
    parser.add_argument("--hours", type=float, default=HOURS_IN_SHORT)
    parser.add_argument("--whole", action="store_true", help=f"{ASSETS} assets, 24 h: about 20 CPU minutes")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--trees", type=int, default=100, help="of the forest, whose findings never leave the watch list by themselves")
    given = parser.parse_args()
    if given.whole:
        given.assets, given.hours = ASSETS, 24.0
    part = min(PART, -(-given.assets // given.jobs))
    sizes = [min(part, given.assets - at) for at in range(0, given.assets, part)]
    with ProcessPoolExecutor(given.jobs) as pool:
        todo = [pool.submit(run, size, seed + 1, given.hours, BASELINE_BLOCKS, given.trees) for seed, size in enumerate(sizes)]
        parts = [one.result() for one in todo]
    total = sum((part.raised for part in parts), Counter[tuple[str, str, str, str]]())
    for (where, *what), n in sorted(total.items(), key=lambda row: (row[0][0], -row[1])):
        print(f"{where:6} {n:6}  {' '.join(what)}")
    alerts, orders, watched = rates(parts)
    readings, cpu = sum(part.readings for part in parts), sum(part.cpu_s for part in parts)
    print(
        f"load average {os.getloadavg()[0]:.1f}; {given.assets} healthy assets, {given.hours:g} h, {readings:,} readings, {cpu:.0f} CPU s"
    )
    print(f"as a plant of {ASSETS}: {alerts:.2f} alerts an hour (budget {ALERTS_AN_HOUR:g}), {orders:.2f} automatic orders a day ", end="")
    came = sum(part.came for part in parts) * ASSETS / (given.assets * given.hours)
    print(
        f"(budget {ORDERS_A_DAY:g}), {watched:.1f} watch-list entries an hour (readable {READABLE:g}) that came {came:.1f} times; no fault"
    )
    return int(alerts > ALERTS_AN_HOUR or orders > ORDERS_A_DAY or watched > READABLE)


if __name__ == "__main__":
    sys.exit(main())
