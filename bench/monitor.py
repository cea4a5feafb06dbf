"""The monitor's CPU per reading at 10,000 tags: all detectors in one pass per batch, beside scikit-learn called per reading.

Detectors 1-7 and 9 of ML.md learn every machine; the forest's share is measured on a hundred of them.

`python -m bench.monitor`; no service, no network, about a minute. Nothing here is asserted.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np
from sklearn.ensemble import IsolationForest

from ml.detector import DETECTORS
from ml.engine import Engine
from realtime.events import Batch
from realtime.snapshot import Limit
from tests.ml.plant import T0, engine, history, model, snapshot, tag, wander

TAGS, PER_ASSET = 10_000, 5
WARM_S, MEASURED_S = 45, 30
BATCHES = (1_000, 100, 10, 1)
FEWEST = 3_000  # readings that a small batch is measured on
HIGH = Limit(side="high", value=80.0, severity="warning", on_delay_s=3.0)


def plant() -> Engine:
    """2,000 machines of 5 tags with the model of the first, which is healthy for all: their signals are alike."""
    tags = [tag(i + 1, asset=i // PER_ASSET + 1, range_low=0.0, range_high=100.0, limits=[HIGH]) for i in range(TAGS)]
    snap = snapshot(*tags)
    small = snapshot(*tags[:PER_ASSET])
    first = model(small, history(tags[:PER_ASSET], wander(3600, channels=PER_ASSET), start=T0 - 3_600_000))
    made = engine(snap)
    grown = made.detectors["forest"]
    for asset in range(1, TAGS // PER_ASSET + 1):
        ids = tuple(range((asset - 1) * PER_ASSET + 1, asset * PER_ASSET + 1))
        learned = {name: part for name, part in first.learned.items() if name != "forest"}
        made.load(replace(first, asset=asset, tag_ids=ids, learned=learned))
        if asset <= 100:  # loading regrows the grove: a hundred machines are enough to see the cost of a window
            grown.load(made.channels.slots_of(np.array(ids, np.uint32)), first.learned["forest"])
    return made


def batches(per_batch: int, seconds: range, live: np.ndarray) -> list[Batch]:
    """Each tag once a second, cut into batches of so many readings."""
    made = []
    for second in seconds:
        values = np.tile(live[second], TAGS // PER_ASSET)
        for at in range(0, TAGS, per_batch):
            ids = np.arange(at + 1, at + per_batch + 1, dtype=np.uint32)
            t = np.full(per_batch, T0 + second * 1000, np.int64)
            made.append(
                Batch(
                    1,
                    int(t[0]),
                    "plant",
                    ids,
                    t,
                    np.zeros(per_batch, np.uint8),
                    np.zeros(per_batch, np.uint32),
                    values[at : at + per_batch],
                )
            )
    return made


def cost(per_batch: int) -> float:
    """us of CPU per reading, detectors warm."""
    made = plant()
    live = wander(3600 + WARM_S + MEASURED_S, channels=PER_ASSET)[3600:]
    for one in batches(1_000, range(WARM_S), live):
        made.process([one])
    seconds = range(WARM_S, WARM_S + (MEASURED_S if per_batch >= 100 else 1))
    todo = batches(per_batch, seconds, live)
    if per_batch < 100:
        todo = todo[: FEWEST // per_batch]
    started = time.process_time()
    for one in todo:
        made.process([one])
    return (time.process_time() - started) / (len(todo) * per_batch) * 1e6


def scikit_learn_cost() -> float:
    """us of CPU per reading for one IsolationForest.score_samples call each, as a straightforward program does it."""
    rows = wander(600, channels=10)
    forest = IsolationForest(n_estimators=100, random_state=0).fit(rows)
    started = time.process_time()
    for row in rows[:100]:
        forest.score_samples(row[None])
    return (time.process_time() - started) / 100 * 1e6


def main() -> None:
    """Print the table."""
    print(f"load average {os.getloadavg()[0]:.1f}; {TAGS:,} tags on {TAGS // PER_ASSET:,} machines, CPU time of one process")
    print(f"detectors: {', '.join(DETECTORS)}")
    for per_batch in BATCHES:
        print(f"batches of {per_batch:>5,}: {cost(per_batch):8.2f} us per reading")
    print(f"scikit-learn per reading: {scikit_learn_cost():8.2f} us (IsolationForest of 100 trees alone, one row a call)")


if __name__ == "__main__":
    main()
