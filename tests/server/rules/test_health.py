"""Health: 100 less the penalties of S2-R11, each kind once, and the words; advice and companions beside it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import AlertType
from server.rules import advice, companions, health
from server.rules.advice import ADVICE_MAX, Subject
from server.rules.companions import Course, Shape
from server.rules.facts import Companion, Signal
from server.rules.health import OVERDUE_WORK, Trouble
from server.rules.triage import Suspect

KINDS = [*map(str, AlertType), OVERDUE_WORK]


@pytest.mark.parametrize(
    ("types", "score", "word"),
    [
        ([], 100, "excellent"),
        (["calibration_overdue"], 75, "good"),
        (["rule_violation"], 60, "fair"),
        (["anomaly"], 65, "fair"),
        (["drift"], 85, "good"),
        (["instrument_fault"], 70, "fair"),
        (["data_gap"], 70, "fair"),
        (["machine_fault"], 60, "fair"),
        ([OVERDUE_WORK], 90, "excellent"),
        (["source_lost"], 100, "excellent"),
        (["rule_violation", "rule_violation"], 60, "fair"),
        (["instrument_fault", "data_gap"], 70, "fair"),
        (["rule_violation", "drift"], 45, "poor"),
        (["rule_violation", "anomaly", "drift"], 10, "critical"),
        (["rule_violation", "anomaly", "instrument_fault", "calibration_overdue"], 0, "critical"),
    ],
)
def test_each_kind_takes_its_points_once(types: list[str], score: int, word: str) -> None:
    judged = health.judge(Trouble(type_, f"{type_} here") for type_ in types)

    assert (judged.score, judged.word) == (score, word)


@pytest.mark.parametrize("type_", ["drift", "anomaly", "data_gap", "rule_violation", "machine_fault"])
def test_no_word_is_good_while_a_critical_alert_stands(type_: str) -> None:
    judged = health.judge([Trouble(type_, "here", precision=0.1, critical=True)])

    assert judged.word == "fair"
    assert judged.score == 100 - sum(reason.points for reason in judged.reasons)


troubles = st.builds(Trouble, st.sampled_from(KINDS), st.text(min_size=1), precision=st.none() | st.floats(0, 1), critical=st.booleans())


@given(st.lists(troubles), troubles)
def test_one_more_trouble_never_makes_it_healthier_and_the_reasons_add_up(known: list[Trouble], more: Trouble) -> None:
    before, after = health.judge(known), health.judge([*known, more])

    assert before.score is not None
    assert after.score is not None
    assert after.score <= before.score <= 100
    assert after.score == max(0, 100 - sum(reason.points for reason in after.reasons))
    assert len({reason.kind for reason in after.reasons}) == len(after.reasons)


@given(st.lists(troubles, max_size=6), st.randoms())
def test_the_order_of_troubles_does_not_matter(known: list[Trouble], rng: object) -> None:
    assert health.judge(known).score == health.judge(reversed(known)).score


def test_a_model_that_was_right_half_the_time_takes_half_its_points() -> None:
    assert health.points_of(Trouble("anomaly", "", precision=0.5)) == 18
    assert health.points_of(Trouble("rule_violation", "", precision=0.5)) == 40


SIGNAL = Signal(tag="M2.vibration", label="Vibration", unit="mm/s")
PLATE_MIN = Signal(tag="DMLS-1.plate.min", label="Plate temperature, lowest", unit="°C", decimals=1, computed=True)
CURRENT = Signal(tag="M2.current", label="current", unit="A")


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        (
            Subject(type=AlertType.RULE_VIOLATION, asset="M2", signal=SIGNAL, value=9.42, limit=7.1),
            "Find out why Vibration (M2.vibration) is too high: at 9.42 mm/s, limit 7.10 mm/s.",
        ),
        (  # inside its deadband it is still too high
            Subject(type=AlertType.RULE_VIOLATION, code="high", asset="M2", signal=SIGNAL, value=6.9, limit=7.1),
            "Find out why Vibration (M2.vibration) is too high: at 6.90 mm/s, limit 7.10 mm/s.",
        ),
        (
            Subject(
                type=AlertType.DRIFT,
                code="drift_low",
                asset="M2",
                signal=SIGNAL,
                value=1.1,
                suspect=Suspect.PROCESS,
                moved=(Companion(CURRENT, 18.5, 21.0, 9.0),),
            ),
            "Find out why Vibration (M2.vibration) drifts down from its normal course, now at 1.10 mm/s. Current (M2.current) moved too, "
            "from 18.50 A to 21.00 A: start with what both share. Process change: the reading is believable, look at the machine.",
        ),
        (
            Subject(type=AlertType.INSTRUMENT_FAULT, code="stuck", asset="M2", signal=SIGNAL, value=2.0, suspect=Suspect.SENSOR),
            "Check sensor Vibration (M2.vibration), stuck at 2.00 mm/s: tap or re-power the transmitter, check that its line is open, and "
            "simulate a value at its input. Do not control by this value meanwhile. "
            "Transmitter suspect: this is work for the instrument crew.",
        ),
        (
            Subject(type=AlertType.INSTRUMENT_FAULT, code="stuck", asset="DMLS-1", signal=PLATE_MIN, value=29.8, suspect=Suspect.SENSOR),
            "Check Plate temperature, lowest (DMLS-1.plate.min), stuck at 29.8 °C: look at the picture of DMLS-1 that it is computed from, "
            "and whether new ones arrive. Do not control by this value meanwhile. "
            "Its computation, or the picture it is computed from, is suspect: no transmitter of its own is behind it.",
        ),
        (
            Subject(type=AlertType.DRIFT, code="drift_high", asset="DMLS-1", signal=PLATE_MIN),
            "Find out why Plate temperature, lowest (DMLS-1.plate.min) drifts up from its normal course. "
            "Look at the picture of DMLS-1 that it is computed from before acting.",
        ),
        (
            Subject(type=AlertType.ANOMALY, asset="M2", because=((SIGNAL, 0.62), (CURRENT, 0.3))),
            "Inspect M2, starting with Vibration (M2.vibration): the pattern is unlike the healthy baseline, most of it in "
            "Vibration (M2.vibration) 62%, Current (M2.current) 30%.",
        ),
        (
            Subject(type=AlertType.MACHINE_FAULT, code="12", asset="PL-1", text="Hydraulic pressure too low"),
            "Clear fault 12 (Hydraulic pressure too low) at the controller of PL-1 once its cause is gone.",
        ),
    ],
)
def test_advice_is_plain_and_names_the_signal(subject: Subject, says: str) -> None:
    assert advice.advise(subject) == says


def test_no_transmitter_is_named_for_a_computed_signal() -> None:
    suspected = {"asset": "DMLS-1", "signal": PLATE_MIN, "suspect": Suspect.SENSOR, "code": "drift_high"}
    for type_ in (AlertType.DRIFT, AlertType.RULE_VIOLATION, AlertType.INSTRUMENT_FAULT, AlertType.DATA_GAP):
        words = advice.advise(Subject(type=type_, **suspected))
        assert not any(word in words for word in ("Transmitter", "the transmitter", "second instrument", "wiring")), words
    assert advice.order_title(Subject(type=AlertType.DRIFT, **suspected), "Find cause") == "Find cause"


@given(
    st.sampled_from(AlertType),
    st.none() | st.text(max_size=20),
    st.text(max_size=300),
    st.sampled_from(Suspect),
    st.none() | st.floats(-1e9, 1e9),
)
def test_advice_always_fits_and_names_the_signal_it_is_about(
    type_: AlertType, code: str | None, text: str, suspect: Suspect, value: float | None
) -> None:
    subject = Subject(type=type_, code=code, asset="M2", signal=SIGNAL, value=value, suspect=suspect, text=text, because=((SIGNAL, 1.0),))

    words = advice.advise(subject)

    assert words
    assert len(words) <= ADVICE_MAX
    assert "None" not in words
    assert "M2.vibration" in words or type_ in {AlertType.MACHINE_FAULT, AlertType.SOURCE_LOST}


HOUR = {minute: (10 + math.sin(minute), 0.4) for minute in range(60)}


@pytest.mark.parametrize(
    ("mean", "span", "shape"),
    [(10.2, 0.5, Shape.AS_BEFORE), (18.0, 0.5, Shape.HIGHER), (2.0, 0.5, Shape.LOWER), (10.5, 0.0, Shape.STILL), (10.5, 6.0, Shape.WIDE)],
)
def test_a_window_has_one_of_five_shapes(mean: float, span: float, shape: Shape) -> None:
    assert companions.shape(Course(HOUR, mean, span)) is shape


def test_an_hour_that_says_too_little_says_nothing() -> None:
    short, flat = dict(list(HOUR.items())[:20]), dict.fromkeys(range(60), (10.0, 0.0))

    assert [companions.movement(Course(hour, 99.0, 1.0)) for hour in (short, flat)] == [None, None]
    assert [companions.correlation(HOUR, hour) for hour in (short, flat)] == [None, None]


@given(st.floats(0.1, 100), st.floats(-1e3, 1e3))
def test_signals_that_follow_each_other_are_seen_whatever_their_units(scale: float, offset: float) -> None:
    other = {minute: (offset - scale * mean, span) for minute, (mean, span) in HOUR.items()}

    assert companions.correlation(HOUR, other) == pytest.approx(-1.0)
    assert companions.movement(Course(other, other[0][0], 0.4)) == pytest.approx(
        -(companions.movement(Course(HOUR, HOUR[0][0], 0.4)) or 0), abs=1e-6
    )
