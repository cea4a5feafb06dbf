"""Sensor or process: a table of stories with the word and the evidence, and what holds whatever is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import AlertType
from server.rules.facts import Calibrated, Companion, Facts, Signal
from server.rules.triage import DECIDES, Suspect, suspect_of, triage

TEMPERATURE = Signal(tag="M1.temperature", label="Temperature", unit="°C", decimals=1)
VIBRATION = Signal(tag="M1.vibration", label="Vibration", unit="mm/s")
CURRENT = Signal(tag="M1.current", label="Current", unit="A")
PRESSURE = Signal(tag="M1.pressure", label="Pressure", unit="bar")

STILL = [Companion(CURRENT, 18.5, 18.6, 0.4, 0.2), Companion(PRESSURE, 3.2, 3.2, -0.3, 0.1)]
VOUCHING = [Companion(CURRENT, 18.5, 18.6, 0.4, 0.83), Companion(PRESSURE, 3.2, 3.2, -0.3, 0.1)]
MOVED = [Companion(CURRENT, 18.5, 21.0, 9.0, 0.2), Companion(PRESSURE, 3.2, 3.2, -0.3, 0.1)]


def about(type_: AlertType, code: str | None = None, **known: object) -> Facts:
    return Facts(**{"type": type_, "code": code, "signal": TEMPERATURE, **known})  # type: ignore[arg-type]


FAULT, RULE, DRIFT, GAP = AlertType.INSTRUMENT_FAULT, AlertType.RULE_VIOLATION, AlertType.DRIFT, AlertType.DATA_GAP
STORIES = {
    "stuck": (about(FAULT, "stuck", value=62.0), Suspect.SENSOR, "does not move at all"),
    "stuck while the machine moves": (about(FAULT, "stuck", companions=MOVED), Suspect.SENSOR, "moved from 18.50 A to 21.00 A meanwhile"),
    "noise": (about(FAULT, "noise"), Suspect.SENSOR, "far noisier"),
    "noise on several": (about(FAULT, "noise", also_faulty=[CURRENT]), Suspect.UNKNOWN, "Current (M1.current) shows a fault"),
    "spikes": (about(FAULT, "spike"), Suspect.SENSOR, "jumps for single readings, faster than a temperature can"),
    "beyond its range": (about(FAULT, "over_range", value=157.5, limit=150.0), Suspect.SENSOR, "157.5 °C, its range ends at 150.0 °C"),
    "beyond its range with others": (
        about(FAULT, "over_range", companions=[*MOVED, Companion(VIBRATION, 2.1, 4.0, 12.0)]),
        Suspect.UNKNOWN,
        "at the same time",
    ),
    "alone silent": (about(GAP, "silence"), Suspect.SENSOR, "Only Temperature (M1.temperature) is silent"),
    "all silent": (Facts(type=GAP, code="silence"), Suspect.CONNECTION, "Nothing arrives"),
    "source lost": (Facts(type=AlertType.SOURCE_LOST, code="press-s7"), Suspect.CONNECTION, "Nothing arrives"),
    "controller": (Facts(type=AlertType.MACHINE_FAULT, code="12"), Suspect.PROCESS, "controller reports fault 12"),
    "controller names a sensor": (
        Facts(type=AlertType.MACHINE_FAULT, code="47", category="instrument"),
        Suspect.SENSOR,
        "under instrumentation",
    ),
    "hot with more current": (about(RULE, "high", value=88.4, limit=80.0, companions=MOVED), Suspect.PROCESS, "18.50 A to 21.00 A"),
    "hot alone": (about(RULE, "high", value=88.4, limit=80.0), Suspect.UNKNOWN, "at 88.4 °C"),
    "hot too fast": (about(RULE, "rising", value=61.0, limit=2.0), Suspect.UNKNOWN, "at 61.0 °C: moves too fast"),
    "hot while its witness stands": (about(DRIFT, "drift_high", companions=VOUCHING), Suspect.SENSOR, "usually moves with it (r = 0.83"),
    "drift alone": (about(DRIFT, "drift_high", companions=STILL), Suspect.UNKNOWN, "2 other signals of the machine stayed"),
    "drift without a second signal": (about(DRIFT, "drift_high"), Suspect.UNKNOWN, "No other signal of the machine is there to compare"),
    "drift with others in alarm": (about(DRIFT, "drift_high", also_alarmed=[CURRENT]), Suspect.PROCESS, "alarmed too"),
    "vibration alone": (about(DRIFT, "drift_high", signal=VIBRATION, companions=VOUCHING), Suspect.UNKNOWN, "moved alone"),
    "drift of a bad instrument": (
        about(DRIFT, "drift_high", calibrated=Calibrated(failed=True)),
        Suspect.SENSOR,
        "last calibration left it out of tolerance",
    ),
    "error that grows": (
        about(DRIFT, "drift_low", calibrated=Calibrated(errors_pct=(0.12, 0.21, 0.38))),
        Suspect.UNKNOWN,
        "0.12, 0.21, 0.38 %",
    ),
    "often the sensor": (
        about(DRIFT, "drift_low", companions=STILL, past=(3, 4)),
        Suspect.SENSOR,
        "3 of the last 4 orders on M1.temperature ended as instrumentation",
    ),
    "due": (about(AlertType.CALIBRATION_OVERDUE), Suspect.SENSOR, "due for calibration"),
    "pattern over several": (
        about(AlertType.ANOMALY, "pattern", shares=[(TEMPERATURE, 0.5), (CURRENT, 0.4)]),
        Suspect.PROCESS,
        "Temperature (M1.temperature) 50% and Current (M1.current) 40%",
    ),
    "drift before the others were measured": (about(DRIFT, "drift_high", others=4), Suspect.UNKNOWN, "too few readings yet to compare"),
    "pattern of the only signal": (about(AlertType.ANOMALY, "residual", shares=[(TEMPERATURE, 1.0)]), Suspect.UNKNOWN, "No other signal"),
    "pattern nobody names": (Facts(type=AlertType.ANOMALY, code="pattern"), Suspect.UNKNOWN, "Nothing points"),
}


@pytest.mark.parametrize("story", STORIES)
def test_the_story_gets_its_word_and_says_why(story: str) -> None:
    facts, suspect, because = STORIES[story]

    found = triage(facts)

    told = " | ".join(reason.text for reason in found.reasons)
    assert found.suspect is suspect, told
    assert because in told


signals = st.sampled_from([TEMPERATURE, VIBRATION, CURRENT, PRESSURE])
companions = st.builds(Companion, signals, st.floats(-100, 100), st.floats(-100, 100), st.floats(-50, 50), st.none() | st.floats(-1, 1))
anything = st.builds(
    Facts,
    type=st.sampled_from(AlertType),
    code=st.sampled_from([None, "stuck", "noise", "spike", "over_range", "high", "low", "drift_high", "silence", "pattern", "12"]),
    category=st.sampled_from(["", "instrument", "mechanical"]),
    signal=st.none() | signals,
    value=st.none() | st.floats(-100, 100),
    limit=st.none() | st.floats(-100, 100),
    companions=st.lists(companions, max_size=5),
    also_faulty=st.lists(signals, max_size=2),
    also_alarmed=st.lists(signals, max_size=2),
    calibrated=st.none()
    | st.builds(Calibrated, st.booleans(), st.booleans(), st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2))),
    past=st.integers(0, 8).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    shares=st.lists(st.tuples(signals, st.floats(0, 1)), max_size=3),
)


@given(anything)
def test_the_word_follows_the_points_and_never_comes_without_a_reason(facts: Facts) -> None:
    found = triage(facts)

    assert found.points == sum(reason.points for reason in found.reasons)
    assert found.suspect in {suspect_of(found.points), Suspect.CONNECTION}
    assert found.reasons
    assert all(reason.text and "None" not in reason.text for reason in found.reasons)
    assert list(found.reasons) == sorted(found.reasons, key=lambda reason: -abs(reason.points))


@given(anything, companions)
def test_one_more_signal_that_moves_never_speaks_for_the_sensor_of_a_level(facts: Facts, one: Companion) -> None:
    level = replace(facts, type=AlertType.DRIFT, signal=TEMPERATURE)
    moving = replace(level, companions=[*level.companions, replace(one, moved=20.0)])

    assert triage(moving).points <= triage(level).points


@given(anything)
def test_a_failed_calibration_never_speaks_for_the_process(facts: Facts) -> None:
    known, failed = replace(facts, calibrated=Calibrated()), replace(facts, calibrated=Calibrated(failed=True))

    assert triage(failed).points >= triage(known).points


def test_nothing_is_decided_on_less_than_two_points() -> None:
    assert [suspect_of(n) for n in (-DECIDES, 1 - DECIDES, 0, DECIDES - 1, DECIDES)] == [
        "process",
        "unknown",
        "unknown",
        "unknown",
        "sensor",
    ]
