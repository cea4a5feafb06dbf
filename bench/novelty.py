"""Novelty on healthy tags: alarms a tag and day, and CPU per cell and per reading.

`python -m bench.novelty`; generated signals, no service, about a minute. Nothing here is asserted.
"""

from __future__ import annotations

import os
import time

import numpy as np

from ml.channels import Channels
from ml.detectors.novelty import LIMIT, Novelty
from ml.detectors.novelty_memory import Memory
from ml.scoring import Floats
from tests.ml.plant import T0, chunk, quiet_settings, snapshot, tag

TAGS, DAY = 250, 1440
KINDS = ("wander", "duty cycle", "skewed", "coarse", "daily swing")


def healthy(cells: int, seed: int) -> Floats:
    """float64 (TAGS, cells) minute means: a daily swing, wander at 10, 60 and 400 minutes, noise; kinds take turns."""
    rng, t = np.random.default_rng(seed), np.arange(cells)
    made = rng.uniform(0.02, 0.3, (TAGS, 1)) * rng.normal(0, 1, (TAGS, cells))
    for tau in (10, 60, 400):
        keep, x = np.exp(-1 / tau), np.empty((TAGS, cells))
        now = rng.normal(0, 1, TAGS)
        for i in range(cells):
            now = keep * now + np.sqrt(1 - keep * keep) * rng.normal(0, 1, TAGS)
            x[:, i] = now
        made += rng.uniform(0.1, 0.6, (TAGS, 1)) * x
    kind = np.arange(TAGS) % len(KINDS)
    made += np.where(kind == 4, 1.5, 0.5)[:, None] * np.sin(2 * np.pi * (t / DAY + rng.uniform(0, 1, (TAGS, 1))))
    made += np.where(kind == 1, 2.0, 0.0)[:, None] * (t // rng.integers(20, 90, (TAGS, 1)) % 2)
    made[kind == 2] = np.exp(made[kind == 2])
    made[kind == 3] = np.round(made[kind == 3] * 5) / 5
    return made


def alarms(baseline_days: float, live_days: int) -> None:
    """Print what healthy tags raise after a baseline of so many days."""
    past = round(baseline_days * DAY)
    values = healthy(past + live_days * DAY, past)
    memory, rows = Memory([str(i) for i in range(TAGS)]), np.arange(TAGS)
    for row in range(TAGS):
        memory.fit(row, values[row, :past], min(past // 2, 375))
    told, started = np.zeros(TAGS), time.process_time()
    for i in range(values.shape[1]):
        score = memory.step(rows, values[:, i], np.full(TAGS, i == 0)).max(axis=1)
        if i >= past:
            told += memory.held(rows, score, LIMIT / 2) >= LIMIT
    us = (time.process_time() - started) / values.size * 1e6
    each = ", ".join(f"{kind} {told[i :: len(KINDS)].mean() / live_days:.1f}" for i, kind in enumerate(KINDS))
    print(f"baseline {baseline_days:g} d: {told.mean() / live_days:.2f} alarms a tag and day ({each}); {us:.1f} us a cell")


def readings(per_batch: int, seconds: int) -> float:
    """us of CPU per reading at one a second, a thousand tags, minutes included."""
    one = Novelty(Channels(snapshot(*(tag(i + 1) for i in range(1000))), 1), quiet_settings(NOVELTY="*"))
    one.memory.mean[:], one.memory.scale[:], one.ready[:] = 50.0, 1.0, True
    rng, spent, n = np.random.default_rng(1), 0.0, 0
    for second in range(seconds):
        values = rng.normal(50, 1, 1000)
        cut = [chunk(range(a, a + per_batch), list(values[a : a + per_batch]), T0 + second * 1000) for a in range(0, 1000, per_batch)]
        started = time.process_time()
        for each in cut:
            one.score(each)
        spent, n = spent + time.process_time() - started, n + 1000
    return spent / n * 1e6


def main() -> None:
    """Print all."""
    print(f"load average {os.getloadavg()[0]:.1f}; {TAGS} tags, CPU time of one process")
    for days in (0.125, 1, 2):
        alarms(days, 2)
    for per_batch, seconds in ((1000, 240), (1, 65)):
        print(f"one reading a second, batches of {per_batch:>5,}: {readings(per_batch, seconds):6.2f} us per reading")


if __name__ == "__main__":
    main()
