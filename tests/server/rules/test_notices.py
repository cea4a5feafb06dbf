"""Whom a message reaches how: choices, quiet hours, clocks that change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import Severity
from server.rules.notices import Choice, Delivery, Notice, Preference, Quiet, Topic, decide, defaults
from server.rules.roles import Role

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)  # 23:30 in Paris
MORNING = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)  # 06:00 in Paris
QUIET = Quiet(time(22), time(6))
BOTH = Choice(Topic.ALERT, in_app=True, mail=True)
BELL = Choice(Topic.ALERT, in_app=True, mail=False)
CRITICAL = Notice(Topic.ALERT, Severity.CRITICAL, 1)
WARNING = Notice(Topic.ALERT, Severity.WARNING, 1)


@pytest.mark.parametrize(
    ("notice", "preference", "now", "delivery"),
    [
        pytest.param(WARNING, Preference((BOTH,)), NOON, Delivery(True, NOON), id="by day"),
        pytest.param(WARNING, Preference((BELL,)), NOON, Delivery(True, None), id="bell only"),
        pytest.param(WARNING, Preference(()), NOON, Delivery(False, None), id="nothing chosen"),
        pytest.param(WARNING, Preference((BOTH,), QUIET), NIGHT, Delivery(True, MORNING), id="mail waits for the end of the quiet hours"),
        pytest.param(CRITICAL, Preference((BOTH,), QUIET), NIGHT, Delivery(True, NIGHT), id="critical passes"),
        pytest.param(CRITICAL, Preference((BOTH,), QUIET, False), NIGHT, Delivery(True, MORNING), id="critical waits where chosen"),
        pytest.param(WARNING, Preference((BOTH,), QUIET), NOON, Delivery(True, NOON), id="quiet hours are over"),
        pytest.param(
            Notice(Topic.ESCALATION, Severity.WARNING, 1), Preference(()), NOON, Delivery(True, None), id="an escalation always rings"
        ),
    ],
)
def test_delivery(notice: Notice, preference: Preference, now: datetime, delivery: Delivery) -> None:
    assert decide(notice, preference, now, PARIS) == delivery


@pytest.mark.parametrize(
    ("area", "severity", "mailed"),
    [(1, Severity.CRITICAL, True), (1, Severity.WARNING, False), (2, Severity.CRITICAL, True), (2, Severity.WARNING, False)],
)
def test_the_most_specific_choice_counts(area: int, severity: Severity, mailed: bool) -> None:
    anywhere = Choice(Topic.ALERT, in_app=True, mail=False)
    critical = Choice(Topic.ALERT, in_app=True, mail=True, severity=Severity.CRITICAL)
    here_critical = Choice(Topic.ALERT, in_app=True, mail=True, area_id=1, severity=Severity.CRITICAL)
    here = Choice(Topic.ALERT, in_app=True, mail=False, area_id=1)

    found = decide(Notice(Topic.ALERT, severity, area), Preference((here_critical, here, critical, anywhere)), NOON, PARIS)

    assert (found.mail_at is not None) is mailed


@pytest.mark.parametrize(
    ("role", "severity", "told"),
    [
        (Role.MANAGER, Severity.CRITICAL, True),
        (Role.PLANNER, Severity.CRITICAL, True),
        (Role.PLANNER, Severity.WARNING, False),
        (Role.TECHNICIAN, Severity.CRITICAL, False),
        (Role.OPERATOR, Severity.CRITICAL, False),
    ],
)
def test_until_a_person_chooses_those_who_plan_hear_of_critical_alerts(role: Role, severity: Severity, told: bool) -> None:
    assert decide(Notice(Topic.ALERT, severity), defaults(role), NOON, PARIS).in_app is told
    assert decide(Notice(Topic.WORK), defaults(role), NOON, PARIS).in_app


choices = st.builds(
    Choice,
    st.sampled_from(Topic),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(1, 3),
    st.none() | st.sampled_from(Severity),
)
quiets = st.builds(Quiet, st.times(), st.times()).filter(lambda one: one.start != one.end)
moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))


@given(
    st.builds(Notice, st.sampled_from(Topic), st.none() | st.sampled_from(Severity), st.none() | st.integers(1, 3)),
    st.builds(Preference, st.lists(choices, max_size=6).map(tuple), st.none() | quiets, st.booleans()),
    moments,
    st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]).map(ZoneInfo),
)
def test_quiet_hours_hold_mail_back_for_a_day_at_most_and_never_lose_it(
    notice: Notice, preference: Preference, now: datetime, zone: ZoneInfo
) -> None:
    loud = decide(notice, Preference(preference.choices), now, zone)

    found = decide(notice, preference, now, zone)

    assert found.in_app == loud.in_app
    assert (found.mail_at is None) == (loud.mail_at is None)
    if found.mail_at is not None:
        assert now <= found.mail_at <= now + timedelta(hours=25)
