"""Drift at a new set-point: it stands until a person confirms that the new level is healthy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.ml.plant import T0, batch, engine, history, model, snapshot, tag, wander

LENGTH, MOVED, RAMP = 1800, 4.0, 600
PLANT = snapshot(tag(11))
LEARNED = model(PLANT, history(PLANT.tags, wander(LENGTH), start=T0 - LENGTH * 1000))


@pytest.mark.parametrize("provisional", [False, True])
def test_a_baseline_that_a_person_confirmed_at_the_new_level_ends_the_alarm(provisional: bool) -> None:
    monitor = engine(PLANT, LEARNED)
    live = wander(3 * LENGTH, seed=2)[:, 0]
    live += MOVED * np.clip((np.arange(len(live)) - 300) / RAMP, 0, 1)
    found = []
    for i in range(2 * LENGTH):
        found += monitor.process([batch([11], [live[i]], T0 + i * 1000)])
    assert ("drift", "open") in {(one.detector, one.edge) for one in found}
    assert monitor.drift.is_active(0)

    there = model(PLANT, history(PLANT.tags, live[LENGTH : 2 * LENGTH, None], start=T0 + LENGTH * 1000))
    monitor.load(replace(there, provisional=provisional))
    after = []
    for i in range(2 * LENGTH, 3 * LENGTH):
        after += monitor.process([batch([11], [live[i]], T0 + i * 1000)])

    told = {(one.detector, one.edge) for one in after}
    assert (("drift", "close") in told) == (not provisional)
    assert ("drift", "open") not in told


def test_learning_the_old_level_anew_leaves_the_alarm() -> None:
    monitor = engine(PLANT, LEARNED)
    live = wander(LENGTH, seed=2)[:, 0] + MOVED * np.clip(np.arange(LENGTH) / RAMP, 0, 1)
    for i in range(1200):
        monitor.process([batch([11], [live[i]], T0 + i * 1000)])
    assert monitor.drift.is_active(0)

    monitor.load(LEARNED)
    for i in range(1200, LENGTH):
        monitor.process([batch([11], [live[i]], T0 + i * 1000)])

    assert monitor.drift.is_active(0)
