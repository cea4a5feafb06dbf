"""Stuck: how long a value may stand is the tag's own time or what its baseline has shown, and inside its deadband it stands."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ml.scoring import History
from realtime.snapshot import Tag
from tests.ml.plant import T0, chunk, detector, history, snapshot, tag, wander


def found_after(one: Tag, values: Sequence[float], baseline: History | None = None, **environment: str) -> int | None:
    """Seconds from the first reading to the alarm; None without one."""
    stuck = detector("stuck", snapshot(one), baseline=baseline, **environment)
    for i, v in enumerate(values):
        stuck.score(chunk([0], [v], T0 + i * 1000, fresh=i == 0))
        if stuck.is_active(0):
            return i
    return None


@pytest.mark.parametrize(("stuck_s", "minutes", "after"), [(30.0, "15", 31), (None, "15", 901), (None, "2", 121)])
def test_the_time_is_the_tags_own_or_the_setting(stuck_s: float | None, minutes: str, after: int) -> None:
    assert found_after(tag(1, stuck_s=stuck_s), [50.0] * 1000, STUCK_SENSOR_MINUTES=minutes) == after


def test_a_tag_that_rested_when_healthy_may_rest_twice_as_long_and_ten_readings() -> None:
    rested = wander(600)
    rested[200:260] = rested[200]
    baseline = history([tag(1)], rested, start=T0 - 600_000)

    assert found_after(tag(1), [50.0] * 300, baseline) == 2 * 60 + 10 + 1


@pytest.mark.parametrize(("deadband", "after"), [(0.0, None), (0.04, None), (0.06, 31)])
def test_what_flickers_within_its_deadband_stands(deadband: float, after: int | None) -> None:
    flickering = [50.0 + 0.05 * (i % 2) for i in range(200)]

    assert found_after(tag(1, stuck_deadband=deadband), flickering) == after


def test_a_value_that_creeps_out_of_its_deadband_moves() -> None:
    creeping = [50.0 + 0.004 * i for i in range(300)]

    assert found_after(tag(1, stuck_deadband=0.1), creeping) is None
