"""Range: outside the signal range at once and always; without one only a jump to where the baseline never was."""

from __future__ import annotations

import numpy as np
import pytest

from ml.detector import Detector
from realtime.snapshot import Limit, Tag
from tests.ml.plant import T0, chunk, detector, history, snapshot, tag, wander

BASELINE = wander(600)
LOW, HIGH = float(BASELINE.min()), float(BASELINE.max())


def made(one: Tag) -> Detector:
    return detector("range", snapshot(one), baseline=history([one], BASELINE, start=T0 - 600_000))


def alarms(one: Tag, values: list[float]) -> list[bool]:
    detector_ = made(one)
    told = []
    for i, v in enumerate(values):
        detector_.score(chunk([0], [v], T0 + i * 1000))
        told.append(detector_.is_active(0))
    return told


@pytest.mark.parametrize("outside", [-0.1, 100.1, np.inf, -np.inf])
def test_outside_the_signal_range_alarms_with_the_first_reading_and_ends_five_seconds_after_the_last(outside: float) -> None:
    told = alarms(tag(1, range_low=0.0, range_high=100.0), [50.0, outside, outside, *[50.0] * 7])

    assert told == [False, True, True, True, True, True, True, True, False, False]


def test_without_a_range_a_jump_out_of_the_baseline_alarms_and_a_walk_does_not() -> None:
    far = HIGH + 2 * (HIGH - LOW)
    walk = np.linspace(50.0, far, 40).tolist()

    assert alarms(tag(1), [50.0, far])[-1]
    assert not any(alarms(tag(1), walk))


def test_beyond_a_limit_that_a_person_set_is_a_matter_of_the_process() -> None:
    limited = tag(1, limits=[Limit(side="high", value=60.0, severity="warning")])
    far = 2 * (HIGH - LOW)

    assert not any(alarms(limited, [50.0, HIGH + far]))
    assert alarms(limited, [50.0, LOW - far])[-1]
