"""Proof of repair: only the signal proves, any finding reopens, too little data asks a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.proof import OPEN, ProofState, Span, judge, may_decide, open_window, settle_s

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def span(covered_s: float, greatest: float = 3.0, high: float | None = 7.1, tag: str = "M2.vibration") -> Span:
    return Span(tag, int(covered_s), 0, 1.0, greatest, covered_s, None, high)


@pytest.mark.parametrize(("required_s", "settle"), [(60, 10), (4 * 3600, 120), (120, 20), (1, 10)])
def test_the_signal_gets_time_to_come_back(required_s: float, settle: float) -> None:
    assert settle_s(required_s, "limits") == settle


@pytest.mark.parametrize(("detector", "settle"), [("drift", 60), ("noise", 60), ("spike", 45), ("forest", 180), ("range", 10), ("plc", 10)])
def test_a_slow_detector_gets_the_time_it_needs_to_see_health(detector: str, settle: float) -> None:
    assert settle_s(60, detector) == settle
    assert open_window(NOW, 60, detector).settle_until == NOW + timedelta(seconds=settle)


@pytest.mark.parametrize(
    ("after_s", "facts", "state"),
    [
        (5, {"still_active": "Still there"}, ProofState.SETTLING),
        (10, {"still_active": "Still there"}, ProofState.REOPENED),
        (30, {"findings": ["Again: drift"]}, ProofState.REOPENED),
        (30, {"spans": [span(20)]}, ProofState.RUNNING),
        (75, {"spans": [span(60)]}, ProofState.PROVED),
        (75, {"spans": [span(60), span(59, tag="M2.current")]}, ProofState.RUNNING),
        (75, {"spans": [span(60, greatest=7.2)]}, ProofState.DECISION),
        (75, {"spans": [span(60, greatest=7.2, high=None)]}, ProofState.PROVED),
        (75, {"spans": [span(60)], "findings": ["Again: limit"]}, ProofState.REOPENED),
        (75, {"spans": [span(60)], "monitor_lives": False}, ProofState.RUNNING),
        (190, {"spans": [span(60)], "monitor_lives": False}, ProofState.DECISION),
        (189, {"spans": [span(59)]}, ProofState.RUNNING),
        (190, {"spans": [span(59)]}, ProofState.DECISION),
        (190, {"spans": []}, ProofState.DECISION),
    ],
)
def test_where_a_window_stands(after_s: float, facts: dict[str, object], state: ProofState) -> None:
    window = open_window(NOW, 60)
    given_: dict[str, object] = {"still_active": None, "findings": [], "spans": [], **facts}

    judged = judge(window, NOW + timedelta(seconds=after_s), **given_)  # type: ignore[arg-type]

    assert judged.state is state
    assert (judged.reason is None) is (state in OPEN or state is ProofState.PROVED)
    assert judged.reason is None or judged.reason[0].isupper()


@given(st.floats(0, 1000), st.booleans(), st.booleans(), st.floats(0, 500), st.floats(0, 10), st.booleans())
def test_nothing_is_proved_without_enough_good_time_inside_the_limits(
    after_s: float, active: bool, found: bool, good_s: float, greatest: float, lives: bool
) -> None:
    window = open_window(NOW, 60)
    findings = ["found"] if found else []

    judged = judge(
        window,
        NOW + timedelta(seconds=after_s),
        still_active="Still there" if active else None,
        findings=findings,
        spans=[span(good_s, greatest)],
        monitor_lives=lives,
    )

    if judged.state is ProofState.PROVED:
        assert after_s >= 10
        assert not active
        assert not found
        assert good_s >= 60
        assert greatest <= 7.1
        assert lives
    if after_s >= 190:
        assert judged.state not in OPEN


def test_nobody_verifies_the_own_work() -> None:
    assert not may_decide(completer_id=3, person_id=3)
    assert may_decide(completer_id=3, person_id=4)
    assert may_decide(completer_id=3, person_id=None)
