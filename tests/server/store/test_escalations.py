"""Reminders until somebody acknowledges, escalation by severity and shift; repeated runs say nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.database import Database
from server.folding import fold_finding
from server.models.alerts import AlertRecord
from server.models.notifications import Escalation, EscalationPolicy, Notification
from server.models.people import User
from server.models.plant import Site
from server.store import alerts
from server.store.escalations import escalate
from tests.server.small_plant import NOW, SmallPlant, finding


def minutes(n: float) -> datetime:
    return NOW + timedelta(minutes=n)


@pytest.fixture
def alert(database: Database, plant: SmallPlant) -> int:
    with database.transaction() as session:
        fold_finding(session, finding(plant), NOW, 60)
        return session.scalars(select(AlertRecord.id)).one()


def policy(database: Database, plant: SmallPlant, **other: Any) -> None:
    row = {"name": "Second line", "severity": "critical", "after_min": 15, "to_role": "technician", "site_id": plant.site, **other}
    with database.transaction() as session:
        session.add(EscalationPolicy(**row))


def run(database: Database, at: datetime) -> int:
    with database.transaction() as session:
        return escalate(session, at)


def told(database: Database) -> list[tuple[int, datetime]]:
    query = select(Notification.user_id, Notification.created_at).where(Notification.kind == "alert_escalated").order_by(Notification.id)
    with database.transaction() as session:
        return [(user, at) for user, at in session.execute(query)]


def test_an_alert_nobody_acknowledges_is_told_to_the_next_in_line_once(database: Database, plant: SmallPlant, alert: int) -> None:
    policy(database, plant)

    counts = [run(database, minutes(n)) for n in (0, 14, 15, 16, 90)]

    assert counts == [0, 0, 1, 0, 0]
    assert told(database) == [(plant["benali"].id, minutes(15)), (plant["moreau"].id, minutes(15))]
    with database.transaction() as session:
        logged = session.scalars(select(Escalation)).one()
    assert (logged.alert_id, logged.round, logged.told) == (alert, 0, [plant["benali"].id, plant["moreau"].id])


def test_it_is_repeated_at_most_so_often(database: Database, plant: SmallPlant, alert: int) -> None:
    policy(database, plant, to_role="manager", repeat_min=10, rounds=3)

    counts = [run(database, minutes(n)) for n in range(0, 120, 5)]

    assert sum(counts) == 3
    assert [at for _user, at in told(database)] == [minutes(15), minutes(25), minutes(35)]


def test_rounds_missed_while_nobody_led_are_said_once(database: Database, plant: SmallPlant, alert: int) -> None:
    policy(database, plant, to_role="manager", repeat_min=10, rounds=5)

    assert [run(database, minutes(n)) for n in (38, 38.5)] == [1, 0]


Answer = Callable[[Session, SmallPlant, int], object]
ANSWERS: dict[str, Answer] = {
    "acknowledge": lambda session, plant, id_: alerts.acknowledge(session, id_, plant["operator"], minutes(20)),
    "shelve": lambda session, plant, id_: alerts.shelve(session, id_, plant["manager"], minutes(20), minutes(200), "known"),
    "resolve": lambda session, plant, id_: alerts.resolve(session, id_, plant["manager"], minutes(20), "false alarm", force=True),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_stops_it(database: Database, plant: SmallPlant, alert: int, answer: str) -> None:
    policy(database, plant, repeat_min=10, rounds=10)
    run(database, minutes(15))
    with database.transaction() as session:
        ANSWERS[answer](session, plant, alert)

    assert [run(database, minutes(n)) for n in (25, 35, 100)] == [0, 0, 0]


@pytest.mark.parametrize(
    "other",
    [{"severity": "warning"}, {"active": False}, {"deleted_at": NOW}, {"shift": "N"}],
    ids=["other severity", "not active", "deleted", "other shift"],
)
def test_a_policy_that_does_not_fit_says_nothing(database: Database, plant: SmallPlant, alert: int, other: dict[str, Any]) -> None:
    with database.transaction() as session:
        session.get_one(Site, plant.site).shifts = [{"name": "N", "start": "22:00", "end": "06:00"}]
    policy(database, plant, **other)

    assert run(database, minutes(60)) == 0


def test_by_night_the_night_shift_is_told(database: Database, plant: SmallPlant, alert: int) -> None:
    with database.transaction() as session:
        session.get_one(Site, plant.site).shifts = [
            {"name": "D", "start": "06:00", "end": "22:00"},
            {"name": "N", "start": "22:00", "end": "06:00"},
        ]
        session.get_one(User, plant["benali"].id).shift = "N"
        session.get_one(User, plant["moreau"].id).shift = "D"
    policy(database, plant, shift="N", on_duty=True)

    assert run(database, minutes(60)) == 0  # 16:00 in Paris
    assert run(database, minutes(9 * 60)) == 1  # midnight
    assert [user for user, _at in told(database)] == [plant["benali"].id]


def test_only_people_on_duty_are_told_where_the_policy_says_so(database: Database, plant: SmallPlant, alert: int) -> None:
    with database.transaction() as session:
        session.get_one(User, plant["benali"].id).on_duty = False
    policy(database, plant, on_duty=True)
    run(database, minutes(15))

    assert [user for user, _at in told(database)] == [plant["moreau"].id]


def test_another_sites_policy_does_not_speak_of_it(database: Database, plant: SmallPlant, alert: int) -> None:
    assert plant["stranger"].site_id is not None
    policy(database, plant, site_id=plant["stranger"].site_id, to_role="manager")

    assert run(database, minutes(60)) == 0
