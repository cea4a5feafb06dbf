"""The monitor's CPU at 10,000 tags: a reading that comes alone, a reading in batches of 1 to 1,000, a closed window of the Isolation
Forest, each against its goal and beside scikit-learn called once a reading in the same run.

The goals of a reading are for the detectors that watch single tags and how they go together (`CHEAP`): the engine is the product's
and asks every detector of the table, but the others have learned nothing. Below, every detector of the table has learned. Novelty
is chosen for every tag in both. Machines of 5 tags have no CVA, which wants 6. On a core that others use too CPU time grows as
well, scikit-learn's row with the rest: it is some 4,000 us on a quiet machine. `python -m bench.monitor`; no service, no network,
about two minutes. Nothing here is asserted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from sklearn.ensemble import IsolationForest

from ml.detector import DETECTORS
from ml.engine import AssetModel, Engine
from ml.scoring import Floats
from realtime.events import Batch
from realtime.snapshot import Limit
from tests.ml.plant import T0, engine, history, model, snapshot, tag, wander

TAGS, PER_ASSET, TREES = 10_000, 5, 100
BASELINE_S = 12_000  # 200 windows: novelty wants 150
WARM_S = 75  # a whole window, and what the second one needs to be judged
WHOLE = 60  # seconds: what is done once a window has its share in every figure
FORESTS = 1_000  # windows scored in one call
HIGH = Limit(side="high", value=80.0, severity="warning", on_delay_s=3.0)
CHOSEN = {"NOVELTY": "*"}
SIZES = (1, 10, 30, 100, 1_000)  # readings a batch; up to `ml.engine.FEW` in plain numbers, from there on in arrays
SINGLY, BATCHED, WINDOW = 15.0, 1.0, 50.0  # goals, us
CHEAP = ("range", "stuck", "gap", "limits", "drift", "cusum", "residual", "novelty")  # what the goals of a reading are for


def plant(tags: int, names: Collection[str] = DETECTORS) -> Engine:
    """Machines of 5 tags with what these detectors learned of the first, which is healthy for all: their signals are alike."""
    made = [tag(i + 1, asset=i // PER_ASSET + 1, range_low=0.0, range_high=100.0, limits=[HIGH]) for i in range(tags)]
    one = engine(snapshot(*made), **CHOSEN)
    first = learned(names)
    for asset in range(1, tags // PER_ASSET + 1):
        one.load(replace(first, asset=asset, tag_ids=tuple(range((asset - 1) * PER_ASSET + 1, asset * PER_ASSET + 1))))
    return one


def learned(names: Collection[str]) -> AssetModel:
    """What these detectors learn of a machine of 5 tags."""
    tags = [tag(i + 1, range_low=0.0, range_high=100.0, limits=[HIGH]) for i in range(PER_ASSET)]
    values = wander(BASELINE_S, channels=PER_ASSET)
    whole = model(snapshot(*tags), history(tags, values, start=T0 - BASELINE_S * 1000, trees=TREES), **CHOSEN)
    return replace(whole, learned={name: part for name, part in whole.learned.items() if name in names})


def live(seconds: int) -> Floats:
    """float64 (seconds, 5): how the baseline goes on."""
    return wander(BASELINE_S + seconds, channels=PER_ASSET)[BASELINE_S:]


def batches(per_batch: int, second: int, values: Floats) -> Iterator[Batch]:
    """Each tag once, cut into batches of so many readings."""
    row = np.tile(values[second], TAGS // PER_ASSET)
    for at in range(0, TAGS, per_batch):
        n = min(per_batch, TAGS - at)
        ids = np.arange(at + 1, at + n + 1, dtype=np.uint32)
        t = np.full(n, T0 + second * 1000, np.int64)
        quality, seq = np.zeros(n, np.uint8), np.zeros(n, np.uint32)
        yield Batch(1, int(t[0]), "plant", ids, t, quality, seq, row[at : at + n])


class Readings:
    """One engine and its clock. `cost` runs it on by so many seconds."""

    def __init__(self, names: Collection[str]) -> None:
        self.engine, self.second, self.values = plant(TAGS, names), 0, live(WARM_S + len(SIZES) * WHOLE)
        self.cost(1_000, WARM_S)

    def cost(self, per_batch: int, seconds: int) -> float:
        """us of CPU per reading."""
        spent = 0.0
        for second in range(self.second, self.second + seconds):
            todo = list(batches(per_batch, second, self.values))
            started = time.process_time()
            for one in todo:
                self.engine.process([one])
            spent += time.process_time() - started
        self.second += seconds
        return spent / (seconds * TAGS) * 1e6


def window_cost() -> float:
    """us of CPU per window of a machine, from its readings to the finding: features, trees and limit of 1,000 machines in one call."""
    one = plant(FORESTS * PER_ASSET)
    forest, values = one.detectors["forest"], live(4 * WHOLE)
    spent = []
    for second in range(4 * WHOLE):
        for each in batches(1_000, second, values):
            one.process([each])
        now = T0 + second * 1000
        started = time.process_time()
        if forest.tick(now) is not None:
            spent.append(time.process_time() - started)
    return min(spent[1:]) / FORESTS * 1e6  # the first call plants the trees


def scikit_learn_cost() -> float:
    """us of CPU per reading for one IsolationForest.score_samples call each, as a straightforward program does it."""
    rows = wander(600, channels=10)
    forest = IsolationForest(n_estimators=TREES, random_state=0).fit(rows)
    started = time.process_time()
    for row in rows[:200]:
        forest.score_samples(row[None])
    return (time.process_time() - started) / 200 * 1e6


def main() -> None:
    """Print the table: what, must, measured, and how many times that scikit-learn takes."""
    print(f"{TAGS:,} tags on {TAGS // PER_ASSET:,} machines, us of CPU of one process")
    theirs = scikit_learn_cost()

    def row(what: str, goal: float | None, measured: float) -> None:
        wanted = "" if goal is None else f"<= {goal:g}"
        load = os.getloadavg()[0]
        print(f"{what:<55}{wanted:>8}{measured:>12.2f}{theirs / measured:>12,.0f} x{load:>8.1f}", flush=True)

    print(f"{'':<55}{'must':>8}{'measured':>12}{'sklearn/ours':>14}{'load':>8}")
    print(f"the {len(CHEAP)} that the goals name ({', '.join(CHEAP)}); the others have learned nothing and are asked in vain:")
    cheap = Readings(CHEAP)
    row("a reading, singly (batches of 1)", SINGLY, cheap.cost(1, WHOLE))
    row("a reading in batches of 1,000", BATCHED, cheap.cost(1_000, WHOLE))
    del cheap
    print(f"all {len(DETECTORS)} detectors ({', '.join(DETECTORS)}):")
    every = Readings(DETECTORS)
    for size in SIZES:
        row(f"a reading in batches of {size:,}", None, every.cost(size, WHOLE))
    row(f"a window of the forest, {FORESTS:,} in one call", WINDOW, window_cost())
    row(f"scikit-learn: IsolationForest of {TREES} trees, one row a call", None, theirs)


if __name__ == "__main__":
    main()
