"""Severities: score / limit on the scale of the two thresholds, which really act."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.engine import AssetModel
from ml.fusion import Steps, severity, steps
from realtime.events import Severity
from realtime.snapshot import Snapshot
from tests.ml.plant import T0, batch, engine, history, model, snapshot, tag, wander

BASELINE_S = 2400


def test_the_usual_thresholds_are_one_and_a_half_and_three_times_the_limit() -> None:
    assert steps(0.5, 0.7) == Steps() == Steps(1.5, 3.0)
    assert steps(0.3, 0.9) == Steps(0.75, 6.0)


@pytest.mark.parametrize(
    ("detector", "ratio", "kinds", "given", "word"),
    [
        ("drift", 1.2, 1, -1, Severity.ADVISORY),
        ("drift", 1.6, 1, -1, Severity.WARNING),
        ("drift", 1.2, 2, -1, Severity.WARNING),
        ("drift", 3.1, 1, -1, Severity.CRITICAL),
        ("stuck", 1.0, 1, -1, Severity.CRITICAL),
        ("limits", 9.0, 2, 0, Severity.ADVISORY),
    ],
)
def test_severity_by_distance_agreement_and_kind(detector: str, ratio: float, kinds: int, given: int, word: Severity) -> None:
    assert severity(detector, ratio, kinds, given, Steps()) is word


@given(st.floats(0, 1), st.floats(0, 1), st.floats(1, 50))
def test_a_higher_threshold_never_makes_a_finding_worse(low: float, high: float, ratio: float) -> None:
    rank = list(Severity)
    low, high = min(low, high), max(low, high)

    mild, strict = (rank.index(severity("drift", ratio, 1, -1, steps(t, t))) for t in (high, low))

    assert mild <= strict


@cache
def plant() -> tuple[Snapshot, AssetModel]:
    snap = snapshot(*(tag(number, range_low=0.0, range_high=100.0) for number in (11, 12)))
    return snap, model(snap, history(list(snap.tags), wander(BASELINE_S, channels=2), start=T0 - BASELINE_S * 1000))


@pytest.mark.parametrize(("threshold", "word"), [("0", Severity.CRITICAL), ("1", Severity.ADVISORY)])
def test_the_settings_decide_what_a_shift_is_called(threshold: str, word: Severity) -> None:
    snap, learned = plant()
    one = engine(snap, learned, ANOMALY_WARNING_THRESHOLD=threshold, ANOMALY_CRITICAL_THRESHOLD=threshold)
    values = wander(BASELINE_S + 240, channels=2)[BASELINE_S:]
    values[60:, 0] += 3.0

    found = [f for i, row in enumerate(values) for f in one.process([batch([11, 12], np.round(row, 3), T0 + i * 1000)])]

    assert found[0].severity == word
    assert found[0].detector in {"drift", "residual"}
