"""The alarm rates that are shown before a version is activated."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ml.progress import Progress
from ml.rehearsal import played, rehearse
from ml.scoring import History
from ml.training import learn
from realtime.bus import Bus
from tests.ml.plant import history, model, quiet_settings, snapshot, tag, wander

TAGS = [tag(11), tag(12)]
PLANT = snapshot(*TAGS)
ASSET = PLANT.assets[0]
SECONDS = 2700


def rates(values: np.ndarray, bus: Bus) -> dict[str, Any]:
    learned_from = history(TAGS, values)
    learner = partial(learn, asset=ASSET, snapshot=PLANT, settings=quiet_settings())
    whole = learner(learned_from, provisional=False, version=None)
    return rehearse(learned_from, whole, ASSET, quiet_settings(), learner, Progress(bus, "", 6))


def test_a_third_unlike_the_others_shows_in_the_left_out_rate_only(bus: Bus) -> None:
    values = wander(SECONDS, channels=2)
    values[SECONDS // 3 * 2 :, 0] += 8.0

    found = rates(values, bus)

    assert found["left_out_alarm_rate"] > 0.2 > found["in_sample_alarm_rate"]
    assert found["left_out_alarms"]["drift"] >= 1


def test_parts_played_side_by_side_are_judged_each_by_its_own_model() -> None:
    healthy = history(TAGS, wander(SECONDS, channels=2))
    high = wander(600, channels=2, seed=2)
    high[300:, 1] += 8.0
    parts: list[History] = [history(TAGS, wander(600, channels=2, seed=3)), history(TAGS, high), history(TAGS, high)]
    shifted = history(TAGS, wander(SECONDS, channels=2) + np.array([0.0, 8.0]))

    calm, drifted, other = played([model(PLANT, healthy)] * 2 + [model(PLANT, shifted)], parts, ASSET, quiet_settings())

    assert (calm.alarm_ms, calm.alarms.total()) == (0, 0)
    assert drifted.alarms.total() >= 1
    assert drifted.alarm_ms > 100_000
    assert abs(drifted.judged_ms - 540_000) < 10_000
    assert other.alarms != drifted.alarms
