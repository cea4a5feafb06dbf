"""Words of alerts and orders, priorities, health and the site's own day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import AlertType, Severity
from server.rules import health
from server.rules.asset import Maintenance, maintenance_of
from server.rules.health import Trouble
from server.rules.priorities import Priority, parse, priority_for, promised, time_left
from server.rules.roles import ALL_RIGHTS, CONTRACT, GRANTED, RIGHTS, Role, may
from server.rules.wording import TITLE_MAX, Subject, message, number, order_title
from server.rules.work_order import OrderState
from server.timestamps import day_of

RULE = Subject(AlertType.RULE_VIOLATION, "high", "M2", "M2.vibration", "Vibration", "mm/s", 2, 9.42, 7.1)


@pytest.mark.parametrize(
    ("subject", "says", "title"),
    [
        (RULE, "Vibration above 7.10 mm/s", "Find and remove vibration"),
        (
            Subject(AlertType.RULE_VIOLATION, "low", "M1", "M1.pressure", "Pressure", "bar", 1, 1.0, 2.0),
            "Pressure below 2.0 bar",
            "Find cause of low pressure",
        ),
        (Subject(AlertType.INSTRUMENT_FAULT, "stuck", "PT-101", "PT-101"), "PT-101 stuck", "Check sensor PT-101 (stuck)"),
        (Subject(AlertType.INSTRUMENT_FAULT, "spike", "PT-101", "PT-101"), "PT-101 spikes", "Check sensor PT-101 (spikes)"),
        (
            Subject(AlertType.MACHINE_FAULT, "7", "PL-1", text="Hydraulic pressure low"),
            "Fault 7: Hydraulic pressure low",
            "Clear fault 7 on PL-1: Hydraulic pressure low",
        ),
        (Subject(AlertType.SOURCE_LOST, "press-s7", "press-s7"), "Source press-s7 lost", "Restore connection to press-s7"),
        (Subject(AlertType.DATA_GAP, "silence", "M1", "M1.rpm", "Speed"), "M1.rpm sends no data", "Restore data of M1.rpm"),
    ],
)
def test_words(subject: Subject, says: str, title: str) -> None:
    assert (message(subject), order_title(subject)) == (says, title)


@given(st.sampled_from(AlertType), st.text(max_size=80), st.text(max_size=80))
def test_a_title_always_fits_and_starts_with_a_verb(type_: AlertType, label: str, text: str) -> None:
    title = order_title(Subject(type_, "x", "ASSET", "TAG", label, text=text))

    assert len(title) <= TITLE_MAX
    assert title.split()[0] in {"Find", "Check", "Restore", "Clear", "Calibrate", "Inspect"}


def test_numbers_read_as_people_write_them() -> None:
    assert number(-1482.5, 1) == "\u22121\u2009482.5"


@pytest.mark.parametrize(
    ("severity", "criticality", "priority"),
    [
        (Severity.CRITICAL, "medium", Priority.URGENT),
        (Severity.CRITICAL, "low", Priority.HIGH),
        (Severity.WARNING, "critical", Priority.HIGH),
        (Severity.WARNING, "medium", Priority.NORMAL),
        (Severity.ADVISORY, "critical", Priority.LOW),
    ],
)
def test_priority(severity: Severity, criticality: str, priority: Priority) -> None:
    assert priority_for(severity, criticality) is priority


def test_what_is_more_urgent_is_due_earlier_and_old_words_are_understood() -> None:
    assert sorted(Priority, key=time_left) == list(Priority)
    assert (parse("medium"), parse("URGENT"), parse("soon")) == (Priority.NORMAL, Priority.URGENT, None)


@pytest.mark.parametrize(("hours", "left"), [(None, timedelta(hours=8)), (0.5, timedelta(minutes=30)), (72, timedelta(days=3))])
def test_an_order_is_promised_by_its_sites_hours_or_the_usual_time(hours: float | None, left: timedelta) -> None:
    friday_night = datetime(2026, 3, 27, 23, 50, tzinfo=UTC)

    assert promised(friday_night, Priority.HIGH, hours) == friday_night + left


@given(st.lists(st.sampled_from(AlertType)))
def test_health_falls_with_trouble_and_adds_up(types: list[AlertType]) -> None:
    judged = health.judge([Trouble(type_, "text") for type_ in types])

    assert judged.score is not None
    assert judged.score == max(0, 100 - sum(reason.points for reason in judged.reasons))
    assert judged.score >= (health.judge([Trouble(t, "") for t in AlertType]).score or 0)
    assert judged.word == health.word_for(judged.score)


def test_without_data_there_is_no_score() -> None:
    assert health.judge([], has_data=False) == health.Health(None, "unknown")


@pytest.mark.parametrize(
    ("orders", "waiting", "state"),
    [
        (set(), False, Maintenance.OK),
        ({OrderState.OPEN}, False, Maintenance.OK),
        ({OrderState.ASSIGNED}, True, Maintenance.FAULTY),
        ({OrderState.ON_HOLD, OrderState.COMPLETED}, True, Maintenance.IN_WORK),
        ({OrderState.COMPLETED}, False, Maintenance.FIXED),
        ({OrderState.COMPLETED}, True, Maintenance.FAULTY),
    ],
)
def test_maintenance_state_follows_the_orders(orders: set[OrderState], waiting: bool, state: Maintenance) -> None:
    assert maintenance_of(orders, corrective_waiting=waiting) is state


def test_every_right_but_a_contractors_and_given_ones_belongs_to_the_admin_and_a_misspelt_one_to_nobody() -> None:
    assert RIGHTS[Role.ADMIN] == ALL_RIGHTS - CONTRACT - GRANTED
    with pytest.raises(KeyError):
        may(Role.ADMIN, "orders.wrok")


@pytest.mark.parametrize(
    ("now", "start", "hours"),
    [
        (datetime(2026, 11, 20, 14, 0, tzinfo=UTC), datetime(2026, 11, 19, 23, 0, tzinfo=UTC), 24),
        (datetime(2026, 3, 29, 12, 0, tzinfo=UTC), datetime(2026, 3, 28, 23, 0, tzinfo=UTC), 23),
        (datetime(2026, 10, 25, 12, 0, tzinfo=UTC), datetime(2026, 10, 24, 22, 0, tzinfo=UTC), 25),
        (datetime(2026, 7, 1, 22, 30, tzinfo=UTC), datetime(2026, 7, 1, 22, 0, tzinfo=UTC), 24),
    ],
)
def test_today_is_the_sites_day_also_when_clocks_change(now: datetime, start: datetime, hours: int) -> None:
    begins, ends = day_of(now, "Europe/Paris")

    assert begins == start
    assert (ends - begins).total_seconds() == hours * 3600
    assert begins <= now < ends
